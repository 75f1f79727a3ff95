"""What this machine computes with, and how its processor's threads are shared out."""

import os

import tensorflow as tf


def has_accelerator():
    """Whether TensorFlow has a GPU, or a TPU that it has been connected to."""
    return any(tf.config.list_logical_devices(kind) for kind in ("GPU", "TPU"))


def run_directions_side_by_side(cores=None):
    """Gives every operator one thread, so that the two directions of a step run side by side.

    TensorFlow lets all threads compute one convolution, which on small images wait for each other
    more than they compute; `benchmarks/train_step.py` measures the difference. It is done on
    machines of two cores without an accelerator alone, since others were not measured; and not
    over the caller's own setting, by `tf.config.threading` or by TF_NUM_INTRAOP_THREADS and
    TF_NUM_INTEROP_THREADS.

    It must come before TensorFlow computes anything, holds for the whole process, and does nothing
    later: it is for a process that trains, such as `cyclegan-tf train`. One image to translate
    is faster with all threads.

    Args:
        cores: that the process may use; those of this machine, if `None`.

    Returns:
        Whether it was done.
    """
    threading = tf.config.threading
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
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
    except RuntimeError:  # TensorFlow has begun
        return False
    return True
