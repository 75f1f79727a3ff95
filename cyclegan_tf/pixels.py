"""uint8 pixels in [0, 255] and float images in [-1, 1]: the one scale between them."""

import numpy as np
import tensorflow as tf

_HALF = 127.5


def to_float(pixels):
    """float32 in [-1, 1] of uint8 pixels: a NumPy array of an array, a tensor of a tensor."""
    if tf.is_tensor(pixels):
        return tf.cast(pixels, tf.float32) / _HALF - 1.0
    return np.asarray(pixels) / np.float32(_HALF) - 1


def to_uint8(images):
    """uint8 pixels of float images, rounded; values outside [-1, 1] are clipped."""
    if tf.is_tensor(images):
        return tf.cast(tf.clip_by_value(tf.round((images + 1.0) * _HALF), 0.0, 255.0), tf.uint8)
    return np.uint8(np.clip(np.round((np.asarray(images) + 1) * _HALF), 0, 255))
