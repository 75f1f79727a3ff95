"""Conversion between uint8 pixels in [0, 255] and float images in [-1, 1]."""

import numpy as np
import tensorflow as tf

_HALF = 127.5


def to_float(pixels):
    """float32 in [-1, 1] from uint8 pixels: an array for an array, a tensor for a tensor."""
    if tf.is_tensor(pixels):
        return tf.cast(pixels, tf.float32) / _HALF - 1.0
    return np.asarray(pixels) / np.float32(_HALF) - 1


def to_uint8(images):
    """uint8 pixels from float images, rounded; values outside [-1, 1] are clipped."""
    if tf.is_tensor(images):
        return tf.cast(tf.clip_by_value(tf.round((images + 1.0) * _HALF), 0.0, 255.0), tf.uint8)
    return np.uint8(np.clip(np.round((np.asarray(images) + 1) * _HALF), 0, 255))
