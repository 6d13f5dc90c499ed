//! What compiling gives: the program of a whole model, with a place for every number.

use hatchery_plugin::{
    Name, PluginError,
    burn::tensor::DType,
    capture::{RecordedGraph, capture, capture_cell},
};

use super::gradient_jobs::{Job, jobs};
use crate::{
    error::{Refusal, Result},
    ir::graph::Leaf,
    ir::lower::lower,
    model::Description,
    passes::fuse::fuse,
    plan::layer::{self, BLOCKWISE, Input, Layer},
    plan::parameter_program::{Fixed, FixedStep, Location},
    plan::reductions::Gradients,
    plan::schedule::{Buffer, Kind, Layout, View, Weight},
};

/// What compiling gives: all that does not change afterwards.
pub(crate) struct ExecutionPlan {
    pub(crate) vocabulary: usize,
    pub(crate) dropout: f64,
    pub(crate) params: Vec<(String, Location)>,
    pub(crate) gradients: Vec<Location>,
    pub(crate) clipped: Vec<Location>,
    pub(crate) layers: Vec<(String, Layer, Vec<String>)>,
    /// The mask and the masked output of a layer, if it drops out.
    pub(crate) masks: Vec<Option<(usize, usize)>>,
    pub(crate) head: Head,
    pub(crate) input: Option<(Input, Option<usize>)>,
    pub(crate) buffers: Vec<Buffer>,
    pub(crate) weights: Vec<(Weight, usize)>,
    pub(crate) fixed: Fixed,
    pub(crate) prologue: Vec<FixedStep>,
    pub(crate) epilogue: Vec<FixedStep>,
    pub(crate) clip: Vec<FixedStep>,
    /// How many numbers each chunk sums up: some step by step, behind them some block by block.
    pub(crate) sums: usize,
    pub(crate) totals: usize,
    pub(crate) jobs: Vec<Job>,
    pub(crate) scratch: usize,
    /// Numbers that one row of a batch multiplies and adds in a time step.
    pub(crate) work: usize,
}

/// The last product: logits.
pub(crate) struct Head {
    pub(crate) forward: usize,
    pub(crate) backward: usize,
    pub(crate) bias: usize,
    pub(crate) logits: usize,
    pub(crate) from: View,
    /// Where the gradient of that goes.
    pub(crate) gradient: View,
    pub(crate) width: usize,
    pub(crate) params: [usize; 2],
    /// Where among what it sums up block by block each chunk has the gradients of both.
    pub(crate) sums: Option<[usize; 2]>,
}

impl From<PluginError> for Refusal {
    fn from(error: PluginError) -> Self {
        Self::new(error.message)
    }
}

