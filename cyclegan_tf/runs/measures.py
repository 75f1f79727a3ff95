"""The measures of an evaluation: what each needs, and how a table names it."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from cyclegan_tf import metrics
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.held_out import HeldOut, without_alpha

_LEAST_SIDE = 16  # of the smallest level of `metrics.sliced_wasserstein`
_LEAST_COUNT = 4  # of `metrics.kernel_distance`


@dataclasses.dataclass(frozen=True)
class Translated:
    """What one direction of a model makes of held-back images.

    All images are uint8 `(count, height, width, channels)`.

    Attributes:
        held_out: the real images, `HeldOut`.
        direction: `"ab"` or `"ba"`.
        outputs: translations of the images that the direction takes.
        back: these translated back; `None` if the model has one direction.
        extractor: of `cyclegan_tf.runs.extractors`, or `None`.
        seed: of what measures draw.
    """

    held_out: HeldOut
    direction: str
    outputs: np.ndarray
    back: np.ndarray | None = None
    extractor: object = None
    seed: int = 0

    @property
    def inputs(self):
        """Real images of the domain that is translated from."""
        return self.held_out.images[from_domain(self.direction)]

    @property
    def reals(self):
        """Real images of the domain that is translated to."""
        return self.held_out.images[to_domain(self.direction)]

    @property
    def truth(self):
        """For each input the image that its translation should be; `None` if unknown."""
        return self.reals if self.held_out.paired else None

    @property
    def classes(self):
        """`Classes` if the outputs should be label maps of known truth, else `None`."""
        known = self.held_out.classes
        of_outputs = known and known.domain == to_domain(self.direction)
        return known if of_outputs and self.held_out.paired else None

    @property
    def large(self):
        """True if all measures of neighborhoods can be taken, else `None`."""
        return True if min(self.outputs.shape[1:3]) >= _LEAST_SIDE else None

    @property
    def many(self):
        """True if there are images enough for distances between sets, else `None`."""
        return True if min(len(self.inputs), len(self.reals)) >= _LEAST_COUNT else None

    # Measures share what takes long.

    @functools.cached_property
    def predicted(self):
        """The class of each pixel of the outputs."""
        return metrics.nearest_class(self.outputs, self.classes.colors)

    @functools.cached_property
    def output_features(self):
        return self.extractor.features(without_alpha(self.outputs))

    @functools.cached_property
    def output_maps(self):
        return self.extractor.maps(without_alpha(self.outputs))

    @functools.cached_property
    def kernel(self):
        return metrics.kernel_distance(self.output_features, self.real_features, seed=self.seed)

    @functools.cached_property
    def structure(self):
        return metrics.self_similarity_distance(self.input_maps, self.output_maps)

    @property
    def real_features(self):
        return self.held_out.features(to_domain(self.direction), self.extractor)

    @property
    def input_maps(self):
        return self.held_out.maps(from_domain(self.direction), self.extractor)

    @property
    def real_maps(self):
        return self.held_out.maps(to_domain(self.direction), self.extractor)


@dataclasses.dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        name: in tables and files.
        compute: from `Translated` to an array with a number for each image, to a number, or to a
            number and its standard error.
        needs: attributes of `Translated` that must be known.
        best: `"high"` or `"low"`.
        meaning: with unit and range, in a line.
    """

    name: str
    compute: Callable
    needs: tuple[str, ...]
    best: str
    meaning: str

    def missing(self, translated):
        """What it needs and is not known."""
        return [need for need in self.needs if getattr(translated, need) is None]


def measures_of(extractor):
    """All measures; distances between sets are named after the extractor.

    Args:
        extractor: of `cyclegan_tf.runs.extractors`; `None` leaves out what needs features.
    """
    if extractor is None:
        return _PLAIN
    frechet, kernel = extractor.distance_names
    of_sets = [
        Measure(kernel, lambda t: t.kernel, ("many",), "low",
                "kernel distance of outputs and real images; about 0 if the sets are alike"),
        Measure(frechet, _frechet, ("many",), "low",
                "Fréchet distance of outputs and real images; larger for fewer images"),
    ]  # fmt: skip
    return [*of_sets, *(_OF_MAPS if extractor.has_maps else ()), *_PLAIN]


def _frechet(translated):
    return metrics.frechet_distance(translated.output_features, translated.real_features)


def _perceptual(translated):
    return metrics.perceptual_distance(translated.real_maps, translated.output_maps)


_OF_MAPS = [
    Measure("structure", lambda t: t.structure, (), "low",
            "difference of the self-similarity of input and output"),
    Measure("perceptual", _perceptual, ("truth",), "low",
            "distance of features from those of the true image"),
]  # fmt: skip


def _label_scores(name):
    def compute(translated):
        truth, classes = translated.classes.truth, len(translated.classes.colors)
        return metrics.segmentation_scores(truth, translated.predicted, classes)[name]

    return compute


def _right_pixels(translated):
    """The share of right pixels of each image; as all have one size, their mean is that of all."""
    return (translated.predicted == translated.classes.truth).mean((1, 2))


def _cycle_error(translated):
    difference = translated.inputs.astype(np.float32) - translated.back
    return np.abs(difference).mean((1, 2, 3))


def _sliced_wasserstein(translated):
    count = min(len(translated.outputs), len(translated.reals))
    sets = (images[:count] for images in (translated.outputs, translated.reals))
    return metrics.sliced_wasserstein(*sets, seed=translated.seed).mean


_PLAIN = [
    Measure("per_pixel", _right_pixels, ("classes",), "high",
            "share of pixels whose nearest class color is the true one"),
    Measure("per_class", _label_scores("per_class"), ("classes",), "high",
            "that share within each class, averaged over classes"),
    Measure("iou", _label_scores("iou"), ("classes",), "high",
            "intersection over union, averaged over classes"),
    Measure("psnr", lambda t: metrics.psnr(t.truth, t.outputs), ("truth",), "high",
            "peak signal-to-noise ratio to the true image, in dB"),
    Measure("ssim", lambda t: metrics.ssim(t.truth, t.outputs), ("truth", "large"), "high",
            "structural similarity to the true image, at most 1"),
    Measure("edge_agreement", lambda t: metrics.edge_agreement(t.inputs, t.outputs), (), "high",
            "correlation of the edges of input and output, -1 to 1"),
    Measure("cycle_error", _cycle_error, ("back",), "low",
            "mean difference of images translated there and back, in 8-bit values"),
    Measure("sliced_wasserstein", _sliced_wasserstein, ("large",), "low",
            "sliced Wasserstein distance of patches of the two sets, times 1000"),
]  # fmt: skip


def chosen(measures, names):
    """The measures of these names; all if there are none.

    Raises:
        InputError: there is no measure of a name.
    """
    known = {each.name: each for each in measures}
    for name in names or ():
        if name not in known:
            raise InputError(
                f"{name!r} is no measure of this evaluation; expected some of {', '.join(known)}."
            )
    return [known[name] for name in names] if names else measures
