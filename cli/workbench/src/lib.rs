//! What is done with results once they are there: figures of a layer, pages to look at, a store of many models, and comparisons
//! of their metrics with their quality.
//!
//! A library of its own, so that the engine that trainers embed stays free of it.

#![forbid(unsafe_code)]

pub mod compare;
pub mod dashboard;
pub mod figures;
pub mod pages;
pub mod rows;
pub mod store;