impl ExecutionPlan {
    /// Compiles a model.
    #[expect(clippy::too_many_lines, reason = "it says in one place what lies where, layer by layer")]
    pub(crate) fn new(description: &Description<'_>, dtype: DType, panel: usize) -> Result<Self> {
        let vocabulary = description.vocabulary;
        let mut fixed = Fixed::default();
        let mut shapes: Vec<(String, [usize; 2])> = Vec::new();
        if let Some(width) = description.embedding {
            shapes.push(("embedding".into(), [vocabulary, width]));
        }
        let mut widths = vec![description.embedding.unwrap_or(vocabulary)];
        for (cell, prefix) in &description.layers {
            for spec in cell.params(widths[widths.len() - 1])? {
                shapes.push((format!("{prefix}{}", spec.name), spec.shape));
            }
            widths.push(cell.outputs());
        }
        let outputs = widths[widths.len() - 1];
        shapes.push(("head.wya".into(), [vocabulary, outputs]));
        shapes.push(("head.by".into(), [1, vocabulary]));
        let places = |fixed: &mut Fixed| -> Vec<Location> {
            shapes.iter().map(|(_, [rows, columns])| fixed.allocate(*rows, *columns)).collect()
        };
        fixed.params = places(&mut fixed);
        let gradients = places(&mut fixed);
        let mut begun = vec![false; shapes.len()];

        let mut buffers = Vec::new();
        let mut weights = Vec::new();
        let (mut sums, mut totals, mut epilogue) = (0, 0, Vec::new());
        let buffer = |buffers: &mut Vec<Buffer>, width, kind| {
            buffers.push(Buffer { width, kind });
            View { buffer: buffers.len() - 1, shift: 0, offset: 0 }
        };
        let mut input = match description.embedding {
            Some(width) => Input::Embedding {
                table: buffer(&mut buffers, width, Kind::Table),
                gradient: buffer(&mut buffers, width, Kind::Table),
            },
            None => Input::OneHot(buffer(&mut buffers, vocabulary, Kind::Table)),
        };
        let first_input = (!description.layers.is_empty()).then_some((input, description.embedding.map(|_| 0)));
        let mut next_param = usize::from(description.embedding.is_some());
        let mut layers: Vec<(String, Layer, Vec<String>)> = Vec::new();
        let mut masks = Vec::new();
        for (index, (cell, prefix)) in description.layers.iter().enumerate() {
            let inputs = widths[index];
            let state: Vec<(usize, f64)> = cell.state().iter().map(|spec| (spec.width, spec.start)).collect();
            let names = cell.state().iter().map(|spec| spec.name.to_string()).collect();
            let params = cell.params(inputs)?;
            let batch = unlike(
                params
                    .iter()
                    .flat_map(|spec| spec.shape)
                    .chain([inputs, cell.outputs()])
                    .chain(state.iter().map(|s| s.0)),
            );
            let step = capture_cell(*cell, inputs, batch, dtype)?;
            let mut leaves = vec![(Leaf::X, [batch, inputs])];
            leaves
                .extend(params.iter().enumerate().map(|(number, spec)| (Leaf::Param(next_param + number), spec.shape)));
            leaves.extend(state.iter().enumerate().map(|(number, &(width, _))| (Leaf::State(number), [batch, width])));
            next_param += params.len();
            let outputs: Vec<_> = std::iter::once(step.output).chain(step.next.iter().map(|(_, id)| *id)).collect();
            let (graph, roots) = lower(&step.graph, &step.constants, &leaves, &outputs, Some(batch))?;
            let shape = layer::Shape { tokens: vocabulary + 1, outputs: cell.outputs(), state: &state };
            let mut layout = Layout {
                buffers: &mut buffers,
                weights: &mut weights,
                fixed: &mut fixed,
                sums: &mut sums,
                totals: &mut totals,
                epilogue: &mut epilogue,
            };
            let mut into = Gradients { at: &gradients, begun: &mut begun };
            let layer = layer::compile((&graph, &roots), &shape, input, &mut layout, &mut into)?;
            let is_last = index + 1 == description.layers.len();
            let drops = description.dropout > 0.0 && (description.dropout_last || !is_last);
            let mask = drops.then(|| {
                let mask = buffer(&mut buffers, cell.outputs(), Kind::Tape).buffer;
                (mask, buffer(&mut buffers, cell.outputs(), Kind::Tape).buffer)
            });
            let view = mask.map_or(layer.output, |(_, buffer)| View { buffer, shift: 0, offset: 0 });
            input = Input::Below { view, gradient: View { buffer: layer.gradient, shift: 0, offset: 0 } };
            masks.push(mask);
            layers.push((prefix.clone(), layer, names));
        }
        let Input::Below { view: from, gradient } = input else { return Err(Refusal::new("a model without a cell")) };
        let [wya, by] = [shapes.len() - 2, shapes.len() - 1];
        weights.push(Weight { at: fixed.params[wya].transposed() });
        weights.push(Weight { at: fixed.params[wya] });
        let is_summed_by_blocks = vocabulary * outputs <= BLOCKWISE;
        let kind = if is_summed_by_blocks { Kind::Block } else { Kind::Tape };
        let head = Head {
            forward: weights.len() - 2,
            backward: weights.len() - 1,
            bias: fixed.params[by].offset,
            logits: buffer(&mut buffers, vocabulary, kind).buffer,
            from,
            gradient,
            width: outputs,
            params: [wya, by],
            sums: is_summed_by_blocks
                .then(|| [vocabulary * outputs, vocabulary].map(|count| Layout::take(&mut totals, count))),
        };
        begun[wya] = true;
        begun[by] = true;
        if description.embedding.is_some() {
            begun[0] = true;
        }
        // A parameter that nothing depends on has a gradient of zero.
        for (index, _) in begun.iter().enumerate().filter(|(_, begun)| !**begun) {
            epilogue.push(FixedStep::Fill { to: gradients[index], value: 0.0 });
        }
        let prologue = std::mem::take(&mut fixed.steps);
        let clipped = if description.clippers.is_empty() {
            gradients.clone()
        } else {
            clippers(description, &shapes, dtype, &gradients, &mut fixed)
                .map_err(|refusal| Refusal::new(format!("in the clippers, {refusal}")))?
        };
        let clip = std::mem::take(&mut fixed.steps);
        let weights: Vec<(Weight, usize)> = weights
            .into_iter()
            .map(|weight: Weight| {
                let columns = weight.at.columns.next_multiple_of(panel);
                (weight, fixed.allocate(weight.at.rows, columns).offset)
            })
            .collect();
        let bodies = layers.iter().flat_map(|(_, layer, _)| {
            [&layer.before.forward, &layer.before.backward, &layer.step.forward, &layer.step.backward]
        });
        let scratch = bodies.map(|body| body.scratch).max().unwrap_or(0);
        let work = weights.iter().map(|(weight, _)| weight.at.rows * weight.at.columns).sum();
        let params = shapes.into_iter().zip(&fixed.params).map(|((name, _), &at)| (name, at)).collect();
        let jobs = jobs(&layers, &head, &gradients);
        Ok(Self {
            jobs,
            vocabulary,
            dropout: description.dropout,
            params,
            gradients,
            clipped,
            layers,
            masks,
            head,
            input: first_input,
            buffers,
            weights,
            fixed,
            prologue,
            epilogue,
            clip,
            sums,
            totals,
            scratch,
            work,
        })
    }
}

