"""What a translation should keep: where things are. Two measures on maps of features, one on edges.

Maps are those of a network that was trained to tell what images show, `(count, height, width,
channels)` each; several, of other sizes, count alike.
"""

import numpy as np

from cyclegan_tf.metrics import checks


def self_similarity_distance(maps_1, maps_2):
    """How differently two images resemble themselves.

    The cosine similarity of the features at each position to those at each other position tells
    where things lie, and little about how they look. So do Tumanyan et al. 2022 (Splicing ViT
    features, arXiv 2201.00424), with the keys of a transformer for features and the Frobenius norm
    of the difference. Here it is the mean absolute difference, which has the same range whatever
    the size of the map, averaged over the maps.

    Args:
        maps_1, maps_2: arrays `(count, height, width, channels)`, or sequences of such; pairs.

    Returns:
        float64 `(count,)`, in [0, 2]; 0 for maps that are equal up to a factor at each position.

    Raises:
        ValueError: other shapes, or values that are not finite.
    """
    return np.mean([_of_one_map(*pair) for pair in _pairs(maps_1, maps_2)], axis=0)


def perceptual_distance(maps_1, maps_2):
    """How far apart the features of two images are, position by position.

    As LPIPS (Zhang et al. 2018, arXiv 1801.03924, equation 1), without its learned weights of
    channels and on the maps given: the features at a position are scaled to a length of 1; their
    squared distance is averaged over positions and over maps. The numbers of LPIPS are others.

    Args:
        maps_1, maps_2: as of `self_similarity_distance`.

    Returns:
        float64 `(count,)`, in [0, 4]; 0 for maps that are equal up to a factor at each position.

    Raises:
        ValueError: other shapes, or values that are not finite.
    """
    distances = [
        [np.square(_of_length_1(one) - _of_length_1(two)).sum(-1).mean() for one, two in zip(*pair)]
        for pair in _pairs(maps_1, maps_2)
    ]
    return np.mean(distances, axis=0)


def edge_agreement(images_1, images_2):
    """The correlation (Pearson) of how strong edges are in two images.

    The strength is the length of the gradient that Sobel's 3x3 filters find in the mean of the
    channels, at each pixel but those at the border. Signs do not count: a negative agrees.

    Args:
        images_1, images_2: `(count, height, width, channels)`, pairs; of 3 by 3 pixels or more.
            One may be gray and the other RGB.

    Returns:
        float64 `(count,)`, in [-1, 1]; 1 for equal images. 0 if edges are equally strong
        everywhere in one of the two, as in an image of one color.

    Raises:
        ValueError: other shapes, or values that are not finite.
    """
    images_1, images_2 = (checks.image_batches(images)[0] for images in (images_1, images_2))
    checks.image_pairs(images_1[..., :1], images_2[..., :1])
    checks.finite_images(images_1, images_2)
    if min(images_1.shape[1:3]) < 3:
        raise ValueError(f"Expected images of at least 3 by 3 pixels. Received: {images_1.shape}")
    edges_1, edges_2 = (_deviations(_edges(images)) for images in (images_1, images_2))
    products = np.sqrt(np.square(edges_1).sum(1) * np.square(edges_2).sum(1))
    known = products > 0
    return np.where(known, (edges_1 * edges_2).sum(1), 0) / np.where(known, products, 1)


def _pairs(maps_1, maps_2):
    """Pairs of maps, checked."""
    maps_1, maps_2 = (
        [maps] if isinstance(maps, np.ndarray) else list(maps) for maps in (maps_1, maps_2)
    )
    if len(maps_1) != len(maps_2) or not maps_1:
        raise ValueError(
            f"Expected as many maps of both sets. Received: {len(maps_1)} and {len(maps_2)}"
        )
    pairs = [checks.image_pairs(*pair) for pair in zip(maps_1, maps_2)]
    for pair in pairs:
        checks.finite_images(*pair)
    return pairs


def _of_one_map(map_1, map_2):
    return [
        np.abs(_self_similarity(one) - _self_similarity(two)).mean(dtype=np.float64)
        for one, two in zip(map_1, map_2)
    ]


def _self_similarity(features):
    """Cosines `(positions, positions)` of features `(height, width, channels)`."""
    features = _of_length_1(features).reshape(-1, features.shape[-1])
    return features @ features.T


def _of_length_1(features):
    """Features of each position divided by their length; those of length 0 stay.

    In float64, so that this is for one image at a time.
    """
    features = np.asarray(features, np.float64)
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    return features / np.where(length > 0, length, 1)


def _edges(images):
    """Lengths of gradients `(count, pixels)`, up to a factor."""
    gray = images.mean(-1, dtype=np.float64)
    # Sobel's filters: a difference one way, a weighted sum the other way.
    down = _difference(_weighted_sum(gray, axis=2), axis=1)
    right = _difference(_weighted_sum(gray, axis=1), axis=2)
    return np.hypot(down, right).reshape(len(images), -1)


def _difference(values, axis):
    before, _, after = _thirds(values, axis)
    return after - before


def _weighted_sum(values, axis):
    before, here, after = _thirds(values, axis)
    return before + 2 * here + after


def _thirds(values, axis):
    """Values and their neighbors along an axis, where there are both."""
    length = values.shape[axis]
    return (values.take(range(start, length - 2 + start), axis) for start in range(3))


def _deviations(values):
    """From the mean of each row; exactly 0 where that is all but a rounding error."""
    deviations = values - values.mean(1, keepdims=True)
    negligible = np.abs(deviations).max(1) <= 1e-12 * np.abs(values).max(1)
    return np.where(negligible[:, None], 0, deviations)
