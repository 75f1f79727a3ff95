"""The .tflite files: what Keras gives, in fewer bits; their facts; their reports."""

import json
import pathlib
import runpy
import shutil
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny import smooth

from cyclegan_tf import (
    InputError,
    InstanceNormalization,
    Translator,
    data,
    export_saved_model,
    export_tflite,
    resnet_generator,
    unet_generator,
)
from cyclegan_tf.exporting.tflite import metadata
from cyclegan_tf.exporting.tflite.conversion import INPUT, converted
from cyclegan_tf.exporting.tflite.equalization import equalized, normalized_convolutions
from cyclegan_tf.exporting.tflite.gptq import input_covariances, rounded
from cyclegan_tf.exporting.tflite.quantization import _RECIPES, Material
from cyclegan_tf.exporting.tflite.quantizer import measured_ranges
from cyclegan_tf.exporting.tflite.report import agreement
from cyclegan_tf.exporting.tflite.representative import TEST, representative_images
from cyclegan_tf.metrics import psnr
from cyclegan_tf.runs.options import resolve

SIZE = 24
EXPORT = pathlib.Path(__file__).parents[2] / "export"


def _like_trained(network, seed=0):
    """Channels that differ in their scale, but for the last layer's, which would saturate."""
    random = np.random.default_rng(seed)
    network.set_weights(
        [
            weight * random.uniform(2, 20, weight.shape[-1]) if weight.shape[-1] > 3 else weight
            for weight in network.get_weights()
        ]
    )
    return network


@pytest.fixture(scope="module")
def model():
    generator = _like_trained(resnet_generator(base_filters=8, blocks=1, seed=0))
    return Translator({"ab": generator}, (SIZE, SIZE, 3))


@pytest.fixture(scope="module")
def images():
    return np.stack([smooth(SIZE, SIZE, seed=n) for n in range(6)])


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    """In float32, without a report."""
    return export_tflite(model, tmp_path_factory.mktemp("exported") / "x.tflite", report=False)


def _floats(images):
    return np.float32(images / 127.5 - 1)


def _interpreter(path, **settings):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path), num_threads=2, **settings)


def _run(path, images):
    runner = _interpreter(path).get_signature_runner("serving_default")
    return np.concatenate([runner(image=image[None])["translated"] for image in _floats(images)])


def _report(path):
    return json.loads(path.with_suffix(".report.json").read_text(encoding="utf-8"))


LEAST = {"none": 100, "float16": 55, "dynamic": 35, "int8": 30, "auto": 30}
# In what the weights of convolutions are stored.
STORED = {"none": np.float32, "float16": np.float16, "dynamic": np.int8, "int8": np.int8}


@pytest.mark.parametrize("quantization", [*STORED, pytest.param("auto", marks=pytest.mark.slow)])
def test_every_quantization_is_close_to_keras_and_reports_what_it_is(
    model, images, quantization, tmp_path
):
    path = export_tflite(
        model, tmp_path / "x.tflite", quantization=quantization, representative=images
    )
    outputs, expected = _run(path, images), model.translate(_floats(images))
    decibels = psnr(outputs, expected, data_range=2)
    assert decibels.min() > LEAST[quantization]

    report = _report(path)
    assert report["size_bytes"] == path.stat().st_size
    tested = decibels[4]  # of five images, the last
    assert report["psnr_to_keras"]["worst_db"] == pytest.approx(tested, abs=2)
    assert report["builtin_operators_only"]
    assert report["quantization"] == metadata.read(path)["quantization"] == quantization
    assert report["recipe"] == metadata.read(path)["recipe"]["name"]
    for threads in ("1_threads", "2_threads"):
        assert report["latency"][threads]["to_float32"] > 0
    if quantization in ("none", "float16"):
        assert report["gpu_delegate"] == {"compatible": True, "why_not": []}
    if quantization in STORED:
        kernels = [
            each
            for each in _interpreter(path).get_tensor_details()
            if len(each["shape"]) == 4 and each["shape"][1] == each["shape"][2] == 7
        ]
        assert STORED[quantization] in {each["dtype"] for each in kernels}
    with Image.open(path.with_suffix(".report.png")) as sheet:
        sheet.load()
    assert {p.name for p in tmp_path.iterdir()} == {"x.tflite", "x.report.json", "x.report.png"}


