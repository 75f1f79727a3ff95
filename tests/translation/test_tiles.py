"""Tiles: equal to the whole image where they must be, and to a second computation elsewhere."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import Translator
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import run_graph
from cyclegan_tf.networks import coupled, coupled_2018
from cyclegan_tf.networks.generators import (
    resnet_generator,
    size_multiple,
    translate_any_size,
    unet_generator,
)
from cyclegan_tf.networks.layer_factory import network_input
from cyclegan_tf.networks.layers import InstanceNormalization
from cyclegan_tf.translation import layer_by_layer
from cyclegan_tf.translation.phases import Phases, halo
from cyclegan_tf.translation.tiles import TiledTranslation

RESNET = functools.partial(resnet_generator, base_filters=4, initialization="xavier", seed=1)


def unit(networks, blocks):
    """UNIT's translator: the encoder of one domain, and the decoder of the other."""
    inputs = network_input((None, None, 3))
    encoded = networks.encoder(base_filters=4, blocks=blocks, seed=1)(inputs)
    decoded = networks.decoder(base_filters=4, blocks=blocks, seed=2)(encoded)
    model = keras.Model(inputs, decoded, name="unit")
    if networks is coupled:  # whose initial weights make hardly an image
        model.set_weights([3 * weights for weights in model.get_weights()])
    return model


GENERATORS = {
    "ResNet 6": lambda: RESNET(blocks=6),
    "ResNet 9": lambda: RESNET(blocks=9, affine=True),
    "CUT": lambda: RESNET(blocks=9, downsampling="blur", upsampling="blur"),
    "as in Keras's example": lambda: RESNET(blocks=2, padding="same", upsampling="nearest"),
    "UNIT": lambda: unit(coupled, 3),
    "UNIT, 2018": lambda: unit(coupled_2018, 4),
}


@pytest.fixture(params=["float32", "float64"])
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


