"""Weights and images that both a test and the script that recorded its reference make."""

import zlib

import numpy as np


def state(shapes):
    """A state dict for networks of convolutions with batch normalization, from its shapes by name.

    Kernels keep the variance of what they are given, so that activations stay about 1. The numbers
    of `RandomState` are the same in every version of NumPy.
    """
    return {name: _array(name, tuple(shape)) for name, shape in shapes.items()}


def _array(name, shape):
    if not shape:
        return np.zeros((), np.int64)  # num_batches_tracked
    uniform = np.random.RandomState(zlib.crc32(name.encode())).uniform(-1, 1, shape)
    if len(shape) > 1:
        return np.float32(uniform * np.sqrt(6 / np.prod(shape[1:])))
    around_one = name.endswith(("running_var", "bn.weight"))
    return np.float32(around_one + 0.3 * uniform)


def images(count, height, width, seed=0):
    """uint8 RGB images of colored squares and some noise."""
    random = np.random.RandomState(seed)
    squares = random.randint(0, 192, (count, -(-height // 16), -(-width // 16), 3))
    squares = squares.repeat(16, 1).repeat(16, 2)[:, :height, :width]
    return np.uint8(squares + random.randint(0, 64, squares.shape))
