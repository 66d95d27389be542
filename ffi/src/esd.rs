//! Empirical spectral densities: the eigenvalues of a layer, and fits.

use std::ffi::c_char;
use std::sync::Arc;

use eigenscope_c_loader::{DLManagedTensorVersioned, codes};
use eigenscope_core::analysis::{EsdError, LayerFilter, Options, Plan, Row};
use eigenscope_core::fit::{SmallNSigma, fit_power_law};
use eigenscope_core::source::{Input, MemoryModel, OpenModel};

use crate::analyze::info;
use crate::boundary::{self, Handle, State};
use crate::engine::{Shared, egs_engine};
use crate::error::{Error, egs_error};
use crate::options::{Call, call, egs_analysis_options};
use crate::tensor::{described, egs_tensor};
use crate::text::{given, path};
use crate::{dlpack, structs};

/// `egs_fit`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_fit {
    pub struct_size: usize,
    pub alpha: f64,
    pub xmin: f64,
    pub xmax: f64,
    pub distance: f64,
    pub sigma: f64,
    pub tail: u64,
}

// SAFETY: no padding; zero is a valid bit pattern of every field.
unsafe impl structs::Sized for egs_fit {
    const NAME: &'static str = "egs_fit";
}

/// A spectrum that C owns.
#[allow(non_camel_case_types)]
pub struct egs_esd {
    state: State,
    values: Arc<[f64]>,
    /// Or why there is none.
    fit: Result<egs_fit, String>,
}

impl Handle for egs_esd {
    const NAME: &'static str = "esd";
    fn state(&self) -> &State {
        &self.state
    }
}

/// The spectrum of the one layer that the options select.
fn esd(shared: &Shared, model: &OpenModel, call: &Call) -> Result<egs_esd, Error> {
    let report = shared.engine.analyze(model, &call.options, &call.watch)?;
    let is_layer = |row: &&Row| row.num_evals.is_some();
    let Some(row) = report.layers.iter().find(is_layer) else {
        let words: Vec<&str> =
            report.layers.iter().map(|r| r.reason.as_str()).filter(|r| !r.contains("layer filter")).collect();
        let reason = words.first().copied().unwrap_or("no such layer");
        return Err(Error::new(codes::INVALID_DATA, format!("no spectrum: {reason}")));
    };
    let values: Arc<[f64]> = values(shared, model, &call.options, row)?.into();
    let fit = match (row.alpha, row.xmin, row.xmax, row.D, row.sigma, row.num_pl_spikes) {
        (Some(alpha), Some(xmin), Some(xmax), Some(distance), Some(sigma), Some(tail)) if tail >= 0 => {
            Ok(egs_fit { struct_size: 0, alpha, xmin, xmax, distance, sigma, tail: tail as u64 })
        }
        _ if row.reason.is_empty() => Err("no fit".to_owned()),
        _ => Err(row.reason.clone()),
    };
    Ok(egs_esd { state: State::new(), values, fit })
}

/// The eigenvalues behind a row.
fn values(shared: &Shared, model: &OpenModel, options: &Options, row: &Row) -> Result<Vec<f64>, Error> {
    let plan = Plan::new(model.file.as_ref(), options).map_err(|e| Error::argument(e.to_string()))?;
    let layer = plan.layers.iter().find(|l| l.skip.is_none() && l.layer_id == row.layer_id);
    let layer = layer.ok_or_else(|| Error::new(codes::INTERNAL, format!("layer '{}' is gone", row.name)))?;
    match shared.engine.esd(model, layer, options) {
        // Pooled: the callers see to that.
        Ok(esd) => Ok(esd.spectra.into_iter().flat_map(|s| s.eigenvalues).collect()),
        Err(EsdError::Source(error)) => Err(error.into()),
        Err(error) => Err(Error::new(codes::INVALID_DATA, error.to_string())),
    }
}