def _dotted(count):
    """Flat images with one bright dot, which normalization makes far larger than the rest."""
    images = np.random.default_rng(0).integers(100, 104, (count, SIZE, SIZE, 3), np.uint8)
    images[:, 7, 11] = 255
    return images


@pytest.mark.parametrize("flat", [False, True])
def test_dynamic_leaves_the_last_convolution_where_eight_bits_show(flat, images, tmp_path):
    """And only there, because that takes longer."""
    network = resnet_generator(base_filters=16, blocks=1, seed=0)
    last = [layer for layer in network.layers if layer.weights][-1]
    last.set_weights([weight * (3 if flat else 0.3) for weight in last.get_weights()])
    model = Translator({"ab": network}, (SIZE, SIZE, 3))
    given = _dotted(6) if flat else images
    path = export_tflite(model, tmp_path / "x.tflite", quantization="dynamic", representative=given)
    report = _report(path)
    assert len(report["tried"]) == (2 if flat else 1)
    formats = {
        tuple(each["shape"]): each["dtype"]
        for each in _interpreter(path).get_tensor_details()
        if len(each["shape"]) == 4 and each["shape"][1] == each["shape"][2] == 7
    }
    assert formats[16, 7, 7, 3] == np.int8
    assert formats[3, 7, 7, 16] == (np.float32 if flat else np.int8)
    all_int8, *but_the_last = [each["worst_db"] for each in report["tried"]]
    assert all_int8 < min([45, *but_the_last]) if flat else all_int8 >= 45


@pytest.mark.parametrize("end", ["linear", "relu", "product"])
def test_the_last_convolutions_are_those_before_the_output(end, images, tmp_path):
    """Whatever they are called in the file, and none of a network within the network."""
    inputs = keras.Input((SIZE, SIZE, 3))
    x = keras.layers.Conv2D(8, 5, padding="same", activation="relu")(inputs)
    outputs = keras.layers.Conv2D(3, 7, padding="same", activation=end if end == "relu" else None)
    x = outputs(x) if end != "product" else _product(outputs(x), x)
    model = Translator({"ab": keras.Model(inputs, x)}, (SIZE, SIZE, 3))
    network = model.generators["ab"]
    (recipe,) = [each for each in _RECIPES["dynamic"] if each.name.endswith("in float32")]
    (tmp_path / "x.tflite").write_bytes(recipe.make(Material(network, (SIZE, SIZE))))
    formats = {
        each["shape"][1]: each["dtype"]
        for each in _interpreter(tmp_path / "x.tflite").get_tensor_details()
        if len(each["shape"]) == 4 and each["shape"][1] == each["shape"][2] < SIZE
    }
    assert formats.pop(5) == np.int8
    assert set(formats) == ({7, 9} if end == "product" else {7})
    assert set(formats.values()) == {np.float32}
    whole = keras.Input((SIZE, SIZE, 3))
    nested = Material(keras.Model(whole, network(whole)), (SIZE, SIZE))
    assert recipe.make(nested) == _RECIPES["dynamic"][0].make(nested)


def _product(image, x):
    attention = keras.layers.Conv2D(3, 9, padding="same", activation="sigmoid")(x)
    return keras.layers.Multiply()([image, attention])


def test_ranges_are_those_of_all_images(model):
    """The quantizer's own are a moving average: nearly those of the first image."""
    images = np.stack([np.full((SIZE, SIZE, 3), value, np.float32) for value in (-0.1, 0.9, -0.7)])
    found = measured_ranges(converted(model.generators["ab"], (SIZE, SIZE)), images)
    for ranges, expected in (
        (found.widest, (-0.7, 0.9)),
        (found.usual, np.mean([(-0.1, -0.1), (0.9, 0.9), (-0.7, -0.7)], axis=0)),
    ):
        (of_input,) = (each for name, each in ranges.items() if INPUT in name.split(":")[0])
        assert (of_input["min"].item(), of_input["max"].item()) == pytest.approx(expected)


