"""Random numbers as a function of a seed, the same with and without XLA.

TensorFlow's stateless floats and `stateless_fold_in` differ, because they choose an algorithm by
device.
"""

import math

import tensorflow as tf


def random_integers(shape, seed, below):
    """int32, uniform from 0 to `below` - 1; `seed` is an int32 tensor of shape (2,)."""
    return tf.random.stateless_uniform(
        shape, seed, minval=0, maxval=below, dtype=tf.int32, alg="philox"
    )


def random_normal(shape, seed, dtype=tf.float32):
    """N(0, 1) by the transform of Box and Muller; `seed` is an int32 tensor of shape (2,)."""
    integers = random_integers(tf.concat([[2], shape], 0), seed, 2**24)
    radius, angle = tf.unstack((tf.cast(integers, dtype) + 0.5) / 2**24)
    return tf.sqrt(-2.0 * tf.math.log(radius)) * tf.cos(2.0 * math.pi * angle)


def fold_in(seed, number):
    """A different seed for each number."""
    first, second = tf.unstack(seed)
    return random_integers((2,), tf.stack([first + tf.cast(number, tf.int32), second]), 2**31 - 1)
