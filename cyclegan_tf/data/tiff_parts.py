"""TIFF files of any size, of which parts are decoded."""

import collections
import functools
import pathlib

import numpy as np

from cyclegan_tf.data.deep_image import EXCHANGED_AND_FLIPPED, PLANAR, upright
from cyclegan_tf.data.tiff_layout import Layout, UnsupportedTiffError, decoding, tifffile
from cyclegan_tf.data.tiff_pyramid import tags_of
from cyclegan_tf.errors import DamagedError, InputError

_CACHE_BYTES = 2**26
_LARGEST_SEGMENT = 2**30  # bytes: a compressed strip or tile is read as a whole
_JPEG = (6, 7, 34892, 33007)  # compressions whose pages have tables


class TiffImage:
    """The first image of a TIFF file, of a pyramid its largest level. Parts of it are decoded.

    Args:
        path: of the file.
        is_deep: called with the dtype of the values, says whether pages may be channels; of other
            files the first page is the image.

    Attributes:
        shape: rows, columns and channels of the upright image.
        dtype: of the values.
        described: a `DeepImage` without pixels, which says what values mean.
        tags: a `TiffTags`.

    Raises:
        UnsupportedTiffError: its colors are others than gray, RGB and plain channels, or it is
            laid out so that no parts of it can be found.
        InputError: the file cannot be read, or only as a whole.
    """

    def __init__(self, path, is_deep=lambda dtype: True):
        self.path = pathlib.Path(path)
        with decoding(self.path):
            self._tiff = tifffile().TiffFile(self.path)
        try:
            with decoding(self.path):
                series = self._tiff.series[0]
                self._layout = Layout.of(series, self.path, stacks=is_deep(series.dtype))
                self._open()
        except BaseException:
            self.close()
            raise

    def _open(self):
        layout = self._layout
        page = layout.page
        series = layout.series
        if (
            page.bitspersample < 8
            or series.dtype != page.dtype
            or series.transform is not None
            or series.is_multifile
            or layout.page_numbers is None
        ):
            raise UnsupportedTiffError(f"{self.path} is not read by parts; save it anew.")
        self._orientation = layout.orientation
        self._planes = _Planes(self._tiff, layout)
        self.tags = tags_of(layout)
        self.dtype = page.dtype
        self.shape = (*layout.size, layout.channels)
        self.described = layout.image(np.empty((0, 0, layout.channels), self.dtype))

    def read(self, part):
        """The spans of rows and columns of the upright image, `(rows, columns, channels)`.

        Raises:
            DamagedError: the file is damaged there.
            InputError: it cannot be read.
        """
        spans = self._stored_part(part)
        with decoding(self.path):
            planes = [plane(spans) for plane in self._planes.readers()]
        stored = np.concatenate(planes, -1) if len(planes) > 1 else planes[0]
        return upright(self._layout.meant(stored), self._orientation)

    def close(self):
        self._tiff.close()

    def _stored_part(self, part):
        """Where the part of the upright image is in the file."""
        exchanged, *flipped = EXCHANGED_AND_FLIPPED.get(self._orientation, (False, False, False))
        spans = part[::-1] if exchanged else part
        lengths = self._layout.rows, self._layout.columns
        return tuple(
            (length - stop, length - start) if is_flipped else (start, stop)
            for (start, stop), length, is_flipped in zip(spans, lengths, flipped)
        )


