//! From the values of a pickle to named tensors: dictionaries and modules are joined with dots.
//!
//! The key that holds the model (`state_dict`, `model`, ...) is left out of the names; prefixes within it, such as `module.` or
//! `_orig_mod.`, are kept as stored.

use std::collections::{HashMap, HashSet};

use eigenscope_plugin::source::Refusal;
use eigenscope_plugin::tensor::Role;

use crate::module;
use crate::pickle::{Graph, MAX_NAME_BYTES, Node, NodeId, Object, Value};
use crate::script::{Classes, Registered};

/// Keys that hold the model, the most telling first.
const WRAPPERS: &[&str] = &[
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "module",
    "net",
    "network",
    "params",
    "weights",
];
/// Containers within containers; modules of real models nest about ten deep.
const MAX_DEPTH: usize = 128;
/// Values looked at: shared containers are looked at once for each path to them, of which there can be exponentially many.
const MAX_VISITS: usize = 1 << 23;
/// What the list of tensors may take, in bytes: half a million tensors of ordinary names and ranks.
const MAX_LIST_BYTES: usize = 256 << 20;
/// A tensor's share of it, besides its name and shape.
const TENSOR_BYTES: usize = 512;
/// Metadata kept.
const MAX_FACTS: usize = 1024;
/// Bytes of a metadata value kept.
const MAX_FACT_BYTES: usize = 1024;
/// Containers around a metadata value; there are two around `hyper_parameters.lr`.
const MAX_FACT_DEPTH: usize = 2;

/// A tensor and its place.
#[derive(Debug)]
pub struct Named {
    /// Its name, unique.
    pub name: String,
    /// The node of its graph.
    pub tensor: NodeId,
    /// What it is for.
    pub role: Role,
    /// The class of the module that holds it, where the file says.
    pub class: Option<String>,
    /// Whether a module holds it in an attribute that is not part of its state.
    pub attribute: bool,
}

/// What a graph holds.
#[derive(Debug, Default)]
pub struct Found {
    /// In the order of the file.
    pub tensors: Vec<Named>,
    /// Scalars and strings near the root.
    pub facts: Vec<(String, String)>,
}

/// Finds every tensor of a graph; `scripted` are its TorchScript classes.
pub fn flatten(graph: &Graph, scripted: &Classes, role: Role) -> Result<Found, Refusal> {
    let mut walk = Walk {
        graph,
        scripted,
        found: Found::default(),
        names: HashMap::new(),
        list_bytes: 0,
        path: String::new(),
        overlong: 0,
        open: Vec::new(),
        visits: 0,
        class: None,
        attribute: false,
    };
    walk.root(graph.root, role)?;
    Ok(walk.found)
}

struct Walk<'a> {
    graph: &'a Graph,
    scripted: &'a Classes,
    found: Found,
    /// Names given, and how often.
    names: HashMap<String, usize>,
    list_bytes: usize,
    path: String,
    /// Keys on the way from the root to here that are too long for a name.
    overlong: usize,
    /// Containers on the way from the root to here; one that is met again is a cycle.
    open: Vec<NodeId>,
    visits: usize,
    class: Option<Value>,
    /// Whether this is below an attribute of a module that is not part of its state.
    attribute: bool,
}

