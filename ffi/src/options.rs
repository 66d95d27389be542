//! `egs_analysis_options`, and the callback that watches an analysis.

use std::ffi::{CString, c_char, c_void};
use std::ops::ControlFlow;

use eigenscope_core::analysis::{Conventions, LayerFilter, Observer, Options, Progress};
use eigenscope_core::matrix::ConvMode;
use eigenscope_core::spectrum::Precision;

use crate::error::Error;
use crate::prepared::Models;
use crate::text::{cstring, optional};
use crate::{overlay, structs};

pub(crate) const UNPOOLED: u64 = 1;
pub(crate) const FLATTEN: u64 = 2;
pub(crate) const SINGLE: u64 = 8;

/// A switch of the options.
type Switch = fn(&mut Options) -> &mut bool;

/// Bits that are switches of [`Options`], with their names.
pub(crate) const SWITCHES: [(&str, u64, Switch); 14] = [
    ("SPLIT", 4, |o| &mut o.split),
    ("RANDOMIZE", 16, |o| &mut o.randomize),
    ("MP_FIT", 32, |o| &mut o.mp_fit),
    ("TRAPS", 64, |o| &mut o.traps),
    ("DETX", 128, |o| &mut o.detx),
    ("DELTAS", 256, |o| &mut o.deltas),
    ("VECTORS", 512, |o| &mut o.vectors),
    ("INVERSE", 1024, |o| &mut o.inverse),
    ("COMPARE", 2048, |o| &mut o.compare),
    ("NULL_REFERENCE", 4096, |o| &mut o.null_reference),
    ("INTRA", 8192, |o| &mut o.intra),
    ("STACKED", 16384, |o| &mut o.stacked),
    ("GLOROT_FIX", 32768, |o| &mut o.glorot_fix),
    ("ADD_BIASES", 65536, |o| &mut o.add_biases),
];

/// `egs_progress_fn`.
pub(crate) type ProgressFn = unsafe extern "C" fn(*const egs_progress, *mut c_void) -> i32;

/// `egs_progress`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_progress {
    pub struct_size: usize,
    pub done: u64,
    pub total: u64,
    pub work: f64,
    pub layer: *const c_char,
}

/// `egs_analysis_options`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_analysis_options {
    pub struct_size: usize,
    pub flags: u64,
    pub min_evals: u64,
    pub max_evals: u64,
    pub max_n: u64,
    pub layers: *const c_char,
    pub conventions: *const c_char,
    pub format: *const c_char,
    pub json: *const c_char,
    pub progress: Option<ProgressFn>,
    pub progress_user: *mut c_void,
}

// SAFETY: no padding; zero is the default of every field.
unsafe impl structs::Sized for egs_analysis_options {
    const NAME: &'static str = "egs_analysis_options";
}

/// Options of one call, checked.
pub(crate) struct Call {
    pub options: Options,
    /// Base model and adapter.
    pub models: Models,
    /// The loader to use, where one was named.
    pub format: Option<String>,
    pub watch: Watch,
}

/// # Safety
/// `options` is NULL or as the header demands.
pub(crate) unsafe fn call(options: *const egs_analysis_options) -> Result<Call, Error> {
    // SAFETY: as the caller promises.
    let c = unsafe { structs::read_or_default(options) }?;
    // SAFETY: the text of the struct is NULL or NUL-terminated.
    let words = |text, what| unsafe { optional(text, what) };
    let known = SWITCHES.iter().fold(UNPOOLED | FLATTEN | SINGLE, |all, (_, bit, _)| all | bit);
    let unknown = c.flags & !known;
    if unknown != 0 {
        return Err(Error::argument(format!("egs_analysis_options.flags: unknown bits {unknown:#x}")));
    }
    let (mut options, mut models) = (Options::default(), Models::default());
    let limit = |value: u64| (value != 0).then(|| usize::try_from(value).unwrap_or(usize::MAX));
    options.min_evals = limit(c.min_evals).unwrap_or(options.min_evals);
    options.max_evals = limit(c.max_evals);
    options.max_n = limit(c.max_n);
    options.pool = c.flags & UNPOOLED == 0;
    for (_, bit, switch) in SWITCHES {
        *switch(&mut options) = c.flags & bit != 0;
    }
    if c.flags & FLATTEN != 0 {
        options.conv_mode = ConvMode::Flatten;
    }
    if c.flags & SINGLE != 0 {
        options.precision = Precision::F32;
    }
    if let Some(terms) = words(c.layers, "egs_analysis_options.layers")? {
        options.layers = LayerFilter::new(terms.split(',').map(str::trim));
    }
    if let Some(name) = words(c.conventions, "egs_analysis_options.conventions")? {
        options.conventions = Conventions::named(name).ok_or_else(|| overlay::unknown_preset(name))?;
    }
    if let Some(json) = words(c.json, "egs_analysis_options.json")? {
        let what = "egs_analysis_options.json";
        let mut object = overlay::object(json, what)?;
        models = Models::take(&mut object).map_err(|error| error.about(what))?;
        options = overlay::laid(options, object, what)?;
    }
    options.validate().map_err(|e| Error::argument(e.to_string()).advice("correct the options"))?;
    let format = words(c.format, "egs_analysis_options.format")?.map(str::to_owned);
    Ok(Call { options, models, format, watch: Watch { function: c.progress, user: c.progress_user } })
}

/// The caller's progress function.
pub(crate) struct Watch {
    function: Option<ProgressFn>,
    user: *mut c_void,
}

// SAFETY: the header says that the function is called on threads of the engine, one at a time.
unsafe impl Send for Watch {}
// SAFETY: as above.
unsafe impl Sync for Watch {}

impl Watch {
    pub fn is_set(&self) -> bool {
        self.function.is_some()
    }
}

impl Observer for Watch {
    fn progress(&self, progress: &Progress<'_>) -> ControlFlow<()> {
        let Some(function) = self.function else { return ControlFlow::Continue(()) };
        let layer: CString = progress.rows.first().map(|row| cstring(&row.name)).unwrap_or_default();
        let c = egs_progress {
            struct_size: size_of::<egs_progress>(),
            done: progress.done as u64,
            total: progress.total as u64,
            work: progress.work,
            layer: layer.as_ptr(),
        };
        // SAFETY: the function and its pointer came together; the struct lives during the call.
        if unsafe { function(&raw const c, self.user) } == 0 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    }
}
