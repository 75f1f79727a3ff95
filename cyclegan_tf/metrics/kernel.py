"""Kernel distance between two sets of images: how much their features differ, without bias."""

import typing
import warnings

import numpy as np

from cyclegan_tf.metrics import checks

# Up to this much the kernel of all pairs is taken once, of which subsets have their part.
_MOST_BYTES = 2**28


class KernelDistance(typing.NamedTuple):
    """A kernel distance and its standard error, in the same unit."""

    distance: float
    standard_error: float


def unbiased_mmd(features_1, features_2):
    """Squared maximum mean discrepancy with the kernel `(x·y / dimensions + 1)³`.

    The unbiased estimate of equation 3 in Gretton et al. 2012 (JMLR 13), from all images of both
    sets: its mean over many draws is the same for any count. It takes
    `(count_1 + count_2)² · 8` bytes.

    Args:
        features_1, features_2: `(count, dimensions)`, at least 2 rows each.

    Returns:
        A float without unit; 0 where the sets come from one distribution, and by chance a little
        less. There is no upper bound.

    Raises:
        ValueError: other shapes, or values that are not finite.
    """
    set_1, set_2 = checks.feature_sets(features_1, features_2, least=2)
    return _discrepancy(*_kernels(set_1, set_2))


def kernel_distance(features_1, features_2, subset_size=1000, subsets=100, seed=0):
    """The mean of `unbiased_mmd` over random subsets, and how much chance is in it.

    On features of the 2015 Inception network this is the KID (Bińkowski et al. 2018, arXiv
    1801.01401), here not multiplied by 100 or 1000. The sets need no pairs.

    Subsets overlap, so that their spread over √subsets would understate the error, and subsets of
    everything have no spread at all. The standard error here is the spread over subsets, times
    `√(size / (count - size) + 1 / subsets)`. The first part is that of the delete-d jackknife (Shao
    & Wu 1989), for the chance in the images. So a subset has at most half of the images of the
    smaller set. The second part is for the chance in the draws. As the estimate is unbiased, a
    smaller subset changes its noise and not what it is an estimate of.

    The standard error is an upper bound in two cases. The count is that of the smaller set, for
    both: of 200 and 2000 images it is about twice the true deviation. The jackknife takes the
    estimate for a sum over images, which it is not where the distributions are equal: there it is
    about 1.7 times the true deviation.

    Args:
        features_1, features_2: `(count, dimensions)`, at least 4 rows each.
        subset_size: images of each set in a subset, without replacement; fewer if that is more
            than half of the smaller set.
        subsets: their number.
        seed: an integer, or a NumPy generator, which draws by its `choice`.

    Returns:
        A `KernelDistance`; a distance within two standard errors of 0 may be none.

    Raises:
        ValueError: other shapes, values that are not finite, or arguments out of range.

    Warns:
        UserWarning: a set has fewer than `subset_size` images.
    """
    if subset_size < 2 or subsets < 2:
        raise ValueError(
            "subset_size and subsets must be at least 2. "
            f"Received: subset_size={subset_size} and subsets={subsets}"
        )
    set_1, set_2 = checks.feature_sets(features_1, features_2, least=4)
    count = min(len(set_1), len(set_2))
    size = min(subset_size, count // 2)
    if count < subset_size:
        warnings.warn(
            f"A kernel distance from {count} images is uncertain (subsets have {size} instead of "
            f"{subset_size}): read it with its standard error.",
            stacklevel=2,
        )
    draw = np.random.default_rng(seed) if isinstance(seed, (int, np.integer)) else seed
    rows = [
        [draw.choice(len(each), size, replace=False) for each in (set_1, set_2)]
        for _ in range(subsets)
    ]
    values = _of_subsets(set_1, set_2, rows)
    error = np.std(values) * np.sqrt(size / (count - size) + 1 / subsets)
    return KernelDistance(float(np.mean(values)), float(error))


def _of_subsets(set_1, set_2, rows):
    """The `unbiased_mmd` of each pair of subsets, which have these rows of the two sets."""
    if 8 * (len(set_1) + len(set_2)) ** 2 > _MOST_BYTES:
        return [unbiased_mmd(set_1[rows_1], set_2[rows_2]) for rows_1, rows_2 in rows]
    within_1, within_2, between = _kernels(set_1, set_2)
    return [
        _discrepancy(
            within_1[np.ix_(rows_1, rows_1)],
            within_2[np.ix_(rows_2, rows_2)],
            between[np.ix_(rows_1, rows_2)],
        )
        for rows_1, rows_2 in rows
    ]


def _kernels(set_1, set_2):
    """The kernel of all pairs within each set, and of those with a row of each."""
    return _kernel(set_1, set_1), _kernel(set_2, set_2), _kernel(set_1, set_2)


def _kernel(set_1, set_2):
    return (set_1 @ set_2.T / set_1.shape[1] + 1) ** 3


def _discrepancy(within_1, within_2, between):
    return _mean_of_others(within_1) + _mean_of_others(within_2) - 2 * float(between.mean())


def _mean_of_others(kernel):
    """The mean over pairs of different rows of one set."""
    count = len(kernel)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))
