//! A text as a picture, its characters colored by how surprising they are to a model.

use std::fmt::Write;

/// Characters of a row of the picture; longer lines are wrapped.
const WIDTH: usize = 90;
/// Width and height of a character, in pixels.
const CELL: (usize, usize) = (9, 20);
const MARGIN: usize = 16;
/// The surprise of the strongest color, in bits; what is more surprising has that color too.
const MOST: f64 = 8.0;

/// A text as SVG: lines of characters, each with its surprise in nats, if it was predicted.
pub fn surprise_svg(lines: &[Vec<(char, Option<f64>)>], title: &str) -> String {
    let rows: Vec<&[(char, Option<f64>)]> = lines.iter().flat_map(|line| line.chunks(WIDTH)).collect();
    let longest = rows.iter().map(|row| row.len()).max().unwrap_or(0).max(40);
    let (width, height) = (2 * MARGIN + longest * CELL.0, 2 * MARGIN + (rows.len() + 3) * CELL.1);
    let mut svg = format!(
        "<svg width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" xmlns=\"http://www.w3.org/2000/svg\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#FFFFFF\"/>\n\
         <g font-family=\"monospace\" font-size=\"14\" fill=\"#333333\">\n"
    );
    let mut text = |x: usize, row: usize, color: Option<String>, shown: &str| {
        let y = MARGIN + row * CELL.1;
        if let Some(color) = color {
            let width = CELL.0 * shown.chars().count();
            let _ =
                writeln!(svg, "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{color}\"/>", CELL.1);
        }
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" xml:space=\"preserve\">{}</text>", y + 15, escaped(shown));
    };
    text(MARGIN, 0, None, title);
    for (row, symbols) in rows.iter().enumerate() {
        for (column, (symbol, nats)) in symbols.iter().enumerate() {
            let shown = if *symbol == '\n' { '↵' } else { *symbol };
            text(MARGIN + column * CELL.0, row + 1, nats.map(color), &shown.to_string());
        }
    }
    let mut x = MARGIN;
    for bits in [0.0, 1.0, 2.0, 4.0, MOST] {
        let label = if bits < MOST { format!(" {bits} bits ") } else { format!(" {bits} bits or more ") };
        text(x, rows.len() + 2, Some(color(bits * std::f64::consts::LN_2)), &label);
        x += label.chars().count() * CELL.0;
    }
    svg + "</g>\n</svg>\n"
}

/// From white to orange.
fn color(nats: f64) -> String {
    let share = (nats / std::f64::consts::LN_2 / MOST).clamp(0.0, 1.0);
    let channel = |end: f64| (255.0 + share * (end - 255.0)).round() as u8;
    format!("#{:02X}{:02X}{:02X}", channel(230.0), channel(120.0), channel(0.0))
}

fn escaped(text: &str) -> String {
    let escape = |symbol: char| match symbol {
        '&' => "&amp;".to_owned(),
        '<' => "&lt;".to_owned(),
        '>' => "&gt;".to_owned(),
        control if control.is_control() => " ".to_owned(),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}
