//! A model that a C loader opened.

use std::collections::HashSet;
use std::ffi::{c_char, c_void};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use eigenscope_core::source::{Refusal, SourceError, TensorInfo, WeightFile};
use eigenscope_core::tensor::Tensor;

use crate::loader::{LogSink, message_of, refusal, text, view_refusal};
use crate::table::{Call, LoaderTable, MAX_NDIM, TensorInfoC};
use crate::{DLManagedTensorVersioned, codes, dlpack};

/// Most tensors a model may list: ten times the largest models published.
const MAX_TENSORS: u64 = 1 << 20;

/// What every call of a model needs.
pub(crate) struct Calls {
    pub file: String,
    pub log: LogSink,
    /// Calls on one model come one at a time; so do all calls of a serial loader.
    pub lock: Arc<Mutex<()>>,
}

/// The host's side of one call.
struct Sink<'a> {
    error: Option<(i32, String)>,
    log: &'a LogSink,
}

impl Calls {
    pub fn lock(lock: &Mutex<()>) -> MutexGuard<'_, ()> {
        lock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one function of the table and turns its status into a result.
    pub fn status(
        &self,
        tensor: Option<&str>,
        run: impl FnOnce(*mut Call) -> i32,
    ) -> Result<(), SourceError> {
        let mut sink = Sink { error: None, log: &self.log };
        let mut call = Call {
            struct_size: size_of::<Call>(),
            host: (&raw mut sink).cast(),
            set_error: Some(set_error),
            log: Some(log),
        };
        let one_at_a_time = Calls::lock(&self.lock);
        let status = run(&raw mut call);
        drop(one_at_a_time);
        if status == codes::OK {
            return Ok(());
        }
        let (status, message) = sink.error.unwrap_or_else(|| {
            let name = codes::status_name(status).unwrap_or("a status of its own");
            (status, format!("status {status} ({name}) without a message"))
        });
        Err(self.error(tensor, refusal(status, message)))
    }

    fn error(&self, tensor: Option<&str>, refusal: Refusal) -> SourceError {
        let error = SourceError::new(&self.file, refusal);
        match tensor {
            Some(name) => error.tensor(name),
            None => error,
        }
    }
}

/// The sink behind a call, or nothing when a loader calls with something else.
///
/// # Safety
/// `call` is NULL or the pointer that the loader was given, during that call.
unsafe fn sink<'a>(call: *mut Call) -> Option<&'a mut Sink<'a>> {
    if call.is_null() {
        return None;
    }
    // SAFETY: a live call, by the contract; its sink lives as long.
    unsafe { (*call).host.cast::<Sink<'a>>().as_mut() }
}

unsafe extern "C" fn set_error(call: *mut Call, status: i32, message: *const c_char) {
    // SAFETY: a loader passes on what it was given.
    if let (Some(sink), message) = unsafe { (sink(call), message_of(message)) } {
        sink.error = Some((status, message));
    }
}

unsafe extern "C" fn log(call: *mut Call, level: i32, message: *const c_char) {
    // SAFETY: as above.
    if let (Some(sink), message) = unsafe { (sink(call), message_of(message)) } {
        (sink.log)(level.clamp(1, 4), &message);
    }
}

pub(crate) struct CModel {
    open: Arc<Open>,
    table: LoaderTable,
    calls: Calls,
    infos: Vec<TensorInfo>,
}

/// The loader's model. It is closed when nobody, no tensor either, needs it any more.
struct Open {
    handle: *mut c_void,
    close: Option<unsafe extern "C" fn(*mut c_void)>,
    lock: Arc<Mutex<()>>,
    /// What the loader may point into until `close`.
    _data: Bytes,
}

// SAFETY: the header lets a host call from any thread; `Calls` makes calls on one model come one at a time.
unsafe impl Send for Open {}
// SAFETY: as above.
unsafe impl Sync for Open {}

impl CModel {
    /// Fetches the list of tensors; closes the model when that fails.
    pub fn list(
        table: LoaderTable,
        handle: *mut c_void,
        calls: Calls,
        data: Bytes,
    ) -> Result<CModel, SourceError> {
        let open = Open { handle, close: table.close, lock: Arc::clone(&calls.lock), _data: data };
        let mut model = CModel { open: Arc::new(open), table, calls, infos: Vec::new() };
        let mut count = 0u64;
        let count_of = table.tensor_count;
        model.calls.status(None, |call| match count_of {
            // SAFETY: live pointers, a handle of this table.
            Some(count_of) => unsafe { count_of(call, handle, &raw mut count) },
            None => codes::INTERNAL,
        })?;
        if count > MAX_TENSORS {
            let what = "the number of tensors".to_owned();
            return Err(model.calls.error(None, Refusal::TooLarge { what, size: count, limit: MAX_TENSORS }));
        }
        let mut names = HashSet::new();
        for index in 0..count {
            let info = model.info(index)?;
            if !names.insert(info.name.clone()) {
                let refusal = Refusal::Loader("it lists two tensors of this name".to_owned());
                return Err(model.calls.error(Some(&info.name), refusal));
            }
            model.infos.push(info);
        }
        Ok(model)
    }

