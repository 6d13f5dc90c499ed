//! Plots as SVG, on a white background, so that they are legible on light and dark pages.

use std::ops::Range;

use plotters::{
    chart::{ChartBuilder, ChartContext, LabelAreaPosition},
    coord::{
        Shift,
        cartesian::Cartesian2d,
        ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter},
    },
    drawing::DrawingArea,
    element::{Circle, DashedPathElement, PathElement, Polygon, Rectangle, Text},
    prelude::{IntoDrawingArea, SVGBackend},
    series::{DashedLineSeries, LineSeries},
    style::{Color, IntoFont, RGBColor, ShapeStyle, TextStyle, WHITE},
};

use super::{axis::Axis, histogram::Histogram};

/// A curve and its label.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The label in the legend.
    pub label: String,
    /// The points, in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
    /// The points of held-out data, drawn dashed in the same color; may be empty.
    pub held_out: Vec<(f64, f64)>,
    /// A band about the points, such as their standard deviation: x, its lower and its upper end; may be empty.
    pub band: Vec<(f64, f64, f64)>,
    /// Whether the points are few measurements, each to be seen as one, with a ring around the lowest.
    pub is_measured: bool,
}

const SIZE: (u32, u32) = (800, 450);
pub(super) const TEXT: RGBColor = RGBColor(51, 51, 51);
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);
pub(super) const AXIS: RGBColor = RGBColor(120, 120, 120);
/// The colors of Okabe and Ito, then six more. Their distance from all others is at least the smallest distance between
/// those of Okabe and Ito (17 in CIELAB), also for viewers without red or green cones, by the simulation of Machado,
/// Oliveira and Fernandes (2009).
pub(super) const COLORS: [RGBColor; 12] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(230, 159, 0),
    RGBColor(86, 180, 233),
    RGBColor(0, 0, 0),
    RGBColor(160, 0, 0),
    RGBColor(255, 150, 170),
    RGBColor(51, 34, 136),
    RGBColor(17, 119, 51),
    RGBColor(136, 34, 85),
];
/// Length of a dash and of the gap after it.
const DASH: (i32, i32) = (6, 4);

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
pub(super) type DrawResult = Result<(), Box<dyn std::error::Error>>;

/// Curves over training steps, with a legend when there are several. Points that are not finite are left out.
pub fn loss_curve(series: &[Series], title: &str, y_label: &str) -> String {
    curves_svg(series, title, ("step", y_label))
}

/// Curves, with a legend below them when there are several. Points that are not finite are left out.
pub fn curves_svg(series: &[Series], title: &str, labels: (&str, &str)) -> String {
    let finite = |points: &[(f64, f64)]| -> Vec<_> {
        points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let curves: Vec<_> = series
        .iter()
        .map(|Series { label, points, held_out, band, is_measured }| Curve {
            label,
            band,
            points: finite(points),
            held_out: finite(held_out),
            is_measured: *is_measured,
        })
        .collect();
    let all = || curves.iter().flat_map(|curve| curve.points.iter().chain(&curve.held_out));
    let x = across(|| all().map(|(x, _)| *x));
    let bands = curves.iter().flat_map(|curve| curve.band).flat_map(|(_, low, high)| [*low, *high]);
    let y = Axis::rounded(all().map(|(_, y)| *y).chain(bands), 6);
    drawn(|out| draw_curves(out, &curves, (&x, &y), title, labels))
}

/// Curves of several runs over training steps, on an axis that shows their differences: losses before the first tenth of
/// the steps, where all fall, are cut off.
pub fn compared_curves(series: &[Series], title: &str, y_label: &str) -> String {
    let all = || series.iter().flat_map(|series| series.points.iter().chain(&series.held_out));
    let last = all().map(|(x, _)| *x).fold(0.0, f64::max);
    let later = all().filter(|(x, y)| *x >= last / 10.0 && y.is_finite()).map(|(_, y)| *y);
    let most = later.fold(f64::NEG_INFINITY, f64::max);
    let highest = all().map(|(_, y)| *y).filter(|y| y.is_finite()).fold(f64::NEG_INFINITY, f64::max);
    if !most.is_finite() || most >= highest {
        return loss_curve(series, title, y_label);
    }
    let cut = |points: &[(f64, f64)]| below(points, most);
    let cut: Vec<_> = series
        .iter()
        .map(|series| Series { points: cut(&series.points), held_out: cut(&series.held_out), ..series.clone() })
        .collect();
    loss_curve(&cut, title, &format!("{y_label}, cut off above {most:.2}"))
}

/// A curve from where it first comes down to a value; what rises above it later lies at that value.
fn below(points: &[(f64, f64)], most: f64) -> Vec<(f64, f64)> {
    let Some(first) = points.iter().position(|(_, y)| *y <= most) else { return Vec::new() };
    let entry = first.checked_sub(1).map(|before| {
        let ((x0, y0), (x1, y1)) = (points[before], points[first]);
        let share = if y0.is_finite() && y0 > y1 { (y0 - most) / (y0 - y1) } else { 0.0 };
        (x0 + share * (x1 - x0), most)
    });
    entry.into_iter().chain(points[first..].iter().map(|(x, y)| (*x, y.min(most)))).collect()
}

/// A series without the points that are not finite.
struct Curve<'a> {
    label: &'a str,
    points: Vec<(f64, f64)>,
    held_out: Vec<(f64, f64)>,
    band: &'a [(f64, f64, f64)],
    is_measured: bool,
}

