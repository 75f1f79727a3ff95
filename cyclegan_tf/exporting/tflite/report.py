"""Measures a .tflite: size, latency, PSNR against Keras; with a comparison image."""

import contextlib
import io
import platform

import numpy as np
import tensorflow as tf

from cyclegan_tf.exporting.tflite.interpreter import median_seconds, operators, translated
from cyclegan_tf.metrics import psnr
from cyclegan_tf.pixels import to_uint8
from cyclegan_tf.runs.sheets import image_grid

_ROWS = 4


def agreement(outputs, expected):
    """Agreement with Keras: PSNR, and the largest difference in units of [-1, 1].

    The keys stay as they are in the report files of earlier versions. Outputs that are not finite
    count as the value in [-1, 1] that is furthest from what was expected.
    """
    outputs = _furthest(outputs, expected)
    decibels = psnr(outputs, expected, data_range=2)
    return {
        "pictures": len(decibels),
        "mean_db": round(float(decibels.mean()), 2),
        "worst_db": round(float(decibels.min()), 2),
        "worst_picture": int(decibels.argmin()),
        "largest_difference": float(np.abs(outputs - expected).max()),
    }


def _furthest(outputs, expected):
    """Finite outputs: half precision may overflow on a phone, and the report has to show it."""
    return np.where(np.isfinite(outputs), outputs, np.where(expected > 0, -1, 1))


def measured(model, float_model, images, expected):
    """Measures one file.

    Args:
        model: its bytes.
        float_model: those of the same network in float32, to compare size and time with.
        images: `Representative`; its test images are translated.
        expected: what Keras makes of them in float32.

    Returns:
        The report, a JSON dictionary, and the images that the file makes.

    Raises:
        ImportError: LiteRT is not installed.
    """
    outputs = translated(model, images.test)
    measured = {
        "image_size": list(images.test.shape[1:3]),
        "size_to_float32": round(len(model) / len(float_model), 3),
        "latency": {
            f"{threads}_threads": _latency(model, float_model, images.test[0], threads)
            for threads in (1, 2)
        },
        "machine": platform.machine(),
        "psnr_to_keras": {"tested_on": images.source, **agreement(outputs, expected)},
    }
    return measured, outputs


def contents(model):
    """What a file consists of, and which runtimes that is for."""
    found = operators(model)
    names = {name for name, _ in found}
    return {
        "operators": {f"{name} {kind}": count for (name, kind), count in sorted(found.items())},
        "builtin_operators_only": not [n for n in names if n.startswith(("Flex", "CUSTOM"))],
        "gpu_delegate": gpu_delegate(model),
    }


def gpu_delegate(model):
    """What TensorFlow's analyzer says: `{"compatible": ..., "why_not": [...]}`."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        tf.lite.experimental.Analyzer.analyze(model_content=model, gpu_compatibility=True)
    said = text.getvalue()
    warnings = [
        line.split("GPU COMPATIBILITY WARNING:")[1].strip()
        for line in said.splitlines()
        if "GPU COMPATIBILITY WARNING:" in line
    ]
    compatible = "looks compatible with GPU delegate" in said and not warnings
    return {"compatible": compatible, "why_not": sorted(set(warnings))}


def grid(images, expected, outputs):
    """A Pillow image: input | Keras | the file | their difference; the worst image first."""
    outputs = _furthest(outputs, expected)
    rows = np.argsort(psnr(outputs, expected, data_range=2))[:_ROWS]
    difference = np.clip(8 * np.abs(outputs - expected) - 1, -1, 1)
    columns = [to_uint8(each[rows]) for each in (images.test, expected, outputs, difference)]
    return image_grid(columns, ["input", "Keras", ".tflite", "difference × 8"])


def summary(report):
    """The report in one line."""
    agreement, gpu = report["psnr_to_keras"], report["gpu_delegate"]
    times = report["latency"]["2_threads"]
    return (
        f"{report['recipe']}: {report['size_bytes'] / 1e6:.2f} MB ({report['size_to_float32']:.2f} "
        f"of float32), {times['milliseconds']:.0f} ms an image ({times['to_float32']:.2f} of "
        f"float32, {report['machine']}); "
        f"{agreement['mean_db']:.1f} dB to Keras, worst image {agreement['worst_db']:.1f} "
        f"({agreement['tested_on']}); GPU delegate: "
        + ("compatible." if gpu["compatible"] else f"not compatible: {'; '.join(gpu['why_not'])}")
    )


def _latency(model, float_model, image, threads):
    ways = {"this": model}
    if model != float_model:
        ways["float32"] = float_model
    seconds = median_seconds(ways, image, threads)
    baseline = seconds.get("float32", seconds["this"])
    return {
        "milliseconds": round(seconds["this"] * 1000, 2),
        "float32_milliseconds": round(baseline * 1000, 2),
        "to_float32": round(seconds["this"] / baseline, 3),
    }
