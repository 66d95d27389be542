//! What the cross-crate tests share: golden numbers, the matrices they belong to, real files.

pub mod external;
pub mod generator;
pub mod golden;
pub mod models;
pub mod reference;