/// A histogram.
pub fn histogram_svg(histogram: &Histogram, title: &str, x_label: &str) -> String {
    drawn(|out| draw_histogram(out, histogram, title, x_label))
}

pub(super) fn drawn(draw: impl FnOnce(&mut String) -> DrawResult) -> String {
    let mut out = String::new();
    draw(&mut out).expect("drawing into a string cannot fail: nothing is opened, and no font is looked up");
    out
}

fn draw_curves(
    out: &mut String,
    curves: &[Curve<'_>],
    axes: (&Axis, &Axis),
    title: &str,
    labels: (&str, &str),
) -> DrawResult {
    let legend = Legend::of(curves);
    let area = SVGBackend::with_string(out, (SIZE.0, SIZE.1 + legend.height())).into_drawing_area();
    area.fill(&WHITE)?;
    let (plot, below) = area.split_vertically(SIZE.1);
    let mut chart = frame(&plot, axes, title, labels)?;
    for (index, curve) in curves.iter().enumerate() {
        let (low, high) = (curve.band.iter().map(|it| (it.0, it.1)), curve.band.iter().rev().map(|it| (it.0, it.2)));
        let around: Vec<_> = low.chain(high).filter(|(_, y)| y.is_finite()).collect();
        chart.draw_series((around.len() > 2).then(|| Polygon::new(around, line(index, 0.18).filled())))?;
        // A curve that oscillates too fast to be seen as a line fills a band; it is drawn faint, so that the others stay
        // visible.
        let faint = curves.len() > 1 && trembles(&curve.points);
        let line = line(index, if faint { 0.4 } else { 1.0 });
        // A line series draws nothing for a single point.
        for point in [&curve.points, &curve.held_out].into_iter().filter(|points| points.len() == 1).flatten() {
            chart.draw_series([Circle::new(*point, 4, line.filled())])?;
        }
        chart.draw_series(LineSeries::new(thin(&curve.points, axes.0), line))?;
        if curve.is_measured {
            mark(&mut chart, &curve.points, index)?;
        }
    }
    // Drawn last, over all training curves: they have few points.
    for (index, curve) in curves.iter().enumerate() {
        let points = thin(&curve.held_out, axes.0);
        chart.draw_series(DashedLineSeries::new(points, DASH.0, DASH.1, self::line(index, 1.0)))?;
        mark(&mut chart, &curve.held_out, index)?;
    }
    legend.draw(&below)?;
    area.present()?;
    Ok(())
}

/// Measurements that are marked one by one; of more, the lowest alone.
const MOST_MARKED: usize = 60;

/// Marks measurements, between which a line says nothing, and the lowest of them with a ring.
fn mark(chart: &mut Chart<'_, '_>, points: &[(f64, f64)], index: usize) -> DrawResult {
    if points.len() <= MOST_MARKED {
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, line(index, 1.0).filled())))?;
    }
    let lowest = points.iter().min_by(|one, other| one.1.total_cmp(&other.1));
    chart.draw_series(lowest.map(|point| Circle::new(*point, 7, line(index, 1.0))))?;
    Ok(())
}

