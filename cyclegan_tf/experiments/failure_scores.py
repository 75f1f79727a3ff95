"""Scores of translations whose truth is known: whether what should change did, and nothing else."""

import numpy as np

from cyclegan_tf.choices import SCENES
from cyclegan_tf.data.scenes import CLASSES
from cyclegan_tf.data.scenes import COLORS as SCENE_COLORS
from cyclegan_tf.experiments import failing_domains
from cyclegan_tf.metrics import inverted, nearest_class
from cyclegan_tf.runs.segmenter import segmenter_of

_SHAPE_COLORS = np.array(
    [failing_domains.GRAY, failing_domains.UPRIGHT_COLOR, failing_domains.LYING_COLOR], np.uint8
)
_CAR = CLASSES.index("car")
_LEAST_PIXELS = 4  # of an object


def of_shapes(inputs, outputs, direction, log=None):
    """Colors and shapes of translated discs, see `cyclegan_tf.experiments.failing_domains.shapes`.

    Args:
        inputs: `Drawn` images.
        outputs: uint8, their translations.
        direction: `"ab"` or `"ba"`.
        log: unused.

    Returns:
        A dictionary of shares in [0, 1]: `recolored`, of the pixels of discs that have the color of
        the other domain's; `turned`, of the images whose discs lie as in the other domain;
        `overlap`, the intersection over union of the discs before and after.
    """
    found = nearest_class(outputs, _SHAPE_COLORS)
    before, after = inputs.classes == failing_domains.OBJECT, found > 0
    target = 2 if direction == "ab" else 1
    union = np.maximum((before | after).sum((1, 2)), 1)
    lying = np.array([_lies(each) for each in after])
    return {
        "recolored": float((found[before] == target).mean()),
        "turned": float((lying == (1 if direction == "ab" else -1)).mean()),
        "overlap": float(((before & after).sum((1, 2)) / union).mean()),
    }


def _lies(mask):
    """1 if a shape is wider than tall, -1 if it is taller than wide, 0 if there is none."""
    y, x = np.nonzero(mask)
    return 0 if len(x) < _LEAST_PIXELS else int(np.sign(x.std() - y.std()))


def of_streets(inputs, outputs, direction, log):
    """What became of cars, see `cyclegan_tf.experiments.failing_domains.streets`.

    Args:
        inputs, outputs, direction: as of `of_shapes`.
        log: called with lines for the user.

    Returns:
        A dictionary of shares in [0, 1]. Of photographs `cars_kept`, of the pixels of cars those in
        which a segmenter of photographs with cars finds cars, and `cars_as_road` …, in which it
        finds another class. Of label maps `cars_made`, of all pixels those of the cars' color;
        `cars_there`, those in which there is a car in the photograph; and `cars_invented`, of the
        pixels of made cars those where the photograph has none.
    """
    cars = inputs.classes == _CAR
    if direction == "ba":
        made = nearest_class(outputs, SCENE_COLORS) == _CAR
        return {
            "cars_made": float(made.mean()),
            "cars_there": float(cars.mean()),
            "cars_invented": float((made & ~cars).sum() / max(made.sum(), 1)),
        }
    found = segmenter_of(SCENES, outputs.shape[1], log).classes_of(outputs)[cars]
    shares = np.bincount(found, minlength=len(CLASSES)) / max(len(found), 1)
    return {
        "cars_kept": float(shares[_CAR]),
        **{
            f"cars_as_{name}": float(share)
            for name, share in zip(CLASSES, shares)
            if name != CLASSES[_CAR]
        },
    }


def of_tones(inputs, outputs, direction, log=None):
    """`inverted`, the share of images that became negatives; arguments as of `of_shapes`."""
    return {"inverted": inverted(inputs.images, outputs)}


def of_amounts(inputs, outputs, direction, log=None):
    """Classes of translations, see `cyclegan_tf.experiments.failing_domains.unequal`.

    Args:
        inputs, outputs, direction, log: as of `of_shapes`.

    Returns:
        A dictionary of shares in [0, 1]: `right_class`, of the pixels that have the class that the
        input has there; `trees_before` and `trees_after`, of the pixels that are trees.
    """
    colors = {"ab": failing_domains.PHOTOGRAPH_COLORS, "ba": failing_domains.MAP_COLORS}
    found = nearest_class(outputs, colors[direction])
    return {
        "right_class": float((found == inputs.classes).mean()),
        "trees_before": float((inputs.classes == failing_domains.TREE).mean()),
        "trees_after": float((found == failing_domains.TREE).mean()),
    }
