"""Which values of an image become -1 and 1 for a network, and the way back.

A rule has a method `of(image, name)`, which gives the `ValueRange` of a
`cyclegan_tf.data.deep_image.DeepImage` or of an image that is read by parts.

NumPy is imported where it is used: the command line's help does not wait for it.
"""

import dataclasses
import math
import re

from cyclegan_tf.errors import InputError

_EACH = "/image"
_FORMS = "LOW:HIGH, such as -1000:2000, or percentiles such as 0.1%:99.9% or 0.1%:99.9%/image"

# Percentiles are of this many pixels of an image at most, evenly spread.
_PIXELS_OF_AN_IMAGE = 2**16
# And of this many images of a folder.
MOST_IMAGES = 500


@dataclasses.dataclass(frozen=True)
class ValueRange:
    """A range of values, one for all channels or one for each.

    Attributes:
        low, high: tuples of one number, or of one for each channel; `low` becomes -1 and `high`
            becomes 1.

    Raises:
        InputError: a number is not finite, or `high` is not above `low`.
    """

    low: tuple
    high: tuple

    def __post_init__(self):
        for low, high in zip(self.low, self.high, strict=True):
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise InputError(
                    "A range of values needs two numbers, of which the second is the larger. "
                    f"Received: {low:g}:{high:g}"
                )

    def __str__(self):
        return ", ".join(f"{low:g}:{high:g}" for low, high in zip(self.low, self.high))

    def of(self, image, name):
        """Itself, if it is for the channels of an image."""
        self.check_channels(image.channels, name)
        return self

    def check_channels(self, channels, name):
        """Raises an `InputError` for an image of other channels than there are ranges."""
        if len(self.low) not in (1, channels):
            raise InputError(
                f"{name} has {channels} channels, and the range of values is one of "
                f"{len(self.low)}: {self}; give one LOW:HIGH for all (--value-range)."
            )

    def check_dtype(self, dtype, name):
        """Raises an `InputError` if there are values in it that integers of a dtype have not.

        Args:
            dtype: of results.
            name: of the image that they are made of.
        """
        import numpy as np

        if dtype.kind not in "iu":
            return
        limits = np.iinfo(dtype)
        if min(self.low) < limits.min or max(self.high) > limits.max:
            raise InputError(
                f"The result of {name} is {dtype.name}, which has values from {limits.min} to "
                f"{limits.max}, and the range {self} goes beyond; give another one by "
                "--output-range."
            )

    def to_floats(self, values, no_data=None, clip=True):
        """float32 in [-1, 1] from values `(…, channels)`.

        Args:
            values: to map.
            no_data: the value that stands for none, if there is one; it becomes -1.
            clip: whether those outside the range become -1 or 1, instead of going beyond.
        """
        import numpy as np

        low, high = (np.asarray(each, np.float64) for each in (self.low, self.high))
        if no_data is not None:  # first: such a value may be the least that a float can be
            values = np.where(is_missing(values, no_data), low, values)
        floats = 2 * (values - low) / (high - low) - 1
        return np.float32(np.clip(floats, -1, 1) if clip else floats)

    def to_values(self, images, dtype):
        """The way back, from [-1, 1] to values of a dtype; integers are rounded."""
        import numpy as np

        low, high = (np.asarray(each, np.float64) for each in (self.low, self.high))
        values = low + (np.clip(np.float64(images), -1, 1) + 1) / 2 * (high - low)
        return as_type(values, dtype)

    def share_outside(self, values, no_data=None):
        """The share of values `(…, channels)` that `to_floats` clips."""
        import numpy as np

        low, high = (np.asarray(each, np.float64) for each in (self.low, self.high))
        outside = (values < low) | (values > high)
        return float(np.mean(outside if no_data is None else outside & (values != no_data)))


@dataclasses.dataclass(frozen=True)
class OfType:
    """The rule if none is given: all that integers of 8 or 16 bits can be, or a DICOM's window."""

    def __str__(self):
        return "that of the type"

    def of(self, image, name):
        """The `ValueRange` of an image.

        Raises:
            InputError: it is of a dtype that does not say which values are usual.
        """
        if image.usual_range is not None:
            return _range(*image.usual_range)
        return full_range(image.dtype, name)


