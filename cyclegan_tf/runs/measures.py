"""The measures of an evaluation: what each needs, and how a table names it."""

import dataclasses
import warnings
from collections.abc import Callable

import numpy as np

from cyclegan_tf import metrics
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.translated import without_alpha

_LEAST_SIDE = 16  # of the smallest level of `metrics.sliced_wasserstein`
_LEAST_COUNT = 4  # of `metrics.kernel_distance`
_BATCH = 32  # images whose maps are kept at a time


@dataclasses.dataclass(frozen=True, eq=False)
class Score:
    """What one measure found.

    Attributes:
        value: a mean over images where there is a number for each.
        standard_error: of measures that estimate it, else `None`.
        per_image: float array `(count,)`, or `None`.
    """

    value: float
    standard_error: float | None = None
    per_image: np.ndarray | None = None


@dataclasses.dataclass(frozen=True)
class Need:
    """What a measure needs.

    Attributes:
        met: from `Translated`, of which it computes nothing, to whether it is there.
        sentence: what it is, after "needs".
    """

    met: Callable
    sentence: str


_CLASSES = Need(lambda t: t.classes is not None, "label maps whose true classes are known")
_DEPICTED = Need(
    lambda t: t.depicted is not None, "label maps to translate from whose classes are known"
)
_SEGMENTER = Need(lambda t: t.segmenter is not None, "a segmenter: --segmenter")
_TRUTH = Need(lambda t: t.truth is not None, "paired images")
_BOTH_WAYS = Need(lambda t: t.returns, "a model that translates both ways")
_MANY = Need(
    lambda t: min(len(t.inputs), len(t.reals)) >= _LEAST_COUNT,
    f"at least {_LEAST_COUNT} images of each domain",
)
_LARGE = Need(
    lambda t: min(t.inputs.shape[1:3]) >= _LEAST_SIDE, f"images of at least {_LEAST_SIDE} pixels"
)
_ONE_SIZE = Need(
    lambda t: t.inputs.shape[1:3] == t.reals.shape[1:3], "images of one size in both domains"
)
_COLORS = Need(
    lambda t: {t.inputs.shape[-1], t.reals.shape[-1]} <= {1, 3, 4}, "images of 1, 3 or 4 channels"
)


@dataclasses.dataclass(frozen=True)
class Measure:
    """One measure.

    Attributes:
        name: in tables and files.
        compute: from `Translated` to an array with a number for each image, to a number, or to a
            number and its standard error.
        needs: `Need`s.
        best: `"high"` or `"low"`.
        meaning: with unit and range, in a line.
    """

    name: str
    compute: Callable
    needs: tuple[Need, ...]
    best: str
    meaning: str

    def missing(self, translated):
        """The `Need`s that are not met."""
        return [need for need in self.needs if not need.met(translated)]

    @property
    def finds_classes(self):
        """Whether it finds classes in an image: then even the true image may score badly."""
        return bool({_CLASSES, _SEGMENTER} & set(self.needs))


def measures_of(distance_names=None, has_maps=False):
    """All measures that there are with an extractor of features.

    Args:
        distance_names: of the extractor, `(Fréchet, kernel)`; `None` without one.
        has_maps: whether it gives maps.
    """
    of_sets = []
    if distance_names is not None:
        frechet, kernel = distance_names
        of_sets = [
            Measure(kernel, _kernel, (_MANY, _COLORS), "low",
                    "kernel distance of outputs and real images; about 0 if the sets are alike"),
            Measure(frechet, _frechet, (_MANY, _COLORS), "low",
                    "Fréchet distance of outputs and real images; larger for fewer images"),
        ]  # fmt: skip
    return [*of_sets, *(_OF_MAPS if has_maps else ()), *_PLAIN]


