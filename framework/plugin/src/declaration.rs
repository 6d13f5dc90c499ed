//! What a cell declares: its parameters, its carried vectors, its noise, and the width of its output.

use serde::{Deserialize, Serialize};

use crate::{Initializer, Name, NoiseSpec, Per, PluginError};

/// The largest width of a vector, and the most elements of a parameter.
const LARGEST: usize = 1 << 31;

/// A matrix's name, with its rows and columns.
pub type NamedShape = (Name, [usize; 2]);

/// All that a cell declares for one width of its input.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Declaration {
    /// The width of the output.
    pub outputs: usize,
    /// The matrices that training changes.
    #[serde(default)]
    pub params: Vec<ParamSpec>,
    /// The vectors carried from step to step.
    #[serde(default)]
    pub state: Vec<StateSpec>,
    /// What the framework draws.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub noise: Vec<NoiseSpec>,
    /// The vectors of the state that are added to what training minimizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub penalties: Vec<Name>,
    /// What `derive` makes of the parameters and of the noise that is drawn once an update; none if it leaves them as they
    /// are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<Vec<NamedShape>>,
    /// Of a wrapper: what `derive` makes of those of the cell within; none if it leaves them as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived_of_cell: Option<Vec<NamedShape>>,
}

impl Declaration {
    /// What `derive` receives: the parameters, and the noise that is drawn once an update.
    pub fn fixed(&self) -> Vec<NamedShape> {
        let params = self.params.iter().map(|spec| (spec.name.clone(), spec.shape));
        let noise = self.noise.iter().filter_map(|spec| match spec.per {
            Per::Update { rows } => Some((spec.name.clone(), [rows, spec.width])),
            Per::Step | Per::Sequence => None,
        });
        params.chain(noise).collect()
    }

    /// What `derive` returns: the first matrices that `step` receives.
    pub fn matrices(&self) -> Vec<NamedShape> {
        self.derived.clone().unwrap_or_else(|| self.fixed())
    }

    /// The noise with a row for each sequence, which `step` receives behind the matrices.
    pub fn noise_of_rows(&self) -> impl Iterator<Item = &NoiseSpec> {
        self.noise.iter().filter(|spec| !matches!(spec.per, Per::Update { .. }))
    }

    /// The arguments of a step of `batch` sequences, in the order of a recording: x, matrices, noise, state.
    pub fn arguments(&self, inputs: usize, batch: usize) -> Vec<NamedShape> {
        let mut arguments = vec![(Name::from("x"), [batch, inputs])];
        arguments.extend(self.matrices());
        arguments.extend(self.noise_of_rows().map(|spec| (spec.name.clone(), [batch, spec.width])));
        arguments.extend(self.vectors(batch));
        arguments
    }

    /// The results of a step of `batch` sequences, in the order of a recording: output, next state.
    pub fn results(&self, batch: usize) -> Vec<NamedShape> {
        [(Name::from("output"), [batch, self.outputs])].into_iter().chain(self.vectors(batch)).collect()
    }

    fn vectors(&self, batch: usize) -> impl Iterator<Item = NamedShape> {
        self.state.iter().map(move |spec| (spec.name.clone(), [batch, spec.width]))
    }

    /// Checks what a type cannot hold: widths, shapes, names, and what refers to a name.
    ///
    /// # Errors
    /// The first fault.
    pub fn check(&self) -> Result<(), PluginError> {
        if !is_width(self.outputs) {
            return Err(PluginError::new(format!("its output is {} wide", self.outputs)));
        }
        self.params.iter().try_for_each(ParamSpec::check)?;
        unique("state", self.state.iter().map(|spec| &spec.name))?;
        self.state.iter().try_for_each(|spec| self.check_state(spec))?;
        self.noise.iter().try_for_each(NoiseSpec::check)?;
        let noise = self.noise.iter().map(|spec| &spec.name);
        unique("parameters and noise", self.params.iter().map(|spec| &spec.name).chain(noise))?;
        let matrices = self.matrices();
        let noise = self.noise_of_rows().map(|spec| &spec.name);
        unique("derived parameters and noise", matrices.iter().map(|(name, _)| name).chain(noise))?;
        if let Some((name, shape)) =
            matrices.iter().find(|(_, [rows, columns])| !is_width(*rows) || !is_width(*columns))
        {
            return Err(PluginError::new(format!("its derived parameter `{name}` is {shape:?}")));
        }
        unique("penalties", self.penalties.iter())?;
        match self.penalties.iter().find(|name| !self.state.iter().any(|spec| spec.name == **name)) {
            Some(name) => Err(PluginError::new(format!("its penalty `{name}` is no vector of its state"))),
            None => Ok(()),
        }
    }

    /// Whether anything is learned through the parameter or the vector of that name.
    pub fn has_gradient(&self, name: &str) -> bool {
        !self.state.iter().any(|spec| spec.name == name && spec.no_gradient)
    }

    fn check_state(&self, StateSpec { name, width, start, .. }: &StateSpec) -> Result<(), PluginError> {
        let shape_of = |param: &Name| self.params.iter().find(|spec| spec.name == *param).map(|spec| spec.shape);
        match start {
            _ if !is_width(*width) => Err(PluginError::new(format!("its state `{name}` is {width} wide"))),
            Start::Constant(value) if !value.is_finite() => {
                Err(PluginError::new(format!("its state `{name}` starts at {value}")))
            }
            Start::Param(param) if shape_of(param) != Some([1, *width]) => Err(PluginError::new(format!(
                "its state `{name}` starts at `{param}`, which is not a parameter of 1 by {width}"
            ))),
            Start::Constant(_) | Start::Param(_) => Ok(()),
        }
    }
}

