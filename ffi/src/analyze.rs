//! Analyses in one call: a file, a buffer, one tensor, several.

use std::ffi::{c_char, c_void};

use bytes::Bytes;
use eigenscope_c_loader::{DLManagedTensorVersioned, codes};
use eigenscope_core::source::{Input, MemoryModel, OpenModel, TensorInfo};
use eigenscope_core::tensor::{LayerKind, Layout, Tensor, classify};

use crate::boundary;
use crate::engine::{Shared, egs_engine};
use crate::error::{Error, egs_error};
use crate::log;
use crate::options::{Call, call, egs_analysis_options};
use crate::report::egs_report;
use crate::tensor::{described, egs_tensor};
use crate::text::{given, path};

/// Most bytes a Gram matrix of a tensor in memory may take. A view with zero strides can claim any shape at no cost.
const MAX_GRAM_BYTES: u64 = 1 << 36;
/// Most elements of a tensor in memory, for the same reason: reading them takes a minute, and cannot be interrupted.
const MAX_ELEMENTS: u64 = 1 << 36;
/// Most tensors in one call.
const MAX_TENSORS: usize = 1 << 20;

pub(crate) fn analyze(shared: &Shared, model: &OpenModel, call: &Call) -> Result<*mut egs_report, Error> {
    shared.log.say(log::DEBUG, "analysis", || {
        format!("{}: {} tensors, opened by {}", model.name, model.file.tensors().len(), model.loader)
    });
    let report = shared.engine.analyze(model, &call.options, &call.watch)?;
    shared.log.say(log::INFO, "analysis", || {
        let s = &report.summary;
        format!("{}: {} analysed, {} failed, {} skipped", model.name, s.analyzed, s.failed, s.skipped)
    });
    Ok(egs_report::of_analysis(report))
}

/// What is known of a tensor in memory; one that is too large is listed and not analysed.
pub(crate) fn info(name: &str, tensor: &Tensor, kind: Option<LayerKind>, layout: Layout) -> TensorInfo {
    let mut info = TensorInfo::new(name, tensor.dtype(), tensor.shape().to_vec());
    info.kind = kind;
    info.layout = layout;
    let kind = kind.unwrap_or(classify(name, info.shape.len()).kind);
    if kind.has_matrices()
        && let Some(why) = too_large(&info.shape)
    {
        info.note = Some(why);
    }
    info
}

/// Why a tensor of this shape is not analysed.
pub(crate) fn too_large(shape: &[usize]) -> Option<String> {
    let elements = shape.iter().fold(1u64, |n, &extent| n.saturating_mul(extent as u64));
    if elements > MAX_ELEMENTS {
        return Some(format!("{elements} elements, above the limit of {MAX_ELEMENTS}"));
    }
    let mut sides: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
    sides.sort_unstable();
    // Of any two sides the second largest is at least the smaller one.
    let smaller = sides.iter().rev().nth(1).copied().unwrap_or(0);
    let gram = smaller.saturating_mul(smaller).saturating_mul(8);
    (gram > MAX_GRAM_BYTES).then(|| {
        format!("a Gram matrix of side {smaller} takes {gram} bytes, above the limit of {MAX_GRAM_BYTES}")
    })
}

