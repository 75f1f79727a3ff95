"""TIFF files of any size: parts are read, and pyramids of tiles are written.

By `tifffile`, of the extra `tiff`.
"""

import collections
import contextlib
import dataclasses
import pathlib
import struct
import zlib

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required

SUFFIXES = (".tif", ".tiff")
_CACHE_BYTES = 2**26
_LARGEST_SEGMENT = 2**30  # bytes: a strip or tile is read as a whole
_TILE = 512  # pixels of a tile that is written
_LEAST_LEVEL = 512  # pixels of the smallest level of a pyramid, along its longer side
_SEPARATE = 2  # planar configuration
_GRAY_OR_RGB, _YCBCR = (1, 2), 6  # photometric interpretations
_DECODER_ERRORS = (ValueError, TypeError, IndexError, KeyError, struct.error, zlib.error)


def tifffile():
    """The module `tifffile`.

    Raises:
        ImportError: it is not installed.
    """
    return required("tifffile", "tiff", "TIFF files of any size need")


@dataclasses.dataclass(frozen=True)
class TiffTags:
    """What a TIFF file says about its pixels, for the file that is made of it.

    Attributes:
        icc_profile: bytes of the color profile, or `None`.
        resolution: pixels per unit along x and y, as pairs of integers, or `None`.
        unit: of the resolution, as TIFF numbers it: 1 none, 2 inches, 3 centimeters.
    """

    icc_profile: bytes | None = None
    resolution: tuple | None = None
    unit: int = 1


