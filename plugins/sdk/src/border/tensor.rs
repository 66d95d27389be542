//! `TensorInfo`, `Tensor` and their mirrors.

use eigenscope::source::TensorInfo;
use eigenscope::tensor::{Dtype, Quantization, Role, Stacked, Tensor};

use super::enums::*;
use super::input::shared;
use crate::abi::abi_stable::std_types::{RString, RVec};
use crate::abi::{BytesV1, QuantizationV1, TensorInfoV1, TensorV1};

/// The description as it crosses.
pub fn info_into(info: &TensorInfo) -> TensorInfoV1 {
    TensorInfoV1 {
        name: info.name.as_str().into(),
        shape: shape_into(&info.shape),
        dtype: dtype_into(info.dtype),
        kind: kind_into(info.kind),
        layout: layout_into(info.layout),
        role: role_into(info.role),
        stacked_count: info.stacked.map_or(0, |s| s.count as u64),
        stacked_axis: info.stacked.map_or(0, |s| s.axis as u64),
        note: info.note.as_deref().map(RString::from).into(),
        quantized: info.quantized,
    }
}

/// The description as this side knows it. What it has no value for becomes the note, so that the tensor is listed and
/// not analysed by a guess.
///
/// # Errors
/// The words of what contradicts itself.
pub fn info_from(info: TensorInfoV1) -> Result<TensorInfo, String> {
    let dtype = dtype_from(info.dtype);
    let layout = layout_from(info.layout);
    let role = role_from(info.role);
    let name = info.name.into_string();
    let shape = shape_from(&info.shape).map_err(|e| format!("tensor '{name}': {e}"))?;
    let mut out = TensorInfo::new(name, dtype.unwrap_or(Dtype::Opaque), shape);
    out.kind = kind_from(info.kind);
    out.layout = layout.unwrap_or_default();
    out.role = role.unwrap_or(Role::Constant);
    out.stacked = match info.stacked_count {
        0 => None,
        count => Some(Stacked { count: size(count)?, axis: size(info.stacked_axis)? }),
    };
    out.quantized = info.quantized;
    let news = [
        (dtype.is_none(), "an element type", info.dtype),
        (layout.is_none(), "an axis order", info.layout),
        (role.is_none(), "a role", info.role),
    ];
    let news = news.iter().find(|(unknown, ..)| *unknown);
    let news = news.map(|(_, what, code)| format!("{what} this host does not know (code {code})"));
    out.note = info.note.into_option().map(RString::into_string).or(news);
    Ok(out)
}

/// The tensor as it crosses; its bytes are shared.
pub fn tensor_into(tensor: &Tensor) -> TensorV1 {
    let (data, origin) = tensor.storage();
    // Opaque elements have no size: nothing is read through their strides, which are all 0.
    let size = tensor.dtype().size().max(1);
    TensorV1 {
        dtype: dtype_into(tensor.dtype()),
        shape: shape_into(tensor.shape()),
        strides: tensor.byte_strides().iter().map(|s| (*s / size as isize) as i64).collect(),
        offset: (origin / size) as u64,
        data: BytesV1::new(data.clone()),
        quantization: tensor.quantization().map(quantization_into).into(),
    }
}

/// The tensor as this side knows it, checked as any tensor is; its bytes are shared.
///
/// # Errors
/// The words of what contradicts itself.
pub fn tensor_from(tensor: TensorV1) -> Result<Tensor, String> {
    let dtype = dtype_from(tensor.dtype).unwrap_or(Dtype::Opaque);
    let shape = shape_from(&tensor.shape)?;
    let strides: Result<Vec<isize>, String> =
        tensor.strides.iter().map(|s| isize::try_from(*s).map_err(|_| format!("stride {s}"))).collect();
    let out = Tensor::with_strides(dtype, shape, &strides?, size(tensor.offset)?, shared(tensor.data));
    let out = out.map_err(|e| e.to_string())?;
    match tensor.quantization.into_option() {
        None => Ok(out),
        Some(q) => out.quantized(quantization_from(q)?).map_err(|e| e.to_string()),
    }
}

fn quantization_into(q: &Quantization) -> QuantizationV1 {
    QuantizationV1 {
        axis: q.axis.map(|axis| axis as u64).into(),
        scales: q.scales.as_slice().into(),
        zero_points: q.zero_points.as_slice().into(),
    }
}

