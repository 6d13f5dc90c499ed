//! What every wrapper must keep to: around a cell of the kit it is a cell that keeps to all that cells must keep to.
//!
//! | check | finds |
//! | --- | --- |
//! | fits a cell | a wrapper that refuses every cell, whatever the widths |
//! | identity kept | a wrapper that promises to be the identity around a cell that returns its input, and is not |

use burn::{
    Tensor,
    tensor::{DType, Device},
};

use super::{
    cell,
    numbers::{Matrix, SplitMix},
    report::{Report, Verdict},
};
use crate::{
    Cell, ParamSpec, Params, State, StateSpec, bias,
    host::{HostCell, HostWrapper, WrappedCell},
    linear, linear_no_bias, recurrent, weight, zeros,
};

/// A cell with two vectors of which one is the output, as wide as its input.
struct Within;

impl Cell for Within {
    fn params(&self, inputs: usize) -> Vec<ParamSpec> {
        vec![weight("wx", [inputs, inputs]), recurrent("wh", inputs), bias("b", inputs)]
    }

    fn state(&self, inputs: usize) -> Vec<StateSpec> {
        vec![zeros("h", inputs), zeros("mean", inputs)]
    }

    fn step(&self, params: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        let [wx, wh, b] = params.get(["wx", "wh", "b"]);
        let [h, mean] = state.get(["h", "mean"]);
        let h = (linear(x, wx, b) + linear_no_bias(h, wh) + mean.clone() * 0.5).tanh(); // [batch, inputs]
        let mean = mean * 0.5 + h.clone() * 0.5;
        (h.clone(), State::from([("h", h), ("mean", mean)]))
    }
}

/// A cell that returns its input.
struct Identity;

impl Cell for Identity {
    fn params(&self, _: usize) -> Vec<ParamSpec> {
        Vec::new()
    }

    fn state(&self, _: usize) -> Vec<StateSpec> {
        Vec::new()
    }

    fn outputs(&self, inputs: usize) -> usize {
        inputs
    }

    fn step(&self, _: &Params, x: Tensor<2>, state: State) -> (Tensor<2>, State) {
        (x, state)
    }
}

/// Makes the checks of this file, and those of cells. `twin` is built from the same keys.
pub(super) fn check(report: &mut Report, name: &str, wrapper: Box<dyn HostWrapper>, twin: Box<dyn HostWrapper>) {
    let promises = wrapper.keeps_identity();
    let around = |wrapper, cell| WrappedCell::new(format!("{name}."), wrapper, cell);
    let cell = around(wrapper, Box::new(Within));
    let fits = report.run("fits a cell", || {
        cell.declare(3)?;
        Ok("around a cell as wide as its input".into())
    });
    if !fits {
        return;
    }
    if promises {
        let identity = around(twin, Box::new(Identity));
        report.run("identity kept", || identity_kept(&identity));
        cell::check(report, &cell, &cell);
    } else {
        cell::check(report, &cell, &around(twin, Box::new(Within)));
    }
}

fn identity_kept(cell: &WrappedCell) -> Verdict {
    const NEAR: f64 = 1e-12;
    let device = Device::flex();
    let mut rng = SplitMix::new(1);
    let declared = cell.declare(3)?;
    let mut matrix = |name: &str, shape| (name.to_owned(), Matrix::normal(name, shape, 1.0, &mut rng));
    let x = matrix("x", [4, 3]).1;
    let params: Vec<_> = declared.arguments(3, 4).iter().skip(1).map(|(name, shape)| matrix(name, *shape)).collect();
    let tensors: Params =
        params.iter().map(|(name, matrix)| (name.clone(), matrix.tensor(&device, DType::F64))).collect();
    let (output, _) = cell.step(&tensors, x.tensor(&device, DType::F64), tensors.clone())?;
    let (difference, place) = x.largest_difference(&Matrix::read("x", &output));
    if difference.is_nan() || difference > NEAR {
        return Err(format!("around a cell that returns its input it changes it: {place}"));
    }
    Ok(format!("largest relative difference {difference:.1e}"))
}
