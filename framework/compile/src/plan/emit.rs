//! From a graph of batch values to a body that computes them.

use std::collections::{HashMap, HashSet};

use crate::{
    error::{Refusal, Result},
    ir::graph::{Graph, Id, Node, Op, Rows, Unary},
    passes::merge_products::uses,
    plan::instruction::{Code, Instruction, Place, Program},
    plan::schedule::{Body, Buffer, Kind, Layout, Multiply, Slot, Step, View, Weight},
};

/// What a body has to compute.
pub(crate) struct Task<'a> {
    pub(crate) graph: &'a Graph,
    /// The batch values to compute, each after those it needs.
    pub(crate) compute: &'a [Id],
    /// Values whose numbers must be there for all time steps afterwards.
    pub(crate) keep: &'a HashSet<Id>,
    /// The kind of buffer for what is kept.
    pub(crate) kept: Kind,
    /// The kind of buffer for what is not.
    pub(crate) passing: Kind,
    /// Values that must be in a certain place.
    pub(crate) results: &'a [(Id, View)],
    /// Values whose rows are summed up.
    pub(crate) sums: &'a [Id],
}

/// The body of a task. `views` are the places of what is there already; places of what is computed are added. Returned
/// with it are the places of the sums among the chunk's sums.
pub(crate) fn compile(
    task: &Task<'_>,
    views: &mut HashMap<Id, View>,
    layout: &mut Layout<'_>,
) -> Result<(Body, Vec<usize>)> {
    let graph = task.graph;
    let computed: HashSet<Id> = task.compute.iter().copied().collect();
    let stage = stages(graph, task.compute);
    let roots: Vec<Id> = task
        .results
        .iter()
        .map(|&(id, _)| id)
        .chain(task.sums.iter().copied())
        .chain(task.keep.iter().copied())
        .collect();
    let used = uses(graph, &task.compute.iter().copied().chain(roots).collect::<Vec<_>>());

    // A result is computed where it must be, if it is computed here and is not needed in two places.
    let mut copies = Vec::new();
    for &(id, view) in task.results {
        let direct = computed.contains(&id)
            && !views.contains_key(&id)
            && (graph[id].op.is_elementwise() || matches!(graph[id].op, Op::Linear { .. } | Op::Columns(_)));
        if direct {
            views.insert(id, view);
        } else {
            copies.push((id, view));
        }
    }
    let memory = needing_memory(task, &computed, &stage);
    for &id in task.compute.iter().rev() {
        let is_view = matches!(graph[id].op, Op::Slice { .. });
        if !views.contains_key(&id) && !is_view && memory.contains(&id) {
            let kind = if task.keep.contains(&id) { task.kept } else { task.passing };
            layout.buffers.push(Buffer { width: graph[id].columns, kind });
            views.insert(id, View { buffer: layout.buffers.len() - 1, shift: 0, offset: 0 });
        }
        // What is put side by side is computed there.
        if let (Op::Columns(parts), Some(&view)) = (&graph[id].op, views.get(&id)) {
            let mut offset = view.offset;
            for &part in parts {
                let direct = computed.contains(&part)
                    && !views.contains_key(&part)
                    && used[part] <= 2
                    && !task.keep.contains(&part)
                    && (graph[part].op.is_elementwise() || matches!(graph[part].op, Op::Columns(_)));
                if direct {
                    views.insert(part, View { offset, ..view });
                }
                offset += graph[part].columns;
            }
        }
    }

    let stages = stage.values().copied().max().map_or(0, |last| last + 1);
    let mut emitter = Emitter { graph, layout, views, body: Body::default(), registers: HashMap::new() };
    let mut sums = Vec::new();
    for number in 0..stages.max(1) {
        let here: Vec<Id> = task.compute.iter().copied().filter(|id| stage[id] == number).collect();
        for &id in &here {
            if let Op::Linear { terms, init } = &graph[id].op {
                emitter.products(id, terms, *init)?;
            }
        }
        emitter.program(&here, task, &stage, number, stages <= number + 1, &copies, &mut sums)?;
    }
    let body = emitter.body;
    // The sums were met in the order of stages.
    let places = task
        .sums
        .iter()
        .map(|id| sums.iter().find(|(met, _)| met == id).map_or(usize::MAX, |&(_, place)| place))
        .collect();
    Ok((body, places))
}

/// After how many products each value can be computed.
fn stages(graph: &Graph, compute: &[Id]) -> HashMap<Id, usize> {
    let mut stages: HashMap<Id, usize> = HashMap::new();
    for &id in compute {
        let operands = graph.operands(id);
        let ready = operands.iter().filter_map(|operand| stages.get(operand).copied()).max();
        let stage = match (&graph[id].op, ready) {
            (Op::Linear { .. }, Some(ready)) => ready + 1,
            (_, ready) => ready.unwrap_or(0),
        };
        stages.insert(id, stage);
    }
    stages
}

