//! The cells that come with Hatchery, close relatives in one file, and the wrappers around cells, one file each.

mod attention;
mod block;
mod brc;
mod clocks;
mod complex;
mod context;
mod deep;
mod delta;
mod dropout;
mod dynamics;
mod fast;
mod gla;
mod gru;
mod heads;
mod hgrn;
mod highway;
mod hyper_lstm;
mod independent;
mod janet;
mod layer_norm;
mod lmu;
mod lru;
mod lstm;
mod m2rnn;
mod mamba2;
mod min_gru;
mod minimal;
mod multiplicative;
mod mutations;
mod on_lstm;
mod orthogonal;
mod projection;
mod residual;
mod rg_lru;
mod rwkv;
mod s4d;
mod slstm;
mod vanilla;
mod weight_drop;
mod zoneout;

pub use attention::Attention;
pub use block::Block;
pub use brc::{Brc, Nbrc};
pub use clocks::{Clockwork, PhasedLstm};
pub use context::{MiGru, MiLstm, MiRnn, Nas, Scrn};
pub use deep::{FastSlow, MogrifierLstm, Rhn};
pub use delta::{DeltaNet, GatedDeltaNet, TitansLinear};
pub use dropout::{Drawn, Dropout};
pub use dynamics::{Antisymmetric, CoRnn, GatedAntisymmetric, Lem, MomentumRnn, Unicornn};
pub use fast::{FastGrnn, FastRnn};
pub use gla::{Gla, Hgrn2, RetNet};
pub use gru::{Gru, Reset};
pub use hgrn::Hgrn;
pub use highway::Highway;
pub use hyper_lstm::HyperLstm;
pub use independent::{IndRnn, IndyGru, IndyLstm, Pooling, Qrnn, Sru, UnitActivation};
pub use janet::Janet;
pub use layer_norm::{LayerNorm, Place};
pub use lmu::{Lmu, MemoryStep};
pub use lru::Lru;
pub use lstm::{GateActivation, Lstm, Without};
pub use m2rnn::M2rnn;
pub use mamba2::Mamba2;
pub use min_gru::{Candidate, MinGru, MinLstm};
pub use minimal::{Atr, Cfn, IntersectionRnn, LiGru, MinimalRnn, OutputActivation, Ran, Star, Ugrnn};
pub use multiplicative::Multiplicative;
pub use mutations::{Mut1, Mut2, Mut3};
pub use on_lstm::OnLstm;
pub use orthogonal::{ExpRnn, Scornn};
pub use projection::Projection;
pub use residual::Residual;
pub use rg_lru::RgLru;
pub use rwkv::{Rwkv4, Rwkv7};
pub use s4d::{Discretization, S4d, S5};
pub use slstm::{ForgetGate, Mlstm, Slstm};
pub use vanilla::{Activation, Vanilla};
pub use weight_drop::WeightDrop;
pub use zoneout::Zoneout;

hatchery_plugin::plugins![
    Vanilla,
    Lstm,
    Gru,
    Janet,
    Mut1,
    Mut2,
    Mut3,
    LiGru,
    Ugrnn,
    IntersectionRnn,
    Cfn,
    Ran,
    Atr,
    Star,
    MinimalRnn,
    Brc,
    Nbrc,
    FastRnn,
    FastGrnn,
    Scrn,
    Nas,
    MiRnn,
    MiLstm,
    MiGru,
    Rhn,
    FastSlow,
    MogrifierLstm,
    OnLstm,
    HyperLstm,
    Clockwork,
    PhasedLstm,
    IndRnn,
    IndyLstm,
    IndyGru,
    Sru,
    Qrnn,
    Antisymmetric,
    GatedAntisymmetric,
    CoRnn,
    Unicornn,
    Lem,
    MomentumRnn,
    Lmu,
    Scornn,
    ExpRnn,
    MinGru,
    MinLstm,
    Lru,
    RgLru,
    Hgrn,
    S4d,
    S5,
    Rwkv4,
    Rwkv7,
    Slstm,
    Mlstm,
    RetNet,
    Gla,
    Hgrn2,
    DeltaNet,
    GatedDeltaNet,
    TitansLinear,
    Mamba2,
    M2rnn,
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