pub(crate) fn is_width(width: usize) -> bool {
    (1..LARGEST).contains(&width)
}

fn unique<'a>(what: &str, names: impl Iterator<Item = &'a Name>) -> Result<(), PluginError> {
    let mut seen: Vec<&str> = Vec::new();
    for name in names {
        if name.is_empty() || seen.contains(&name.as_ref()) {
            return Err(PluginError::new(format!("two of its {what} are named `{name}`, or one has no name")));
        }
        seen.push(name);
    }
    Ok(())
}

/// A matrix that a cell asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ParamSpec {
    /// Its name, unique within the cell.
    pub name: Name,
    /// Rows and columns.
    pub shape: [usize; 2],
    /// How its first values are drawn.
    pub initializer: Initializer,
    /// How many matrices are stacked in it row by row, one for each gate. Each is initialized as a matrix of its own.
    #[serde(default = "one")]
    pub gates: usize,
}

impl ParamSpec {
    /// A matrix with a name, a shape and an initializer.
    pub fn new(name: impl Into<Name>, shape: [usize; 2], initializer: Initializer) -> Self {
        Self { name: name.into(), shape, initializer, gates: 1 }
    }

    /// Stacks `count` matrices of this shape row by row, one for each gate: a product with all of them is one product, and
    /// [`chunk`](crate::chunk) splits its result. Each is initialized as a matrix of its own.
    #[must_use]
    pub fn gates(mut self, count: usize) -> Self {
        self.shape[0] *= count;
        self.gates *= count;
        self
    }

    /// The same matrix with another initializer.
    #[must_use]
    pub fn initializer(mut self, initializer: Initializer) -> Self {
        self.initializer = initializer;
        self
    }
}

impl ParamSpec {
    fn check(&self) -> Result<(), PluginError> {
        let Self { name, shape: [rows, columns], initializer, gates } = self;
        let count = rows.checked_mul(*columns).filter(|count| *count <= LARGEST);
        if count.is_none() {
            let wrong = format!("its parameter `{name}` is too large: {rows} by {columns}");
            return Err(PluginError::new(wrong).hint("make the widths in [cell] and [model] smaller"));
        }
        if count == Some(0) || *gates == 0 || rows % gates != 0 {
            return Err(PluginError::new(format!("its parameter `{name}` is {rows} by {columns} in {gates} gates")));
        }
        let given = if let Initializer::Values { values } = initializer { Some(values.len() * gates) } else { None };
        if given.is_some_and(|given| Some(given) != count) {
            let wrong = format!("the first values of its parameter `{name}` are too few or too many");
            return Err(PluginError::new(wrong));
        }
        Ok(())
    }
}

/// A weight matrix `[outputs, inputs]`, initialized Xavier-uniform.
pub fn weight(name: impl Into<Name>, shape: [usize; 2]) -> ParamSpec {
    ParamSpec::new(name, shape, Initializer::XavierUniform)
}

/// A recurrent weight matrix `[width, width]`, initialized orthogonal.
pub fn recurrent(name: impl Into<Name>, width: usize) -> ParamSpec {
    ParamSpec::new(name, [width, width], Initializer::Orthogonal)
}

/// A bias `[1, width]`, initialized with zeros.
pub fn bias(name: impl Into<Name>, width: usize) -> ParamSpec {
    ParamSpec::new(name, [1, width], Initializer::Zeros)
}

/// A vector that a cell carries from one time step to the next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StateSpec {
    /// Its name, unique within the cell.
    pub name: Name,
    /// Its width.
    pub width: usize,
    /// Its value before the first step.
    #[serde(default)]
    pub start: Start,
    /// Whether it carries no gradient, such as a counter or a spike: nothing is learned through it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub no_gradient: bool,
}

/// The value of a carried vector before the first step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The same for every element.
    Constant(f64),
    /// The parameter of that name, `[1, width]`: it is learned.
    Param(Name),
}

impl Default for Start {
    fn default() -> Self {
        Self::Constant(0.0)
    }
}

impl StateSpec {
    /// A vector with a name and a width that starts at zero.
    pub fn new(name: impl Into<Name>, width: usize) -> Self {
        Self { name: name.into(), width, start: Start::default(), no_gradient: false }
    }

    /// The same vector with another value of every element before the first step.
    #[must_use]
    pub fn start(mut self, value: f64) -> Self {
        self.start = Start::Constant(value);
        self
    }

    /// The same vector as one that carries no gradient: a counter, or the spikes of a step function. The conformance kit
    /// does not ask for its gradient then.
    #[must_use]
    pub fn no_gradient(mut self) -> Self {
        self.no_gradient = true;
        self
    }

    /// The same vector, which starts at the parameter of that name, `[1, width]`.
    #[must_use]
    pub fn start_param(mut self, name: impl Into<Name>) -> Self {
        self.start = Start::Param(name.into());
        self
    }
}

/// A carried vector that starts at zero.
pub fn zeros(name: impl Into<Name>, width: usize) -> StateSpec {
    StateSpec::new(name, width)
}

fn one() -> usize {
    1
}
