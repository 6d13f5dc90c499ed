//! A compiled model with its numbers: trains, evaluates, generates.
//!
//! A training step: weights are packed; the rows of the batch are cut into chunks, and each chunk runs the whole
//! sequence forward and backward by itself; then gradients are summed over all chunks, clipped, and parameters updated.
//! How the rows are cut depends on the model and the batch alone, so the result does not depend on the number of threads.

use hatchery_plugin::{
    Cell, Clipper, Fault, Name,
    burn::tensor::DType,
    capture::{Captured, capture, capture_cell},
};
use rayon::prelude::*;

use crate::{
    body::{Body, Buffer, Kind, Layout, Slot, Step, View, Weight},
    error::{Refusal, Result},
    fixed::{self, Fixed, FixedStep, Location, large_product},
    graph::{Binary, Leaf, Unary},
    kernels::{Code, Float, InstructionSet, Kernels, Loss, LossRows, Product, Slots, Source, Target},
    layer::{self, Gradients, Input, Layer, Reduction},
    lower::lower,
    memory::Aligned,
    optimizer::{Optimizer, State as OptimizerState},
};

/// What is to be compiled.
pub struct Description<'a> {
    /// The number of symbols.
    pub vocabulary: usize,
    /// Width of a learned embedding; without one, inputs are one-hot.
    pub embedding: Option<usize>,
    /// The stacked cells with what their parameters' names begin with.
    pub layers: Vec<(&'a dyn Cell, String)>,
    /// Share of a layer's outputs that training sets to zero.
    pub dropout: f64,
    /// Whether that holds for the last layer too.
    pub dropout_last: bool,
    /// What happens to gradients, in this order.
    pub clippers: Vec<&'a dyn Clipper>,
    /// How parameters follow their gradients.
    pub optimizer: Optimizer,
}

/// How a machine runs. The results of a training step do not depend on the number of threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How many threads; without a number all that there are.
    pub threads: Option<usize>,
    /// Which instructions; without a choice the best that the processor has.
    pub instructions: Option<InstructionSet>,
}

/// Sequences of equal length, time-major: entry (step, row) is at `step · rows + row`.
#[derive(Clone, Copy, Debug)]
pub struct Sequences<'a> {
    /// How many sequences.
    pub rows: usize,
    /// How many time steps.
    pub steps: usize,
    /// Input tokens; the number of symbols stands for the zero vector.
    pub inputs: &'a [u32],
    /// What should be predicted.
    pub targets: &'a [u32],
    /// Which predictions count.
    pub counted: &'a [bool],
    /// Whether the sequences go on where the last ones ended.
    pub continues: bool,
    /// The loss is the sum over the counted predictions divided by this number.
    pub divisor: f64,
}

/// Sums over the counted predictions of an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Cross-entropy, in nats.
    pub nats: f64,
    /// Predictions whose most likely symbol, the first of equals, was right.
    pub correct: u64,
    /// Predictions counted.
    pub characters: u64,
}

/// A matrix with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix<T> {
    /// Its name.
    pub name: String,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// Its numbers, row by row.
    pub values: Vec<T>,
}

/// A compiled model.
pub struct Machine<T: Float> {
    program: Compiled,
    kernels: &'static Kernels<T>,
    pool: Option<rayon::ThreadPool>,
    /// Parameters, gradients, packed weights: what does not depend on the batch.
    memory: Aligned<T>,
    /// What depends on the batch, and where each buffer begins in it.
    work: Aligned<T>,
    bases: Vec<usize>,
    /// The steps and rows that the memory suffices for.
    room: (usize, usize),
    spaces: Vec<Space<T>>,
    /// Whether packed weights and tables are those of the parameters.
    is_packed: bool,
    optimizer: OptimizerState<T>,
    losses: Vec<f64>,
    trained: bool,
    carried: Option<Vec<Vec<T>>>,
    evaluated: Option<Vec<Vec<T>>>,
    generated: Vec<Vec<T>>,
    generated_rows: usize,
}

/// What compiling gives: all that does not change afterwards.
pub(crate) struct Compiled {
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
    pub(crate) sums: usize,
    pub(crate) jobs: Vec<Job>,
    pub(crate) sums_of_chunks: Vec<(usize, Location)>,
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
    pub(crate) width: usize,
    pub(crate) params: [usize; 2],
}

/// What a chunk has for itself.
struct Space<T> {
    starts: Vec<Start<T>>,
    frame: Vec<*mut T>,
    scratch: Aligned<T>,
    sums: Aligned<T>,
    loss: Loss,
}

// SAFETY: the pointers are only used while their owner is borrowed, by one thread at a time.
unsafe impl<T: Send> Send for Space<T> {}

/// Where a slot points at time step t: `start + ((t + shift) & mask) · step`.
#[derive(Clone, Copy)]
struct Start<T> {
    start: *mut T,
    shift: usize,
    mask: usize,
    step: usize,
}

/// Rows of the batch that run by themselves.
#[derive(Clone, Copy, Debug)]
struct Chunk {
    first: usize,
    rows: usize,
    steps: usize,
}

/// The memory, for threads that each use other parts of it.
#[derive(Clone, Copy)]
struct Memory<T> {
    fixed: *mut T,
    work: *mut T,
}

// SAFETY: chunks and jobs write to disjoint parts.
unsafe impl<T: Send> Send for Memory<T> {}
// SAFETY: see above.
unsafe impl<T: Send> Sync for Memory<T> {}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        Self::new(fault.message)
    }
}

