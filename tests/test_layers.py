import keras
import numpy as np
import pytest

from cyclegan_tf import InstanceNormalization, ReflectionPadding2D, ReplayPool


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


@pytest.mark.parametrize(
    "layer",
    [InstanceNormalization(1e-3, affine=True), ReflectionPadding2D(3), ReplayPool(2, (4, 4, 1))],
)
def test_config_round_trip(layer):
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert again.get_config() == layer.get_config()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="epsilon=0"):
        InstanceNormalization(epsilon=0)
    with pytest.raises(ValueError, match="padding=-1"):
        ReflectionPadding2D(-1)
