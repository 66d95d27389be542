//! The code in a TorchScript archive: what its classes register, and the change that lets libtorch list all of it.
//!
//! `tch` lists the parameters of a module and nothing else of it. What is a parameter is written in the code, so in the code
//! that libtorch is given, buffers and tensors that are plain attributes are parameters too.

use std::collections::HashSet;

use eigenscope_plugin::source::Refusal;

/// What a class says of a tensor it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Trained.
    Parameter,
    /// Other state.
    Buffer,
    /// Not part of its state.
    Attribute,
}

/// The names that classes use for tensors of a kind.
#[derive(Debug, Default)]
pub struct Names {
    /// Registered as parameters.
    pub parameters: HashSet<String>,
    /// Registered as buffers.
    pub buffers: HashSet<String>,
    /// Declared as tensors and not registered.
    pub attributes: HashSet<String>,
}

impl Names {
    /// The kind of tensors of this name; `None` where classes disagree.
    pub fn kind(&self, name: &str) -> Option<Kind> {
        let sets = [
            (&self.parameters, Kind::Parameter),
            (&self.buffers, Kind::Buffer),
            (&self.attributes, Kind::Attribute),
        ];
        let mut kinds = sets.iter().filter(|(set, _)| set.contains(name)).map(|(_, kind)| *kind);
        let first = kinds.next();
        if kinds.next().is_some() { None } else { first }
    }
}

/// Refuses what would run when libtorch opens the file, and names by which `tch` would end the process.
pub fn check(path: &str, source: &[u8]) -> Result<String, Refusal> {
    let Ok(text) = std::str::from_utf8(source) else {
        return Err(Refusal::Malformed(format!("{path} is not UTF-8")));
    };
    if text.contains("__setstate__") {
        return Err(Refusal::Forbidden(format!(
            "{path} has a __setstate__, code that libtorch would run to open the file; the loader 'pytorch' lists the \
             tensors without running it"
        )));
    }
    // An attribute's name may be a quoted string, and an octal escape in it a byte that is not UTF-8.
    let bytes = text.as_bytes();
    let octal = |w: &[u8]| w[0] == b'\\' && (b'2'..=b'7').contains(&w[1]) && w[2].is_ascii_digit();
    if text.contains("__annotations__") && bytes.windows(3).any(octal) {
        return Err(Refusal::Unsupported(format!("{path} has attributes and escaped bytes in one file")));
    }
    Ok(text.to_owned())
}

/// Collects what the classes of a file register.
pub fn register(source: &str, names: &mut Names) {
    for class in classes(source) {
        names.attributes.extend(class.attributes().map(str::to_owned));
        names.parameters.extend(class.parameters.iter().map(|n| (*n).to_owned()));
        names.buffers.extend(class.buffers.iter().map(|n| (*n).to_owned()));
    }
}

/// The source with everything up to `kind` registered as a parameter.
pub fn expose(source: &str, kind: Kind) -> String {
    let mut classes = classes(source).into_iter();
    let mut out = String::with_capacity(source.len() + 64);
    for line in source.split_inclusive('\n') {
        match line.strip_prefix("  __buffers__ =") {
            Some(list) if kind >= Kind::Buffer => {
                out.push_str("  __parameters__ =");
                out.push_str(list);
            }
            _ => out.push_str(line),
        }
        if is_module(line)
            && let Some(class) = classes.next()
            && kind == Kind::Attribute
        {
            let attributes: Vec<String> = class.attributes().map(|name| format!("\"{name}\", ")).collect();
            out.push_str(&format!("  __parameters__ = [{}]\n", attributes.concat()));
        }
    }
    out
}

/// A class, as far as its tensors go.
#[derive(Default)]
struct Class<'a> {
    parameters: Vec<&'a str>,
    buffers: Vec<&'a str>,
    tensors: Vec<&'a str>,
}

impl<'a> Class<'a> {
    /// Tensors that are not registered.
    fn attributes(&self) -> impl Iterator<Item = &'a str> {
        let registered = |n: &&&str| !self.parameters.contains(*n) && !self.buffers.contains(*n);
        self.tensors.iter().filter(registered).copied()
    }
}

fn is_module(line: &str) -> bool {
    line.starts_with("class ") && line.trim_end().ends_with("(Module):")
}

/// The modules of a file; other classes cannot register anything. libtorch writes one statement a line, those of a class
/// indented by two.
fn classes(source: &str) -> Vec<Class<'_>> {
    let mut all: Vec<Class<'_>> = Vec::new();
    let mut inside = false;
    for line in source.lines() {
        if !line.starts_with(' ') && !line.is_empty() {
            inside = is_module(line);
            if inside {
                all.push(Class::default());
            }
            continue;
        }
        let Some(statement) = line.strip_prefix("  ").filter(|l| inside && !l.starts_with(' ')) else {
            continue;
        };
        let Some(class) = all.last_mut() else { continue };
        if let Some((list, values)) = statement.split_once(" = [") {
            let values = values.split('"').skip(1).step_by(2);
            match list {
                "__parameters__" => class.parameters.extend(values),
                "__buffers__" => class.buffers.extend(values),
                _ => {}
            }
        } else if let Some((name, kind)) = statement.split_once(" : ").or_else(|| statement.split_once(" = "))
            && matches!(kind, "Tensor" | "Optional[Tensor]")
        {
            let quoted = name.strip_prefix("__annotations__[\"").and_then(|n| n.strip_suffix("\"]"));
            class.tensors.push(quoted.unwrap_or(name));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "class A(Module):
  __parameters__ = [\"w\", ]
  __buffers__ = [\"b\", ]
  w : Tensor
  b : Tensor
  plain : Tensor
  __annotations__[\"0\"] = Optional[Tensor]
  training : bool
  def forward(self: __torch__.A,
    x: Tensor) -> Tensor:
    return x
class B(NamedTuple):
  y : Tensor
";

    #[test]
    fn what_classes_register_is_found() {
        let mut names = Names::default();
        register(CODE, &mut names);
        assert_eq!(names.kind("w"), Some(Kind::Parameter));
        assert_eq!(names.kind("b"), Some(Kind::Buffer));
        assert_eq!(names.kind("plain"), Some(Kind::Attribute));
        assert_eq!(names.kind("0"), Some(Kind::Attribute));
        assert_eq!((names.kind("y"), names.kind("x")), (None, None));
        register("class C(Module):\n  __buffers__ = [\"w\", ]\n  w : Tensor\n", &mut names);
        assert_eq!(names.kind("w"), None, "a parameter of one class and a buffer of another");
    }

    #[test]
    fn exposing_changes_the_lists_and_nothing_else() {
        assert_eq!(expose(CODE, Kind::Parameter), CODE);
        let buffers = CODE.replace("__buffers__", "__parameters__");
        assert_eq!(expose(CODE, Kind::Buffer), buffers);
        let first = "class A(Module):\n";
        let all = buffers.replace(first, &format!("{first}  __parameters__ = [\"plain\", \"0\", ]\n"));
        assert_eq!(expose(CODE, Kind::Attribute), all);
    }

    #[test]
    fn code_that_would_run_or_end_the_process_is_refused() {
        let code = |code: &[u8]| check("code/a.py", code).unwrap_err().code();
        assert_eq!(check("code/a.py", CODE.as_bytes()).unwrap(), CODE);
        assert_eq!(code(b"  def  __setstate__(self, x):"), "forbidden");
        assert_eq!(code(b"class \xff"), "malformed");
        assert_eq!(code(b"  __annotations__[\n\"a\\377\"] = Tensor"), "unsupported");
    }
}
