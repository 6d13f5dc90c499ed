//! One cell of the stack, compiled: the part before the time loop, the loop, and both backwards.

use std::collections::{HashMap, HashSet};

pub(crate) use super::reductions::Reduction;
use super::{differentiated::Derived, reductions::Gradients};
use crate::{
    error::{Refusal, Result},
    ir::graph::{Graph, Id, Leaf, Op, Rows},
    passes::hoist::split,
    passes::merge_products::gather,
    plan::emit::view_of,
    plan::parameter_program::Location,
    plan::schedule::{Body, Buffer, Kind, Layout, View},
};

/// Steps forward and backward, and what is summed up meanwhile and afterwards.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase {
    pub(crate) forward: Body,
    pub(crate) backward: Body,
    pub(crate) reductions: Vec<Reduction>,
}

/// A product with a one-hot input is a choice of a column: `table = weightᵀ + bias`, a row for each token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) weight: Location,
    pub(crate) bias: Option<Location>,
    /// Where their gradients go, and whether they are added to what is there.
    pub(crate) weight_gradient: (Location, bool),
    pub(crate) bias_gradient: Option<(Location, bool)>,
    pub(crate) table: View,
    pub(crate) table_gradient: View,
}

/// Rows of a table that each sequence's token chooses.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lookup {
    pub(crate) table: View,
    /// Where the rows chosen at a time step go; nowhere if products begin with the table's own.
    pub(crate) to: Option<View>,
    /// The gradient of the chosen rows, and where it is summed up for each token.
    pub(crate) gradient: Option<(View, View)>,
    /// Where among its sums each chunk does that for itself.
    pub(crate) sum: Option<usize>,
    pub(crate) width: usize,
}

/// A carried vector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Carried {
    pub(crate) buffer: usize,
    /// Where its gradient is carried.
    pub(crate) gradient: usize,
    pub(crate) width: usize,
    pub(crate) start: f64,
}

/// One compiled cell.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    /// Before the time loop: over the rows of all time steps, or over all tokens.
    pub(crate) before: Phase,
    /// One time step.
    pub(crate) step: Phase,
    pub(crate) choices: Vec<Choice>,
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) carried: Vec<Carried>,
    pub(crate) output: View,
    pub(crate) outputs: usize,
    /// The buffer of the output's gradient.
    pub(crate) gradient: usize,
    /// Whether each chunk sums up gradients block by block, so that what they are made of never leaves the cache.
    pub(crate) is_summed_by_blocks: bool,
}

/// What feeds a layer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Input {
    /// Tokens, one-hot: the buffer of the identity, in case the cell uses its input for more than a product.
    OneHot(View),
    /// Tokens, through a table of vectors.
    Embedding { table: View, gradient: View },
    /// The output of the layer below.
    Below { view: View, gradient: View },
}

impl Input {
    fn view(self) -> View {
        match self {
            Self::OneHot(view) | Self::Embedding { table: view, .. } | Self::Below { view, .. } => view,
        }
    }

    fn gradient(self) -> Option<View> {
        match self {
            Self::OneHot(_) => None,
            Self::Embedding { gradient, .. } | Self::Below { gradient, .. } => Some(gradient),
        }
    }

    fn of_tokens(self) -> bool {
        !matches!(self, Self::Below { .. })
    }
}

/// Widths and first values of a cell's carried vectors.
pub(crate) struct Shape<'a> {
    /// How many rows a table has: one for each token.
    pub(crate) tokens: usize,
    pub(crate) outputs: usize,
    pub(crate) state: &'a [(usize, f64)],
}

/// The most numbers that the sums of a layer or of the head over the rows of the batch may have to be made block by block.
pub(crate) const BLOCKWISE: usize = 1 << 18;

