"""The failures that are looked for, each with what mends it or what it does not happen without."""

import dataclasses
import functools
from collections.abc import Callable

from cyclegan_tf.experiments import failing_domains, failure_scores


@dataclasses.dataclass(frozen=True)
class Variant:
    """One way to train.

    Attributes:
        name: part of file names.
        label: in tables.
        draw: `(rng, size, domain) -> (image, classes)`.
        options: of the run.
    """

    name: str
    label: str
    draw: Callable
    options: dict = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Failure:
    """A failure to look for.

    Attributes:
        name: part of file names.
        title: a heading.
        why: sentences on the domains and on what is expected of them.
        variants: of the training; the failure is expected of the first one.
        score: a function of `failure_scores`.
        seen: from `{direction: scores}` to whether a training shows the failure.
        seen_if: `seen` in words, after "It counts as seen if".
        found_by: what tells it where no alarm does, a sentence.
        size: side of the images, in pixels.
    """

    name: str
    title: str
    why: str
    variants: tuple[Variant, ...]
    score: Callable
    seen: Callable
    seen_if: str
    found_by: str
    size: int = 32


# Discriminators of 16x16 patches. Of 48 pixels that is a third of the side, of 256 the published
# ones see 70.
_SMALL_PATCHES = {"strided_layers": 1}


def _both(scores, name, condition):
    return all(condition(of[name]) for of in scores.values())


def _shape_kept(scores):
    return _both(scores, "recolored", lambda share: share > 0.5) and _both(
        scores, "turned", lambda share: share < 0.5
    )


def _cars_gone(scores):
    return scores["ab"]["cars_kept"] < 0.05 and scores["ba"]["cars_invented"] > 0.5


def _inverted(scores):
    return _both(scores, "inverted", lambda share: share > 0.5)


def _permuted(scores):
    return _both(scores, "right_class", lambda share: share < 0.5)


FAILURES = (
    Failure(
        "shapes",
        "Shapes that must change",
        "Domain A has two red discs, one above the other, domain B two blue ones, side by side. To "
        "get from one to the other both color and shape must change, as between cats and dogs. The "
        "published discriminators see patches of 70 of 256 pixels. Those of 16 of 48 pixels see "
        "little of two discs at once.",
        (
            Variant(
                "patches", "patches of 16 of 48 pixels", failing_domains.shapes, _SMALL_PATCHES
            ),
            Variant("whole", "discriminators that see all", failing_domains.shapes),
        ),
        failure_scores.of_shapes,
        _shape_kept,
        "in both directions most pixels of discs take the new color, and most pairs do not turn",
        "Known shapes tell it, or a look at the images.",
        size=48,
    ),
    Failure(
        "missing",
        "A class that one domain lacks",
        "All label maps (domain A) have cars, and no photograph (domain B) has one: as the horses "
        "of ImageNet have no riders, and the rider became a zebra.",
        (
            Variant("without", "photographs without cars", failing_domains.streets),
            Variant(
                "with",
                "photographs with cars",
                functools.partial(failing_domains.streets, cars_in_photographs=True),
            ),
        ),
        failure_scores.of_streets,
        _cars_gone,
        "a segmenter finds less than a twentieth of cars in photographs made of label maps, and "
        "most cars in label maps made of photographs are where there is none",
        "The segmenter tells it, which was trained on photographs with cars.",
        size=48,
    ),
    Failure(
        "inverted",
        "Inverted colors",
        "Domain A is gray, domain B goes from dark blue to light orange, and dark and bright are "
        "spread alike in both. A negative looks like an image of its domain, and a second negative "
        "undoes the first, so that neither the discriminators nor the cycles object.",
        (
            Variant("free", "without identity loss", failing_domains.tones),
            Variant(
                "identity", "identity loss of 0.5", failing_domains.tones, {"lambda_identity": 0.5}
            ),
        ),
        failure_scores.of_tones,
        _inverted,
        "in both directions most images become negatives",
        "A look at the images tells it.",
    ),
    Failure(
        "amounts",
        "Unequal amounts of classes",
        "Three quarters of the label maps (domain A) are trees and the rest buildings; of the "
        "photographs (domain B) a quarter is trees. The discriminators ask for the amounts of "
        "their domain, and the cycle is as content with trees that become buildings, although "
        "trees are brighter in both domains.",
        (
            Variant("unequal", "75 and 25 % trees", failing_domains.unequal, _SMALL_PATCHES),
            Variant(
                "equal",
                "75 % trees in both",
                functools.partial(failing_domains.unequal, trees_in_photographs=0.75),
                _SMALL_PATCHES,
            ),
        ),
        failure_scores.of_amounts,
        _permuted,
        "in both directions less than half of the pixels have the class that their input has there",
        "Known classes tell it, as of a few label maps that belong to photographs.",
    ),
)