fn quantization_from(q: QuantizationV1) -> Result<Quantization, String> {
    Ok(Quantization {
        axis: q.axis.into_option().map(size).transpose()?,
        scales: q.scales.into_vec(),
        zero_points: q.zero_points.into_vec(),
    })
}

fn shape_into(shape: &[usize]) -> RVec<u64> {
    shape.iter().map(|d| *d as u64).collect()
}

fn shape_from(shape: &[u64]) -> Result<Vec<usize>, String> {
    shape.iter().map(|d| size(*d)).collect()
}

fn size(n: u64) -> Result<usize, String> {
    usize::try_from(n).map_err(|_| format!("{n} is more than this machine can count"))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use eigenscope::tensor::{LayerKind, Layout};

    use super::*;

    #[test]
    fn a_strided_quantised_view_crosses_with_its_bytes_in_place() {
        let data = Bytes::from((0u8..12).collect::<Vec<u8>>());
        let start = data.as_ptr();
        let q = Quantization { axis: Some(0), scales: vec![0.5, 2.0], zero_points: vec![1.0, 0.0] };
        let tensor = Tensor::with_strides(Dtype::U8, vec![2, 3], &[1, -2], 6, data).unwrap();
        let tensor = tensor.quantized(q.clone()).unwrap();
        let back = tensor_from(tensor_into(&tensor)).unwrap();
        assert_eq!(back.storage().0.as_ptr(), start);
        assert_eq!(back.to_vec(), [2.5, 1.5, 0.5, 14.0, 10.0, 6.0]);
        assert_eq!(back.to_vec(), tensor.to_vec());
        assert_eq!(back.quantization(), Some(&q));
    }

    #[test]
    fn wide_elements_keep_their_origin() {
        let values: Bytes = (0..8).flat_map(|v| f64::from(v).to_le_bytes()).collect();
        let tensor = Tensor::with_strides(Dtype::F64, vec![2, 2], &[-1, 4], 3, values).unwrap();
        assert_eq!(tensor_from(tensor_into(&tensor)).unwrap().to_vec(), [3.0, 7.0, 2.0, 6.0]);
        let opaque = Tensor::new(Dtype::Opaque, vec![3], Bytes::from_static(b"abc")).unwrap();
        assert_eq!(tensor_from(tensor_into(&opaque)).unwrap().dtype(), Dtype::Opaque);
    }

    #[test]
    fn views_that_leave_their_bytes_are_refused_on_arrival() {
        let tensor = Tensor::from_f32(vec![4], &[1.0; 4]).unwrap();
        let lie = |change: fn(&mut TensorV1)| {
            let mut t = tensor_into(&tensor);
            change(&mut t);
            tensor_from(t).unwrap_err()
        };
        assert_eq!(lie(|t| t.shape = vec![5].into()), "shape [5] of f32 needs 20 bytes, the data hold 16");
        assert_eq!(lie(|t| t.strides = vec![-1].into()), "strides [-1] lead before the start of the data");
        assert!(lie(|t| t.shape = vec![u64::MAX].into()).contains("the data hold 16"));
        assert_eq!(lie(|t| t.strides = RVec::new()), "strides: expected 1, found 0");
        assert!(lie(|t| t.offset = u64::MAX).contains("needs"));
    }

    #[test]
    fn a_description_crosses_whole_and_news_become_its_note() {
        let mut info = TensorInfo::new("rnn.kernel", Dtype::BF16, vec![8, 4]);
        info.kind = Some(LayerKind::Recurrent);
        info.layout = Layout::SpatialOutIn;
        info.role = Role::Buffer;
        info.stacked = Some(Stacked { count: 4, axis: 1 });
        info.note = Some("why".to_owned());
        info.quantized = true;
        assert_eq!(info_from(info_into(&info)).unwrap(), info);

        let mut later = info_into(&TensorInfo::new("w", Dtype::F32, vec![2, 2]));
        later.dtype = 77;
        let there = info_from(later.clone()).unwrap();
        assert_eq!(there.dtype, Dtype::Opaque);
        assert_eq!(there.note.as_deref(), Some("an element type this host does not know (code 77)"));
        later.dtype = dtype_into(Dtype::F32);
        later.layout = 9;
        let there = info_from(later).unwrap();
        assert_eq!(there.note.as_deref(), Some("an axis order this host does not know (code 9)"));
    }
}
