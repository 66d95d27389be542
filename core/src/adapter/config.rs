//! `adapter_config.json`, as PEFT writes it beside the weights of an adapter.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::source::{Refusal, SourceError};

/// The file's name.
pub const CONFIG: &str = "adapter_config.json";
/// Largest file that is read: real ones have a few hundred bytes, or some hundred kilobytes with long patterns.
const MAX_BYTES: u64 = 16 << 20;

/// What an adapter's configuration says of the size of its updates. What concerns training is not read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AdapterConfig {
    /// `LORA` for what is read here.
    pub peft_type: Option<String>,
    /// The factor of every update, before it is divided by the rank.
    pub lora_alpha: Option<f64>,
    /// That of modules by name.
    pub alpha_pattern: BTreeMap<String, f64>,
    /// The rank. The stored matrices say it too, each its own, and are believed.
    pub r: Option<usize>,
    /// That of modules by name.
    pub rank_pattern: BTreeMap<String, usize>,
    /// Divide by the square root of the rank (Kalajdzievski, "A rank stabilization scaling factor for fine-tuning with LoRA", 2023).
    pub use_rslora: bool,
    /// Weight-decomposed adapters: the sum is rescaled column by column, so W + BA is not what the network uses.
    pub use_dora: bool,
    /// The base model's matrices are stored `in x out`, as GPT-2's are.
    pub fan_in_fan_out: bool,
}

impl AdapterConfig {
    /// From the text of the file.
    pub fn parse(name: &str, text: &[u8]) -> Result<Self, SourceError> {
        let refuse = |refusal| SourceError::new(name, refusal);
        let config: AdapterConfig =
            serde_json::from_slice(text).map_err(|e| refuse(Refusal::Malformed(e.to_string())))?;
        let factors = config.lora_alpha.iter().chain(config.alpha_pattern.values());
        if let Some(bad) = factors.into_iter().find(|alpha| !alpha.is_finite()) {
            return Err(refuse(Refusal::Malformed(format!("lora_alpha {bad} is no number"))));
        }
        if let Some(kind) = config.peft_type.as_ref().filter(|kind| !kind.eq_ignore_ascii_case("lora")) {
            return Err(refuse(Refusal::Unsupported(format!("an adapter of type {kind}; LORA is read"))));
        }
        if let Some(key) = config.alpha_pattern.keys().find(|key| literal(key).is_none()) {
            let what = format!("alpha_pattern '{key}': names of modules are read, patterns are not");
            return Err(refuse(Refusal::Unsupported(what)));
        }
        Ok(config)
    }

    /// The configuration in the folder of a model, or beside its file; `None` where there is none.
    pub fn beside(model: &Path) -> Result<Option<Self>, SourceError> {
        let folder = if model.is_dir() { Some(model) } else { model.parent() };
        let Some(path) = folder.map(|f| f.join(CONFIG)).filter(|p| p.is_file()) else { return Ok(None) };
        let name = path.display().to_string();
        let refuse = |refusal| SourceError::new(name.clone(), refusal);
        let mut text = Vec::new();
        let file = File::open(&path).map_err(|e| refuse(Refusal::Io(e)))?;
        file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(|e| refuse(Refusal::Io(e)))?;
        if text.len() as u64 > MAX_BYTES {
            let what = "the configuration of an adapter".to_owned();
            return Err(refuse(Refusal::TooLarge { what, size: text.len() as u64, limit: MAX_BYTES }));
        }
        AdapterConfig::parse(&name, &text).map(Some)
    }

    /// What `B A` of that rank is multiplied by in the module of that name: `lora_alpha / r`, or `lora_alpha / √r`.
    pub fn scaling(&self, module: &str, rank: usize) -> f64 {
        let named = self.alpha_pattern.iter().find(|(key, _)| {
            let Some((name, whole)) = literal(key) else { return false };
            let before = module.strip_suffix(name.as_str());
            before.is_some_and(|b| b.is_empty() || (!whole && b.ends_with('.')))
        });
        // PEFT's own default.
        let alpha = named.map(|(_, alpha)| *alpha).or(self.lora_alpha).unwrap_or(8.0);
        let rank = rank as f64;
        alpha / if self.use_rslora { rank.sqrt() } else { rank }
    }
}

/// The name a key of a pattern stands for, and whether it must be the whole name; `None` for patterns proper. PEFT takes keys
/// for regular expressions that match the end of a module's name, from a full stop on.
fn literal(key: &str) -> Option<(String, bool)> {
    let (body, whole) = key.strip_prefix('^').map_or((key, false), |rest| (rest, true));
    let name = body.replace("\\.", ".");
    let plain = !name.contains(['*', '+', '?', '(', ')', '[', ']', '{', '}', '|', '\\', '^', '$']);
    (plain && !name.is_empty()).then_some((name, whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<AdapterConfig, String> {
        AdapterConfig::parse("c", text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_factor_follows_alpha_rank_and_the_module_s_name() {
        let config = parse(
            r#"{"peft_type": "LORA", "r": 16, "lora_alpha": 32, "target_modules": ["q_proj"],
                "alpha_pattern": {"q_proj": 8, "layers\\.1\\.v_proj": 4, "^model.out": 2}}"#,
        )
        .unwrap();
        assert_eq!(config.scaling("model.layers.0.k_proj", 16), 2.0);
        assert_eq!(config.scaling("model.layers.0.q_proj", 16), 0.5);
        assert_eq!(config.scaling("model.layers.0.xq_proj", 16), 2.0);
        assert_eq!(config.scaling("model.layers.1.v_proj", 8), 0.5);
        assert_eq!(config.scaling("model.layers.11.v_proj", 8), 4.0);
        assert_eq!((config.scaling("model.out", 4), config.scaling("a.model.out", 4)), (0.5, 8.0));
        let stabilised = AdapterConfig { use_rslora: true, ..config };
        assert_eq!(stabilised.scaling("k_proj", 16), 8.0);
    }

    #[test]
    fn what_is_no_lora_configuration_is_refused_with_the_reason() {
        assert!(parse("[").unwrap_err().contains("malformed"));
        assert!(parse(r#"{"peft_type": "IA3"}"#).unwrap_err().contains("type IA3"));
        assert!(parse(r#"{"alpha_pattern": {"layers.[0-4].q": 1}}"#).unwrap_err().contains("alpha_pattern"));
        assert!(parse(r#"{"lora_alpha": 1e999}"#).is_err());
        assert_eq!(parse("{}").unwrap().scaling("x", 8), 1.0);
    }
}
