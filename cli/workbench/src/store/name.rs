//! What an entry is called: architecture and variant, and the folders that stand for them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::StoreError;

/// Longest part of a name, in bytes: with every byte written as three it still fits where folders have 255.
const LONGEST: usize = 80;

/// `ResNet/20`: architecture and variant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Name {
    /// What models are compared within.
    pub architecture: String,
    /// Which of them it is.
    pub variant: String,
}

impl Name {
    /// A name of two parts that can be folders.
    pub fn new(architecture: &str, variant: &str) -> Result<Self, StoreError> {
        for (what, part) in [("architecture", architecture), ("variant", variant)] {
            let expected = match part {
                p if p.trim().is_empty() => "a word",
                p if p.len() > LONGEST => "at most 80 bytes",
                p if p.chars().any(char::is_control) => "no control characters",
                _ => continue,
            };
            return Err(StoreError::Name { what, name: part.to_owned(), expected });
        }
        Ok(Name { architecture: architecture.to_owned(), variant: variant.to_owned() })
    }

    /// The folder of the architecture, and that of the variant in it.
    pub(super) fn folders(&self) -> (String, String) {
        (folder(&self.architecture), folder(&self.variant))
    }
}

/// Letters, digits and harmless signs as they are, other bytes as `%2F`: a name is never a path.
fn folder(part: &str) -> String {
    let mut out = String::new();
    for (at, byte) in part.bytes().enumerate() {
        let plain = byte.is_ascii_alphanumeric()
            || b"_-+=,@ ".contains(&byte)
            || (byte == b'.' && at > 0 && at + 1 < part.len());
        if plain && !(byte == b' ' && (at == 0 || at + 1 == part.len())) {
            out.push(char::from(byte));
        } else {
            out += &format!("%{byte:02X}");
        }
    }
    out
}

/// What a folder stands for; a folder that was not named by [`folder`] for itself.
pub(super) fn unfolded(folder: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = folder.as_bytes();
    while let [first, more @ ..] = rest {
        let code = more.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let code = code.filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = &more[2..];
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| folder.to_owned())
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.architecture, self.variant)
    }
}

impl FromStr for Name {
    type Err = StoreError;

    /// `ARCHITECTURE/VARIANT`; the first slash divides.
    fn from_str(text: &str) -> Result<Self, StoreError> {
        let parts = text.split_once('/').ok_or_else(|| StoreError::Name {
            what: "name",
            name: text.to_owned(),
            expected: "ARCHITECTURE/VARIANT",
        });
        let (architecture, variant) = parts?;
        Name::new(architecture, variant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_folder() {
        for (part, expected) in [
            ("B0", "B0"),
            ("..", "%2E%2E"),
            (".hidden", "%2Ehidden"),
            ("v1.5", "v1.5"),
            ("a/b\\c", "a%2Fb%5Cc"),
            ("100%", "100%25"),
            ("größe", "gr%C3%B6%C3%9Fe"),
            ("CON:", "CON%3A"),
        ] {
            assert_eq!(folder(part), expected);
            assert_eq!(unfolded(expected), part);
        }
        assert_eq!(["50%", "%zz", "%FF", "%+1"].map(unfolded), ["50%", "%zz", "%FF", "%+1"]);
    }

    #[test]
    fn names_that_cannot_be_folders_are_refused() {
        assert_eq!("ResNet/20".parse::<Name>().unwrap(), Name::new("ResNet", "20").unwrap());
        for bad in ["ResNet", "/20", "ResNet/", "a/b\n", &format!("a/{}", "b".repeat(81))] {
            assert!(bad.parse::<Name>().is_err(), "{bad}");
        }
    }
}
