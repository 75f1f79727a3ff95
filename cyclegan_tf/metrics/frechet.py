"""Fréchet distance between two sets of images, seen as normal distributions of their features."""

import warnings

import numpy as np

from cyclegan_tf.metrics import checks


def frechet_distance(features_1, features_2):
    """Squared Fréchet distance of two normal distributions with the moments of two sets.

    `|m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½)`, m the means and S the covariances (Dowson & Landau
    1982). On features of the 2015 Inception network this is the FID (Heusel et al. 2017, arXiv
    1706.08500); on others it is not. The sets need no pairs. With few images it comes out too
    large, so that only numbers from equal counts compare.

    Args:
        features_1, features_2: `(count, dimensions)`, at least 2 rows each.

    Returns:
        A float, 0 or more, in squared units of the features. 0 is best.

    Raises:
        ValueError: other shapes, or values that are not finite.

    Warns:
        UserWarning: a set has no more rows than columns.
    """
    sets = checks.feature_sets(features_1, features_2, least=2)
    count, dimensions = min(map(len, sets)), sets[0].shape[1]
    if count <= dimensions:
        warnings.warn(
            f"A Fréchet distance from {count} images, where the features have {dimensions} "
            "dimensions, is too large and compares only with others from as many images.",
            stacklevel=2,
        )
    return frechet_distance_of_moments(*feature_moments(sets[0]), *feature_moments(sets[1]))


def feature_moments(features):
    """What the Fréchet distance takes of a set, to be kept where the images do not change.

    Args:
        features: `(count, dimensions)`, at least 2 rows.

    Returns:
        `(mean, covariance)`: float64 `(dimensions,)` and `(dimensions, dimensions)`, the sum of
        squares divided by `count - 1`.

    Raises:
        ValueError: another shape, or values that are not finite.
    """
    features = checks.feature_set(features, least=2)
    return features.mean(axis=0), np.atleast_2d(np.cov(features, rowvar=False))


def frechet_distance_of_moments(mean_1, covariance_1, mean_2, covariance_2):
    """`frechet_distance` of sets whose moments are known.

    Args:
        mean_1, mean_2: `(dimensions,)`.
        covariance_1, covariance_2: `(dimensions, dimensions)`, symmetric; they may be singular.

    Returns:
        A float; see `frechet_distance`.

    Raises:
        ValueError: other shapes.
    """
    moments = [np.asarray(m, np.float64) for m in (mean_1, covariance_1, mean_2, covariance_2)]
    mean_1, covariance_1, mean_2, covariance_2 = moments
    size = mean_1.size
    if [m.shape for m in moments] != [(size,), (size, size)] * 2:
        raise ValueError(
            "Expected means (dimensions,) and covariances (dimensions, dimensions). "
            f"Received: {', '.join(str(m.shape) for m in moments)}"
        )
    # (S1 S2)^½ has the eigenvalues of (S1^½ S2 S1^½)^½, which is symmetric: their roots are real
    # and exact where S1 S2 is singular. Rounding leaves negative ones where they should be 0.
    root = _root(covariance_1)
    roots = np.sqrt(np.linalg.eigvalsh(root @ covariance_2 @ root).clip(0))
    distance = np.square(mean_1 - mean_2).sum()
    distance += np.trace(covariance_1) + np.trace(covariance_2) - 2 * roots.sum()
    return max(float(distance), 0.0)


def _root(covariance):
    values, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(values.clip(0))) @ vectors.T
