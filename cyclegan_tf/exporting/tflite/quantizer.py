"""ai-edge-quantizer, as far as the recipes here use it."""

import contextlib
import dataclasses
import io
import warnings

import numpy as np

from cyclegan_tf.exporting.quiet import quiet
from cyclegan_tf.exporting.tflite.conversion import INPUT, SIGNATURE
from cyclegan_tf.extras import required

ANY = "*"


@dataclasses.dataclass(frozen=True)
class Rule:
    """How some operators are quantized; if several rules match, the last one applies.

    Rules with the same `within` are grouped at the position of the first of them.

    Attributes:
        operators: names such as `"CONV_2D"`, or `(ANY,)` for all that can be quantized.
        activations: bits of inputs and outputs: 8 or 16, with ranges measured beforehand;
            `None` for float32, rounded to 8 bits by their range in each image when they are
            multiplied by weights.
        weights: bits: 8 or 4; `None` leaves the operators in float32.
        within: a regular expression that the name of the operator's output must match.
    """

    operators: tuple[str, ...]
    activations: int | None = None
    weights: int | None = 8
    within: str = ".*"


@dataclasses.dataclass(frozen=True)
class Ranges:
    """The ranges of everything that a file computes, for `by_rules`.

    Attributes:
        widest: covers every image; for 16 bits, which have room for it.
        usual: from the mean of the smallest values of each image to the mean of the largest. 8
            bits lose less by clipping the extremes of a few images than by coarser steps for all.
    """

    widest: dict
    usual: dict


def measured_ranges(model, images):
    """The `Ranges` of a float32 .tflite on images.

    Args:
        model: the bytes of the file.
        images: float32 `(count, height, width, channels)` in [-1, 1].

    Raises:
        ImportError: ai-edge-quantizer is not installed.
    """
    quantizer = _quantizer(model, [Rule((ANY,), activations=8)])
    with _silent():
        # One at a time: from several, the quantizer takes a moving average, which is hardly more
        # than the range of the first.
        of_images = [
            quantizer.calibrate({SIGNATURE: [{INPUT: image[None]}]}, num_threads=2)
            for image in images
        ]
    return Ranges(_merged(of_images, np.min, np.max), _merged(of_images, np.mean, np.mean))


def _merged(of_images, least, largest):
    return {
        name: {
            "min": least([each[name]["min"] for each in of_images], axis=0),
            "max": largest([each[name]["max"] for each in of_images], axis=0),
        }
        for name in of_images[0]
    }


def by_rules(model, rules, ranges=None):
    """A float32 .tflite with some of its operators in fewer bits.

    Args:
        model: the bytes of the file.
        rules: `Rule`s.
        ranges: one of `Ranges`; for rules that set the bits of activations.

    Returns:
        The bytes of another file.

    Raises:
        ImportError: ai-edge-quantizer is not installed.
    """
    quantizer = _quantizer(model, rules)
    with _silent():
        return bytes(quantizer.quantize(ranges, enable_progress_report=False).quantized_model)


def check_installed():
    """Raises an ImportError that names the extra if ai-edge-quantizer is missing."""
    required("ai_edge_quantizer", "litert", "This quantization needs")


def _quantizer(model, rules):
    check_installed()
    from ai_edge_quantizer import qtyping
    from ai_edge_quantizer.quantizer import AlgorithmName, Quantizer

    quantizer = Quantizer(bytearray(model))
    for rule in rules:
        for name in map(qtyping.TFLOperationName, rule.operators):
            if rule.weights is None:
                quantizer.update_quantization_recipe(
                    rule.within, name, algorithm_key=AlgorithmName.NO_QUANTIZE
                )
            elif rule.activations is None:
                quantizer.add_dynamic_config(rule.within, name, rule.weights)
            else:
                quantizer.add_static_config(rule.within, name, rule.activations, rule.weights)
    return quantizer


@contextlib.contextmanager
def _silent():
    """Silences its progress bars and LiteRT's note that all tensors are kept."""
    with quiet(), contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
