//! From the nested messages of a model to the flat graph: scopes of names, sub-graphs and functions.

use std::collections::HashMap;

use eigenscope_plugin::source::{Refusal, SourceError};

use crate::data::Stored;
use crate::external::{Folder, shorten};
use crate::graph::{Found, Graph, Node, NodeId, Value, ValueId};
use crate::proto::{
    AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, SparseTensorProto, TensorProto,
};

/// Bytes of all tensor names together. Names in sub-graphs carry the names of the nodes around them, so that a small
/// file could ask for very long ones.
const MAX_NAME_BYTES: u64 = 256 << 20;

/// Flattens a model; `file` is its name for errors.
pub(crate) fn flatten<'m>(
    model: &'m ModelProto,
    file: &str,
    folder: &mut Folder,
) -> Result<Graph<'m>, SourceError> {
    let mut walk = Walk {
        graph: Graph::default(),
        scopes: Vec::new(),
        names: HashMap::new(),
        name_bytes: 0,
        training: false,
        file,
        folder,
    };
    if let Some(graph) = &model.graph {
        walk.graph(graph, "")?;
    }
    let mut functions = HashMap::new();
    for function in &model.functions {
        let key = (function.domain.as_str(), function.name.as_str(), function.overload.as_str());
        functions.insert(key, walk.function(function)?);
    }
    walk.training = true;
    for (i, training) in model.training_info.iter().enumerate() {
        for (part, graph) in
            [("initialization", &training.initialization), ("algorithm", &training.algorithm)]
        {
            if let Some(graph) = graph {
                walk.graph(graph, &format!("training[{i}].{part}/"))?;
            }
        }
    }
    let mut graph = walk.graph;
    for id in 0..graph.nodes.len() {
        let node = &graph.nodes[id];
        let key = (node.proto.domain.as_str(), node.op(), node.proto.overload.as_str());
        let Some(Boundary { inputs, outputs }) = functions.get(&key) else {
            continue;
        };
        let (given, made) = (node.inputs.clone(), node.outputs.clone());
        graph.nodes[id].body_inputs = Some(0..given.len());
        graph.link(&given, inputs);
        for (&inner, &outer) in outputs.iter().zip(&made) {
            graph.link(&[inner], &[outer]);
        }
    }
    Ok(graph)
}

/// What a graph or function takes and gives, by position.
struct Boundary {
    inputs: Vec<ValueId>,
    outputs: Vec<Option<ValueId>>,
}

struct Walk<'m, 'a> {
    graph: Graph<'m>,
    /// Names of the graph being walked and of those around it, innermost last.
    scopes: Vec<HashMap<&'m str, ValueId>>,
    /// Tensor names taken, and how often each was asked for.
    names: HashMap<String, usize>,
    name_bytes: u64,
    training: bool,
    file: &'a str,
    folder: &'a mut Folder,
}