def test_the_facts_can_be_read_by_another_program(model, exported, images, tmp_path):
    path = exported
    subprocess.run([sys.executable, "-m", "zipfile", "-e", path, tmp_path / "facts"], check=True)
    facts = json.loads((tmp_path / "facts" / "cyclegan_tf.json").read_text())
    signature = _interpreter(path).get_signature_runner(facts["signature"])
    for end, details in (
        ("input", signature.get_input_details()),
        ("output", signature.get_output_details()),
    ):
        assert list(details) == [facts[end]["name"]]
        (detail,) = details.values()
        assert detail["shape"].tolist() == facts[end]["shape"] == [1, SIZE, SIZE, 3]
        assert detail["dtype"] == np.dtype(facts[end]["dtype"])
    # As the facts say it, an image becomes values and values an image.
    pixel, value = images[:1], None
    value = eval(facts["pixel_to_value"], {"pixel": pixel.astype(np.float32)})
    (translated,) = signature(image=value).values()
    np.testing.assert_allclose((translated + 1) * 127.5, model.translate(pixel), atol=0.51)
    assert facts["direction"] == "ab"
    assert facts["training"] is None
    assert zipfile.ZipFile(path).namelist() == [metadata.NAME]


@pytest.mark.parametrize("source", ["scenes", "folders"])
def test_no_folder_of_the_run_and_no_old_report_stays(source, model, tmp_path):
    folders = {"source": str(tmp_path / "clients" / "a"), "domain_b": str(tmp_path / "b")}
    options = resolve(**folders) if source == "folders" else resolve(source)
    (tmp_path / "options.json").write_text(options.as_json())
    for name in ("x.report.json", "x.report.png"):
        (tmp_path / name).write_text("of another file")
    path = export_tflite(model, tmp_path / "x.tflite", run=tmp_path, report=False)
    assert {p.name for p in tmp_path.iterdir()} == {"options.json", "x.tflite"}
    expected = {"system": "cyclegan", **options.values()}
    del expected["domain_b"]
    if source == "folders":
        del expected["source"]
    assert metadata.read(path)["training"] == expected
    if source == "folders":  # that are gone, and a page that is published
        settings = {"run": tmp_path, "with_options": False, "report": False}
        export_tflite(model, path, quantization="dynamic", **settings)
        assert metadata.read(path)["training"] is None


@pytest.mark.parametrize("channels", [(1, 3), (3, 1)])
def test_other_channels_out_than_in(channels, tmp_path):
    """In the facts, and in what the scripts beside the READMEs write."""
    network = resnet_generator((None, None, channels[0]), channels[1], base_filters=2, blocks=1)
    model = Translator({"ab": _like_trained(network)}, (SIZE, SIZE, channels[0]))
    path = export_tflite(model, tmp_path / "x.tflite", report=False)
    names = {1: "grey", 3: "RGB"}
    facts = metadata.read(path)
    assert [facts["channels"], facts["output_channels"]] == [names[each] for each in channels]

    image = smooth(SIZE, SIZE)[..., : channels[0]]
    Image.fromarray(image.squeeze()).save(tmp_path / "in.png")
    expected = model.translate(image).astype(int)
    folder = export_saved_model(model, tmp_path / "saved")
    for place, file in (("mobile", path), ("serving", folder)):
        script = runpy.run_path(str(EXPORT / place / "translate.py"))
        script["main"](str(file), tmp_path / "in.png", tmp_path / "out.png")
        translated = data.image_files.read(tmp_path / "out.png", channels[1])
        with Image.open(tmp_path / "out.png") as file:
            assert file.mode == {1: "L", 3: "RGB"}[channels[1]]
        np.testing.assert_allclose(translated, expected, atol=1)


def test_the_same_model_makes_the_same_file(model, exported, tmp_path):
    again = export_tflite(model, tmp_path / "x.tflite", report=False)
    assert again.read_bytes() == exported.read_bytes()


@pytest.mark.parametrize("quantization", ["none", "dynamic"])
def test_any_size_on_wish(quantization, model, tmp_path):
    """Also by the script beside the READMEs, which keeps the image's size as far as it can."""
    path = export_tflite(
        model,
        tmp_path / "x.tflite",
        quantization=quantization,
        any_size=True,
        representative="scenes",
    )
    assert metadata.read(path)["input"]["shape"] == [1, None, None, 3]
    assert _report(path)["image_size"] == [SIZE, SIZE]
    image = smooth(32, 40)
    interpreter = _interpreter(path)
    interpreter.resize_tensor_input(interpreter.get_input_details()[0]["index"], (1, 32, 40, 3))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], _floats(image[None]))
    interpreter.invoke()
    output = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    expected = model.translate(_floats(image[None]))
    assert psnr(output, expected, data_range=2) > LEAST[quantization]

    Image.fromarray(smooth(33, 42)).save(tmp_path / "in.png")
    script = [sys.executable, EXPORT / "mobile" / "translate.py", path]
    subprocess.run([*script, tmp_path / "in.png", tmp_path / "out.png"], check=True)
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (40, 32)
    for arguments, told in (([], "translate.py MODEL INPUT"), (["no.png", "x.png"], "no.png")):
        failed = subprocess.run([*script, *arguments], capture_output=True, text=True)
        assert failed.returncode
        assert "Traceback" not in failed.stderr
        assert told in failed.stderr


