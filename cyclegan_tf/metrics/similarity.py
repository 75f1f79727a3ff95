"""Similarity of images to the true ones, pixel by pixel: PSNR and SSIM."""

import numpy as np

from cyclegan_tf.metrics import checks

_LEAST_ERROR = 1e-20  # of the square of the range: far below what float32 can tell
_UNIFORM_SIDE = 7
_SIGMA, _GAUSSIAN_RADIUS = 1.5, 5


def psnr(images_1, images_2, data_range=None):
    """Peak signal-to-noise ratio of each pair: `10 log10(range² / mean squared error)`.

    Args:
        images_1, images_2: `(count, height, width, channels)`, pairs; both uint8 or both floats.
        data_range: of floats the highest possible value less the lowest: 2 for [-1, 1]. 255 for
            uint8.

    Returns:
        float64 `(count,)`, in decibels; more is better. 0 if the error is the whole range, and 200
        instead of infinity for images that agree as far as float32 can tell.

    Raises:
        ValueError: other shapes, values that are not finite, or floats without `data_range`.
    """
    images_1, images_2, data_range = _pairs(images_1, images_2, data_range)
    error = np.square(images_1 - images_2).mean(axis=(1, 2, 3))
    return 10 * np.log10(data_range**2 / np.maximum(error, _LEAST_ERROR * data_range**2))


def ssim(images_1, images_2, data_range=None, gaussian=False):
    """Structural similarity of each pair, averaged over windows and channels.

    Equation 13 of Wang et al. 2004 (IEEE TIP 13:600), K1 0.01 and K2 0.03, in windows that lie
    wholly within the image. The two forms give different numbers: say which one was used.

    Args:
        images_1, images_2: `(count, height, width, channels)`, pairs; both uint8 or both floats.
        data_range: as of `psnr`.
        gaussian: the paper's windows of 11 pixels, weighted by a Gaussian with a σ of 1.5, and
            covariances divided by the count. By default windows of 7 pixels, all of one weight,
            and covariances divided by the count less 1, as scikit-image has it.

    Returns:
        float64 `(count,)`, in [-1, 1]; 1 for equal images.

    Raises:
        ValueError: other shapes, images smaller than a window, values that are not finite, or
            floats without `data_range`.
    """
    x, y, data_range = _pairs(images_1, images_2, data_range)
    window = _gaussian() if gaussian else np.full(_UNIFORM_SIDE, 1 / _UNIFORM_SIDE)
    if min(x.shape[1:3]) < len(window):
        raise ValueError(
            f"SSIM needs images of at least {len(window)} pixels each way. Received: {x.shape}"
        )
    unbias = 1.0 if gaussian else _UNIFORM_SIDE**2 / (_UNIFORM_SIDE**2 - 1)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    mean_x, mean_y = _smoothed(x, window), _smoothed(y, window)
    variances = _smoothed(x * x + y * y, window) - mean_x**2 - mean_y**2
    covariance = _smoothed(x * y, window) - mean_x * mean_y
    similarity = (2 * mean_x * mean_y + c1) * (2 * unbias * covariance + c2)
    similarity /= (mean_x**2 + mean_y**2 + c1) * (unbias * variances + c2)
    return similarity.mean(axis=(1, 2, 3))


def _pairs(images_1, images_2, data_range):
    """Both in float64, and the range of their values."""
    images_1, images_2 = checks.image_pairs(images_1, images_2)
    are_bytes = [images.dtype == np.uint8 for images in (images_1, images_2)]
    if are_bytes[0] != are_bytes[1] or (data_range is None and not all(are_bytes)):
        raise ValueError(
            "Expected two uint8 arrays, or two arrays of floats and their data_range (2 for "
            f"[-1, 1]). Received: {images_1.dtype} and {images_2.dtype}, data_range={data_range}"
        )
    checks.finite_images(images_1, images_2)
    return np.float64(images_1), np.float64(images_2), 255 if data_range is None else data_range


def _gaussian():
    weights = np.exp(-0.5 * (np.arange(-_GAUSSIAN_RADIUS, _GAUSSIAN_RADIUS + 1) / _SIGMA) ** 2)
    return weights / weights.sum()


def _smoothed(images, window):
    """Weighted means over all windows within the images, along rows and then columns."""
    for axis in (1, 2):
        windows = np.lib.stride_tricks.sliding_window_view(images, len(window), axis)
        images = windows @ window
    return images