@dataclasses.dataclass(frozen=True)
class Percentiles:
    """The rule of percentiles, of each channel by itself.

    Attributes:
        low, high: from 0 to 100.
        each_image: of each image by itself, instead of all images of a folder.
    """

    low: float
    high: float
    each_image: bool

    def __str__(self):
        return f"{self.low:g}%:{self.high:g}%{_EACH if self.each_image else ''}"

    def of(self, image, name):
        """The `ValueRange` of an image by itself."""
        return self.measured([image.sampled()])

    def measured(self, samples):
        """The `ValueRange` of what `sampled` took of several images.

        A channel that has one value everywhere, or none, becomes -1.
        """
        import numpy as np

        found = np.concatenate(samples)
        missing = np.isnan(found)
        found[:, missing.all(0)] = 0
        percentile = np.nanpercentile if missing.any() else np.percentile  # which is faster
        low, high = percentile(found, (self.low, self.high), axis=0)
        return _range(low, np.where(high > low, high, low + 1))


def full_range(dtype, name):
    """The `ValueRange` of all values of integers of 8 or 16 bits.

    Raises:
        InputError: it is another dtype; no image uses all of its values.
    """
    if dtype.kind not in "iu" or dtype.itemsize > 2:
        raise InputError(
            f"{name} holds {dtype.name} values, whose range it does not say; give it by "
            f"--value-range (value_range in Python): {_FORMS}."
        )
    import numpy as np

    limits = np.iinfo(dtype)
    return _range(limits.min, limits.max)


def parsed(text):
    """The rule that a text gives: `None`, `"LOW:HIGH"`, `"P%:P%"` or `"P%:P%/image"`.

    A rule is returned as it is.

    Raises:
        InputError: the text is none of these.
    """
    if text is None:
        return OfType()
    if not isinstance(text, str):
        return text
    number = r"([-+.\deE]+)"
    found = re.fullmatch(rf"{number}(%?):{number}(%?)({_EACH})?", text.replace(" ", ""))
    try:
        low, high = float(found[1]), float(found[3])
    except (TypeError, ValueError):
        raise InputError(f"A range of values is {_FORMS}. Received: {text!r}") from None
    if found[2] != found[4] or (found[5] and not found[2]):
        raise InputError(f"A range of values is {_FORMS}. Received: {text!r}")
    if not found[2]:
        return _range(low, high)
    if not 0 <= low < high <= 100:
        raise InputError(
            f"Percentiles lie between 0 and 100, and the second is the larger. Received: {text!r}"
        )
    return Percentiles(low, high, bool(found[5]))


def recorded(record):
    """The `ValueRange` of a dictionary with `low` and `high`, as a run's options keep it."""
    return ValueRange(tuple(record["low"]), tuple(record["high"]))


def is_of_folder(rule):
    """Whether a rule must be measured on the images of a folder first."""
    return isinstance(rule, Percentiles) and not rule.each_image


def _range(low, high):
    """The `ValueRange` of two numbers, or of two arrays with one for each channel."""
    several = (each if hasattr(each, "__len__") else [each] for each in (low, high))
    return ValueRange(*(tuple(map(float, each)) for each in several))


def as_type(values, dtype):
    """Floats as a dtype; for integers they are rounded, and clipped at the least and the most."""
    import numpy as np

    if dtype.kind not in "iu":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    # The largest of 64 bits is no float64: the next one above it would overflow.
    most = limits.max if dtype.itemsize < 8 else np.nextafter(float(limits.max), 0)
    return np.clip(np.round(values), limits.min, most).astype(dtype)


def is_missing(values, no_data):
    """Which values are the one that stands for none, which may be NaN; none without it."""
    import numpy as np

    if no_data is None:
        return np.zeros(np.shape(values), bool)
    return np.isnan(values) if np.isnan(no_data) else values == no_data


def sampled(image):
    """Pixels of an image, float64 `(count, channels)`, evenly spread; NaN where it has no data.

    Args:
        image: has `shape`, `no_data` and `read(part)`, by which it is read.
    """
    import numpy as np

    height, width, channels = image.shape
    step = math.ceil(math.sqrt(height * width / _PIXELS_OF_AN_IMAGE))
    rows, columns = (
        _spans(length, step, least) for length, least in ((height, 512), (width, 4096))
    )
    parts = (image.read((row, column)) for row in rows for column in columns)
    found = np.concatenate([part[::step, ::step].reshape(-1, channels) for part in parts])
    return np.where(is_missing(found, image.no_data), np.nan, found.astype("float64"))


def _spans(length, step, least):
    """Spans that follow each other, each from a multiple of `step` on and `least` long."""
    span = step * math.ceil(least / step)
    return [(start, min(start + span, length)) for start in range(0, length, span)]
