#!/usr/bin/env python3
"""Makes tests/fixtures: small models written by Keras 3, tf_keras and h5py, gzipped, the files the loader's tests read.

Run once, in a throw-away environment, when a fixture has to change:
    python3 -m venv venv && venv/bin/pip install tensorflow-cpu==2.21.0 tf-keras==2.21.0 h5py
    venv/bin/python tests/make_fixtures.py
Their values are dumped by tests/dump_expected.py, which needs h5py only.
"""

import gzip
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import h5py
import numpy as np

HERE = pathlib.Path(__file__).parent / "fixtures"


def layers_model(k):
    """One of each layer whose weights have a layout of their own, and a nested model."""
    L = k.layers
    image = k.Input((8, 8, 3), name="image")
    x = L.Conv2D(4, 3, name="conv_a")(image)
    x = L.BatchNormalization(name="bn")(x)
    x = L.DepthwiseConv2D(3, depth_multiplier=2, name="depthwise")(x)
    x = L.SeparableConv2D(5, 2, name="separable")(x)
    x = L.Conv2DTranspose(6, 2, use_bias=False, name="up")(x)
    x = L.GlobalAveragePooling2D()(x)
    inner = k.Sequential(
        [k.Input((6,)), L.Dense(7, activation="relu", name="inner_dense"), L.LayerNormalization(name="inner_norm")],
        name="inner",
    )
    x = inner(x)
    words = k.Input((9,), name="words", dtype="int32")
    y = L.Embedding(11, 6, name="table")(words)
    y = L.Conv1D(8, 3, padding="same", name="conv_b")(y)
    y = L.MultiHeadAttention(2, 3, name="attention")(y, y)
    y = L.LSTM(4, return_sequences=True, name="memory")(y)
    y = L.Bidirectional(L.GRU(3, return_sequences=True), name="both_ways")(y)
    y = L.TimeDistributed(L.Dense(5, name="each"), name="stepwise")(y)
    y = L.SimpleRNN(2, name="simple")(y)
    z = L.Concatenate()([x, y])
    z = L.Dense(4, name="hidden")(z)
    z = L.Dense(2, name="out")(z)
    return k.Model([image, words], z, name="every_layer")


def small_model(k, name, dtype=None):
    L = k.layers
    return k.Sequential(
        [
            k.Input((12,)),
            L.Dense(6, name="first", dtype=dtype),
            L.Dense(4, use_bias=False, name="second", dtype=dtype),
        ],
        name=name,
    )


def train(k, model, *inputs):
    """One step, so that there is optimizer state and no weight is a constant."""
    model.compile(k.optimizers.SGD(0.01, momentum=0.9), "mse")
    out = model(list(inputs) if len(inputs) > 1 else inputs[0])
    model.fit(list(inputs) if len(inputs) > 1 else inputs[0], np.ones(out.shape, "float32"), verbose=0)


def keras3():
    import keras as k

    k.utils.set_random_seed(3)
    model = layers_model(k)
    rng = np.random.default_rng(1)
    train(k, model, rng.normal(size=(2, 8, 8, 3)).astype("float32"), rng.integers(0, 11, (2, 9)))
    model.save(HERE / "k3_layers.keras")
    model.save(HERE / "k3_layers.h5")
    model.save_weights(HERE / "k3_layers.weights.h5")
    for dtype in ("float16", "bfloat16"):
        half = small_model(k, dtype, dtype)
        half.save(HERE / f"k3_{dtype}.keras")
        half.save(HERE / f"k3_{dtype}.h5")
    L = k.layers
    quantized = k.Sequential(
        [
            k.Input((5,), dtype="int32"),
            L.Embedding(10, 8, name="table"),
            L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 4), bias_axes="de", name="heads"),
            L.Reshape((5, 8), name="flat"),
            L.Dense(6, name="biased"),
            L.Dense(3, use_bias=False, name="plain"),
        ],
        name="quantized",
    )
    quantized.save(HERE / "k3_before_int8.keras")
    quantized.quantize("int8")
    quantized.save(HERE / "k3_int8.keras")
    quantized.save(HERE / "k3_int8.h5")
    four = small_model(k, "four")
    four.quantize("int4")
    four.save(HERE / "k3_int4.keras")


def tf_keras():
    import tf_keras as k

    k.utils.set_random_seed(2)
    model = layers_model(k)
    rng = np.random.default_rng(1)
    train(k, model, rng.normal(size=(2, 8, 8, 3)).astype("float32"), rng.integers(0, 11, (2, 9)))
    model.save(HERE / "k2_layers.h5")
    model.save_weights(HERE / "k2_layers_weights.h5")
    model.save(HERE / "k2_layers.keras")


