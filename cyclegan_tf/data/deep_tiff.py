"""TIFF files of any depth and number of channels, by the package tifffile."""

import numpy as np
from PIL import Image

from cyclegan_tf.data.deep_image import (
    CONTIGUOUS,
    PAGES,
    PLANAR,
    DeepImage,
    Header,
    straight,
    upright,
)
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required

# Of TIFF and BigTIFF, in both byte orders.
SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MODES_OF_8_BITS = {"1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBX"}
_MODES_OF_OTHER_COLORS = {"CMYK", "YCbCr", "LAB"}  # which only Pillow converts, to 8 bits
_BITS, _ORIENTATION, _QUARTER_TURNS = 258, 274, (5, 6, 7, 8)
_ALPHA = _PREMULTIPLIED, _ = (1, 2)  # of the tag ExtraSamples
_PER_INCH = {2: 1, 3: 2.54}  # from a resolution by its unit: inch or centimeter
_RGB, _WHITE_IS_0, _KNOWN = 2, 0, (0, 1, 2)  # photometric interpretations


def is_deep(path, channels):
    """Whether a TIFF file has more than 8 bits, or channels that only this module reads."""
    if channels not in (1, 3, 4):
        return True
    try:
        with Image.open(path) as image:
            bits = image.tag_v2.get(_BITS, 1)
            if image.mode in _MODES_OF_OTHER_COLORS:
                return False
            return max(np.atleast_1d(bits)) > 8 or image.mode not in _MODES_OF_8_BITS
    except Image.DecompressionBombError:
        return False  # it is read by neither, and said to be too large
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, AttributeError):
        return True  # such as five channels: Pillow knows no mode for it


def header(path):
    with _opened(path) as file:
        series = file.series[0]
        rows, columns, channels, layout, several = _axes(series, path)
        _check_whole(series, file, path, layout, several)
        turned = _orientation(series) in _QUARTER_TURNS
        size = (columns, rows) if turned else (rows, columns)
        alpha, color = _alpha(series.keyframe, channels), _color(series.keyframe, channels)
        return Header(size, channels, several, alpha, color)


def read(path):
    """The image, of the file's dtype, upright.

    Channels are samples of a page, or pages that the file calls channels or one array. Of other
    pages the first is read.
    """
    with _opened(path) as file:
        series = file.series[0]
        *_, layout, several = _axes(series, path)
        page = series.keyframe
        _check_whole(series, file, path, layout, several)
        values = _values(series, layout, several)
        channels = values.shape[-1]
        if page.photometric == _WHITE_IS_0 and values.dtype.kind == "u":
            _, white = _usual_range(page) or (0, np.iinfo(values.dtype).max)
            values = (white - values).astype(values.dtype)
        if _alpha(page, channels) and int(page.extrasamples[-1]) == _PREMULTIPLIED:
            values = straight(values)
        return DeepImage(
            upright(values, _orientation(series)),
            usual_range=_usual_range(page),
            alpha=_alpha(page, channels),
            color=_color(page, channels),
            layout=layout,
            flat=channels == 1,
            compressed=page.compression != 1,
            profile=page.iccprofile,
            resolution=_resolution(page),
            several=several,
        )


def write(path, values, like):
    """Writes values `(height, width, channels)` of any dtype, laid out as in `like`."""
    tifffile = _tifffile()
    channels = values.shape[-1]
    color = like.color and channels in (3, 4)
    settings = {"photometric": "rgb" if color else "minisblack", "metadata": None}
    if channels == 1:
        values = values[..., 0]
    elif like.layout == CONTIGUOUS:
        settings["planarconfig"] = "contig"
    else:
        values = np.moveaxis(values, -1, 0)
        if like.layout == PLANAR:
            settings["planarconfig"] = "separate"
        else:
            settings |= {"photometric": "minisblack", "metadata": {"axes": "CYX"}}
    if color and channels == 4:
        settings["extrasamples"] = ["unassalpha" if like.alpha else "unspecified"]
    if like.profile:
        settings["iccprofile"] = like.profile
    if like.resolution:
        settings |= {"resolution": like.resolution, "resolutionunit": "inch"}
    if like.compressed:
        settings["compression"] = "zlib"  # which needs no other package
    tifffile.imwrite(path, np.ascontiguousarray(values), **settings)


