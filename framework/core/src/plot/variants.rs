//! Pictures of variants: box plots, a heat map over two keys, parallel coordinates over more.

use plotters::{
    coord::Shift,
    drawing::DrawingArea,
    element::{Circle, PathElement, Rectangle, Text},
    prelude::{IntoDrawingArea, SVGBackend},
    style::{
        Color, RGBColor, ShapeStyle, TextStyle, WHITE,
        text_anchor::{HPos, Pos, VPos},
    },
};

use super::{
    axis::Axis,
    svg::{AXIS, COLORS, DrawResult, GRID, TEXT, clean, drawn, heading, text},
};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Width of the pictures.
const WIDTH: u32 = 900;
/// Room above for the title, and below for the axis.
const ABOVE: i32 = 44;
const BELOW: i32 = 54;

/// The label of a row or column, truncated from its beginning: what differs is at the end.
fn short(label: &str, most: usize) -> String {
    let (label, length) = (clean(label), label.chars().count());
    if length <= most { label } else { ['…'].into_iter().chain(label.chars().skip(length + 1 - most)).collect() }
}

fn at(style: TextStyle<'static>, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    style.pos(Pos::new(horizontal, vertical))
}

fn pixels(share: f64, (from, to): (i32, i32)) -> i32 {
    from + (f64::from(to - from) * share).round() as i32
}

/// A count of rows, of which a picture has few.
fn count(rows: usize) -> i32 {
    i32::try_from(rows).unwrap_or(i32::MAX)
}

fn title(area: &Area<'_>, title: &str) -> DrawResult {
    let style = at(heading(title), HPos::Center, VPos::Center);
    area.draw(&Text::new(clean(title), (WIDTH.cast_signed() / 2, 20), style))?;
    Ok(())
}

/// The quantile of sorted numbers, interpolated between the two about it.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

