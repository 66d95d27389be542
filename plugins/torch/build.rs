//! Tells the plugin where its libtorch is, when it is linked and when it runs.

fn main() {
    println!("cargo::rerun-if-env-changed=EIGENSCOPE_TORCH_RPATH");
    // From torch-sys: the folder it links with.
    let linked = std::env::var("DEP_TCH_LIBTORCH_LIB").expect("torch-sys says where libtorch is");
    // To ship libtorch beside the plugin: '$ORIGIN/libtorch/lib'.
    let rpath = std::env::var("EIGENSCOPE_TORCH_RPATH").unwrap_or(linked);
    println!("cargo::rustc-link-arg=-Wl,-rpath,{rpath}");
    // Where another libtorch in the process is told from this one.
    println!("cargo::rustc-env=EIGENSCOPE_TORCH_FOUND={rpath}");
}
