"""Normalization by given statistics: of other images, of windows, or averaged over time."""

import numpy as np
import tensorflow as tf

from cyclegan_tf.networks.layer_normalization import ImageLayerNormalization
from cyclegan_tf.networks.layers import InstanceNormalization

# The layers whose statistics can be given.
NORMALIZATIONS = (InstanceNormalization, ImageLayerNormalization)


def statistics_of(layer, x):
    """The mean and the variance by which a layer normalizes its inputs.

    Args:
        layer: an `InstanceNormalization` or an `ImageLayerNormalization`.
        x: its inputs, `(batch, height, width, channels)`.

    Returns:
        Mean and variance in float32, or in float64 under a float64 policy: `(batch, 1, 1,
        channels)` of an `InstanceNormalization`, whose variance divides by the number of values;
        `(batch, 1, 1, 1)` of an `ImageLayerNormalization`, whose variance divides by one less.

    Raises:
        ValueError: another layer.
    """
    _check(layer)
    x = tf.cast(x, _dtype(layer))
    if isinstance(layer, InstanceNormalization):
        mean = tf.reduce_mean(x, (1, 2), keepdims=True)
        return mean, tf.reduce_mean(tf.square(x - mean), (1, 2), keepdims=True)
    mean = tf.reduce_mean(x, (1, 2, 3), keepdims=True)
    count = tf.cast(tf.reduce_prod(tf.shape(x)[1:]), x.dtype)
    return mean, tf.reduce_sum(tf.square(x - mean), (1, 2, 3), keepdims=True) / (count - 1)


def normalized(layer, x, mean, variance):
    """The outputs of a layer with a given mean and variance in place of those of its inputs.

    With those of `statistics_of` they are the outputs of the layer itself.

    Args:
        layer: an `InstanceNormalization` or an `ImageLayerNormalization`, built.
        x: its inputs, `(batch, height, width, channels)`.
        mean, variance: shapes that broadcast to that of `x`, such as `(batch, 1, 1, channels)`,
            or `(batch, height, width, channels)` where they change from place to place.

    Returns:
        The shape of `x`, in the compute dtype of the layer.

    Raises:
        ValueError: another layer.
    """
    _check(layer)
    dtype = _dtype(layer)
    if _can_be_fused(layer, x, mean):
        return _fused(layer, x, mean, variance)
    x, mean, variance = (tf.cast(values, dtype) for values in (x, mean, variance))
    epsilon = tf.constant(layer.epsilon, dtype)
    if isinstance(layer, InstanceNormalization):
        outputs = (x - mean) * tf.math.rsqrt(variance + epsilon)
    else:
        outputs = (x - mean) / (tf.sqrt(variance) + epsilon)
    if layer.gamma is not None:
        outputs = outputs * tf.cast(layer.gamma, dtype) + tf.cast(layer.beta, dtype)
    return tf.cast(outputs, layer.compute_dtype)


def _can_be_fused(layer, x, mean):
    return (
        isinstance(layer, InstanceNormalization)
        and x.dtype == tf.float32 == layer.compute_dtype
        and np.ndim(layer.epsilon) == 0
        and tuple(mean.shape[:3]) == (1, 1, 1)  # for all images and places
    )


def _fused(layer, x, mean, variance):
    """In one pass over the values."""
    channels = x.shape[-1]
    return tf.raw_ops.FusedBatchNormV3(
        x=x,
        scale=tf.ones((channels,)) if layer.gamma is None else tf.cast(layer.gamma, tf.float32),
        offset=tf.zeros((channels,)) if layer.beta is None else tf.cast(layer.beta, tf.float32),
        mean=tf.cast(tf.reshape(mean, (channels,)), tf.float32),
        variance=tf.cast(tf.reshape(variance, (channels,)), tf.float32),
        epsilon=layer.epsilon,
        is_training=False,
    ).y


def _check(layer):
    if not isinstance(layer, NORMALIZATIONS):
        names = " or an ".join(kind.__name__ for kind in NORMALIZATIONS)
        raise ValueError(f"Expected an {names}. Received: {type(layer).__name__}")


def _dtype(layer):
    return tf.float64 if layer.compute_dtype == "float64" else tf.float32