class TiffImage:
    """The first image of a TIFF file, of a pyramid its largest level. Parts of it are decoded.

    Args:
        path: of the file.

    Attributes:
        shape: rows, columns and channels.
        dtype: of the values.
        tags: a `TiffTags`.

    Raises:
        InputError: the file cannot be read, or is no image of rows, columns and channels.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._segments = collections.OrderedDict()
        self._cached = 0
        with self._errors():
            self._tiff = tifffile().TiffFile(self.path)
        try:
            with self._errors():
                self._page = page = self._tiff.pages.first
            self._check()
        except BaseException:
            self.close()
            raise
        self.tags = _tags(page)

    def _check(self):
        page = self._page
        if page.dtype is None or page.imagedepth != 1 or not _is_gray_or_rgb(page):
            raise InputError(
                f"{self.path} is not of gray or RGB values in rows and columns; save it as such."
            )
        orientation = page.tags["Orientation"].value if "Orientation" in page.tags else 1
        if orientation != 1 or page.bitspersample != 8 * page.dtype.itemsize:
            raise InputError(
                f"{self.path} is turned (orientation {orientation}) or has packed values "
                f"({page.bitspersample} bits), which are not read by tiles; save it upright with 8 "
                "or 16 bits."
            )
        self.shape = (page.imagelength, page.imagewidth, page.samplesperpixel)
        self.dtype = page.dtype
        values = np.prod(self._segment_shape()) * (1 if self._is_separate() else self.shape[2])
        if values * self.dtype.itemsize > _LARGEST_SEGMENT:
            raise InputError(
                f"{self.path} is in one piece of {self.shape[1]} x {self.shape[0]} pixels, of "
                "which no part can be read; save it with tiles."
            )

    def read(self, part):
        """The spans of rows and columns, `(rows, columns, channels)` as they are in the file."""
        (top, bottom), (left, right) = part
        found = np.zeros((bottom - top, right - left, self.shape[2]), self.dtype)
        high, wide = self._segment_shape()
        planes = range(self.shape[2]) if self._is_separate() else (None,)
        for plane in planes:
            for row in range(top // high, -(-bottom // high)):
                for column in range(left // wide, -(-right // wide)):
                    self._copy((row, column), plane, part, found)
        return found

    def close(self):
        self._tiff.close()

    def _copy(self, place, plane, part, found):
        """Copies what a segment has of a part into `found`."""
        segment = self._segment(place, plane)
        if segment is None:  # left out of the file: zeros
            return
        size = self._segment_shape()
        inside, outside = [], []
        for at, length, count, (start, stop) in zip(place, size, segment.shape, part):
            first, last = max(start, at * length), min(stop, at * length + count)
            inside.append(slice(first - at * length, last - at * length))
            outside.append(slice(first - start, last - start))
        channels = slice(None) if plane is None else slice(plane, plane + 1)
        found[(*outside, channels)] = segment[tuple(inside)]

    def _segment(self, place, plane):
        """A decoded strip or tile, `(rows, columns, channels)`; the latest ones are kept."""
        high, wide = self._segment_shape()
        across = -(-self.shape[1] // wide)
        index = place[0] * across + place[1] + (plane or 0) * across * -(-self.shape[0] // high)
        if index in self._segments:
            self._segments.move_to_end(index)
            return self._segments[index]
        segment = self._decoded(index)
        self._segments[index] = segment
        self._cached += 0 if segment is None else segment.nbytes
        while self._cached > _CACHE_BYTES and len(self._segments) > 1:
            _, oldest = self._segments.popitem(last=False)
            self._cached -= 0 if oldest is None else oldest.nbytes
        return segment

    def _decoded(self, index):
        page = self._page
        with self._errors():
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            if not count:
                return None
            handle = self._tiff.filehandle
            handle.seek(offset)
            data = handle.read(count)
            if len(data) < count:
                raise ValueError("it ends too early")
            segment, *_ = page.decode(data, index, jpegtables=page.jpegtables)
        return None if segment is None else segment[0]

    def _segment_shape(self):
        page = self._page
        if page.is_tiled:
            return page.tilelength, page.tilewidth
        return min(page.rowsperstrip or page.imagelength, page.imagelength), page.imagewidth

    def _is_separate(self):
        return self._page.planarconfig == _SEPARATE and self.shape[2] > 1

    @contextlib.contextmanager
    def _errors(self):
        """Any error of the decoder becomes an InputError."""
        try:
            yield
        except FileNotFoundError:
            raise InputError(f"{self.path} does not exist; expected a TIFF file.") from None
        except OSError as error:
            raise files.unreadable(self.path, error) from None
        except (tifffile().TiffFileError, *_DECODER_ERRORS, RuntimeError) as error:
            if "imagecodecs" in str(error):
                required("imagecodecs", "tiff", f"The compression of {self.path} needs")
            raise InputError(f"{self.path} is damaged and cannot be read: {error}.") from None


def _is_gray_or_rgb(page):
    # Of JPEG, decoding makes RGB.
    return page.photometric in _GRAY_OR_RGB or (
        page.photometric == _YCBCR and page.compression == 7
    )


def _tags(page):
    """The `TiffTags` of a page."""
    tags = page.tags
    resolution = tuple(tags[name].value for name in ("XResolution", "YResolution") if name in tags)
    unit = tags["ResolutionUnit"].value if "ResolutionUnit" in tags else 2  # inches by default
    return TiffTags(page.iccprofile, resolution if len(resolution) == 2 else None, int(unit))


def write_pyramid(path, levels, tags=TiffTags()):
    """Writes a BigTIFF or TIFF of tiles, with smaller levels below the image as `SubIFDs`.

    Args:
        path: of the file, which is replaced at the end.
        levels: objects with `shape`, `dtype` and `read(part)`, the largest first.
        tags: a `TiffTags`.
    """
    largest = levels[0]
    size = sum(np.prod(level.shape) for level in levels) * largest.dtype.itemsize
    options = {
        "photometric": "rgb" if largest.shape[2] in (3, 4) else "minisblack",
        "compression": "zlib",
        "predictor": largest.dtype.kind in "iu",
        "tile": (_TILE, _TILE),
        "metadata": None,
        "planarconfig": "contig",
    }
    first = {"subifds": len(levels) - 1, "iccprofile": tags.icc_profile}
    if tags.resolution:
        first |= {"resolution": tags.resolution, "resolutionunit": tags.unit}
    with (
        files.atomic_file(path) as beside,
        tifffile().TiffWriter(beside, bigtiff=size > 2**31) as writer,
    ):
        for number, level in enumerate(levels):
            writer.write(
                _tiles(level),
                shape=level.shape if level.shape[2] > 1 else level.shape[:2],
                dtype=level.dtype,
                **({"subfiletype": 1} if number else first),
                **options,
            )


def pyramid_lengths(lengths):
    """Rows and columns of each level, each half as large as the one before, rounded up."""
    found = [tuple(lengths)]
    while max(found[-1]) > _LEAST_LEVEL:
        found.append(tuple(-(-length // 2) for length in found[-1]))
    return found


def halve(larger, smaller):
    """Fills a level of a pyramid with the means of two by two pixels of the level above.

    Args:
        larger: has `shape` and `read(part)`.
        smaller: has `shape`, `dtype` and `write(part, values)`.
    """
    for part in _parts(smaller):
        above = tuple(
            (2 * start, min(2 * stop, length)) for (start, stop), length in zip(part, larger.shape)
        )
        values = larger.read(above)
        values = values.astype(np.float64 if larger.dtype.itemsize > 4 else np.float32)
        odd = [(0, length % 2) for length in values.shape[:2]]
        values = np.pad(values, (*odd, (0, 0)), "edge")
        means = (values[::2] + values[1::2]) / 2
        means = (means[:, ::2] + means[:, 1::2]) / 2
        rounded = np.round(means) if smaller.dtype.kind in "iu" else means
        smaller.write(part, rounded.astype(smaller.dtype))


def _tiles(level):
    for part in _parts(level):
        values = level.read(part)
        yield values if level.shape[2] > 1 else values[..., 0]


def _parts(level):
    """The spans of rows and columns of each tile of a level, row by row."""
    rows, columns, _ = level.shape
    for top in range(0, rows, _TILE):
        for left in range(0, columns, _TILE):
            yield (top, min(top + _TILE, rows)), (left, min(left + _TILE, columns))
