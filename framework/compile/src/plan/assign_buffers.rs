//! The pass `assign-buffers`: where every batch value of a cell lies, and what the phases compute.

use std::collections::HashSet;

use hatchery_plugin::{Declaration, Start, StateSpec};

use crate::{
    error::{Result, Unsupported},
    id::{BufferId, NodeId, ParamId},
    ir::{
        graph::Graph,
        module::Module,
        op::{Leaf, Op},
    },
    plan::{
        assign_phase::{Assignment, PhaseValues, Views, assign, view_of},
        builder::PlanBuilder,
        layer::{Gather, GatherGradient, InitialState, Input, StateBuffers},
        noise::{self, NoiseMemory},
        phases::{Phases, base},
        schedule::{BufferKind, View},
    },
};

/// The most elements that the gradients of a layer or of the head may have to be summed time block by time block: a shard's
/// sums should stay in L2.
pub(crate) const MAX_BLOCK_ACCUMULATORS: usize = 1 << 18;

/// The surroundings of a cell.
pub(crate) struct CellContext<'a> {
    /// The rows of a table: one for each token, and one for none.
    pub(crate) tokens: usize,
    /// What the cell declares.
    pub(crate) declared: &'a Declaration,
    /// The first of its parameters.
    pub(crate) first_param: usize,
    /// The vectors of its state that are added to what is minimized, each with its weight.
    pub(crate) penalties: &'a [(String, f64)],
    pub(crate) input: Input,
}

/// One graph's values.
#[derive(Clone, Debug, Default)]
pub(crate) struct GraphBuffers {
    pub(crate) views: Views,
    pub(crate) forward: Assignment,
    pub(crate) backward: Assignment,
}

/// A product with a one-hot input, as a table of rows.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OneHotProduct {
    pub(crate) weight: ParamId,
    pub(crate) bias: Option<ParamId>,
}

/// What the pass returns.
pub(crate) struct CellBuffers {
    pub(crate) hoisted: GraphBuffers,
    pub(crate) step: GraphBuffers,
    /// For a one-hot input that is only multiplied: each gather's product.
    pub(crate) one_hot: Option<Vec<OneHotProduct>>,
    pub(crate) gathers: Vec<Gather>,
    pub(crate) states: Vec<StateBuffers>,
    pub(crate) noise: Vec<NoiseMemory>,
    pub(crate) output: View,
    pub(crate) output_width: usize,
    pub(crate) output_gradient: BufferId,
    pub(crate) accumulates_by_block: bool,
}

/// Assigns buffers.
///
/// # Errors
/// When the cell needs a value that its graphs do not compute.
pub(crate) fn assign_buffers(
    module: &Module,
    context: &CellContext<'_>,
    plan: &mut PlanBuilder,
) -> Result<CellBuffers> {
    let mut assigner = Assigner::new(module, context, plan);
    assigner.hoisted_forward();
    assigner.states();
    assigner.noise();
    assigner.gathers()?;
    let output = assigner.step_forward()?;
    let output_gradient = assigner.step_backward();
    assigner.gather_gradients()?;
    assigner.hoisted_backward();
    let Assigner { hoisted, step, one_hot, gathers, states, noise, accumulates_by_block, .. } = assigner;
    let output_width = context.declared.outputs;
    Ok(CellBuffers {
        hoisted,
        step,
        one_hot,
        gathers,
        states,
        noise,
        output,
        output_width,
        output_gradient,
        accumulates_by_block,
    })
}

struct Assigner<'a> {
    context: &'a CellContext<'a>,
    plan: &'a mut PlanBuilder,
    hoisted_phases: Phases<'a>,
    step_phases: Phases<'a>,
    /// The hoisted values whose gradient the time step computes.
    wanted: Vec<usize>,
    hoisted: GraphBuffers,
    step: GraphBuffers,
    one_hot: Option<Vec<OneHotProduct>>,
    gathers: Vec<Gather>,
    states: Vec<StateBuffers>,
    noise: Vec<NoiseMemory>,
    accumulates_by_block: bool,
}