def _largest_outputs(network, images):
    pairs = normalized_convolutions(network)
    probe = keras.Model(network.input, [conv.output for conv, _ in pairs])
    outputs = probe(_floats(images), training=False)
    return [np.abs(output).max(axis=(0, 1, 2)) for output in outputs]


@pytest.mark.parametrize("build", [resnet_generator, unet_generator])
def test_rescaled_networks_are_the_same_networks(build, images):
    settings = {"blocks": 1} if build is resnet_generator else {"halvings": 3}
    network = _like_trained(build(base_filters=4, affine=True, epsilon=1e-2, seed=0, **settings))
    expected = network.predict(_floats(images), verbose=0)
    for given in (None, _floats(images)):
        again = equalized(network, given)
        np.testing.assert_allclose(again.predict(_floats(images), verbose=0), expected, atol=2e-5)
        norms = [n for n in again.layers if isinstance(n, InstanceNormalization)]
        assert {np.ndim(n.epsilon) for n in norms} == {1}
    for largest in _largest_outputs(again, images):
        np.testing.assert_allclose(largest, 1, atol=1e-3)


def _convolution(**settings):
    return keras.layers.Conv2D(6, 3, padding="same", **settings)


def _with_shared(share):
    convolution, normalization = _convolution(), InstanceNormalization(epsilon=1e-2)
    inputs = keras.Input((SIZE, SIZE, 6))
    x = normalization(convolution(inputs))
    if share == "convolution":
        x = InstanceNormalization(epsilon=1e-2)(convolution(x))
    else:
        x = normalization(_convolution()(x))
    return keras.Model(inputs, x)


@pytest.mark.parametrize("kind", ["tanh", "convolution", "normalization"])
def test_what_cannot_be_rescaled_stays(kind, images):
    if kind == "tanh":
        inputs = keras.Input((SIZE, SIZE, 6))
        normalization = InstanceNormalization(epsilon=1e-2)
        network = keras.Model(inputs, normalization(_convolution(activation="tanh")(inputs)))
    else:
        network = _with_shared(kind)
    given = _floats(images).repeat(2, axis=-1)
    expected = _like_trained(network).predict(given, verbose=0)
    for calibration in (None, given):
        outputs = equalized(network, calibration).predict(given, verbose=0)
        np.testing.assert_allclose(outputs, expected, atol=1e-5)


def test_rounding_without_correlations_is_rounding():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 4, 5)).astype("float32")
    result = rounded(kernel, np.eye(36))
    for channel in range(5):
        grid = np.abs(result[..., channel]).max() / 7
        steps = result[..., channel] / grid
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-4)
        np.testing.assert_allclose(
            steps, np.clip(np.round(kernel[..., channel] / grid), -7, 7), atol=1e-4
        )


@pytest.mark.parametrize("side", [(20, 28), (64, 72)])
def test_covariances_are_those_of_patches(side):
    """Of all of them where the image is small, else of 1024, spread over it."""
    inputs = x = keras.Input((None, None, 3))
    layers = [
        keras.layers.Conv2D(4, 7, padding="valid"),
        keras.layers.Conv2D(4, 3, strides=2, padding="same"),
        keras.layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
        keras.layers.Conv2D(4, (2, 3), padding="same", dilation_rate=(2, 1)),
        keras.layers.Conv2D(4, 4, strides=(2, 3), padding="valid"),
        keras.layers.Conv2D(3, (4, 5), strides=(2, 3), padding="same"),
    ]
    for layer in layers:
        x = layer(x)
    network = keras.Model(inputs, x)
    convs = [each for each in layers if type(each) is keras.layers.Conv2D]
    images = _floats(np.stack([smooth(*side, seed=n) for n in range(8)]))
    probe = keras.Model(inputs, [conv.input for conv in convs])
    expected = [0] * len(convs)
    for image in images:
        for number, (conv, tensor) in enumerate(zip(convs, probe(image[None]))):
            patches = tf.image.extract_patches(
                tensor,
                (1, *conv.kernel_size, 1),
                (1, *conv.strides, 1),
                (1, *conv.dilation_rate, 1),
                conv.padding.upper(),
            ).numpy()
            patches = patches.reshape(-1, patches.shape[-1])
            last = len(patches) - 1
            patches = patches[np.linspace(0, last, min(1024, last + 1)).round().astype(int)]
            expected[number] += np.cov(patches, rowvar=False, bias=True) / len(images)
    for found, one in zip(input_covariances(network, convs, images), expected):
        np.testing.assert_allclose(found, one, atol=1e-5 * np.abs(one).max())


