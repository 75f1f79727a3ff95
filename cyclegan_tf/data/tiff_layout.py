"""Where a TIFF file has its rows, columns and channels, and what its values mean.

By `tifffile`, of the extra `tiff`. `deep_tiff` reads whole images, `tiff_parts` parts of them.
"""

import contextlib
import dataclasses
import logging
import math
import pathlib

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data.deep_image import (
    CONTIGUOUS,
    PAGES,
    PLANAR,
    QUARTER_TURNS,
    DeepImage,
    no_data_of,
    straight,
)
from cyclegan_tf.errors import DamagedError, InputError
from cyclegan_tf.extras import required

_ALPHA = PREMULTIPLIED, _ = (1, 2)  # of the tag ExtraSamples
_PER_INCH = {2: 1, 3: 2.54}  # from a resolution by its unit: inch or centimeter
_WHITE_IS_0, _BLACK_IS_0, _RGB, _YCBCR = 0, 1, 2, 6  # photometric interpretations
_CHANNELS = "CSQ"  # letters of axes, the surest first
_JPEG = 7  # a compression, of which decoding makes RGB
_NO_DATA = 42113  # a tag of GDAL
# Tags of GeoTIFF, and of the rational polynomials of satellites.
_GEOREFERENCE = (33550, 33922, 34264, 34735, 34736, 34737, 50844)
_SEPARATE = 2  # planar configuration


def tifffile():
    """The module `tifffile`.

    Raises:
        ImportError: it is not installed.
    """
    module = required("tifffile", "tiff", "TIFF files at their depth and by tiles need")
    logging.getLogger("tifffile").addFilter(_is_about_others)
    return module


def _is_about_others(record):
    """Whether a line that tifffile logs is not about values that `Layout.no_data` reads."""
    return "GDAL_NODATA" not in record.getMessage()


@contextlib.contextmanager
def decoding(path):
    """What the decoders of a file raise becomes an `InputError` that names it."""
    try:
        yield
    except (InputError, ImportError, MemoryError):
        raise
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected a TIFF file.") from None
    except Exception as error:  # decoders raise errors of many kinds
        if getattr(error, "errno", None):
            raise files.unreadable(path, error) from None
        if "imagecodecs" in str(error):
            raise InputError(
                f"{path} is compressed in a way that needs another package: pip install "
                "'cyclegan-tf[tiff]'."
            ) from None
        raise DamagedError(f"{path} is damaged and cannot be read: {error}.") from None


