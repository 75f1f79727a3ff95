"""Alarms: failed trainings that show in a few translated images.

A healthy run must raise none, so that each threshold leaves room: see `docs/metrics.md` for what
healthy translations and failures measure. Images are uint8, or floats in [-1, 1]; differences are
in units of [-1, 1].
"""

import typing

import numpy as np

from cyclegan_tf.metrics import checks
from cyclegan_tf.pixels import to_float

_LEAST_IMAGES = 4  # fewer may be alike, or alike the targets, by chance
_LEAST_TARGETS = 8  # to tell how far the domains are apart

_COPY = 0.02  # 2.5 8-bit values: no more than a network's own inaccuracy
_COPY_OF_DISTANCE = 0.25
_COLLAPSED = 0.2
_INVERTED_CORRELATION = -0.5
_FLAT = 0.5  # share of pixels; of label maps
_CONSTANT = 0.02
_MOST = 0.5  # of the images
_MORE_THAN_REAL = 0.25

_CELLS = 16  # images are compared by the means of so many cells each way
_SAMPLES = 64  # pixels each way, of which colors are compared
_LUMINANCE = np.float32([0.299, 0.587, 0.114])  # ITU-R BT.601


class Alarm(typing.NamedTuple):
    """A failure that was found.

    Attributes:
        name: `"blank"`, `"returns_its_input"`, `"collapsed"` or `"inverted"`.
        value, threshold: what was measured, and from where on it is an alarm.
        sentence: what was measured and what it means.
    """

    name: str
    value: float
    threshold: float
    sentence: str


def alarms(inputs, outputs, targets=None):
    """The failures that show in translated images.

    Outputs that are blank raise no other alarm. "Inverted" is not looked for where the images
    look like label maps: their colors say nothing of brightness. In domains where dark should
    become bright, as negatives, that alarm is none.

    Args:
        inputs, outputs: `(count, height, width, channels)`, images and their translations.
        targets: real images of the domain of the outputs, of the same size; any number. With them
            fewer failures are missed, and domains whose images are alike are understood.

    Returns:
        A list of `Alarm`, empty if nothing was found.

    Raises:
        ValueError: other shapes, values out of range, or inputs or targets that are not finite.
    """
    inputs, outputs, targets = _checked(inputs, outputs, targets)
    found = _blank_alarm(inputs, outputs, targets)
    if found:
        return [found]
    looks = (_copy_alarm, _collapse_alarm, _inversion_alarm)
    return [found for look in looks if (found := look(inputs, outputs, targets))]


def returns_its_input(inputs, outputs):
    """How far outputs are from their inputs.

    Images of different numbers of channels are compared by their brightness.

    Args:
        inputs, outputs: `(count, height, width, channels)`.

    Returns:
        A float: the mean absolute difference, from 0 to 2. `nan` if a pixel is.

    Raises:
        ValueError: other shapes, or values out of range.
    """
    inputs, outputs, _ = _checked(inputs, outputs)
    if inputs.shape != outputs.shape:
        inputs, outputs = _luminance(inputs), _luminance(outputs)
    return float(np.abs(outputs - inputs).mean())


def collapsed(inputs, outputs, targets=None):
    """How much outputs differ from each other, where 1 is as much as real images do.

    The variety of a set is the deviation between its images at one place, divided by the
    deviation of everything, so that contrast does not count; places are cells of 16 × 16. The
    variety of the outputs is divided by that of the inputs or of the targets, whichever is less.

    Args:
        inputs, outputs: `(count, height, width, channels)`.
        targets: real images of the domain of the outputs.

    Returns:
        A float, 0 or more: 0 if all outputs are one image, `nan` if all inputs are or if there is
        only one.

    Raises:
        ValueError: other shapes, or values out of range.
    """
    inputs, outputs, targets = _checked(inputs, outputs, targets)
    real = [_variety(images) for images in (inputs, targets) if images is not None]
    real = [variety for variety in real if not np.isnan(variety)]
    if not real or min(real) == 0:
        return float("nan")
    return _variety(outputs) / min(real)


