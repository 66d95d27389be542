//! Element types by the names PyTorch and NumPy give them.

use eigenscope_plugin::tensor::Dtype;

/// An element type and its size, whether or not the engine has numbers for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Element {
    /// [`Dtype::Opaque`] where it has none.
    pub dtype: Dtype,
    /// Bytes per element as stored.
    pub size: usize,
    /// PyTorch's name, for notes.
    pub name: &'static str,
}

impl Element {
    /// By the name of a `torch.dtype`.
    pub fn from_dtype(name: &str) -> Option<Element> {
        let (dtype, size, name) = match name {
            "float64" | "double" => (Dtype::F64, 8, "float64"),
            "float32" | "float" => (Dtype::F32, 4, "float32"),
            "float16" | "half" => (Dtype::F16, 2, "float16"),
            "bfloat16" => (Dtype::BF16, 2, "bfloat16"),
            "float8_e4m3fn" => (Dtype::F8E4M3, 1, "float8_e4m3fn"),
            "float8_e5m2" => (Dtype::F8E5M2, 1, "float8_e5m2"),
            "int64" | "long" => (Dtype::I64, 8, "int64"),
            "int32" | "int" => (Dtype::I32, 4, "int32"),
            "int16" | "short" => (Dtype::I16, 2, "int16"),
            "int8" => (Dtype::I8, 1, "int8"),
            "uint64" => (Dtype::U64, 8, "uint64"),
            "uint32" => (Dtype::U32, 4, "uint32"),
            "uint16" => (Dtype::U16, 2, "uint16"),
            "uint8" => (Dtype::U8, 1, "uint8"),
            "bool" => (Dtype::Bool, 1, "bool"),
            "qint8" => (Dtype::I8, 1, "qint8"),
            "quint8" => (Dtype::U8, 1, "quint8"),
            "qint32" => (Dtype::I32, 4, "qint32"),
            "complex32" | "chalf" => (Dtype::Opaque, 4, "complex32"),
            "complex64" | "cfloat" => (Dtype::Opaque, 8, "complex64"),
            "complex128" | "cdouble" => (Dtype::Opaque, 16, "complex128"),
            "float8_e4m3fnuz" => (Dtype::Opaque, 1, "float8_e4m3fnuz"),
            "float8_e5m2fnuz" => (Dtype::Opaque, 1, "float8_e5m2fnuz"),
            "float8_e8m0fnu" => (Dtype::Opaque, 1, "float8_e8m0fnu"),
            "float4_e2m1fn_x2" => (Dtype::Opaque, 1, "float4_e2m1fn_x2"),
            "quint4x2" => (Dtype::Opaque, 1, "quint4x2"),
            "quint2x4" => (Dtype::Opaque, 1, "quint2x4"),
            _ => return None,
        };
        Some(Element { dtype, size, name })
    }

    /// By the name of a storage class, such as `FloatStorage`.
    pub fn from_storage(class: &str) -> Option<Element> {
        Element::from_dtype(match class.strip_suffix("Storage")? {
            "Double" => "float64",
            "Float" => "float32",
            "Half" => "float16",
            "BFloat16" => "bfloat16",
            "Long" => "int64",
            "Int" => "int32",
            "Short" => "int16",
            "Char" => "int8",
            "Byte" | "Untyped" | "_Untyped" => "uint8",
            "Bool" => "bool",
            "ComplexDouble" => "complex128",
            "ComplexFloat" => "complex64",
            "QInt8" => "qint8",
            "QUInt8" => "quint8",
            "QInt32" => "qint32",
            "QUInt4x2" => "quint4x2",
            "QUInt2x4" => "quint2x4",
            _ => return None,
        })
    }

    /// By NumPy's type string, such as `f4`.
    pub fn from_numpy(code: &str) -> Option<Element> {
        Element::from_dtype(match code.trim_start_matches(['<', '=', '|']) {
            "f8" => "float64",
            "f4" => "float32",
            "f2" => "float16",
            "i8" => "int64",
            "i4" => "int32",
            "i2" => "int16",
            "i1" => "int8",
            "u8" => "uint64",
            "u4" => "uint32",
            "u2" => "uint16",
            "u1" => "uint8",
            "b1" => "bool",
            "c8" => "complex64",
            "c16" => "complex128",
            _ => return None,
        })
    }
}
