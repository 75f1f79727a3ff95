"""LiteRT, the interpreter that runs .tflite files on phones."""

import importlib.util
import statistics
import time

import numpy as np

from cyclegan_tf.extras import required
from cyclegan_tf.quiet_start import stderr_without

_NOTES = ("Created TensorFlow Lite XNNPACK delegate",)  # once in a process


def is_installed():
    return importlib.util.find_spec("ai_edge_litert") is not None


def translated(model, images, threads=2):
    """Runs a .tflite on images.

    Args:
        model: the bytes of the file, or its path.
        images: float32 `(count, height, width, channels)` in [-1, 1].
        threads: of the processor.

    Returns:
        float32 `(count, height, width, channels)`.

    Raises:
        ImportError: LiteRT is not installed.
    """
    runner = _opened(model, threads).get_signature_runner()
    (name,) = runner.get_input_details()
    with stderr_without(_NOTES):
        outputs = [next(iter(runner(**{name: image[None]}).values())) for image in images]
    return np.concatenate(outputs)


def median_seconds(models, image, threads, least=7, most=50, enough=2.0, at_most=20.0):
    """Median latency per image of several models, interleaved against machine noise.

    Args:
        models: bytes of files, by name.
        image: float32 `(height, width, channels)`.
        threads: of the processor.
        least, most: runs of each, after one to warm up, if there is time.
        enough: seconds in total, after which `least` runs suffice.
        at_most: seconds in total, after which one run suffices.

    Returns:
        Seconds by name.
    """
    opened = {name: _ready(model, image, threads) for name, model in models.items()}
    seconds = {name: [] for name in models}
    for run in range(most):
        spent = sum(map(sum, seconds.values()))
        if run and spent > (enough if run >= least else at_most):
            break
        for name, interpreter in opened.items():
            begin = time.perf_counter()
            interpreter.invoke()
            seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def operators(model):
    """How many of each operator a file has: `{("CONV_2D", "float32"): 18, ...}`.

    The dtype is that of the operator's output; weights may have another.
    """
    interpreter = _opened(model, delegates=False)
    formats = {each["index"]: each["dtype"].__name__ for each in interpreter.get_tensor_details()}
    counts = {}
    for each in interpreter._get_ops_details():
        key = each["op_name"], formats[each["outputs"][0]]
        counts[key] = counts.get(key, 0) + 1
    return counts


def _opened(model, threads=2, delegates=True):
    litert = required("ai_edge_litert.interpreter", "litert", "Running a .tflite needs")
    # XNNPACK is the default delegate: fast kernels of processors.
    resolver = (
        litert.OpResolverType.AUTO
        if delegates
        else litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    source = {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
    return litert.Interpreter(**source, num_threads=threads, experimental_op_resolver_type=resolver)


def _ready(model, image, threads):
    interpreter = _opened(model, threads)
    (details,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(details["index"], (1, *image.shape))
    with stderr_without(_NOTES):
        interpreter.allocate_tensors()
    interpreter.set_tensor(details["index"], image[None])
    interpreter.invoke()
    return interpreter
