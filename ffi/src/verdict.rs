//! `egs_verdict`.

use eigenscope_core::monitor::EpochReport;

use crate::structs;

/// Bytes of the fixed text fields, the terminating zero included.
const LAYER: usize = 256;
const REASON: usize = 1024;

/// `egs_verdict`.
#[repr(C)]
#[derive(Clone, Copy)]
#[allow(missing_docs, non_camel_case_types)]
pub struct egs_verdict {
    pub struct_size: usize,
    pub step: u64,
    pub epoch: f64,
    pub level: i32,
    pub fresh: i32,
    pub flags: u32,
    pub new_flags: u32,
    pub layer: [u8; LAYER],
    pub reason: [u8; REASON],
}

// SAFETY: no padding; zero is a valid bit pattern of every field.
unsafe impl structs::Sized for egs_verdict {
    const NAME: &'static str = "egs_verdict";
}

impl egs_verdict {
    /// Nothing new.
    pub fn none() -> egs_verdict {
        egs_verdict {
            struct_size: size_of::<egs_verdict>(),
            step: 0,
            epoch: f64::NAN,
            level: 0,
            fresh: 0,
            flags: 0,
            new_flags: 0,
            layer: [0; LAYER],
            reason: [0; REASON],
        }
    }

    pub fn of(report: &EpochReport) -> egs_verdict {
        let verdict = &report.verdict;
        egs_verdict {
            step: report.stamp.step,
            epoch: report.stamp.epoch.unwrap_or(f64::NAN),
            level: verdict.level as i32,
            fresh: 1,
            flags: verdict.flags.bits(),
            new_flags: verdict.new_flags.bits(),
            layer: fixed(verdict.layers.first().map_or("", String::as_str)),
            reason: fixed(&verdict.reason),
            ..egs_verdict::none()
        }
    }
}

/// As much of the text as fits before a terminating zero, cut between characters.
fn fixed<const N: usize>(text: &str) -> [u8; N] {
    let mut end = text.len().min(N - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = [0; N];
    out[..end].copy_from_slice(&text.as_bytes()[..end]);
    // What would end the text early is replaced.
    out[..end].iter_mut().filter(|b| **b == 0).for_each(|b| *b = b'?');
    out
}

#[cfg(test)]
mod tests {
    use super::fixed;

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(fixed::<4>("aλb"), *b"a\xce\xbb\0");
        assert_eq!(fixed::<4>("abλ"), *b"ab\0\0");
        assert_eq!(fixed::<8>("a\0b"), *b"a?b\0\0\0\0\0");
    }
}