/// The values that cannot stay in registers of a program.
fn needing_memory(task: &Task<'_>, computed: &HashSet<Id>, stage: &HashMap<Id, usize>) -> HashSet<Id> {
    let graph = task.graph;
    let base = |mut id: Id| {
        while let Op::Slice { of, .. } = graph[id].op {
            id = of;
        }
        id
    };
    let mut memory: HashSet<Id> = task.keep.iter().map(|&id| base(id)).filter(|id| computed.contains(id)).collect();
    for &id in task.compute {
        match &graph[id].op {
            Op::Linear { terms, init } => {
                memory.insert(id);
                memory.extend(terms.iter().map(|&(a, _)| base(a)).filter(|a| computed.contains(a)));
                memory.extend(init.map(base).filter(|init| computed.contains(init)));
            }
            Op::Columns(_) => {
                memory.insert(id);
            }
            Op::Slice { of, .. } => {
                memory.extend(Some(base(*of)).filter(|of| computed.contains(of)));
            }
            _ => {}
        }
        for operand in graph.operands(id) {
            if computed.contains(&operand) && stage[&operand] < stage[&id] {
                memory.insert(base(operand));
            }
        }
    }
    memory
}

struct Emitter<'a, 'b> {
    graph: &'a Graph,
    layout: &'a mut Layout<'b>,
    views: &'a mut HashMap<Id, View>,
    body: Body,
    /// Offsets of values that live in registers of the current program.
    registers: HashMap<Id, usize>,
}

impl Emitter<'_, '_> {
    fn slot(&mut self, slot: Slot) -> u32 {
        let known = self.body.slots.iter().position(|&known| known == slot);
        let number = known.unwrap_or_else(|| {
            self.body.slots.push(slot);
            self.body.slots.len() - 1
        });
        number as u32
    }

    fn at(&mut self, view: View) -> Place {
        let slot = Some(self.slot(Slot::Batch { buffer: view.buffer, shift: view.shift }));
        let stride = self.layout.buffers[view.buffer].width;
        Place { slot, offset: view.offset, stride, single: false }
    }

    /// Where an operand of an operation on `width` columns lies.
    fn operand(&mut self, id: Id, width: usize) -> Result<Place> {
        let Node { op, rows, columns } = self.graph[id].clone();
        let single = columns == 1 && width > 1;
        if let Op::Fill(bits) = op {
            let offset = self.layout.fixed.constant(f64::from_bits(bits));
            return Ok(Place { slot: Some(self.slot(Slot::Fixed(offset))), offset: 0, stride: 0, single: true });
        }
        match rows {
            Rows::Fixed(1) => {
                let at = self.layout.fixed.row(self.graph, id)?;
                Ok(Place { slot: Some(self.slot(Slot::Fixed(at))), offset: 0, stride: 0, single })
            }
            Rows::Fixed(rows) => {
                Err(Refusal::new(format!("an operation on the batch and a matrix of {rows} rows, entry by entry")))
            }
            Rows::Batch => {
                if let Some(&offset) = self.registers.get(&id) {
                    return Ok(Place { slot: None, offset, stride: columns, single });
                }
                let view = self.view(id)?;
                Ok(Place { single, ..self.at(view) })
            }
        }
    }

    /// Where a value of the batch lies in memory.
    fn view(&mut self, id: Id) -> Result<View> {
        view_of(self.graph, self.views, id).ok_or_else(|| Refusal::new("a product of numbers that nothing computes"))
    }

    fn products(&mut self, id: Id, terms: &[(Id, Id)], init: Option<Id>) -> Result<()> {
        let view = self.view(id)?;
        let to = self.at(view);
        let mut init = match init {
            // A product begins with a row of numbers, not with one for all columns.
            Some(init) if self.graph.fill_of(init).is_some() && !self.graph.is_batch(init) => {
                let at = self.layout.fixed.row(self.graph, init)?;
                Some(Place { slot: Some(self.slot(Slot::Fixed(at))), offset: 0, stride: 0, single: false })
            }
            Some(init) => Some(self.operand(init, self.graph[id].columns)?),
            None => None,
        };
        for &(a, b) in terms {
            let view = self.view(a)?;
            let a = self.at(view);
            let at = self.layout.fixed.matrix(self.graph, b)?;
            let weight = Weight { at };
            let known = self.layout.weights.iter().position(|&known| known == weight);
            let weight = known.unwrap_or_else(|| {
                self.layout.weights.push(weight);
                self.layout.weights.len() - 1
            });
            self.body.steps.push(Step::Multiply(Multiply { a, weight, to, init, is_chosen: false }));
            init = Some(to);
        }
        Ok(())
    }

