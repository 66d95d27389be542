//! Small models written by hand, and the command run on them.
#![allow(dead_code)] // Each test file uses its own part.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// What a run left behind.
pub struct Ran {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The command, with nothing of this process's terminal settings.
pub fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eigenscope"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

pub fn ran(output: Output) -> Ran {
    Ran {
        status: output.status.code().expect("ended by a signal"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

pub fn run(folder: &Path, args: &[&str]) -> Ran {
    ran(command(folder, args).output().unwrap())
}

/// A tensor of a model: name, shape, values.
pub type Tensor = (String, Vec<usize>, Vec<f32>);

/// A matrix of seeded noise.
pub fn noise(name: &str, shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let values = (0..shape.iter().product()).map(|_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    });
    (name.to_owned(), shape.to_vec(), values.collect())
}

/// A square matrix whose singular values are these.
pub fn diagonal(name: &str, values: &[f32]) -> Tensor {
    let n = values.len();
    let cells = (0..n * n).map(|i| if i % (n + 1) == 0 { values[i / (n + 1)] } else { 0.0 });
    (name.to_owned(), vec![n, n], cells.collect())
}

/// Writes a safetensors file; the tensors lie in the order given.
pub fn write_model(path: &Path, tensors: &[Tensor]) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|v| v.to_le_bytes()));
        let entry = serde_json::json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), entry);
    }
    let header = serde_json::to_vec(&header).unwrap();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header);
    file.extend(data);
    std::fs::write(path, file).unwrap();
}

/// A folder with `model.safetensors`: two dense layers, a convolution, a bias, a norm, and a layer that is too small.
pub fn small() -> TempDir {
    let folder = TempDir::new().unwrap();
    write_model(
        &folder.path().join("model.safetensors"),
        &[
            diagonal("first.weight", &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]),
            noise("first.bias", &[8], 1),
            noise("block.conv.weight", &[16, 12, 3, 3], 2),
            noise("block.norm.weight", &[16], 3),
            noise("second.weight", &[40, 24], 4),
            noise("tiny.weight", &[3, 5], 5),
        ],
    );
    folder
}

/// The small model with a layer that cannot be analysed.
pub fn with_failure() -> TempDir {
    let folder = TempDir::new().unwrap();
    let mut broken = noise("broken.weight", &[12, 10], 6);
    broken.2[17] = f32::NAN;
    write_model(&folder.path().join("model.safetensors"), &[noise("good.weight", &[30, 20], 7), broken]);
    folder
}

/// A model without a single layer.
pub fn without_layers() -> TempDir {
    let folder = TempDir::new().unwrap();
    write_model(
        &folder.path().join("model.safetensors"),
        &[noise("a.bias", &[8], 1), noise("b.bias", &[9], 2), noise("norm.weight", &[8], 3)],
    );
    folder
}

/// A file next to a model.
pub fn beside(folder: &TempDir, name: &str) -> PathBuf {
    folder.path().join(name)
}