impl<'a> Assigner<'a> {
    fn new(module: &'a Module, context: &'a CellContext<'a>, plan: &'a mut PlanBuilder) -> Self {
        let (hoisted_phases, step_phases) = (Phases::new(&module.hoisted), Phases::new(&module.step));
        let is_wanted = |index: &usize| module.step.gradient(Leaf::Hoisted(*index)).is_some();
        let wanted: Vec<usize> = (0..hoisted_phases.outputs.len()).filter(is_wanted).collect();
        let table_columns: usize =
            wanted.iter().map(|&index| module.hoisted.columns(hoisted_phases.outputs[index])).sum();
        let hoisted_entries =
            if context.input.is_tokens() { context.tokens * table_columns } else { hoisted_phases.outer_entries() };
        // A table is filled where its gradient is planned.
        let is_one_hot = matches!(context.input, Input::OneHot(_)) && wanted.len() == hoisted_phases.outputs.len();
        Self {
            accumulates_by_block: step_phases.outer_entries() + hoisted_entries <= MAX_BLOCK_ACCUMULATORS,
            one_hot: is_one_hot.then(|| one_hot_products(&hoisted_phases)).flatten(),
            context,
            plan,
            hoisted_phases,
            step_phases,
            wanted,
            hoisted: GraphBuffers::default(),
            step: GraphBuffers::default(),
            gathers: Vec::new(),
            states: Vec::new(),
            noise: Vec::new(),
        }
    }

    /// The kind of buffer for hoisted values.
    fn hoisted_kind(&self) -> BufferKind {
        if self.context.input.is_tokens() { BufferKind::Table } else { BufferKind::Tape }
    }

    /// The kind of buffer for gradients that are read after the backward pass of a time step.
    fn gradient_kind(&self) -> BufferKind {
        if self.accumulates_by_block { BufferKind::Block } else { BufferKind::Tape }
    }

    /// Whether a hoisted value is read after the forward pass of the time step.
    fn outlasts_step(&self, index: usize) -> bool {
        let graph = self.step_phases.graph;
        let mut lasting = self.step_phases.read_backward();
        lasting.insert(base(graph, self.step_phases.outputs[0]));
        graph.leaf_node(Leaf::Hoisted(index)).is_some_and(|id| lasting.contains(&id))
    }

    fn hoisted_forward(&mut self) {
        let graph = self.hoisted_phases.graph;
        place_leaf(graph, Leaf::Input, self.context.input.view(), &mut self.hoisted.views);
        let outputs = self.hoisted_phases.outputs.clone();
        if !self.context.input.is_tokens() {
            // Products that only the loop reads are computed a time block ahead of it.
            let read_backward = self.hoisted_phases.read_backward();
            for (index, &output) in outputs.iter().enumerate() {
                let is_product = matches!(graph[output].op, Op::Linear { .. });
                if is_product && !self.outlasts_step(index) && !read_backward.contains(&output) {
                    self.hoisted.views.insert(output, self.plan.view(graph.columns(output), BufferKind::Block));
                }
            }
        }
        if self.one_hot.is_some() {
            for &output in &outputs {
                self.hoisted.views.insert(output, self.plan.view(graph.columns(output), BufferKind::Table));
            }
            return;
        }
        let values = PhaseValues {
            graph,
            compute: &self.hoisted_phases.forward,
            kept: &self.hoisted_phases.kept_forward(),
            kinds: (self.hoisted_kind(), self.hoisted_kind()),
            results: &[],
            row_sums: &[],
        };
        self.hoisted.forward = assign(&values, &mut self.hoisted.views, self.plan);
    }

    fn states(&mut self) {
        let context = self.context;
        for (index, spec) in context.declared.state.iter().enumerate() {
            let width = spec.width;
            let value = self.plan.buffer(width, BufferKind::State);
            let gradient = self.plan.buffer(width, BufferKind::Carry);
            let start = self.start(spec);
            let penalty =
                context.penalties.iter().find(|(name, _)| spec.name == *name).map_or(0.0, |(_, weight)| *weight);
            self.states.push(StateBuffers { value, gradient, width, start, penalty });
            place_leaf(self.step_phases.graph, Leaf::State(index), View::whole(value), &mut self.step.views);
        }
    }