/// # Safety
/// The tensor is as the header demands, and its memory stays until the model is dropped.
unsafe fn add(model: MemoryModel, name: &str, tensor: *const egs_tensor) -> Result<MemoryModel, Error> {
    // SAFETY: as the caller promises.
    let described = unsafe { described(tensor) }.map_err(|e| e.about(&format!("tensor '{name}'")))?;
    // SAFETY: as the caller promises.
    let tensor = unsafe { described.view.lend(Box::new(())) }?;
    Ok(model.with_info(info(name, &tensor, described.kind, described.layout), tensor))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_analyze_file(
    engine: *const egs_engine,
    file: *const c_char,
    options: *const egs_analysis_options,
    out: *mut *mut egs_report,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(engine, error, |engine| {
            let (file, call) = (path(file, "path")?, call(options)?);
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let model = engine.shared.registry().open(&Input::path(file), call.format.as_deref())?;
            let model = call.models.prepared(&engine.shared, model, Some(file), &call.options)?;
            out.write(analyze(&engine.shared, &model, &call)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_analyze_buffer(
    engine: *const egs_engine,
    file_name: *const c_char,
    data: *const c_void,
    size: usize,
    options: *const egs_analysis_options,
    out: *mut *mut egs_report,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(engine, error, |engine| {
            let (name, call) = (given(file_name, "file_name")?, call(options)?);
            if out.is_null() {
                return Err(Error::null("out"));
            }
            if data.is_null() && size > 0 {
                return Err(Error::null("data"));
            }
            if size > isize::MAX as usize || (data as usize).checked_add(size).is_none() {
                return Err(Error::argument(format!("size: {size} bytes lead out of the address space")));
            }
            // The model, and with it every share of these bytes, ends before this call does.
            let data = if size == 0 { &[][..] } else { std::slice::from_raw_parts(data.cast::<u8>(), size) };
            let input = Input::bytes(name, Bytes::from_static(data));
            let model = engine.shared.registry().open(&input, call.format.as_deref())?;
            let model = call.models.prepared(&engine.shared, model, None, &call.options)?;
            out.write(analyze(&engine.shared, &model, &call)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_analyze_tensor(
    engine: *const egs_engine,
    name: *const c_char,
    tensor: *const egs_tensor,
    options: *const egs_analysis_options,
    out: *mut *mut egs_report,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: one name, one tensor, or NULL, which the list refuses by name too.
    unsafe { egs_analyze_tensors(engine, &raw const name, &raw const tensor, 1, options, out, error) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_analyze_tensors(
    engine: *const egs_engine,
    names: *const *const c_char,
    tensors: *const *const egs_tensor,
    count: usize,
    options: *const egs_analysis_options,
    out: *mut *mut egs_report,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(engine, error, |engine| {
            let call = call(options)?;
            if out.is_null() {
                return Err(Error::null("out"));
            }
            if count > MAX_TENSORS {
                return Err(Error::argument(format!("count: expected at most {MAX_TENSORS}, found {count}")));
            }
            if count > 0 && (names.is_null() || tensors.is_null()) {
                return Err(Error::null(if names.is_null() { "names" } else { "tensors" }));
            }
            let mut model = MemoryModel::new();
            for i in 0..count {
                model = add(model, given(names.add(i).read(), "name")?, tensors.add(i).read())?;
            }
            let model = call.models.prepared(&engine.shared, model.open("memory"), None, &call.options)?;
            out.write(analyze(&engine.shared, &model, &call)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_analyze_dlpack(
    engine: *const egs_engine,
    name: *const c_char,
    managed: *mut DLManagedTensorVersioned,
    options: *const egs_analysis_options,
    out: *mut *mut egs_report,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        let taken = boundary::guarded(|| taken(managed));
        boundary::on(engine, error, |engine| {
            let tensor = taken.unwrap_or_else(|e| Err(Error::new(codes::PANIC, e)))?;
            let (name, call) = (given(name, "name")?, call(options)?);
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let info = info(name, &tensor, None, Layout::default());
            let model = MemoryModel::new().with_info(info, tensor).open("memory");
            let model = call.models.prepared(&engine.shared, model, None, &call.options)?;
            out.write(analyze(&engine.shared, &model, &call)?);
            Ok(())
        })
    }
}

/// A managed tensor, taken over before anything else can fail.
///
/// # Safety
/// NULL, or as the header demands.
pub(crate) unsafe fn taken(managed: *mut DLManagedTensorVersioned) -> Result<Tensor, Error> {
    if managed.is_null() {
        return Err(Error::null("tensor"));
    }
    // SAFETY: not NULL, and ours by the header.
    Ok(unsafe { eigenscope_c_loader::take(managed, None) }?)
}
