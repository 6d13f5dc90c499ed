//! The cells that come with Hatchery, and the wrappers around cells, one file each.

mod attention;
mod block;
mod dropout;
mod gru;
mod highway;
mod layer_norm;
mod lstm;
mod multiplicative;
mod projection;
mod residual;
mod vanilla;
mod weight_drop;
mod zoneout;

pub use attention::Attention;
pub use block::Block;
pub use dropout::Dropout;
pub use gru::Gru;
pub use highway::Highway;
pub use layer_norm::LayerNorm;
pub use lstm::Lstm;
pub use multiplicative::Multiplicative;
pub use projection::Projection;
pub use residual::Residual;
pub use vanilla::Vanilla;
pub use weight_drop::WeightDrop;
pub use zoneout::Zoneout;

hatchery_plugin::plugins![
    Vanilla,
    Lstm,
    Gru,
    Residual,
    Highway,
    Zoneout,
    Dropout,
    WeightDrop,
    LayerNorm,
    Projection,
    Attention,
    Multiplicative,
    Block,
];

#[cfg(feature = "library")]
hatchery_plugin::entry_points!();
