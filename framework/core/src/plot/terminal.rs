//! Curves and histograms as text for the terminal.

use super::{axis::Axis, histogram::Histogram};

/// A curve in one line of at most `width` characters: the lowest value is `▁`, the highest `█`. If there are more
/// points than characters they are averaged; non-finite values are ignored.
///
/// ```
/// use hatchery::plot::sparkline;
///
/// assert_eq!(sparkline(&[3.0, 2.0, 1.0, f64::NAN, 0.0], 4), "█▆▃▁");
/// ```
pub fn sparkline(points: &[f64], width: usize) -> String {
    const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let points: Vec<_> = points.iter().copied().filter(|point| point.is_finite()).collect();
    let columns = width.min(points.len());
    let means: Vec<f64> = (0..columns)
        .map(|column| {
            let part = &points[column * points.len() / columns..(column + 1) * points.len() / columns];
            // Divided before the sum, so that huge losses do not overflow.
            part.iter().map(|point| point / part.len() as f64).sum()
        })
        .collect();
    let axis = Axis::tight(means.iter().copied(), 1);
    means.iter().map(|mean| LEVELS[(axis.share(*mean) * 7.0).round() as usize]).collect()
}

/// A curve with its axes in `width` by `height` characters, the curve in Braille dots. Non-finite values are
/// ignored. The smallest size is 24 by 6.
pub fn chart(points: &[(f64, f64)], width: usize, height: usize) -> String {
    draw(&[(None, points)], width, height)
}

/// Several curves in one [`chart`], each with its letter at its end.
pub fn charts(curves: &[(char, &[(f64, f64)])], width: usize, height: usize) -> String {
    let curves: Vec<_> = curves.iter().map(|(letter, points)| (Some(*letter), *points)).collect();
    draw(&curves, width, height)
}

#[expect(clippy::type_complexity, reason = "a mark and its points, nowhere else")]
fn draw(curves: &[(Option<char>, &[(f64, f64)])], width: usize, height: usize) -> String {
    let finite = |(x, y): &(f64, f64)| x.is_finite() && y.is_finite();
    let curves: Vec<(_, Vec<_>)> = curves
        .iter()
        .map(|(letter, points)| (*letter, points.iter().copied().filter(finite).collect()))
        .filter(|(_, points): &(_, Vec<_>)| !points.is_empty())
        .collect();
    if curves.is_empty() {
        return "nothing to draw yet\n".to_owned();
    }
    let all = || curves.iter().flat_map(|(_, points)| points);
    let (width, rows) = (width.max(24), height.max(6) - 2);
    let y = Axis::rounded(all().map(|(_, y)| *y), (rows / 3).max(1));
    let margin = y.ticks.iter().map(|tick| y.label(*tick).chars().count()).max().unwrap_or(0);
    let columns = width.saturating_sub(margin + 1).max(8);
    let x = Axis::tight(all().map(|(x, _)| *x), (columns / 12).max(1));

    let mut dots = Dots::new(columns, rows);
    let place = |(px, py): (f64, f64)| {
        let across = (x.share(px) * (2 * columns - 1) as f64).round() as usize;
        (across, ((1.0 - y.share(py)) * (4 * rows - 1) as f64).round() as usize)
    };
    let mut letters = Vec::new();
    for (letter, points) in &curves {
        dots.line(place(points[0]), place(points[0]));
        for pair in points.windows(2) {
            dots.line(place(pair[0]), place(pair[1]));
        }
        let (across, down) = place(points[points.len() - 1]);
        letters.extend(letter.map(|letter| (letter, down / 4, across / 2)));
    }

    let mut labels = vec![String::new(); rows];
    for tick in &y.ticks {
        labels[((1.0 - y.share(*tick)) * (rows - 1) as f64).round() as usize] = y.label(*tick);
    }
    let mut lines: Vec<_> = labels
        .iter()
        .enumerate()
        .map(|(row, label)| {
            let axis = if label.is_empty() { '│' } else { '┤' };
            let mut dots: Vec<char> = dots.row(row).chars().collect();
            // The letters of curves that end at the same place are side by side, to the left.
            for (letter, _, column) in letters.iter().filter(|(_, of_row, _)| *of_row == row) {
                let free = (0..=*column).rev().find(|&at| !dots[at].is_ascii_uppercase());
                dots[free.unwrap_or(*column)] = *letter;
            }
            let dots: String = dots.into_iter().collect();
            format!("{label:>margin$}{axis}{}\n", dots.trim_end_matches('\u{2800}'))
        })
        .collect();
    lines.push(foot(&x, margin, columns));
    lines.concat()
}