def inverted(inputs, outputs):
    """The share of images in which bright became dark.

    There the brightness of input and output correlates by -0.5 or less over the pixels, and the
    output is nearer (mean absolute difference) to the negative of the input than to the input.

    Args:
        inputs, outputs: `(count, height, width, channels)`.

    Returns:
        A float, from 0 to 1.

    Raises:
        ValueError: other shapes, or values out of range.
    """
    inputs, outputs, _ = _checked(inputs, outputs)
    x, y = (_luminance(images).reshape(len(images), -1) for images in (inputs, outputs))
    nearer = np.abs(y + x).mean(axis=1) < np.abs(y - x).mean(axis=1)
    x, y = (values - values.mean(axis=1, keepdims=True) for values in (x, y))
    lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
    opposed = (x * y).sum(axis=1) <= _INVERTED_CORRELATION * lengths
    return float((nearer & opposed & (lengths > 0)).mean())


def blank(outputs):
    """The share of images that are of one color, or hold NaN or infinity.

    Of one color is what deviates by less than 0.02 (2.5 8-bit values) in every channel.

    Args:
        outputs: `(count, height, width, channels)`.

    Returns:
        A float, from 0 to 1.

    Raises:
        ValueError: another shape, or values out of range.
    """
    return float(_are_blank(_images(outputs, "outputs")).mean())


def _blank_alarm(inputs, outputs, targets):
    broken = ~np.isfinite(outputs).all(axis=(1, 2, 3))
    if broken.any():
        share = float(broken.mean())
        return Alarm(
            "blank",
            share,
            0.0,
            f"{share:.0%} of the outputs hold NaN or infinity: the weights are broken. Go back to "
            "an earlier epoch, with a lower learning rate or in float32.",
        )
    real = max(blank(images) for images in (inputs, targets) if images is not None)
    share, threshold = blank(outputs), max(_MOST, real + _MORE_THAN_REAL)
    if share <= threshold:
        return None
    level = (float(outputs.mean()) + 1) * 127.5
    return Alarm(
        "blank",
        share,
        threshold,
        f"{share:.0%} of the outputs are of one color (their mean is {level:.0f} of 255), and at "
        f"most {real:.0%} of the real images: the generator has failed. Start again, with another "
        "seed or a lower learning rate.",
    )


def _copy_alarm(inputs, outputs, targets):
    value, threshold, reason = returns_its_input(inputs, outputs), _COPY, ""
    if targets is not None and min(len(inputs), len(targets)) >= _LEAST_TARGETS:
        apart = _color_distance(inputs, targets)
        if _COPY_OF_DISTANCE * apart > threshold:
            threshold = _COPY_OF_DISTANCE * apart
            reason = f", and the colors of the two domains by {apart:.3f}"
    if value >= threshold:
        return None
    return Alarm(
        "returns_its_input",
        value,
        threshold,
        f"Outputs differ from their inputs by {value:.3f} on average, of 2{reason}: the generator "
        "returns its input. A lower weight of the identity and cycle losses may help.",
    )


def _collapse_alarm(inputs, outputs, targets):
    value = collapsed(inputs, outputs, targets)
    if len(outputs) < _LEAST_IMAGES or not value < _COLLAPSED:  # so that NaN is none
        return None
    return Alarm(
        "collapsed",
        value,
        _COLLAPSED,
        f"Outputs differ from each other {value:.2f} times as much as real images do: the "
        "generator makes one image of all inputs (mode collapse). Go back to an earlier epoch, or "
        "raise the weight of the cycle loss.",
    )