/// # Safety
/// `out` is writable unless NULL.
unsafe fn made(out: *mut *mut egs_esd, esd: egs_esd) {
    // SAFETY: checked by the callers.
    unsafe { out.write(Box::into_raw(Box::new(esd))) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_esd_of_tensor(
    engine: *const egs_engine,
    name: *const c_char,
    tensor: *const egs_tensor,
    options: *const egs_analysis_options,
    out: *mut *mut egs_esd,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(engine, error, |engine| {
            let (name, mut call, described) = (given(name, "name")?, call(options)?, described(tensor)?);
            if out.is_null() {
                return Err(Error::null("out"));
            }
            call.options.pool = true;
            call.options.layers = LayerFilter::default();
            let tensor = described.view.lend(Box::new(()))?;
            let info = info(name, &tensor, described.kind, described.layout);
            let model = MemoryModel::new().with_info(info, tensor).open("memory");
            made(out, esd(&engine.shared, &model, &call)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_esd_of_file(
    engine: *const egs_engine,
    file: *const c_char,
    layer: *const c_char,
    options: *const egs_analysis_options,
    out: *mut *mut egs_esd,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(engine, error, |engine| {
            let (file, layer, mut call) = (path(file, "path")?, given(layer, "layer")?, call(options)?);
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let model = engine.shared.registry().open(&Input::path(file), call.format.as_deref())?;
            let plan =
                Plan::new(model.file.as_ref(), &call.options).map_err(|e| Error::argument(e.to_string()))?;
            // By id, so that a name with a glob's characters means itself.
            let found = plan.layers.iter().find(|l| l.name == layer || l.longname == layer);
            let found = found.ok_or_else(|| {
                Error::new(codes::NOT_FOUND, format!("{}: no layer '{layer}'", model.name))
                    .advice("egs_analyze_file() lists every tensor of the model")
            })?;
            if let Some(why) = &found.skip {
                return Err(Error::new(codes::INVALID_DATA, format!("no spectrum: {why}")));
            }
            call.options.pool = true;
            call.options.layers = LayerFilter::new([found.layer_id.to_string()]);
            made(out, esd(&engine.shared, &model, &call)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_esd_free(esd: *mut egs_esd) {
    // SAFETY: NULL or live and not used again, as the header demands.
    unsafe { boundary::free(esd) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_esd_count(esd: *const egs_esd) -> usize {
    // SAFETY: NULL or live.
    unsafe { boundary::get(esd, 0, |e| e.values.len()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_esd_values(esd: *const egs_esd) -> *const f64 {
    // SAFETY: NULL or live.
    unsafe { boundary::get(esd, std::ptr::null(), |e| e.values.as_ptr()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_esd_fit(
    esd: *const egs_esd,
    out: *mut egs_fit,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(esd, error, |esd| match &esd.fit {
            Ok(fit) => structs::write(out, fit),
            Err(reason) => Err(Error::new(codes::NOT_FOUND, format!("no fit: {reason}"))),
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_esd_dlpack(
    esd: *const egs_esd,
    out: *mut *mut DLManagedTensorVersioned,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(esd, error, |esd| {
            if out.is_null() {
                return Err(Error::null("out"));
            }
            out.write(dlpack::lend(Arc::clone(&esd.values)));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_fit_values(
    values: *const f64,
    count: usize,
    out: *mut egs_fit,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::status(error, || {
            if values.is_null() {
                return Err(Error::null("values"));
            }
            if count.checked_mul(size_of::<f64>()).is_none_or(|n| n > isize::MAX as usize) {
                return Err(Error::argument(format!(
                    "count: {count} doubles are more than any memory holds"
                )));
            }
            // Unaligned, as memory from elsewhere may be.
            let mut sorted: Vec<f64> = (0..count).map(|i| values.add(i).read_unaligned()).collect();
            if let Some(i) = sorted.iter().position(|v| !(v.is_finite() && *v > 0.0)) {
                return Err(Error::argument(format!(
                    "values[{i}]: expected a positive number, found {}",
                    sorted[i]
                )));
            }
            sorted.sort_by(f64::total_cmp);
            let fit = fit_power_law(&sorted, SmallNSigma::FromAlpha)
                .map_err(|e| Error::new(codes::NOT_FOUND, format!("no fit: {e}")))?;
            let tail = (sorted.len() - sorted.partition_point(|v| *v < fit.xmin)) as u64;
            let fit = egs_fit {
                struct_size: 0,
                alpha: fit.alpha,
                xmin: fit.xmin,
                xmax: fit.xmax,
                distance: fit.d,
                sigma: fit.sigma,
                tail,
            };
            structs::write(out, &fit)
        })
    }
}
