import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_tf import InstanceNormalization, ReflectionPadding2D, ReplayPool
from cyclegan_tf.networks import layers
from cyclegan_tf.networks.kernels import UPSAMPLING_FORMS, portable_kernels
from cyclegan_tf.networks.layers import (
    Conv2D,
    LeakyReLU,
    LocalContrast,
    NearestResizing,
    UpsamplingConvolution2D,
)


def _images(shape=(2, 5, 6, 3), seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, shape).astype("float32")


def test_instance_normalization_is_per_image_and_channel():
    x = _images()
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(InstanceNormalization()(x), expected, atol=1e-5)


def test_instance_normalization_equals_group_normalization_of_single_channels():
    x = _images()
    layer = InstanceNormalization(affine=True, epsilon=1e-3)
    twin = keras.layers.GroupNormalization(groups=-1, epsilon=1e-3)
    layer(x), twin(x)
    weights = [np.array([0.5, 1.0, 2.0]), np.array([-1.0, 0.0, 1.0])]
    layer.set_weights(weights)
    twin.set_weights(weights)
    np.testing.assert_allclose(layer(x), twin(x), atol=1e-5)


def test_instance_normalization_has_no_weights_by_default():
    layer = InstanceNormalization()
    layer(_images())
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
    x = _images().astype("float64")
    expected = (x - x.mean((1, 2), keepdims=True)) / np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
    np.testing.assert_allclose(InstanceNormalization(dtype="float64")(x), expected, atol=1e-13)


def test_reflection_padding_does_not_repeat_the_border():
    x = _images()
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
def test_the_fused_normalization_agrees_with_the_plain_one(policy, tolerance, affine):
    layer = InstanceNormalization(affine=affine, dtype=policy)
    x = tf.cast(tf.constant(_images((2, 128, 64, 16))), layer.compute_dtype)
    assert layers._can_be_fused(x, layer.epsilon)
    _assert_fast_path_agrees(layer, x, tolerance)


def test_an_empty_batch_stays_empty():
    assert InstanceNormalization()(tf.zeros((0, 128, 128, 16))).shape == (0, 128, 128, 16)


def test_second_derivatives_of_the_fused_normalization_agree():
    """The gradient penalty takes them."""
    layer = InstanceNormalization()
    _assert_fast_path_agrees(layer, tf.constant(_images((2, 128, 64, 16))), 1e-5, order=2)


@pytest.mark.parametrize("form", UPSAMPLING_FORMS)
@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float64", 1e-6), ("float32", 1e-5), ("mixed_bfloat16", 2e-2)]
)
def test_every_form_of_the_upsampling_convolution_agrees(policy, tolerance, form, monkeypatch):
    layer = UpsamplingConvolution2D(6, dtype=policy, bias_initializer="ones")
    x = tf.cast(tf.constant(_images((2, 5, 7, 4))), layer.compute_dtype)
    assert layer(x).shape == layer.compute_output_shape(x.shape) == (2, 10, 14, 6)
    monkeypatch.setattr("cyclegan_tf.networks.kernels.upsampling_form", lambda dtype: form)
    _assert_fast_path_agrees(layer, x, tolerance)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_the_upsampling_convolution_takes_any_size_in_one_graph(policy):
    layer = UpsamplingConvolution2D(3, dtype=policy)
    layer.build((None, None, None, 4))
    signature = [tf.TensorSpec((None, None, None, 4), layer.compute_dtype)]
    any_size = tf.function(layer, input_signature=signature, autograph=False)
    for size in ((2, 5), (4, 3)):
        x = tf.cast(tf.constant(_images((2, *size, 4))), layer.compute_dtype)
        assert any_size(x).shape == (2, 2 * size[0], 2 * size[1], 3)
        np.testing.assert_allclose(
            tf.cast(any_size(x), tf.float32), tf.cast(layer(x), tf.float32), atol=0.1
        )


@pytest.mark.parametrize(
    "settings",
    [
        {"padding": "same"},
        {"strides": 2},
        {"dilation_rate": 2},
        {"groups": 3, "filters": 3},
        {"kernel_size": (3, 5)},
        {"activation": "relu"},
    ],
)
def test_the_convolution_takes_every_argument_of_keras(settings):
    arguments = {"filters": 4, "kernel_size": 3, "bias_initializer": "ones", **settings}
    ours, theirs = Conv2D(**arguments), keras.layers.Conv2D(**arguments)
    x = _images((2, 12, 14, 3))
    ours(x), theirs(x)
    theirs.set_weights(ours.get_weights())
    assert ours(x).shape == ours.compute_output_shape(x.shape)
    np.testing.assert_allclose(ours(x), theirs(x), rtol=1e-4, atol=1e-4)


def _operators(layer, x):
    """Of a call with its gradients."""

    def with_gradients(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x)
        return y, tape.gradient(y, [x, layer.kernel.value])

    graph = tf.function(with_gradients, autograph=False).get_concrete_function(x).graph
    return graph.get_operations()


def test_half_precision_never_pads_transposed_convolutions_explicitly():
    """No oneDNN kernel does that in bfloat16 without AMX; TensorFlow's own is 40 times slower."""
    layer = UpsamplingConvolution2D(6, dtype="mixed_bfloat16")
    layer.build((None, 4, 4, 3))
    operators = _operators(layer, tf.zeros((1, 4, 4, 3), tf.bfloat16))
    paddings = {op.get_attr("padding") for op in operators if op.type.startswith("Conv2D")}
    assert paddings == {b"VALID"}


