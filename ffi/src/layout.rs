//! Compares every mirror and constant with the headers, by asking a C compiler.

use std::fmt::Write as _;
use std::mem::offset_of;
use std::path::Path;
use std::process::Command;

use eigenscope_c_loader::{
    ABI_MAJOR, ABI_MINOR, Call, DLManagedTensorVersioned, DLTensor, Host, Input, LoaderTable, MAX_NDIM,
    TensorInfoC, codes,
};
use eigenscope_core::monitor::{Flags, Level, TensorRole};

use crate::arrow::{ArrowArray, ArrowArrayStream, ArrowSchema};
use crate::engine::{self, egs_engine_options};
use crate::esd::egs_fit;
use crate::log;
use crate::monitor::{self, egs_counters, egs_multiplier_options};
use crate::monitor_options::{self, egs_monitor_options};
use crate::options::{self, egs_analysis_options, egs_progress};
use crate::table::Kind;
use crate::tensor::egs_tensor;
use crate::verdict::egs_verdict;
use crate::version;

/// C expressions and what they must be.
struct Facts(Vec<(String, u64)>);

macro_rules! layout {
    ($facts:ident, $c:literal, $rust:ident { $($field:ident)* }) => {
        $facts.is(concat!("sizeof(", $c, ")"), size_of::<$rust>() as u64);
        $($facts.is(&format!("offsetof({}, {})", $c, stringify!($field)), offset_of!($rust, $field) as u64);)*
    };
}

impl Facts {
    fn is(&mut self, expression: &str, value: u64) {
        self.0.push((expression.to_owned(), value));
    }

