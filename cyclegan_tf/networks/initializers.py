"""The initial weights of the papers, and their seeds."""

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
    for number in _endless(seed):
        yield keras.initializers.RandomNormal(mean, stddev=0.02, seed=number)


def truncated_initializers(seed=None):
    """The same of N(0, 0.02) without what is more than two deviations off."""
    for number in _endless(seed):
        yield keras.initializers.TruncatedNormal(stddev=0.02, seed=number)


def glorot_initializers(seed=None):
    """The same of Keras's default, Glorot's uniform numbers."""
    for number in _endless(seed):
        yield keras.initializers.GlorotUniform(seed=number)


def kaiming_initializers(seed=None):
    """The same of N(0, 2 / fan in), PyTorch's `kaiming_normal_`; Keras's is truncated."""
    for number in _endless(seed):
        yield keras.initializers.VarianceScaling(2.0, "fan_in", "untruncated_normal", seed=number)


def xavier_initializers(seed=None, gain=0.02):
    """The same of N(0, `gain`² · 2 / (fan in + fan out)), as CUT starts all of its networks.

    PyTorch's `xavier_normal_`; that of Keras, `GlorotNormal`, is truncated and has no gain.
    """
    for number in _endless(seed):
        yield keras.initializers.VarianceScaling(
            gain**2, "fan_avg", "untruncated_normal", seed=number
        )


def xavier_uniform_initializers(seed=None, gain=2**0.5):
    """The same of uniform numbers of the variance 2 `gain`² / (fan in + fan out).

    PyTorch's `xavier_uniform_`, with the gain of CoGAN; Keras's `GlorotUniform` has none.
    """
    for number in _endless(seed):
        yield keras.initializers.VarianceScaling(gain**2, "fan_avg", "uniform", seed=number)


def initializers_of(initialization, seed=None):
    """Those of `"normal"` or `"xavier"`.

    Raises:
        ValueError: another name.
    """
    known = {"normal": normal_initializers, "xavier": xavier_initializers}
    if initialization not in known:
        raise ValueError(
            f"initialization must be one of {', '.join(known)}. "
            f"Received: initialization={initialization!r}"
        )
    return known[initialization](seed)


def _endless(seed):
    numbers = np.random.default_rng(seed)
    while True:
        yield int(numbers.integers(2**31))