class _Planes:
    """Where the values of an opened file lie: planes of one channel each, or one with all.

    Args:
        tiff: the opened file.
        layout: its `Layout`.
    """

    def __init__(self, tiff, layout):
        self._tiff, self._layout, self._page = tiff, layout, layout.page
        self._of_page = layout.channels if layout.layout == PLANAR else 1  # planes
        self._samples = self._page.samplesperpixel if self._of_page == 1 else 1
        self._is_plain = self._page.is_final
        self._segments = collections.OrderedDict()
        self._cached = 0
        # Of uncompressed images that follow each other, as ImageJ has them, one page tells all.
        self._offset = layout.series.dataoffset if self._is_plain else None
        if self._offset is None:
            self._pages = layout.pages()
        segment = np.prod(self._segment_shape()) * self._samples * self._page.dtype.itemsize
        if segment > _LARGEST_SEGMENT and not self._is_plain:
            raise InputError(
                f"{layout.path} is in one compressed piece of {layout.columns} x {layout.rows} "
                "pixels, of which no part can be read; save it with tiles."
            )

    def readers(self):
        """For each plane a function from spans of rows and columns to its values."""
        read = self._plain if self._is_plain else self._decoded_part
        return [
            functools.partial(read, page, plane)
            for page in range(len(self._layout.page_numbers))
            for plane in range(self._of_page)
        ]

    def _plain(self, page, plane, part):
        """Of an uncompressed plane, which lies in the file as it is in memory."""
        layout, dtype = self._layout, self._page.dtype.newbyteorder(self._tiff.byteorder)
        (top, bottom), (left, right) = part
        pixel = self._samples * dtype.itemsize
        if self._offset is None:
            start = self._pages[page].dataoffsets[0]
        else:
            start = self._offset + layout.page_numbers[page] * self._page.nbytes
        start += (plane * layout.rows + top) * layout.columns * pixel
        if (left, right) == (0, layout.columns):
            data = self._bytes(start, (bottom - top) * layout.columns * pixel)
        else:  # row by row, so that memory does not grow with the width
            firsts = (start + (row * layout.columns + left) * pixel for row in range(bottom - top))
            data = b"".join(self._bytes(first, (right - left) * pixel) for first in firsts)
        return (
            np.frombuffer(data, dtype)
            .reshape(bottom - top, right - left, self._samples)
            .astype(self._page.dtype)
        )

    def _decoded_part(self, page, plane, part):
        """Of a plane of strips or tiles, of which those are decoded that the part needs."""
        (top, bottom), (left, right) = part
        # What is left out of the file has this value.
        shape = bottom - top, right - left, self._samples
        found = np.full(shape, self._page.nodata, self._page.dtype)
        high, wide = self._segment_shape()
        across, down = -(-self._layout.columns // wide), -(-self._layout.rows // high)
        for row in range(top // high, -(-bottom // high)):
            for column in range(left // wide, -(-right // wide)):
                index = (plane * down + row) * across + column
                segment = self._segment(page, index)
                if segment is not None:
                    _copy(segment, (row * high, column * wide), part, found)
        return found

    def _segment(self, page, index):
        """A decoded strip or tile, `(rows, columns, channels)`; the latest ones are kept."""
        key = page, index
        if key in self._segments:
            self._segments.move_to_end(key)
            return self._segments[key]
        segment = self._decoded(self._pages[page], index)
        self._segments[key] = segment
        self._cached += 0 if segment is None else segment.nbytes
        while self._cached > _CACHE_BYTES and len(self._segments) > 1:
            _, oldest = self._segments.popitem(last=False)
            self._cached -= 0 if oldest is None else oldest.nbytes
        return segment

    def _decoded(self, page, index):
        keyframe = self._page
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        if not count or not offset:  # left out
            return None
        tables = {}
        if keyframe.compression in _JPEG:
            tables = {"jpegtables": page.jpegtables, "jpegheader": keyframe.jpegheader}
        segment, *_ = keyframe.decode(self._bytes(offset, count), index, **tables)
        return None if segment is None else segment[0]

    def _bytes(self, start, count):
        handle = self._tiff.filehandle
        handle.seek(start)
        data = handle.read(count)
        if len(data) < count:
            raise DamagedError(
                f"{self._layout.path} is damaged and cannot be read: it ends before its pixels do."
            )
        return data

    def _segment_shape(self):
        page = self._page
        if page.is_tiled:
            return page.tilelength, page.tilewidth
        return min(page.rowsperstrip or page.imagelength, page.imagelength), page.imagewidth


def _copy(segment, place, part, found):
    """Copies what a segment, whose first row and column are `place`, has of a part."""
    inside, outside = [], []
    for at, count, (start, stop) in zip(place, segment.shape, part):
        first, last = max(start, at), min(stop, at + count)
        inside.append(slice(first - at, last - at))
        outside.append(slice(first - start, last - start))
    found[tuple(outside)] = segment[tuple(inside)]
