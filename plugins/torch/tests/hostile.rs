//! Files made to do harm, or not what they seem. Those with right checksums reach libtorch.
#![allow(missing_docs)]

mod common;

use common::{checkpoint, exercise, fixture, one, refusal, script_replaced, script_with};
use eigenscope_plugin::source::{Input, Loader, Refusal};

#[test]
fn files_that_are_no_archives_say_what_they_are() {
    let page = b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>".to_vec();
    assert_eq!(
        refusal(page).to_string(),
        "expected a zip archive of torch.jit.save or torch.save, found an HTML page (a download that failed?)"
    );
    assert_eq!(refusal(Vec::new()).code(), "empty");
    assert_eq!(refusal(std::fs::read(fixture("legacy.pt")).unwrap()).code(), "wrong-format");
    let missing = common::plugin().open(&Input::path("/no/such/model.pt")).err().unwrap();
    assert_eq!((missing.file.as_str(), missing.refusal.code()), ("/no/such/model.pt", "io"));
}

#[test]
fn a_file_cut_short_or_with_a_wrong_bit_never_reaches_libtorch() {
    let whole = std::fs::read(fixture("script.pt")).unwrap();
    for part in 1..16 {
        let cut = whole[..whole.len() * part / 16].to_vec();
        assert!(refusal(cut).to_string().contains("as when cut short"), "{part}/16");
    }
    let entries = common::unzip(&whole);
    let (_, weights) = entries.iter().find(|(name, _)| name == "script/data/1").unwrap();
    let at = whole.windows(weights.len()).position(|window| window == weights).unwrap();
    let mut flipped = whole;
    flipped[at + 40] ^= 1;
    let said = refusal(flipped).to_string();
    assert!(said.contains("'script/data/1': Invalid checksum"), "{said}");
}

#[test]
fn a_pickle_that_calls_the_system_is_refused_and_runs_nothing() {
    let canary = std::env::temp_dir().join(format!("eigenscope-torch-canary-{}", std::process::id()));
    let command = format!("touch {}", canary.display());
    let mut pickle = b"\x80\x02cos\nsystem\nX".to_vec();
    pickle.extend((command.len() as u32).to_le_bytes());
    pickle.extend(command.as_bytes());
    pickle.extend(b"\x85R.");
    let said = refusal(checkpoint(&pickle)).to_string();
    assert_eq!(said, "refused: the pickle data.pkl calls os.system (byte 2)");
    let scripted = script_with("script/data.pkl", |_| pickle.clone());
    assert_eq!(refusal(scripted).code(), "forbidden");
    let scripted = script_with("script/constants.pkl", |_| pickle.clone());
    assert_eq!(refusal(scripted).code(), "forbidden");
    assert!(!canary.exists());
}

#[test]
fn code_that_libtorch_would_run_is_refused() {
    let from = "  def forward(";
    let to = "  def __setstate__(self, state: int) -> None:\n    while True:\n      pass\n  def forward(";
    let said = refusal(script_replaced("script/code/__torch__.py", from, to)).to_string();
    assert!(said.starts_with("refused: code/__torch__.py has a __setstate__"), "{said}");
}

#[test]
fn code_that_does_not_compile_is_an_error_with_libtorchs_words() {
    let broken = script_replaced("script/code/__torch__.py", "return (fc).forward(x, )", "return (((");
    // Methods compile when the class is imported.
    let refusal = refusal(broken);
    assert!(matches!(&refusal, Refusal::Malformed(what) if what.starts_with("libtorch: ")), "{refusal}");
}

/// libtorch builds these views without a look at the storage.
#[test]
fn views_that_leave_their_storage_are_refused() {
    let inside = exercise(one(3, &[3, 4], &[4, 1])).unwrap();
    assert_eq!(inside, 12);
    assert_eq!(exercise(one(0, &[1 << 20, 4], &[0, 1])).unwrap(), 1 << 22, "rows that repeat");
    for (offset, shape, strides) in [
        (5, [3, 4], [4, 1]),
        (0, [1 << 22, 1], [1, 1]),
        (0, [3, 4], [1 << 30, 1]),
        (-1, [3, 4], [4, 1]),
        (0, [-3, 4], [4, 1]),
        (0, [3, 4], [-4, 1]),
    ] {
        let said = refusal(one(offset, &shape, &strides));
        assert!(matches!(said.code(), "malformed" | "unsupported"), "{offset} {shape:?} {strides:?}: {said}");
    }
    assert_eq!(refusal(one(0, &[1 << 30, 1 << 30], &[0, 0])).code(), "too-large");
}

/// A million tuples, each in the next: taking them apart is recursion in libtorch.
#[test]
fn nesting_as_deep_as_is_let_through_does_not_end_the_process() {
    let mut pickle = b"\x80\x02)".to_vec();
    pickle.extend(b"\x85".repeat((1 << 20) - 1));
    pickle.push(b'.');
    assert_eq!(refusal(checkpoint(&pickle)).code(), "unsupported");
}

/// Every byte of the pickle and of the code changed, with checksums that fit: libtorch's own checks, not ours.
#[test]
fn wrong_bits_with_right_checksums_give_errors_or_tensors() {
    let (mut opened, mut refused) = (0, 0);
    let mut state = 1u64;
    for entry in ["script/data.pkl", "script/code/__torch__.py", "script/version"] {
        let length = script_with(entry, <[u8]>::to_vec).len().min(600);
        for at in 0..length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let bit = state >> 61;
            let bytes = script_with(entry, |data| {
                let mut data = data.to_vec();
                let at = at % data.len();
                data[at] ^= 1 << bit;
                data
            });
            match exercise(bytes) {
                Ok(_) => opened += 1,
                Err(error) => {
                    assert_eq!(error.file, "model.pt");
                    refused += 1;
                }
            }
        }
    }
    assert!(opened > 20 && refused > 500, "{opened} {refused}");
}

#[test]
fn what_the_other_loader_reads_and_libtorch_does_not_is_sent_there() {
    for (name, words) in [
        (
            "zip.pt",
            "Expected GenericDict but got None (the loader 'pytorch' reads more kinds of checkpoints)",
        ),
        ("quantized.pt", "quantised tensors in data.pkl (the loader 'pytorch' reads them)"),
        ("protocol4.pt", "opcode 0x95 at byte 2 of data.pkl, which libtorch does not read"),
    ] {
        let refusal = refusal(std::fs::read(fixture(name)).unwrap());
        assert_eq!(refusal.code(), "unsupported");
        assert!(refusal.to_string().ends_with(words), "{name}: {refusal}");
    }
    let module = refusal(std::fs::read(fixture("module.pt")).unwrap());
    assert_eq!(module.to_string(), "refused: the pickle data.pkl calls somewhere.models.Net (byte 2)");
}