    /// What the compiler says otherwise.
    fn differences(&self) -> Vec<String> {
        let mut program = String::from(
            "#include <stdio.h>\n#include <eigenscope/eigenscope.h>\n#include <eigenscope/plugin.h>\n\
             #include <eigenscope/dlpack.h>\n#include <eigenscope/arrow.h>\nint main(void) {\n",
        );
        for (expression, _) in &self.0 {
            let _ = writeln!(program, "  printf(\"%llu\\n\", (unsigned long long)({expression}));");
        }
        program.push_str("  return 0;\n}\n");
        let folder = std::env::temp_dir().join(format!("eigenscope-layout-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("layout.c"), program).unwrap();
        let include = Path::new(env!("CARGO_MANIFEST_DIR")).join("../include");
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let built = Command::new(compiler)
            .args(["-std=c99", "-o"])
            .arg(folder.join("layout"))
            .arg("-I")
            .arg(include)
            .arg(folder.join("layout.c"))
            .status()
            .expect("a C compiler");
        assert!(built.success());
        let output = Command::new(folder.join("layout")).output().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
        let said: Vec<u64> =
            String::from_utf8(output.stdout).unwrap().lines().map(|l| l.parse().unwrap()).collect();
        assert_eq!(said.len(), self.0.len());
        let pairs = self.0.iter().zip(said);
        pairs
            .filter(|((_, ours), c)| ours != c)
            .map(|((what, ours), c)| format!("{what}: C {c}, Rust {ours}"))
            .collect()
    }
}

#[test]
fn mirrors_and_constants_are_those_of_the_headers() {
    let mut f = Facts(Vec::new());
    layout!(f, "egs_engine_options", egs_engine_options { struct_size flags threads log_level log log_user json max_memory });
    layout!(f, "egs_tensor", egs_tensor { struct_size data shape strides ndim dtype kind layout });
    layout!(f, "egs_progress", egs_progress { struct_size done total work layer });
    layout!(f, "egs_analysis_options", egs_analysis_options {
        struct_size flags min_evals max_evals max_n layers conventions format json progress progress_user
    });
    layout!(f, "egs_fit", egs_fit { struct_size alpha xmin xmax distance sigma tail });
    layout!(f, "egs_verdict", egs_verdict { struct_size step epoch level fresh flags new_flags layer reason });
    layout!(f, "egs_monitor_options", egs_monitor_options {
        struct_size flags engine analysis threads queue budget_ms min_interval_ms history rules_on rules_off json
        on_epoch on_alarm user user_free
    });
    layout!(f, "egs_counters", egs_counters { struct_size commits analyzed dropped skipped failed unread_lost });
    layout!(f, "egs_multiplier_options", egs_multiplier_options {
        struct_size flags assignment role low high steepness min_evals metric
    });
    layout!(f, "egs_host", Host { struct_size abi_major abi_minor });
    layout!(f, "egs_call", Call { struct_size host set_error log });
    layout!(f, "egs_input", Input { struct_size name path data size });
    layout!(f, "egs_tensor_info", TensorInfoC { struct_size name note shape ndim dtype kind layout role reserved });
    layout!(f, "egs_loader", LoaderTable {
        struct_size abi_major abi_minor flags name version extensions context probe open close tensor_count tensor_info
        tensor_read
    });
    layout!(f, "DLTensor", DLTensor { data device ndim dtype shape strides byte_offset });
    layout!(f, "DLManagedTensorVersioned", DLManagedTensorVersioned { version manager_ctx deleter flags dl_tensor });
    layout!(f, "struct ArrowSchema", ArrowSchema {
        format name metadata flags n_children children dictionary release private_data
    });
    layout!(f, "struct ArrowArray", ArrowArray {
        length null_count offset n_buffers n_children buffers children dictionary release private_data
    });
    layout!(f, "struct ArrowArrayStream", ArrowArrayStream { get_schema get_next get_last_error release private_data });
    let no_padding = [
        ("egs_engine_options", size_of::<egs_engine_options>(), 8 + 8 + 4 + 4 + 8 * 4),
        ("egs_tensor", size_of::<egs_tensor>(), 8 * 4 + 4 * 4),
        ("egs_analysis_options", size_of::<egs_analysis_options>(), 8 * 11),
        ("egs_verdict", size_of::<egs_verdict>(), 8 * 3 + 4 * 4 + 256 + 1024),
        ("egs_monitor_options", size_of::<egs_monitor_options>(), 8 * 12 + 4 * 4),
        ("egs_multiplier_options", size_of::<egs_multiplier_options>(), 8 * 7 + 4 * 2),
    ];
    for (name, size, sum) in no_padding {
        assert_eq!(size, sum, "{name} has padding");
    }
    constants(&mut f);
    assert_eq!(f.differences(), Vec::<String>::new());
}

fn constants(f: &mut Facts) {
    for (name, value) in codes::STATUS {
        f.is(name, *value as u64);
    }
    for (name, value, _) in codes::DTYPES {
        f.is(name, value as u64);
    }
    for (name, value, _) in codes::KINDS {
        f.is(name, value as u64);
    }
    for (name, value, _) in codes::LAYOUTS {
        f.is(name, value as u64);
    }
    for (name, value, _) in codes::ROLES {
        f.is(name, value as u64);
    }
    for (name, value) in [
        ("EGS_KIND_AUTO", 0),
        ("EGS_MAX_NDIM", MAX_NDIM as u64),
        ("EGS_PLUGIN_ABI_MAJOR", ABI_MAJOR.into()),
        ("EGS_PLUGIN_ABI_MINOR", ABI_MINOR.into()),
        ("EGS_LOADER_SERIAL", 1),
        ("EGS_VERSION_MAJOR", version::VERSION[0].into()),
        ("EGS_VERSION_MINOR", version::VERSION[1].into()),
        ("EGS_VERSION_PATCH", version::VERSION[2].into()),
        ("EGS_ABI_VERSION", u64::from(version::ABI.0 << 16 | version::ABI.1)),
        ("EGS_LOG_WARN", log::WARN as u64),
        ("EGS_LOG_INFO", log::INFO as u64),
        ("EGS_LOG_DEBUG", log::DEBUG as u64),
        ("EGS_ENGINE_LOW_PRIORITY", engine::LOW_PRIORITY),
        ("EGS_ENGINE_NO_LOADERS", engine::NO_LOADERS),
        ("EGS_ANALYZE_UNPOOLED", options::UNPOOLED),
        ("EGS_ANALYZE_FLATTEN", options::FLATTEN),
        ("EGS_ANALYZE_SINGLE", options::SINGLE),
        ("EGS_COLUMN_INTEGER", Kind::Integer as u64),
        ("EGS_COLUMN_NUMBER", Kind::Number as u64),
        ("EGS_COLUMN_TEXT", Kind::Text as u64),
        ("EGS_COLUMN_BOOL", Kind::Bool as u64),
        ("EGS_VERDICT_NONE", Level::None as u64),
        ("EGS_VERDICT_WARN", Level::Warn as u64),
        ("EGS_VERDICT_SNAPSHOT", Level::Snapshot as u64),
        ("EGS_VERDICT_STOP", Level::Stop as u64),
        ("EGS_MONITOR_CALL_IN_POLL", monitor_options::CALL_IN_POLL),
        ("EGS_MONITOR_NORMAL_PRIORITY", monitor_options::NORMAL_PRIORITY),
        ("EGS_ROLE_WEIGHT", TensorRole::Weight as u64),
        ("EGS_ROLE_GRADIENT", TensorRole::Gradient as u64),
        ("EGS_ROLE_MOMENTUM", TensorRole::Momentum as u64),
        ("EGS_COPY", 0),
        ("EGS_BORROW", monitor::BORROW.into()),
        ("EGS_MULTIPLIER_INVERTED", monitor::INVERTED),
        ("EGS_MULTIPLIER_KEEP_FIRST", monitor::KEEP_FIRST),
        ("EGS_MULTIPLIER_KEEP_LAST", monitor::KEEP_LAST),
    ] {
        f.is(name, value);
    }
    for (name, bit, _) in options::SWITCHES {
        f.is(&format!("EGS_ANALYZE_{name}"), bit);
    }
    for (flag, name) in Flags::NAMES {
        f.is(&format!("EGS_{}", name.to_uppercase()), flag.bits().into());
    }
}
