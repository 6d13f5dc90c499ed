//! Named matrices: what a model's parameters, a cell's carried state and a step's gradients all are.
//!
//! One ordered list serves for the three because the framework treats them alike: it saves them, clips them, updates
//! them and passes them on, always by name and in the order in which they were declared.

use std::borrow::Cow;

use burn::Tensor;

use crate::capture::did_you_mean;

/// The name of a matrix: borrowed when it is in a plugin's source, owned when the framework puts it together.
pub type Name = Cow<'static, str>;

/// The parameters that a cell declared, as `step` receives them.
pub type Params = Matrices;

/// The vectors that a cell carries from one time step to the next: each `[batch, width]`.
pub type State = Matrices;

/// The gradient of the loss for every parameter of the model, each of its parameter's shape.
pub type Gradients = Matrices;

/// Matrices with names, in a fixed order.
#[derive(Clone, Debug, Default)]
pub struct Matrices {
    entries: Vec<(Name, Tensor<2>)>,
}

impl Matrices {
    /// An empty list with room for `capacity` matrices.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { entries: Vec::with_capacity(capacity) }
    }

    /// Adds a matrix at the end.
    pub fn push(&mut self, name: impl Into<Name>, matrix: Tensor<2>) {
        self.entries.push((name.into(), matrix));
    }

    /// The matrix of a name, or those of an array of names: `get("h")`, `let [wx, b] = params.get(["wx", "b"])`. A clone of
    /// a tensor is a new handle, not a copy of its elements.
    ///
    /// # Panics
    /// When there is none of that name: a mistake in the plugin, which its conformance test finds.
    #[track_caller]
    pub fn get<N: Names>(&self, names: N) -> N::Tensors {
        names.tensors(self)
    }

    #[track_caller]
    fn one(&self, name: &str) -> Tensor<2> {
        match self.find(name) {
            Some(matrix) => matrix.clone(),
            None => {
                let known: Vec<_> = self.names().map(|name| format!("`{name}`")).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                panic!("no matrix is named `{name}`; there are {known}{}", did_you_mean(name, self.names()))
            }
        }
    }

    /// The matrix of that name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Tensor<2>> {
        self.entries.iter().find(|(known, _)| known == name).map(|(_, matrix)| matrix)
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_ref())
    }

    /// Names and matrices, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor<2>)> {
        self.entries.iter().map(|(name, matrix)| (name.as_ref(), matrix))
    }

    /// How many matrices there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The same names, each matrix replaced by what `change` makes of it.
    #[must_use]
    pub fn map(self, mut change: impl FnMut(&str, Tensor<2>) -> Tensor<2>) -> Self {
        let entries = self
            .entries
            .into_iter()
            .map(|(name, matrix)| {
                let changed = change(&name, matrix);
                (name, changed)
            })
            .collect();
        Self { entries }
    }

    /// The square root of the sum of all squared entries of all matrices, as one number on the device: `[1]`.
    ///
    /// # Panics
    /// When there are no matrices.
    pub fn global_norm(&self) -> Tensor<1> {
        self.iter()
            .map(|(_, matrix)| matrix.clone().square().sum())
            .reduce(|total, squares| total + squares)
            .expect("a model has at least one parameter")
            .sqrt()
    }
}

/// A name or an array of names, the argument of [`Matrices::get`].
pub trait Names {
    /// One tensor or an array of them.
    type Tensors;

    /// The tensors of these names.
    ///
    /// # Panics
    /// When there is none of a name.
    #[track_caller]
    fn tensors(self, matrices: &Matrices) -> Self::Tensors;
}

impl Names for &str {
    type Tensors = Tensor<2>;

    #[track_caller]
    fn tensors(self, matrices: &Matrices) -> Tensor<2> {
        matrices.one(self)
    }
}

impl Names for &String {
    type Tensors = Tensor<2>;

    #[track_caller]
    fn tensors(self, matrices: &Matrices) -> Tensor<2> {
        matrices.one(self)
    }
}

impl Names for &Name {
    type Tensors = Tensor<2>;

    #[track_caller]
    fn tensors(self, matrices: &Matrices) -> Tensor<2> {
        matrices.one(self)
    }
}

impl<const COUNT: usize> Names for [&str; COUNT] {
    type Tensors = [Tensor<2>; COUNT];

    #[track_caller]
    fn tensors(self, matrices: &Matrices) -> [Tensor<2>; COUNT] {
        // Not `map`: a closure does not pass on where it is called from.
        let mut tensors = Vec::with_capacity(COUNT);
        for name in self {
            tensors.push(matrices.one(name));
        }
        tensors.try_into().expect("there is a tensor for each name")
    }
}

impl IntoIterator for Matrices {
    type Item = (Name, Tensor<2>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl<N: Into<Name>, const COUNT: usize> From<[(N, Tensor<2>); COUNT]> for Matrices {
    fn from(entries: [(N, Tensor<2>); COUNT]) -> Self {
        entries.into_iter().collect()
    }
}

impl<N: Into<Name>> FromIterator<(N, Tensor<2>)> for Matrices {
    fn from_iter<I: IntoIterator<Item = (N, Tensor<2>)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().map(|(name, matrix)| (name.into(), matrix)).collect() }
    }
}