/// The style of a curve: its color, and a thinner line once all colors are used.
fn line(index: usize, opacity: f64) -> ShapeStyle {
    let width = if index < COLORS.len() { 2 } else { 1 };
    COLORS[index % COLORS.len()].mix(opacity).stroke_width(width)
}

/// The legend below a plot.
struct Legend {
    /// Each label with the index of its curve; `None` for the entry that explains dashed lines.
    entries: Vec<(String, Option<usize>)>,
    columns: usize,
}

impl Legend {
    const LINE: usize = 20;
    const LEFT: usize = 66;

    fn of(curves: &[Curve<'_>]) -> Self {
        let mut entries = Vec::new();
        if curves.len() > 1 {
            entries.extend(curves.iter().enumerate().map(|(index, curve)| (Self::short(curve.label), Some(index))));
        }
        if curves.iter().any(|curve| !curve.held_out.is_empty()) {
            entries.push(("dashed: validation, a ring at the lowest".to_owned(), None));
        }
        let widest = entries.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        // Letters of 13 pixels are about 7 pixels wide; before them is the line.
        let columns = ((SIZE.0 as usize - Self::LEFT) / (7 * widest + 44)).clamp(1, 4);
        Self { entries, columns }
    }

    /// The label, truncated if it would not fit.
    fn short(label: &str) -> String {
        let room = (SIZE.0 as usize - Self::LEFT - 44) / 7;
        let label = clean(label);
        if label.chars().count() <= room {
            return label;
        }
        label.chars().take(room - 1).chain(['…']).collect()
    }

    fn rows(&self) -> usize {
        self.entries.len().div_ceil(self.columns)
    }

    fn height(&self) -> u32 {
        if self.entries.is_empty() { 0 } else { (self.rows() * Self::LINE + 12) as u32 }
    }

    /// Draws the entries column by column, in the order of the curves.
    fn draw(&self, area: &DrawingArea<SVGBackend<'_>, Shift>) -> DrawResult {
        let width = (SIZE.0 as usize - Self::LEFT) / self.columns;
        for (place, (label, index)) in self.entries.iter().enumerate() {
            let (column, row) = (place / self.rows(), place % self.rows());
            let pixels = |at: usize| i32::try_from(at).unwrap_or(i32::MAX);
            let (left, middle) = (pixels(Self::LEFT + column * width), pixels(row * Self::LINE + Self::LINE / 2));
            let ends = vec![(left, middle), (left + 24, middle)];
            match index {
                Some(index) => area.draw(&PathElement::new(ends, line(*index, 1.0)))?,
                None => area.draw(&DashedPathElement::new(ends, DASH.0, DASH.1, TEXT.stroke_width(2)))?,
            }
            area.draw(&Text::new(label.clone(), (left + 32, middle - 5), text(13)))?;
        }
        Ok(())
    }
}

fn draw_histogram(out: &mut String, histogram: &Histogram, title: &str, x_label: &str) -> DrawResult {
    // Bars of integers are shifted by half a unit, so that a bar of width 1 is centered on its tick.
    let shift = if histogram.whole { 0.5 } else { 0.0 };
    let edge = |index: usize| histogram.edge(index) - shift;
    let last = histogram.counts.len().max(1);
    let mut x = across(|| [edge(0) + shift, edge(last) - shift].into_iter());
    (x.low, x.high) = (edge(0), edge(last));
    let y = Axis::rounded(histogram.counts.iter().map(|count| *count as f64).chain([0.0, 1.0]), 6);
    let area = SVGBackend::with_string(out, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = frame(&area, (&x, &y), title, (x_label, "count"))?;
    let gap = histogram.width * 0.04;
    let bars = histogram.counts.iter().enumerate().filter(|(_, count)| **count > 0);
    chart.draw_series(bars.map(|(index, count)| {
        let corners = [(edge(index) + gap, 0.0), (edge(index + 1) - gap, *count as f64)];
        Rectangle::new(corners, COLORS[0].filled())
    }))?;
    area.present()?;
    Ok(())
}

/// The x axis, with as many ticks as there is room for their labels.
fn across<I: Iterator<Item = f64>>(values: impl Fn() -> I) -> Axis {
    let fits = |axis: &Axis| {
        let widest = axis.ticks.iter().map(|tick| axis.label(*tick).len()).max().unwrap_or(0);
        axis.ticks.len() * (9 * widest + 24) <= SIZE.0 as usize
    };
    let axes = [12, 8, 5, 3].map(|count| Axis::tight(values(), count));
    axes.into_iter().find(fits).unwrap_or_else(|| Axis::tight(values(), 1))
}

/// Title, axes and grid.
fn frame<'a, 'b>(
    area: &DrawingArea<SVGBackend<'b>, Shift>,
    (x, y): (&Axis, &Axis),
    title: &str,
    (x_label, y_label): (&str, &str),
) -> Result<Chart<'a, 'b>, Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(clean(title), heading(title))
        .margin(12)
        .margin_right(28)
        .set_label_area_size(LabelAreaPosition::Left, 66)
        .set_label_area_size(LabelAreaPosition::Bottom, 44)
        .build_cartesian_2d(x.clone(), y.clone())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .bold_line_style(GRID)
        .axis_style(AXIS)
        .label_style(text(13))
        .axis_desc_style(text(14))
        .x_desc(clean(x_label))
        .y_desc(clean(y_label))
        .draw()?;
    Ok(chart)
}

/// Our axes for plotters, whose own computation of ticks does not terminate for ranges of extreme values.
impl Ranged for Axis {
    type FormatOption = NoDefaultFormatting;
    type ValueType = f64;

