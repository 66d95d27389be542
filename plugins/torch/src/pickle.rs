//! A look at a pickle before libtorch reads it: only opcodes libtorch has, nothing that names a function of Python, text
//! that is text. Nothing is built and nothing is executed.

use eigenscope_plugin::source::Refusal;

/// Tuples, lists and dictionaries of one pickle. libtorch frees nested ones by recursion; this many, each in the next,
/// fit the stack of its thread (`torch.rs`).
pub const MAX_CONTAINERS: usize = 1 << 20;

/// Every text of the pickle, in order: names of tensors are among them.
pub fn texts<'a>(name: &str, pickle: &'a [u8]) -> Result<Vec<&'a str>, Refusal> {
    let mut walk = Walk { name, pickle, at: 0 };
    let (mut texts, mut containers) = (Vec::new(), 0);
    loop {
        let at = walk.at;
        let opcode = walk.take(1)?[0];
        match opcode {
            b'.' => return Ok(texts),
            // Numbers and references of fixed size.
            0x80 | b'K' | b'h' | b'q' => drop(walk.take(1)?),
            b'M' => drop(walk.take(2)?),
            b'J' | b'j' | b'r' => drop(walk.take(4)?),
            b'G' => drop(walk.take(8)?),
            0x8a => {
                let length = walk.take(1)?[0];
                walk.take(usize::from(length))?;
            }
            b'X' => {
                let length = walk.take(4)?;
                let length = u32::from_le_bytes([length[0], length[1], length[2], length[3]]);
                let text = std::str::from_utf8(walk.take(length as usize)?).ok();
                let Some(text) = text.filter(|t| !t.contains('\0')) else {
                    return Err(Refusal::Malformed(format!("text that is not UTF-8 at byte {at} of {name}")));
                };
                texts.push(text);
            }
            b'c' => {
                let (module, item) = (walk.line()?, walk.line()?);
                // libtorch 2.13 reads them, and writes to stderr that it would rather not.
                if (module, item) == ("torch._utils", "_rebuild_qtensor") {
                    let what = format!("quantised tensors in {name} (the loader 'pytorch' reads them)");
                    return Err(Refusal::Unsupported(what));
                }
                let known = ["torch", "__torch__"].iter().any(|top| {
                    module.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                });
                if !known && (module, item) != ("collections", "OrderedDict") {
                    let what = format!("the pickle {name} calls {module}.{item} (byte {at})");
                    return Err(Refusal::Forbidden(what));
                }
            }
            b'(' | b'N' | 0x88 | 0x89 | b'Q' | b'R' | b'b' | 0x81 | b'a' | b'e' | b's' | b'u' => {}
            b')' | b't' | 0x85..=0x87 | b']' | b'}' => {
                containers += 1;
                if containers > MAX_CONTAINERS {
                    let what = format!("the number of tuples, lists and dictionaries in {name}");
                    let (size, limit) = (containers as u64, MAX_CONTAINERS as u64);
                    return Err(Refusal::TooLarge { what, size, limit });
                }
            }
            _ => {
                let what =
                    format!("opcode {opcode:#04x} at byte {at} of {name}, which libtorch does not read");
                return Err(Refusal::Unsupported(what));
            }
        }
    }
}

struct Walk<'a, 'n> {
    name: &'n str,
    pickle: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a, '_> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Refusal> {
        let rest = self.pickle.get(self.at..).unwrap_or_default();
        let Some(taken) = rest.get(..count) else {
            let what = format!("{} at byte {}", self.name, self.at);
            return Err(Refusal::Truncated { what, needed: count as u64, found: rest.len() as u64 });
        };
        self.at += count;
        Ok(taken)
    }

    fn line(&mut self) -> Result<&'a str, Refusal> {
        let rest = self.pickle.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len());
        let line = self.take(length + 1)?;
        std::str::from_utf8(&line[..length])
            .map_err(|_| Refusal::Malformed(format!("{}: a name that is not UTF-8", self.name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(pickle: &[u8]) -> &'static str {
        texts("data.pkl", pickle).unwrap_err().code()
    }

    #[test]
    fn texts_come_in_order_and_every_prefix_is_refused() {
        let pickle =
            b"\x80\x02}q\x00(X\x01\x00\x00\x00bK\x07X\x01\x00\x00\x00ac__torch__.a\nB\n\x8a\x01\x05u.";
        assert_eq!(texts("data.pkl", pickle).unwrap(), ["b", "a"]);
        for length in 0..pickle.len() {
            assert_eq!(code(&pickle[..length]), "truncated", "cut to {length}");
        }
    }

    #[test]
    fn what_libtorch_must_not_see_is_refused() {
        assert_eq!(code(b"\x80\x02cos\nsystem\n."), "forbidden");
        assert_eq!(code(b"\x80\x02ctorchvision\nload\n."), "forbidden");
        assert_eq!(code(b"\x80\x02ctorch._utils\n_rebuild_qtensor\n."), "unsupported");
        assert_eq!(code(b"\x80\x04\x95........."), "unsupported");
        assert_eq!(code(b"X\x01\x00\x00\x00\xff."), "malformed");
        assert_eq!(code(b"X\x01\x00\x00\x00\x00."), "malformed");
        let mut deep = b")".repeat(MAX_CONTAINERS + 1);
        deep.push(b'.');
        assert_eq!(code(&deep), "too-large");
        assert!(texts("data.pkl", &deep[1..]).is_ok());
    }
}