/// A prime number of sequences that no width of a cell, nor a part or a multiple of it, is likely to be taken for.
fn unlike(widths: impl Iterator<Item = usize>) -> usize {
    let widths: Vec<usize> = widths.collect();
    let is_prime = |number: &usize| (2..*number).take_while(|d| d * d <= *number).all(|d| !number.is_multiple_of(d));
    let fits = |prime: &usize| widths.iter().all(|width| !width.is_multiple_of(*prime));
    (1009..100_000).filter(is_prime).find(fits).unwrap_or(1009)
}

/// Compiles the chain of clippers. Returns where the clipped gradients lie.
fn clippers(
    description: &Description<'_>,
    shapes: &[(String, [usize; 2])],
    dtype: DType,
    gradients: &[Location],
    fixed: &mut Fixed,
) -> Result<Vec<Location>> {
    let inputs: Vec<(Name, [usize; 2])> = shapes.iter().map(|(name, shape)| (name.clone().into(), *shape)).collect();
    let captured: RecordedGraph = capture(&inputs, dtype, |tensors| {
        let names = inputs.iter().map(|(name, _)| name.clone());
        let gradients = names.zip(tensors).collect();
        let clipped = description.clippers.iter().try_fold(gradients, |gradients, clipper| clipper.clip(gradients))?;
        Ok(inputs.iter().map(|(name, _)| (name.clone(), clipped.get(name))).collect())
    })?;
    let leaves: Vec<_> = inputs.iter().enumerate().map(|(number, (_, shape))| (Leaf::Param(number), *shape)).collect();
    let outputs: Vec<_> = captured.outputs.iter().map(|(_, id)| *id).collect();
    let (graph, roots) = lower(&captured.graph, &captured.constants, &leaves, &outputs, None)?;
    let (graph, roots) = fuse(&graph, &roots);
    let params = std::mem::replace(&mut fixed.params, gradients.to_vec());
    fixed.tag += 1;
    let clipped = roots.iter().map(|&root| fixed.matrix(&graph, root)).collect();
    fixed.params = params;
    clipped
}
