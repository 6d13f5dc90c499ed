//! How fast the compiled executor is: medians, printed when `HATCHERY_BENCH` is set.
//!
//! ```text
//! HATCHERY_BENCH=1 cargo test --release -p hatchery-cli --test hatchery compile::speed -- --nocapture --test-threads 1
//! ```

use std::time::Instant;

use hatchery_cells::{Gru, Lstm, Vanilla};
use hatchery_clippers::Value;
use hatchery_compile::{Dtype, Options};

use super::{
    cell, compiled,
    reference::{Batch, Case, Draws, Noise},
};

/// The median time of a call in milliseconds, of 11 batches of calls, each about as long as `budget` milliseconds; and
/// the least, which a busy machine disturbs less.
pub(super) fn median(budget: f64, mut call: impl FnMut()) -> (f64, f64) {
    call();
    let start = Instant::now();
    call();
    let once = start.elapsed().as_secs_f64() * 1e3;
    let count = (budget / once).clamp(1.0, 1e6) as usize;
    let mut times: Vec<f64> = (0..11)
        .map(|_| {
            let start = Instant::now();
            (0..count).for_each(|_| call());
            start.elapsed().as_secs_f64() * 1e3 / count as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    (times[5], times[0])
}

fn layers(kind: &str, hidden: usize, count: usize) -> Vec<Box<dyn hatchery_plugin::host::HostCell>> {
    let keys = format!(r#"{{"hidden": {hidden}}}"#);
    let one = || match kind {
        "vanilla" => cell::<Vanilla>(&keys),
        "gru" => cell::<Gru>(&keys),
        _ => cell::<Lstm>(&keys),
    };
    (0..count).map(|_| one()).collect()
}

#[test]
fn speed() {
    if std::env::var_os("HATCHERY_BENCH").is_none() {
        println!("skipped: HATCHERY_BENCH is not set");
        return;
    }
    let rows = [
        ("vanilla", 27, 50, 1, 12, 1, Dtype::F64),
        ("vanilla", 65, 128, 1, 100, 50, Dtype::F32),
        ("lstm", 65, 128, 1, 100, 50, Dtype::F32),
        ("gru", 65, 128, 1, 100, 50, Dtype::F32),
        ("lstm", 65, 128, 2, 100, 50, Dtype::F32),
        ("lstm", 38, 128, 2, 40, 128, Dtype::F32),
        ("lstm", 65, 512, 2, 100, 50, Dtype::F32),
    ];
    let only = std::env::var("HATCHERY_BENCH").unwrap_or_default();
    for (kind, vocabulary, hidden, count, steps, batch, dtype) in rows {
        if !format!("{kind} V{vocabulary} H{hidden} L{count}").contains(only.trim_start_matches('1')) {
            continue;
        }
        let mut case = Case::new(vocabulary, layers(kind, hidden, count));
        case.clippers = vec![Box::new(Value { limit: 5.0 })];
        let batch = Batch::random(&mut Noise(1), vocabulary, batch, steps, false);
        let start = Instant::now();
        let mut model = compiled(&case, dtype, Options::default());
        let compile = start.elapsed().as_secs_f64() * 1e3;
        let mut one = compiled(&case, dtype, Options { threads: Some(1), ..Options::default() });
        let time = median(if count > 1 { 60.0 } else { 3.0 }, || {
            model.train(&batch.view(), &Draws(0), 1e-4);
            model.losses();
        });
        let alone = median(if count > 1 { 60.0 } else { 3.0 }, || {
            one.train(&batch.view(), &Draws(0), 1e-4);
            one.losses();
        });
        let rows = batch.rows;
        println!(
            "{kind} V{vocabulary} H{hidden} L{count} T{steps} B{rows} {dtype:?}: {:.4} ms (least {:.4}), one thread {:.4} ms (least {:.4}), \
             compiled in {compile:.1} ms, {} MB",
            time.0,
            time.1,
            alone.0,
            alone.1,
            model.bytes() >> 20
        );
    }
    for hidden in [128, 512] {
        if !format!("generation H{hidden}").contains(only.trim_start_matches('1')) {
            continue;
        }
        let mut model = compiled(&Case::new(65, layers("lstm", hidden, 1)), Dtype::F32, Options::default());
        model.begin(1);
        let time = median(20.0, || {
            model.advance(&[7]);
        });
        println!("generation LSTM H{hidden}: {:.0} characters a second (most {:.0})", 1e3 / time.0, 1e3 / time.1);
    }
}
