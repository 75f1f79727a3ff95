"""Quantization recipes, and how one is chosen by measurement.

| quantization | |
|---|---|
| `none` | float32 |
| `float16` | weights in float16; computed in float32, or in float16 by GPUs |
| `dynamic` | weights in int8; convolutions round their inputs to int8, by their range |
| `int8` | integer arithmetic with ranges measured beforehand, as NPUs want it |
| `auto` | the smallest of: some weights in 4 bits; `dynamic`; `float16`; `none` that looks right |

The first recipe that looks right is used. Those of `dynamic` and `int8` are ordered from the
fewest to the most bits, with float32 last; those of `auto` from the smallest to the largest. If
none looks right, the one whose worst image is best is used.

The last convolution, which produces the image, may be kept in more bits than the rest: it has few
weights, and its inputs are large. (The paper's generator after 200 steps on photographs: the
largest is 70 times the root mean square; 40 dB with int8 everywhere, 49 with int8 elsewhere.)
"""

import dataclasses
import re
from collections.abc import Callable

from cyclegan_tf.exporting.tflite.conversion import converted
from cyclegan_tf.exporting.tflite.equalization import CONVOLUTION_LAYERS, equalized, layer_name
from cyclegan_tf.exporting.tflite.gptq import fewest_bits
from cyclegan_tf.exporting.tflite.interpreter import translated
from cyclegan_tf.exporting.tflite.quantizer import ANY, Rule, by_rules, measured_ranges
from cyclegan_tf.exporting.tflite.report import agreement
from cyclegan_tf.keras_internals import node_before, operation_before
from cyclegan_tf.networks.kernels import portable_kernels

NEED_OWN_IMAGES = ("int8", "auto")  # of the kind that will be translated

# What looks right: PSNR against Keras in decibels, the mean over images and the worst image.
_LEAST = {
    "dynamic": {"worst_db": 45},
    "int8": {"mean_db": 38, "worst_db": 34},
    "auto": {"worst_db": 34},
}
_JUDGED = 4  # images that a recipe is chosen with

_SIZE_OF_FOUR_BITS = 0.17  # of float32, at most, for the weights

_CONVOLUTION = ("CONV_2D", "CONV_2D_TRANSPOSE", "DEPTHWISE_CONV_2D")
_NORMALIZATION = ("MEAN", "SUB", "MUL", "ADD", "RSQRT")
_ENDS = ("INPUT", "OUTPUT")


class Material:
    """What recipes work on.

    Args:
        network: a Keras generator in float32.
        size: `(height, width)` of the file's images, or `(None, None)`.
        images: `Representative`, or `None`.
    """

    def __init__(self, network, size, images=None):
        self.network = network
        self.size = size
        self.images = images
        self._kept = {}

    def expected(self, images):
        """What Keras makes of images, with the operators that are in the file.

        TensorFlow's fused normalization, which is faster there, rounds more: on the flat colors
        of label maps an untrained generator for 256 x 256 was 1e-3 away from these operators.
        """
        with portable_kernels():
            return self.network.predict(images, batch_size=1, verbose=0)

    @property
    def float_model(self):
        return self._once("float", lambda: converted(equalized(self.network), self.size))

    @property
    def float_model_of_even_ranges(self):
        """The same network, rescaled by the outputs of its convolutions on the images."""
        return self._once(
            "even",
            lambda: converted(equalized(self.network, self.images.calibration), self.size),
        )

    @property
    def ranges(self):
        return self._once(
            "ranges",
            lambda: measured_ranges(self.float_model_of_even_ranges, self.images.calibration),
        )

    def _once(self, name, make):
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """`make` turns a `Material` into the bytes of a file."""

    name: str
    arithmetic: str
    make: Callable[[Material], bytes]


@dataclasses.dataclass(frozen=True)
class Quantized:
    """A file and its recipe; `tried` has a row for each recipe that was measured."""

    model: bytes
    recipe: Recipe
    tried: list


def quantized(quantization, material):
    """The file with a quantization.

    Args:
        quantization: of `choices.QUANTIZATIONS`.
        material: a `Material`, with images for those of `CHOSEN_BY_IMAGES`.

    Returns:
        A `Quantized`.

    Raises:
        ImportError: the extra `litert` is needed and not installed.
    """
    recipes = _RECIPES[quantization]
    if len(recipes) == 1:
        return Quantized(recipes[0].make(material), recipes[0], [])
    images = material.images.calibration[:_JUDGED]
    expected = material.expected(images)
    models, tried = [], []
    for recipe in recipes:
        models.append(recipe.make(material))
        measured = agreement(translated(models[-1], images), expected)
        row = {"recipe": recipe.name, "mean_db": measured["mean_db"]}
        row |= {"worst_db": measured["worst_db"], "size_bytes": len(models[-1])}
        tried.append(row)
        if all(row[name] >= least for name, least in _LEAST[quantization].items()):
            break
    else:
        best = max(range(len(recipes)), key=lambda number: tried[number]["worst_db"])
        return Quantized(models[best], recipes[best], tried)
    return Quantized(models[-1], recipe, tried)