impl Walk<'_> {
    /// Walks a checkpoint, leaving the key that holds the model out of the names.
    fn root(&mut self, value: Value, role: Role) -> Result<(), Refusal> {
        let graph = self.graph;
        let (Value::Node(id), Some(Node::Dict(items))) = (value, graph.node(value)) else {
            return self.value(value, role);
        };
        if self.open.contains(&id) || self.open.len() >= MAX_DEPTH {
            return Ok(());
        }
        let Some(model) = self.wrapper(items)? else { return self.value(value, role) };
        self.open.push(id);
        for (at, &(key, value)) in items.iter().enumerate() {
            if at == model {
                self.root(value, role)?;
            } else {
                self.child(key, value, role)?;
            }
        }
        self.open.pop();
        Ok(())
    }

    /// The item that holds the model.
    fn wrapper(&mut self, items: &[(Value, Value)]) -> Result<Option<usize>, Refusal> {
        let graph = self.graph;
        for name in WRAPPERS {
            let at = items.iter().position(|&(key, _)| graph.is(key, name));
            if let Some(at) = at
                && !matches!(graph.node(items[at].1), Some(Node::Tensor(_)))
                && self.holds_tensors(items[at].1)?
            {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    fn holds_tensors(&mut self, value: Value) -> Result<bool, Refusal> {
        let mut seen = HashSet::new();
        let mut left = vec![value];
        while let Some(value) = left.pop() {
            self.visit()?;
            let Value::Node(id) = value else { continue };
            if !seen.insert(id) {
                continue;
            }
            match self.graph.node(value) {
                Some(Node::Tensor(_)) => return Ok(true),
                Some(Node::List(items) | Node::Tuple(items)) => left.extend(items),
                Some(Node::Dict(items)) => left.extend(items.iter().map(|&(_, v)| v)),
                Some(Node::Object(object)) => {
                    left.push(object.args);
                    left.extend(&object.state);
                    left.extend(object.items.iter().map(|&(_, v)| v));
                    left.extend(&object.appended);
                }
                _ => {}
            }
        }
        Ok(false)
    }

    fn visit(&mut self) -> Result<(), Refusal> {
        self.visits += 1;
        if self.visits > MAX_VISITS {
            let what = "the number of values to search for tensors".to_owned();
            let (size, limit) = (self.visits as u64, MAX_VISITS as u64);
            return Err(Refusal::TooLarge { what, size, limit });
        }
        Ok(())
    }

    fn value(&mut self, value: Value, role: Role) -> Result<(), Refusal> {
        self.visit()?;
        let graph = self.graph;
        let Value::Node(id) = value else {
            self.fact(value, role);
            return Ok(());
        };
        let node = graph.node(value);
        if let Some(Node::Tensor(_)) = node {
            return self.tensor(id, role);
        }
        if !matches!(node, Some(Node::List(_) | Node::Tuple(_) | Node::Dict(_) | Node::Object(_)))
            || self.open.contains(&id)
        {
            return Ok(());
        }
        if self.open.len() == MAX_DEPTH {
            let what = "the depth of nested containers".to_owned();
            return Err(Refusal::TooLarge { what, size: MAX_DEPTH as u64 + 1, limit: MAX_DEPTH as u64 });
        }
        self.open.push(id);
        match node {
            Some(Node::List(items) | Node::Tuple(items)) => self.sequence(items, role)?,
            Some(Node::Dict(items)) => {
                for &(key, value) in items {
                    self.child(key, value, role)?;
                }
            }
            Some(Node::Object(object)) => {
                let outer = self.class.replace(object.class);
                self.object(object, role)?;
                self.class = outer;
            }
            _ => {}
        }
        self.open.pop();
        Ok(())
    }

    fn sequence(&mut self, items: &[Value], role: Role) -> Result<(), Refusal> {
        for (i, &item) in items.iter().enumerate() {
            match item {
                // Most long lists are plain numbers.
                Value::Node(_) => self.named(&i.to_string(), item, role)?,
                _ => self.visit()?,
            }
        }
        Ok(())
    }

    fn child(&mut self, key: Value, value: Value, role: Role) -> Result<(), Refusal> {
        let graph = self.graph;
        if let Value::Text(text) | Value::Bytes(text) = key
            && text.len > MAX_NAME_BYTES
        {
            self.overlong += 1;
            self.value(value, role)?;
            self.overlong -= 1;
            return Ok(());
        }
        let name = match key {
            Value::Int(i) => i.to_string().into(),
            _ => graph.str(key).unwrap_or("?".into()),
        };
        let at_top = self.path.is_empty() && self.class.is_none();
        let role = if at_top && is_training_state(&name) { Role::Optimizer } else { role };
        self.named(&name, value, role)
    }

    fn named(&mut self, name: &str, value: Value, role: Role) -> Result<(), Refusal> {
        let before = self.path.len();
        if before + name.len() > MAX_NAME_BYTES as usize {
            self.overlong += 1;
            self.value(value, role)?;
            self.overlong -= 1;
            return Ok(());
        }
        if before > 0 {
            self.path.push('.');
        }
        self.path.push_str(name);
        self.value(value, role)?;
        self.path.truncate(before);
        Ok(())
    }

    /// A module's parameters, buffers and submodules are its own names; other attributes follow under theirs.
    fn object(&mut self, object: &Object, role: Role) -> Result<(), Refusal> {
        let graph = self.graph;
        let registered = graph.path(object.class).and_then(|class| self.scripted.get(&class));
        // Functions that rebuild a module (torch.fx) are given its state as an argument.
        let args = graph.items(object.args).unwrap_or_default().iter();
        for &state in object.state.iter().chain(args) {
            match graph.node(state) {
                Some(Node::Dict(items)) => self.attributes(items, registered, role)?,
                // (state, slots), as Python's default.
                Some(Node::Tuple(parts)) => {
                    for &part in parts {
                        match graph.node(part) {
                            Some(Node::Dict(items)) => self.attributes(items, registered, role)?,
                            Some(_) => self.value(part, role)?,
                            None => {}
                        }
                    }
                }
                Some(_) => self.value(state, role)?,
                None => {}
            }
        }
        for &(key, value) in &object.items {
            self.child(key, value, role)?;
        }
        self.sequence(&object.appended, role)
    }

    /// `registered` is known of a TorchScript class, which keeps its state among its other attributes.
    fn attributes(
        &mut self,
        items: &[(Value, Value)],
        registered: Option<&Registered>,
        role: Role,
    ) -> Result<(), Refusal> {
        let graph = self.graph;
        let is_module = items.iter().any(|&(key, _)| graph.is(key, "_parameters"));
        for &(key, value) in items {
            let name = graph.str(key).unwrap_or("?".into());
            let transparent = is_module && matches!(&*name, "_parameters" | "_modules" | "_buffers");
            let (state, buffer) = match registered {
                Some(known) if is_tensor(graph, value) => {
                    (known.parameters.contains(&*name), known.buffers.contains(&*name))
                }
                _ => (!is_module || transparent, &*name == "_buffers"),
            };
            let role = if state && !buffer { role } else { weaker(role, Role::Buffer) };
            let outer = self.attribute;
            self.attribute |= !state && !buffer;
            match (transparent, graph.node(value)) {
                (true, Some(Node::Dict(inner))) => {
                    for &(key, value) in inner {
                        self.child(key, value, role)?;
                    }
                }
                (_, Some(_)) => self.named(&name, value, role)?,
                // Numbers and strings in a module are its settings, not facts about the file.
                (_, None) => self.visit()?,
            }
            self.attribute = outer;
        }
        Ok(())
    }

    fn tensor(&mut self, tensor: NodeId, role: Role) -> Result<(), Refusal> {
        if self.overlong > 0 {
            let what = format!("the name of the tensor below '{:.64}', in bytes,", self.path);
            let limit = u64::from(MAX_NAME_BYTES);
            return Err(Refusal::TooLarge { what, size: limit + 1, limit });
        }
        let name = self.unique_name();
        let rank = match self.graph.node(Value::Node(tensor)) {
            Some(Node::Tensor(raw)) => raw.shape.len(),
            _ => 0,
        };
        self.list_bytes += TENSOR_BYTES + 2 * name.len() + 32 * rank;
        if self.list_bytes > MAX_LIST_BYTES {
            let what = "the list of tensors, in bytes,".to_owned();
            let (size, limit) = (self.list_bytes as u64, MAX_LIST_BYTES as u64);
            return Err(Refusal::TooLarge { what, size, limit });
        }
        let class = self.class.and_then(|c| self.graph.path(c)).filter(|c| module::is_layer(c));
        self.found.tensors.push(Named { name, tensor, role, class, attribute: self.attribute });
        Ok(())
    }

    /// The path; where two tensors share one, the second is `path#2`.
    fn unique_name(&mut self) -> String {
        let base = if self.path.is_empty() { "tensor" } else { &self.path };
        let mut name = base.to_owned();
        while let Some(given) = self.names.get_mut(&name) {
            *given += 1;
            name = format!("{base}#{given}");
        }
        self.names.insert(name.clone(), 1);
        name
    }

    fn fact(&mut self, value: Value, role: Role) {
        let deep = self.open.len() > MAX_FACT_DEPTH || self.overlong > 0;
        if deep || role == Role::Optimizer || self.class.is_some() || self.found.facts.len() >= MAX_FACTS {
            return;
        }
        let text = match value {
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Float(x) => x.to_string(),
            Value::Text(text) if text.len as usize <= MAX_FACT_BYTES => self.graph.text(text).into_owned(),
            _ => return,
        };
        let key = if self.path.is_empty() { "value".to_owned() } else { self.path.clone() };
        self.found.facts.push((key, text));
    }
}

fn is_tensor(graph: &Graph, value: Value) -> bool {
    matches!(graph.node(value), Some(Node::Tensor(_)))
}

/// Keys beside the model that hold what training needs: optimizers, schedulers, loss scalers.
fn is_training_state(key: &str) -> bool {
    let begins = ["optimizer", "optim_", "opt_", "lr_scheduler", "scheduler"];
    begins.iter().any(|b| key.starts_with(b))
        || matches!(key, "optim" | "opt" | "scaler" | "grad_scaler" | "amp")
}

fn weaker(role: Role, than: Role) -> Role {
    if role == Role::Weight { than } else { role }
}
