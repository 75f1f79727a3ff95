"""TIFF files of any depth and number of channels, as a whole."""

import contextlib

import numpy as np
from PIL.TiffImagePlugin import TiffImageFile

from cyclegan_tf.data.deep_image import CONTIGUOUS, PAGES, PLANAR, Header, upright
from cyclegan_tf.data.tiff_layout import Layout, decoding, extra_tags, tifffile
from cyclegan_tf.errors import DamagedError

# Of TIFF and BigTIFF, in both byte orders.
SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_MODES_OF_8_BITS = {"1", "L", "P", "LA", "PA", "RGB", "RGBA", "RGBX"}
_MODES_OF_OTHER_COLORS = {"CMYK", "YCbCr", "LAB"}  # which only Pillow converts, to 8 bits
_BITS, _SAMPLE_FORMAT, _UNSIGNED = 258, 339, 1


def is_deep(path, channels):
    """Whether a TIFF file has more than 8 bits, or channels that only this module reads."""
    if channels not in (1, 3, 4):
        return True
    try:
        with TiffImageFile(path) as image:  # of any size, unlike those of Image.open
            bits, formats = (image.tag_v2.get(tag, 1) for tag in (_BITS, _SAMPLE_FORMAT))
            if image.mode in _MODES_OF_OTHER_COLORS:
                return False
            is_plain = max(np.atleast_1d(bits)) <= 8 and max(np.atleast_1d(formats)) == _UNSIGNED
            return not is_plain or image.mode not in _MODES_OF_8_BITS
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, AttributeError):
        return True  # such as five channels: Pillow knows no mode for it


def header(path):
    with _opened(path) as layout:
        _check_whole(layout, path)
        return Header(layout.size, layout.channels, layout.several, layout.alpha, layout.color)


def read(path):
    """The image, of the file's dtype, upright; of several pages that are no channels the first."""
    with _opened(path) as layout:
        _check_whole(layout, path)
        return layout.image(upright(layout.meant(_values(layout)), layout.orientation))


def write(path, values, like):
    """Writes values `(height, width, channels)` of any dtype, laid out as in `like`."""
    channels = values.shape[-1]
    color = like.color and channels in (3, 4)
    settings = {
        "photometric": "rgb" if color else "minisblack",
        "metadata": None,
        "extratags": extra_tags(like.georeference, like.no_data),
    }
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
    tifffile().imwrite(path, np.ascontiguousarray(values), **settings)


@contextlib.contextmanager
def _opened(path):
    """The `Layout` of a file, which is open as long."""
    with decoding(path), tifffile().TiffFile(path) as file:
        yield Layout.of(file.series[0], path)


def _values(layout):
    """`(height, width, channels)`; of axes that are no channels the first place."""
    series, shape = layout.series, (layout.rows, layout.columns)
    if layout.page_numbers is None:
        return _by_letters(layout)
    if layout.layout == PAGES:
        if series.dataoffset is None:
            layout.pages()  # tifffile has zeros for what is not there
        numbers = list(layout.page_numbers)
        return np.moveaxis(series.asarray().reshape(-1, *shape)[numbers], 0, -1)
    # Of several pages the others need not be decoded.
    values = (layout.pages()[0] if layout.several else series).asarray()
    if layout.layout == PLANAR:
        return np.moveaxis(values.reshape(-1, *shape), 0, -1)
    return values.reshape(*shape, -1)


def _by_letters(layout):
    """The same of an array whose pages are no planes of it."""
    axes = layout.series.axes
    places = [axes.rindex(axis) for axis in ("Y", "X", layout.channel_axis) if axis]
    values = layout.series.asarray()
    values = values[tuple(slice(None) if at in places else 0 for at in range(len(axes)))]
    values = values.transpose([sorted(places).index(at) for at in places])
    return values.reshape(layout.rows, layout.columns, -1)


def _check_whole(layout, path):
    """Raises a `DamagedError` if data that the tags name lie behind the end of the file."""
    series = layout.series
    only_first = layout.several and layout.layout != PAGES and layout.page_numbers is not None
    for page in series.pages[: 1 if only_first else None]:
        if page is None:
            continue
        ends = [start + count for start, count in zip(page.dataoffsets, page.databytecounts)]
        if ends and max(ends) > page.parent.filehandle.size:
            raise DamagedError(
                f"{path} is damaged and cannot be read: it ends before its pixels do."
            )
