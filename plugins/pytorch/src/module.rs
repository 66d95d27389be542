//! What a module's class says of its weight: layer kind, axis order, stacked gates.

use eigenscope_plugin::source::TensorInfo;
use eigenscope_plugin::tensor::{LayerKind, Layout, Stacked};

/// The class's own name, without the packages and the suffixes TorchScript adds.
fn class_name(path: &str) -> Option<&str> {
    let path = path.strip_prefix("__torch__.").unwrap_or(path);
    let ours = path.starts_with("torch.nn.");
    if ours { path.rsplit('.').next() } else { None }
}

/// Whether the class is one of PyTorch's layers.
pub fn is_layer(path: &str) -> bool {
    class_name(path).is_some()
}

/// Fills in what follows from the class of the module that holds the tensor.
pub fn describe(info: &mut TensorInfo, class: &str) {
    let last = info.name.rsplit('.').next().unwrap_or("");
    let Some(class) = class_name(class) else { return };
    let gates = match class {
        "LSTM" | "LSTMCell" => 4,
        "GRU" | "GRUCell" => 3,
        _ => 1,
    };
    let rank = info.shape.len();
    let kind = match (class, last, rank) {
        ("Linear" | "NonDynamicallyQuantizableLinear", "weight", 2) => LayerKind::Dense,
        ("Conv1d" | "ConvTranspose1d", "weight", 3) => LayerKind::Conv1d,
        ("Conv2d" | "ConvTranspose2d", "weight", 4) => LayerKind::Conv2d,
        ("Conv3d" | "ConvTranspose3d", "weight", 5) => LayerKind::Conv3d,
        ("Embedding" | "EmbeddingBag", "weight", 2) => LayerKind::Embedding,
        ("MultiheadAttention", "in_proj_weight", 2) => LayerKind::Attention,
        ("LSTM" | "GRU" | "RNN" | "LSTMCell" | "GRUCell" | "RNNCell", name, 2)
            if name.starts_with("weight_") =>
        {
            LayerKind::Recurrent
        }
        _ => return,
    };
    info.kind = Some(kind);
    if class.starts_with("ConvTranspose") {
        info.layout = Layout::InOutSpatial;
    }
    let stacked = match kind {
        LayerKind::Recurrent if !last.starts_with("weight_hr") => gates,
        LayerKind::Attention => 3,
        _ => 1,
    };
    if stacked > 1 && info.shape[0].is_multiple_of(stacked) {
        info.stacked = Some(Stacked { count: stacked, axis: 0 });
    }
}
