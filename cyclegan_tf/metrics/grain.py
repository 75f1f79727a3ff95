"""Grain: how much neighboring pixels differ in areas that should be smooth."""

import numpy as np

from cyclegan_tf.metrics import checks


def grain(images, classes, radius=2):
    """The mean difference between a pixel and its four neighbors in areas of one class.

    `|g - (left + right + above + below) / 4|` of the mean g of the channels, over all pixels around
    which a square of `2 * radius + 1` pixels holds only one class. A label map has 0. The
    checkerboard of transposed convolutions, and texture that shines through, add to the grain
    that photographs have anyway.

    Args:
        images: uint8 `(count, height, width, channels)`.
        classes: integers `(count, height, width)`.
        radius: of the squares, in pixels; 1 or more.

    Returns:
        A float, in units of 8-bit values; `nan` if there are no such areas.

    Raises:
        ValueError: other shapes, values that are not finite, or a radius below 1.
    """
    if radius < 1:
        raise ValueError(f"radius must be at least 1. Received: {radius}")
    if np.ndim(images) != 4 or np.shape(images)[:3] != np.shape(classes):
        raise ValueError(
            "Expected images (count, height, width, channels) and classes (count, height, width). "
            f"Received: {np.shape(images)} and {np.shape(classes)}"
        )
    checks.finite_images(images)
    gray = np.asarray(images, np.float64).mean(-1)
    neighbors = gray[:, :-2, 1:-1] + gray[:, 2:, 1:-1] + gray[:, 1:-1, :-2] + gray[:, 1:-1, 2:]
    differences = np.abs(gray[:, 1:-1, 1:-1] - neighbors / 4)
    inside = _in_areas_of_one_class(np.asarray(classes), radius)[:, 1:-1, 1:-1]
    return float(differences[inside].mean()) if inside.any() else float("nan")


def _in_areas_of_one_class(classes, radius):
    _, height, width = classes.shape
    sides = (radius, radius)
    padded = np.pad(classes, ((0, 0), sides, sides), mode="edge")
    inside = np.ones(classes.shape, bool)
    for row in range(2 * radius + 1):
        for column in range(2 * radius + 1):
            inside &= padded[:, row : row + height, column : column + width] == classes
    return inside