/// Compiles a cell. Its graph has as roots the output and the next state.
#[expect(clippy::too_many_lines, reason = "each part begins where the one before has put its values")]
pub(crate) fn compile(
    (graph, roots): (&Graph, &[Id]),
    shape: &Shape<'_>,
    input: Input,
    layout: &mut Layout<'_>,
    gradients: &mut Gradients<'_>,
) -> Result<Layer> {
    let (graph, roots) = gather(graph, roots, true);
    let split = split(&graph, &roots);
    let new_buffer = |layout: &mut Layout<'_>, width, kind| {
        layout.buffers.push(Buffer { width, kind });
        layout.buffers.len() - 1
    };
    let whole = |buffer, shift| View { buffer, shift, offset: 0 };

    // The loop, differentiated.
    let mut step = Derived::new(split.step, &split.roots, |graph| {
        let mut seeds = vec![(split.roots[0], graph.leaf(Leaf::OutputGradient, Rows::Batch, shape.outputs))];
        for (index, &(width, _)) in shape.state.iter().enumerate() {
            seeds.push((split.roots[1 + index], graph.leaf(Leaf::NextGradient(index), Rows::Batch, width)));
        }
        seeds
    })?;
    // The part before it, differentiated by what the loop passes back.
    let wanted: Vec<usize> =
        (0..split.hoisted.len()).filter(|&index| step.gradient(Leaf::Hoisted(index)).is_some()).collect();
    let before = Derived::new(split.before, &split.hoisted, |graph| {
        let seed = |&index: &usize| {
            let columns = graph[split.hoisted[index]].columns;
            (split.hoisted[index], graph.leaf(Leaf::HoistedGradient(index), Rows::Batch, columns))
        };
        wanted.iter().map(seed).collect()
    })?;

    // Sums that stay in the second cache are made block by block, where their operands are still near.
    let tables: usize = wanted.iter().map(|&index| before.graph[before.roots[index]].columns).sum();
    let sums_before = if input.of_tokens() { shape.tokens * tables } else { before.numbers_of_outers() };
    let is_summed_by_blocks = step.numbers_of_outers() + sums_before <= BLOCKWISE;

    // Forward: first the hoisted values, then the loop.
    let kind = if input.of_tokens() { Kind::Table } else { Kind::Tape };
    let mut views = HashMap::new();
    before.place(Leaf::X, input.view(), &mut views);
    let choices = matches!(input, Input::OneHot(_)).then(|| choices(&before)).flatten();
    layout.fixed.tag += 1;
    let before_tag = layout.fixed.tag;
    let mut phase_before = Phase::default();
    let lasting_before = before.used_backward();
    let mut lasting = step.used_backward();
    lasting.insert(base(&step.graph, step.roots[0]));
    let is_lasting = |index: usize| step.leaf(Leaf::Hoisted(index)).is_some_and(|id| lasting.contains(&id));
    if !input.of_tokens() {
        // Products that only the loop reads are computed a block ahead of it.
        for (index, &root) in before.roots.iter().enumerate() {
            let is_product = matches!(before.graph[root].op, Op::Linear { .. });
            if is_product && !is_lasting(index) && !lasting_before.contains(&root) {
                views.insert(root, whole(new_buffer(layout, before.graph[root].columns, Kind::Block), 0));
            }
        }
    }
    if choices.is_none() {
        phase_before.forward = before.forward((kind, kind), &[], &mut views, layout)?;
    } else {
        for &root in &before.roots {
            let buffer = new_buffer(layout, before.graph[root].columns, Kind::Table);
            views.insert(root, whole(buffer, 0));
        }
    }
    let mut step_views = HashMap::new();
    let mut carried = Vec::new();
    let mut results = Vec::new();
    for (index, &(width, start)) in shape.state.iter().enumerate() {
        let buffer = new_buffer(layout, width, Kind::State);
        let gradient = new_buffer(layout, width, Kind::Carry);
        carried.push(Carried { buffer, gradient, width, start });
        step.place(Leaf::State(index), whole(buffer, 0), &mut step_views);
        results.push((step.roots[1 + index], whole(buffer, 1)));
    }
    let mut lookups = Vec::new();
    for (index, &root) in before.roots.iter().enumerate() {
        let table = view_of(&before.graph, &views, root)
            .ok_or_else(|| Refusal::new("an input product that nothing computes"))?;
        let leaf = Leaf::Hoisted(index);
        if input.of_tokens() {
            let width = before.graph[root].columns;
            let to = whole(new_buffer(layout, width, if is_lasting(index) { Kind::Tape } else { Kind::Step }), 0);
            lookups.push(Lookup { table, to: Some(to), gradient: None, sum: None, width });
            step.place(leaf, to, &mut step_views);
        } else {
            step.place(leaf, table, &mut step_views);
        }
    }
    layout.fixed.tag += 1;
    let step_tag = layout.fixed.tag;
    if view_is_missing(&step.graph, step.roots[0]) {
        let buffer = new_buffer(layout, shape.outputs, Kind::Tape);
        results.push((step.roots[0], whole(buffer, 0)));
        step_views.insert(usize::MAX, whole(buffer, 0));
    }
    let mut phase_step = Phase {
        forward: step.forward((Kind::Tape, Kind::Step), &results, &mut step_views, layout)?,
        ..Phase::default()
    };
    for Lookup { table, to, .. } in &mut lookups {
        let stride = layout.buffers[table.buffer].width;
        if let Some(copies) = to.filter(|to| layout.buffers[to.buffer].kind == Kind::Step)
            && phase_step.forward.choose(copies, *table, stride)
        {
            // Nobody writes the copies: they take no memory.
            layout.buffers[copies.buffer].width = 0;
            *to = None;
        }
    }
    let output = view_of(&step.graph, &step_views, step.roots[0])
        .or_else(|| step_views.get(&usize::MAX).copied())
        .ok_or_else(|| Refusal::new("an output that nothing computes"))?;

    // Backward: the loop, then the part before it.
    let gradient = new_buffer(layout, shape.outputs, Kind::Tape);
    step.place(Leaf::OutputGradient, whole(gradient, 0), &mut step_views);
    let mut results = Vec::new();
    for (index, state) in carried.iter().enumerate() {
        step.place(Leaf::NextGradient(index), whole(state.gradient, 1), &mut step_views);
        let passed = step.gradient(Leaf::State(index));
        let passed = passed.unwrap_or_else(|| step.graph.fill(0.0, Rows::Batch, state.width));
        results.push((passed, whole(state.gradient, 0)));
    }
    let kept: Vec<Id> = wanted.iter().filter_map(|&index| step.gradient(Leaf::Hoisted(index))).collect();
    // What is passed to the step before is overwritten two steps later, unless it is needed after the loop too.
    let lasting = step.outers.iter().flat_map(|&(a, b)| [a, b]).chain(kept.iter().copied());
    let lasting: HashSet<Id> = lasting.map(|id| base(&step.graph, id)).collect();
    for (index, state) in carried.iter().enumerate() {
        let passed = [step.gradient(Leaf::State(index)), step.leaf(Leaf::NextGradient(index))];
        if passed.into_iter().flatten().any(|id| lasting.contains(&id)) {
            layout.buffers[state.gradient].kind = Kind::State;
        }
    }
    let kind_back = if is_summed_by_blocks { Kind::Block } else { Kind::Tape };
    let (backward, sums) = step.backward((kind_back, Kind::Step), &results, &kept, &mut step_views, layout)?;
    phase_step.backward = backward;
    step.reductions((&step_views, &sums, is_summed_by_blocks), gradients, layout, &mut phase_step.reductions)?;
    debug_assert_eq!(layout.fixed.tag, step_tag);

    layout.fixed.tag = before_tag;
    for &index in &wanted {
        let from = step.gradient(Leaf::Hoisted(index)).and_then(|id| view_of(&step.graph, &step_views, id));
        let from = from.ok_or_else(|| Refusal::new("the gradient of an input product that nothing computes"))?;
        let view = if input.of_tokens() {
            let to = whole(new_buffer(layout, lookups[index].width, Kind::Table), 0);
            lookups[index].gradient = Some((from, to));
            lookups[index].sum = is_summed_by_blocks.then(|| layout.total(shape.tokens * lookups[index].width));
            to
        } else {
            from
        };
        before.place(Leaf::HoistedGradient(index), view, &mut views);
    }
    let mut chosen = Vec::new();
    if let Some(choices) = choices {
        for (index, (weight, bias)) in choices.into_iter().enumerate() {
            let place = |layout: &Layout<'_>, gradients: &mut Gradients<'_>, param: usize| {
                let add = std::mem::replace(&mut gradients.begun[param], true);
                (layout.fixed.params[param], (gradients.at[param], add))
            };
            let (weight, weight_gradient) = place(layout, gradients, weight);
            let bias = bias.map(|bias| place(layout, gradients, bias));
            let Some((_, table_gradient)) = lookups[index].gradient else { continue };
            chosen.push(Choice {
                weight,
                bias: bias.map(|(at, _)| at),
                weight_gradient,
                bias_gradient: bias.map(|(_, at)| at),
                table: lookups[index].table,
                table_gradient,
            });
        }
    } else {
        let results: Vec<(Id, View)> = match input.gradient() {
            Some(view) => {
                let mut graph_gradient = before.gradient(Leaf::X);
                if graph_gradient.is_none() {
                    graph_gradient = before.zero;
                }
                graph_gradient.map(|id| (id, view)).into_iter().collect()
            }
            None => vec![],
        };
        let (by_blocks, kind) = if input.of_tokens() { (false, kind) } else { (is_summed_by_blocks, kind_back) };
        let (backward, sums) = before.backward((kind, kind), &results, &[], &mut views, layout)?;
        phase_before.backward = backward;
        before.reductions((&views, &sums, by_blocks), gradients, layout, &mut phase_before.reductions)?;
    }
    layout.fixed.tag = step_tag;
    Ok(Layer {
        before: phase_before,
        step: phase_step,
        choices: chosen,
        lookups,
        carried,
        output,
        outputs: shape.outputs,
        gradient,
        is_summed_by_blocks,
    })
}