    /// The program that follows the products of a stage.
    #[expect(clippy::too_many_arguments, reason = "it is one step of `compile`, taken out to be read by itself")]
    fn program(
        &mut self,
        here: &[Id],
        task: &Task<'_>,
        stage: &HashMap<Id, usize>,
        number: usize,
        is_last: bool,
        copies: &[(Id, View)],
        sums: &mut Vec<(Id, usize)>,
    ) -> Result<()> {
        // When a register's value is used for the last time, counted in operations of this program.
        let mut last_use: HashMap<Id, usize> = HashMap::new();
        for (time, &id) in here.iter().enumerate() {
            for operand in self.graph.operands(id) {
                last_use.insert(operand, time);
            }
        }
        for &id in task.sums.iter().chain(copies.iter().map(|(id, _)| id)) {
            last_use.insert(id, usize::MAX);
        }
        let mut instructions = Vec::new();
        let mut free: Vec<(usize, usize)> = Vec::new();
        let mut registers = 0;
        self.registers.clear();
        for (time, &id) in here.iter().enumerate() {
            let Node { op, columns, .. } = self.graph[id].clone();
            let (code, operands, width) = match op {
                Op::Map(function, a) => (Code::Map(function), vec![a], columns),
                Op::Zip(function, a, b) => (Code::Zip(function), vec![a, b], columns),
                Op::Fuse(function, a, b, c) => (Code::Fuse(function), vec![a, b, c], columns),
                Op::SumColumns(a) => (Code::SumColumns, vec![a], self.graph[a].columns),
                Op::MaxColumns(a) => (Code::MaxColumns, vec![a], self.graph[a].columns),
                Op::Columns(parts) => {
                    let view = self.view(id)?;
                    let mut offset = view.offset;
                    for part in parts {
                        let width = self.graph[part].columns;
                        let place = View { offset, ..view };
                        if self.views.get(&part) != Some(&place) {
                            instructions.push(self.copy(part, place)?);
                        }
                        offset += width;
                    }
                    continue;
                }
                Op::Linear { .. } | Op::Slice { .. } => continue,
                _ => return Err(Refusal::new(format!("an operation on the batch: {op:?}"))),
            };
            let mut from = [Place::NONE; 3];
            for (place, &operand) in from.iter_mut().zip(&operands) {
                *place = self.operand(operand, width)?;
            }
            let to = if let Some(&view) = self.views.get(&id) {
                self.at(view)
            } else {
                // A register is taken before those of the operands are given back: a source is never also the target.
                let spare = free.iter().position(|&(_, width)| width == columns);
                let offset = spare.map_or_else(
                    || {
                        registers += columns;
                        registers - columns
                    },
                    |spare| free.swap_remove(spare).0,
                );
                self.registers.insert(id, offset);
                Place { slot: None, offset, stride: columns, single: false }
            };
            instructions.push(Instruction { code, width, to, from });
            let mut done: Vec<Id> = operands;
            done.sort_unstable();
            done.dedup();
            for operand in done {
                if last_use.get(&operand) == Some(&time)
                    && let Some(&offset) = self.registers.get(&operand)
                {
                    free.push((offset, self.graph[operand].columns));
                }
            }
        }
        for &id in task.sums {
            let ready = stage.get(&id).copied().unwrap_or(0);
            if ready == number && !sums.iter().any(|&(met, _)| met == id) {
                let columns = self.graph[id].columns;
                let place = self.layout.sum(columns);
                let from = [self.operand(id, columns)?, Place::NONE, Place::NONE];
                let slot = Some(self.slot(Slot::Sum(place)));
                let to = Place { slot, offset: 0, stride: 0, single: false };
                instructions.push(Instruction { code: Code::AddRows, width: columns, to, from });
                sums.push((id, place));
            }
        }
        for &(id, view) in copies {
            let ready = stage.get(&id).copied();
            if ready == Some(number) || (ready.is_none() && is_last) {
                instructions.push(self.copy(id, view)?);
            }
        }
        if !instructions.is_empty() {
            let program = Program::new(instructions, registers);
            self.body.scratch = self.body.scratch.max(program.scratch());
            self.body.steps.push(Step::Program(program));
        }
        Ok(())
    }

    fn copy(&mut self, id: Id, view: View) -> Result<Instruction> {
        let width = self.graph[id].columns;
        let from = [self.operand(id, width)?, Place::NONE, Place::NONE];
        Ok(Instruction { code: Code::Map(Unary::Copy), width, to: self.at(view), from })
    }
}

/// Where a value of the batch lies: a slice lies in what it is cut from.
pub(crate) fn view_of(graph: &Graph, views: &HashMap<Id, View>, id: Id) -> Option<View> {
    if let Some(&view) = views.get(&id) {
        return Some(view);
    }
    match graph[id].op {
        Op::Slice { of, column, .. } => {
            view_of(graph, views, of).map(|view| View { offset: view.offset + column, ..view })
        }
        _ => None,
    }
}
