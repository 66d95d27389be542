//! A model written as one safetensors file.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use eigenscope::source::OpenModel;
use eigenscope::tensor::{Dtype, Tensor};
use eigenscope::transform::dense_bytes;
use safetensors::tensor::View;

use crate::failure::Failure;
use crate::output::temporary;

/// A tensor in the shape that the writer asks for.
struct Stored {
    dtype: safetensors::Dtype,
    shape: Vec<usize>,
    tensor: Tensor,
}

impl View for Stored {
    fn dtype(&self) -> safetensors::Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        // A slice of the memory map where the tensor lies there, so that no second copy of the model is made.
        Cow::Owned(dense_bytes(&self.tensor).into())
    }

    fn data_len(&self) -> usize {
        self.tensor.len() * self.tensor.dtype().size()
    }
}

fn stored_type(dtype: Dtype) -> Option<safetensors::Dtype> {
    use safetensors::Dtype as S;
    Some(match dtype {
        Dtype::F64 => S::F64,
        Dtype::F32 => S::F32,
        Dtype::F16 => S::F16,
        Dtype::BF16 => S::BF16,
        Dtype::F8E4M3 => S::F8_E4M3,
        Dtype::F8E5M2 => S::F8_E5M2,
        Dtype::I64 => S::I64,
        Dtype::I32 => S::I32,
        Dtype::I16 => S::I16,
        Dtype::I8 => S::I8,
        Dtype::U64 => S::U64,
        Dtype::U32 => S::U32,
        Dtype::U16 => S::U16,
        Dtype::U8 => S::U8,
        Dtype::Bool => S::BOOL,
        _ => return None,
    })
}

/// A place for a new file: there is none yet, or it may be replaced, and it is no part of the model that is read.
pub fn place(model: &Path, output: &Path, force: bool) -> Result<PathBuf, Failure> {
    let name = output.display();
    let refuse = |why: &str| Err(Failure::new(format!("cannot write {name}: {why}")));
    let Ok(found) = output.canonicalize() else {
        let folder = output.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        return if folder.is_dir() { Ok(output.to_owned()) } else { refuse("there is no such folder") };
    };
    if found.is_dir() {
        return refuse("it is a folder");
    }
    let model = model.canonicalize().unwrap_or_else(|_| model.to_owned());
    let folder = if model.is_dir() { Some(&*model) } else { model.parent().filter(|_| is_index(&model)) };
    if found == model || folder == found.parent() {
        return refuse("it belongs to the model that is read");
    }
    if !force {
        let failure = Failure::new(format!("{name} is there already"));
        return Err(failure.usage().hint("`--force` replaces it"));
    }
    Ok(found)
}

fn is_index(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().ends_with(".index.json"))
}

/// Writes every tensor of the model, those given in the place of its own, beside `path`, and renames the file when it is complete. A file that is
/// there by then is replaced only by `force`.
pub fn write(
    model: &OpenModel,
    replaced: Vec<Option<Tensor>>,
    made_by: &str,
    path: &Path,
    force: bool,
) -> Result<(), Failure> {
    let file = model.file.as_ref();
    let mut tensors = Vec::with_capacity(replaced.len());
    for (index, (info, new)) in file.tensors().iter().zip(replaced).enumerate() {
        let cannot = |why: String| Failure::new(format!("cannot write tensor '{}': {why}", info.name));
        let tensor = match new {
            Some(tensor) => tensor,
            None => file.read(index).map_err(|e| Failure::of(&e))?,
        };
        let dtype = stored_type(tensor.dtype()).ok_or_else(|| {
            let why = info.note.as_deref().unwrap_or("element type unknown");
            cannot(format!("its contents cannot be copied to safetensors ({why})"))
        })?;
        if tensor.quantization().is_some() {
            return Err(cannot("safetensors holds no quantisation scales".to_owned()));
        }
        let shape = tensor.shape().to_vec();
        tensors.push((info.name.clone(), Stored { dtype, shape, tensor }));
    }
    let mut metadata: HashMap<String, String> = HashMap::new();
    if model.loader == "safetensors" {
        metadata.extend(file.metadata());
    } else if model.loader == "pytorch" {
        // What transformers asks of a file of PyTorch's weights.
        metadata.insert("format".to_owned(), "pt".to_owned());
    }
    metadata.insert("eigenscope".to_owned(), made_by.to_owned());
    let file = temporary(path).and_then(|file| {
        let permissions = fs::metadata(path).or_else(|_| file.as_file().metadata())?.permissions();
        // This replaces the file by one that only its owner may read.
        safetensors::serialize_to_file(tensors, Some(metadata), file.path()).map_err(io::Error::other)?;
        fs::set_permissions(file.path(), permissions)?;
        fs::File::open(file.path())?.sync_all()?;
        if force { file.persist(path) } else { file.persist_noclobber(path) }.map_err(|e| e.error)
    });
    file.map(drop).map_err(|e| Failure::new(format!("cannot write {}: {e}", path.display())))
}