/// A box plot of every group: quartiles and median, whiskers to the last value within 1.5 times the distance of the
/// quartiles (Tukey, 1977), and every value as a dot. Values that are not finite, and groups without others, are left out.
pub fn boxes_svg(groups: &[(String, Vec<f64>)], heading: &str, x_label: &str) -> String {
    let sorted = |values: &[f64]| {
        let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let groups: Vec<_> = groups.iter().map(|(label, values)| (label, sorted(values))).collect();
    let groups: Vec<_> = groups.into_iter().filter(|(_, values)| !values.is_empty()).collect();
    let axis = Axis::rounded(groups.iter().flat_map(|(_, values)| values.iter().copied()), 6);
    let (row, left, right) = (30, 330, WIDTH.cast_signed() - 30);
    let bottom = ABOVE + row * count(groups.len());
    drawn(|out| {
        let area = SVGBackend::with_string(out, (WIDTH, (bottom + BELOW) as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        title(&area, heading)?;
        let x = |value: f64| pixels(axis.share(value), (left, right));
        for tick in &axis.ticks {
            area.draw(&PathElement::new(vec![(x(*tick), ABOVE), (x(*tick), bottom)], GRID))?;
            let style = at(text(13), HPos::Center, VPos::Top);
            area.draw(&Text::new(axis.label(*tick), (x(*tick), bottom + 6), style))?;
        }
        let style = at(text(14), HPos::Center, VPos::Bottom);
        area.draw(&Text::new(clean(x_label), (i32::midpoint(left, right), bottom + BELOW - 6), style))?;
        for (index, (label, values)) in groups.iter().enumerate() {
            let middle = ABOVE + row * count(index) + row / 2;
            let style = at(text(13), HPos::Right, VPos::Center);
            area.draw(&Text::new(short(label, 46), (left - 10, middle), style))?;
            draw_box(&area, values, &x, middle)?;
        }
        area.present()?;
        Ok(())
    })
}

fn draw_box(area: &Area<'_>, values: &[f64], x: &impl Fn(f64) -> i32, middle: i32) -> DrawResult {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|share| quantile(values, share));
    let reach = 1.5 * (high - low);
    let inside = || values.iter().copied().filter(|value| (low - reach..=high + reach).contains(value));
    let ends = (inside().fold(median, f64::min), inside().fold(median, f64::max));
    let line = ShapeStyle::from(COLORS[0]).stroke_width(2);
    for (from, to) in [(ends.0, low), (high, ends.1)] {
        area.draw(&PathElement::new(vec![(x(from), middle), (x(to), middle)], line))?;
    }
    area.draw(&Rectangle::new([(x(low), middle - 9), (x(high), middle + 9)], COLORS[0].mix(0.25).filled()))?;
    area.draw(&Rectangle::new([(x(low), middle - 9), (x(high), middle + 9)], line))?;
    area.draw(&PathElement::new(vec![(x(median), middle - 9), (x(median), middle + 9)], line.stroke_width(4)))?;
    for value in values {
        area.draw(&Circle::new((x(*value), middle), 3, COLORS[1].filled()))?;
    }
    Ok(())
}

/// Values over two keys: `values` row by row, none where nothing is known.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    /// The key of the columns, and their values.
    pub columns: (String, Vec<String>),
    /// The key of the rows, and their values.
    pub rows: (String, Vec<String>),
    /// `[rows][columns]`.
    pub values: Vec<Vec<Option<f64>>>,
}

/// A heat map, with the number in every cell; the lowest is the darkest.
pub fn heat_svg(map: &HeatMap, heading: &str) -> String {
    let known = || map.values.iter().flatten().flatten().copied().filter(|value| value.is_finite());
    let (low, high) = known().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)));
    let (row, left, right) = (38, 220, WIDTH.cast_signed() - 30);
    let bottom = ABOVE + row * count(map.rows.1.len());
    let edge = |index: usize| pixels(index as f64 / map.columns.1.len().max(1) as f64, (left, right));
    drawn(|out| {
        let area = SVGBackend::with_string(out, (WIDTH, (bottom + BELOW + 8) as u32)).into_drawing_area();
        area.fill(&WHITE)?;
        title(&area, heading)?;
        for (line, values) in map.values.iter().enumerate() {
            let top = ABOVE + row * count(line);
            let style = at(text(13), HPos::Right, VPos::Center);
            area.draw(&Text::new(short(&map.rows.1[line], 24), (left - 8, top + row / 2), style))?;
            for (column, value) in values.iter().enumerate() {
                let corners = [(edge(column), top), (edge(column + 1), top + row)];
                let Some(value) = value else { continue };
                let dark = if high > low && value.is_finite() { (high - value) / (high - low) } else { 0.0 };
                area.draw(&Rectangle::new(corners, COLORS[0].mix(0.08 + 0.8 * dark).filled()))?;
                area.draw(&Rectangle::new(corners, WHITE))?;
                let color: &RGBColor = if dark > 0.55 { &WHITE } else { &TEXT };
                let style = at(text(13).color(color), HPos::Center, VPos::Center);
                let middle = (i32::midpoint(edge(column), edge(column + 1)), top + row / 2);
                area.draw(&Text::new(format!("{value:.4}"), middle, style))?;
            }
        }
        for (column, value) in map.columns.1.iter().enumerate() {
            let style = at(text(13), HPos::Center, VPos::Top);
            let middle = i32::midpoint(edge(column), edge(column + 1));
            area.draw(&Text::new(short(value, 16), (middle, bottom + 6), style))?;
        }
        let style = at(text(14), HPos::Center, VPos::Bottom);
        area.draw(&Text::new(clean(&map.columns.0), (i32::midpoint(left, right), bottom + BELOW), style))?;
        let style = at(text(14), HPos::Left, VPos::Bottom);
        area.draw(&Text::new(clean(&map.rows.0), (12, ABOVE - 6), style))?;
        area.present()?;
        Ok(())
    })
}