def _tifffile():
    return required("tifffile", "tiff", "TIFF files of more than 8 bits or of many channels need")


class _opened:
    """Context manager: an opened TIFF; what tifffile raises becomes an `InputError`."""

    def __init__(self, path):
        self._tifffile, self._path, self._file = _tifffile(), path, None

    def __enter__(self):
        try:
            self._file = self._tifffile.TiffFile(self._path)
            self._file.series  # noqa: B018 - which parses the pages
        except Exception as error:
            self.__exit__(type(error), error, None)
        return self._file

    def __exit__(self, kind, error, _):
        if self._file is not None:
            self._file.close()
        if error is None or isinstance(error, (InputError, ImportError, MemoryError)):
            return
        if not isinstance(error, Exception) or getattr(error, "errno", None):
            return
        if "imagecodecs" in str(error):
            raise InputError(
                f"{self._path} is compressed in a way that needs another package: pip install "
                "imagecodecs."
            ) from None
        # Decoders raise errors of many kinds.
        raise InputError(f"{self._path} is damaged and cannot be read: {error}.") from None


def _axes(series, path):
    """Height, width, channels, layout, and whether there are other pages.

    The letters are those of tifffile: S for samples of a page, C for pages that are channels, Q
    for those of one array without names.
    """
    lengths = dict(zip(series.axes, series.shape))
    if "Y" not in lengths or "X" not in lengths or series.keyframe.photometric not in _KNOWN:
        raise InputError(
            f"{path} is a TIFF of a kind that is not read at its depth (axes {series.axes}, colors "
            f"{series.keyframe.photometric}); save it as gray, RGB or plain channels."
        )
    if series.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {series.dtype.name} values; expected numbers.")
    long = {axis: length for axis, length in lengths.items() if axis not in "YX" and length > 1}
    of_pages = long.get("C", long.get("Q", 1)) if "S" not in long else 1
    if of_pages > 1:
        page_axis = "C" if "C" in long else "Q"
        several = set(long) != {page_axis}
        return lengths["Y"], lengths["X"], of_pages, PAGES, several
    layout = PLANAR if series.keyframe.planarconfig == 2 and "S" in long else CONTIGUOUS
    several = set(long) - {"S"} != set()
    return lengths["Y"], lengths["X"], long.get("S", 1), layout, several


def _values(series, layout, several):
    """`(height, width, channels)`, the first ones of other axes."""
    kept = {"Y", "X", "S"} if layout != PAGES else {"Y", "X", "C" if "C" in series.axes else "Q"}
    if several and layout != PAGES:  # the other pages need not be decoded
        values, axes = series.keyframe.asarray(), series.keyframe.axes
    else:
        values, axes = series.asarray(), series.axes
    for axis in [each for each in axes if each not in kept]:
        values, axes = values.take(0, axes.index(axis)), axes.replace(axis, "", 1)
    rest = "".join(axis for axis in axes if axis not in "YX")
    order = [axes.index(axis) for axis in "YX" + rest]
    values = values.transpose(order)
    return values.reshape(*values.shape[:2], -1)


def _check_whole(series, file, path, layout, several):
    """Raises an `InputError` if data that the tags name lie behind the end of the file."""
    for page in series.pages[: 1 if several and layout != PAGES else None]:
        if page is None:
            continue
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts)]
        if ends and max(ends) > file.filehandle.size:
            raise InputError(f"{path} is damaged and cannot be read: it ends before its pixels do.")


def _usual_range(page):
    """Of packed integers, such as 12 bits in an array of 16; `None` of others."""
    if page.dtype.kind != "u" or page.bitspersample == 8 * page.dtype.itemsize:
        return None
    return 0, 2**page.bitspersample - 1


def _alpha(page, channels):
    samples = tuple(page.extrasamples or ())
    return bool(samples) and int(samples[-1]) in _ALPHA and channels in (2, 4)


def _color(page, channels):
    return page.photometric == _RGB and channels >= 3


def _orientation(series):
    tag = series.keyframe.tags.get(_ORIENTATION)
    return int(tag.value) if tag else 1


def _resolution(page):
    """Pixels an inch, across and down; `None` if the file does not say."""
    per_inch = _PER_INCH.get(int(page.resolutionunit or 1))
    if per_inch is None or "XResolution" not in page.tags:
        return None
    return tuple(each * per_inch for each in page.resolution)
