//! The architecture that Keras stores beside the weights: which class each layer is of, in which order, inside what.

use std::collections::HashMap;

use serde_json::Value;

/// Models inside models and layers inside wrappers; JSON itself stops at 128.
const MAX_DEPTH: usize = 48;

/// A layer, a model, or anything else with a class and a configuration.
#[derive(Debug, Default)]
pub struct Layer {
    /// The class in snake case, as Keras 3 spells it in paths: `conv2d_transpose`.
    pub class: String,
    /// The class as stored.
    pub class_name: String,
    /// The layer's own name.
    pub name: String,
    pub options: Options,
    /// Of a model, in order.
    pub layers: Vec<Layer>,
    /// What else it is configured with: the `layer` of a wrapper, the `cell` of an RNN.
    slots: Vec<(String, Layer)>,
    by_name: HashMap<String, usize>,
    by_slug: HashMap<String, usize>,
}

/// What of a layer's configuration decides which variables it has and how their axes lie.
#[derive(Debug, Default, Clone)]
pub struct Options {
    pub no_bias: bool,
    pub no_scale: bool,
    pub no_center: bool,
    pub equation: Option<String>,
    /// `int8`, `int4/128`, `float8`, `gptq/...`.
    pub quantization: Option<String>,
    /// `th` or `tf`, of Keras 1.
    pub dim_ordering: Option<String>,
}

impl Layer {
    /// From the JSON of a `model_config` attribute or a `config.json`.
    pub fn parse(json: &Value) -> Option<Layer> {
        parse(json, 0)
    }

    /// The layer of that name, with its position.
    pub fn named(&self, name: &str) -> Option<(usize, &Layer)> {
        self.by_name.get(name).map(|&i| (i, &self.layers[i]))
    }

    /// The layer under the name Keras 3 gives it in paths: class and a number, counted per class.
    pub fn slug(&self, slug: &str) -> Option<(usize, &Layer)> {
        self.by_slug.get(slug).map(|&i| (i, &self.layers[i]))
    }

    pub fn slot(&self, key: &str) -> Option<&Layer> {
        self.slots.iter().find(|(k, _)| k == key).map(|(_, layer)| layer)
    }

    /// What a wrapper wraps, if it is one, else the layer itself.
    pub fn unwrapped(&self) -> &Layer {
        let mut layer = self;
        while let Some(inner) = layer.slot("layer").or_else(|| layer.slot("cell")) {
            layer = inner;
        }
        layer
    }
}

fn parse(json: &Value, depth: usize) -> Option<Layer> {
    let class_name = json.get("class_name")?.as_str()?;
    let config = json.get("config")?;
    let mut layer = Layer {
        class: snake_case(class_name),
        class_name: class_name.to_owned(),
        options: options(config),
        ..Layer::default()
    };
    let name = config.get("name").or_else(|| json.get("name")).and_then(Value::as_str);
    layer.name = name.unwrap_or_default().to_owned();
    if depth == MAX_DEPTH {
        return Some(layer);
    }
    // Keras 1 and early 2 store a Sequential model as the bare list of its layers.
    let lists = [config.as_array(), list(config, "layers"), list(config, "cells")];
    let mut counts = HashMap::new();
    for value in lists.into_iter().flatten().flatten() {
        if let Some(child) = parse(value, depth + 1) {
            layer.push(child, &mut counts);
        }
    }
    for (key, value) in config.as_object().into_iter().flatten() {
        if let Some(slot) = parse(value, depth + 1) {
            layer.slots.push((key.clone(), slot));
        }
    }
    Some(layer)
}

fn list<'a>(config: &'a Value, key: &str) -> Option<&'a Vec<Value>> {
    config.get(key)?.as_array()
}

impl Layer {
    fn push(&mut self, child: Layer, counts: &mut HashMap<String, usize>) {
        let at = self.layers.len();
        let count = counts.entry(child.class.clone()).or_insert(0);
        let slug = if *count == 0 { child.class.clone() } else { format!("{}_{count}", child.class) };
        *count += 1;
        self.by_slug.entry(slug).or_insert(at);
        self.by_name.entry(child.name.clone()).or_insert(at);
        self.layers.push(child);
    }
}

fn options(config: &Value) -> Options {
    let text = |key: &str| config.get(key).and_then(Value::as_str).map(str::to_owned);
    let off = |key: &str| config.get(key).and_then(Value::as_bool) == Some(false);
    let policy = config.get("dtype").and_then(|d| d.get("config"));
    let mode = policy.and_then(|p| p.get("mode")).and_then(Value::as_str);
    Options {
        no_bias: off("use_bias") || off("bias"),
        no_scale: off("scale"),
        no_center: off("center"),
        equation: text("equation"),
        quantization: mode.map(str::to_owned),
        dim_ordering: text("dim_ordering"),
    }
}

/// `Conv2DTranspose` as `conv2d_transpose`, `SimpleRNN` as `simple_rnn`: the two substitutions of Keras, `(.)([A-Z][a-z]+)`
/// and `([a-z])([A-Z])` to `\1_\2`.
pub fn snake_case(class: &str) -> String {
    let chars: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut words = String::new();
    let mut i = 0;
    while i < chars.len() {
        words.push(chars[i]);
        i += 1;
        let capitalised = chars.get(i).is_some_and(char::is_ascii_uppercase)
            && chars.get(i + 1).is_some_and(char::is_ascii_lowercase);
        if capitalised {
            words.push('_');
            words.push(chars[i]);
            i += 1;
            while let Some(c) = chars.get(i).filter(|c| c.is_ascii_lowercase()) {
                words.push(*c);
                i += 1;
            }
        }
    }
    let mut snake = String::new();
    let mut before = None;
    for c in words.chars() {
        if before.is_some_and(|b: char| b.is_ascii_lowercase()) && c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
        before = Some(c);
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn class_names_are_spelt_as_keras_spells_them_in_paths() {
        // Printed by keras.src.utils.naming.to_snake_case of Keras 3.15.1.
        for (class, snake) in [
            ("Conv2DTranspose", "conv2d_transpose"),
            ("DepthwiseConv2D", "depthwise_conv2d"),
            ("MultiHeadAttention", "multi_head_attention"),
            ("SimpleRNN", "simple_rnn"),
            ("LSTM", "lstm"),
            ("LSTMCell", "lstm_cell"),
            ("PReLU", "p_re_lu"),
            ("BatchNormalization", "batch_normalization"),
            ("EinsumDense", "einsum_dense"),
            ("MyOwnLayer2Go", "my_own_layer2_go"),
        ] {
            assert_eq!(snake_case(class), snake, "{class}");
        }
    }

    #[test]
    fn layers_are_numbered_per_class_in_order() {
        let dense = |name: &str| serde_json::json!({"class_name": "Dense", "config": {"name": name}});
        let conv = serde_json::json!({"class_name": "Conv1D", "config": {"name": "c"}});
        let json = serde_json::json!({"class_name": "Sequential", "config":
            {"name": "m", "layers": [dense("x"), conv, dense("y"), dense("z")]}});
        let model = Layer::parse(&json).unwrap();
        let found = |slug: &str| model.slug(slug).map(|(i, l)| (i, l.name.as_str()));
        assert_eq!(found("dense"), Some((0, "x")));
        assert_eq!(found("conv1d"), Some((1, "c")));
        assert_eq!(found("dense_1"), Some((2, "y")));
        assert_eq!(found("dense_2"), Some((3, "z")));
        assert_eq!(found("dense_3"), None);
    }
}