    fn start(&mut self, StateSpec { width, start, .. }: &StateSpec) -> InitialState {
        match start {
            Start::Constant(value) => InitialState::Constant(*value),
            Start::Param(name) => {
                let params = &self.context.declared.params;
                let number = params.iter().position(|spec| spec.name == *name).unwrap_or_default();
                let param = ParamId::new(self.context.first_param + number);
                let at = self.plan.params[param.index()];
                InitialState::Param { param, at, accumulator: self.plan.accumulators.allocate_step(*width) }
            }
        }
    }

    fn noise(&mut self) {
        self.noise = noise::allocate(self.context.declared, self.plan);
        for (leaf, view) in noise::views(&self.noise) {
            place_leaf(self.step_phases.graph, leaf, view, &mut self.step.views);
        }
    }

    /// Where the time step reads hoisted values: of tokens, rows gathered from a table.
    fn gathers(&mut self) -> Result<()> {
        let graph = self.hoisted_phases.graph;
        for (index, &output) in self.hoisted_phases.outputs.iter().enumerate() {
            let table = view_of(graph, &self.hoisted.views, output)
                .ok_or_else(|| Unsupported::new("an input product that nothing computes"))?;
            let mut view = table;
            if self.context.input.is_tokens() {
                let width = graph.columns(output);
                let kind = if self.outlasts_step(index) { BufferKind::Tape } else { BufferKind::Step };
                view = self.plan.view(width, kind);
                self.gathers.push(Gather { table, to: Some(view), gradient: None, width });
            }
            place_leaf(self.step_phases.graph, Leaf::Hoisted(index), view, &mut self.step.views);
        }
        Ok(())
    }

    /// Returns where the output lies.
    fn step_forward(&mut self) -> Result<View> {
        let graph = self.step_phases.graph;
        let output = self.step_phases.outputs[0];
        let states = self.states.iter().enumerate();
        let mut results: Vec<(NodeId, View)> =
            states.map(|(index, state)| (self.step_phases.outputs[1 + index], View::next(state.value))).collect();
        // An output that is computed nowhere is a constant, and copied.
        let constant =
            is_constant(graph, output).then(|| self.plan.view(self.context.declared.outputs, BufferKind::Tape));
        results.extend(constant.map(|view| (output, view)));
        let values = PhaseValues {
            graph,
            compute: &self.step_phases.forward,
            kept: &self.step_phases.kept_forward(),
            kinds: (BufferKind::Tape, BufferKind::Step),
            results: &results,
            row_sums: &[],
        };
        self.step.forward = assign(&values, &mut self.step.views, self.plan);
        let view = view_of(graph, &self.step.views, output).or(constant);
        view.ok_or_else(|| Unsupported::new("an output that nothing computes"))
    }

    /// Returns the buffer of the output's gradient.
    fn step_backward(&mut self) -> BufferId {
        let graph = self.step_phases.graph;
        let output_gradient = self.plan.buffer(self.context.declared.outputs, BufferKind::Tape);
        place_leaf(graph, Leaf::OutputGradient, View::whole(output_gradient), &mut self.step.views);
        let mut results = Vec::new();
        for (index, state) in self.states.iter().enumerate() {
            let next = View::next(state.gradient);
            place_leaf(graph, Leaf::NextStateGradient(index), next, &mut self.step.views);
            results.extend(graph.gradient(Leaf::State(index)).map(|id| (id, View::whole(state.gradient))));
        }
        let hoisted_gradient = |&index: &usize| graph.gradient(Leaf::Hoisted(index));
        let kept: Vec<NodeId> = self.wanted.iter().filter_map(hoisted_gradient).collect();
        self.keep_state_gradients(&kept);
        let values = PhaseValues {
            graph,
            compute: &self.step_phases.backward,
            kept: &self.step_phases.kept_backward(&kept),
            kinds: (self.gradient_kind(), BufferKind::Step),
            results: &results,
            row_sums: &self.step_phases.row_sums,
        };
        self.step.backward = assign(&values, &mut self.step.views, self.plan);
        output_gradient
    }

