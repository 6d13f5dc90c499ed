//! Whether a cell's recorded step is its step: the one check of a cell that needs the replay.

use burn::{
    Tensor,
    tensor::{DType, Device, TensorData},
};
use hatchery_plugin::{
    Build, Name, Params, PluginError, State, Variant,
    capture::{capture_step, catch_panic},
    conformance::{Outcome, Report},
    host::HostCell,
};
use serde_json::Value;

use super::Program;

/// Numbers of rows at which steps are recorded.
const ROWS: [usize; 4] = [1, 2, 3, 7];
/// Width of the input.
const INPUTS: usize = 3;

/// Adds a line to a report on a cell: its step, called and replayed, with several numbers of rows and both
/// dtypes.
pub fn probe(variant: &Variant, keys: &Value, report: &mut Report) {
    let Build::Cell(build) = &variant.build else { return };
    let result = match build(keys.clone()) {
        Ok((cell, _)) => catch_panic(|| agrees(&*cell)).flatten(),
        Err(error) => Err(error.message),
    };
    report.outcomes.push(Outcome { check: "recorded equals direct", result });
}

fn agrees(cell: &dyn HostCell) -> Result<String, String> {
    let device = Device::default();
    for dtype in [DType::F32, DType::F64] {
        let mut first: Option<Vec<f64>> = None;
        for rows in ROWS {
            let arguments = arguments(cell, rows, dtype, &device)?;
            let direct = direct(cell, &arguments)?;
            let shapes: Vec<_> = arguments.iter().map(|(name, tensor)| (name.clone(), tensor.dims())).collect();
            let results: Vec<_> = direct.iter().map(|(name, tensor)| (name.clone(), tensor.dims())).collect();
            let captured = capture_step(cell, INPUTS, rows, dtype)?;
            let program = Program::new(&captured, &shapes, &results, dtype)?;
            let replayed = program.run(arguments.into_iter().map(|(_, tensor)| tensor).collect());
            for ((name, direct), replayed) in direct.iter().zip(&replayed) {
                if numbers(direct) != numbers(replayed) {
                    return Err(format!("`{name}` of {rows} rows in {dtype:?} is not what its recording gives"));
                }
            }
            let row: Vec<_> = direct.iter().flat_map(|(_, tensor)| numbers(&tensor.clone().narrow(0, 0, 1))).collect();
            let known = first.get_or_insert_with(|| row.clone());
            // Matrix products of another size may add up in another order.
            let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-5 * (1.0 + b.abs());
            if !row.iter().zip(known.iter()).all(near) {
                return Err(format!("the first of {rows} rows in {dtype:?} is not what it is of {} rows", ROWS[0]));
            }
        }
    }
    Ok(format!("{ROWS:?} rows, f32 and f64, to the last bit"))
}

/// Named matrices, or why the library did not give what they follow from.
type Arguments = Result<Vec<(Name, Tensor<2>)>, PluginError>;

/// The arguments of a step, of made-up numbers; the first row is always the same.
fn arguments(cell: &dyn HostCell, rows: usize, dtype: DType, device: &Device) -> Arguments {
    let shapes = cell.declare(INPUTS)?.arguments(INPUTS, rows);
    let make = |(index, (name, shape)): (usize, (Name, [usize; 2]))| {
        let value = |at: usize| 0.4 * ((1 + at) as f64 * 0.7 + index as f64).sin();
        let values: Vec<_> = (0..shape[0] * shape[1]).map(value).collect();
        (name, Tensor::from_data(TensorData::new(values, shape), (device, dtype)))
    };
    Ok(shapes.into_iter().enumerate().map(make).collect())
}

fn direct(cell: &dyn HostCell, arguments: &[(Name, Tensor<2>)]) -> Arguments {
    let first_vector = arguments.len() - cell.declare(INPUTS)?.state.len();
    let params: Params = arguments[1..first_vector].iter().cloned().collect();
    let state: State = arguments[first_vector..].iter().cloned().collect();
    let (output, next) = cell.step(&params, arguments[0].1.clone(), state)?;
    Ok(std::iter::once((Name::from("output"), output)).chain(next).collect())
}

fn numbers(tensor: &Tensor<2>) -> Vec<f64> {
    tensor.clone().into_data().iter::<f64>().collect()
}
