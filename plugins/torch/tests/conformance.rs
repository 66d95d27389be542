//! The kit of the SDK, with the plugin as hosts load it.
#![allow(missing_docs)]

mod common;

use common::{fixture, plugin};
use eigenscope_plugin::source::{Input, Loader};
use eigenscope_plugin::testkit;

#[global_allocator]
static METER: testkit::Meter = testkit::Meter;

fn keeps_its_promises(file: &str, tensors: usize) {
    let summary = testkit::check(&*plugin() as &dyn Loader, &Input::path(fixture(file)));
    let summary = summary.unwrap_or_else(|failures| panic!("{failures:#?}"));
    assert_eq!((summary.tensors, summary.flips), (tensors, 4000));
}

#[test]
fn a_script_module_and_thousands_of_broken_copies() {
    keeps_its_promises("script.pt", 5);
}

#[test]
fn a_dictionary_and_thousands_of_broken_copies() {
    keeps_its_promises("views.pt", 7);
}