def _inversion_alarm(inputs, outputs, targets):
    value = inverted(inputs, outputs)
    sets = [images for images in (inputs, outputs, targets) if images is not None]
    if value <= _MOST or max(map(_flatness, sets)) > _FLAT:
        return None
    return Alarm(
        "inverted",
        value,
        _MOST,
        f"In {value:.0%} of the outputs bright became dark and dark bright: the generator has "
        "learned the negative, which the cycle undoes. Start again, with another seed or with the "
        "identity loss in the first epochs.",
    )


def _are_blank(images):
    # Written so that NaN counts.
    with np.errstate(invalid="ignore"):
        return ~(images.std(axis=(1, 2)) >= _CONSTANT).any(axis=-1) | ~np.isfinite(images).all(
            axis=(1, 2, 3)
        )


def _variety(images):
    """0 if all images are one; about 1 if their places have nothing in common."""
    if len(images) < 2:
        return float("nan")
    cells = _cells(images)
    between = cells.var(axis=0, ddof=1).mean()
    everything = cells.var(axis=(0, 1, 2)).mean()
    return float(np.sqrt(between / everything)) if everything > 0 else 0.0


def _cells(images):
    """Means of 16 × 16 cells or, of small images, of fewer pixels; what is left over is cut."""
    count, height, width, channels = images.shape
    rows, columns = (max(1, side // _CELLS) for side in (height, width))
    cut = images[:, : height // rows * rows, : width // columns * columns]
    shape = (count, height // rows, rows, width // columns, columns, channels)
    return cut.reshape(shape).mean(axis=(2, 4), dtype=np.float64)


def _color_distance(images_1, images_2):
    """The Wasserstein distance of pixel values, averaged over the channels.

    No translation that gives all colors of the other domain can change its inputs by less.
    """
    if images_1.shape[-1] != images_2.shape[-1]:
        images_1, images_2 = _luminance(images_1), _luminance(images_2)
    shares = (np.arange(1000) + 0.5) / 1000
    step = max(1, min(images_1.shape[1:3]) // _SAMPLES)
    sampled = [images[:, ::step, ::step] for images in (images_1, images_2)]
    quantiles = [np.quantile(images, shares, axis=(0, 1, 2)) for images in sampled]
    return float(np.abs(quantiles[0] - quantiles[1]).mean())


def _flatness(images):
    """The share of pixels like their neighbors to the right and below, within 2.5 8-bit values."""
    inner = images[:, :-1, :-1]
    right, below = np.abs(images[:, :-1, 1:] - inner), np.abs(images[:, 1:, :-1] - inner)
    alike = (np.maximum(right, below) < _CONSTANT).all(axis=-1)
    return float(alike.mean()) if alike.size else 0.0


def _luminance(images):
    """Brightness, `(count, height, width, 1)`; an alpha channel does not count."""
    channels = images.shape[-1]
    if channels in (3, 4):
        return images[..., :3] @ _LUMINANCE[:, None]
    return images[..., : 1 if channels == 2 else channels].mean(axis=-1, keepdims=True)


def _checked(inputs, outputs, targets=None):
    """All as float32 in [-1, 1]."""
    inputs, outputs = _images(inputs, "inputs"), _images(outputs, "outputs")
    checks.image_pairs(inputs[..., :1], outputs[..., :1])
    if targets is not None:
        targets = _images(targets, "targets")
        checks.image_batches(outputs, targets)
    for name, images in (("inputs", inputs), ("targets", targets)):
        if images is not None and not np.isfinite(images).all():
            raise ValueError(f"Expected finite {name}. Received: NaN or infinity in {name}")
    return inputs, outputs, targets


def _images(images, name):
    (images,) = checks.image_batches(images)
    if images.dtype == np.uint8:
        return to_float(images)
    images = np.asarray(images, np.float32)
    finite = images[np.isfinite(images)]
    if finite.size and np.abs(finite).max() > 1.001:
        raise ValueError(
            f"Expected {name} of uint8 or in [-1, 1]. Received: values from {finite.min():g} to "
            f"{finite.max():g}"
        )
    return images