/// A histogram, one line for each interval, of at most `width` characters. The smallest width is 24.
pub fn bars(histogram: &Histogram, width: usize) -> String {
    const PARTS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let labels: Vec<_> = (0..histogram.counts.len()).map(|index| histogram.label(index)).collect();
    let widest = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0);
    let largest = histogram.counts.iter().copied().max().unwrap_or(0).max(1);
    let room = width.max(24).saturating_sub(widest + largest.to_string().len() + 3).max(4);
    let line = |(label, count): (&String, &u64)| {
        // A count above 0 is always visible.
        let eighths = (*count as f64 / largest as f64 * (8 * room) as f64).round().max(f64::from(*count > 0)) as usize;
        let bar = "█".repeat(eighths / 8) + PARTS[eighths % 8];
        let space = if bar.is_empty() { "" } else { " " };
        format!("{label:>widest$} │{bar}{space}{count}\n")
    };
    labels.iter().zip(&histogram.counts).map(line).collect::<Vec<_>>().concat()
}

/// The horizontal axis of a chart, with the labels that fit.
fn foot(x: &Axis, margin: usize, columns: usize) -> String {
    let mut line = vec!['─'; columns];
    let mut numbers = vec![' '; margin + 1 + columns];
    let mut free = 0;
    for tick in &x.ticks {
        let column = (x.share(*tick) * (columns - 1) as f64).round() as usize;
        let label: Vec<char> = x.label(*tick).chars().collect();
        let centred = (margin + 1 + column).saturating_sub(label.len() / 2);
        let start = centred.min(numbers.len().saturating_sub(label.len()));
        if start < free || label.len() > numbers.len() {
            continue;
        }
        line[column] = '┬';
        numbers[start..start + label.len()].copy_from_slice(&label);
        free = start + label.len() + 2;
    }
    let line: String = line.into_iter().collect();
    let numbers: String = numbers.into_iter().collect();
    format!("{}└{line}\n{}\n", " ".repeat(margin), numbers.trim_end())
}

/// A grid of dots, two by four in each character.
struct Dots {
    columns: usize,
    cells: Vec<u8>,
}

impl Dots {
    fn new(columns: usize, rows: usize) -> Self {
        Self { columns, cells: vec![0; columns * rows] }
    }

    fn row(&self, row: usize) -> String {
        let cells = &self.cells[row * self.columns..(row + 1) * self.columns];
        cells.iter().map(|cell| char::from_u32(0x2800 + u32::from(*cell)).unwrap_or(' ')).collect()
    }

    fn line(&mut self, from: (usize, usize), to: (usize, usize)) {
        let steps = from.0.abs_diff(to.0).max(from.1.abs_diff(to.1));
        for step in 0..=steps {
            let share = step as f64 / steps.max(1) as f64;
            let between = |from: usize, to: usize| (from as f64 + (to as f64 - from as f64) * share).round() as usize;
            self.dot(between(from.0, to.0), between(from.1, to.1));
        }
    }

    /// Unicode numbers the dots of a character by columns, except for the fourth row, which was added later.
    fn dot(&mut self, across: usize, down: usize) {
        const BITS: [[u8; 4]; 2] = [[0x01, 0x02, 0x04, 0x40], [0x08, 0x10, 0x20, 0x80]];
        if let Some(cell) = self.cells.get_mut(down / 4 * self.columns + across / 2) {
            *cell |= BITS[across % 2][down % 4];
        }
    }
}
