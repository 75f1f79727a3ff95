"""An image of any depth and number of channels, as its file holds it."""

import dataclasses

import numpy as np

from cyclegan_tf.errors import InputError
from cyclegan_tf.intensity_range import is_missing, sampled

CONTIGUOUS, PLANAR, PAGES = "contiguous", "planar", "pages"  # where a TIFF has its channels

# Of the orientations of EXIF.
QUARTER_TURNS = (5, 6, 7, 8)
# Whether rows and columns are exchanged, rows are flipped, and columns are flipped as stored.
EXCHANGED_AND_FLIPPED = {
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, True, False),
    7: (True, True, True),
    8: (True, False, True),
}

_MANY = 64  # channels
_LUMA = (0.299, 0.587, 0.114)  # of red, green and blue, ITU-R BT.601, as Pillow has it


@dataclasses.dataclass(frozen=True)
class Header:
    """What a file says before its pixels are read.

    Attributes:
        size: `(height, width)`.
        channels: their number.
        several: whether there are more frames or pages than the one that is read.
        alpha: whether the last channel is opacity.
        color: whether the first three channels are red, green and blue.
    """

    size: tuple[int, int]
    channels: int
    several: bool = False
    alpha: bool = False
    color: bool = False

    def check_channels(self, channels, name):
        """Raises an `InputError` if `DeepImage.with_channels` cannot make so many of them."""
        found = self.channels - (self.alpha and channels < self.channels)
        if not ((found == 1 and channels == 3) or (found == 3 and self.color and channels == 1)):
            check_channels(found, channels, name)


@dataclasses.dataclass(frozen=True, eq=False)
class DeepImage:
    """Pixels, and what else a file of the same kind needs.

    Attributes:
        values: `(height, width, channels)`, of the file's dtype.
        usual_range: `(low, high)` if the file itself says which values mean black and white.
        alpha: whether the last channel is opacity.
        color: whether the first three channels are red, green and blue.
        layout: `"contiguous"`, `"planar"` or `"pages"`.
        flat: whether the file has no axis of channels.
        compressed: whether the file is.
        profile: an ICC profile, or `None`.
        resolution: pixels an inch, across and down, or `None`.
        several: whether there are more frames or pages.
        no_data: the value that stands for none, as in satellite scenes; it may be NaN, or `None`.
        georeference: tags of TIFF that say where on Earth the pixels are, as `extratags` of
            tifffile.
    """

    values: np.ndarray
    usual_range: tuple[float, float] | None = None
    alpha: bool = False
    color: bool = False
    layout: str = CONTIGUOUS
    flat: bool = False
    compressed: bool = False
    profile: bytes | None = None
    resolution: tuple[float, float] | None = None
    several: bool = False
    no_data: float | None = None
    georeference: tuple = ()

    @property
    def shape(self):
        return self.values.shape

    @property
    def dtype(self):
        return self.values.dtype

    @property
    def channels(self):
        return self.values.shape[-1]

    def read(self, part):
        """The values of spans of rows and columns."""
        return self.values[slice(*part[0]), slice(*part[1])]

    def sampled(self):
        """Some of its pixels; see `cyclegan_tf.intensity_range.sampled`."""
        return sampled(self)

    def with_channels(self, channels, name):
        """The image with the channels that a network takes.

        Gray becomes RGB and RGB gray; with opacity, what is transparent becomes white. Nothing
        else is guessed.

        Raises:
            InputError: it has other channels.
        """
        image = self
        if image.alpha and channels < image.channels:
            image = image._on_white()
        if image.channels == 1 and channels == 3:
            repeated = np.repeat(image.values, 3, -1)
            image = dataclasses.replace(image, values=repeated, color=True, profile=None)
        elif image.color and image.channels == 3 and channels == 1:
            gray = image._drawn(image.values @ np.asarray(_LUMA)[:, np.newaxis])
            image = dataclasses.replace(image, values=gray, color=False, profile=None)
        check_channels(image.channels, channels, name)
        return image

    def _on_white(self):
        white = top_of(self.values.dtype)
        opacity = self.values[..., -1:] / white
        drawn = self._drawn(self.values[..., :-1] * opacity + white * (1 - opacity))
        return dataclasses.replace(self, values=drawn, alpha=False)

    def _drawn(self, values):
        """Floats that were made of the image, as its dtype; where it has no data there are none."""
        if self.values.dtype.kind != "f":
            values = np.round(values)
        colors = self.values[..., :-1] if self.alpha else self.values
        missing = is_missing(colors, self.no_data).all(-1, keepdims=True)
        values = values.astype(self.values.dtype)
        return with_no_data(values, missing, no_data_of(self.dtype, self.no_data))


def check_channels(found, expected, name):
    """Raises an `InputError` if a file has another number of channels than a network takes."""
    if found == expected:
        return
    todo = "Choose the channels, and write them to files of their own."
    if found > _MANY:  # such as rows that tifffile took for pages
        todo = "If they are its rows, save it anew, with planarconfig='contig' of tifffile."
    raise InputError(
        f"{name} has {found} {'channel' if found == 1 else 'channels'}; expected {expected}. {todo}"
    )


def with_no_data(values, missing, no_data):
    """Values of which some are missing.

    Args:
        values: `(…, channels)`. Others that happen to be `no_data` become the next one, as GDAL
            has it.
        missing: which of them are missing, `(…, channels)` or `(…, 1)`.
        no_data: the value that stands for none; `None` leaves all values.
    """
    if no_data is None:
        return values
    none = values.dtype.type(no_data)
    return np.where(missing, none, np.where(values == none, _next(none), values))


def _next(value):
    if value.dtype.kind == "f":
        return np.nextafter(value, value.dtype.type(0 if value > 0 else 1))
    return value - 1 if value == np.iinfo(value.dtype).max else value + 1


def no_data_of(dtype, no_data):
    """The value that stands for none, if values of a dtype can be it; else `None`."""
    if no_data is None:
        return None
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            is_beyond = np.isinf(dtype.type(no_data)) and not np.isinf(no_data)
        return None if is_beyond else no_data
    limits = np.iinfo(dtype)
    is_one = no_data == np.round(no_data) and limits.min <= no_data <= limits.max  # not NaN
    return int(no_data) if is_one else None


def top_of(dtype):
    """The value of white: the largest of an integer, and 1 of a float."""
    return np.iinfo(dtype).max if dtype.kind in "iu" else 1.0


def straight(values):
    """Values `(height, width, channels)` whose colors are no longer multiplied by the opacity."""
    white, opacity = top_of(values.dtype), values[..., -1:].astype(np.float64)
    colors = values[..., :-1] * (white / np.where(opacity > 0, opacity, white))
    colors = np.minimum(colors if values.dtype.kind == "f" else np.round(colors), white)
    return np.concatenate([colors.astype(values.dtype), values[..., -1:]], -1)


def upright(values, orientation):
    """The pixels turned as an EXIF orientation says; 1 and unknown ones leave them."""
    exchanged, *flipped = EXCHANGED_AND_FLIPPED.get(orientation, (False, False, False))
    values = values[tuple(slice(None, None, -1 if each else 1) for each in flipped)]
    return values.swapaxes(0, 1) if exchanged else values
