//! What the numbered variables of Keras 3 are: `vars/0` of a Dense layer is its kernel.

use crate::config::Options;

/// The variables of a layer of this class, in the order Keras 3 stores them; `count` are there. `None` for a class not known,
/// or when the count contradicts it.
pub fn names(class: &str, options: Option<&Options>, count: usize) -> Option<Vec<&'static str>> {
    let all = stored_order(class, options)?;
    if all.len() == count {
        return Some(all);
    }
    // Without a configuration, a layer short of its optional bias is told by the count.
    let spare: Vec<&str> = all.into_iter().filter(|name| *name != "bias").collect();
    (options.is_none() && spare.len() == count).then_some(spare)
}

/// Whether the variables of this class are known.
pub fn knows(class: &str) -> bool {
    stored_order(class, None).is_some()
}

fn stored_order(class: &str, options: Option<&Options>) -> Option<Vec<&'static str>> {
    let defaults = Options::default();
    let options = options.unwrap_or(&defaults);
    let with = |present: bool, name: &'static str| present.then_some(name);
    let bias = with(!options.no_bias, "bias");
    let gamma = with(!options.no_scale, "gamma");
    let beta = with(!options.no_center, "beta");
    let some = |names: &[Option<&'static str>]| Some(names.iter().flatten().copied().collect());
    match class {
        "dense" | "einsum_dense" => {
            Some(quantized_order(options.quantization.as_deref(), "kernel", "kernel_scale", bias))
        }
        "embedding" | "reversible_embedding" => {
            Some(quantized_order(options.quantization.as_deref(), "embeddings", "embeddings_scale", None))
        }
        "conv1d" | "conv2d" | "conv3d" | "conv1d_transpose" | "conv2d_transpose" | "conv3d_transpose"
        | "depthwise_conv1d" | "depthwise_conv2d" => some(&[Some("kernel"), bias]),
        "separable_conv1d" | "separable_conv2d" => {
            some(&[Some("depthwise_kernel"), Some("pointwise_kernel"), bias])
        }
        "lstm" | "gru" | "simple_rnn" | "cell" | "lstm_cell" | "gru_cell" | "simple_rnn_cell"
        | "conv_lstm1d" | "conv_lstm2d" | "conv_lstm3d" | "conv_lstm_cell" => {
            some(&[Some("kernel"), Some("recurrent_kernel"), bias])
        }
        "batch_normalization" => some(&[gamma, beta, Some("moving_mean"), Some("moving_variance")]),
        "layer_normalization" | "group_normalization" => some(&[gamma, beta]),
        "rms_normalization" => some(&[Some("scale")]),
        "normalization" => some(&[Some("mean"), Some("variance"), Some("count")]),
        "p_re_lu" => some(&[Some("alpha")]),
        "spectral_normalization" => some(&[Some("vector_u")]),
        "seed_generator" => some(&[Some("seed_generator_state")]),
        _ => None,
    }
}

/// `variable_serialization_spec` of Keras 3.15.
fn quantized_order(
    mode: Option<&str>,
    weight: &'static str,
    scale: &'static str,
    bias: Option<&'static str>,
) -> Vec<&'static str> {
    let mut names = vec![weight];
    names.extend(bias);
    match mode.map(|m| m.split('/').next().unwrap_or(m)) {
        Some("int8") => names.push(scale),
        // One scale per column, or, in blocks, scales with zero points and group numbers.
        Some("int4") if mode == Some("int4") => names.push(scale),
        Some("int4") => {
            names.extend([scale, if weight == "kernel" { "kernel_zero" } else { "embeddings_zero" }, "g_idx"])
        }
        Some("float8") => names.extend([
            "inputs_scale",
            "inputs_amax_history",
            scale,
            "kernel_amax_history",
            "outputs_grad_scale",
            "outputs_grad_amax_history",
        ]),
        Some("gptq" | "awq") => {
            names = Vec::from_iter(bias);
            names.extend(["quantized_kernel", scale, "kernel_zero"]);
            names.extend((mode.is_some_and(|m| m.starts_with("awq"))).then_some("awq_scales"));
            names.push("g_idx");
        }
        _ => {}
    }
    names
}
