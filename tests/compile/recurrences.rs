//! The cells of plugins/examples/recurrences, compiled: norms within a step, linear recurrences, and matrices as state.

use hatchery_compile::{Dtype, Head, Options};
use hatchery_plugin::host::HostCell;

use super::{
    compare, compiled, description, executable,
    reference::{Batch, Case, Draws, Noise},
};

#[path = "../../plugins/examples/recurrences/src"]
#[expect(unreachable_pub, reason = "they are a library's")]
mod cells {
    pub(super) mod gated_delta_net;
    pub(super) mod layer_norm_lstm;
    pub(super) mod min_gru;
    pub(super) mod mlstm;
    pub(super) mod slstm;

    hatchery_plugin::plugins![min_gru::MinGru, mlstm::Mlstm, slstm::Slstm];
}
pub(crate) use cells::plugins;
use cells::{gated_delta_net, layer_norm_lstm, min_gru, mlstm, slstm};

const NAMES: [&str; 5] = ["layer-norm-lstm", "min-gru", "slstm", "mlstm", "gated-delta-net"];

/// One of the cells.
pub(crate) fn cell(name: &str, hidden: usize, heads: usize) -> Box<dyn HostCell> {
    match name {
        "layer-norm-lstm" => Box::new(layer_norm_lstm::LayerNormLstm { hidden }),
        "min-gru" => Box::new(min_gru::MinGru { hidden }),
        "slstm" => Box::new(slstm::Slstm { hidden, heads }),
        "mlstm" => Box::new(mlstm::Mlstm { hidden, heads }),
        "gated-delta-net" => Box::new(gated_delta_net::GatedDeltaNet { hidden, heads }),
        other => panic!("no cell is called {other}"),
    }
}

fn case(name: &str, hidden: usize, heads: usize, layers: usize) -> Case {
    let mut case = Case::new(9, (0..layers).map(|_| cell(name, hidden, heads)).collect());
    case.rate = 0.01;
    case
}

#[test]
fn all_agree_with_burn() {
    for name in NAMES {
        for (hidden, heads, layers) in [(6, 2, 1), (20, 4, 2), (34, 2, 1)] {
            println!("{name} {hidden} {heads} {layers}");
            let case = case(name, hidden, heads, layers);
            compare(Dtype::F64, &case, &[(3, 5), (1, 7), (27, 6)], 6, 1e-11);
            compare(Dtype::F32, &case, &[(3, 5), (27, 6)], 4, 1e-3);
        }
    }
}

/// One long sequence, or two, run in chunks of time. Would catch: a chunk that reads what another has not computed yet, a sum over
/// time that lacks a chunk, buffers that a longer batch needs and a shorter one left too small.
#[test]
fn a_few_long_sequences_agree_with_burn() {
    for (name, hidden, layers, embedding, dropout) in [
        ("min-gru", 128, 1, None, 0.0),
        ("min-gru", 128, 2, Some(5), 0.0),
        ("min-gru", 256, 2, None, 0.3),
        ("mlstm", 64, 2, None, 0.0),
        ("gated-delta-net", 64, 1, Some(5), 0.0),
    ] {
        let mut case = case(name, hidden, 4, layers);
        (case.embedding, case.dropout, case.rate) = (embedding, dropout, 1e-4);
        compare(Dtype::F64, &case, &[(1, 300), (2, 263), (1, 40), (30, 3)], 4, 1e-11);
    }
    for (hidden, head) in [(128, Head::Tied), (9, Head::LastLayer)] {
        let mut case = case("min-gru", hidden, 4, 2);
        (case.embedding, case.head, case.rate) = (Some(hidden), head, 1e-4);
        compare(Dtype::F64, &case, &[(1, 300), (1, 40)], 4, 1e-11);
    }
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    for (name, shape) in NAMES.iter().map(|name| (*name, (40, 9))).chain([("min-gru", (1, 600)), ("mlstm", (1, 300))]) {
        let case = case(name, 128, 4, 2);
        let batches: Vec<Batch> =
            (0..2).map(|seed| Batch::random(&mut Noise(seed), 9, shape.0, shape.1, true)).collect();
        let run = |threads: usize| {
            let mut model = compiled(&case, Dtype::F32, Options { threads: Some(threads), ..Options::default() });
            batches.iter().for_each(|batch| model.train(&batch.view(), &Draws(0), 0.01));
            let evaluated = model.evaluate(&batches[0].view());
            (model.losses(), model.parameters(), model.state(), evaluated)
        };
        let alone = run(1);
        assert_eq!(alone, run(2), "{name}");
        assert_eq!(alone, run(3), "{name}");
    }
}

/// The time loop of a linear recurrence is a multiplication and an addition, whatever the form in which the cell has it.
#[test]
fn linear_recurrences_are_found() {
    let step = |name: &str| {
        let case = case(name, 128, 4, 1);
        hatchery_compile::dump(&description(&case), "emit").unwrap()
    };
    let listing = step("min-gru");
    let time_loop = listing.split("time step, forward:\n").nth(1).and_then(|rest| rest.split("after").next()).unwrap();
    let kernels: Vec<&str> = time_loop.lines().filter(|line| line.contains("kernel")).collect();
    assert!(kernels[0].ends_with(": MulAdd") && kernels[1].ends_with(": Add Mul Mul"), "{listing}");
    // Its output gate sees the state, and so its cell state is no linear recurrence.
    assert!(step("layer-norm-lstm").split("time step, forward:").nth(1).unwrap().contains("Sigmoid"));
}

/// How fast they are, printed when `HATCHERY_BENCH` is set, as in `speed.rs`.
#[test]
fn speed() {
    if std::env::var_os("HATCHERY_BENCH").is_none() {
        println!("skipped: HATCHERY_BENCH is not set");
        return;
    }
    for (name, rows, steps) in NAMES.iter().map(|name| (*name, 50, 100)).chain([("min-gru", 1, 4096)]) {
        let case = Case::new(65, vec![cell(name, 128, 4)]);
        let batch = Batch::random(&mut Noise(1), 65, rows, steps, false);
        let times: Vec<f64> = [2, 1]
            .map(|threads| {
                let options = Options { threads: Some(threads), ..Options::default() };
                let mut model = executable(&case, &case.values(7), Dtype::F32, options);
                super::speed::median(30.0, || {
                    model.train(&batch.view(), &Draws(0), 1e-5);
                    model.losses();
                })
                .0
            })
            .into();
        println!("{name} B{rows} T{steps}: {:.3} ms, one thread {:.3} ms", times[0], times[1]);
    }
}
