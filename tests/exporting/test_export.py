"""What all kinds of exports have in common, and the small `.keras` files."""

import zipfile

import keras
import numpy as np
import pytest
from PIL import Image
from tiny import smooth

from cyclegan_tf import (
    CycleGAN,
    InputError,
    export_keras,
    export_onnx,
    export_tflite,
    patchgan,
    resnet_generator,
)
from cyclegan_tf.exporting.export import export
from cyclegan_tf.runs.load import load
from cyclegan_tf.translation.translator import Translator

SHAPE = (24, 24, 3)


def _cyclegan():
    networks = [resnet_generator(base_filters=2, blocks=1, seed=seed) for seed in range(2)]
    judges = [patchgan(base_filters=2, strided_layers=1) for _ in range(2)]
    return CycleGAN(*networks, *judges, image_shape=SHAPE)


@pytest.fixture(scope="module")
def model():
    return _cyclegan()


def _translator(channels, output_channels=None):
    generator = resnet_generator(
        (None, None, channels), base_filters=2, blocks=1, output_channels=output_channels, seed=0
    )
    return Translator({"ab": generator}, (16, 16, channels))


def test_small_keras_files_translate_to_the_bit_as_the_run_does(model, tmp_path):
    written = export(model, tmp_path, kinds=("keras",))
    assert list(written) == [("keras", "ab"), ("keras", "ba")]
    assert {path.name for path in tmp_path.iterdir()} == {
        "README.md",
        "generator_ab.keras",
        "generator_ba.keras",
    }
    together = load(tmp_path)
    assert tuple(together.generators) == ("ab", "ba")
    for (_, direction), path in written.items():
        for image in (smooth(24, 24), smooth(31, 18)):
            np.testing.assert_array_equal(
                load(path).translate(image), model.translate(image, direction)
            )
        np.testing.assert_array_equal(
            together.translate(image, direction), model.translate(image, direction)
        )
        network = keras.saving.load_model(path)
        assert network.count_params() == model.generators[direction].count_params()


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_number_format_of_small_keras_files_is_that_asked_for(precision, tmp_path):
    """Whatever the run was trained in."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    trained = _cyclegan()
    keras.config.set_dtype_policy("float32" if precision == "float32" else "mixed_bfloat16")
    twin = _cyclegan()
    keras.config.set_dtype_policy("float32")
    path = export_keras(trained, tmp_path / "ba.keras", "ba", precision=precision)
    np.testing.assert_array_equal(load(path).translate(smooth()), twin.translate(smooth(), "ba"))


@pytest.mark.parametrize(("weights", "error", "share"), [("float16", 2**-11, 0.48),
                                                         ("rounded", 2**-6, 0.33)])  # fmt: skip
def test_weights_in_fewer_bits_are_the_nearest_ones_and_take_less(weights, error, share, tmp_path):
    model = Translator({"ab": resnet_generator(base_filters=16, blocks=1, seed=0)}, SHAPE)
    plain = export_keras(model, tmp_path / "plain.keras")
    stored = export_keras(model, tmp_path / "stored.keras", weights=weights)
    assert _bytes_of_weights(stored) < share * _bytes_of_weights(plain)
    for network in (load(stored).generators["ab"], keras.saving.load_model(stored)):
        found = network.get_weights()
        for before, after in zip(model.generators["ab"].get_weights(), found):
            assert after.dtype == np.float32
            np.testing.assert_allclose(after, before, rtol=error, atol=2**-25)
            np.testing.assert_array_equal(after, np.float32(np.float16(after)))
            if weights == "float16":
                np.testing.assert_array_equal(after, np.float32(np.float16(before)))


def _bytes_of_weights(path):
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo("model.weights.h5").compress_size


@pytest.mark.parametrize("value", [1e6, np.nan])
def test_weights_that_float16_cannot_hold_are_refused(value, tmp_path):
    model = _translator(3)
    weight = model.generators["ab"].weights[0]
    weight.assign(np.full(weight.shape, value, np.float32))
    with pytest.raises(InputError, match="a weight that float16 cannot hold"):
        export_keras(model, tmp_path / "x.keras", weights="float16")
    assert not list(tmp_path.iterdir())


def test_small_keras_files_replace_nothing(model, tmp_path):
    with pytest.raises(InputError, match=r"ends in \.keras"):
        export_keras(model, tmp_path / "generator.h5")
    (tmp_path / "generator_ba.keras").write_bytes(b"weeks of training")
    with pytest.raises(InputError, match=r"generator_ba\.keras is there already"):
        export(model, tmp_path, kinds=("keras", "saved_model"))
    assert [path.name for path in tmp_path.iterdir()] == ["generator_ba.keras"]


@pytest.mark.parametrize("argument", ["quantization", "quantisation"])
def test_arguments_of_a_kind_that_is_not_written_are_refused(argument, model, tmp_path):
    with pytest.raises(InputError, match=f"{argument} would be for the kind tflite"):
        export(model, tmp_path / "out", kinds=("saved_model",), **{argument: "int8"})
    with pytest.raises(TypeError, match="quantisation"):
        export(model, tmp_path / "out", quantisation="int8")
    assert not (tmp_path / "out").exists()


def test_a_number_is_the_size_of_a_square(model, tmp_path):
    written = [
        export_tflite(model, tmp_path / f"{number}.tflite", image_size=size, report=False)
        for number, size in enumerate((np.int64(16), [16, 16]))
    ]
    assert len({path.read_bytes() for path in written}) == 1
    for size in (7, (7, 7)):
        with pytest.raises(InputError, match=r"at least 8 pixels\. Received: 7 x 7"):
            export_tflite(model, tmp_path / "x.tflite", image_size=size)
    for size in (16.0, "16", (16,), (16, 16, 3), (16, None)):
        with pytest.raises(InputError, match=r"or \(height, width\)\. Received: "):
            export(model, tmp_path / "out", image_size=size)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(("taken", "given"), [(3, 5), (2, 1)])
def test_other_channels_are_exported_or_refused_in_a_sentence(taken, given, tmp_path):
    model = _translator(taken, given)
    written = export(model, tmp_path, ("ab",), kinds=("saved_model", "keras"))
    assert all(path.exists() for path in written.values())
    export_onnx(model, tmp_path / "a.onnx")
    export_tflite(model, tmp_path / "a.tflite", quantization="dynamic")
    if taken == 2:
        (tmp_path / "images").mkdir()
        Image.fromarray(smooth()).save(tmp_path / "images" / "image.png")
        with pytest.raises(InputError, match="channels"):
            export_tflite(model, tmp_path / "b.tflite", representative=tmp_path / "images")
