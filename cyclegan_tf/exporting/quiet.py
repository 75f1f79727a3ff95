"""TensorFlow without its remarks."""

import contextlib
import io

import tensorflow as tf


@contextlib.contextmanager
def quiet():
    """Without the converters' lists of variables and the paths of files that are renamed later.

    It is not for several threads: standard output and TensorFlow's logger are those of the whole
    process, so that meanwhile other threads print nothing. Errors are raised as ever.
    """
    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("WARNING")
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