impl Compiled {
    /// Compiles a model.
    pub(crate) fn new(description: &Description<'_>, dtype: DType, panel: usize) -> Result<Self> {
        let vocabulary = description.vocabulary;
        let mut fixed = Fixed::default();
        let mut shapes: Vec<(String, [usize; 2])> = Vec::new();
        if let Some(width) = description.embedding {
            shapes.push(("embedding".into(), [vocabulary, width]));
        }
        let mut widths = vec![description.embedding.unwrap_or(vocabulary)];
        for (cell, prefix) in &description.layers {
            for spec in cell.params(widths[widths.len() - 1]) {
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
        let (mut sums, mut epilogue) = (0, Vec::new());
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
            let params = cell.params(inputs);
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
            let shape = layer::Shape { outputs: cell.outputs(), state: &state };
            let mut layout = Layout {
                buffers: &mut buffers,
                weights: &mut weights,
                fixed: &mut fixed,
                sums: &mut sums,
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
        let Input::Below { view: from, .. } = input else { return Err(Refusal::new("a model without a cell")) };
        let [wya, by] = [shapes.len() - 2, shapes.len() - 1];
        weights.push(Weight { at: fixed.params[wya].transposed() });
        weights.push(Weight { at: fixed.params[wya] });
        let head = Head {
            forward: weights.len() - 2,
            backward: weights.len() - 1,
            bias: fixed.params[by].offset,
            logits: buffer(&mut buffers, vocabulary, Kind::Tape).buffer,
            from,
            width: outputs,
            params: [wya, by],
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
            clippers(description, &shapes, dtype, &gradients, &mut fixed)?
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
        let (jobs, sums_of_chunks) = jobs(&layers, &head, &gradients);
        Ok(Self {
            jobs,
            sums_of_chunks,
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
            scratch,
            work,
        })
    }
}

/// A prime number of sequences that no width of a cell, nor a part or a multiple of it, is likely to be taken for.
fn unlike(widths: impl Iterator<Item = usize>) -> usize {
    let widths: Vec<usize> = widths.collect();
    let is_prime = |number: &usize| (2..*number).take_while(|d| d * d <= *number).all(|d| number % d != 0);
    (1009..).filter(is_prime).find(|prime| widths.iter().all(|width| width % prime != 0)).unwrap_or(1009)
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
    let captured: Captured = capture(&inputs, dtype, |tensors| {
        let names = inputs.iter().map(|(name, _)| name.clone());
        let gradients = names.zip(tensors).collect();
        let clipped = description.clippers.iter().fold(gradients, |gradients, clipper| clipper.clip(gradients));
        inputs.iter().map(|(name, _)| (name.clone(), clipped.get(name))).collect()
    })?;
    let leaves: Vec<_> = inputs.iter().enumerate().map(|(number, (_, shape))| (Leaf::Param(number), *shape)).collect();
    let outputs: Vec<_> = captured.outputs.iter().map(|(_, id)| *id).collect();
    let (graph, roots) = lower(&captured.graph, &captured.constants, &leaves, &outputs, None)?;
    let params = std::mem::replace(&mut fixed.params, gradients.to_vec());
    fixed.tag += 1;
    let clipped = roots.iter().map(|&root| fixed.matrix(&graph, root)).collect();
    fixed.params = params;
    clipped
}

impl<T: Float> Machine<T> {
    /// Compiles a model. Its parameters are zeros until they are set.
    ///
    /// # Errors
    /// When a cell or a clipper cannot be recorded or uses an operation that is not known here.
    pub fn new(description: &Description<'_>, options: Options) -> Result<Self> {
        let instructions = options.instructions.unwrap_or_else(|| InstructionSet::available()[0]);
        let kernels = T::kernels(instructions);
        let dtype = if size_of::<T>() == 4 { DType::F32 } else { DType::F64 };
        let program = Compiled::new(description, dtype, kernels.panel)?;
        let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
        let pool = (threads > 1)
            .then(|| rayon::ThreadPoolBuilder::new().num_threads(threads).build())
            .transpose()
            .map_err(|error| Refusal::new(format!("threads cannot be started: {error}")))?;
        let mut memory = Aligned::<T>::new(program.fixed.size);
        for (offset, values) in &program.fixed.initial {
            for (to, from) in memory[*offset..].iter_mut().zip(values) {
                *to = T::from_f64(*from);
            }
        }
        let sizes: Vec<usize> = program.params.iter().map(|(_, at)| at.rows * at.columns).collect();
        Ok(Self {
            optimizer: OptimizerState::new(description.optimizer, &sizes),
            bases: Vec::new(),
            work: Aligned::new(0),
            room: (0, 0),
            spaces: Vec::new(),
            is_packed: false,
            losses: Vec::new(),
            trained: false,
            carried: None,
            evaluated: None,
            generated: Vec::new(),
            generated_rows: 0,
            program,
            kernels,
            pool,
            memory,
        })
    }

    /// One update: forward, loss, backward, clip, optimiser. Dropout masks are drawn from `uniform`, layer by layer in
    /// the order `[step, row, unit]`.
    pub fn train(&mut self, batch: &Sequences<'_>, uniform: &mut dyn FnMut() -> f64, rate: f64) {
        let before = self.carried.take();
        let chunks = self.prepare(batch);
        self.draw_masks(&chunks, uniform);
        self.begin_with(before.as_deref(), batch, &chunks);
        let loss = self.run_chunks(&chunks, batch, Purpose::Train);
        self.carried = Some(self.end_of(&chunks, before));
        self.losses.push(loss.nats);
        let span = span(batch);
        self.sum_gradients(&chunks, batch.inputs, span);
        let memory = self.memory.as_mut_ptr();
        // SAFETY: the steps were planned for this memory.
        unsafe {
            fixed::run(&self.program.epilogue, memory, self.kernels);
            fixed::run(&self.program.clip, memory, self.kernels);
        }
        self.update(rate);
        self.is_packed = false;
        self.trained = true;
    }

    /// The cross-entropy, summed over the counted predictions, in nats, of every update since the last call.
    pub fn losses(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.losses)
    }

    /// The global norm of the gradients of the last update, before and after the clippers.
    pub fn gradient_norms(&self) -> (f64, f64) {
        if !self.trained {
            return (f64::NAN, f64::NAN);
        }
        let norm = |places: &[Location]| {
            let squares = places.iter().flat_map(|at| self.read(*at)).map(|value| value.to_f64() * value.to_f64());
            squares.sum::<f64>().sqrt()
        };
        (norm(&self.program.gradients), norm(&self.program.clipped))
    }

    /// Runs over sequences without training.
    pub fn evaluate(&mut self, batch: &Sequences<'_>) -> Totals {
        let before = self.evaluated.take();
        let chunks = self.prepare(batch);
        self.begin_with(before.as_deref(), batch, &chunks);
        let loss = self.run_chunks(&chunks, batch, Purpose::Evaluate);
        self.evaluated = Some(self.end_of(&chunks, before));
        Totals { nats: loss.nats, correct: loss.correct, characters: loss.characters }
    }

    /// Begins to generate that many sequences at once, each from the starting state.
    pub fn begin(&mut self, rows: usize) {
        self.generated_rows = rows;
        let carried = self.program.layers.iter().flat_map(|(_, layer, _)| &layer.carried);
        self.generated = carried.map(|state| vec![T::from_f64(state.start); rows * state.width]).collect();
    }

    /// Feeds every sequence one token and returns the logits of the next: `[rows, vocabulary]`, row by row.
    pub fn advance(&mut self, tokens: &[u32]) -> Vec<f64> {
        let targets = vec![0; tokens.len()];
        let counted = vec![true; tokens.len()];
        let batch = Sequences {
            rows: tokens.len(),
            steps: 1,
            inputs: tokens,
            targets: &targets,
            counted: &counted,
            continues: true,
            divisor: 1.0,
        };
        let chunks = self.prepare(&batch);
        let mut state = std::mem::take(&mut self.generated);
        self.begin_with(Some(&state), &batch, &chunks);
        self.run_chunks(&chunks, &batch, Purpose::Generate);
        self.end_into(&chunks, &mut state);
        self.generated = state;
        let vocabulary = self.program.vocabulary;
        let start = self.bases[self.program.head.logits];
        self.work[start..start + tokens.len() * vocabulary].iter().map(|value| value.to_f64()).collect()
    }

    /// All parameters, in the order of their declaration.
    pub fn parameters(&self) -> Vec<Matrix<T>> {
        let matrix = |(name, at): &(String, Location)| Matrix {
            name: name.clone(),
            shape: [at.rows, at.columns],
            values: self.read(*at),
        };
        self.program.params.iter().map(matrix).collect()
    }

    /// Gives a parameter its numbers. Whether there is one of that name and shape.
    pub fn set_parameter(&mut self, name: &str, shape: [usize; 2], values: &[T]) -> bool {
        let Some(at) = self.program.params.iter().find(|(known, _)| known == name).map(|(_, at)| *at) else {
            return false;
        };
        if shape != [at.rows, at.columns] || values.len() != at.rows * at.columns {
            return false;
        }
        self.memory[at.offset..at.offset + values.len()].copy_from_slice(values);
        self.is_packed = false;
        true
    }

    /// The gradients of the last update, before and after the clippers, for tests.
    pub fn gradients(&self) -> (Vec<Vec<T>>, Vec<Vec<T>>) {
        let read = |places: &[Location]| places.iter().map(|at| self.read(*at)).collect();
        (read(&self.program.gradients), read(&self.program.clipped))
    }

    /// The state of the optimiser, named as Burn names it: `<parameter>.momentum.moment_1`.
    pub fn optimizer_state(&self) -> Vec<Matrix<f64>> {
        let params: Vec<_> =
            self.program.params.iter().map(|(name, at)| (name.as_str(), [at.rows, at.columns])).collect();
        self.optimizer.save(&params)
    }

    /// Lets the optimiser forget everything, as before the first update.
    pub fn forget(&mut self) {
        self.optimizer.forget();
    }

    /// Takes a matrix of the optimiser's state up again. Whether it is one.
    pub fn set_optimizer_state(&mut self, name: &str, values: &[f64]) -> bool {
        let names: Vec<_> = self.program.params.iter().map(|(name, _)| name.as_str()).collect();
        self.optimizer.load(&names, name, values)
    }

    /// The carried vectors in which the last training batch ended: each `[rows, width]`; none before the first.
    pub fn carried(&self) -> Vec<Matrix<T>> {
        let names = self.program.layers.iter().flat_map(|(prefix, layer, names)| {
            layer.carried.iter().zip(names).map(move |(state, name)| (format!("{prefix}{name}"), state.width))
        });
        let matrix = |((name, width), values): ((String, usize), &Vec<T>)| Matrix {
            name,
            shape: [values.len() / width.max(1), width],
            values: values.clone(),
        };
        self.carried.iter().flat_map(|carried| names.clone().zip(carried).map(matrix)).collect()
    }

    /// Takes carried vectors up again; without all of them the next batch starts anew.
    pub fn set_carried(&mut self, saved: &[Matrix<T>]) {
        let names = self
            .program
            .layers
            .iter()
            .flat_map(|(prefix, _, names)| names.iter().map(move |name| format!("{prefix}{name}")));
        let found =
            names.map(|name| saved.iter().find(|matrix| matrix.name == name).map(|matrix| matrix.values.clone()));
        self.carried = found.collect::<Option<Vec<_>>>().filter(|carried| !carried.is_empty());
    }

    /// The program, for people to read.
    pub fn listing(&self) -> String {
        crate::listing::listing(&self.program, size_of::<T>())
    }

    /// The memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        let spaces = self.spaces.iter().map(|space| space.scratch.len() + space.sums.len()).sum::<usize>();
        (self.memory.len() + self.work.len() + spaces) * size_of::<T>()
    }

    fn read(&self, at: Location) -> Vec<T> {
        self.memory[at.offset..at.offset + at.rows * at.columns].to_vec()
    }

    /// How the rows of a batch are cut: enough chunks for many cores where there is enough work, of rows enough to be
    /// worth reading the weights for.
    fn chunks(&self, rows: usize, steps: usize) -> Vec<Chunk> {
        let bytes = self.program.work * size_of::<T>();
        let least = if bytes > 4 << 20 { 24 } else { 12 };
        let is_small = self.program.work * rows * steps < 1 << 19;
        let mut count = 1;
        while !is_small && count < 64 && rows / (2 * count) >= least {
            count *= 2;
        }
        let mut first = 0;
        (0..count)
            .map(|index| {
                let here = (rows - first).div_ceil(count - index);
                first += here;
                Chunk { first: first - here, rows: here, steps }
            })
            .collect()
    }

    /// Makes room for a batch, packs weights, and cuts the rows.
    fn prepare(&mut self, batch: &Sequences<'_>) -> Vec<Chunk> {
        let (rows, steps) = (batch.rows.max(self.room.1), batch.steps.max(self.room.0));
        if (steps, rows) != self.room {
            self.bases.clear();
            let mut size = 0;
            for buffer in &self.program.buffers {
                self.bases.push(size);
                let lines = match buffer.kind {
                    Kind::Tape => steps * rows,
                    Kind::State => (steps + 1) * rows,
                    Kind::Step => rows,
                    Kind::Carry => 2 * rows,
                    Kind::Table => self.program.vocabulary + 1,
                };
                size += (lines * buffer.width).next_multiple_of(16);
            }
            self.work = Aligned::new(size);
            self.room = (steps, rows);
            self.is_packed = false;
            self.fill_identity();
        }
        let chunks = self.chunks(batch.rows, batch.steps);
        while self.spaces.len() < chunks.len() + 1 {
            self.spaces.push(Space {
                starts: Vec::new(),
                frame: Vec::new(),
                scratch: Aligned::new(self.program.scratch),
                sums: Aligned::new(self.program.sums),
                loss: Loss::default(),
            });
        }
        if !self.is_packed {
            self.pack();
            self.is_packed = true;
        }
        chunks
    }

    fn fill_identity(&mut self) {
        if let Some((Input::OneHot(view), _)) = self.program.input {
            let (start, width) = (self.bases[view.buffer], self.program.vocabulary);
            self.work[start..start + (width + 1) * width].fill(T::default());
            (0..width).for_each(|index| self.work[start + index * width + index] = T::from_f64(1.0));
        }
    }

    fn memory(&mut self) -> Memory<T> {
        Memory { fixed: self.memory.as_mut_ptr(), work: self.work.as_mut_ptr() }
    }

    /// Packs weights, and computes what depends on parameters and tokens alone.
    fn pack(&mut self) {
        let memory = self.memory();
        let (program, kernels) = (&self.program, self.kernels);
        // SAFETY: the steps and places were planned for this memory.
        unsafe { fixed::run(&program.prologue, memory.fixed, kernels) };
        let pack = |&(weight, to): &(Weight, usize)| {
            #[expect(clippy::redundant_locals, reason = "the closure takes the whole of it, not the pointer inside")]
            let memory = memory;
            // SAFETY: every weight has a place of its own.
            unsafe {
                let from = memory.fixed.add(weight.at.offset).cast_const();
                let strides = [weight.at.row, weight.at.column];
                (kernels.pack)(from, strides, weight.at.rows, weight.at.columns, memory.fixed.add(to));
            }
        };
        match &self.pool {
            Some(pool) if program.work > 1 << 17 => pool.install(|| program.weights.par_iter().for_each(pack)),
            _ => program.weights.iter().for_each(pack),
        }
        if let Some((Input::Embedding { table, .. }, Some(param))) = program.input {
            let at = program.params[param].1;
            let to = self.bases[table.buffer];
            let count = at.rows * at.columns;
            self.work[to..to + count].copy_from_slice(&self.memory[at.offset..at.offset + count]);
            self.work[to + count..to + count + at.columns].fill(T::default());
        }
        let tokens = program.vocabulary + 1;
        for (_, layer, _) in &program.layers {
            for choice in &layer.choices {
                let width = program.buffers[choice.table.buffer].width;
                let to = self.bases[choice.table.buffer];
                // SAFETY: the table has a row for every token, the weight a column for every symbol.
                unsafe {
                    let to = memory.work.add(to);
                    for unit in 0..width {
                        let from = memory.fixed.add(choice.weight.offset + unit * choice.weight.row);
                        let bias = choice.bias.map_or(T::default(), |bias| *memory.fixed.add(bias.offset + unit));
                        for token in 0..tokens - 1 {
                            *to.add(token * width + unit) = T::from_f64((*from.add(token)).to_f64() + bias.to_f64());
                        }
                        *to.add((tokens - 1) * width + unit) = bias;
                    }
                }
            }
        }
        let Some((_, layer, _)) = program.layers.first() else { return };
        let space = &mut self.spaces[0];
        let table =
            Runner { program, kernels, memory, bases: &self.bases, chunk: Chunk { first: 0, rows: tokens, steps: 1 } };
        // SAFETY: the table's buffers have a row for every token.
        unsafe { table.run(&layer.before.forward, space, std::iter::once(0), tokens) };
    }

    fn draw_masks(&mut self, chunks: &[Chunk], uniform: &mut dyn FnMut() -> f64) {
        let keep = 1.0 - self.program.dropout;
        let scale = T::from_f64(1.0 / keep);
        for &(mask, _) in self.program.masks.iter().flatten() {
            let (base, width) = (self.bases[mask], self.program.buffers[mask].width);
            for step in 0..chunks[0].steps {
                for chunk in chunks {
                    let start = base + (chunk.first * chunk.steps + step * chunk.rows) * width;
                    for value in &mut self.work[start..start + chunk.rows * width] {
                        *value = if uniform() < keep { scale } else { T::default() };
                    }
                }
            }
        }
    }

    /// Puts the state with which a batch begins where the first step reads it.
    fn begin_with(&mut self, before: Option<&[Vec<T>]>, batch: &Sequences<'_>, chunks: &[Chunk]) {
        let carried = self.program.layers.iter().flat_map(|(_, layer, _)| &layer.carried);
        for (index, state) in carried.enumerate() {
            let before = before.map(|before| &before[index]);
            let before = before.filter(|before| batch.continues && before.len() == batch.rows * state.width);
            for chunk in chunks {
                let start = self.bases[state.buffer] + chunk.first * (chunk.steps + 1) * state.width;
                let to = &mut self.work[start..start + chunk.rows * state.width];
                match before {
                    Some(before) => to.copy_from_slice(&before[chunk.first * state.width..][..to.len()]),
                    None => to.fill(T::from_f64(state.start)),
                }
            }
        }
    }

    /// The state after the last step, in the memory of the one before if that is as large.
    fn end_of(&self, chunks: &[Chunk], before: Option<Vec<Vec<T>>>) -> Vec<Vec<T>> {
        let carried = self.program.layers.iter().flat_map(|(_, layer, _)| &layer.carried);
        let rows: usize = chunks.iter().map(|chunk| chunk.rows).sum();
        let mut end = before.unwrap_or_default();
        end.resize_with(carried.clone().count(), Vec::new);
        for (end, state) in end.iter_mut().zip(carried) {
            end.resize(rows * state.width, T::default());
        }
        self.end_into(chunks, &mut end);
        end
    }

    fn end_into(&self, chunks: &[Chunk], end: &mut [Vec<T>]) {
        let carried = self.program.layers.iter().flat_map(|(_, layer, _)| &layer.carried);
        for (state, end) in carried.zip(end) {
            for chunk in chunks {
                let first = chunk.first * (chunk.steps + 1) + chunk.steps * chunk.rows;
                let start = self.bases[state.buffer] + first * state.width;
                let count = chunk.rows * state.width;
                end[chunk.first * state.width..][..count].copy_from_slice(&self.work[start..start + count]);
            }
        }
    }

    /// Runs all chunks, on all threads if there is more than one.
    fn run_chunks(&mut self, chunks: &[Chunk], batch: &Sequences<'_>, purpose: Purpose) -> Loss {
        let memory = self.memory();
        let (program, kernels, bases) = (&self.program, self.kernels, &self.bases[..]);
        let span = span(batch);
        let run = |(&chunk, space): (&Chunk, &mut Space<T>)| {
            let runner = Runner { program, kernels, memory, bases, chunk };
            // SAFETY: the buffers have room for the batch, and each chunk has rows of its own.
            space.loss = unsafe { runner.sequence(space, batch, span, purpose) };
        };
        match &self.pool {
            Some(pool) if chunks.len() > 1 => {
                pool.install(|| chunks.par_iter().zip(&mut self.spaces[..chunks.len()]).with_max_len(1).for_each(run));
            }
            _ => chunks.iter().zip(&mut self.spaces).for_each(run),
        }
        let mut total = Loss::default();
        self.spaces[..chunks.len()].iter().for_each(|space| total += space.loss);
        total
    }

    /// Sums the gradients of all parameters over the chunks.
    fn sum_gradients(&mut self, chunks: &[Chunk], tokens: &[u32], span: (usize, usize)) {
        let memory = self.memory();
        let (program, kernels, bases) = (&self.program, self.kernels, &self.bases[..]);
        let rows: usize = chunks.iter().map(|chunk| chunk.rows).sum();
        let steps = chunks[0].steps;
        let (spaces, table_space) = self.spaces.split_at_mut(chunks.len());
        let table_space = &mut table_space[0];
        table_space.sums.fill(T::default());
        let summing = Summing { program, kernels, memory, bases, chunks, rows, steps, tokens };

        // What begins a gradient goes to a place of its own and runs in any order; what adds to one comes last.
        let is_large = program.work * rows * steps > 1 << 19;
        match &self.pool {
            Some(pool) if is_large => pool.install(|| {
                // SAFETY: these jobs write to different places.
                program.jobs.par_iter().with_max_len(1).for_each(|job| unsafe { summing.run(job, span) });
            }),
            // SAFETY: one after the other.
            _ => program.jobs.iter().for_each(|job| unsafe { summing.run(job, span) }),
        }
        // SAFETY: one after the other.
        unsafe {
            for (sum, to) in &program.sums_of_chunks {
                summing.sum(spaces, *sum, *to, false);
            }
            // The part of the first layer that runs over tokens.
            if let Some((_, layer, _)) = program.layers.first() {
                let tokens = program.vocabulary + 1;
                let chunk = Chunk { first: 0, rows: tokens, steps: 1 };
                let table = Runner { program, kernels, memory, bases, chunk };
                table.run(&layer.before.backward, table_space, std::iter::once(0), tokens);
                for reduction in &layer.before.reductions {
                    match *reduction {
                        Reduction::Outer { a, b, to, add: false } => {
                            summing.outer((a, b), to, false, (0, to.rows), (0, 1));
                        }
                        Reduction::Sum { place, to, add: false } => {
                            summing.sum(std::slice::from_ref(table_space), place, to, false);
                        }
                        Reduction::Fill { to, value } => {
                            fixed::run(&[FixedStep::Fill { to, value }], memory.fixed, kernels);
                        }
                        _ => {}
                    }
                }
                layer.choices.iter().for_each(|choice| summing.choice(choice));
                if let Some((Input::Embedding { gradient, .. }, Some(param))) = program.input {
                    let (from, to) = (bases[gradient.buffer], program.gradients[param]);
                    let count = to.rows * to.columns;
                    std::ptr::copy_nonoverlapping(memory.work.add(from), memory.fixed.add(to.offset), count);
                }
            }
            for (index, (_, layer, _)) in program.layers.iter().enumerate() {
                let phases = [(&layer.step, false), (&layer.before, index == 0)];
                for (phase, of_tokens) in phases {
                    for reduction in &phase.reductions {
                        match *reduction {
                            Reduction::Outer { a, b, to, add: true } => {
                                let span = (0, if of_tokens { 1 } else { steps });
                                summing.outer((a, b), to, true, (0, to.rows), span);
                            }
                            Reduction::Sum { place, to, add: true } if of_tokens => {
                                summing.sum(std::slice::from_ref(table_space), place, to, true);
                            }
                            Reduction::Sum { place, to, add: true } => summing.sum(spaces, place, to, true),
                            _ => {}
                        }
                    }
                }
            }
        }
    }

    fn update(&mut self, rate: f64) {
        let memory = self.memory();
        let (program, kernels) = (&self.program, self.kernels);
        let rule = self.optimizer.rule(rate);
        let mut slots = Vec::new();
        for (index, (_, at)) in program.params.iter().enumerate() {
            let count = at.rows * at.columns;
            let state = self.optimizer.slots(index);
            // SAFETY: parameter, gradient and state are of the same size.
            unsafe {
                for start in (0..count).step_by(1 << 16) {
                    slots.push(Slots {
                        count: (count - start).min(1 << 16),
                        parameter: memory.fixed.add(at.offset + start),
                        gradient: memory.fixed.add(program.clipped[index].offset + start).cast_const(),
                        state: state.map(|state| if state.is_null() { state } else { state.add(start) }),
                    });
                }
            }
        }
        // SAFETY: every slot is a piece of memory of its own.
        slots.iter().for_each(|slots| unsafe { (kernels.update)(&rule, slots) });
    }
}

/// What a sequence is run for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    Train,
    Evaluate,
    Generate,
}

/// The first time step at which a prediction counts, and one past the last.
fn span(batch: &Sequences<'_>) -> (usize, usize) {
    let first = batch.counted.iter().position(|&counted| counted);
    let last = batch.counted.iter().rposition(|&counted| counted);
    match (first, last) {
        (Some(first), Some(last)) => (first / batch.rows, last / batch.rows + 1),
        _ => (0, 0),
    }
}

/// `0..count` in pieces.
fn blocks(count: usize, size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..count).step_by(size).map(move |start| (start, count.min(start + size)))
}