@pytest.mark.parametrize(
    ("policy", "tolerance"), [("float64", 1e-6), ("float32", 1e-5), ("mixed_bfloat16", 2e-2)]
)
@pytest.mark.parametrize("size", [(12, 14), (13, 14), (11, 13)])
def test_the_convolution_of_few_filters_agrees_with_that_of_keras(policy, tolerance, size):
    layer = Conv2D(3, 7, dtype=policy, bias_initializer="ones")
    plain = keras.layers.Conv2D(3, 7, dtype=policy)
    x = tf.cast(tf.constant(_images((2, *size, 5))), layer.compute_dtype)
    layer.build(x.shape)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    fast, slow = (_values_and_gradients(each, x) for each in (layer, plain))
    for ours, theirs in zip(fast, slow, strict=True):
        scale = float(tf.reduce_max(tf.abs(tf.cast(theirs, tf.float32))))
        np.testing.assert_allclose(
            tf.cast(ours, tf.float32) / scale, tf.cast(theirs, tf.float32) / scale, atol=tolerance
        )


def test_the_convolution_of_few_filters_takes_any_size_in_one_graph():
    layer, twin = Conv2D(3, 7), keras.layers.Conv2D(3, 7)
    layer.build((None, None, None, 5))
    twin.build((None, None, None, 5))
    twin.set_weights(layer.get_weights())
    signature = [tf.TensorSpec((None, None, None, 5))]
    any_size = tf.function(layer, input_signature=signature, autograph=False)
    for size in ((12, 14), (13, 14), (12, 13), (11, 13)):
        x = _images((2, *size, 5))
        np.testing.assert_allclose(any_size(x), twin(x), rtol=1e-4, atol=1e-4)


def test_the_convolution_of_few_filters_computes_two_by_two_pixels_at_once():
    layer = Conv2D(3, 7)
    layer.build((None, 12, 12, 4))
    operators = _operators(layer, tf.zeros((1, 12, 12, 4)))
    assert "DepthToSpace" in {operator.type for operator in operators}


@pytest.mark.parametrize("padding", [1, 3])
@pytest.mark.parametrize("policy", ["float64", "float32", "mixed_bfloat16"])
def test_reflection_agrees_with_that_of_tensorflow(policy, padding):
    layer = ReflectionPadding2D(padding, dtype=policy)
    x = tf.cast(tf.constant(_images((2, 5, 7, 3))), layer.compute_dtype)
    _assert_fast_path_agrees(layer, x, 1e-7 if policy != "mixed_bfloat16" else 2**-7)


@pytest.mark.parametrize("policy", ["float32", "float64", "mixed_bfloat16"])
def test_leaky_relu_and_its_gradients_are_those_of_keras(policy):
    ours = LeakyReLU(negative_slope=0.2, dtype=policy)
    theirs = keras.layers.LeakyReLU(negative_slope=0.2, dtype=policy)
    x = tf.cast(tf.constant([-3.0, -0.5, 0.0, 0.25, 2.0]), ours.compute_dtype)

    def derivatives(layer):
        with tf.GradientTape() as outer:
            outer.watch(x)
            with tf.GradientTape() as inner:
                inner.watch(x)
                y = tf.square(layer(x))
            first = inner.gradient(y, x)
        return [tf.cast(t, tf.float64) for t in (y, first, outer.gradient(first, x))]

    within = 1e-7 if policy == "float64" else 0.0  # where that of Keras rounds its slope to float32
    for own, keras_own in zip(derivatives(ours), derivatives(theirs)):
        np.testing.assert_allclose(own, keras_own, rtol=within, atol=0)


def test_leaky_relu_is_exact_in_float64():
    x = tf.constant([-3.0, 0.0, 2.0], tf.float64)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = LeakyReLU(negative_slope=0.01, dtype="float64")(x)
    np.testing.assert_array_equal(y, [0.01 * -3.0, 0.0, 2.0])
    np.testing.assert_array_equal(tape.gradient(y, x), [0.01, 0.01, 1.0])


def test_tensorflow_can_fuse_the_convolution_before_a_leaky_relu():
    """Else it logs "remapper failed" in a process that trains, with a penalty or without."""
    code = """
import tensorflow as tf
from cyclegan_tf import losses, patchgan
network = patchgan((24, 24, 3), base_filters=4, strided_layers=1)
@tf.function
def gradients(x, penalized):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(network(x, training=True))
        if penalized:
            loss += losses.gradient_penalty(network, x, x + 1.0, tf.constant([1, 2]))
    return tape.gradient(loss, network.trainable_variables)
for penalized in (False, True):
    gradients(tf.zeros((1, 24, 24, 3)), penalized)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "remapper" not in run.stderr


def test_reflection_refuses_images_that_are_too_small():
    with pytest.raises(ValueError, match="at least 4 by 4 pixels"):
        ReflectionPadding2D(3)(tf.zeros((1, 3, 8, 1)))
    any_size = tf.function(
        ReflectionPadding2D(3), input_signature=[tf.TensorSpec((1, None, None, 1))], autograph=False
    )
    assert any_size(tf.zeros((1, 4, 8, 1))).shape == (1, 10, 14, 1)
    with pytest.raises(tf.errors.InvalidArgumentError, match="at least 4 by 4 pixels"):
        any_size(tf.zeros((1, 3, 8, 1)))


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
        Conv2D(3, 7, use_bias=False),
        LeakyReLU(0.2),
        LocalContrast(2.0),
        NearestResizing(),
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
