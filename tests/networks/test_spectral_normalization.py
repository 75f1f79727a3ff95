"""Convolutions divided by their spectral norm, against NumPy's and PyTorch's."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from two_replicas import two_replicas

from cyclegan_tf import patchgan
from cyclegan_tf.networks.spectral_normalization import SpectralConv2D


def _norm(kernel):
    """The largest singular value of `(rows, columns, channels, filters)`."""
    return np.linalg.svd(np.reshape(kernel, (-1, kernel.shape[-1])), compute_uv=False)[0]


def test_its_norm_is_1_after_some_steps():
    layer = SpectralConv2D(8, 3, use_bias=False)
    images = tf.random.stateless_normal((1, 5, 5, 4), (1, 2))
    for _ in range(200):
        layer(images, training=True)
    expected = tf.nn.conv2d(images, layer.kernel / _norm(layer.kernel), 1, "VALID")
    np.testing.assert_allclose(layer(images), expected, atol=1e-5)
    np.testing.assert_allclose(layer(images), layer(images))


def test_values_gradients_and_vectors_are_pytorchs():
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        theirs = torch.nn.Conv2d(3, 6, 4, stride=2, dtype=torch.float64)
        theirs = torch.nn.utils.parametrizations.spectral_norm(theirs)
        images = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    ours = SpectralConv2D(6, 4, 2, dtype="float64")
    ours.build((None, 9, 9, 3))
    original = theirs.parametrizations.weight.original
    ours.set_weights(
        [
            original.detach().numpy().transpose(2, 3, 1, 0),
            theirs.bias.detach().numpy(),
            # In the order of its rows: theirs is (channels, rows, columns).
            theirs.parametrizations.weight[0]
            ._v.numpy()
            .reshape(3, 4, 4)
            .transpose(1, 2, 0)
            .ravel(),
        ]
    )
    for _ in range(3):
        original.grad = None
        expected = theirs(images)
        expected.square().mean().backward()
        with tf.GradientTape() as tape:
            outputs = ours(images.numpy().transpose(0, 2, 3, 1), training=True)
            loss = tf.reduce_mean(tf.square(outputs))
        gradient = tape.gradient(loss, ours.kernel.value)
        np.testing.assert_allclose(
            outputs, expected.detach().numpy().transpose(0, 2, 3, 1), rtol=1e-9
        )
        np.testing.assert_allclose(
            gradient, original.grad.numpy().transpose(2, 3, 1, 0), rtol=1e-8, atol=1e-12
        )


def test_replicas_keep_one_vector_and_a_file_brings_it_back(tmp_path):
    strategy = two_replicas()
    with strategy.scope():
        network = patchgan(
            (16, 16, 3), base_filters=4, strided_layers=1, spectral_normalization=True, seed=0
        )
    layer = next(each for each in network.layers if isinstance(each, SpectralConv2D))
    before = layer._right.numpy()

    @tf.function
    def step():
        strategy.run(lambda: network(tf.ones((1, 16, 16, 3)), training=True))

    step()
    copies = [each.numpy() for each in layer._right.value.values]
    np.testing.assert_array_equal(*copies)
    assert np.any(copies[0] != before)
    network.save(tmp_path / "patchgan.keras")
    loaded = keras.saving.load_model(tmp_path / "patchgan.keras")
    again = next(each for each in loaded.layers if isinstance(each, SpectralConv2D))
    np.testing.assert_array_equal(again._right, copies[0])


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_divides_by_the_norm_of_what_it_multiplies_by(policy):
    layer = SpectralConv2D(8, 3, dtype=policy)
    images = tf.ones((1, 5, 5, 4))
    exact = SpectralConv2D(8, 3)
    exact.build(images.shape)
    layer.build(images.shape)
    exact.set_weights(layer.get_weights())
    assert layer._right.dtype == "float32"
    np.testing.assert_allclose(
        tf.cast(layer(images, training=True), tf.float32), exact(images, training=True), atol=0.03
    )
