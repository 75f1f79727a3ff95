"""Silences TensorFlow's converter output."""

import contextlib
import io

import tensorflow as tf

from cyclegan_tf.quiet_start import stderr_without

# The converter's remarks on what it was not asked for.
_NOTES = (
    "Ignored output_format",
    "Ignored drop_control_dependency",
    # Of TensorFlow 2.19, and what its logger says before its first line.
    "MLIR V1 optimization pass is not enabled",
    "^WARNING: All log messages before absl::InitializeLog",
)


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
        with contextlib.redirect_stdout(io.StringIO()), stderr_without(_NOTES):
            yield
    finally:
        logger.setLevel(level)