def test_rounded_weights_change_the_output_less_than_the_nearest_ones():
    network = _like_trained(resnet_generator(base_filters=4, blocks=1, seed=0))
    conv = [each for each in network.layers if isinstance(each, keras.layers.Conv2D)][3]
    _, photographs, _ = data.scene_pairs(12, 64)
    (covariance,) = input_covariances(network, [conv], _floats(photographs[:8]))
    (kernel,) = conv.get_weights()
    grid = np.abs(kernel).max(axis=(0, 1, 2)) / 7
    nearest = np.round(kernel / grid) * grid

    probe = keras.Model(network.input, conv.input)
    inputs = probe(_floats(photographs[8:]))

    def change(other):
        out = tf.nn.conv2d(inputs, other - kernel, conv.strides, conv.padding.upper()).numpy()
        return np.square(out - out.mean(axis=(1, 2), keepdims=True)).mean()

    assert change(rounded(kernel, covariance)) < 0.75 * change(nearest)


def test_means_are_taken_row_by_row(model, exported):
    """So that no sum in float16 runs over a whole image."""
    interpreter = _interpreter(exported)
    interpreter.allocate_tensors()
    means = [op for op in interpreter._get_ops_details() if op["op_name"] == "MEAN"]
    assert len(means) == 4 * sum(
        isinstance(each, InstanceNormalization) for each in model.generators["ab"].layers
    )
    for op in means:
        assert np.size(interpreter.get_tensor(op["inputs"][1])) == 1


def test_saturated_colors_overflow_no_sum_in_float16():
    """Squares of what the convolutions of a rescaled network give, added up row by row."""
    network = _like_trained(resnet_generator(base_filters=4, blocks=1, seed=0))
    colors = np.random.default_rng(0).choice([-1.0, 1.0], (1, 4, 4, 3)).astype("float32")
    image = colors.repeat(128, axis=1).repeat(128, axis=2)

    def largest_sums(network):
        convs = [conv.output for conv, _ in normalized_convolutions(network)]
        outputs = keras.Model(network.input, convs)(image, training=False)
        squares = [np.square(o - tf.reduce_mean(o, (1, 2), keepdims=True)) for o in outputs]
        whole = max(each.sum(axis=(1, 2)).max() for each in squares)
        return whole, max(each.sum(axis=2).max() for each in squares)

    whole, by_row = largest_sums(network)
    assert whole > 65504  # in one sum they would
    _, by_row = largest_sums(equalized(network))
    assert by_row < 65504 / 8


def test_an_overflow_counts_as_the_largest_error():
    expected = np.full((2, 2, 2, 3), 0.5, np.float32)
    outputs = expected.copy()
    outputs[1] = np.nan
    found = agreement(outputs, expected)
    assert found["largest_difference"] == 1.5
    assert found["worst_picture"] == 1
    assert found["worst_db"] == round(10 * np.log10(4 / 1.5**2), 2)


def test_what_cannot_be_exported_is_said(model, images, tmp_path):
    path = tmp_path / "x.tflite"
    with pytest.raises(InputError, match="'int4'"):
        export_tflite(model, path, quantization="int4")
    with pytest.raises(
        InputError, match=r"needs images .* \(none were given\); .* export a run's folder"
    ):
        export_tflite(model, path, quantization="int8")
    with pytest.raises(InputError, match="one size"):
        export_tflite(model, path, quantization="auto", representative=images, any_size=True)
    with pytest.raises(InputError, match=r"uint8 arrays \(height, width, 3\)"):
        export_tflite(model, path, quantization="int8", representative=images[..., :1])
    with pytest.raises(InputError, match="does not exist"):
        export_tflite(model, path, quantization="int8", representative=tmp_path / "none")
    fixed = unet_generator((16, 16, 3), base_filters=2, halvings=2)
    with pytest.raises(InputError, match="only images of 16 x 16"):
        export_tflite(Translator({"ab": fixed}, (16, 16, 3)), path, any_size=True)
    assert not list(tmp_path.iterdir())