impl<'m> Walk<'m, '_> {
    fn graph(&mut self, graph: &'m GraphProto, prefix: &str) -> Result<Boundary, SourceError> {
        let tensors =
            graph.initializer.iter().chain(graph.sparse_initializer.iter().filter_map(|s| s.values.as_ref()));
        self.enter(tensors.map(|t| t.name.as_str()), &graph.node);
        let inputs = graph.input.iter().map(|i| self.define(&i.name)).collect();
        self.nodes(&graph.node, prefix)?;
        for (i, tensor) in graph.initializer.iter().enumerate() {
            let name = format!("{prefix}{}", or(&tensor.name, || format!("initializer[{i}]")));
            let value = self.resolve(&tensor.name);
            let note = tensor.name.is_empty().then(|| "unnamed: no node can use it".to_owned());
            self.tensor(name, tensor, value, note)?;
        }
        for (i, sparse) in graph.sparse_initializer.iter().enumerate() {
            let own = sparse.values.as_ref().map_or("", |v| v.name.as_str());
            let name = format!("{prefix}{}", or(own, || format!("sparse_initializer[{i}]")));
            let value = self.resolve(own);
            self.sparse(name, sparse, value)?;
        }
        let outputs = graph.output.iter().map(|o| self.resolve(&o.name)).collect();
        self.scopes.pop();
        Ok(Boundary { inputs, outputs })
    }

    fn function(&mut self, function: &'m FunctionProto) -> Result<Boundary, SourceError> {
        let outer = std::mem::take(&mut self.scopes);
        self.enter(std::iter::empty(), &function.node);
        let inputs = function.input.iter().map(|name| self.define(name)).collect();
        let name = or(&function.name, || "function".to_owned());
        let prefix = match function.domain.as_str() {
            "" => format!("{}/", shorten(&name)),
            domain => format!("{}.{}/", shorten(domain), shorten(&name)),
        };
        self.nodes(&function.node, &prefix)?;
        let outputs = function.output.iter().map(|name| self.resolve(name)).collect();
        self.scopes = outer;
        Ok(Boundary { inputs, outputs })
    }

    /// Opens a scope with all that a graph defines, so that the order of definition does not matter.
    fn enter(&mut self, tensors: impl Iterator<Item = &'m str>, nodes: &'m [NodeProto]) {
        self.scopes.push(HashMap::new());
        for name in tensors.chain(nodes.iter().flat_map(|n| n.output.iter().map(String::as_str))) {
            if !name.is_empty() {
                self.define(name);
            }
        }
    }

    /// The value of that name in the innermost scope, made if need be.
    fn define(&mut self, name: &'m str) -> ValueId {
        let next = self.graph.values.len();
        let id = match self.scopes.last_mut() {
            Some(scope) if !name.is_empty() => *scope.entry(name).or_insert(next),
            _ => next,
        };
        if id == next {
            self.graph.values.push(Value::default());
        }
        id
    }

    fn resolve(&self, name: &str) -> Option<ValueId> {
        self.scopes.iter().rev().find_map(|scope| scope.get(name)).copied()
    }

    fn nodes(&mut self, nodes: &'m [NodeProto], prefix: &str) -> Result<(), SourceError> {
        for (i, proto) in nodes.iter().enumerate() {
            let id = self.graph.nodes.len();
            let label = shorten(&or(&proto.name, || format!("{}#{i}", proto.op_type)));
            let inputs: Vec<Option<ValueId>> = proto.input.iter().map(|name| self.resolve(name)).collect();
            let outputs: Vec<ValueId> = proto.output.iter().map(|name| self.define(name)).collect();
            for (position, value) in inputs.iter().enumerate() {
                if let Some(value) = *value {
                    self.graph.values[value].uses.push((id, position));
                }
            }
            for &value in &outputs {
                self.graph.values[value].producer = Some(id);
            }
            self.graph.nodes.push(Node { proto, label, inputs, outputs, body_inputs: None });
            for attribute in &proto.attribute {
                self.attribute(id, attribute, prefix)?;
            }
        }
        Ok(())
    }

    /// Tensors and sub-graphs that an attribute holds.
    fn attribute(
        &mut self,
        id: NodeId,
        attribute: &'m AttributeProto,
        prefix: &str,
    ) -> Result<(), SourceError> {
        let AttributeProto { t, g, tensors, graphs, sparse_tensor, sparse_tensors, .. } = attribute;
        let single = t.is_some() || g.is_some() || sparse_tensor.is_some();
        let node = &self.graph.nodes[id];
        if !single
            && tensors.is_empty()
            && graphs.is_empty()
            && sparse_tensors.is_empty()
            && node.op() != "Constant"
        {
            return Ok(());
        }
        let name = format!("{prefix}{}.{}", node.label, shorten(&attribute.name));
        if node.op() == "Constant" {
            let output = node.outputs.first().copied();
            let own = or(node.proto.output.first().map_or("", String::as_str), || name.clone());
            return self.constant(format!("{prefix}{own}"), attribute, output);
        }
        let note = format!("attribute '{}' of {}", shorten(&attribute.name), node.title());
        if let Some(tensor) = t {
            self.tensor(name.clone(), tensor, None, Some(note.clone()))?;
        }
        for (i, tensor) in tensors.iter().enumerate() {
            self.tensor(format!("{name}[{i}]"), tensor, None, Some(note.clone()))?;
        }
        if let Some(sparse) = sparse_tensor {
            self.sparse(name.clone(), sparse, None)?;
        }
        for (i, sparse) in sparse_tensors.iter().enumerate() {
            self.sparse(format!("{name}[{i}]"), sparse, None)?;
        }
        if let Some(graph) = g {
            let body = self.graph(graph, &format!("{name}/"))?;
            self.body(id, &body);
        }
        for (i, graph) in graphs.iter().enumerate() {
            self.graph(graph, &format!("{name}[{i}]/"))?;
        }
        Ok(())
    }

    /// Joins what goes into and comes out of a body where it is the same value on both sides.
    fn body(&mut self, id: NodeId, body: &Boundary) {
        let node = &self.graph.nodes[id];
        let (given, made) = (node.inputs.clone(), node.outputs.clone());
        let state = match node.op() {
            "If" => {
                for (&inner, &outer) in body.outputs.iter().zip(&made) {
                    self.graph.link(&[inner], &[outer]);
                }
                return;
            }
            // Trip count and condition come first, then what is carried from turn to turn.
            "Loop" => 2..given.len(),
            "Scan" => {
                let scanned = usize::try_from(node.int("num_scan_inputs", 0)).unwrap_or(0);
                0..given.len().saturating_sub(scanned)
            }
            _ => return,
        };
        if let (Some(given), Some(inner)) = (given.get(state.clone()), body.inputs.get(state.start..)) {
            self.graph.link(given, inner);
        }
        self.graph.nodes[id].body_inputs = Some(state);
    }

    /// A Constant node, in each of the ways it can say its value.
    fn constant(
        &mut self,
        name: String,
        attribute: &AttributeProto,
        value: Option<ValueId>,
    ) -> Result<(), SourceError> {
        let stored = match attribute.name.as_str() {
            "value" => match &attribute.t {
                Some(tensor) => return self.tensor(name, tensor, value, None),
                None => return Ok(()),
            },
            "sparse_value" => match &attribute.sparse_tensor {
                Some(sparse) => return self.sparse(name, sparse, value),
                None => return Ok(()),
            },
            "value_float" => Stored::numbers(1, vec![], attribute.f.to_le_bytes().to_vec()),
            "value_floats" => {
                let bytes = attribute.floats.iter().flat_map(|v| v.to_le_bytes()).collect();
                Stored::numbers(1, vec![attribute.floats.len()], bytes)
            }
            "value_int" => Stored::numbers(7, vec![], attribute.i.to_le_bytes().to_vec()),
            "value_ints" => {
                let bytes = attribute.ints.iter().flat_map(|v| v.to_le_bytes()).collect();
                Stored::numbers(7, vec![attribute.ints.len()], bytes)
            }
            "value_string" => self.check(&name, Stored::opaque(&[]))?,
            "value_strings" => self.check(&name, Stored::opaque(&[attribute.strings.len() as i64]))?,
            _ => return Ok(()),
        };
        self.push(name, stored, value, None)
    }

    fn tensor(
        &mut self,
        name: String,
        tensor: &TensorProto,
        value: Option<ValueId>,
        note: Option<String>,
    ) -> Result<(), SourceError> {
        let stored = Stored::new(tensor, self.folder);
        let stored = self.check(&name, stored)?;
        self.push(name, stored, value, note)
    }

    fn sparse(
        &mut self,
        name: String,
        sparse: &SparseTensorProto,
        value: Option<ValueId>,
    ) -> Result<(), SourceError> {
        let stored = self.check(&name, Stored::opaque(&sparse.dims))?;
        let held = sparse.values.as_ref().and_then(|v| v.dims.first()).copied().unwrap_or(0);
        self.push(name, stored, value, Some(format!("sparse tensor of {held} stored values")))
    }

    fn check<T>(&self, name: &str, result: Result<T, Refusal>) -> Result<T, SourceError> {
        result.map_err(|refusal| SourceError::new(self.file, refusal).tensor(shorten(name)))
    }

    fn push(
        &mut self,
        name: String,
        stored: Stored,
        value: Option<ValueId>,
        note: Option<String>,
    ) -> Result<(), SourceError> {
        let name = self.unique(name);
        self.name_bytes += name.len() as u64;
        if self.name_bytes > MAX_NAME_BYTES {
            let what = "the bytes of all tensor names".to_owned();
            let refusal = Refusal::TooLarge { what, size: self.name_bytes, limit: MAX_NAME_BYTES };
            return Err(SourceError::new(self.file, refusal));
        }
        if let Some(value) = value {
            self.graph.values[value].tensor = Some(self.graph.tensors.len());
        }
        self.graph.tensors.push(Found { name, stored, value, note, training: self.training });
        Ok(())
    }

    /// The name, or the name with a number where it is taken.
    fn unique(&mut self, name: String) -> String {
        let mut candidate = name.clone();
        loop {
            if !self.names.contains_key(&candidate) {
                self.names.insert(candidate.clone(), 1);
                return candidate;
            }
            let count = self.names.entry(name.clone()).or_insert(1);
            *count += 1;
            candidate = format!("{name}#{count}");
        }
    }
}

fn or(name: &str, fallback: impl FnOnce() -> String) -> String {
    if name.is_empty() { fallback() } else { name.to_owned() }
}