def _dynamic(last=None):
    """A recipe with dynamic ranges, one per image."""
    return lambda material: by_rules(
        material.float_model, [Rule(_CONVOLUTION), *_for_last(last, material)]
    )


def _four_bits(material):
    network, names = fewest_bits(
        material.network,
        material.images.calibration,
        _SIZE_OF_FOUR_BITS,
        left_out=_last_convolutions(material.network),
    )
    rules = [
        Rule(_CONVOLUTION),
        Rule(("CONV_2D",), weights=4, within=_outputs_of(names)),
        *_for_last(_IN_FLOAT, material),
    ]
    return by_rules(converted(equalized(network), material.size), rules)


def _static(*rules, last=None, ranges="usual"):
    """A recipe with measured ranges, and float32 at the ends of the network."""

    def make(material):
        all_rules = [*rules, *_for_last(last, material), Rule(_ENDS, weights=None)]
        measured = getattr(material.ranges, ranges)
        return by_rules(material.float_model_of_even_ranges, all_rules, measured)

    return make


def _for_last(rule, material):
    """A rule, if one is given, for only the last convolutions."""
    names = _last_convolutions(material.network)
    if rule is None or not names:
        return []
    # An output of the network is not named after its layer.
    within = rf"{_outputs_of(names)}|^StatefulPartitionedCall(_\d+)?:"
    return [dataclasses.replace(rule, within=within)]


def _last_convolutions(network):
    """Names of the convolutions with no other convolution on the way to the output."""
    names, ends, seen = [], [network.output], set()
    while ends:
        operation = operation_before(tensor := ends.pop())
        if isinstance(operation, CONVOLUTION_LAYERS):
            names.append(operation.name)
        elif operation not in seen:
            seen.add(operation)
            ends += node_before(tensor).input_tensors
    return sorted(set(names))


def _outputs_of(names):
    """An expression for the outputs of layers in a file of an `equalized` network."""
    return "/(" + "|".join(re.escape(layer_name(name)) for name in names) + r")(_\d+)?/"


_IN_FLOAT = Rule(_CONVOLUTION, weights=None)
_IN_INT16 = Rule(_CONVOLUTION, activations=16)
_NONE = Recipe("float32", "float32", lambda material: material.float_model)
_FLOAT16 = Recipe(
    "float16 weights",
    "float32, or float16 where a GPU computes in it",
    lambda material: converted(equalized(material.network), material.size, float16=True),
)
_DYNAMIC = (
    Recipe(
        "int8 weights, dynamic ranges",
        "int8 within convolutions, by the range of each image; float32 between them",
        _dynamic(),
    ),
    Recipe(
        "int8 weights, dynamic ranges, the last convolution in float32",
        "int8 within convolutions but the last, by the range of each image; the rest in float32",
        _dynamic(last=_IN_FLOAT),
    ),
)
_FOUR_BITS = Recipe(
    "4-bit and int8 weights, dynamic ranges",
    "int8 and 4 bits within convolutions but the last, by the range of each image; the rest in "
    "float32",
    _four_bits,
)
_INT8 = Rule((ANY,), activations=8)
_INTEGER = (
    Recipe("int8", "int8 throughout", _static(_INT8)),
    Recipe(
        "int8, normalization in int16",
        "int8; what normalizations, sums of branches, the last convolution and the tanh compute in "
        "int16",
        _static(_INT8, Rule((*_NORMALIZATION, "TANH"), activations=16), last=_IN_INT16),
    ),
    Recipe(
        "int8 weights, the rest in int16",
        "int16 throughout, but weights in int8",
        _static(Rule((ANY,), activations=16), ranges="widest"),
    ),
    Recipe(
        "int8 convolutions, the rest in float32",
        "int8 within convolutions but the last; float32 between them",
        _static(Rule(_CONVOLUTION, activations=8), last=_IN_FLOAT),
    ),
)
_RECIPES = {
    "none": (_NONE,),
    "float16": (_FLOAT16,),
    "dynamic": _DYNAMIC,
    "int8": _INTEGER,
    "auto": (_FOUR_BITS, *_DYNAMIC, _FLOAT16, _NONE),
}

CHOSEN_BY_IMAGES = tuple(name for name, recipes in _RECIPES.items() if len(recipes) > 1)