/// Runs bodies for the rows of a chunk.
#[derive(Clone, Copy)]
struct Runner<'a, T: Float> {
    program: &'a Compiled,
    kernels: &'static Kernels<T>,
    memory: Memory<T>,
    bases: &'a [usize],
    chunk: Chunk,
}

impl<T: Float> Runner<'_, T> {
    /// Where a buffer points at each time step.
    fn start(&self, buffer: usize, shift: usize) -> Start<T> {
        let Chunk { first, rows, steps } = self.chunk;
        let Buffer { width, kind } = self.program.buffers[buffer];
        let (lines, mask) = match kind {
            Kind::Tape => (first * steps, usize::MAX),
            Kind::State => (first * (steps + 1), usize::MAX),
            Kind::Step => (first, 0),
            Kind::Carry => (first * 2, 1),
            Kind::Table => (0, 0),
        };
        // SAFETY: the buffer has room for the chunk's rows.
        let start = unsafe { self.memory.work.add(self.bases[buffer] + lines * width) };
        Start { start, shift, mask, step: rows * width }
    }

    /// Where a value lies at a time step.
    unsafe fn at(&self, view: View, step: usize) -> *mut T {
        let start = self.start(view.buffer, view.shift);
        // SAFETY: the caller names a step of the sequence.
        unsafe { start.start.add(((step + start.shift) & start.mask) * start.step + view.offset) }
    }

    fn width(&self, view: View) -> usize {
        self.program.buffers[view.buffer].width
    }

    /// Runs a body at some time steps.
    unsafe fn run(&self, body: &Body, space: &mut Space<T>, steps: impl Iterator<Item = usize>, rows: usize) {
        if body.steps.is_empty() {
            return;
        }
        // SAFETY: as for the caller.
        unsafe {
            self.bind(body, space);
            for step in steps {
                self.once(body, space, step, rows);
            }
        }
    }

    /// Works out where the slots of a body point.
    unsafe fn bind(&self, body: &Body, space: &mut Space<T>) {
        space.starts.clear();
        for slot in &body.slots {
            let fixed = |start| Start { start, shift: 0, mask: 0, step: 0 };
            // SAFETY: slots were planned for this memory.
            space.starts.push(unsafe {
                match *slot {
                    Slot::Batch { buffer, shift } => self.start(buffer, shift),
                    Slot::Fixed(offset) => fixed(self.memory.fixed.add(offset)),
                    Slot::Sum(offset) => fixed(space.sums.as_mut_ptr().add(offset)),
                }
            });
        }
        space.frame.clear();
        space.frame.resize(body.slots.len(), std::ptr::null_mut());
    }

    /// Runs a body that is bound at one time step.
    unsafe fn once(&self, body: &Body, space: &mut Space<T>, step: usize, rows: usize) {
        // SAFETY: the pointers are valid for the chunk's rows at every step.
        unsafe {
            for (pointer, start) in space.frame.iter_mut().zip(&space.starts) {
                *pointer = start.start.add((step.wrapping_add(start.shift) & start.mask) * start.step);
            }
            for step in &body.steps {
                match step {
                    Step::Program(program) => {
                        (self.kernels.run)(program, &space.frame, space.scratch.as_mut_ptr(), rows);
                    }
                    Step::Multiply(multiply) => {
                        let place = |place: &crate::program::Place| {
                            space.frame[place.slot.unwrap_or_default() as usize].add(place.offset)
                        };
                        let init = multiply.init.map_or(std::ptr::null(), |init| place(&init).cast_const());
                        let product = Product {
                            a: place(&multiply.a).cast_const(),
                            a_strides: [multiply.a.stride, 1],
                            c: place(&multiply.to),
                            c_stride: multiply.to.stride,
                            init,
                            init_stride: multiply.init.map_or(0, |init| init.stride),
                            ..self.product(multiply.weight, rows)
                        };
                        (self.kernels.multiply)(&product);
                    }
                }
            }
        }
    }

    /// A product by a packed weight; a, c and init are left to fill in.
    unsafe fn product(&self, weight: usize, rows: usize) -> Product<T> {
        let (Weight { at }, packed) = self.program.weights[weight];
        let panel = self.kernels.panel;
        Product {
            rows,
            columns: at.columns,
            depth: at.rows,
            a: std::ptr::null(),
            a_strides: [0, 1],
            // SAFETY: the packed weight lies there.
            b: unsafe { self.memory.fixed.add(packed) }.cast_const(),
            b_strides: [panel, at.rows * panel],
            b_padded: true,
            c: std::ptr::null_mut(),
            c_stride: 0,
            init: std::ptr::null(),
            init_stride: 0,
        }
    }

    /// `to = a · b`, number by number, for all rows of all steps.
    unsafe fn multiply_each(&self, to: View, a: View, b: View, width: usize) {
        // SAFETY: as for the caller.
        unsafe {
            let source =
                |view: View| Source { start: self.at(view, 0).cast_const(), stride: self.width(view), single: false };
            let target = Target { start: self.at(to, 0), stride: self.width(to) };
            let rows = self.chunk.rows * self.chunk.steps;
            let sources = [source(a), source(b), source(b)];
            (self.kernels.execute)(Code::Zip(Binary::Mul), (rows, width), target, sources);
        }
    }

    /// Runs the whole sequence: forward, the loss, and for training backward.
    unsafe fn sequence(
        &self,
        space: &mut Space<T>,
        batch: &Sequences<'_>,
        span: (usize, usize),
        purpose: Purpose,
    ) -> Loss {
        let Chunk { rows, steps, .. } = self.chunk;
        let whole = |buffer| View { buffer, shift: 0, offset: 0 };
        // SAFETY: as for the caller.
        unsafe {
            for (index, (_, layer, _)) in self.program.layers.iter().enumerate() {
                if index > 0 {
                    self.run(&layer.before.forward, space, std::iter::once(0), rows * steps);
                }
                self.bind(&layer.step.forward, space);
                for step in 0..steps {
                    self.look_up(layer, batch, step);
                    self.once(&layer.step.forward, space, step, rows);
                }
                if let Some((mask, masked)) = self.program.masks[index] {
                    if purpose == Purpose::Train {
                        self.multiply_each(whole(masked), layer.output, whole(mask), layer.outputs);
                    } else {
                        let source = Source {
                            start: self.at(layer.output, 0).cast_const(),
                            stride: self.width(layer.output),
                            single: false,
                        };
                        let target = Target { start: self.at(whole(masked), 0), stride: layer.outputs };
                        let shape = (rows * steps, layer.outputs);
                        (self.kernels.execute)(Code::Map(Unary::Copy), shape, target, [source; 3]);
                    }
                }
            }
            let loss = self.head(batch, span, purpose);
            if purpose != Purpose::Train {
                return loss;
            }
            space.sums.fill(T::default());
            for (index, (_, layer, _)) in self.program.layers.iter().enumerate().rev() {
                if let Some((mask, _)) = self.program.masks[index] {
                    let gradient = whole(layer.gradient);
                    self.multiply_each(gradient, gradient, whole(mask), layer.outputs);
                }
                for state in &layer.carried {
                    let view = View { buffer: state.gradient, shift: 0, offset: 0 };
                    std::slice::from_raw_parts_mut(self.at(view, steps), rows * state.width).fill(T::default());
                }
                self.run(&layer.step.backward, space, (0..steps).rev(), rows);
                if index > 0 {
                    self.run(&layer.before.backward, space, std::iter::once(0), rows * steps);
                }
            }
            loss
        }
    }

    /// Copies the rows that tokens choose.
    unsafe fn look_up(&self, layer: &Layer, batch: &Sequences<'_>, step: usize) {
        for lookup in &layer.lookups {
            // SAFETY: tokens are rows of the table.
            unsafe {
                let table = self.at(lookup.table, 0).cast_const();
                let (stride, to) = (self.width(lookup.table), self.at(lookup.to, step));
                let tokens = &batch.inputs[step * batch.rows + self.chunk.first..][..self.chunk.rows];
                for (row, &token) in tokens.iter().enumerate() {
                    let from = table.add(token as usize * stride);
                    std::ptr::copy_nonoverlapping(from, to.add(row * lookup.width), lookup.width);
                }
            }
        }
    }

    /// Logits and loss, and for training the gradient of the last layer's output.
    unsafe fn head(&self, batch: &Sequences<'_>, (first, last): (usize, usize), purpose: Purpose) -> Loss {
        let head = &self.program.head;
        let Chunk { rows, first: first_row, .. } = self.chunk;
        let (logits, steps) = (View { buffer: head.logits, shift: 0, offset: 0 }, last - first);
        let mut loss = Loss::default();
        // SAFETY: as for the caller.
        unsafe {
            if steps > 0 {
                (self.kernels.multiply)(&Product {
                    a: self.at(head.from, first).cast_const(),
                    a_strides: [self.width(head.from), 1],
                    c: self.at(logits, first),
                    c_stride: self.program.vocabulary,
                    init: self.memory.fixed.add(head.bias).cast_const(),
                    ..self.product(head.forward, rows * steps)
                });
            }
            if purpose == Purpose::Generate {
                return loss;
            }
            for step in first..last {
                let here = step * batch.rows + first_row..step * batch.rows + first_row + rows;
                loss += (self.kernels.loss)(&LossRows {
                    logits: self.at(logits, step),
                    stride: self.program.vocabulary,
                    columns: self.program.vocabulary,
                    targets: &batch.targets[here.clone()],
                    counted: &batch.counted[here],
                    divisor: batch.divisor,
                    gradient: purpose == Purpose::Train,
                });
            }
            if purpose == Purpose::Train {
                let Some((_, layer, _)) = self.program.layers.last() else { return loss };
                let gradient = View { buffer: layer.gradient, shift: 0, offset: 0 };
                let zero = |from: usize, to: usize| {
                    std::slice::from_raw_parts_mut(self.at(gradient, from), (to - from) * rows * head.width)
                        .fill(T::default());
                };
                zero(0, first);
                zero(last, self.chunk.steps);
                if steps > 0 {
                    (self.kernels.multiply)(&Product {
                        a: self.at(logits, first).cast_const(),
                        a_strides: [self.program.vocabulary, 1],
                        c: self.at(gradient, first),
                        c_stride: head.width,
                        ..self.product(head.backward, rows * steps)
                    });
                }
            }
        }
        loss
    }
}