/// What a value is cut from.
pub(super) fn base(graph: &Graph, mut id: Id) -> Id {
    while let Op::Slice { of, .. } = graph[id].op {
        id = of;
    }
    id
}

/// Whether a value is computed nowhere: a constant, or one row for all sequences.
fn view_is_missing(graph: &Graph, id: Id) -> bool {
    match graph[id].op {
        Op::Fill(_) => true,
        Op::Slice { of, .. } => view_is_missing(graph, of),
        _ => !graph.is_batch(id),
    }
}

/// The parameters of each hoisted value, weight and bias, if all are products of the one-hot input with a parameter.
fn choices(before: &Derived) -> Option<Vec<(usize, Option<usize>)>> {
    let graph = &before.graph;
    let param = |id: Id| match graph[id].op {
        Op::Leaf(Leaf::Param(number)) => Some(number),
        _ => None,
    };
    before
        .roots
        .iter()
        .map(|&root| {
            let Op::Linear { terms, init } = &graph[root].op else { return None };
            let &[(x, weight)] = &terms[..] else { return None };
            let Op::Leaf(Leaf::X) = graph[x].op else { return None };
            let Op::Transpose(weight) = graph[weight].op else { return None };
            let bias = match init {
                Some(init) => Some(param(*init)?),
                None => None,
            };
            Some((param(weight)?, bias))
        })
        .collect()
}
