"""Checks, with one common message, that float images lie in [-1, 1]."""

import contextlib
import re

import tensorflow as tf

from cyclegan_tf.errors import InputError

_MOST = 1.001  # of rounding
_MARK = "Float images from, to:"


def check(lowest, highest):
    """Raises an `InputError` if values from `lowest` to `highest` are not within [-1, 1]."""
    if not (lowest >= -_MOST and highest <= _MOST):  # written so that NaN is refused too
        raise InputError(
            "Float images must lie in [-1, 1]; divide values from 0 to 255 by 127.5 and subtract "
            f"1. Received values from {lowest:g} to {highest:g}."
        )


def asserted(images):
    """The same images; computing them fails if values are out of range; see `surfaced`.

    It is for data sets: XLA drops assertions.
    """
    lowest, highest = tf.reduce_min(images), tf.reduce_max(images)  # NaN if any value is
    lie = (lowest >= -_MOST) & (highest <= _MOST)
    with tf.control_dependencies([tf.debugging.Assert(lie, [_MARK, lowest, highest])]):
        return tf.identity(images)


@contextlib.contextmanager
def surfaced():
    """Context manager: raises what `asserted` finds as the `InputError` of `check`."""
    try:
        yield
    except tf.errors.InvalidArgumentError as error:
        found = re.search(rf"\[{_MARK}\] \[(\S+)\] \[(\S+)\]", error.message)
        if found:
            check(*map(float, found.groups()))
        raise
