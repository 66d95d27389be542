//! Calls that no checkpoint needs and that would harm a program that executed them. Nothing is ever executed here; a file
//! that asks for one of these is refused all the same, so that its owner learns of it.

/// Modules of which every call is refused, by their first name.
const MODULES: &[&str] = &[
    "os",
    "posix",
    "nt",
    "subprocess",
    "pty",
    "runpy",
    "socket",
    "shutil",
    "importlib",
    "imp",
    "sys",
    "ctypes",
    "_ctypes",
    "webbrowser",
    "code",
    "codeop",
    "commands",
    "popen2",
    "pdb",
    "bdb",
    "timeit",
    "profile",
    "cProfile",
    "marshal",
    "pip",
    "ensurepip",
    "urllib",
    "http",
    "ftplib",
    "smtplib",
    "telnetlib",
    "requests",
    "_posixsubprocess",
];

/// Single functions, by their full names.
const FUNCTIONS: &[&str] = &[
    "builtins.eval",
    "builtins.exec",
    "builtins.execfile",
    "builtins.compile",
    "builtins.__import__",
    "builtins.open",
    "builtins.input",
    "builtins.apply",
    "builtins.breakpoint",
    "builtins.globals",
    "asyncio.create_subprocess_shell",
    "asyncio.create_subprocess_exec",
    "platform.popen",
    "pickle.load",
    "pickle.loads",
    "_pickle.load",
    "_pickle.loads",
    "types.FunctionType",
    "types.CodeType",
    "torch.load",
    "torch.serialization.load",
    "torch.hub.load",
    "torch.utils.cpp_extension.load",
    "torch.utils.cpp_extension.load_inline",
];

/// What to say of a call to `path`, if it is one of these.
pub fn refuse(path: &str) -> Option<String> {
    let modern = match path.strip_prefix("__builtin__.") {
        Some(rest) => format!("builtins.{rest}"),
        None => path.to_owned(),
    };
    let root = modern.split('.').next().unwrap_or("");
    if !MODULES.contains(&root) && !FUNCTIONS.contains(&modern.as_str()) {
        return None;
    }
    // Python writes the functions of `os` under the name of the platform's module.
    let friendly = match modern.split_once('.') {
        Some(("posix" | "nt", name)) => format!("os.{name} (stored as {path})"),
        _ => modern,
    };
    Some(format!("the pickle calls {friendly}; a checkpoint that runs code is not read, and nothing was run"))
}
