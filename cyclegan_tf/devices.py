"""The devices of this machine, and how the processor's threads are distributed."""

import os

import tensorflow as tf

from cyclegan_tf import processor


def has_accelerator():
    """Whether TensorFlow has a GPU, or a TPU that it is connected to."""
    return any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def run_directions_side_by_side(cores=None):
    """Gives every operator one thread, so that the two directions of a step run side by side.

    By default all threads compute one convolution; on small images they wait for each other more
    than they compute. `benchmarks/train_step.py` measures the difference. This is done only on
    machines with two cores and no accelerator, since others were not measured. It never overrides
    the caller's own setting by `tf.config.threading`, TF_NUM_INTRAOP_THREADS or
    TF_NUM_INTEROP_THREADS.

    It has an effect only before TensorFlow computes anything, and applies to the whole process.
    It is for a process that trains, such as `cyclegan-tf train`. Translating one image is faster
    with all threads.

    Args:
        cores: that the process may use; those of this machine if `None`.

    Returns:
        Whether the setting was changed.
    """
    threading = tf.config.threading
    if cores is None:
        cores = processor.core_count()
    own_setting = (
        {"TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"} & set(os.environ)
        or threading.get_intra_op_parallelism_threads()
        or threading.get_inter_op_parallelism_threads()
    )
    accelerators = [
        *tf.config.list_physical_devices("GPU"),
        *tf.config.list_physical_devices("TPU"),
    ]
    if cores != 2 or own_setting or accelerators:
        return False
    try:
        threading.set_inter_op_parallelism_threads(cores)
        threading.set_intra_op_parallelism_threads(1)
    except RuntimeError:  # TensorFlow has started
        return False
    return True
