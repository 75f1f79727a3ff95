"""ONNX files, run by onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import pytest
from tiny import smooth

from cyclegan_tf import InputError, resnet_generator, unet_generator
from cyclegan_tf.exporting.onnx import export_onnx
from cyclegan_tf.translation.translator import Translator

# Of the converter, which NumPy 2.4 and newer warn of.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def _model(generator, shape):
    return Translator({"ab": generator}, shape)


def _run(path, images):
    session = onnxruntime.InferenceSession(str(path))
    (image,), (translated,) = session.get_inputs(), session.get_outputs()
    assert (image.name, translated.name) == ("image", "translated")
    return session.run(None, {"image": images})[0]


def _images(batch, height, width, channels=3):
    images = np.stack([smooth(height, width, seed=n)[..., :channels] for n in range(batch)])
    return images / np.float32(127.5) - 1


def test_any_size_and_batch_as_keras(tmp_path):
    model = _model(resnet_generator(base_filters=4, blocks=1, seed=0), (24, 24, 3))
    path = export_onnx(model, tmp_path / "generator_ab.onnx")
    for batch, height, width in ((1, 24, 24), (2, 30, 21), (1, 64, 127)):
        images = _images(batch, height, width)
        np.testing.assert_allclose(_run(path, images), model.translate(images), atol=1e-5)


def test_a_network_of_one_size(tmp_path):
    generator = unet_generator((32, 32, 1), halvings=3, base_filters=4, seed=0)
    model = _model(generator, (32, 32, 1))
    path = export_onnx(model, tmp_path / "unet.onnx")
    images = _images(2, 32, 32, channels=1)
    np.testing.assert_allclose(_run(path, images), model.translate(images), atol=1e-5)


def test_the_file_says_what_it_is(tmp_path):
    model = _model(resnet_generator(base_filters=4, blocks=1, seed=0), (24, 24, 3))
    content = onnx.load(export_onnx(model, tmp_path / "a.onnx"))
    facts = {prop.key: prop.value for prop in content.metadata_props}
    assert facts == {
        "direction": "ab",
        "range": "[-1, 1]",
        "layout": "NHWC",
        "image": "RGB",
        "translated": "RGB",
    }
    for value in (*content.graph.input, *content.graph.output):
        dims = value.type.tensor_type.shape.dim
        assert [dim.dim_param or dim.dim_value for dim in dims] == ["batch", "height", "width", 3]
    assert [p.name for p in tmp_path.iterdir()] == ["a.onnx"]


def test_a_direction_that_is_not_there(tmp_path):
    model = _model(resnet_generator(base_filters=4, blocks=1, seed=0), (24, 24, 3))
    with pytest.raises(InputError, match="in the direction ab only"):
        export_onnx(model, tmp_path / "a.onnx", "ba")
    assert not list(tmp_path.iterdir())
