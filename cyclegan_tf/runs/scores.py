"""Scores of a model on data with ground truth."""

from cyclegan_tf import data
from cyclegan_tf.data.scenes import COLORS
from cyclegan_tf.metrics import grain, nearest_class, segmentation_scores


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
        name: label_scores(label_maps, classes, COLORS) for name, label_maps in candidates.items()
    }
    scores["grain"] = {
        "label_maps": grain(candidates["photo_to_labels"], classes),
        "photographs": grain(model.translate(true_maps, "ab"), classes),
        "real_photographs": grain(photographs, classes),
    }
    return scores
