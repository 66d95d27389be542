//! Low-rank adapters (Hu et al., "LoRA: low-rank adaptation of large language models", 2021): what they add to a model, from
//! their two factors.

mod config;
mod factors;
mod model;
mod prepare;
mod update;

pub use config::{AdapterConfig, CONFIG};
pub use model::{has_factors, merge};
pub use prepare::prepare;

/// What becomes of low-rank factors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lora {
    /// They are matrices like any others.
    Off,
    /// Their products are analysed, and they are listed as parts of them.
    #[default]
    Product,
    /// So are the sums of the products and the weights they are added to.
    WithBase,
}

impl Lora {
    /// Every choice by name.
    pub const NAMES: [&'static str; 3] = ["off", "product", "with-base"];

    /// The choice of that name.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "off" => Some(Lora::Off),
            "product" => Some(Lora::Product),
            "with-base" => Some(Lora::WithBase),
            _ => None,
        }
    }
}