def by_hand():
    """Files no current Keras writes: Keras 1, split attributes, links, odd types, compression."""
    rng = np.random.default_rng(7)

    def some(*shape):
        return rng.normal(size=shape).astype("float32")

    with h5py.File(HERE / "k1_theano.h5", "w") as f:
        f.attrs["layer_names"] = np.array([b"convolution2d_1", b"flatten_1", b"dense_1"])
        g = f.create_group("convolution2d_1")
        g.attrs["weight_names"] = np.array([b"convolution2d_1_W", b"convolution2d_1_b"])
        g["convolution2d_1_W"], g["convolution2d_1_b"] = some(6, 4, 3, 3), some(6)
        f.create_group("flatten_1").attrs["weight_names"] = np.array([])
        g = f.create_group("dense_1")
        g.attrs["weight_names"] = np.array([b"dense_1_W", b"dense_1_b"])
        g["dense_1_W"], g["dense_1_b"] = some(24, 5), some(5)

    with h5py.File(HERE / "split_attributes.h5", "w") as f:
        names = [f"dense_{i}".encode() for i in range(6)]
        f.attrs["layer_names0"], f.attrs["layer_names1"] = np.array(names[:4]), np.array(names[4:])
        f.attrs["keras_version"] = b"2.2.4"
        f.attrs["backend"] = b"tensorflow"
        for i, name in enumerate(names):
            g = f.create_group(name.decode())
            weights = [name + b"/kernel:0", name + b"/bias:0"]
            # Vlen and fixed strings, whole and split.
            if i % 2:
                g.attrs.create("weight_names", [w.decode() for w in weights], dtype=h5py.string_dtype())
            else:
                g.attrs["weight_names0"], g.attrs["weight_names1"] = np.array(weights[:1]), np.array(weights[1:])
            g[weights[0].decode()], g[weights[1].decode()] = some(3 + i, 4), some(4)

    with h5py.File(HERE / "bomb.h5", "w") as f:
        for name, options in {"unwritten": {}, "gzip": {"compression": "gzip"}}.items():
            data = f.create_dataset(name, (1 << 14, 1 << 14), "float64", chunks=(256, 256), **options)
            if options:
                data[:256, :256] = 0
        f["sound"] = some(3)

    # Keras 1 on TensorFlow: neither keras_version nor ordering, told by its shape alone.
    with h5py.File(HERE / "k1_tensorflow.h5", "w") as f:
        f.attrs["layer_names"] = np.array([b"block1_conv1"])
        g = f.create_group("block1_conv1")
        g.attrs["weight_names"] = np.array([b"block1_conv1_W_1:0", b"block1_conv1_b_1:0"])
        g["block1_conv1_W_1:0"], g["block1_conv1_b_1:0"] = some(3, 3, 3, 16), some(16)

    for libver in ("earliest", "latest"):
        with h5py.File(HERE / f"plain_{libver}.h5", "w", libver=libver, userblock_size=512) as f:
            f["net/conv.weight"] = some(4, 3, 2, 2)
            f["net/gzip"] = 0
            del f["net/gzip"]
            f.create_dataset("net/gzip", data=some(20, 30), chunks=(7, 8), compression="gzip", shuffle=True)
            f.create_dataset("net/big_endian", data=some(3, 4).astype(">f8"))
            f.create_dataset("net/chunked_be", data=np.arange(12).reshape(3, 4).astype(">i2"), chunks=(2, 2))
            f["net/half"] = some(2, 5).astype("float16")
            for dtype in ("int8", "uint8", "int64", "uint16"):
                f[f"net/{dtype}"] = np.array([[1, 2, 100], [3, 4, 127]], dtype)
            f["net/bool"] = np.array([True, False])
            f["net/complex"] = np.array([1 + 2j])
            f["net/text"] = np.array([b"abc", b"de"])
            f["net/vlen_text"] = "a string"
            f["net/scalar"] = 2.5
            f["net/empty"] = np.zeros((0, 4), "float32")
            f["net/null"] = h5py.Empty("float32")
            f.create_dataset("net/never_written", (2, 3), "float32", fillvalue=1.5)
            f["net/same"] = f["net/conv.weight"]
            f["net/soft"] = h5py.SoftLink("/net/gzip")
            f["net/dangling"] = h5py.SoftLink("/nowhere")
            f["net/outside"] = h5py.ExternalLink("other.h5", "/secret")
            f["net/loop"] = f["/"]
            f["net/self"] = h5py.SoftLink("/net/self")
            for i in range(12):
                f[f"many/m{i:02}"] = np.float32([i])


if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    parts = {"keras3": keras3, "tf_keras": tf_keras, "by_hand": by_hand}
    if len(sys.argv) > 1:
        parts[sys.argv[1]]()
        sys.exit()
    # keras and tf_keras count their layers in one process as one.
    for part in parts:
        os.spawnv(os.P_WAIT, sys.executable, [sys.executable, __file__, part])
    # HDF5 spends kilobytes on a group: compressed, they are a tenth.
    for plain in [p for p in HERE.iterdir() if p.suffix in (".h5", ".keras")]:
        plain.with_name(plain.name + ".gz").write_bytes(gzip.compress(plain.read_bytes(), 9, mtime=0))
        plain.unlink()
