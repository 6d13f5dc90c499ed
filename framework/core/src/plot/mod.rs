//! Curves and histograms: as SVG for the run's folder and the book ([`loss_curve`], [`curves_svg`], [`histogram_svg`]), and
//! as text for the terminal ([`chart`], [`charts`], [`sparkline`], [`bars`]). All share their axes.

mod axis;
mod histogram;
mod surprise;
mod svg;
mod terminal;
mod variants;

pub use self::{
    histogram::Histogram,
    surprise::surprise_svg,
    svg::{Series, compared_curves, curves_svg, histogram_svg, loss_curve},
    terminal::{bars, chart, charts, sparkline},
    variants::{Coordinate, HeatMap, boxes_svg, heat_svg, parallel_svg},
};
