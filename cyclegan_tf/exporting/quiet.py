"""Silences TensorFlow's converter output."""

import contextlib
import io

import tensorflow as tf


@contextlib.contextmanager
def quiet():
    """Context manager: drops the converters' lists of variables and paths of temporary files.

    Not thread-safe: standard output and TensorFlow's logger belong to the whole process, so other
    threads print nothing meanwhile. Errors are raised as usual.
    """
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