def test_images_of_a_folder_and_of_a_run(model, images, tmp_path):
    for name in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            light = image // 2 + (128 if name.endswith("A") else 0)
            Image.fromarray(light).save(tmp_path / name / f"{number}.png")
    given = representative_images(tmp_path / "trainA", None, "ab", (8, 12), 3)
    assert given.calibration.shape == (5, 8, 12, 3)
    assert given.test.shape == (1, 8, 12, 3)
    of_run = representative_images(None, resolve(tmp_path), "ba", (8, 8), 3)
    assert of_run.calibration.shape == of_run.test.shape == (6, 8, 8, 3)
    assert of_run.calibration.max() < 0.02  # B is dark
    assert representative_images(None, resolve(tmp_path), "ab", (8, 8), 3).test.min() > -0.02
    gray = representative_images(None, None, "ab", (10, 10), 1)
    assert gray.test.shape[1:] == (10, 10, 1)
    assert gray.lacking == "none were given"
    assert gray.source == (
        "procedural street scenes instead of images of the model's own domain: none were given"
    )
    for name in ("trainA", "testA"):
        shutil.rmtree(tmp_path / name)
    gone = representative_images(None, resolve(tmp_path), "ab", (8, 8), 3)
    assert "trainA does not exist" in gone.lacking
    (tmp_path / "options.json").write_text(resolve(tmp_path).as_json())
    with pytest.raises(InputError, match=r"trainA does not exist.* representative=…\.$"):
        export_tflite(model, tmp_path / "x.tflite", quantization="int8", run=tmp_path)


def test_of_a_data_set_only_the_own_domain_is_read(images, tmp_path):
    for name in ("trainA", "testA"):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            Image.fromarray(image // 2 + 128).save(tmp_path / name / f"{number}.png")
    for name in ("trainB", "testB"):  # whoever reads these, fails
        (tmp_path / name).mkdir()
        (tmp_path / name / "broken.png").write_text("not an image")
    for given, options in ((tmp_path, None), (None, resolve(tmp_path))):
        found = representative_images(given, options, "ab", (8, 8), 3)
        assert found.lacking is None
        assert min(found.calibration.min(), found.test.min()) > -0.02
    with pytest.raises(InputError, match="can be read"):
        representative_images(tmp_path, None, "ba", (8, 8), 3)
    for name in ("trainB", "testB"):
        shutil.rmtree(tmp_path / name)
    with pytest.raises(InputError, match="holds trainA but no trainB"):
        representative_images(tmp_path, None, "ba", (8, 8), 3)


def test_for_a_report_alone_nothing_is_downloaded(monkeypatch):
    def download(*arguments, **settings):
        raise AssertionError("downloads")

    monkeypatch.setattr("cyclegan_tf.runs.sources.tfds_sources", download)
    options = resolve("tfds:cycle_gan/horse2zebra")
    found = representative_images(None, options, "ab", (16, 16), 3, needed=False)
    assert "of tfds:cycle_gan/horse2zebra are loaded only for the quantizations" in found.source
    with pytest.raises(AssertionError, match="downloads"):
        representative_images(None, options, "ab", (16, 16), 3, needed=True)


def test_scenes_are_those_of_the_data_set():
    given = representative_images("scenes", None, "ab", (32, 32), 3)
    label_maps, _, _ = data.scene_pairs(TEST, 32)
    np.testing.assert_allclose(given.test, _floats(label_maps), atol=1e-6)


def test_tiles_of_the_earth_are_made_no_larger_than_they_can_be():
    given = representative_images("earth", None, "ba", (32, 32), 3)
    _, maps, _ = data.earth_pairs(2 * TEST, 32)  # the maps follow the photographs
    np.testing.assert_allclose(given.test, _floats(maps[TEST:]), atol=1e-6)
    large = representative_images("earth", None, "ab", (512, 64), 3)
    assert large.test.shape == (TEST, 512, 64, 3)
    assert large.source == "tiles of the earth"


def test_the_readme_beside_the_mobile_script_names_every_fact(exported):
    readme = (EXPORT / "mobile" / "README.md").read_text()
    facts = metadata.read(exported)
    for name in facts.keys() - {"made_by"}:
        assert f"`{name}`" in readme