def _kernel(translated):
    count = min(len(translated.outputs), len(translated.reals))
    size = max(2, min(1000, count // 2))
    return metrics.kernel_distance(*translated.features, subset_size=size, seed=translated.seed)


def _frechet(translated):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # see `note_of_counts`
        return metrics.frechet_distance(*translated.features)


def _of_maps(distance, images):
    """A distance of the maps of two sets, with few maps in memory."""

    def compute(translated):
        first, second = (without_alpha(each) for each in images(translated))
        maps = translated.extractor.maps
        return np.concatenate(
            [
                distance(maps(first[start : start + _BATCH]), maps(second[start : start + _BATCH]))
                for start in range(0, len(first), _BATCH)
            ]
        )

    return compute


def _cycle_error(translated):
    difference = translated.inputs.astype(np.float32) - translated.back
    return np.abs(difference).mean((1, 2, 3))


def _sliced_wasserstein(translated):
    count = min(len(translated.outputs), len(translated.reals))
    sets = (images[:count] for images in (translated.outputs, translated.reals))
    return metrics.sliced_wasserstein(*sets, seed=translated.seed).mean


_structure = _of_maps(metrics.self_similarity_distance, lambda t: (t.inputs, t.outputs))
_perceptual = _of_maps(metrics.perceptual_distance, lambda t: (t.truth, t.outputs))

_OF_MAPS = [
    Measure("structure", _structure, (_COLORS,), "low",
            "difference of the self-similarity of input and output, 0 to 2"),
    Measure("perceptual", _perceptual, (_TRUTH, _COLORS), "low",
            "distance of features from those of the true image, 0 to 4"),
]  # fmt: skip
SEGMENTED = [
    Measure("segmented_per_pixel", lambda t: (t.segmented == t.depicted.truth).mean((1, 2)),
            (_DEPICTED, _SEGMENTER), "high",
            "share of pixels in which a segmenter of photographs finds the true class"),
    Measure("segmented_per_class", lambda t: t.segmented_scores["per_class"],
            (_DEPICTED, _SEGMENTER), "high",
            "that share within each class, averaged over classes"),
    Measure("segmented_iou", lambda t: t.segmented_scores["iou"], (_DEPICTED, _SEGMENTER), "high",
            "intersection over union of what it finds, averaged over classes"),
]  # fmt: skip
_PLAIN = [
    # All images have one size, so the mean of the shares is the share of all pixels.
    Measure("per_pixel", lambda t: (t.predicted == t.classes.truth).mean((1, 2)), (_CLASSES,),
            "high", "share of pixels whose nearest class color is the true one"),
    Measure("per_class", lambda t: t.label_scores["per_class"], (_CLASSES,), "high",
            "that share within each class, averaged over classes"),
    Measure("iou", lambda t: t.label_scores["iou"], (_CLASSES,), "high",
            "intersection over union, averaged over classes"),
    *SEGMENTED,
    Measure("psnr", lambda t: metrics.psnr(t.truth, t.outputs), (_TRUTH, _ONE_SIZE), "high",
            "peak signal-to-noise ratio to the true image, in dB"),
    Measure("ssim", lambda t: metrics.ssim(t.truth, t.outputs), (_TRUTH, _ONE_SIZE, _LARGE),
            "high", "structural similarity to the true image, at most 1"),
    Measure("edge_agreement", lambda t: metrics.edge_agreement(t.inputs, t.outputs), (_LARGE,),
            "high", "correlation of the edges of input and output, -1 to 1"),
    Measure("cycle_error", _cycle_error, (_BOTH_WAYS,), "low",
            "mean difference of images translated there and back, in 8-bit values"),
    Measure("sliced_wasserstein", _sliced_wasserstein, (_LARGE, _ONE_SIZE), "low",
            "sliced Wasserstein distance of patches of the two sets, times 1000"),
]  # fmt: skip


def chosen(measures, names):
    """The measures of these names; all if `None`.

    Raises:
        InputError: there is no measure of a name, or `names` is none of names.
    """
    if names is None:
        return measures
    if isinstance(names, str) or not names:
        raise InputError(f"measures must be a list of names. Received: {names!r}")
    known = {each.name: each for each in measures}
    for name in names:
        if name in ("fid", "kid") and name not in known:
            raise InputError(f"{name} needs the Inception of 2015: --inception FILE.")
        if name not in known:
            raise InputError(
                f"{name!r} is no measure of this evaluation; expected some of {', '.join(known)}."
            )
    return [known[name] for name in names]


def check_possible(wanted, translated):
    """Raises an `InputError` for a measure that can be taken in no direction."""
    for measure in wanted:
        missing = [measure.missing(images) for images in translated.values()]
        if all(missing):
            raise InputError(f"{measure.name} needs {missing[0][0].sentence}.")


def scores_of(wanted, translated):
    """`Score`s by name, of the measures that can be taken."""
    return {
        measure.name: _score(measure.compute(translated))
        for measure in wanted
        if not measure.missing(translated)
    }


def _score(value):
    if isinstance(value, metrics.KernelDistance):
        return Score(value.distance, value.standard_error)
    return Score(float(np.mean(value)), per_image=value if np.ndim(value) else None)


def values_of(scores):
    """Values of `Score`s by name, for JSON; one that is no number is `None`."""
    return {
        name: score.value if np.isfinite(score.value) else None for name, score in scores.items()
    }
