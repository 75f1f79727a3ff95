"""A part of a layer's output, computed from a part of its input, is that part of the whole."""

import keras
import numpy as np
import pytest
from keras import layers

from cyclegan_tf.networks.layers import (
    Conv2D,
    LeakyReLU,
    ReflectionPadding2D,
    UpsamplingConvolution2D,
)
from cyclegan_tf.networks.parts import compute_part, is_local, needed_part, output_lengths
from cyclegan_tf.networks.resampling import BlurDownsampling2D, BlurUpsampling2D

LAYERS = {
    "convolution": lambda: layers.Conv2D(4, 3),
    "same": lambda: layers.Conv2D(4, 3, padding="same"),
    "strided, same": lambda: layers.Conv2D(4, 3, 2, padding="same", activation="relu"),
    "strided": lambda: layers.Conv2D(4, 4, 2),
    "not square": lambda: layers.Conv2D(4, (1, 5)),
    "to an image": lambda: Conv2D(3, 7),
    "zeros": lambda: layers.ZeroPadding2D(2),
    "zeros, one side": lambda: layers.ZeroPadding2D(((1, 0), (0, 2))),
    "reflection": lambda: ReflectionPadding2D(3),
    "transposed": lambda: UpsamplingConvolution2D(4),
    "nearest": lambda: layers.UpSampling2D(),
    "blur up": lambda: BlurUpsampling2D(),
    "blur down": lambda: BlurDownsampling2D(),
    "means": lambda: BlurDownsampling2D((1, 1, 1), "uncounted"),
    "four taps": lambda: BlurDownsampling2D((1, 3, 3, 1), "replicate"),
    "activation": lambda: LeakyReLU(0.2),
}


def span(rng, length):
    start = int(rng.integers(0, length))
    return start, int(rng.integers(start + 1, length + 1))


@pytest.mark.parametrize("name", LAYERS)
def test_a_part_is_that_of_the_whole(name):
    layer, rng = LAYERS[name](), np.random.default_rng(0)
    for _ in range(25):
        lengths = tuple(int(length) for length in rng.integers(9, 22, 2))
        x = np.float32(rng.normal(size=(1, *lengths, 3)))
        whole = layer(x).numpy()
        assert output_lengths(layer, lengths) == whole.shape[1:3]
        part = tuple(span(rng, length) for length in whole.shape[1:3])
        rows, columns = needed_part(layer, lengths, part)
        found = compute_part(layer, x[:, slice(*rows), slice(*columns)], lengths, part)
        expected = whole[:, slice(*part[0]), slice(*part[1])]
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-6)


def test_a_part_needs_no_more_than_its_surroundings():
    assert needed_part(layers.Conv2D(4, 3, 2), (100, 100), ((10, 12), (0, 1))) == ((20, 25), (0, 3))
    reflection = ReflectionPadding2D(3)
    assert needed_part(reflection, (100, 100), ((0, 2), (50, 60))) == ((0, 4), (47, 57))


@pytest.mark.parametrize(
    "layer",
    [
        layers.Conv2DTranspose(4, 4, 2, padding="same"),
        layers.GlobalAveragePooling2D(),
        layers.Conv2D(4, 3, dilation_rate=2),
        layers.UpSampling2D(3),
        layers.UpSampling2D(interpolation="bilinear"),
        keras.layers.Concatenate(),
    ],
)
def test_what_is_not_known_to_be_local_is_not(layer):
    assert not is_local(layer)
