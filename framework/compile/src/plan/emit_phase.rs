//! Emission of one phase: the schedule that computes its values.

use std::collections::{HashMap, HashSet};

use crate::{
    error::{Result, Unsupported},
    id::NodeId,
    ir::{
        blocks::Blocks,
        graph::{Graph, Node, Rows},
        op::{Axis, Op, Reduce, Unary},
    },
    plan::{
        assign_phase::{Assignment, Views, view_of},
        builder::PlanBuilder,
        fused_kernel::{Address, FusedKernel, Instruction, Opcode, Operand},
        parameter_program::ParameterPlanner,
        schedule::{Init, Multiply, Schedule, Slot, Task, View},
    },
};

/// The schedule of a phase. Parameters that it reads are planned by `planner`.
pub(crate) fn emit(
    graph: &Graph,
    assignment: &Assignment,
    views: &Views,
    planner: &mut ParameterPlanner<'_>,
    plan: &mut PlanBuilder,
) -> Result<Schedule> {
    let schedule = Schedule::default();
    let mut emitter = Emitter { graph, assignment, views, planner, plan, schedule, registers: RegisterFile::default() };
    for stage in 0..assignment.stages() {
        for &(id, of) in &assignment.compute {
            if let (true, Op::Linear { terms, init }) = (of == stage, &graph[id].op) {
                emitter.products(id, terms, *init)?;
            }
        }
        emitter.fused_kernel(stage)?;
    }
    Ok(emitter.schedule)
}

/// The registers of a fused kernel: columns of scratch memory, reused once a value was read for the last time.
#[derive(Default)]
struct RegisterFile {
    offsets: HashMap<NodeId, usize>,
    /// Offset and width of registers that hold nothing.
    free: Vec<(usize, usize)>,
    width: usize,
}

impl RegisterFile {
    fn allocate(&mut self, id: NodeId, width: usize) -> usize {
        let spare = self.free.iter().position(|&(_, free)| free == width);
        let offset = match spare {
            Some(spare) => self.free.swap_remove(spare).0,
            None => self.width,
        };
        self.width = self.width.max(offset + width);
        self.offsets.insert(id, offset);
        offset
    }

    fn release(&mut self, id: NodeId, width: usize) {
        self.free.extend(self.offsets.get(&id).map(|&offset| (offset, width)));
    }
}

struct Emitter<'a, 'b> {
    graph: &'a Graph,
    assignment: &'a Assignment,
    views: &'a Views,
    planner: &'a mut ParameterPlanner<'b>,
    plan: &'a mut PlanBuilder,
    schedule: Schedule,
    registers: RegisterFile,
}

impl Emitter<'_, '_> {
    /// The address of columns of a buffer.
    fn at(&mut self, view: View) -> Address {
        let slot = self.schedule.slot(Slot::Batch { buffer: view.buffer, shift: view.shift });
        Address { slot, offset: view.offset, row_stride: self.plan.width(view) }
    }

    /// The address of a static row.
    fn row(&mut self, id: NodeId) -> Result<Address> {
        let offset = self.planner.row(&mut self.plan.memory, id)?;
        Ok(Address::row(self.schedule.slot(Slot::Parameter(offset))))
    }

    /// The address of a batch value, or of a static row.
    fn address(&mut self, id: NodeId) -> Result<Address> {
        if !self.graph.is_batch(id) {
            return self.row(id);
        }
        let view = self.view(id)?;
        Ok(self.at(view))
    }

    /// The address of an operand of an operation on these columns. What repeats is read as it is in memory.
    fn operand(&mut self, id: NodeId, blocks: Blocks) -> Result<Operand> {
        let Node { op, shape } = self.graph[id].clone();
        if let Op::Repeat(of, axis) = op {
            let operand = self.operand(of, Blocks::flat(self.graph.columns(of)))?;
            return Ok(operand.with_strides(blocks.strides_without(axis)));
        }
        let is_column = shape.columns == 1 && blocks != Blocks::flat(1);
        let strides = if is_column { [0; 3] } else { blocks.strides() };
        if let Op::Fill(bits) = op {
            let offset = self.plan.memory.constant(f64::from_bits(bits));
            return Ok(Address::row(self.schedule.slot(Slot::Parameter(offset))).operand(0));
        }
        let operand = match shape.rows {
            Rows::Static(1) => self.row(id)?.operand(1),
            Rows::Static(rows) => {
                let refusal = format!("an operation on the batch and a matrix of {rows} rows, entry by entry");
                return Err(Unsupported::new(refusal));
            }
            Rows::Batch => match self.registers.offsets.get(&id) {
                Some(&offset) => register(offset, shape.columns),
                None => self.address(id)?.operand(1),
            },
        };
        Ok(operand.with_strides(strides))
    }

