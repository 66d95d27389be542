//! The pickle machine: opcodes of protocols 0 to 5, without the power to call anything.

use std::collections::HashMap;

use eigenscope_plugin::Bytes;
use eigenscope_plugin::source::Refusal;

use super::graph::Object;
use super::{Fault, Graph, Node, Text, Value, call};

/// The longest pickle read. Weights lie outside it; what is left of the largest checkpoints is a few MiB, but some keep their
/// whole training history in it.
pub const MAX_PICKLE_BYTES: usize = 1 << 30;
/// The most values one pickle may make, at about 50 bytes each; a tensor takes some 50 of them.
const MAX_VALUES: usize = 1 << 23;
/// An inert object or a tensor, as a number of values.
const OBJECT_COST: usize = 4;
/// The longest name of a class or function, with its module.
const MAX_GLOBAL_BYTES: u32 = 1024;

/// Reads the pickle that starts at byte `start`.
pub fn unpickle(bytes: &Bytes, start: usize) -> Result<Graph, Fault> {
    let end = bytes.len().min(start.saturating_add(MAX_PICKLE_BYTES)).min(u32::MAX as usize);
    let graph = Graph { bytes: bytes.slice(..end), nodes: Vec::new(), root: Value::None, end: start };
    let mut machine = Machine {
        graph,
        at: start,
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        values: 0,
        decodable: end,
    };
    loop {
        let op_at = machine.at;
        match machine.step() {
            Ok(false) => {}
            Ok(true) => break,
            Err(refusal) => return Err(Fault { at: op_at, refusal }),
        }
    }
    machine.graph.end = machine.at;
    Ok(machine.graph)
}

pub(super) struct Machine {
    pub graph: Graph,
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
    values: usize,
    /// Bytes still to be decoded: each byte of the pickle once, in a pickle that means well.
    pub decodable: usize,
}

type Step<T> = Result<T, Refusal>;

pub(super) fn malformed<T>(what: impl Into<String>) -> Step<T> {
    Err(Refusal::Malformed(format!("pickle: {}", what.into())))
}

impl Machine {
    /// Counts `n` values made, so that no pickle takes more memory or time than its cap.
    pub fn charge(&mut self, n: usize) -> Step<()> {
        self.values = self.values.saturating_add(n);
        if self.values > MAX_VALUES {
            let what = "the number of values in the pickle".to_owned();
            return Err(Refusal::TooLarge { what, size: self.values as u64, limit: MAX_VALUES as u64 });
        }
        Ok(())
    }

    pub fn add(&mut self, node: Node) -> Step<Value> {
        self.charge(1)?;
        let id = self.graph.nodes.len() as u32;
        self.graph.nodes.push(node);
        Ok(Value::Node(id))
    }

    fn push(&mut self, value: Value) -> Step<()> {
        self.charge(1)?;
        self.stack.push(value);
        Ok(())
    }

    fn push_node(&mut self, node: Node) -> Step<()> {
        let value = self.add(node)?;
        self.push(value)
    }

