"""Resizing for networks that find features; for Inception in the three ways of the field.

Each of the three gives another FID.
"""

import numpy as np
from PIL import Image

from cyclegan_tf.choices import INCEPTION_RESIZINGS
from cyclegan_tf.metrics import checks

SIDE = 299  # what the network takes; its module is of another wing and has the number too


def resize_for_inception(images, how):
    """Images resized to 299 by 299 pixels. Say with a score which way it was.

    Args:
        images: `(count, height, width, channels)`, uint8 or floats in [0, 255].
        how: `"clean"`: bicubic with antialiasing, each channel in float32, clipped (Parmar et al.
            2022, arXiv 2104.11222). `"legacy_pytorch"`: bilinear without antialiasing, as
            PyTorch's `interpolate` without aligned corners. `"legacy_tensorflow"`: bilinear as in
            TensorFlow 1, whose pixels lie at their upper left corners, not at their centers. The
            last two skip pixels of images that are larger.

    Returns:
        float32 `(count, 299, 299, channels)`, in [0, 255], not rounded.

    Raises:
        ValueError: another shape, or another way.
    """
    if how not in INCEPTION_RESIZINGS:
        raise ValueError(f"how must be one of {', '.join(INCEPTION_RESIZINGS)}. Received: {how!r}")
    (images,) = checks.image_batches(images)
    count, _, _, channels = images.shape
    resized = np.empty((count, SIDE, SIDE, channels), np.float32)
    for number, image in enumerate(images):
        image = np.float32(image)
        resized[number] = _bicubic(image, SIDE) if how == "clean" else _bilinear(image, how)
    return resized


def resize_bicubic(images, side):
    """Images resized to squares, bicubic with antialiasing, each channel in float32, clipped.

    Args:
        images: `(count, height, width, channels)`, uint8 or floats in [0, 255].
        side: of the squares, in pixels.

    Returns:
        float32 `(count, side, side, channels)`, in [0, 255], not rounded.

    Raises:
        ValueError: another shape.
    """
    (images,) = checks.image_batches(images)
    return np.stack([_bicubic(np.float32(image), side) for image in images])


def _bicubic(image, side):
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize(
            (side, side), Image.Resampling.BICUBIC
        )
        for channel in np.moveaxis(image, -1, 0)
    ]
    return np.clip(np.stack(channels, axis=-1), 0, 255)


def _bilinear(image, how):
    """The mean of two neighbors each way, weighted by their distances."""
    for axis in (0, 1):
        side = image.shape[axis]
        places = np.arange(SIDE) * (side / SIDE)
        if how == "legacy_pytorch":
            places = np.maximum(places + 0.5 * side / SIDE - 0.5, 0)
        first = places.astype(int)
        second = np.minimum(first + 1, side - 1)
        weight = np.float32(places - first).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        image = image.take(first, axis) * (1 - weight) + image.take(second, axis) * weight
    return image
