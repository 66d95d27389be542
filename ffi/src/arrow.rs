//! A table as an Arrow C stream of one record batch (<https://arrow.apache.org/docs/format/CStreamInterface.html>).
//!
//! Whoever holds a schema or an array may release it after the stream is gone, and may move it: everything a struct points to is
//! owned by its own `private_data`.

use std::ffi::{CString, c_char, c_int, c_void};
use std::sync::Arc;

use crate::boundary;
use crate::table::{Cell, Kind, Table};

/// `ARROW_FLAG_NULLABLE`.
const NULLABLE: i64 = 2;
/// What a consumer is told when a pointer is missing; the interface counts in `errno`.
const EINVAL: c_int = 22;
/// And when something panicked.
const EIO: c_int = 5;

#[repr(C)]
#[allow(missing_docs)]
pub struct ArrowSchema {
    pub format: *const c_char,
    pub name: *const c_char,
    pub metadata: *const c_char,
    pub flags: i64,
    pub n_children: i64,
    pub children: *mut *mut ArrowSchema,
    pub dictionary: *mut ArrowSchema,
    pub release: Option<unsafe extern "C" fn(*mut ArrowSchema)>,
    pub private_data: *mut c_void,
}

#[repr(C)]
#[allow(missing_docs)]
pub struct ArrowArray {
    pub length: i64,
    pub null_count: i64,
    pub offset: i64,
    pub n_buffers: i64,
    pub n_children: i64,
    pub buffers: *mut *const c_void,
    pub children: *mut *mut ArrowArray,
    pub dictionary: *mut ArrowArray,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArray)>,
    pub private_data: *mut c_void,
}

#[repr(C)]
#[allow(missing_docs)]
pub struct ArrowArrayStream {
    pub get_schema: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowSchema) -> c_int>,
    pub get_next: Option<unsafe extern "C" fn(*mut ArrowArrayStream, *mut ArrowArray) -> c_int>,
    pub get_last_error: Option<unsafe extern "C" fn(*mut ArrowArrayStream) -> *const c_char>,
    pub release: Option<unsafe extern "C" fn(*mut ArrowArrayStream)>,
    pub private_data: *mut c_void,
}

struct Stream {
    table: Arc<Table>,
    sent: bool,
}

/// A stream over a table that it keeps.
pub(crate) fn stream(table: Arc<Table>) -> ArrowArrayStream {
    ArrowArrayStream {
        get_schema: Some(get_schema),
        get_next: Some(get_next),
        get_last_error: Some(get_last_error),
        release: Some(release_stream),
        private_data: Box::into_raw(Box::new(Stream { table, sent: false })).cast(),
    }
}

/// # Safety
/// NULL, or a stream that [`stream`] made.
unsafe fn inner<'a>(stream: *mut ArrowArrayStream) -> Option<&'a mut Stream> {
    // SAFETY: as the caller promises; `private_data` is NULL once released.
    unsafe { stream.as_mut()?.private_data.cast::<Stream>().as_mut() }
}

unsafe extern "C" fn get_schema(stream: *mut ArrowArrayStream, out: *mut ArrowSchema) -> c_int {
    // SAFETY: the consumer passes a live stream and room for a schema.
    let Some(stream) = (unsafe { inner(stream) }).filter(|_| !out.is_null()) else { return EINVAL };
    match boundary::guarded(|| schema(&stream.table)) {
        Ok(schema) => {
            // SAFETY: room for a schema.
            unsafe { out.write(schema) };
            0
        }
        Err(_) => EIO,
    }
}

unsafe extern "C" fn get_next(stream: *mut ArrowArrayStream, out: *mut ArrowArray) -> c_int {
    // SAFETY: the consumer passes a live stream and room for an array.
    let Some(stream) = (unsafe { inner(stream) }).filter(|_| !out.is_null()) else { return EINVAL };
    let made = boundary::guarded(|| if stream.sent { end() } else { batch(&stream.table) });
    stream.sent = true;
    match made {
        Ok(array) => {
            // SAFETY: room for an array.
            unsafe { out.write(array) };
            0
        }
        Err(_) => EIO,
    }
}

unsafe extern "C" fn get_last_error(_stream: *mut ArrowArrayStream) -> *const c_char {
    c"the table could not be exported".as_ptr()
}

unsafe extern "C" fn release_stream(stream: *mut ArrowArrayStream) {
    // SAFETY: a live stream; what it owns is dropped once, as the pointers are cleared.
    unsafe {
        if let Some(stream) = stream.as_mut().filter(|s| !s.private_data.is_null()) {
            let inner = stream.private_data.cast::<Stream>();
            let _ = boundary::guarded(|| drop(Box::from_raw(inner)));
            stream.private_data = std::ptr::null_mut();
            stream.release = None;
        }
    }
}

/// What a schema points to.
struct SchemaParts {
    name: CString,
    children: Vec<*mut ArrowSchema>,
}

fn schema(table: &Table) -> ArrowSchema {
    let children = table.columns.iter().map(|column| {
        // Text has 64-bit offsets, so that no report is too long.
        let format = match column.kind {
            Kind::Integer => c"l",
            Kind::Number => c"g",
            Kind::Text => c"U",
            Kind::Bool => c"b",
        };
        Box::into_raw(Box::new(one_schema(format.as_ptr(), column.name.clone(), Vec::new())))
    });
    one_schema(c"+s".as_ptr(), CString::default(), children.collect())
}