/// A piece of the work of summing gradients.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Job {
    /// Rows of `to = aᵀ · b`, over all time steps or those with predictions that count.
    Outer { a: View, b: View, to: Location, rows: (usize, usize), counted: bool },
    /// The sum of all rows at the time steps with predictions that count.
    SumRows { from: View, to: Location },
    /// Columns of the rows of `from` are summed up for each token.
    Scatter { from: View, to: View, columns: (usize, usize) },
    /// All entries one number.
    Fill { to: Location, value: f64 },
}

/// What summing gradients begins with, in pieces of about equal size, and the sums that chunks made themselves.
fn jobs(
    layers: &[(String, Layer, Vec<String>)],
    head: &Head,
    gradients: &[Location],
) -> (Vec<Job>, Vec<(usize, Location)>) {
    let (mut jobs, mut sums) = (Vec::new(), Vec::new());
    for (index, (_, layer, _)) in layers.iter().enumerate() {
        for lookup in &layer.lookups {
            if let Some((from, to)) = lookup.gradient {
                jobs.extend(blocks(lookup.width, 256).map(|columns| Job::Scatter { from, to, columns }));
            }
        }
        let before = if index == 0 { &[][..] } else { &layer.before.reductions[..] };
        for &reduction in layer.step.reductions.iter().chain(before) {
            match reduction {
                Reduction::Outer { a, b, to, add: false } => {
                    jobs.extend(blocks(to.rows, 128).map(|rows| Job::Outer { a, b, to, rows, counted: false }));
                }
                Reduction::Sum { place, to, add: false } => sums.push((place, to)),
                Reduction::Fill { to, value } => jobs.push(Job::Fill { to, value }),
                _ => {}
            }
        }
    }
    let [wya, by] = head.params;
    let (a, to) = (View { buffer: head.logits, shift: 0, offset: 0 }, gradients[wya]);
    jobs.extend(blocks(to.rows, 128).map(|rows| Job::Outer { a, b: head.from, to, rows, counted: true }));
    jobs.push(Job::SumRows { from: a, to: gradients[by] });
    (jobs, sums)
}

