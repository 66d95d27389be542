//! TorchScript's sources: which attributes of a class are parameters and buffers.

use std::collections::{HashMap, HashSet};

use crate::container::Data;

/// Sources read; those of large models take a few MiB.
const MAX_CODE_BYTES: u64 = 64 << 20;

/// What a class registers.
#[derive(Debug, Default)]
pub struct Registered {
    /// Trained tensors.
    pub parameters: HashSet<String>,
    /// Other tensors of its state.
    pub buffers: HashSet<String>,
}

/// By the class's full name.
pub type Classes = HashMap<String, Registered>;

/// Reads the `__parameters__` and `__buffers__` of every class. What cannot be read is left out: it decides roles, not values.
pub fn classes(code: &[(String, Data)]) -> Classes {
    let mut all = Classes::new();
    let mut left = MAX_CODE_BYTES;
    for (file, data) in code {
        let Some(rest) = left.checked_sub(data.size()) else { break };
        left = rest;
        let Ok(source) = data.unpack() else { continue };
        let module = file.trim_end_matches(".py").replace('/', ".");
        let mut class = None;
        for line in String::from_utf8_lossy(&source).lines() {
            if let Some(name) = line.strip_prefix("class ").and_then(|l| l.split(['(', ':']).next()) {
                class = Some(format!("{module}.{name}"));
            } else if let (Some(class), Some((kind, list))) = (&class, line.trim_start().split_once(" = [")) {
                let names = list.split('"').skip(1).step_by(2).map(str::to_owned);
                match kind {
                    "__parameters__" => all.entry(class.clone()).or_default().parameters.extend(names),
                    "__buffers__" => all.entry(class.clone()).or_default().buffers.extend(names),
                    _ => {}
                }
            }
        }
    }
    all
}