fn one_schema(format: *const c_char, name: CString, children: Vec<*mut ArrowSchema>) -> ArrowSchema {
    let mut parts = Box::new(SchemaParts { name, children });
    ArrowSchema {
        format,
        name: parts.name.as_ptr(),
        metadata: std::ptr::null(),
        flags: if parts.children.is_empty() { NULLABLE } else { 0 },
        n_children: parts.children.len() as i64,
        children: parts.children.as_mut_ptr(),
        dictionary: std::ptr::null_mut(),
        release: Some(release_schema),
        private_data: Box::into_raw(parts).cast(),
    }
}

unsafe extern "C" fn release_schema(schema: *mut ArrowSchema) {
    // SAFETY: a schema made here and released once. A child that the consumer moved away has no release any more.
    unsafe {
        let Some(schema) = schema.as_mut().filter(|s| s.release.is_some()) else { return };
        schema.release = None;
        let parts = Box::from_raw(schema.private_data.cast::<SchemaParts>());
        for child in &parts.children {
            if let Some(release) = (**child).release {
                release(*child);
            }
            drop(Box::from_raw(*child));
        }
    }
}

/// What an array points to.
struct ArrayParts {
    buffers: Vec<*const c_void>,
    children: Vec<*mut ArrowArray>,
    _validity: Vec<u8>,
    _integers: Vec<i64>,
    _numbers: Vec<f64>,
    _bytes: Vec<u8>,
}

/// The end of the stream: an array that is released already.
fn end() -> ArrowArray {
    ArrowArray {
        length: 0,
        null_count: 0,
        offset: 0,
        n_buffers: 0,
        n_children: 0,
        buffers: std::ptr::null_mut(),
        children: std::ptr::null_mut(),
        dictionary: std::ptr::null_mut(),
        release: None,
        private_data: std::ptr::null_mut(),
    }
}

fn batch(table: &Table) -> ArrowArray {
    let columns = (0..table.columns.len()).map(|c| Box::into_raw(Box::new(column(table, c))));
    let parts = ArrayParts {
        buffers: vec![std::ptr::null()],
        children: columns.collect(),
        _validity: Vec::new(),
        _integers: Vec::new(),
        _numbers: Vec::new(),
        _bytes: Vec::new(),
    };
    array(table.rows(), 0, parts)
}

fn column(table: &Table, index: usize) -> ArrowArray {
    let rows = table.rows();
    let kind = table.columns[index].kind;
    let mut validity = vec![0u8; rows.div_ceil(8)];
    let (mut integers, mut numbers, mut bytes, mut nulls) = (Vec::new(), Vec::new(), Vec::new(), 0);
    match kind {
        Kind::Text => integers.push(0),
        Kind::Bool => bytes = vec![0u8; rows.div_ceil(8)],
        Kind::Integer | Kind::Number => {}
    }
    for (row, cell) in table.cells(index).enumerate() {
        if *cell == Cell::Null {
            nulls += 1;
        } else {
            validity[row / 8] |= 1 << (row % 8);
        }
        match (kind, cell) {
            (Kind::Integer, Cell::Integer(i)) => integers.push(*i),
            (Kind::Integer, _) => integers.push(0),
            (Kind::Number, cell) => numbers.push(cell.number()),
            (Kind::Bool, cell) => bytes[row / 8] |= u8::from(*cell == Cell::Bool(true)) << (row % 8),
            (Kind::Text, cell) => {
                if let Cell::Text(text) = cell {
                    bytes.extend_from_slice(text.to_bytes());
                }
                integers.push(bytes.len() as i64);
            }
        }
    }
    let mut buffers = vec![validity.as_ptr().cast::<c_void>()];
    match kind {
        Kind::Integer => buffers.push(integers.as_ptr().cast()),
        Kind::Number => buffers.push(numbers.as_ptr().cast()),
        Kind::Bool => buffers.push(bytes.as_ptr().cast()),
        Kind::Text => buffers.extend([integers.as_ptr().cast::<c_void>(), bytes.as_ptr().cast()]),
    }
    let parts = ArrayParts {
        buffers,
        children: Vec::new(),
        _validity: validity,
        _integers: integers,
        _numbers: numbers,
        _bytes: bytes,
    };
    array(rows, nulls, parts)
}

fn array(length: usize, nulls: i64, parts: ArrayParts) -> ArrowArray {
    let mut parts = Box::new(parts);
    ArrowArray {
        length: length as i64,
        null_count: nulls,
        offset: 0,
        n_buffers: parts.buffers.len() as i64,
        n_children: parts.children.len() as i64,
        buffers: parts.buffers.as_mut_ptr(),
        children: parts.children.as_mut_ptr(),
        dictionary: std::ptr::null_mut(),
        release: Some(release_array),
        private_data: Box::into_raw(parts).cast(),
    }
}

unsafe extern "C" fn release_array(array: *mut ArrowArray) {
    // SAFETY: as for schemas.
    unsafe {
        let Some(array) = array.as_mut().filter(|a| a.release.is_some()) else { return };
        array.release = None;
        let parts = Box::from_raw(array.private_data.cast::<ArrayParts>());
        for child in &parts.children {
            if let Some(release) = (**child).release {
                release(*child);
            }
            drop(Box::from_raw(*child));
        }
    }
}
