"""Scores of a trained model on held-back images."""

import dataclasses
import importlib.metadata
import json
import platform

import numpy as np

from cyclegan_tf import metrics
from cyclegan_tf.directions import direction_among, from_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.held_out import HeldOut, of_dataset
from cyclegan_tf.runs.measures import Translated, chosen, measures_of


@dataclasses.dataclass(frozen=True)
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
class DirectionEvaluation:
    """One direction of an `Evaluation`.

    Attributes:
        translated: `Translated`, the images.
        results: `Score` by the name of the measure.
        alarms: signs of a failed training, as `cyclegan_tf.metrics.alarms` returns them.
    """

    translated: Translated
    results: dict
    alarms: list

    def as_dictionary(self):
        """Scores and alarms as JSON values; a score that is no number is `None`."""
        errors = {name: each.standard_error for name, each in self.results.items()}
        return {
            "scores": {
                name: each.value if np.isfinite(each.value) else None
                for name, each in self.results.items()
            },
            "standard_errors": {name: value for name, value in errors.items() if value is not None},
            "alarms": [alarm._asdict() for alarm in self.alarms],
        }


@dataclasses.dataclass(frozen=True)
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

    def as_json(self):
        """Scores, alarms and protocol as JSON."""
        content = {each: found.as_dictionary() for each, found in self.directions.items()}
        return json.dumps({**content, "protocol": self.protocol}, indent=2) + "\n"


def evaluate(model, images, *, direction=None, measures=None, extractor=None, seed=0):
    """Scores a model on images that it was not trained on.

    Args:
        model: a `System` or a `Translator`.
        images: a data set of `(image_a, image_b)`, such as `cyclegan_tf.data.folders(root,
            split="test")` or `cyclegan_tf.data.scenes(split="test", paired=True)`; or `HeldOut`
            images. If they are paired, translations are compared with the true images.
        direction: `"ab"` or `"ba"`; all directions of the model if `None`.
        measures: their names; by default all that the images allow. `docs/metrics.md` explains
            each.
        extractor: of features, for distances between sets of images; see
            `cyclegan_tf.runs.extractors.extractor`. Without one, these are left out.
        seed: of what measures draw.

    Returns:
        An `Evaluation`.

    Raises:
        InputError: there are no images, or they have different sizes; the model lacks the
            direction; there is no such measure, or the images do not allow it.
    """
    held_out = images if isinstance(images, HeldOut) else of_dataset(images)
    directions = directions_of(model)
    if direction is not None:
        directions = (direction_among(directions, direction),)
    wanted = chosen(measures_of(extractor), measures)
    translated = {each: _translated(model, held_out, each, extractor, seed) for each in directions}
    if measures:
        _check_possible(wanted, translated.values())
    evaluated = {
        each: DirectionEvaluation(
            images,
            _results(wanted, images),
            metrics.alarms(images.inputs, images.outputs, images.reals),
        )
        for each, images in translated.items()
    }
    known = {each.name: each for each in wanted}
    return Evaluation(evaluated, known, _protocol(model, held_out, extractor, seed))


def directions_of(model):
    """The directions of a `System`, or of a `Translator`."""
    return getattr(model, "directions", None) or tuple(model.generators)


def _translated(model, held_out, direction, extractor, seed):
    """The images of one direction."""
    outputs = model.translate(held_out.images[from_domain(direction)], direction)
    back = direction[::-1]
    returned = model.translate(outputs, back) if back in directions_of(model) else None
    return Translated(held_out, direction, outputs, returned, extractor, seed)


def _check_possible(wanted, translated):
    """Raises an `InputError` for a measure that can be taken in no direction."""
    for measure in wanted:
        missing = [measure.missing(images) for images in translated]
        if all(missing):
            needed = " and ".join(_NEEDS[need] for need in missing[0])
            raise InputError(f"{measure.name} needs {needed}.")


def _results(wanted, translated):
    """`Score` by name, of the measures that can be taken."""
    possible = [measure for measure in wanted if not measure.missing(translated)]
    return {measure.name: _score(measure.compute(translated)) for measure in possible}


_NEEDS = {
    "classes": "label maps whose true classes are known, as scenes have",
    "truth": "paired images",
    "large": "images of at least 16 pixels",
    "back": "a model that translates both ways",
    "many": "at least 4 images of each domain",
}


def _score(value):
    if isinstance(value, metrics.KernelDistance):
        return Score(value.distance, value.standard_error)
    return Score(float(np.mean(value)), per_image=value if np.ndim(value) else None)


_PACKAGES = ("cyclegan-tf", "tensorflow", "keras")


def _protocol(model, held_out, extractor, seed):
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
        "seed": seed,
        "model": type(model).__name__,
        "versions": {
            **{name: importlib.metadata.version(name) for name in _PACKAGES},
            "python": platform.python_version(),
        },
    }