def image_of(height, width, dtype="float64"):
    rng = np.random.default_rng(0)
    values = rng.uniform(-0.5, 0.5, (height, width, 3))
    values[: height // 2] += 0.5  # so that one half differs from the other
    return values.astype(dtype)


def translated(generator, pixels, folder, tile, **options):
    """The result by tiles, and the parts that were written."""
    result, parts = np.full(pixels.shape[:2] + generator.output_shape[-1:], np.nan), []
    translation = TiledTranslation(generator, pixels.shape[:2], folder, tile=tile, **options)

    def read(part):
        return pixels[slice(*part[0]), slice(*part[1])]

    def write(part, values):
        parts.append(part)
        result[slice(*part[0]), slice(*part[1])] = values

    translation.run(read, write)
    return result, parts


def whole(generator, image):
    multiple = size_multiple(generator)
    return translate_any_size(generator, tf.constant(image[np.newaxis]), multiple)[0].numpy()


def check_equal(name, policy, lengths, tiles, folder):
    generator = GENERATORS[name]()
    image = image_of(*lengths, policy)
    expected = whole(generator, image)
    assert expected.dtype == policy
    assert np.ptp(expected) > 0.05
    tolerance = 2e-4 if policy == "float32" else 1e-9
    for tile in tiles:
        found, parts = translated(generator, image, folder / str(tile), tile)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
        assert len(parts) == -(-lengths[0] // tile) * -(-lengths[1] // tile)


@pytest.mark.twin
@pytest.mark.parametrize("name", GENERATORS)
def test_global_statistics_make_the_image_of_the_whole(name, policy, tmp_path):
    check_equal(name, policy, (93, 141), [64], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", GENERATORS)
def test_global_statistics_with_tiles_of_all_sizes(name, policy, tmp_path):
    check_equal(name, policy, (157, 530), [128, 256, 300, 512], tmp_path)


def interpolated(values, lengths):
    """Values of windows `(rows, columns, channels)` at each pixel, one axis after the other."""
    for axis, length in enumerate(lengths):
        count = values.shape[axis]
        centers = (np.arange(count) + 0.5) * length / count
        values = np.apply_along_axis(
            lambda known, at=centers, n=length: np.interp(np.arange(n) + 0.5, at, known),
            axis,
            values,
        )
    return values


def with_local_statistics(generator, image, windows):
    """A second computation: each layer on the whole image, statistics by NumPy."""

    def normalize(layer, x):
        x, lengths = x.numpy()[0], x.shape[1:3]
        pieces = [
            np.split(each, [n * each.shape[1] // windows[1] for n in range(1, windows[1])], 1)
            for each in np.split(x, [n * lengths[0] // windows[0] for n in range(1, windows[0])])
        ]
        mean = np.array([[piece.mean((0, 1)) for piece in row] for row in pieces])
        deviation = np.array([[piece.std((0, 1)) for piece in row] for row in pieces])
        mean, deviation = (interpolated(each, lengths) for each in (mean, deviation))
        return tf.constant(((x - mean) / np.sqrt(deviation**2 + layer.epsilon))[np.newaxis])

    def replaced(layer):
        if isinstance(layer, InstanceNormalization):
            return lambda x: normalize(layer, x)
        return layer

    return run_graph(generator, tf.constant(image[np.newaxis]), replaced)[0].numpy()


@pytest.mark.parametrize("policy", ["float64"], indirect=True)
def test_local_statistics_are_those_of_windows_interpolated(policy, tmp_path):
    generator, image = RESNET(blocks=2), image_of(96, 160)
    found, _ = translated(generator, image, tmp_path, 48, statistics="local", window=(32, 40))
    np.testing.assert_allclose(
        found, with_local_statistics(generator, image, (3, 4)), rtol=0, atol=1e-9
    )
    assert np.abs(found - whole(generator, image)).max() > 0.01


def test_statistics_of_tiles_are_those_of_a_tile_and_its_surroundings(tmp_path):
    generator, image = RESNET(blocks=1), image_of(120, 160, "float32")
    found, _ = translated(generator, image, tmp_path, 80, statistics="tile")
    margin = halo(generator)
    expected = whole(generator, image[: 80 + margin, 80 - margin :])[:80, margin:]
    np.testing.assert_allclose(found[:80, 80:], expected, rtol=0, atol=1e-5)


def test_the_halo_is_how_far_a_pixel_reaches(policy):
    """Of a network without normalization, whose derivative tells it."""
    generator = RESNET(blocks=2)
    inputs = tf.Variable(image_of(128, 128, policy)[np.newaxis])

    def replaced(layer):
        return tf.identity if isinstance(layer, InstanceNormalization) else layer

    reached = 0
    for place in range(60, 64):
        with tf.GradientTape() as tape:
            outputs = run_graph(generator, inputs, replaced)[0, place, 64]
        rows = np.flatnonzero(np.any(tape.gradient(outputs, inputs)[0] != 0, (1, 2)))
        reached = max(reached, place - rows.min(), rows.max() - place)
    assert 0 <= halo(generator) - reached <= 4  # some layers are given more than they need


def test_a_model_translates_by_tiles(tmp_path):
    model = Translator({"ab": RESNET(blocks=1)}, (64, 64, 3))
    pixels = np.uint8((image_of(70, 90) + 1) * 127)
    by_tiles = model.translate([pixels, pixels[:50]], tile=32)
    assert by_tiles[0].dtype == np.uint8
    for found, image in zip(by_tiles, (pixels, pixels[:50])):
        np.testing.assert_allclose(found, np.int16(model.translate(image)), rtol=0, atol=1)
    floats = model.translate(image_of(40, 40, "float32")[np.newaxis], tile=32)
    assert floats.shape == (1, 40, 40, 3)
    # One window of the size of the images of the training is the image itself.
    np.testing.assert_array_equal(model.translate(pixels, tile=32, statistics="local"), by_tiles[0])


class Stopped(Exception):
    pass


@pytest.mark.parametrize("after", [3, 14, 25])
def test_a_translation_resumes_where_it_stopped(after, tmp_path, monkeypatch):
    monkeypatch.setattr(layer_by_layer, "_SECONDS_BETWEEN_SAVES", 0)
    generator, image = RESNET(blocks=1), image_of(70, 90, "float32")
    lengths, result, written = image.shape[:2], np.full(image.shape, np.nan), []

    def read(part):
        return image[slice(*part[0]), slice(*part[1])]

    def write(part, values):
        written.append(part)
        result[slice(*part[0]), slice(*part[1])] = values

    told = []

    def stop(fraction):
        told.append(fraction)
        if len(told) == after:
            raise Stopped

    with pytest.raises(Stopped):
        TiledTranslation(generator, lengths, tmp_path / "1", tile=32).run(read, write, stop)
    there = told[-1]
    # A process that is killed while it saves leaves the state before too.
    (newest,) = (tmp_path / "1").glob("state.*")
    assert newest.name != "state.0.npz"
    (tmp_path / "1" / "state.0.npz").write_text("an older one")
    TiledTranslation(generator, lengths, tmp_path / "1", tile=32).run(read, write, told.append)
    assert told[after] <= there + 2 / len(told)
    assert told[-1] == 1
    expected, parts = translated(generator, image, tmp_path / "2", 32)
    np.testing.assert_array_equal(result, expected)
    # Nothing is missing, and at most the last part was written again.
    assert set(written) == set(parts)
    assert len(written) <= len(parts) + 1


def test_another_image_is_not_resumed(tmp_path, monkeypatch):
    monkeypatch.setattr(layer_by_layer, "_SECONDS_BETWEEN_SAVES", 0)
    generator, image = RESNET(blocks=1), image_of(70, 90, "float32")

    def stop(fraction):
        if fraction > 0.5:
            raise Stopped

    first = TiledTranslation(generator, image.shape[:2], tmp_path, tile=32, image="first")
    with pytest.raises(Stopped):
        first.run(lambda part: 0 * image[slice(*part[0]), slice(*part[1])], lambda *_: None, stop)
    found, _ = translated(generator, image, tmp_path, 32, image="second")
    np.testing.assert_allclose(found, whole(generator, image), rtol=0, atol=2e-4)


def test_tiles_of_one_color_stay_as_they_are(tmp_path):
    generator = RESNET(blocks=1)
    tissue = image_of(64, 64, "float32")
    slide = np.full((64, 320, 3), 0.9, np.float32)
    slide[:, :64] = tissue
    found, _ = translated(generator, slide, tmp_path / "1", 64, skip_uniform=True)
    np.testing.assert_array_equal(found[:, 64:], slide[:, 64:])
    # Far from the glass the tissue is nearly what it is without any: statistics differ at its end.
    inside = 64 - halo(generator)
    alone = whole(generator, tissue)[:, :inside]
    with_glass, _ = translated(generator, slide, tmp_path / "2", 64)
    near, far = (np.abs(each[:, :inside] - alone).max() for each in (found, with_glass))
    assert near < 0.2 * far
    np.testing.assert_array_equal(
        translated(generator, slide[:, 64:], tmp_path / "3", 64, skip_uniform=True)[0],
        slide[:, 64:],
    )


def test_few_values_are_kept_in_between():
    """Of the paper's generator: 256 channels at a quarter of the size, two old and two new."""
    plan = Phases(resnet_generator(blocks=2), (128, 128))
    assert plan.most_kept() == 4 * 256 / 16


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 16}, "tile must be an integer from 32 on. Received: 16"),
        ({"tile": 64.0}, "tile must be an integer from 32 on. Received: 64.0"),
        ({"statistics": "mine"}, "statistics must be one of global, local, tile"),
        ({"statistics": "local"}, "give window, in pixels"),
        ({"statistics": "local", "window": 8}, "window must be at least 32 pixels"),
        ({"statistics": "tile", "tile": 32}, "A tile of 32 pixels is smaller than the "),
    ],
)
def test_arguments_out_of_range(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        TiledTranslation(RESNET(blocks=3), (90, 90), tmp_path, **options)


def test_networks_that_see_more_than_a_part(tmp_path):
    with pytest.raises(InputError, match=r"'my_unet' cannot be computed by tiles.*Conv2DTr"):
        TiledTranslation(unet_generator(base_filters=4, name="my_unet"), (256, 256), tmp_path)
    to_gray = RESNET((None, None, 3), 1, blocks=1)
    with pytest.raises(InputError, match="Received: 3 in, 1 out"):
        TiledTranslation(to_gray, (90, 90), tmp_path, skip_uniform=True)


def test_a_disk_with_too_little_room(tmp_path):
    with pytest.raises(InputError, match=r"needs [\d.]+ GB for an image of 9000000 x 9000000 pix"):
        layer_by_layer.LayerByLayer(RESNET(blocks=1), (9_000_000,) * 2, tmp_path, tile=2**20)