    /// Where a batch value is in memory.
    fn view(&self, id: NodeId) -> Result<View> {
        view_of(self.graph, self.views, id)
            .ok_or_else(|| Unsupported::new("a product of a value that nothing computes"))
    }

    /// The products of a sum: each adds to the one before.
    fn products(&mut self, id: NodeId, terms: &[(NodeId, NodeId)], init: Option<NodeId>) -> Result<()> {
        let to = self.address(id)?;
        let mut init = init.map(|init| self.address(init)).transpose()?;
        for &(a, b) in terms {
            let a = self.address(a)?;
            let weight = self.planner.matrix(&mut self.plan.memory, b)?;
            let weight = self.plan.weight(weight);
            let init_of_term = init.map(|from| Init { from, is_gather: false });
            self.schedule.tasks.push(Task::Multiply(Multiply { a, weight, to, init: init_of_term }));
            init = Some(to);
        }
        Ok(())
    }

    /// The kernel that follows the products of a stage.
    fn fused_kernel(&mut self, stage: usize) -> Result<()> {
        let compute = self.assignment.compute.iter();
        let here: Vec<NodeId> = compute.filter(|(_, of)| *of == stage).map(|&(id, _)| id).collect();
        let last_reads = self.last_reads(&here);
        self.registers = RegisterFile::default();
        let mut instructions = Vec::new();
        for (time, &id) in here.iter().enumerate() {
            self.compute(id, &mut instructions)?;
            let operands: HashSet<NodeId> = self.sources(id).into_iter().collect();
            let mut done: Vec<NodeId> = operands.into_iter().filter(|id| last_reads.get(id) == Some(&time)).collect();
            done.sort_unstable();
            for operand in done {
                self.registers.release(operand, self.graph.columns(operand));
            }
        }
        self.row_sums(stage, &mut instructions)?;
        self.copies(stage, &mut instructions)?;
        if !instructions.is_empty() {
            let kernel = FusedKernel::new(instructions, self.registers.width);
            self.schedule.scratch = self.schedule.scratch.max(kernel.scratch());
            self.schedule.tasks.push(Task::Fused(kernel));
        }
        Ok(())
    }

    /// The values that a computation reads; of those that repeat what they repeat.
    fn sources(&self, id: NodeId) -> Vec<NodeId> {
        let source = |operand: NodeId| match self.graph[operand].op {
            Op::Repeat(of, _) => of,
            _ => operand,
        };
        match &self.graph[id].op {
            Op::Repeat(..) => vec![],
            op => op.operands().into_iter().map(source).collect(),
        }
    }

    /// The last instruction that reads each value; not of values that are summed or copied behind all instructions.
    fn last_reads(&self, here: &[NodeId]) -> HashMap<NodeId, usize> {
        let mut last_reads = HashMap::new();
        for (time, &id) in here.iter().enumerate() {
            last_reads.extend(self.sources(id).into_iter().map(|operand| (operand, time)));
        }
        let sums = self.assignment.row_sums.iter().map(|(id, _)| id);
        sums.chain(self.assignment.copies.iter().map(|(id, _)| id)).for_each(|id| {
            last_reads.remove(id);
        });
        last_reads
    }

