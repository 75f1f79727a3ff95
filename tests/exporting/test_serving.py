"""The signatures of a SavedModel, as a server calls them."""

import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny import smooth

from cyclegan_tf import export_saved_model, resnet_generator
from cyclegan_tf.data import image_files
from cyclegan_tf.translation.translator import Translator


def _translator(channels=3):
    generator = resnet_generator((None, None, channels), base_filters=4, blocks=1, seed=0)
    return Translator({"ab": generator}, (24, 24, channels))


@pytest.fixture(scope="module")
def model():
    return _translator()


@pytest.fixture(scope="module")
def served(model, tmp_path_factory):
    path = export_saved_model(model, tmp_path_factory.mktemp("served"))
    return tf.saved_model.load(str(path))


def _encoded(image, kind, **settings):
    file = io.BytesIO()
    image.save(file, kind, **settings)
    return file.getvalue()


def _answers(served, files):
    answer = served.signatures["bytes"](image_bytes=tf.constant(files))["translated_bytes"]
    assert all(png.startswith(b"\x89PNG") for png in answer.numpy())
    return [np.asarray(Image.open(io.BytesIO(png))) for png in answer.numpy()]


def test_integers_are_translated_as_translate_does(model, served):
    images = np.stack([smooth(20, 26, seed=n) for n in range(3)])
    for batch in (images, images[:1]):
        given = served.signatures["uint8"](image=tf.constant(batch))["translated"]
        assert given.dtype == tf.uint8
        np.testing.assert_allclose(given.numpy().astype(int), model.translate(batch), atol=1)


def test_encoded_files_of_several_formats_and_sizes(model, served):
    colors = [Image.fromarray(smooth(height, width)) for height, width in ((24, 32), (9, 14))]
    transparent = Image.fromarray(np.dstack([smooth(17, 30), smooth(17, 30, seed=1)[..., 0]]))
    gray = Image.fromarray(smooth(30, 21)[..., 0])
    files = [
        _encoded(colors[0], "JPEG"),
        _encoded(colors[1], "BMP"),
        _encoded(transparent, "PNG"),
        _encoded(gray, "PNG"),
        _encoded(transparent.convert("LA"), "PNG"),
    ]
    for file, answer in zip(files, _answers(served, files), strict=True):
        pixels = image_files.read(file)
        assert answer.shape == pixels.shape
        # Two ways to round where alpha lies on white.
        difference = np.abs(answer.astype(int) - model.translate(pixels))
        assert difference.mean() < 0.5


def test_webp(model, served):
    if tuple(map(int, tf.__version__.split(".")[:2])) < (2, 21):
        pytest.skip("this TensorFlow does not read WebP")
    file = _encoded(Image.fromarray(smooth(24, 32)), "WEBP", lossless=True)
    (answer,) = _answers(served, [file])
    np.testing.assert_allclose(answer.astype(int), model.translate(smooth(24, 32)), atol=1)


@pytest.mark.parametrize("bad", [b"", b"no image", b"\x89PN"])
def test_bytes_that_are_no_image_are_named_by_their_number(served, bad):
    good = _encoded(Image.fromarray(smooth()), "PNG")
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"image_bytes number.*\[1\].*none of"):
        _answers(served, [good, bad])


def test_a_file_that_is_cut_short_is_refused(served):
    good = _encoded(Image.fromarray(smooth()), "PNG")
    with pytest.raises(tf.errors.InvalidArgumentError):
        _answers(served, [good[: len(good) // 2]])


@pytest.mark.parametrize(("channels", "mode"), [(1, "L"), (4, "RGBA")])
def test_networks_of_other_channels(channels, mode, tmp_path):
    model = _translator(channels)
    served = tf.saved_model.load(str(export_saved_model(model, tmp_path)))
    image = Image.fromarray(smooth()).convert(mode)
    (answer,) = _answers(served, [_encoded(image, "PNG")])
    pixels = image_files.read(_encoded(image, "PNG"), channels)
    expected = model.translate(pixels).reshape(answer.shape)
    np.testing.assert_allclose(answer.astype(int), expected, atol=1)


def test_two_channels_have_no_files(tmp_path):
    served = tf.saved_model.load(str(export_saved_model(_translator(2), tmp_path)))
    assert set(served.signatures) == {"serving_default", "uint8"}


def test_only_operators_of_tensorflow_itself(served):
    """A server has the core registry, and no Python."""
    from tensorflow.python.framework import op_def_registry

    used = set()
    for function in served.signatures.values():
        definition = function.graph.as_graph_def()
        used |= {node.op for node in definition.node}
        used |= {node.op for f in definition.library.function for node in f.node_def}
    unknown = {op for op in used if op_def_registry.get(op) is None}
    functions = {
        f.signature.name
        for function in served.signatures.values()
        for f in function.graph.as_graph_def().library.function
    }
    assert not unknown - functions
    assert not {op for op in used if "PyFunc" in op}