    /// The gradient that is passed to the time step before is overwritten two steps later, unless it is read after the loop.
    fn keep_state_gradients(&mut self, kept: &[NodeId]) {
        let graph = self.step_phases.graph;
        let operands = self.step_phases.outer_operands().chain(kept.iter().copied());
        let lasting: HashSet<NodeId> = operands.map(|id| base(graph, id)).collect();
        for (index, state) in self.states.iter().enumerate() {
            let passed = [graph.gradient(Leaf::State(index)), graph.leaf_node(Leaf::NextStateGradient(index))];
            if passed.into_iter().flatten().any(|id| lasting.contains(&id)) {
                self.plan.buffers[state.gradient.index()].kind = BufferKind::State;
            }
        }
    }

    /// Where the graph before the loop reads the gradients of hoisted values: of tokens, a table to which rows are added.
    fn gather_gradients(&mut self) -> Result<()> {
        for &index in &self.wanted {
            let graph = self.step_phases.graph;
            let gradient = graph.gradient(Leaf::Hoisted(index));
            let from = gradient.and_then(|id| view_of(graph, &self.step.views, id));
            let from =
                from.ok_or_else(|| Unsupported::new("the gradient of an input product that nothing computes"))?;
            let mut view = from;
            if self.context.input.is_tokens() {
                let gather = &mut self.gathers[index];
                view = self.plan.view(gather.width, BufferKind::Table);
                let entries = self.context.tokens * gather.width;
                let accumulator = self.accumulates_by_block.then(|| self.plan.accumulators.allocate_block(entries));
                gather.gradient = Some(GatherGradient { from, to: view, accumulator });
            }
            let leaf = Leaf::HoistedGradient(index);
            place_leaf(self.hoisted_phases.graph, leaf, view, &mut self.hoisted.views);
        }
        Ok(())
    }

    fn hoisted_backward(&mut self) {
        if self.one_hot.is_some() {
            return;
        }
        let graph = self.hoisted_phases.graph;
        let gradient = graph.gradient(Leaf::Input).zip(self.context.input.gradient());
        let kind = if self.context.input.is_tokens() { self.hoisted_kind() } else { self.gradient_kind() };
        let values = PhaseValues {
            graph,
            compute: &self.hoisted_phases.backward,
            kept: &self.hoisted_phases.kept_backward(&[]),
            kinds: (kind, kind),
            results: gradient.as_slice(),
            row_sums: &self.hoisted_phases.row_sums,
        };
        self.hoisted.backward = assign(&values, &mut self.hoisted.views, self.plan);
    }
}

/// Sets where a leaf lies, if the graph reads it.
fn place_leaf(graph: &Graph, leaf: Leaf, view: View, views: &mut Views) {
    if let Some(id) = graph.leaf_node(leaf) {
        views.insert(id, view);
    }
}

/// Whether a value is computed nowhere: a constant, or one row for all sequences.
fn is_constant(graph: &Graph, id: NodeId) -> bool {
    match graph[id].op {
        Op::Fill(_) => true,
        Op::Slice { of, .. } => is_constant(graph, of),
        _ => !graph.is_batch(id),
    }
}

/// The parameters of each hoisted value, if all are products of the one-hot input with a parameter.
fn one_hot_products(phases: &Phases<'_>) -> Option<Vec<OneHotProduct>> {
    let graph = phases.graph;
    let param = |id: NodeId| match graph[id].op {
        Op::Leaf(Leaf::Param(param)) => Some(param),
        _ => None,
    };
    let product = |&output: &NodeId| {
        let Op::Linear { terms, init } = &graph[output].op else { return None };
        let &[(x, weight)] = &terms[..] else { return None };
        let Op::Leaf(Leaf::Input) = graph[x].op else { return None };
        let Op::Transpose(weight) = graph[weight].op else { return None };
        let bias = match init {
            Some(init) => Some(param(*init)?),
            None => None,
        };
        Some(OneHotProduct { weight: param(weight)?, bias })
    };
    phases.outputs.iter().map(product).collect()
}