    /// The instruction that computes a value.
    fn compute(&mut self, id: NodeId, instructions: &mut Vec<Instruction>) -> Result<()> {
        let Node { op, shape } = self.graph[id].clone();
        let flat = [shape.columns, shape.columns, 1];
        // The axes that it goes through, and the strides of the result and of its one operand, if they are special.
        let (opcode, blocks, to_strides, from_strides) = match op {
            Op::Map(function, _) => (Opcode::Map(function), self.blocks(id)?, None, None),
            Op::Zip(function, ..) => (Opcode::Zip(function), self.blocks(id)?, None, None),
            Op::Fuse(function, ..) => (Opcode::Fuse(function), self.blocks(id)?, None, None),
            Op::Reduce(function, _, Axis { outer, count, inner: 1 }) => {
                let opcode = if function == Reduce::Sum { Opcode::SumColumns } else { Opcode::MaxColumns };
                (opcode, Blocks { outer: 1, rows: outer, columns: count }, Some([outer, 1, 1]), None)
            }
            Op::Reduce(Reduce::Sum, _, Axis { outer, count, inner }) => {
                (Opcode::SumRows, Blocks { outer, rows: count, columns: inner }, Some([inner, 0, 1]), None)
            }
            Op::CumulativeSum(_, axis, is_reverse) => {
                let blocks = Blocks { outer: 1, rows: axis.outer, columns: axis.count };
                (Opcode::CumulativeSum(is_reverse), blocks, None, None)
            }
            Op::Exchange(_, Axis { outer, count, inner }) => {
                let blocks = Blocks { outer, rows: inner, columns: count };
                (Opcode::Exchange, blocks, None, Some([count * inner, 1, inner]))
            }
            Op::Batched { of, init, .. } => {
                (Opcode::Batched(of, init.is_some()), Blocks::flat(shape.columns), None, Some(flat))
            }
            Op::ConcatColumns(parts) => return self.concat_columns(id, &parts, instructions),
            Op::Linear { .. } | Op::Slice { .. } | Op::Repeat(..) => return Ok(()),
            _ => return Err(Unsupported::new(format!("an operation on the batch: {op}"))),
        };
        let mut from = Vec::new();
        for operand in op.operands() {
            let operand = self.operand(operand, blocks)?;
            from.push(from_strides.map_or(operand, |strides| operand.with_strides(strides)));
        }
        let to = match self.views.get(&id) {
            Some(&view) => self.at(view).operand(1),
            // Before registers of the operands are released: a source is never also the target.
            None => register(self.registers.allocate(id, shape.columns), shape.columns),
        };
        let to = to.with_strides(to_strides.unwrap_or(blocks.strides()));
        instructions.push(Instruction::new(opcode, blocks, to, &from));
        Ok(())
    }

    fn blocks(&self, id: NodeId) -> Result<Blocks> {
        self.graph.blocks(id).ok_or_else(|| Unsupported::new("an operation that repeats more axes than it has"))
    }

    /// Copies the parts that were not computed where they belong.
    fn concat_columns(&mut self, id: NodeId, parts: &[NodeId], instructions: &mut Vec<Instruction>) -> Result<()> {
        let view = self.view(id)?;
        let mut offset = view.offset;
        for &part in parts {
            let place = View { offset, ..view };
            if self.views.get(&part) != Some(&place) {
                instructions.push(self.copy(part, place)?);
            }
            offset += self.graph.columns(part);
        }
        Ok(())
    }

    fn row_sums(&mut self, stage: usize, instructions: &mut Vec<Instruction>) -> Result<()> {
        for &(id, accumulator) in &self.assignment.row_sums {
            if self.assignment.stage(id).unwrap_or(0) == stage {
                let columns = self.graph.columns(id);
                let blocks = Blocks::flat(columns);
                let from = self.operand(id, blocks)?;
                let to = Address::row(self.schedule.slot(Slot::Accumulator(accumulator))).operand(1);
                instructions.push(Instruction::new(Opcode::AddRows, blocks, to, &[from]));
            }
        }
        Ok(())
    }

    /// Values that another phase computed are copied in the last stage.
    fn copies(&mut self, stage: usize, instructions: &mut Vec<Instruction>) -> Result<()> {
        let last = self.assignment.stages() - 1;
        for &(id, view) in &self.assignment.copies {
            if self.assignment.stage(id).unwrap_or(last) == stage {
                instructions.push(self.copy(id, view)?);
            }
        }
        Ok(())
    }

    fn copy(&mut self, id: NodeId, view: View) -> Result<Instruction> {
        let blocks = Blocks::flat(self.graph.columns(id));
        let from = self.operand(id, blocks)?;
        Ok(Instruction::new(Opcode::Map(Unary::Copy), blocks, self.at(view).operand(1), &[from]))
    }
}

/// A register that begins there, with rows of that width.
fn register(offset: usize, width: usize) -> Operand {
    Operand { slot: None, offset, row_stride: width, block_strides: [0; 2], column_stride: 1 }
}
