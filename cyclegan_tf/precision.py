"""Which precision to train in."""

import contextlib
from functools import partial

import keras
import tensorflow as tf

from cyclegan_tf import processor
from cyclegan_tf.choices import POLICIES, PRECISIONS, check
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import is_plain_functional, run_graph

_FASTER = 1.05  # bfloat16 must be this many times as fast as float32 to be taken


def choose(precision="auto", seconds_by_precision=None, cpuinfo="/proc/cpuinfo"):
    """Resolves `"auto"` for this machine.

    bfloat16 on TPUs, on GPUs of compute capability 8.0 and up and on processors on which it is
    faster; float16 on GPUs from 7.0; else float32. Weights, statistics and losses are always
    float32. For GPUs and TPUs the choice follows from their type; processors are measured.

    Args:
        precision: one of `PRECISIONS`.
        seconds_by_precision: a function that measures, and returns seconds by precision for
            float32 and bfloat16, such as `trial.seconds_by_precision`; called if the processor
            has bfloat16 arithmetic. Without it bfloat16 is chosen there unmeasured.
        cpuinfo: where Linux lists the processor's features.

    Returns:
        The precision and the reason, for a line at the start.

    Raises:
        InputError: no such precision.
    """
    check("precision", precision, PRECISIONS)
    if precision != "auto":
        return precision, "as asked for"
    if tf.config.list_logical_devices("TPU"):  # once a strategy has connected to it
        return "bfloat16", "a TPU was found"
    if gpus := tf.config.list_physical_devices("GPU"):
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return _for_gpus([each.get("compute_capability", (0, 0)) for each in details])
    found = processor.bfloat16_flags(cpuinfo)
    if not found:
        return "float32", "no bfloat16 arithmetic was found in the processor"
    if seconds_by_precision is None:  # and it may be slower, if TensorFlow lacks a kernel
        return "bfloat16", f"the processor has {found[0]}"
    return _by_trial(**seconds_by_precision())


def _by_trial(float32, bfloat16):
    """Chooses between two precisions by the seconds that each took."""
    times = float32 / bfloat16
    if times >= _FASTER:
        return "bfloat16", f"{times:.1f} times as fast as float32 on this processor, measured"
    if times > 0.95:
        return "float32", "bfloat16 gains less than 5 % on this processor, measured"
    return "float32", f"bfloat16 takes {1 / times:.1f} times as long on this processor, measured"


def _for_gpus(capabilities):
    weakest = min(capabilities)
    version = ".".join(map(str, weakest))
    for least, precision in (((8, 0), "bfloat16"), ((7, 0), "float16")):
        if weakest >= least:
            return precision, f"GPUs of compute capability {version} have it"
    return "float32", "no GPU with half precision arithmetic was found"


def policy(precision):
    """Context manager: networks are built in the Keras dtype policy of `precision`.

    Not thread-safe: the policy applies to the whole process, so networks that another thread
    builds meanwhile get it too.
    """
    return dtype_policy(POLICIES[precision])


@contextlib.contextmanager
def dtype_policy(policy):
    """Context manager: makes a Keras dtype policy, given by itself or by name, the global one."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def in_precision(network, precision):
    """The same network with every layer in this precision, whatever it was trained in.

    Weights, statistics and the last layer, which makes the image, are always float32.

    Args:
        network: a functional Keras model.
        precision: `"float32"`, `"bfloat16"` or `"float16"`.

    Returns:
        A copy; the layers of models within the network are its own.
    """
    policy_name = POLICIES[precision]
    last = _last_layer(network)
    copies = {}

    def converted(operation, prefix=""):
        """What is to be called in the place of an operation of the network."""
        if isinstance(operation, keras.Sequential) or _is_functional(operation):
            inside = partial(converted, prefix=f"{prefix}{operation.name}_")
            return partial(_inlined, operation, inside)
        if not isinstance(operation, keras.layers.Layer):
            return operation
        if operation not in copies:
            dtype = "float32" if operation is last else policy_name
            config = {**operation.get_config(), "dtype": dtype}
            config["name"] = f"{prefix}{operation.name}"
            copies[operation] = type(operation).from_config(config)
        return copies[operation]

    inputs = keras.Input(network.input_shape[1:], name=network.inputs[0].name)
    clone = keras.Model(inputs, run_graph(network, inputs, converted), name=network.name)
    for layer, copy in copies.items():
        copy.set_weights(layer.get_weights())
    return clone


def _inlined(model, replace, inputs, training=None, mask=None):
    # Images have no mask.
    if training is not None:
        raise InputError(
            f"'{model.name}' is called with training={training} within the network; call it "
            "without, so that it can be exported."
        )
    return run_graph(model, inputs, replace)


def _is_functional(operation):
    return isinstance(operation, keras.Model) and is_plain_functional(operation)


def _last_layer(network):
    """The layer that makes the image, also if it lies in a model within the network."""
    last = network.layers[-1]
    return _last_layer(last) if isinstance(last, keras.Model) else last
