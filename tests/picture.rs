//! Pictures: they show the numbers that they were given, whatever these are. With `HATCHERY_PICTURES` set to a folder,
//! the SVGs are kept there to be looked at.

use std::fs;

use hatchery::plot::{Histogram, Series, bars, chart, histogram_svg, loss_curve, sparkline};

fn series(label: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Series {
    Series { label: label.to_owned(), points: points.into_iter().collect(), ..Series::default() }
}

/// A loss that falls and trembles as real ones do, from a small linear generator.
fn falling(steps: u64) -> Vec<(f64, f64)> {
    let mut state = 1_u64;
    (0..steps)
        .map(|step| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = (state >> 40) as f64 / f64::from(1_u32 << 24) - 0.5;
            (step as f64, 1.6 + 1.8 * (-(step as f64) / 4000.0).exp() + noise * 0.5)
        })
        .collect()
}

fn keep(name: &str, svg: &str) {
    if let Some(folder) = std::env::var_os("HATCHERY_PICTURES") {
        fs::write(std::path::Path::new(&folder).join(name), svg).unwrap();
    }
}

/// The texts of an SVG.
fn texts(svg: &str) -> Vec<String> {
    svg.split("<text").skip(1).map(|text| text.split(['>', '<']).nth(1).unwrap().trim().to_owned()).collect()
}

/// The points of the first curve of an SVG that is drawn in the first color.
fn first_curve(svg: &str) -> Vec<(f64, f64)> {
    let curve = svg.split("<polyline").find(|line| line.contains("#0072B2")).expect("there is a curve");
    let points = curve.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
    let number = |text: &str| text.parse().unwrap();
    points.split_whitespace().map(|point| point.split_once(',').unwrap()).map(|(x, y)| (number(x), number(y))).collect()
}

/// Would catch: a picture without its axes, a legend that is missing or there for nothing.
#[test]
fn a_loss_curve_says_what_it_shows() {
    let raw = falling(35_000);
    let mut mean = raw[0].1;
    let smoothed: Vec<_> = raw
        .iter()
        .map(|(step, loss)| {
            mean = 0.999 * mean + 0.001 * loss;
            (*step, mean)
        })
        .collect();
    let svg = loss_curve(&[series("loss", raw), series("smoothed", smoothed)], "names/001", "nats per character");
    keep("loss.svg", &svg);
    let texts = texts(&svg);
    for expected in ["names/001", "nats per character", "step", "loss", "smoothed", "0", "5k", "30k", "2.0", "3.5"] {
        assert!(texts.iter().any(|text| text == expected), "no `{expected}` in {texts:?}");
    }
    assert!(svg.len() < 100_000, "35,000 points take {} bytes", svg.len());
    let alone = loss_curve(&[series("loss", falling(100))], "a title", "nats");
    assert!(!alone.contains("\nloss\n"), "one curve needs no legend");
}

/// Would catch: runs of one color, a validation in the color of another run, a legend that covers the curves.
#[test]
fn many_runs_are_distinguishable() {
    let runs: Vec<_> = (0..12)
        .map(|run| {
            let curve = |shift: f64| (0..40).map(|step| (f64::from(step), shift + 9.0 / f64::from(step + 2))).collect();
            Series {
                label: format!("run {run}"),
                points: curve(f64::from(run)),
                held_out: curve(f64::from(run) + 0.4),
                ..Series::default()
            }
        })
        .collect();
    let svg = loss_curve(&runs, "twelve runs", "nats per character");
    keep("twelve.svg", &svg);
    // A polyline of 40 points is a curve, one of two in its color a dash or its line in the legend.
    let lines = |points: std::ops::Range<usize>| -> Vec<String> {
        let lines = svg.split("<polyline").skip(1).filter(|line| points.contains(&line.matches(',').count()));
        lines.map(|line| line.split("stroke=\"").nth(1).unwrap()[..7].to_owned()).collect()
    };
    let colors = lines(30..100);
    let mut different = colors.clone();
    different.sort();
    different.dedup();
    assert_eq!((colors.len(), different.len()), (12, 12), "{colors:?}");
    let dashes = lines(1..10);
    for color in &colors {
        assert!(dashes.iter().filter(|dash| dash == &color).count() > 20, "the validation in {color} is not dashed");
    }
    let long = loss_curve(&[series(&"key 1, ".repeat(40), [(0.0, 1.0)]), series("b", [(1.0, 2.0)])], "", "");
    assert!(texts(&long).iter().all(|text| text.chars().count() < 110), "a label goes beyond the picture");
    let height = |text: &str| -> f64 {
        let before = &svg[..svg.find(&format!("\n{text}\n")).unwrap_or_else(|| panic!("no {text}:\n{svg}"))];
        before.rsplit(" y=\"").next().unwrap().split('"').next().unwrap().parse().unwrap()
    };
    for label in ["run 0", "run 11", "dashed: validation, a ring at the lowest"] {
        assert!(height(label) > height("step"), "{label} is in the picture");
    }
}

