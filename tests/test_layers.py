import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import InstanceNormalization, ReflectionPadding2D, ReplayPool
from cyclegan_tf.layers import UpsamplingConvolution2D, portable_kernels


def _pictures(shape=(2, 5, 6, 3), seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, shape).astype("float32")


def test_instance_normalization_is_per_picture_and_channel():
    x = _pictures()
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(InstanceNormalization()(x), expected, atol=1e-5)


def test_instance_normalization_equals_group_normalization_of_single_channels():
    x = _pictures()
    layer = InstanceNormalization(affine=True, epsilon=1e-3)
    twin = keras.layers.GroupNormalization(groups=-1, epsilon=1e-3)
    layer(x), twin(x)
    weights = [np.array([0.5, 1.0, 2.0]), np.array([-1.0, 0.0, 1.0])]
    layer.set_weights(weights)
    twin.set_weights(weights)
    np.testing.assert_allclose(layer(x), twin(x), atol=1e-5)


def test_instance_normalization_has_no_weights_by_default():
    layer = InstanceNormalization()
    layer(_pictures())
    assert layer.weights == []


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_statistics_are_float32_under_half_precision(policy):
    # A mean of 100 leaves bfloat16 steps of 0.5: statistics in half precision would be far off.
    x = np.tile(np.array([99.0, 101.0], "float32"), 32 * 16).reshape(1, 32, 32, 1)
    y = InstanceNormalization(dtype=policy)(x)
    assert keras.backend.standardize_dtype(y.dtype) == policy.removeprefix("mixed_")
    y = keras.ops.convert_to_numpy(keras.ops.cast(y, "float32"))
    np.testing.assert_allclose(y, x - 100.0, atol=1e-2)


def test_float64_policy_keeps_its_precision():
    x = _pictures().astype("float64")
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(InstanceNormalization(dtype="float64")(x), expected, atol=1e-13)


def test_reflection_padding_does_not_repeat_the_border():
    x = _pictures()
    expected = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    layer = ReflectionPadding2D(2)
    np.testing.assert_array_equal(layer(x), expected)
    assert layer.compute_output_shape((None, 5, None, 3)) == (None, 9, None, 3)


def _values_and_gradients(layer, x, order=1):
    """What a layer gives, and the derivatives of a sum of it that has no symmetry."""
    weight = tf.cast(
        tf.random.stateless_normal(layer.compute_output_shape(x.shape), (1, 2)), x.dtype
    )
    with tf.GradientTape(watch_accessed_variables=False) as outer:
        outer.watch(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
            total = tf.reduce_sum(weight * y)
        gradients = tape.gradient(total, [x, *(w.value for w in layer.trainable_weights)])
        if order == 2:
            norm = tf.reduce_sum(gradients[0] ** 2)
    if order == 2:
        return [outer.gradient(norm, x)]
    return [y, *gradients]


def _assert_fast_path_agrees(layer, x, tolerance, order=1):
    fast = _values_and_gradients(layer, x, order)
    with portable_kernels():
        plain = _values_and_gradients(layer, x, order)
    for ours, theirs in zip(fast, plain, strict=True):
        scale = float(tf.reduce_max(tf.abs(tf.cast(theirs, tf.float32))))
        np.testing.assert_allclose(
            tf.cast(ours, tf.float32) / scale, tf.cast(theirs, tf.float32) / scale, atol=tolerance
        )


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 2e-2)])
@pytest.mark.parametrize("affine", [False, True])
def test_the_fused_normalisation_agrees_with_the_plain_one(policy, tolerance, affine):
    layer = InstanceNormalization(affine=affine, dtype=policy)
    x = tf.cast(tf.constant(_pictures((2, 128, 64, 16))), layer.compute_dtype)
    assert layer._can_be_fused(x)
    _assert_fast_path_agrees(layer, x, tolerance)


def test_an_empty_batch_stays_empty():
    assert InstanceNormalization()(tf.zeros((0, 128, 128, 16))).shape == (0, 128, 128, 16)


def test_second_derivatives_of_the_fused_normalisation_agree():
    """The gradient penalty takes them."""
    layer = InstanceNormalization()
    _assert_fast_path_agrees(layer, tf.constant(_pictures((2, 128, 64, 16))), 1e-5, order=2)


@pytest.mark.parametrize(("policy", "tolerance"), [("float32", 1e-5), ("mixed_bfloat16", 2e-2)])
def test_the_upsampling_convolution_agrees_with_the_plain_one(policy, tolerance):
    layer = UpsamplingConvolution2D(6, dtype=policy, bias_initializer="ones")
    x = tf.cast(tf.constant(_pictures((2, 5, 7, 4))), layer.compute_dtype)
    assert layer(x).shape == layer.compute_output_shape(x.shape) == (2, 10, 14, 6)
    _assert_fast_path_agrees(layer, x, tolerance)


def test_the_upsampling_convolution_keeps_all_but_the_first_row_and_column():
    layer = UpsamplingConvolution2D(1, kernel_initializer="ones", use_bias=False)
    x = np.array([[1.0, 10.0], [100.0, 1000.0]], "float32").reshape(1, 2, 2, 1)
    # A 5x5 sum of four 3x3 squares, without its first row and column.
    expected = [[1, 11, 10, 10], [101, 1111, 1010, 1010], [100, 1100, 1000, 1000]]
    expected.append(expected[-1])
    np.testing.assert_array_equal(layer(x)[0, ..., 0], expected)


@pytest.mark.parametrize(
    "layer",
    [
        InstanceNormalization(1e-3, affine=True),
        ReflectionPadding2D(3),
        ReplayPool(2, (4, 4, 1)),
        UpsamplingConvolution2D(4, use_bias=False),
    ],
)
def test_config_round_trip(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="epsilon=0"):
        InstanceNormalization(epsilon=0)
    with pytest.raises(ValueError, match="padding=-1"):
        ReflectionPadding2D(-1)
