//! The constants of the headers: status codes, element types, layer kinds, axis orders, roles.

use eigenscope_core::tensor::{Dtype, LayerKind, Layout, Role};

macro_rules! codes {
    ($(#[$doc:meta])* $type:ident { $($name:ident = $value:literal, $c:literal;)* }) => {
        $(#[allow(missing_docs)] pub const $name: i32 = $value;)*
        $(#[$doc])*
        pub const $type: &[(&str, i32)] = &[$(($c, $value)),*];
    };
}

codes! {
    /// Status codes and their C names.
    STATUS {
        OK = 0, "EGS_OK";
        INVALID_ARGUMENT = 1, "EGS_ERR_INVALID_ARGUMENT";
        INVALID_STATE = 2, "EGS_ERR_INVALID_STATE";
        UNSUPPORTED = 3, "EGS_ERR_UNSUPPORTED";
        NOT_FOUND = 4, "EGS_ERR_NOT_FOUND";
        INVALID_DATA = 5, "EGS_ERR_INVALID_DATA";
        IO = 6, "EGS_ERR_IO";
        OUT_OF_MEMORY = 7, "EGS_ERR_OUT_OF_MEMORY";
        CANCELLED = 8, "EGS_ERR_CANCELLED";
        ABI = 9, "EGS_ERR_ABI";
        PANIC = 10, "EGS_ERR_PANIC";
        INTERNAL = 11, "EGS_ERR_INTERNAL";
    }
}

/// The C name of a status.
pub fn status_name(status: i32) -> Option<&'static str> {
    STATUS.iter().find(|(_, code)| *code == status).map(|(name, _)| *name)
}

/// Element types: the C name, its value, the type.
pub const DTYPES: [(&str, i32, Dtype); 15] = [
    ("EGS_F64", 1, Dtype::F64),
    ("EGS_F32", 2, Dtype::F32),
    ("EGS_F16", 3, Dtype::F16),
    ("EGS_BF16", 4, Dtype::BF16),
    ("EGS_F8_E4M3", 5, Dtype::F8E4M3),
    ("EGS_F8_E5M2", 6, Dtype::F8E5M2),
    ("EGS_I64", 7, Dtype::I64),
    ("EGS_I32", 8, Dtype::I32),
    ("EGS_I16", 9, Dtype::I16),
    ("EGS_I8", 10, Dtype::I8),
    ("EGS_U64", 11, Dtype::U64),
    ("EGS_U32", 12, Dtype::U32),
    ("EGS_U16", 13, Dtype::U16),
    ("EGS_U8", 14, Dtype::U8),
    ("EGS_BOOL", 15, Dtype::Bool),
];

/// Layer kinds other than `EGS_KIND_AUTO`, which is 0.
pub const KINDS: [(&str, i32, LayerKind); 10] = [
    ("EGS_KIND_DENSE", 1, LayerKind::Dense),
    ("EGS_KIND_CONV1D", 2, LayerKind::Conv1d),
    ("EGS_KIND_CONV2D", 3, LayerKind::Conv2d),
    ("EGS_KIND_CONV3D", 4, LayerKind::Conv3d),
    ("EGS_KIND_EMBEDDING", 5, LayerKind::Embedding),
    ("EGS_KIND_RECURRENT", 6, LayerKind::Recurrent),
    ("EGS_KIND_ATTENTION", 7, LayerKind::Attention),
    ("EGS_KIND_NORM", 8, LayerKind::Norm),
    ("EGS_KIND_BIAS", 9, LayerKind::Bias),
    ("EGS_KIND_OTHER", 10, LayerKind::Other),
];

/// Axis orders.
pub const LAYOUTS: [(&str, i32, Layout); 4] = [
    ("EGS_LAYOUT_OUT_IN_SPATIAL", 0, Layout::OutInSpatial),
    ("EGS_LAYOUT_IN_OUT_SPATIAL", 1, Layout::InOutSpatial),
    ("EGS_LAYOUT_SPATIAL_IN_OUT", 2, Layout::SpatialInOut),
    ("EGS_LAYOUT_SPATIAL_OUT_IN", 3, Layout::SpatialOutIn),
];

/// What a plugin may say a tensor is for.
pub const ROLES: [(&str, i32, Role); 4] = [
    ("EGS_TENSOR_WEIGHT", 0, Role::Weight),
    ("EGS_TENSOR_BUFFER", 1, Role::Buffer),
    ("EGS_TENSOR_OPTIMIZER", 2, Role::Optimizer),
    ("EGS_TENSOR_CONSTANT", 3, Role::Constant),
];

fn find<T: Copy>(table: &[(&str, i32, T)], code: i32) -> Option<T> {
    table.iter().find(|(_, value, _)| *value == code).map(|(_, _, item)| *item)
}

/// The element type of a code.
pub fn dtype(code: i32) -> Option<Dtype> {
    find(&DTYPES, code)
}

/// The code of an element type; 0 for types without.
pub fn dtype_code(dtype: Dtype) -> i32 {
    DTYPES.iter().find(|(_, _, item)| *item == dtype).map_or(0, |(_, code, _)| *code)
}

/// The kind of a code: `Some(None)` for automatic, `None` for a code that is not one.
pub fn kind(code: i32) -> Option<Option<LayerKind>> {
    if code == 0 { Some(None) } else { find(&KINDS, code).map(Some) }
}

/// The axis order of a code.
pub fn layout(code: i32) -> Option<Layout> {
    find(&LAYOUTS, code)
}

/// The role of a code.
pub fn role(code: i32) -> Option<Role> {
    find(&ROLES, code)
}
