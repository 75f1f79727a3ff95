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


def confusion_matrix(truth, predicted, classes):
    """Confusion matrix `(classes, classes)`: pixels of class `row` predicted as `column`."""
    pairs = np.asarray(truth, np.int64).ravel() * classes + np.asarray(predicted).ravel()
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def segmentation_scores(truth, predicted, classes):
    """Scores over all pixels of all images, in [0, 1].

    Args:
        truth, predicted: class indices, integer arrays of one shape.
        classes: their number. Classes that do not occur in `truth` do not count.

    Returns:
        `{"per_pixel": ..., "per_class": ..., "iou": ...}`: the share of pixels that are right;
        that share within each true class, averaged; intersection over union, averaged.

    Raises:
        ValueError: the shapes differ.
    """
    if np.shape(truth) != np.shape(predicted):
        raise ValueError(
            "truth and predicted must have one shape. "
            f"Received: {np.shape(truth)} and {np.shape(predicted)}"
        )
    matrix = confusion_matrix(truth, predicted, classes)
    right = np.diag(matrix)
    true, taken = matrix.sum(axis=1), matrix.sum(axis=0)
    occurs = true > 0
    return {
        "per_pixel": float(right.sum() / matrix.sum()),
        "per_class": float((right[occurs] / true[occurs]).mean()),
        "iou": float((right[occurs] / (true + taken - right)[occurs]).mean()),
    }
