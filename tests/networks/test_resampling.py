"""Blurs that halve and double images: impulses by hand, and other computations of the same."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf.networks.resampling import BlurDownsampling2D, BlurUpsampling2D

POLICIES = ["float64", "float32", "mixed_bfloat16"]


def _impulse(height, width, row, column):
    image = np.zeros((1, height, width, 1))
    image[0, row, column] = 1
    return image


def _of(layer, image):
    return tf.cast(layer(tf.cast(image, layer.compute_dtype)), tf.float64)[0, ..., 0]


@pytest.mark.parametrize("policy", POLICIES)
def test_an_impulse_blurred_down_is_the_kernel(policy):
    layer = BlurDownsampling2D(dtype=policy)
    # (1, 2, 1) / 4 at the rows 0, 2 and 4: a pixel of row 2 counts by a half in one of them,
    # one of row 3 by a quarter in two.
    even = _of(layer, _impulse(6, 6, 2, 2))
    np.testing.assert_array_equal(even, np.outer([0, 0.5, 0], [0, 0.5, 0]))
    odd = _of(layer, _impulse(6, 6, 3, 2))
    np.testing.assert_array_equal(odd, np.outer([0, 0.25, 0.25], [0, 0.5, 0]))
    # Row 1 is reflected beyond row 0, which counts it twice; row 5 lies beyond no kept row.
    np.testing.assert_array_equal(
        _of(layer, _impulse(6, 6, 1, 5)), np.outer([0.5, 0.25, 0], [0, 0, 0.25])
    )
    # Of 5 rows the last is kept, and row 3 is reflected beyond it.
    np.testing.assert_array_equal(
        _of(layer, _impulse(5, 5, 3, 4)), np.outer([0, 0.25, 0.5], [0, 0, 0.5])
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_an_impulse_blurred_up_is_the_kernel(policy):
    layer = BlurUpsampling2D(dtype=policy)
    taps = np.array([1, 3, 3, 1]) / 4
    expected = np.outer([0, *taps, 0, 0, 0], [0, *taps, 0, 0, 0])
    np.testing.assert_array_equal(_of(layer, _impulse(4, 4, 1, 1)), expected)
    # The outermost row repeats, so that it keeps its sum.
    expected = np.outer([1, 0.75, 0.25, 0, 0, 0], [0, 0, 0, 0.25, 0.75, 1])
    np.testing.assert_array_equal(_of(layer, _impulse(3, 3, 0, 2)), expected)


def test_borders_differ_as_they_say():
    image = np.arange(1.0, 7)[np.newaxis, :, np.newaxis, np.newaxis]
    image = np.tile(image, (1, 1, 6, 1))
    for border, first in (
        ("reflect", (2 + 2 * 1 + 2) / 4),
        ("replicate", (1 + 2 * 1 + 2) / 4),
        ("uncounted", (2 * 1 + 2) / 3),
    ):
        rows = _of(BlurDownsampling2D(border=border, dtype="float64"), image)[:, 1]
        np.testing.assert_allclose(rows, [first, 3, 5], atol=1e-15, err_msg=border)
    # Five taps reach two rows beyond: both are the outermost one.
    rows = _of(BlurDownsampling2D((1, 1, 1, 1, 1), "replicate", dtype="float64"), image)[:, 1]
    np.testing.assert_allclose(rows, [(1 + 1 + 1 + 2 + 3) / 5, 3, (3 + 4 + 5 + 6 + 6) / 5])


@pytest.mark.parametrize("size", [(6, 8), (5, 7)])
def test_equal_taps_are_average_pooling_without_the_padding(size):
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(size=(2, *size, 3))
    layer = BlurDownsampling2D((1, 1, 1), "uncounted", dtype="float64")
    pooled = torch.nn.functional.avg_pool2d(
        torch.tensor(x.transpose(0, 3, 1, 2)), 3, 2, 1, count_include_pad=False
    )
    np.testing.assert_allclose(layer(x), pooled.numpy().transpose(0, 2, 3, 1), atol=1e-15)


@pytest.mark.parametrize("layer_class", [BlurDownsampling2D, BlurUpsampling2D])
def test_precisions_and_graphs_of_any_size_agree(layer_class):
    x = np.random.default_rng(0).normal(size=(2, 7, 6, 3))
    exact = layer_class(dtype="float64")(x)
    for policy, tolerance in (("float32", 1e-6), ("mixed_bfloat16", 3e-2)):
        layer = layer_class(dtype=policy)
        inputs = tf.cast(x, layer.compute_dtype)
        assert layer(inputs).shape == layer.compute_output_shape(x.shape) == exact.shape
        assert layer(inputs).dtype == inputs.dtype
        signature = [tf.TensorSpec((None, None, None, 3), inputs.dtype)]
        for outputs in (layer(inputs), tf.function(layer, input_signature=signature)(inputs)):
            np.testing.assert_allclose(tf.cast(outputs, tf.float64), exact, atol=tolerance)
    copied = layer_class.from_config(layer_class(dtype="float64").get_config())
    np.testing.assert_array_equal(copied(x), exact)


@pytest.mark.parametrize("layer_class", [BlurDownsampling2D, BlurUpsampling2D])
def test_gradients_are_those_of_the_linear_map(layer_class):
    """Found by the impulses at all pixels; D's gradient penalty takes the second derivative too."""
    layer = layer_class(dtype="float64")
    impulses = tf.reshape(tf.eye(20, dtype=tf.float64), (20, 4, 5, 1))
    weights = tf.random.stateless_normal(
        layer.compute_output_shape((1, 4, 5, 1)), (1, 2), dtype=tf.float64
    )
    expected = tf.reduce_sum(layer(impulses) * weights, (1, 2, 3))
    x = tf.zeros((1, 4, 5, 1), tf.float64)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(x)
        total = tf.reduce_sum(layer(x) * weights)
    np.testing.assert_allclose(tf.reshape(tape.gradient(total, x), (-1,)), expected, atol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"taps": (1,)}, r"two or more weights from 0 on\. Received: taps=\(1,\)"),
        ({"taps": (1, -1, 1)}, "two or more weights"),
        ({"taps": (0, 0)}, "two or more weights"),
        ({"border": "zeros"}, "one of reflect, replicate, uncounted. Received: border='zeros'"),
    ],
)
def test_arguments_out_of_range_are_named(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        BlurDownsampling2D(**arguments)


def test_a_network_with_them_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((None, None, 2))
    down = BlurDownsampling2D((1, 1, 1), "uncounted")(inputs)
    model = keras.Model(inputs, BlurUpsampling2D()(down))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    x = np.random.default_rng(0).normal(size=(1, 5, 4, 2)).astype(np.float32)
    given = keras.tree.pack_sequence_as(loaded.input, [x])  # Keras 3.10 loads a list of inputs
    np.testing.assert_array_equal(loaded(given), model(x))