class UnsupportedTiffError(InputError):
    """A sound TIFF of a kind that is not read at its depth, or not by parts."""


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The first image of a file, of a pyramid its largest level.

    Attributes:
        path: of the file.
        series: of tifffile.
        rows, columns: as they are stored, before the image is turned upright.
        channels: their number.
        layout: where they are: `"contiguous"`, `"planar"` or `"pages"`.
        page_numbers: in the series, of the page of each channel or of all of them; `None` if pages
            are no planes of the image, such as a page for each of its rows.
        several: whether there are other images, such as slices or times.
        channel_axis: the letter of the axis of channels, where `page_numbers` is `None`.
    """

    path: pathlib.Path
    series: object
    rows: int
    columns: int
    channels: int
    layout: str
    page_numbers: tuple | None
    several: bool
    channel_axis: str | None = None

    @classmethod
    def of(cls, series, path, stacks=True):
        """The layout of a series of pages.

        Channels are samples of a page; or pages that the file calls channels, or one array, if
        `stacks`. The letters of axes are those of tifffile: C for channels, S for samples, Q for
        an array without names. Axes of one place do not count.

        Raises:
            UnsupportedTiffError: it is no image of numbers in gray, RGB or plain channels.
        """
        page = series.keyframe
        _check_colors(page, path, series)
        if (left_out := _no_data(page)) is not None:
            page.nodata = page.dtype.type(left_out)  # of some, such as the least, tifffile has 0
        of_all = _long(series.axes, series.shape)
        of_page = _long(page.axes, page.shape)
        of_pages = of_all[: -len(of_page)]
        if _planes(of_all[-len(of_page) :]) != _planes(of_page):
            return cls._of_letters(series, path, of_all)
        lengths = [length for _, length in of_page]
        names = [axis for axis, _ in of_page]
        rows, columns = (lengths[names.index(axis)] for axis in "YX")
        samples = [length for axis, length in of_page if axis not in "YX"]
        letters = [axis for axis, _ in of_pages]
        named = next((axis for axis in _CHANNELS if axis in letters and not samples), None)
        chosen = len(letters) - 1 - letters[::-1].index(named) if named and stacks else None
        numbers = np.arange(math.prod(length for _, length in of_pages))
        numbers = numbers.reshape([length for _, length in of_pages])
        first = tuple(slice(None) if at == chosen else 0 for at in range(len(of_pages)))
        page_numbers = tuple(np.atleast_1d(numbers[first]).tolist())
        if len(page_numbers) > 1:
            layout = PAGES
        else:
            layout = PLANAR if samples and names[0] not in "YX" else CONTIGUOUS
        channels = math.prod(samples) * len(page_numbers)
        several = len(of_pages) > (chosen is not None)
        return cls(
            pathlib.Path(path), series, rows, columns, channels, layout, page_numbers, several
        )

    @classmethod
    def _of_letters(cls, series, path, axes):
        """The layout of an array whose pages are no planes of it, by the letters of its axes."""
        lengths = dict(axes)
        other = [axis for axis in lengths if axis not in "YX"]
        named = next((axis for axis in _CHANNELS if axis in other), None)
        is_last = named is not None and axes[-1][0] == named
        return cls(
            pathlib.Path(path),
            series,
            lengths["Y"],
            lengths["X"],
            lengths.get(named, 1),
            CONTIGUOUS if is_last or named is None else PAGES,
            None,
            len(other) > (named is not None),
            named,
        )

    @property
    def page(self):
        """What all pages of the image have in common."""
        return self.series.keyframe

    def pages(self):
        """The pages of `page_numbers`.

        Raises:
            DamagedError: the file lacks one of them.
        """
        count = len(self.series)
        found = [self.series[each] if each < count else None for each in self.page_numbers]
        if None in found:
            raise DamagedError(f"{self.path} lacks pages that it describes; save it anew.")
        return found

    @property
    def size(self):
        """Height and width of the upright image."""
        lengths = self.rows, self.columns
        return lengths[::-1] if self.orientation in QUARTER_TURNS else lengths

    @property
    def orientation(self):
        """As EXIF counts them, from 1 to 8."""
        tag = self.page.tags.get("Orientation")
        return int(tag.value) if tag else 1

    @property
    def alpha(self):
        """Whether the last channel is opacity."""
        samples = tuple(self.page.extrasamples or ())
        return bool(samples) and int(samples[-1]) in _ALPHA and self.channels in (2, 4)

    @property
    def color(self):
        """Whether the first three channels are red, green and blue."""
        return self.page.photometric in (_RGB, _YCBCR) and self.channels >= 3

    @property
    def usual_range(self):
        """Of packed integers, such as 12 bits in an array of 16; `None` of others."""
        page = self.page
        if page.dtype.kind != "u" or page.bitspersample == 8 * page.dtype.itemsize:
            return None
        return 0, 2**page.bitspersample - 1

    def meant(self, values):
        """What stored values `(rows, columns, channels)` mean: 0 is black, colors are straight."""
        if self._inverted:
            values = (self._white - values).astype(values.dtype)
        if self.alpha and int(self.page.extrasamples[-1]) == PREMULTIPLIED:
            values = straight(values)
        return values

    def image(self, values):
        """The `DeepImage` of upright values."""
        return DeepImage(
            values,
            usual_range=self.usual_range,
            alpha=self.alpha,
            color=self.color,
            layout=self.layout,
            flat=self.channels == 1,
            compressed=self.page.compression != 1,
            profile=self.page.iccprofile,
            resolution=self._resolution(),
            several=self.several,
            no_data=self.no_data,
            georeference=self.georeference,
        )

    @property
    def no_data(self):
        """What `meant` makes of the value that stands for none; or `None`."""
        stored = _no_data(self.page)
        return self._white - stored if self._inverted and stored is not None else stored

    @property
    def _inverted(self):
        return self.page.photometric == _WHITE_IS_0 and self.page.dtype.kind == "u"

    @property
    def _white(self):
        """The largest value, of integers."""
        return (self.usual_range or (0, np.iinfo(self.page.dtype).max))[1]

    @property
    def georeference(self):
        """See `DeepImage`; those of images that are stored turned are not known."""
        if self.orientation != 1:
            return ()
        tags = filter(None, map(self.page.tags.get, _GEOREFERENCE))
        return tuple((tag.code, int(tag.dtype), tag.count, tag.value, True) for tag in tags)

    def _resolution(self):
        """Pixels an inch of the upright image, across and down; `None` if the file has none."""
        per_inch = _PER_INCH.get(int(self.page.resolutionunit or 1))
        if per_inch is None or "XResolution" not in self.page.tags:
            return None
        found = tuple(each * per_inch for each in self.page.resolution)
        return found[::-1] if self.orientation in QUARTER_TURNS else found


def extra_tags(georeference, no_data):
    """The `extratags` of tifffile for a file with these; `no_data` may be `None`."""
    text = [] if no_data is None else [(_NO_DATA, 2, 0, f"{no_data:.17g}", True)]
    return [*georeference, *text]


def _check_colors(page, path, series):
    colors = page.photometric in (_WHITE_IS_0, _BLACK_IS_0, _RGB) or (
        page.photometric == _YCBCR and page.compression == _JPEG
    )
    if not {"Y", "X"} <= set(series.axes) & set(page.axes) or not colors or page.imagedepth != 1:
        raise UnsupportedTiffError(
            f"{path} is a TIFF of a kind that is not read at its depth (axes {series.axes}, colors "
            f"{page.photometric}); save it as gray, RGB or plain channels."
        )
    if series.dtype.kind not in "iuf" or not isinstance(page.bitspersample, int):
        raise UnsupportedTiffError(f"{path} holds {series.dtype.name} values; expected numbers.")


def _no_data(page):
    """The stored value that stands for none; `None` if the file names none that it can have."""
    tag = page.tags.get(_NO_DATA)
    with contextlib.suppress(ValueError):  # of a text that is no number
        return no_data_of(page.dtype, float(str(tag.value).replace(",", "."))) if tag else None
    return None


def _planes(axes):
    """Lengths of axes, and which of them are rows and columns."""
    return [(axis if axis in "YX" else None, length) for axis, length in axes]


def _long(axes, shape):
    """Rows, columns and those other axes, by letter, that have more than one place."""
    return [(axis, length) for axis, length in zip(axes, shape) if length > 1 or axis in "YX"]
