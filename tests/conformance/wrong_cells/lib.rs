//! Cells that each make one mistake. Above each stands what `hatchery plugins check` and `hatchery train` must say.

use hatchery_plugin::prelude::*;

/// A cell with the parameters, the state and the keys of a plain one.
macro_rules! wrong {
    ($type:ident $name:literal, $doc:literal, |$self:ident, $params:ident, $x:ident, $state:ident| $body:block) => {
        crate::wrong!($type $name, $doc, {}, |this, inputs| crate::params(this.hidden, inputs), |_this| Ok(()),
            |$self, $params, $x, $state| $body);
    };
    ($type:ident $name:literal, $doc:literal, { $($key:tt)* }, |$of:ident, $inputs:ident| $declare:expr,
        |$this:ident| $valid:expr, |$self:ident, $params:ident, $x:ident, $state:ident| $body:block) => {
        #[doc = $doc]
        #[plugin(cell = $name)]
        pub struct $type {
            /// Width of the hidden state.
            #[plugin(min = 1)]
            pub hidden: usize,
            $($key)*
        }

        impl Cell for $type {
            fn validate(&self) -> Result<(), PluginError> {
                let $this = self;
                $valid
            }

            fn params(&self, $inputs: usize) -> Vec<ParamSpec> {
                let $of = self;
                $declare
            }

            fn state(&self, _inputs: usize) -> Vec<StateSpec> {
                vec![zeros("h", self.hidden)]
            }

            fn step(&$self, $params: &Params, $x: Tensor<2>, $state: State) -> (Tensor<2>, State) $body
        }
    };
}
pub(crate) use wrong;

mod shapes;
mod names;
mod values;
mod purity;
mod numbers;
mod gradients;
mod declared;
mod more;

fn params(hidden: usize, inputs: usize) -> Vec<ParamSpec> {
    vec![weight("wx", [hidden, inputs]), recurrent("wh", hidden), bias("b", hidden)]
}

fn plain(params: &Params, x: Tensor<2>, state: &State) -> Tensor<2> {
    let [wx, wh, b] = params.get(["wx", "wh", "b"]);
    (linear(x, wx, b) + linear_no_bias(state.get("h"), wh)).tanh() // [batch, hidden]
}

fn done(h: Tensor<2>) -> (Tensor<2>, State) {
    (h.clone(), State::from([("h", h)]))
}

library![
    shapes::Transpose,
    shapes::Column,
    shapes::Grows,
    shapes::TooWide,
    shapes::StacksRows,
    shapes::Sixteen,
    shapes::Narrow,
    shapes::Chunk,
    shapes::SumOfWidths,
    shapes::OneRow,
    names::Undeclared,
    names::Mistyped,
    names::NoSuchState,
    names::Renames,
    names::Forgets,
    names::Twice,
    values::Looks,
    values::ReadsAll,
    values::Index,
    values::Unwraps,
    values::Draws,
    values::Topk,
    values::Prints,
    purity::Clock,
    purity::Global,
    purity::BatchMean,
    purity::BatchSoftmax,
    purity::Flips,
    numbers::Log,
    numbers::NormZero,
    numbers::NormPlain,
    numbers::NormOutside,
    numbers::Exp,
    numbers::Single,
    numbers::Rounds,
    gradients::Unused,
    gradients::Sign,
    declared::Heads,
    declared::Validated,
    declared::Option,
    more::TransposedTwice,
    more::Sideways,
    more::NoWeights,
    more::MeanOfAll,
    more::SoftmaxByHand,
    more::RootOfNegative,
    more::DividesByState,
    more::KnowsItsSizes,
    more::Unfinished,
    more::OneMore,
];
