"""The devices to train on: a `tf.distribute` strategy by its name on the command line."""

import json
import os
import pathlib

import tensorflow as tf

from cyclegan_tf.choices import STRATEGIES, check
from cyclegan_tf.errors import InputError


def choose(name="auto"):
    """A strategy for this machine's devices, and the reason.

    With several machines, call this before any other use of TensorFlow in the process.

    Args:
        name: `"one"` device; `"mirrored"`: all GPUs of this machine, or all of its logical CPUs;
            `"multi-worker"`: the machines that the environment variable TF_CONFIG lists;
            `"tpu"`: the TPU that TPU_NAME names, or the one attached. `"auto"` takes several
            machines if TF_CONFIG lists them, else a TPU, else several GPUs, else one device.

    Returns:
        The strategy, and a few words for a line at the start. TPUs and GPUs have not been
        measured.

    Raises:
        InputError: no such strategy, or the machine lacks what it asks for.
    """
    check("strategy", name, STRATEGIES)
    if name == "auto":
        name = _found()
    make = {"one": _one, "mirrored": _mirrored, "multi-worker": _multi_worker, "tpu": _tpu}
    return make[name]()


def _found():
    if len(_workers()) > 1:
        return "multi-worker"
    if os.environ.get("TPU_NAME") or pathlib.Path("/dev/accel0").exists():
        return "tpu"
    return "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"


def _one():
    # TensorFlow's own default, which takes the first GPU, or the CPU.
    kind = "GPU" if tf.config.list_physical_devices("GPU") else "CPU"
    return tf.distribute.get_strategy(), f"one {kind}"


def _mirrored():
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) < 2:
        raise InputError(
            "The strategy 'mirrored' needs two GPUs or more; this machine has one device. Use "
            "'auto' or 'one'."
        )
    strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
    return strategy, f"{len(devices)} {devices[0].device_type}s"


def _multi_worker():
    workers = _workers()
    if not workers:
        raise InputError(
            "The strategy 'multi-worker' needs the environment variable TF_CONFIG, which lists "
            "the machines; `cyclegan-tf launch` sets it to try several processes on one machine."
        )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (ValueError, KeyError, tf.errors.OpError) as error:
        raise InputError(
            f"TF_CONFIG is no cluster that can be joined: {str(error).splitlines()[0]}"
        ) from error
    return strategy, f"{len(workers)} machines, {strategy.num_replicas_in_sync} replicas"


def _workers():
    """The addresses that TF_CONFIG lists."""
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        return []
    try:
        cluster = json.loads(text).get("cluster", {})
        return [address for job in ("chief", "worker") for address in cluster.get(job, [])]
    except (ValueError, AttributeError) as error:
        raise InputError(f"TF_CONFIG is not JSON of a cluster: {text!r}") from error


def _tpu():
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(
            os.environ.get("TPU_NAME") or "local"
        )
    except (ValueError, RuntimeError, tf.errors.OpError) as error:
        raise InputError(
            "No TPU was found: the strategy 'tpu' needs one attached, or TPU_NAME to name it."
        ) from error
    strategy = tf.distribute.TPUStrategy(resolver)
    return strategy, f"a TPU of {strategy.num_replicas_in_sync} cores"
