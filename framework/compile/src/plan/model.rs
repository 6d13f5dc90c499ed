//! The execution plan of a whole model: schedules, buffers, parameter programs and accumulators.

use hatchery_plugin::{Declaration, burn::tensor::DType};

use crate::{
    driver::{Observer, compile_cell},
    error::{Result, Unsupported},
    id::{BufferId, ParamId},
    ir::lower::record::{CellSource, lower_clippers},
    ir::verify::verify,
    model::{self, Description, LayerDescription},
    passes::fuse::fuse,
    plan::{
        assign_buffers::CellContext,
        builder::{Accumulators, PlanBuilder},
        gradient_jobs::{GradientJob, jobs},
        head::Head,
        layer::{Input, Layer},
        parameter_program::{ParameterOp, ParameterPlanner, ParameterProgram},
        parameters::{Location, ParameterMemory},
        schedule::{Buffer, BufferKind, View, Weight},
    },
};

/// What compiling returns: everything that does not change afterwards.
pub(crate) struct ExecutionPlan {
    pub(crate) vocabulary: usize,
    pub(crate) params: Vec<(String, Location)>,
    pub(crate) gradients: Vec<Location>,
    /// The gradients after the clippers.
    pub(crate) clipped: Vec<Location>,
    pub(crate) layers: Vec<Layer>,
    /// The dropout of each layer, if it has one.
    pub(crate) dropouts: Vec<Option<Dropout>>,
    pub(crate) head: Head,
    pub(crate) input: Input,
    /// Whether the gradient of the embedding as input is added to that of the head, which has the same matrix.
    pub(crate) adds_embedding: bool,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) weights: Vec<Weight>,
    /// The offset of each weight's packed copy in parameter memory.
    pub(crate) packed: Vec<usize>,
    pub(crate) memory: ParameterMemory,
    /// Runs before a batch, if parameters have changed.
    pub(crate) prologue: ParameterProgram,
    /// Runs after the sums over the batch.
    pub(crate) epilogue: ParameterProgram,
    /// The clippers.
    pub(crate) clip: ParameterProgram,
    pub(crate) accumulators: Accumulators,
    pub(crate) jobs: Vec<GradientJob>,
    /// The elements of scratch memory that fused kernels need.
    pub(crate) scratch: usize,
    /// The entries of all weights: multiplications of one row of a batch in a time step.
    pub(crate) work: usize,
}

/// The buffers of a layer's dropout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dropout {
    /// The probability with which training sets an output to zero.
    pub(crate) probability: f64,
    pub(crate) mask: BufferId,
    /// The output times the mask.
    pub(crate) masked: BufferId,
}

impl ExecutionPlan {
    /// Compiles a model. `panel` is the width of a panel of packed weights.
    ///
    /// # Errors
    /// When a cell or a clipper cannot be recorded, or uses an operation that is not compiled.
    pub(crate) fn new(
        description: &Description<'_>,
        dtype: DType,
        panel: usize,
        observe: Observer<'_>,
    ) -> Result<Self> {
        let declared = declarations(description)?;
        let shapes = parameter_shapes(description, &declared);
        let mut plan = PlanBuilder::new(&shapes);
        let input = first_input(description, &mut plan);
        let (layers, dropouts, output) = layers((description, &declared), dtype, input, &mut plan, observe)?;
        let Some(width) = layers.last().map(|layer| layer.output_width) else {
            return Err(Unsupported::new("a model without a cell"));
        };
        let (embedding, from_end) = (ParamId::new(0), |count: usize| ParamId::new(shapes.len() - count));
        let head = match description.head {
            model::Head::Linear => Head::product(output, width, [from_end(2), from_end(1)], &mut plan),
            model::Head::Tied => Head::product(output, width, [embedding, from_end(1)], &mut plan),
            model::Head::LastLayer => Head::last_layer(output, width),
        };
        let adds_embedding = description.embedding.is_some() && plan.gradients.contribute(embedding).1;
        // A parameter that nothing depends on has a gradient of zero.
        let zeros = plan.gradients.unwritten().map(|to| ParameterOp::Fill { to, value: 0.0 });
        plan.epilogue.extend(zeros.collect::<Vec<_>>());
        let (clip, clipped) = clippers(description, &shapes, dtype, &mut plan)?;
        let jobs = jobs(&layers, &head, &plan.gradients);
        let scratch = layers.iter().flat_map(Layer::schedules).map(|schedule| schedule.scratch).max().unwrap_or(0);
        let work = plan.weights.iter().map(|weight| weight.at.len()).sum();
        let packed = plan.allocate_packed(panel);
        let names = shapes.into_iter().map(|(name, _)| name);
        Ok(Self {
            vocabulary: description.vocabulary,
            params: names.zip(plan.params.iter().copied()).collect(),
            gradients: plan.gradients.into_locations(),
            clipped,
            layers,
            dropouts,
            head,
            input,
            adds_embedding,
            buffers: plan.buffers,
            weights: plan.weights,
            packed,
            memory: plan.memory,
            prologue: plan.prologue,
            epilogue: plan.epilogue,
            clip,
            accumulators: plan.accumulators,
            jobs,
            scratch,
            work,
        })
    }
}

