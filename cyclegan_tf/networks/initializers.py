"""The initial weights of the paper, N(0, 0.02) for every convolution, and their seeds."""

import keras
import numpy as np


def seeds_of(seed, count):
    """As many independent seeds, one for each network of a system."""
    return [int(number) for number in np.random.SeedSequence(seed).generate_state(count)]


def normal_initializers(seed=None, mean=0.0):
    """An endless iterator of N(`mean`, 0.02) initializers, each with its own seed.

    A Keras initializer with a fixed seed gives the same values each time, so layers of equal
    shape that share one would start as copies of each other.

    Args:
        seed: an integer >= 0; `None` draws fresh entropy.
    """
    for own_seed in _endless(seed):
        yield keras.initializers.RandomNormal(mean, stddev=0.02, seed=own_seed)


def glorot_initializers(seed=None):
    """The same of Keras's default, Glorot's uniform numbers."""
    for own_seed in _endless(seed):
        yield keras.initializers.GlorotUniform(seed=own_seed)


def _endless(seed):
    numbers = np.random.default_rng(seed)
    while True:
        yield int(numbers.integers(2**31))
