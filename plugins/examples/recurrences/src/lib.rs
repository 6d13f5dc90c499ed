//! Recurrent cells whose steps are more than vectors and gates: norms within, linear recurrences, and matrices as state. The
//! benchmark `tests/peers/compare.py` times them.

mod gated_delta_net;
mod layer_norm_lstm;
mod min_gru;
mod mlstm;
mod slstm;

pub use gated_delta_net::GatedDeltaNet;
pub use layer_norm_lstm::LayerNormLstm;
pub use min_gru::MinGru;
pub use mlstm::Mlstm;
pub use slstm::Slstm;

hatchery_plugin::library![GatedDeltaNet, LayerNormLstm, MinGru, Mlstm, Slstm];
