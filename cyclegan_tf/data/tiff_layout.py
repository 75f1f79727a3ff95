"""Where a TIFF file has its rows, columns and channels, and what its values mean.

By `tifffile`, of the extra `tiff`. `deep_tiff` reads whole images, `tiff_parts` parts of them.
"""

import contextlib
import dataclasses

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data.deep_image import (
    CONTIGUOUS,
    PAGES,
    PLANAR,
    QUARTER_TURNS,
    DeepImage,
    straight,
)
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required

_ALPHA = PREMULTIPLIED, _ = (1, 2)  # of the tag ExtraSamples
_PER_INCH = {2: 1, 3: 2.54}  # from a resolution by its unit: inch or centimeter
_WHITE_IS_0, _BLACK_IS_0, _RGB, _YCBCR = 0, 1, 2, 6  # photometric interpretations
_JPEG = 7  # a compression, of which decoding makes RGB
_SEPARATE = 2  # planar configuration


def tifffile():
    """The module `tifffile`.

    Raises:
        ImportError: it is not installed.
    """
    return required("tifffile", "tiff", "TIFF files at their depth and by tiles need")


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
        raise InputError(f"{path} is damaged and cannot be read: {error}.") from None


class ColorsError(InputError):
    """A TIFF is of a kind that is not read at its depth."""


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """The first image of a file, of a pyramid its largest level.

    Attributes:
        series: of tifffile.
        rows, columns: as they are stored, before the image is turned upright.
        channels: their number.
        layout: where they are: `"contiguous"`, `"planar"` or `"pages"`.
        several: whether there are other pages, such as slices or times.
    """

    series: object
    rows: int
    columns: int
    channels: int
    layout: str
    several: bool

    @classmethod
    def of(cls, series, path):
        """The layout of a series of pages.

        Channels are samples of a page, or pages that the file calls channels or one array. The
        letters of axes are those of tifffile: S for samples of a page, C for pages that are
        channels, Q for those of one array without names.

        Raises:
            ColorsError: it is no image of numbers in gray, RGB or plain channels.
        """
        lengths = dict(zip(series.axes, series.shape))
        page = series.keyframe
        colors = page.photometric in (_WHITE_IS_0, _BLACK_IS_0, _RGB) or (
            page.photometric == _YCBCR and page.compression == _JPEG
        )
        if "Y" not in lengths or "X" not in lengths or not colors or page.imagedepth != 1:
            raise ColorsError(
                f"{path} is a TIFF of a kind that is not read at its depth (axes {series.axes}, "
                f"colors {page.photometric}); save it as gray, RGB or plain channels."
            )
        if series.dtype.kind not in "iuf":
            raise ColorsError(f"{path} holds {series.dtype.name} values; expected numbers.")
        long = {axis: count for axis, count in lengths.items() if axis not in "YX" and count > 1}
        of_pages = long.get("C", long.get("Q", 1)) if "S" not in long else 1
        rows, columns = lengths["Y"], lengths["X"]
        if of_pages > 1:
            several = set(long) != {"C" if "C" in long else "Q"}
            return cls(series, rows, columns, of_pages, PAGES, several)
        separate = page.planarconfig == _SEPARATE and "S" in long
        layout = PLANAR if separate else CONTIGUOUS
        several = set(long) - {"S"} != set()
        return cls(series, rows, columns, long.get("S", 1), layout, several)

    @property
    def page(self):
        """What all pages of the image have in common."""
        return self.series.keyframe

    @property
    def pages(self):
        """Those of the channels, or the one with all of them."""
        if self.layout != PAGES:
            return [self.page]
        axes = [(axis, length) for axis, length in self._all_axes() if axis not in "YX"]
        numbers = np.arange(np.prod([length for _, length in axes]))
        numbers = numbers.reshape([length for _, length in axes])
        of_channels = "C" if "C" in self.series.axes else "Q"
        for axis, _ in reversed(axes):
            if axis != of_channels:
                numbers = numbers.take(0, [each for each, _ in axes].index(axis))
                axes = [each for each in axes if each[0] != axis]
        pages = self.series.pages
        return [pages[number] if number < len(pages) else None for number in numbers]

    def _all_axes(self):
        return list(zip(self.series.axes, self.series.shape))

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
        if self.page.photometric == _WHITE_IS_0 and values.dtype.kind == "u":
            _, white = self.usual_range or (0, np.iinfo(values.dtype).max)
            values = (white - values).astype(values.dtype)
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
        )

    def _resolution(self):
        """Pixels an inch of the upright image, across and down; `None` if the file has none."""
        per_inch = _PER_INCH.get(int(self.page.resolutionunit or 1))
        if per_inch is None or "XResolution" not in self.page.tags:
            return None
        found = tuple(each * per_inch for each in self.page.resolution)
        return found[::-1] if self.orientation in QUARTER_TURNS else found