/// What the cells declare.
fn declarations(description: &Description<'_>) -> Result<Vec<Declaration>> {
    let mut inputs = description.embedding.unwrap_or(description.vocabulary);
    let mut all = Vec::new();
    for layer in &description.layers {
        let declared = layer.cell.declare(inputs)?;
        inputs = declared.outputs;
        all.push(declared);
    }
    Ok(all)
}

/// Names and shapes of all parameters: the embedding, if there is one, those of the cells, the head's.
fn parameter_shapes(description: &Description<'_>, declared: &[Declaration]) -> Vec<(String, [usize; 2])> {
    let vocabulary = description.vocabulary;
    let embedding = description.embedding.map(|width| ("embedding".to_owned(), [vocabulary, width]));
    let mut shapes: Vec<(String, [usize; 2])> = embedding.into_iter().collect();
    for (layer, declared) in description.layers.iter().zip(declared) {
        let prefix = &layer.prefix;
        shapes.extend(declared.params.iter().map(|spec| (format!("{prefix}{}", spec.name), spec.shape)));
    }
    let outputs = declared.last().map_or(0, |declared| declared.outputs);
    if description.head == model::Head::Linear {
        shapes.push(("head.wya".into(), [vocabulary, outputs]));
    }
    if description.head != model::Head::LastLayer {
        shapes.push(("head.by".into(), [1, vocabulary]));
    }
    shapes
}

fn first_input(description: &Description<'_>, plan: &mut PlanBuilder) -> Input {
    match description.embedding {
        Some(width) => Input::Embedding {
            table: plan.view(width, BufferKind::Table),
            gradient: plan.view(width, BufferKind::Table),
        },
        None => Input::OneHot(plan.view(description.vocabulary, BufferKind::Table)),
    }
}

/// The layers with their dropouts, and the last output with its gradient.
type Layers = (Vec<Layer>, Vec<Option<Dropout>>, (View, View));

fn layers(
    (description, declared): (&Description<'_>, &[Declaration]),
    dtype: DType,
    mut input: Input,
    plan: &mut PlanBuilder,
    observe: Observer<'_>,
) -> Result<Layers> {
    let mut layers: Vec<Layer> = Vec::new();
    let mut dropouts = Vec::new();
    let mut first_param = usize::from(description.embedding.is_some());
    let mut inputs = description.embedding.unwrap_or(description.vocabulary);
    for (LayerDescription { cell, prefix, dropout, penalties }, declared) in description.layers.iter().zip(declared) {
        let source = CellSource { cell: *cell, inputs, first_param, dtype };
        let tokens = description.vocabulary + 1;
        let context = CellContext { tokens, declared, first_param, penalties, input };
        let layer = compile_cell((&source, prefix), &context, plan, observe)?;
        let dropout = (*dropout > 0.0).then(|| Dropout {
            probability: *dropout,
            mask: plan.buffer(declared.outputs, BufferKind::Tape),
            masked: plan.buffer(declared.outputs, BufferKind::Tape),
        });
        let view = dropout.map_or(layer.output, |dropout| View::whole(dropout.masked));
        input = Input::Below { view, gradient: View::whole(layer.output_gradient) };
        first_param += declared.params.len();
        inputs = declared.outputs;
        dropouts.push(dropout);
        layers.push(layer);
    }
    let Input::Below { view, gradient } = input else { return Err(Unsupported::new("a model without a cell")) };
    Ok((layers, dropouts, (view, gradient)))
}

/// The program of the clippers, and where the clipped gradients lie.
fn clippers(
    description: &Description<'_>,
    shapes: &[(String, [usize; 2])],
    dtype: DType,
    plan: &mut PlanBuilder,
) -> Result<(ParameterProgram, Vec<Location>)> {
    let gradients = plan.gradients.clone().into_locations();
    if description.clippers.is_empty() {
        return Ok((ParameterProgram::new(), gradients));
    }
    let compile = |memory: &mut ParameterMemory| {
        let graph = fuse(&lower_clippers(&description.clippers, shapes, dtype)?);
        verify(&graph).map_err(Unsupported::new)?;
        let mut planner = ParameterPlanner::new(&graph, &gradients);
        let clipped: Result<Vec<_>> = graph.output_nodes().into_iter().map(|id| planner.matrix(memory, id)).collect();
        Ok((planner.finish().0, clipped?))
    };
    compile(&mut plan.memory).map_err(|refusal: Unsupported| Unsupported::new(format!("in the clippers, {refusal}")))
}
