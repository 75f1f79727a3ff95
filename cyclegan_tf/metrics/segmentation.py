"""Scores of predicted label maps: the last three columns of the paper's tables 2 and 3.

Per-pixel accuracy, per-class accuracy and class IoU, as in arXiv 1703.10593, 5.1.1.
"""

import numpy as np


def nearest_class(images, colors):
    """The class of each pixel whose color is nearest (Euclidean, in RGB).

    Args:
        images: uint8 `(..., 3)`.
        colors: `(classes, 3)`, in the same range.

    Returns:
        int64 `(...)`, indices into `colors`.
    """
    # |p - c|² without the |p|² that all classes share; one class at a time to save memory.
    pixels = np.asarray(images, np.float32)
    colors = np.asarray(colors, np.float32)
    distances = [(color**2).sum() - 2 * pixels @ color for color in colors]
    return np.argmin(np.stack(distances, -1), axis=-1)


def confusion_matrix(truth, predicted, classes, ignore=()):
    """How many pixels of class `row` were predicted as class `column`.

    Args:
        truth, predicted: class indices, integer arrays of one shape.
        classes: their number.
        ignore: a value of `truth`, or several, whose pixels do not count (`void`; 255 in
            Cityscapes). What was predicted there is not looked at.

    Returns:
        int64 `(classes, classes)`.

    Raises:
        ValueError: the shapes differ, the arrays do not hold integers, or a pixel that counts is
            outside the classes.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape:
        raise ValueError(
            "truth and predicted must have one shape. "
            f"Received: {truth.shape} and {predicted.shape}"
        )
    for name, values in (("truth", truth), ("predicted", predicted)):
        if values.dtype.kind not in "iub":
            raise ValueError(f"{name} must hold integers. Received: {values.dtype}")
    counts = ~np.isin(truth, ignore)
    truth, predicted = truth[counts].astype(np.int64), predicted[counts].astype(np.int64)
    for name, values in (("truth", truth), ("predicted", predicted)):
        outside = values[(values < 0) | (values >= classes)]
        if outside.size:
            raise ValueError(
                f"{name} must hold classes from 0 to {classes - 1}, or be ignored. "
                f"Received: {outside[0]}"
            )
    matrix = np.bincount(truth * classes + predicted, minlength=classes**2)
    return matrix.reshape(classes, classes)


def class_scores(truth, predicted, classes, ignore=()):
    """Scores of each class over all pixels of all images.

    Args:
        truth, predicted, classes, ignore: as of `confusion_matrix`.

    Returns:
        `{"accuracy": ..., "iou": ...}`, float64 `(classes,)`, in [0, 1]: the share of a class's
        pixels that are right, and intersection over union. `nan` for classes that do not occur
        in `truth`, even if they were predicted.

    Raises:
        ValueError: as of `confusion_matrix`.
    """
    return _class_scores(confusion_matrix(truth, predicted, classes, ignore))


def segmentation_scores(truth, predicted, classes, ignore=(), absent="left_out"):
    """Scores over all pixels of all images, in [0, 1].

    Args:
        truth, predicted, classes, ignore: as of `confusion_matrix`.
        absent: what classes count that do not occur in `truth`: nothing (`"left_out"`), or 0
            (`"zero"`) as in the script of pix2pix and CycleGAN, which lowers the means.

    Returns:
        `{"per_pixel": ..., "per_class": ..., "iou": ...}`: the share of pixels that are right;
        that share within each true class, averaged; intersection over union, averaged.

    Raises:
        ValueError: as of `confusion_matrix`, another `absent`, or no pixel counts.
    """
    if absent not in ("left_out", "zero"):
        raise ValueError(f"absent must be left_out or zero. Received: {absent!r}")
    matrix = confusion_matrix(truth, predicted, classes, ignore)
    if not matrix.any():
        raise ValueError(
            f"Expected pixels to score. Received: none in shape {np.shape(truth)} that is not "
            f"ignored (ignore={ignore})"
        )
    scores = _class_scores(matrix)
    if absent == "zero":
        scores = {name: np.nan_to_num(values) for name, values in scores.items()}
    return {
        "per_pixel": float(np.trace(matrix) / matrix.sum()),
        "per_class": float(np.nanmean(scores["accuracy"])),
        "iou": float(np.nanmean(scores["iou"])),
    }


def _class_scores(matrix):
    right = np.diag(matrix)
    true, taken = matrix.sum(axis=1), matrix.sum(axis=0)
    occurs = true > 0
    return {
        name: np.divide(right, out_of, out=np.full(len(right), np.nan), where=occurs)
        for name, out_of in (("accuracy", true), ("iou", true + taken - right))
    }
