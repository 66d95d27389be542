//! Gives the shared library its SONAME and keeps it in memory for good.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        // Before 1.0 the minor version is part of the promise.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libeigenscope.so.0");
        // A host may dlclose the library while threads that called it are alive: their thread-locals' destructors
        // are code of this library.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
        println!("cargo::rustc-cdylib-link-arg=-Wl,-z,now");
    }
}