/// Sums over the rows of all chunks.
struct Summing<'a, T: Float> {
    program: &'a Compiled,
    kernels: &'static Kernels<T>,
    memory: Memory<T>,
    bases: &'a [usize],
    chunks: &'a [Chunk],
    rows: usize,
    steps: usize,
    tokens: &'a [u32],
}

impl<T: Float> Summing<'_, T> {
    fn runner(&self, chunk: Chunk) -> Runner<'_, T> {
        Runner { program: self.program, kernels: self.kernels, memory: self.memory, bases: self.bases, chunk }
    }

    /// Runs a job.
    ///
    /// # Safety
    /// No other job that runs now writes to the same place.
    unsafe fn run(&self, job: &Job, counted_span: (usize, usize)) {
        // SAFETY: the caller's; views were planned for this memory.
        unsafe {
            match *job {
                Job::Outer { a, b, to, rows, counted } => {
                    let span = if counted { counted_span } else { (0, self.steps) };
                    self.outer((a, b), to, false, rows, span);
                }
                Job::Fill { to, value } => {
                    fixed::run(&[FixedStep::Fill { to, value }], self.memory.fixed, self.kernels);
                }
                Job::SumRows { from, to } => {
                    let span = counted_span;
                    let target = Target { start: self.memory.fixed.add(to.offset), stride: 0 };
                    std::slice::from_raw_parts_mut(target.start, to.columns).fill(T::default());
                    for &chunk in self.chunks {
                        let runner = self.runner(chunk);
                        let start = runner.at(from, span.0).cast_const();
                        let source = Source { start, stride: runner.width(from), single: false };
                        let shape = ((span.1 - span.0) * chunk.rows, to.columns);
                        (self.kernels.execute)(Code::AddRows, shape, target, [source; 3]);
                    }
                }
                Job::Scatter { from, to, columns } => self.scatter(from, to, columns),
            }
        }
    }

    /// `to (+)=` what some spaces summed up, in their order.
    unsafe fn sum(&self, spaces: &[Space<T>], place: usize, to: Location, add: bool) {
        for unit in 0..to.columns {
            let sum: f64 = spaces.iter().map(|space| space.sums[place + unit].to_f64()).sum();
            // SAFETY: the caller's.
            unsafe {
                let entry = self.memory.fixed.add(to.offset + unit * to.column);
                *entry = T::from_f64(if add { (*entry).to_f64() + sum } else { sum });
            }
        }
    }

    unsafe fn outer(
        &self,
        (a, b): (View, View),
        to: Location,
        mut add: bool,
        (first, last): (usize, usize),
        span: (usize, usize),
    ) {
        let kinds = [a, b].map(|view| self.program.buffers[view.buffer].kind);
        let is_table = kinds.contains(&Kind::Table);
        // Tapes of all chunks lie behind each other: one product over all.
        let all = [Chunk { first: 0, rows: self.rows, steps: self.steps }];
        let table = [Chunk { first: 0, rows: self.program.vocabulary + 1, steps: 1 }];
        let at_once = kinds == [Kind::Tape; 2] && [a, b].iter().all(|v| v.shift == 0) && span == (0, self.steps);
        let chunks = if is_table {
            &table[..]
        } else if at_once {
            &all[..]
        } else {
            self.chunks
        };
        // SAFETY: the caller's.
        unsafe {
            for &chunk in chunks {
                let runner = self.runner(chunk);
                let depth = (span.1 - span.0) * chunk.rows;
                let (a_start, a_row) = (runner.at(a, span.0).add(first).cast_const(), runner.width(a));
                let (b_start, b_row) = (runner.at(b, span.0).cast_const(), runner.width(b));
                let start = self.memory.fixed.add(to.offset + first * to.row);
                let (rows, columns) = (last - first, to.columns);
                if to.column == 1 && depth <= 64 {
                    (self.kernels.multiply)(&Product {
                        rows,
                        columns,
                        depth,
                        a: a_start,
                        a_strides: [1, a_row],
                        b: b_start,
                        b_strides: [b_row, self.kernels.panel],
                        b_padded: false,
                        c: start,
                        c_stride: to.row,
                        init: if add { start.cast_const() } else { std::ptr::null() },
                        init_stride: to.row,
                    });
                } else if depth > 0 || !add {
                    let (a, b) = ((a_start, 1, a_row), (b_start, b_row, 1));
                    large_product((rows, columns, depth), (start, to.row, to.column), a, b, add);
                }
                add = true;
            }
        }
    }

    unsafe fn scatter(&self, from: View, to: View, (first, last): (usize, usize)) {
        let vocabulary = self.program.vocabulary;
        // SAFETY: the caller's; tokens are rows of the table.
        unsafe {
            let table = self.runner(self.chunks[0]);
            let (table, stride) = (table.at(to, 0), table.width(to));
            for token in 0..=vocabulary {
                std::slice::from_raw_parts_mut(table.add(token * stride + first), last - first).fill(T::default());
            }
            for &chunk in self.chunks {
                let runner = self.runner(chunk);
                let width = runner.width(from);
                for step in 0..chunk.steps {
                    let start = runner.at(from, step);
                    let tokens = &self.tokens[step * self.rows + chunk.first..][..chunk.rows];
                    for (row, &token) in tokens.iter().enumerate() {
                        let source =
                            Source { start: start.add(row * width + first).cast_const(), stride: 0, single: false };
                        let target = Target { start: table.add(token as usize * stride + first), stride: 0 };
                        (self.kernels.execute)(Code::AddRows, (1, last - first), target, [source; 3]);
                    }
                }
            }
        }
    }

    /// The gradient of a one-hot product from that of its table.
    unsafe fn choice(&self, choice: &layer::Choice) {
        let vocabulary = self.program.vocabulary;
        // SAFETY: the caller's; the table has a row for every token.
        unsafe {
            let runner = self.runner(self.chunks[0]);
            let (table, width) = (runner.at(choice.table_gradient, 0), runner.width(choice.table_gradient));
            let (to, add) = choice.weight_gradient;
            for unit in 0..width {
                let row = self.memory.fixed.add(to.offset + unit * to.row);
                for token in 0..vocabulary {
                    let (entry, sum) = (row.add(token * to.column), *table.add(token * width + unit));
                    *entry = if add { T::from_f64((*entry).to_f64() + sum.to_f64()) } else { sum };
                }
            }
            if let Some((to, add)) = choice.bias_gradient {
                let source = Source { start: table.cast_const(), stride: width, single: false };
                let target = Target { start: self.memory.fixed.add(to.offset), stride: 0 };
                if !add {
                    std::slice::from_raw_parts_mut(target.start, width).fill(T::default());
                }
                (self.kernels.execute)(Code::AddRows, (vocabulary + 1, width), target, [source; 3]);
            }
        }
    }
}