/// Would catch: an axis turned round, points dropped at the ends, and peaks lost when a long run is thinned out.
#[test]
fn a_curve_goes_through_its_points() {
    let mut points: Vec<_> = (0..30_000).map(|step| (f64::from(step), 1.0)).collect();
    points[12_345].1 = 9.0;
    points[29_999].1 = 2.0;
    let curve = first_curve(&loss_curve(&[series("loss", points)], "", ""));
    let top = curve.iter().map(|(_, y)| *y).fold(f64::INFINITY, f64::min);
    let peak = curve.iter().find(|(_, y)| *y <= top).unwrap();
    let (first, last) = (curve[0], curve[curve.len() - 1]);
    assert!(first.0 < peak.0 && peak.0 < last.0);
    assert!(((peak.0 - first.0) / (last.0 - first.0) - 12_345.0 / 29_999.0).abs() < 0.005);
    let share = (first.1 - last.1) / (first.1 - peak.1);
    assert!((share - 1.0 / 8.0).abs() < 0.01, "2 stands an eighth of the way from 1 to 9, not {share}");
}

/// Would catch: a panic, an endless loop or a picture of `NaN` for numbers that training can produce.
#[test]
fn any_numbers_can_be_drawn() {
    let cases: Vec<(&str, Vec<(f64, f64)>)> = vec![
        ("none", vec![]),
        ("one", vec![(0.0, 3.0)]),
        ("one-zero", vec![(0.0, 0.0)]),
        ("constant", (0..50).map(|step| (f64::from(step), 2.312_585)).collect()),
        ("nan", vec![(0.0, f64::NAN), (1.0, 2.0), (2.0, f64::INFINITY), (3.0, 1.0), (4.0, f64::NEG_INFINITY)]),
        ("only-nan", vec![(0.0, f64::NAN)]),
        ("huge", vec![(0.0, 1.0), (1.0, 1e12), (2.0, f64::MAX), (3.0, f64::MIN)]),
        ("diverged", (0..30).map(|step| (f64::from(step), 1.5_f64.powi(step))).collect()),
        ("tiny", vec![(0.0, 5e-324), (1.0, 1e-310)]),
        ("close", vec![(1e15, 1.0), (1e15 + 1.0, 1.0 + f64::EPSILON)]),
        ("small", vec![(0.0, 1.1e-7), (1.0, 1.3e-7), (2.0, 1.2e-7)]),
        ("negative", vec![(-3.0, -0.5), (-2.0, 0.5), (-1.0, 0.0)]),
        ("million", vec![(0.0, 80.0), (1_000_000.0, 20.0)]),
    ];
    for (name, points) in cases {
        let svg = loss_curve(&[series("loss", points.clone())], name, "nats per character");
        keep(&format!("{name}.svg"), &svg);
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN") && !svg.contains("inf"), "{name}");
        let labels = texts(&svg);
        let ticks: Vec<_> = labels.iter().filter(|text| text.starts_with(|c: char| c.is_ascii_digit())).collect();
        assert!(ticks.len() >= 2 && ticks.len() < 40, "{name}: {ticks:?}");
        let text = chart(&points, 60, 12);
        assert!(text.lines().all(|line| line.chars().count() <= 60), "{name}:\n{text}");
        let values: Vec<_> = points.iter().map(|(_, y)| *y).collect();
        let finite = values.iter().filter(|value| value.is_finite()).count();
        assert_eq!(sparkline(&values, 20).chars().count(), finite.min(20), "{name}");
        let histogram = Histogram::of(values.iter().copied(), 12);
        keep(&format!("{name}-histogram.svg"), &histogram_svg(&histogram, name, "loss"));
        bars(&histogram, 60);
    }
}

