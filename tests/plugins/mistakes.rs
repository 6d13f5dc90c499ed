//! Cells that each make one mistake.

use hatchery_plugin::{burn::tensor::Distribution, prelude::*};

macro_rules! mistake {
    ($name:ident $plugin:literal, |$params:ident| $declare:expr, |$x:ident| $step:expr) => {
        /// A cell with a mistake.
        #[plugin(cell = $plugin)]
        pub struct $name {
            /// Width of the hidden state.
            pub hidden: usize,
        }

        impl Cell for $name {
            fn params(&self, inputs: usize) -> Vec<ParamSpec> {
                let $params = vec![weight("w", [self.hidden, inputs])];
                $declare
            }
            fn state(&self, _inputs: usize) -> Vec<StateSpec> {
                vec![zeros("h", self.hidden)]
            }
            fn step(&self, params: &Params, x: Tensor<2>, _state: State) -> (Tensor<2>, State) {
                let $x = linear_no_bias(x, params.get("w"));
                let h = $step;
                (h.clone(), State::from([("h", h)]))
            }
        }
    };
}

mistake!(PanicsInParams "panics-in-params", |_params| panic!("no such width"), |x| x);
mistake!(PanicsInStep "panics-in-step", |params| params, |x| if x.dims()[0] > 0 { panic!("no such step") } else { x });
mistake!(Reads "reads", |params| params, |x| {
    let largest: f64 = x.clone().max().into_scalar();
    x / largest
});
mistake!(Draws "draws", |params| params, |x| x.random_like(Distribution::Default));

/// A cell that takes noise which it has not declared.
#[plugin(cell = "takes-noise")]
pub struct TakesNoise {
    /// Width of the hidden state.
    pub hidden: usize,
}

impl Cell for TakesNoise {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("w", [self.hidden, inputs])]
    }
    fn state(&self, _inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", self.hidden)]
    }
    fn step(&self, params: &Params, x: Tensor<2>, _state: State) -> (Tensor<2>, State) {
        let h = linear_no_bias(x, params.get("w")) * params.get("keep");
        (h.clone(), State::from([("h", h)]))
    }
}

library![PanicsInParams, PanicsInStep, Reads, Draws, TakesNoise];