/// A vertical axis of parallel coordinates.
#[derive(Clone, Debug, PartialEq)]
pub struct Coordinate {
    /// Its label.
    pub label: String,
    /// Where each line crosses it, from 0 (below) to 1; none where a line has no value.
    pub places: Vec<Option<f64>>,
    /// What stands beside it, and where.
    pub ticks: Vec<(f64, String)>,
}

impl Coordinate {
    /// An axis of words, or of numbers if all values are such: by their logarithms where they span more than a factor of 50.
    pub fn of(label: &str, values: &[Option<&str>]) -> Self {
        let known: Vec<&str> = values.iter().copied().flatten().collect();
        let numbers: Option<Vec<f64>> =
            known.iter().map(|value| value.parse().ok().filter(|it: &f64| it.is_finite())).collect();
        let mut different = known.clone();
        different.sort_unstable();
        different.dedup();
        let place: Box<dyn Fn(&str) -> f64> = match numbers {
            Some(numbers) if different.len() > 1 => {
                let (low, high) =
                    numbers.iter().fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(*it), high.max(*it)));
                let is_log = low > 0.0 && high > 50.0 * low;
                different.sort_by(|one, other| {
                    let number = |value: &str| value.parse().unwrap_or(0.0_f64);
                    number(one).total_cmp(&number(other))
                });
                Box::new(move |value| {
                    let value = value.parse().unwrap_or(low);
                    if is_log { (value / low).ln() / (high / low).ln() } else { (value - low) / (high - low) }
                })
            }
            _ => {
                let all: Vec<String> = different.iter().map(|value| (*value).to_owned()).collect();
                let last = all.len().saturating_sub(1).max(1) as f64;
                Box::new(move |value| all.iter().position(|known| known == value).unwrap_or(0) as f64 / last)
            }
        };
        let shown = different.len().div_ceil(8).max(1);
        let ticks = different.iter().step_by(shown).map(|value| (place(value), (*value).to_owned())).collect();
        Self { label: label.to_owned(), places: values.iter().map(|value| value.map(&place)).collect(), ticks }
    }
}

/// Parallel coordinates: one line across all axes for every variant. The last axis is the result, lower is better: lines are
/// the stronger, the better it is.
pub fn parallel_svg(axes: &[Coordinate], heading: &str) -> String {
    let (top, bottom, left, right) = (ABOVE + 24, 420, 70, WIDTH.cast_signed() - 110);
    let x = |axis: usize| pixels(axis as f64 / (axes.len().max(2) - 1) as f64, (left, right));
    let y = |share: f64| pixels(share, (bottom, top));
    drawn(|out| {
        let area = SVGBackend::with_string(out, (WIDTH, 450)).into_drawing_area();
        area.fill(&WHITE)?;
        title(&area, heading)?;
        let result = axes.last().map_or(&[][..], |axis| &axis.places);
        for (line, place) in result.iter().enumerate() {
            let Some(place) = place else { continue };
            let points = axes.iter().enumerate().filter_map(|(axis, it)| Some((x(axis), y(it.places[line]?))));
            let color = COLORS[usize::from(*place > 0.5)].mix(0.25 + 0.7 * (2.0 * place - 1.0).abs());
            area.draw(&PathElement::new(points.collect::<Vec<_>>(), color.stroke_width(2)))?;
        }
        for (axis, it) in axes.iter().enumerate() {
            area.draw(&PathElement::new(vec![(x(axis), top), (x(axis), bottom)], AXIS))?;
            let style = at(text(13), HPos::Center, VPos::Bottom);
            area.draw(&Text::new(short(&it.label, 24), (x(axis), top - 8), style))?;
            for (place, label) in &it.ticks {
                let style = at(text(12), HPos::Left, VPos::Center);
                area.draw(&Text::new(short(label, 16), (x(axis) + 5, y(*place)), style))?;
            }
        }
        area.present()?;
        Ok(())
    })
}
