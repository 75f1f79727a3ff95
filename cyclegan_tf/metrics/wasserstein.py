"""Sliced Wasserstein distance between the patches of two sets of images, size by size."""

import typing

import numpy as np

from cyclegan_tf.metrics import checks

_BINOMIAL = np.float32([1, 4, 6, 4, 1]) / 16


class SlicedWasserstein(typing.NamedTuple):
    """Distances times 1000: of each level by its `(height, width)`, and their mean."""

    levels: dict
    mean: float


def sliced_wasserstein(
    images_1,
    images_2,
    *,
    smallest=16,
    patch_size=7,
    patches_per_image=128,
    repeats=4,
    directions=128,
    seed=0,
):
    """How much patches of two sets differ at each level of a Laplacian pyramid.

    As Karras et al. 2018 (arXiv 1710.10196, section 5): random patches of every image,
    normalized in each set and channel; their projections on random directions, sorted; the mean
    difference, times 1000. The sets need no pairs. Two samples of one distribution do not score
    0 but a floor that falls with their count: compare with that of two halves of the real images.
    Brightness and contrast of a whole level are normalized away.

    Args:
        images_1, images_2: `(count, height, width, channels)`, of equal counts and ranges.
        smallest: a level is halved while both sides are even and halves have this many pixels.
        patch_size: the side of a patch, an odd number of pixels.
        patches_per_image: at each level.
        repeats, directions: sets of directions, and how many there are in each.
        seed: of the patches and directions.

    Returns:
        `SlicedWasserstein`; 0 is best, without upper bound, without unit.

    Raises:
        ValueError: other shapes, unequal counts, images smaller than `smallest` or a patch, or
            values that are not finite.
    """
    images_1, images_2 = checks.image_pairs(images_1, images_2)
    checks.finite_images(images_1, images_2)
    if min(images_1.shape[1:3]) < max(smallest, patch_size) or patch_size % 2 == 0:
        raise ValueError(
            f"Expected images of at least {max(smallest, patch_size)} pixels each way, and an odd "
            f"patch_size. Received: {images_1.shape} and patch_size={patch_size}"
        )
    rng = np.random.default_rng(seed)
    levels = {}
    for both in zip(laplacian_pyramid(images_1, smallest), laplacian_pyramid(images_2, smallest)):
        sets = []
        for level in both:
            _, height, width, _ = level.shape
            shape = len(level) * patches_per_image
            rows = rng.integers(0, height - patch_size + 1, shape)
            columns = rng.integers(0, width - patch_size + 1, shape)
            sets.append(normalized_patches(level, rows, columns, patch_size))
        drawn = rng.normal(size=(repeats, sets[0].shape[1], directions))
        drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
        levels[both[0].shape[1:3]] = projected_distance(*sets, np.float32(drawn))
    return SlicedWasserstein(levels, float(np.mean(list(levels.values()))))


def laplacian_pyramid(images, smallest=16):
    """What each level adds to the next smaller one, enlarged (Burt & Adelson 1983).

    Args:
        images: `(count, height, width, channels)`.
        smallest: as of `sliced_wasserstein`.

    Returns:
        A list of float32 arrays from the largest level to the smallest, which holds the rest.
    """
    levels = [np.float32(images)]
    while all(side % 2 == 0 and side >= 2 * smallest for side in levels[-1].shape[1:3]):
        smaller = _smoothed(levels[-1])[:, ::2, ::2]
        levels[-1] = levels[-1] - _enlarged(smaller)
        levels.append(smaller)
    return levels


def normalized_patches(level, rows, columns, patch_size=7):
    """Patches of one level, with a mean of 0 and a deviation of 1 in each channel.

    Args:
        level: `(count, height, width, channels)`.
        rows, columns: of the upper left pixels, `(count * patches,)`: first those of the first
            image.
        patch_size: in pixels.

    Returns:
        float32 `(count * patches, patch_size * patch_size * channels)`: rows, columns, channels.
    """
    images = np.arange(len(rows)) // (len(rows) // len(level))
    windows = np.lib.stride_tricks.sliding_window_view(level, (patch_size, patch_size), (1, 2))
    patches = windows[images, rows, columns].transpose(0, 2, 3, 1)  # channels last again
    mean = patches.mean(axis=(0, 1, 2), dtype=np.float64)
    deviation = patches.std(axis=(0, 1, 2), dtype=np.float64)
    deviation[deviation == 0] = 1  # of a set of one color
    return np.float32((patches - mean) / deviation).reshape(len(patches), -1)


def projected_distance(patches_1, patches_2, directions):
    """The sliced Wasserstein distance times 1000 of two sets of vectors.

    Args:
        patches_1, patches_2: `(count, dimensions)`, of equal counts.
        directions: `(repeats, dimensions, directions)`, of length 1.

    Returns:
        A float: the mean difference of the sorted projections.
    """
    distances = [
        np.abs(np.sort(patches_1 @ some, axis=0) - np.sort(patches_2 @ some, axis=0)).mean()
        for some in directions
    ]
    return 1e3 * float(np.mean(distances))


def _smoothed(images):
    """Weighted means over 5 by 5 pixels; the border is mirrored and not repeated."""
    for axis in (1, 2):
        padding = [(2, 2) if each == axis else (0, 0) for each in range(4)]
        padded = np.pad(images, padding, mode="reflect")
        images = np.lib.stride_tricks.sliding_window_view(padded, 5, axis) @ _BINOMIAL
    return images


def _enlarged(images):
    count, height, width, channels = images.shape
    spread = np.zeros((count, 2 * height, 2 * width, channels), np.float32)
    spread[:, ::2, ::2] = images
    return 4 * _smoothed(spread)