    fn info(&self, index: u64) -> Result<TensorInfo, SourceError> {
        let mut c = TensorInfoC {
            struct_size: size_of::<TensorInfoC>(),
            name: std::ptr::null(),
            note: std::ptr::null(),
            shape: std::ptr::null(),
            ndim: 0,
            dtype: 0,
            kind: 0,
            layout: 0,
            role: 0,
            reserved: 0,
        };
        let info_of = self.table.tensor_info;
        self.calls.status(None, |call| match info_of {
            // SAFETY: live pointers, a handle of this table.
            Some(info_of) => unsafe { info_of(call, self.open.handle, index, &raw mut c) },
            None => codes::INTERNAL,
        })?;
        // SAFETY: text is NUL-terminated and lives until the next call on the model.
        let (name, note) = unsafe { (text(c.name), text(c.note)) };
        let broken =
            |what: String| self.calls.error(None, Refusal::Loader(format!("tensor_info({index}): {what}")));
        let name = name.map_err(|what| broken(format!("name: {what}")))?;
        if name.is_empty() {
            return Err(broken("the name is empty".to_owned()));
        }
        let rank = usize::try_from(c.ndim).ok().filter(|r| *r <= MAX_NDIM && (*r == 0 || !c.shape.is_null()));
        let Some(rank) = rank else {
            return Err(broken(format!("'{name}': ndim {} (0 to {MAX_NDIM} with a shape)", c.ndim)));
        };
        let extents = if rank == 0 {
            &[][..]
        } else {
            // SAFETY: not NULL, and the header demands `ndim` extents.
            unsafe { std::slice::from_raw_parts(c.shape, rank) }
        };
        let shape: Option<Vec<usize>> = extents.iter().map(|&e| usize::try_from(e).ok()).collect();
        let shape = shape.ok_or_else(|| broken(format!("'{name}': a negative extent in {extents:?}")))?;
        let unknown = |field: &str, code: i32| broken(format!("'{name}': {field} {code} is not known"));
        let mut info =
            TensorInfo::new(&*name, codes::dtype(c.dtype).ok_or_else(|| unknown("dtype", c.dtype))?, shape);
        info.kind = codes::kind(c.kind).ok_or_else(|| unknown("kind", c.kind))?;
        info.layout = codes::layout(c.layout).ok_or_else(|| unknown("layout", c.layout))?;
        info.role = codes::role(c.role).ok_or_else(|| unknown("role", c.role))?;
        info.note = Some(note.map_err(|what| broken(format!("note: {what}")))?).filter(|n| !n.is_empty());
        Ok(info)
    }
}

impl WeightFile for CModel {
    fn tensors(&self) -> &[TensorInfo] {
        &self.infos
    }

    fn read(&self, index: usize) -> Result<Tensor, SourceError> {
        let Some(info) = self.infos.get(index) else {
            let what = format!("tensor {index} of {}", self.infos.len());
            return Err(self.calls.error(None, Refusal::Missing(what)));
        };
        let mut managed: *mut DLManagedTensorVersioned = std::ptr::null_mut();
        let read = self.table.tensor_read;
        self.calls.status(Some(&info.name), |call| match read {
            // SAFETY: live pointers, a handle of this table.
            Some(read) => unsafe { read(call, self.open.handle, index as u64, &raw mut managed) },
            None => codes::INTERNAL,
        })?;
        let broken = |refusal| self.calls.error(Some(&info.name), refusal);
        if managed.is_null() {
            return Err(broken(Refusal::Loader("tensor_read succeeded without a tensor".to_owned())));
        }
        // SAFETY: the loader hands over a tensor that is ours to delete and does not change.
        let tensor = unsafe { dlpack::take(managed, Some(Arc::clone(&self.open) as _)) }
            .map_err(|e| broken(view_refusal(e)))?;
        if (tensor.dtype(), tensor.shape()) != (info.dtype, info.shape.as_slice()) {
            let what = format!(
                "it lists {} of shape {:?} and reads {} of shape {:?}",
                info.dtype,
                info.shape,
                tensor.dtype(),
                tensor.shape()
            );
            return Err(broken(Refusal::Loader(what)));
        }
        Ok(tensor)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _one_at_a_time = Calls::lock(&self.lock);
        if let Some(close) = self.close {
            // SAFETY: opened by this table, closed once.
            unsafe { close(self.handle) };
        }
    }
}