/// Would catch: markup made of a user's text.
#[test]
fn texts_are_escaped() {
    let svg = loss_curve(&[series("a<b", [(0.0, 1.0)]), series("&\u{7}", [(1.0, 2.0)])], "<script>\n\"x\" & y", "é");
    keep("escaped.svg", &svg);
    assert!(svg.contains("&lt;script&gt;") && svg.contains("a&lt;b") && !svg.contains("<script"));
    assert!(!svg.contains('\u{7}'), "XML does not allow it");
}

/// Would catch: levels turned round, averages over the wrong part.
#[test]
fn a_sparkline_is_as_high_as_its_numbers() {
    assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8), "▁▂▃▄▅▆▇█");
    assert_eq!(sparkline(&[3.0, 2.0, 1.0, f64::NAN, 0.0], 4), "█▆▃▁");
    assert_eq!(sparkline(&[7.0, 7.0, 0.0, 0.0], 2), "█▁");
    assert_eq!(sparkline(&[f64::MAX, f64::MAX, 0.0, 0.0], 2), "█▁");
    assert!(["▄▄", "▅▅"].contains(&sparkline(&[4.0, 4.0], 8).as_str()), "what does not change is in the middle");
    assert_eq!(sparkline(&[], 8), "");
    assert_eq!(sparkline(&[1.0], 0), "");
}

/// Would catch: a chart whose axes do not fit its curve. The text was looked at, not computed by another program.
#[test]
fn a_chart_has_axes() {
    let points: Vec<_> = (0..=100).map(|step| (f64::from(step) * 10.0, 4.0 - f64::from(step) * 0.03)).collect();
    let text = chart(&points, 50, 12);
    if std::env::var_os("HATCHERY_PICTURES").is_some() {
        println!("{text}{}", chart(&falling(35_000), 78, 16));
    }
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 12);
    assert!(lines[0].starts_with("4┤⠉"), "the curve begins at the top left:\n{text}");
    assert!(lines[9].starts_with("1┤") && lines[9].chars().count() == 50, "and ends at the bottom right:\n{text}");
    assert!(lines[9].ends_with('⣀'), "{text}");
    assert_eq!(lines[11].split_whitespace().collect::<Vec<_>>(), ["0", "500", "1000"]);
}

/// Would catch: values counted in the neighboring interval, most of all those on an edge.
#[test]
fn a_histogram_counts_every_value_once() {
    let lengths = Histogram::of([3.0, 4.0, 4.0, 9.0], 20);
    assert_eq!((lengths.start, lengths.width), (3.0, 1.0));
    assert_eq!(lengths.counts, [1, 2, 0, 0, 0, 0, 1]);
    assert_eq!(lengths.label(1), "4");
    let wide = Histogram::of((0..100).map(f64::from), 10);
    assert_eq!(wide.counts, [10; 10]);
    assert_eq!(wide.label(1), "10–19");
    let shares = Histogram::of((0..=100).map(|index| f64::from(index) / 100.0), 10);
    assert_eq!(shares.counts, [10, 10, 10, 10, 10, 10, 10, 10, 10, 10, 1]);
    assert_eq!(shares.label(3), "0.3–0.4");
    assert_eq!(Histogram::of([f64::NAN], 10).counts, [0; 0]);
    let same = Histogram::of([2.312_585; 50], 10);
    assert_eq!((same.counts.as_slice(), same.label(0).as_str()), (&[50][..], "2.30–2.35"));
    let lengths =
        Histogram::of((0..2000).map(|index| (f64::from(index) * 0.37).sin() * 5.0 + 12.0).map(f64::round), 30);
    keep("lengths.svg", &histogram_svg(&lengths, "names: characters in a name", "characters"));
    assert_eq!(lengths.counts.iter().sum::<u64>(), 2000);
}

/// Would catch: bars out of proportion, and a rare value that is not seen.
#[test]
fn bars_are_in_proportion() {
    let histogram = Histogram { start: 8.0, width: 1.0, counts: vec![1, 500, 1000, 0], whole: true };
    let text = bars(&histogram, 24);
    assert_eq!(text, " 8 │▏ 1\n 9 │███████▌ 500\n10 │███████████████ 1000\n11 │0\n");
    assert!(text.lines().all(|line| line.chars().count() <= 24));
}
