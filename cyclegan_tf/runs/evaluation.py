"""Scores of a trained model on held-back images."""

import dataclasses
import importlib.metadata
import json
import platform

import numpy as np

from cyclegan_tf import metrics
from cyclegan_tf.errors import InputError
from cyclegan_tf.pixels import to_float
from cyclegan_tf.runs.baselines import baselines as baselines_of
from cyclegan_tf.runs.held_out import HeldOut, of_dataset
from cyclegan_tf.runs.measures import (
    check_possible,
    chosen,
    measures_of,
    scores_of,
    values_of,
)
from cyclegan_tf.runs.segmenter import Segmenter
from cyclegan_tf.runs.translated import Translated, translated_by

_MANY_IMAGES = 1000  # of the subsets that published kernel distances have


@dataclasses.dataclass(frozen=True, eq=False)
class DirectionEvaluation:
    """One direction of an `Evaluation`.

    Attributes:
        translated: `Translated`, the images.
        results: `Score` by the name of the measure.
        alarms: signs of a failed training, as `cyclegan_tf.metrics.alarms` returns them.
        baselines: what to compare the results with, as `cyclegan_tf.runs.baselines` makes it.
    """

    translated: Translated
    results: dict
    alarms: list
    baselines: dict = dataclasses.field(default_factory=dict)

    def as_dictionary(self):
        """Scores, baselines and alarms as JSON values; a score that is no number is `None`."""
        errors = {name: each.standard_error for name, each in self.results.items()}
        return {
            "scores": values_of(self.results),
            "baselines": {name: values_of(scores) for name, scores in self.baselines.items()},
            "standard_errors": {
                name: value
                for name, value in errors.items()
                if value is not None and np.isfinite(value)
            },
            "alarms": [alarm._asdict() for alarm in self.alarms],
        }


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` found.

    Attributes:
        directions: `{"ab": DirectionEvaluation, …}`.
        measures: the `Measure`s by name.
        protocol: how the scores were measured, as JSON values.
    """

    directions: dict
    measures: dict
    protocol: dict

    @property
    def scores(self):
        """`{direction: {measure: number}}`."""
        return {
            direction: {name: each.value for name, each in found.results.items()}
            for direction, found in self.directions.items()
        }

    @property
    def note(self):
        """A sentence on what few images do to distances between sets; empty if there are many."""
        count = min(images["count"] for images in self.protocol["images"].values())
        if self.protocol["extractor"] is None or count >= _MANY_IMAGES:
            return ""
        return (
            f"{count} images are few for distances between sets: read the kernel distance "
            "with its standard error, and compare the Fréchet distance only with those of as many "
            "images."
        )

    def as_json(self):
        """Scores, baselines, alarms and protocol as JSON."""
        content = {each: found.as_dictionary() for each, found in self.directions.items()}
        return json.dumps({**content, "protocol": self.protocol}, indent=2) + "\n"


def evaluate(
    model,
    images,
    *,
    direction=None,
    measures=None,
    extractor=None,
    segmenter=None,
    baselines=True,
    seed=0,
    progress=None,
):
    """Scores a model on images that it was not trained on.

    Args:
        model: a `System` or a `Translator`.
        images: a data set of `(image_a, image_b)`, such as `cyclegan_tf.data.folders(root,
            split="test")` or `cyclegan_tf.data.scenes(split="test", paired=True)`; or
            `cyclegan_tf.HeldOut` images. If they are paired, translations are compared with the
            true images.
        direction: `"ab"` or `"ba"`; all directions of the model if `None`.
        measures: a list of their names; by default all that the images allow. `docs/metrics.md`
            explains each.
        extractor: of features, as `cyclegan_tf.extractor` makes them. Without one, the Fréchet
            and kernel distances, `structure` and `perceptual` are left out.
        segmenter: of photographs, as `cyclegan_tf.segmenter` makes them. With one, photographs
            made of label maps whose classes are known are scored by the classes found in them.
        baselines: score what needs no model too, to compare with; see `docs/evaluate.md`.
        seed: of what measures draw.
        progress: called again and again with a direction, the images that were translated so far,
            and their number.

    Returns:
        An `Evaluation`.

    Raises:
        InputError: there are no images, or they have different sizes or values out of range; the
            model lacks the direction; there is no such measure, or the images do not allow it; the
            segmenter is one of other images, or was trained on these.
    """
    if not hasattr(model, "translate"):
        raise InputError(
            "model must be a system or a Translator, such as cyclegan_tf.load gives. "
            f"Received: {type(model).__name__}"
        )
    check_extractor(extractor)
    held_out = images if isinstance(images, HeldOut) else of_dataset(images)
    known = measures_of(*((extractor and (extractor.distance_names, extractor.has_maps)) or ()))
    wanted = chosen(known, measures)
    translated = translated_by(
        model,
        held_out,
        direction,
        extractor=extractor,
        segmenter=segmenter,
        seed=seed,
        progress=progress,
    )
    if segmenter is not None:
        _check_segmenter(segmenter, translated.values())
    if measures is not None:
        check_possible(wanted, translated)
    return Evaluation(
        {each: _evaluated(wanted, translated[each], baselines) for each in translated},
        {each.name: each for each in wanted},
        _protocol(model, held_out, extractor, segmenter, seed),
    )


def check_extractor(extractor):
    """Raises an `InputError` for what is neither `None` nor an extractor."""
    if extractor is not None and not hasattr(extractor, "distance_names"):
        raise InputError(
            "extractor must be one of cyclegan_tf.extractor, which takes a Keras model too. "
            f"Received: {type(extractor).__name__}"
        )


def _check_segmenter(segmenter, translated):
    """Raises an `InputError` if it fits no direction, or knows the images."""
    if not isinstance(segmenter, Segmenter):
        raise InputError(
            f"segmenter must be one of cyclegan_tf.segmenter. Received: {type(segmenter).__name__}"
        )
    to_photographs = [each for each in translated if each.depicted is not None]
    if not to_photographs:
        raise InputError(
            "A segmenter is for photographs that are made of label maps of known classes, and no "
            "direction of this evaluation makes them."
        )
    for each in to_photographs:
        expected = len(each.depicted.colors), each.reals.shape[-1]
        if expected != (segmenter.classes, segmenter.channels):
            raise InputError(
                f"The segmenter must know {expected[0]} classes in photographs of {expected[1]} "
                f"channels. Received: {segmenter.classes} classes, {segmenter.channels} channels"
            )
        segmenter.check_unseen(each.reals)


def _evaluated(wanted, translated, with_baselines):
    """The measures of one direction that can be taken."""
    of_one_shape = translated.outputs.shape[1:] == translated.reals.shape[1:]
    return DirectionEvaluation(
        translated,
        scores_of(wanted, translated),
        metrics.alarms(
            to_float(translated.inputs),
            translated.floats,
            to_float(translated.reals) if of_one_shape else None,
        ),
        baselines_of(translated, wanted) if with_baselines else {},
    )


_PACKAGES = ("cyclegan-tf", "tensorflow", "keras")


def _protocol(model, held_out, extractor, segmenter, seed):
    return {
        "images": {
            domain: {"count": len(images), "shape": list(images.shape[1:])}
            for domain, images in held_out.images.items()
        },
        "paired": held_out.paired,
        "extractor": extractor
        and {
            "name": extractor.name,
            "checksum": extractor.checksum,
            "image_size": extractor.image_size,
            "resizing": extractor.resizing,
        },
        "segmenter": segmenter
        and {"checksum": segmenter.checksum, "photographs": len(segmenter.trained_on)},
        "seed": seed,
        "model": type(model).__name__,
        "versions": {
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
            "python": platform.python_version(),
        },
    }
