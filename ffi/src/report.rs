//! Reports.

use std::ffi::{CStr, CString, c_char};
use std::sync::{Arc, OnceLock};

use eigenscope_c_loader::codes;
use eigenscope_core::analysis::{Report, SUMMARY_COLUMNS};

use crate::arrow::{self, ArrowArrayStream};
use crate::boundary::{self, Handle, State};
use crate::error::{Error, egs_error};
use crate::table::{Cell, Kind, Table};
use crate::text::{cstring, given};

/// Writes a report as JSON when somebody asks.
type Json = Box<dyn Fn() -> Result<String, serde_json::Error> + Send + Sync>;

/// A report that C owns.
#[allow(non_camel_case_types)]
pub struct egs_report {
    state: State,
    table: Arc<Table>,
    /// Mean of each summary column, NaN where there is none.
    means: Vec<(&'static str, f64)>,
    make_json: Json,
    json: OnceLock<CString>,
    csv: OnceLock<CString>,
}

impl Handle for egs_report {
    const NAME: &'static str = "report";
    fn state(&self) -> &State {
        &self.state
    }
}

impl egs_report {
    pub(crate) fn new(table: Table, means: Vec<(&'static str, f64)>, make_json: Json) -> *mut egs_report {
        Box::into_raw(Box::new(egs_report {
            state: State::new(),
            table: Arc::new(table),
            means,
            make_json,
            json: OnceLock::new(),
            csv: OnceLock::new(),
        }))
    }

    pub(crate) fn of_analysis(report: Report) -> *mut egs_report {
        let table = Table::of_rows(&[], report.layers.iter().map(|row| (Vec::new(), row)));
        let means = SUMMARY_COLUMNS.map(|c| (c, report.summary.mean(c).unwrap_or(f64::NAN)));
        egs_report::new(table, means.to_vec(), Box::new(move || serde_json::to_string_pretty(&report)))
    }

    fn cell(&self, row: usize, column: &str) -> Result<(usize, &Cell), Error> {
        let place = self.table.column(column).ok_or_else(|| {
            Error::new(codes::NOT_FOUND, format!("no column '{column}'"))
                .advice("egs_report_column_name() lists them; names are case-sensitive")
        })?;
        let cell = self.table.cell(row, place).ok_or_else(|| {
            Error::argument(format!("row: expected less than {}, found {row}", self.table.rows()))
        })?;
        Ok((place, cell))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_free(report: *mut egs_report) {
    // SAFETY: NULL or live and not used again, as the header demands.
    unsafe { boundary::free(report) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_rows(report: *const egs_report) -> usize {
    // SAFETY: NULL or live.
    unsafe { boundary::get(report, 0, |r| r.table.rows()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_columns(report: *const egs_report) -> usize {
    // SAFETY: NULL or live.
    unsafe { boundary::get(report, 0, |r| r.table.columns.len()) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_column_name(report: *const egs_report, column: usize) -> *const c_char {
    // SAFETY: NULL or live.
    unsafe {
        boundary::get(report, std::ptr::null(), |r| {
            r.table.columns.get(column).map_or(std::ptr::null(), |c| c.name.as_ptr())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_column_doc(report: *const egs_report, column: usize) -> *const c_char {
    // SAFETY: NULL or live.
    unsafe {
        boundary::get(report, std::ptr::null(), |r| {
            r.table.columns.get(column).map_or(std::ptr::null(), |c| c.doc.as_ptr())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_column_type(report: *const egs_report, column: usize) -> i32 {
    // SAFETY: NULL or live.
    unsafe { boundary::get(report, 0, |r| r.table.columns.get(column).map_or(0, |c| c.kind as i32)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_find(
    report: *const egs_report,
    layer: *const c_char,
    row: *mut usize,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(report, error, |report| {
            let layer = given(layer, "layer")?;
            if row.is_null() {
                return Err(Error::null("row"));
            }
            let is_it = |cell: &Cell| matches!(cell, Cell::Text(t) if t.to_bytes() == layer.as_bytes());
            let found = ["name", "longname"]
                .iter()
                .find_map(|column| report.table.cells(report.table.column(column)?).position(is_it));
            match found {
                Some(found) => row.write(found),
                None => return Err(Error::new(codes::NOT_FOUND, format!("no row for layer '{layer}'"))),
            }
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_number(
    report: *const egs_report,
    row: usize,
    column: *const c_char,
    out: *mut f64,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(report, error, |report| {
            let column = given(column, "column")?;
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let (place, cell) = report.cell(row, column)?;
            if report.table.columns[place].kind == Kind::Text {
                return Err(
                    Error::argument(format!("column '{column}' holds words")).advice("use egs_report_text()")
                );
            }
            out.write(cell.number());
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_text(
    report: *const egs_report,
    row: usize,
    column: *const c_char,
    out: *mut *const c_char,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(report, error, |report| {
            let column = given(column, "column")?;
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let (place, _) = report.cell(row, column)?;
            out.write(report.table.words(row, place).map_or(c"".as_ptr(), CStr::as_ptr));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_mean(
    report: *const egs_report,
    column: *const c_char,
    out: *mut f64,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(report, error, |report| {
            let column = given(column, "column")?;
            if out.is_null() {
                return Err(Error::null("out"));
            }
            let Some((_, mean)) = report.means.iter().find(|(name, _)| *name == column) else {
                let known: Vec<&str> = report.means.iter().map(|(name, _)| *name).collect();
                let what = format!("no mean of '{column}'; there are: {}", known.join(", "));
                return Err(Error::new(codes::NOT_FOUND, what));
            };
            out.write(*mean);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_json(
    report: *const egs_report,
    out: *mut *const c_char,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(report, error, |report| {
            if out.is_null() {
                return Err(Error::null("out"));
            }
            if report.json.get().is_none() {
                let json = (report.make_json)().map_err(|e| Error::new(codes::INTERNAL, e.to_string()))?;
                // Whoever comes second finds the first one's.
                let _ = report.json.set(cstring(&json));
            }
            out.write(report.json.get().map_or(c"".as_ptr(), |json| json.as_ptr()));
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_csv(
    report: *const egs_report,
    out: *mut *const c_char,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(report, error, |report| {
            if out.is_null() {
                return Err(Error::null("out"));
            }
            out.write(report.csv.get_or_init(|| cstring(&report.table.csv())).as_ptr());
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn egs_report_arrow(
    report: *const egs_report,
    out: *mut ArrowArrayStream,
    error: *mut *mut egs_error,
) -> i32 {
    // SAFETY: every pointer is NULL or as the header demands.
    unsafe {
        boundary::on(report, error, |report| {
            if out.is_null() {
                return Err(Error::null("out"));
            }
            out.write(arrow::stream(Arc::clone(&report.table)));
            Ok(())
        })
    }
}