    fn pop(&mut self) -> Step<Value> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return malformed("a value is taken from an empty stack");
        }
        self.stack.pop().ok_or_else(|| Refusal::Malformed("pickle: empty stack".to_owned()))
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Value>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => malformed("a mark is missing"),
        }
    }

    fn top(&self) -> Step<Value> {
        if self.stack.len() <= self.marks.last().copied().unwrap_or(0) {
            return malformed("a value is missing on the stack");
        }
        self.stack.last().copied().ok_or_else(|| Refusal::Malformed("pickle: empty stack".to_owned()))
    }

    fn take(&mut self, len: u64) -> Step<Text> {
        let left = (self.graph.bytes.len() - self.at) as u64;
        if len > left {
            return Err(Refusal::Truncated { what: "the pickle".to_owned(), needed: len, found: left });
        }
        let text = Text { start: self.at as u32, len: len as u32 };
        self.at += len as usize;
        Ok(text)
    }

    fn fixed<const N: usize>(&mut self) -> Step<[u8; N]> {
        let text = self.take(N as u64)?;
        let mut out = [0; N];
        out.copy_from_slice(self.graph.raw(text));
        Ok(out)
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.fixed::<1>()?[0])
    }

    fn length4(&mut self) -> Step<u64> {
        Ok(u64::from(u32::from_le_bytes(self.fixed()?)))
    }

    /// The rest of the line, for the text opcodes of protocol 0.
    fn line(&mut self) -> Step<Text> {
        let rest = &self.graph.bytes[self.at..];
        match rest.iter().position(|&b| b == b'\n') {
            Some(len) => {
                let text = self.take(len as u64)?;
                self.at += 1;
                Ok(text)
            }
            None => {
                let what = "a line of the pickle".to_owned();
                Err(Refusal::Truncated { what, needed: rest.len() as u64 + 1, found: rest.len() as u64 })
            }
        }
    }

    fn parsed<T: std::str::FromStr>(&mut self) -> Step<T> {
        let line = self.line()?;
        let text = self.graph.text(line);
        match text.trim_end_matches('L').trim().parse() {
            Ok(value) => Ok(value),
            Err(_) => malformed(format!("'{text:.40}' is not a number")),
        }
    }

    fn remember(&mut self, index: u32) -> Step<()> {
        let value = self.top()?;
        self.charge(1)?;
        self.memo.insert(index, value);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Step<()> {
        match self.memo.get(&index) {
            Some(&value) => self.push(value),
            None => malformed(format!("memo {index} is empty")),
        }
    }

    fn long(&mut self, len: u64) -> Step<()> {
        let text = self.take(len)?;
        let raw = self.graph.raw(text);
        if raw.len() > 8 {
            return self.push(Value::Long(text));
        }
        let fill = if raw.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
        let mut wide = [fill; 8];
        wide[..raw.len()].copy_from_slice(raw);
        self.push(Value::Int(i64::from_le_bytes(wide)))
    }

    fn push_tuple(&mut self, len: usize) -> Step<()> {
        let mut items = Vec::with_capacity(len);
        for _ in 0..len {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push_node(Node::Tuple(items))
    }

    fn append(&mut self, new: Vec<Value>) -> Step<()> {
        let Value::Node(id) = self.top()? else { return malformed("an append to a plain value") };
        match self.graph.nodes.get_mut(id as usize) {
            Some(Node::List(items)) => items.extend(new),
            Some(Node::Object(object)) => object.appended.extend(new),
            _ => return malformed("an append to what is not a list"),
        }
        Ok(())
    }

    fn set_items(&mut self, new: Vec<Value>) -> Step<()> {
        let (pairs, odd) = new.as_chunks::<2>();
        if !odd.is_empty() {
            return malformed("a dictionary key without a value");
        }
        let pairs = pairs.iter().map(|&[key, value]| (key, value));
        let Value::Node(id) = self.top()? else { return malformed("an item set in a plain value") };
        match self.graph.nodes.get_mut(id as usize) {
            Some(Node::Dict(items)) => items.extend(pairs),
            Some(Node::Object(object)) => object.items.extend(pairs),
            _ => return malformed("an item set in what is not a dictionary"),
        }
        Ok(())
    }

    fn build(&mut self) -> Step<()> {
        let state = self.pop()?;
        let target = self.top()?;
        if let Some(array) = call::numpy_array(&self.graph, target, state)? {
            let Value::Node(id) = target else { return Ok(()) };
            self.graph.nodes[id as usize] = Node::Tensor(Box::new(array));
            return Ok(());
        }
        if let Value::Node(id) = target
            && let Some(Node::Object(object)) = self.graph.nodes.get_mut(id as usize)
        {
            object.state.push(state);
        }
        // The state of dictionaries is version numbers, that of tensors their Python attributes.
        Ok(())
    }

    fn global(&mut self, module: Text, name: Text) -> Step<Value> {
        if module.len.saturating_add(name.len) > MAX_GLOBAL_BYTES {
            return malformed("a class or function with an endless name");
        }
        self.add(Node::Global { module, name })
    }

    fn call(&mut self, function: Value, args: Value) -> Step<()> {
        let result = call::reduce(self, function, args, 0)?;
        self.push(result)
    }

    /// `class(*args)` without the knowledge of [`call::reduce`]: an instance.
    fn instance(&mut self, class: Value, args: Value) -> Step<()> {
        let result = call::instance(self, class, args)?;
        self.push(result)
    }

    /// One opcode; true at the end of the pickle.
    fn step(&mut self) -> Step<bool> {
        let op = self.byte()?;
        match op {
            0x80 => {
                let version = self.byte()?;
                if version > 5 {
                    return Err(Refusal::Unsupported(format!(
                        "pickle protocol {version}; 5 is the latest known"
                    )));
                }
            }
            0x95 => drop(self.fixed::<8>()?), // FRAME: a hint for streams
            b'.' => {
                self.graph.root = self.pop()?;
                return Ok(true);
            }
            b'(' => {
                self.charge(1)?;
                self.marks.push(self.stack.len());
            }
            b'0' => {
                if self.stack.len() > self.marks.last().copied().unwrap_or(0) {
                    self.pop()?;
                } else {
                    self.pop_to_mark()?;
                }
            }
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let value = self.top()?;
                self.push(value)?;
            }

            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'I' => {
                // Protocol 0 spells booleans as 00 and 01.
                let line = self.line()?;
                let value = match self.graph.raw(line) {
                    b"00" => Value::Bool(false),
                    b"01" => Value::Bool(true),
                    digits => match std::str::from_utf8(digits).ok().and_then(|d| d.trim().parse().ok()) {
                        Some(i) => Value::Int(i),
                        None => return malformed("an integer that is none"),
                    },
                };
                self.push(value)?;
            }
            b'L' => {
                let value = self.parsed()?;
                self.push(Value::Int(value))?;
            }
            b'F' => {
                let value = self.parsed()?;
                self.push(Value::Float(value))?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.fixed()?);
                self.push(Value::Int(i64::from(value)))?;
            }
            b'K' => {
                let value = self.byte()?;
                self.push(Value::Int(i64::from(value)))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.fixed()?);
                self.push(Value::Int(i64::from(value)))?;
            }
            0x8a => {
                let len = self.byte()?;
                self.long(u64::from(len))?;
            }
            0x8b => {
                let len = self.length4()?;
                self.long(len)?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.fixed()?);
                self.push(Value::Float(value))?;
            }

            b'S' => {
                let Text { start, len } = self.line()?;
                if len < 2 {
                    return malformed("a string without quotes");
                }
                self.push(Value::Text(Text { start: start + 1, len: len - 2 }))?;
            }
            b'V' => {
                let text = self.line()?;
                self.push(Value::Text(text))?;
            }
            b'X' | b'T' => {
                let len = self.length4()?;
                let text = self.take(len)?;
                self.push(if op == b'X' { Value::Text(text) } else { Value::Bytes(text) })?;
            }
            0x8c | b'U' | b'C' => {
                let len = self.byte()?;
                let text = self.take(u64::from(len))?;
                self.push(if op == 0x8c { Value::Text(text) } else { Value::Bytes(text) })?;
            }
            b'B' => {
                let len = self.length4()?;
                let text = self.take(len)?;
                self.push(Value::Bytes(text))?;
            }
            0x8d | 0x8e | 0x96 => {
                let len = u64::from_le_bytes(self.fixed()?);
                let text = self.take(len)?;
                self.push(if op == 0x8d { Value::Text(text) } else { Value::Bytes(text) })?;
            }

            b']' => self.push_node(Node::List(Vec::new()))?,
            0x8f => self.push_node(Node::List(Vec::new()))?,
            b'}' => self.push_node(Node::Dict(Vec::new()))?,
            b')' => self.push_node(Node::Tuple(Vec::new()))?,
            b'l' | 0x91 => {
                let items = self.pop_to_mark()?;
                self.push_node(Node::List(items))?;
            }
            b't' => {
                let items = self.pop_to_mark()?;
                self.push_node(Node::Tuple(items))?;
            }
            0x85 => self.push_tuple(1)?,
            0x86 => self.push_tuple(2)?,
            0x87 => self.push_tuple(3)?,
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push_node(Node::Dict(Vec::new()))?;
                self.set_items(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' | 0x90 => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(items)?;
            }

            b'p' => {
                let index = self.parsed()?;
                self.remember(index)?;
            }
            b'q' => {
                let index = self.byte()?;
                self.remember(u32::from(index))?;
            }
            b'r' => {
                let index = u32::from_le_bytes(self.fixed()?);
                self.remember(index)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'g' => {
                let index = self.parsed()?;
                self.recall(index)?;
            }
            b'h' => {
                let index = self.byte()?;
                self.recall(u32::from(index))?;
            }
            b'j' => {
                let index = u32::from_le_bytes(self.fixed()?);
                self.recall(index)?;
            }

            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                let global = self.global(module, name)?;
                self.push(global)?;
            }
            0x93 => match (self.pop()?, self.pop()?) {
                (Value::Text(name), Value::Text(module)) => {
                    let global = self.global(module, name)?;
                    self.push(global)?;
                }
                _ => return malformed("a global whose name is not a string"),
            },
            b'R' => {
                let args = self.pop()?;
                let function = self.pop()?;
                self.call(function, args)?;
            }
            0x81 => {
                let args = self.pop()?;
                let class = self.pop()?;
                self.instance(class, args)?;
            }
            0x92 => {
                let keywords = self.pop()?;
                let args = self.pop()?;
                let class = self.pop()?;
                let both = self.add(Node::Tuple(vec![args, keywords]))?;
                self.instance(class, both)?;
            }
            b'i' => {
                let module = self.line()?;
                let name = self.line()?;
                let class = self.global(module, name)?;
                let items = self.pop_to_mark()?;
                let args = self.add(Node::Tuple(items))?;
                self.instance(class, args)?;
            }
            b'o' => {
                let mut items = self.pop_to_mark()?;
                if items.is_empty() {
                    return malformed("an object without a class");
                }
                let class = items.remove(0);
                let args = self.add(Node::Tuple(items))?;
                self.instance(class, args)?;
            }
            b'b' => self.build()?,
            b'P' => {
                let text = self.line()?;
                self.push(Value::Text(text))?;
            }
            b'Q' => {
                let id = self.pop()?;
                let value = call::persistent(self, id)?;
                self.push(value)?;
            }
            0x98 => {} // READONLY_BUFFER: a property nobody here could violate
            0x82..=0x84 => {
                return Err(Refusal::Unsupported(
                    "pickle extension codes, which only their writer knows".to_owned(),
                ));
            }
            0x97 => return Err(Refusal::Unsupported("pickle buffers outside the pickle".to_owned())),
            other => return malformed(format!("opcode 0x{other:02x} is none of pickle's")),
        }
        Ok(false)
    }

    pub fn object(&mut self, class: Value, args: Value) -> Step<Value> {
        self.charge(OBJECT_COST)?;
        let (state, items, appended) = (Vec::new(), Vec::new(), Vec::new());
        self.add(Node::Object(Box::new(Object { class, args, state, items, appended })))
    }
}
