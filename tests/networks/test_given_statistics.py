"""Normalization by given statistics, beside the layers themselves and numbers by hand."""

import keras
import numpy as np
import pytest

from cyclegan_tf.networks.given_statistics import normalized, statistics_of
from cyclegan_tf.networks.layer_normalization import ImageLayerNormalization
from cyclegan_tf.networks.layers import InstanceNormalization

VALUES = np.random.default_rng(0).normal(1, 2, (2, 5, 7, 3))


@pytest.mark.parametrize(
    "layer",
    [
        InstanceNormalization(dtype="float64"),
        InstanceNormalization(epsilon=(1e-5, 1e-3, 0.1), dtype="float64"),
        InstanceNormalization(affine=True, gamma_initializer="random_normal", dtype="float64"),
        ImageLayerNormalization(epsilon=0.1, dtype="float64"),
    ],
    ids=["instance", "epsilons", "affine", "layer"],
)
def test_own_statistics_give_what_the_layer_gives(layer):
    expected = layer(VALUES)
    mean, variance = statistics_of(layer, VALUES)
    outputs = normalized(layer, VALUES, mean, variance)
    assert outputs.dtype == "float64"
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)


def test_statistics_are_those_that_numpy_computes():
    mean, variance = statistics_of(InstanceNormalization(dtype="float64"), VALUES)
    np.testing.assert_allclose(mean, VALUES.mean((1, 2), keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(variance, VALUES.var((1, 2), keepdims=True), rtol=1e-12)
    mean, variance = statistics_of(ImageLayerNormalization(dtype="float64"), VALUES)
    np.testing.assert_allclose(mean, VALUES.mean((1, 2, 3), keepdims=True), rtol=1e-12)
    np.testing.assert_allclose(variance, VALUES.var((1, 2, 3), ddof=1, keepdims=True), rtol=1e-12)


def test_statistics_may_change_from_place_to_place():
    layer = InstanceNormalization(epsilon=1.0)
    layer.build((1, 1, 2, 1))
    x, mean, variance = (
        np.reshape(values, (1, 1, 2, 1)).astype("float32") for values in ([5, 5], [1, 3], [3, 0])
    )
    np.testing.assert_allclose(np.ravel(normalized(layer, x, mean, variance)), [2, 2], rtol=1e-6)


def test_half_precision_keeps_its_statistics_in_float32():
    layer = InstanceNormalization(dtype="mixed_bfloat16")
    layer.build(VALUES.shape)
    x = keras.ops.cast(VALUES, "bfloat16")
    mean, variance = statistics_of(layer, x)
    assert mean.dtype == variance.dtype == "float32"
    assert normalized(layer, x, mean, variance).dtype == "bfloat16"


def test_other_layers_are_refused():
    with pytest.raises(ValueError, match="Received: BatchNormalization"):
        statistics_of(keras.layers.BatchNormalization(), VALUES)
