"""Checks of arrays that several measures share."""

import numpy as np


def feature_set(features, least, name="features"):
    """A set of features in float64.

    Args:
        features: `(count, dimensions)`.
        least: the fewest rows.
        name: what an error calls it.

    Raises:
        ValueError: another shape, too few rows, or values that are not finite.
    """
    features = np.asarray(features, np.float64)
    if features.ndim != 2 or len(features) < least or not features.size:
        raise ValueError(
            f"Expected {name} (count, dimensions) of at least {least} images. "
            f"Received: {features.shape}"
        )
    finite = np.isfinite(features).all(axis=1)
    if not finite.all():
        raise ValueError(
            f"Expected finite {name}. Received: NaN or infinity in row {finite.argmin()}"
        )
    return features


def feature_sets(features_1, features_2, least):
    """`feature_set` of two that must have as many dimensions."""
    set_1 = feature_set(features_1, least, "features_1")
    set_2 = feature_set(features_2, least, "features_2")
    if set_1.shape[1] != set_2.shape[1]:
        raise ValueError(
            "Expected features of one network, with as many dimensions in both sets. "
            f"Received: {set_1.shape} and {set_2.shape}"
        )
    return set_1, set_2


def image_batches(*batches):
    """The same arrays, if they are batches of images of one size and number of channels.

    Raises:
        ValueError: they are not `(count, height, width, channels)`, hold none, or differ in more
            than their counts.
    """
    batches = [np.asarray(batch) for batch in batches]
    shapes = {batch.shape[1:] for batch in batches}
    if len(shapes) > 1 or any(batch.ndim != 4 or not batch.size for batch in batches):
        raise ValueError(
            "Expected images (count, height, width, channels), all of one size. "
            f"Received: {' and '.join(str(batch.shape) for batch in batches)}"
        )
    return batches


def finite_images(*batches):
    """Raises a `ValueError` if a value of these batches of images or maps is not finite."""
    for batch in batches:
        finite = np.isfinite(batch).all((1, 2, 3))
        if not finite.all():
            raise ValueError(
                f"Expected finite values. Received: NaN or infinity in image {finite.argmin()}"
            )


def image_pairs(images_1, images_2):
    """The same two arrays, if they are batches of as many images of one size.

    Raises:
        ValueError: they are not.
    """
    images_1, images_2 = image_batches(images_1, images_2)
    if len(images_1) != len(images_2):
        raise ValueError(
            f"Expected as many images in both sets. Received: {len(images_1)} and {len(images_2)}"
        )
    return images_1, images_2