    fn map(&self, value: &f64, (from, to): (i32, i32)) -> i32 {
        from + (f64::from(to - from) * self.share(*value)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, hint: Hint) -> Vec<f64> {
        if hint.weight().allow_light_points() { Vec::new() } else { self.ticks.clone() }
    }

    fn range(&self) -> Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Axis {
    fn format_ext(&self, value: &f64) -> String {
        self.label(*value)
    }
}

/// Whether the total variation of a curve is many times its range.
fn trembles(points: &[(f64, f64)]) -> bool {
    let range = points.iter().fold((f64::MAX, f64::MIN), |(low, high), (_, y)| (y.min(low), y.max(high)));
    points.windows(2).map(|pair| (pair[1].1 - pair[0].1).abs()).sum::<f64>() > 50.0 * (range.1 - range.0)
}

/// At most four points for each pixel column: first, lowest, highest, last. No more can be seen, and the plot of a long
/// run stays small.
fn thin(points: &[(f64, f64)], x: &Axis) -> Vec<(f64, f64)> {
    let column = |point: &(f64, f64)| (x.share(point.0) * f64::from(SIZE.0)) as u32;
    let mut kept = Vec::new();
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        if group.len() <= 4 {
            kept.extend_from_slice(group);
            continue;
        }
        let indices = 0..group.len();
        let low = indices.clone().min_by(|a, b| group[*a].1.total_cmp(&group[*b].1)).unwrap_or(0);
        let high = indices.max_by(|a, b| group[*a].1.total_cmp(&group[*b].1)).unwrap_or(0);
        let mut picked = [0, low, high, group.len() - 1];
        picked.sort_unstable();
        kept.extend(picked.map(|index| group[index]));
    }
    kept
}

pub(super) fn text(size: u32) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&TEXT)
}

/// The style of a title, smaller if the title would not fit.
pub(super) fn heading(title: &str) -> TextStyle<'static> {
    let room = SIZE.0 * 3 / 2 / (title.chars().count().max(1) as u32);
    text(room.clamp(9, 20))
}

/// The text with spaces for control characters, which XML does not allow.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}
