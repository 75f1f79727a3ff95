"""TIFF files of any size, of which parts are decoded."""

import collections
import pathlib

import numpy as np

from cyclegan_tf.data.deep_image import EXCHANGED_AND_FLIPPED, PLANAR, upright
from cyclegan_tf.data.tiff_layout import ColorsError, Layout, decoding, tifffile
from cyclegan_tf.data.tiff_pyramid import tags_of
from cyclegan_tf.errors import InputError

_CACHE_BYTES = 2**26
_LARGEST_SEGMENT = 2**30  # bytes: a strip or tile is read as a whole


class TiffImage:
    """The first image of a TIFF file, of a pyramid its largest level. Parts of it are decoded.

    Args:
        path: of the file.

    Attributes:
        shape: rows, columns and channels of the upright image.
        dtype: of the values.
        described: a `DeepImage` without pixels, which says what values mean.
        tags: a `TiffTags`.

    Raises:
        ColorsError: its values are no gray, RGB or plain channels of 8 bits or more.
        InputError: the file cannot be read, or only as a whole.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self._segments = collections.OrderedDict()
        self._cached = 0
        with decoding(self.path):
            self._tiff = tifffile().TiffFile(self.path)
        try:
            with decoding(self.path):
                self._layout = layout = Layout.of(self._tiff.series[0], self.path)
                self._page, self._pages = layout.page, layout.pages
                self._orientation = layout.orientation
                self.tags = tags_of(layout)
            self._check()
        except BaseException:
            self.close()
            raise
        self.dtype = self._page.dtype
        self.shape = (*layout.size, layout.channels)
        self.described = layout.image(np.empty((0, 0, layout.channels), self.dtype))

    def _check(self):
        page, layout = self._page, self._layout
        if page.bitspersample < 8:
            raise ColorsError(
                f"{self.path} has {page.bitspersample} bits for a value; save it with 8 or more."
            )
        if None in self._pages:
            raise ColorsError(f"{self.path} lacks pages that it describes; save it anew.")
        channels = page.samplesperpixel if layout.layout != PLANAR else 1
        if np.prod(self._segment_shape()) * channels * page.dtype.itemsize > _LARGEST_SEGMENT:
            raise InputError(
                f"{self.path} is in one piece of {layout.columns} x {layout.rows} pixels, of "
                "which no part can be read; save it with tiles."
            )

    def read(self, part):
        """The spans of rows and columns of the upright image, `(rows, columns, channels)`."""
        stored = self._layout.meant(self._stored(self._stored_part(part)))
        return upright(stored, self._orientation)

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

    def _stored(self, part):
        (top, bottom), (left, right) = part
        found = np.zeros((bottom - top, right - left, self._layout.channels), self.dtype)
        high, wide = self._segment_shape()
        for plane in self._planes():
            for row in range(top // high, -(-bottom // high)):
                for column in range(left // wide, -(-right // wide)):
                    self._copy((row, column), plane, part, found)
        return found

    def _planes(self):
        """Each plane of one channel: its page and its number there; or all channels at once."""
        if len(self._pages) > 1:
            return [(number, number, 0) for number in range(len(self._pages))]
        if self._layout.layout == PLANAR:
            return [(number, 0, number) for number in range(self._layout.channels)]
        return [(None, 0, 0)]

    def _copy(self, place, plane, part, found):
        """Copies what a segment has of a part into `found`."""
        channel, *where = plane
        segment = self._segment(place, *where)
        if segment is None:  # left out of the file: zeros
            return
        size = self._segment_shape()
        inside, outside = [], []
        for at, length, count, (start, stop) in zip(place, size, segment.shape, part):
            first, last = max(start, at * length), min(stop, at * length + count)
            inside.append(slice(first - at * length, last - at * length))
            outside.append(slice(first - start, last - start))
        channels = slice(None) if channel is None else slice(channel, channel + 1)
        found[(*outside, channels)] = segment[tuple(inside)]

    def _segment(self, place, page, plane):
        """A decoded strip or tile, `(rows, columns, channels)`; the latest ones are kept."""
        high, wide = self._segment_shape()
        across, down = -(-self._layout.columns // wide), -(-self._layout.rows // high)
        key = page, place[0] * across + place[1] + plane * across * down
        if key in self._segments:
            self._segments.move_to_end(key)
            return self._segments[key]
        segment = self._decoded(*key)
        self._segments[key] = segment
        self._cached += 0 if segment is None else segment.nbytes
        while self._cached > _CACHE_BYTES and len(self._segments) > 1:
            _, oldest = self._segments.popitem(last=False)
            self._cached -= 0 if oldest is None else oldest.nbytes
        return segment

    def _decoded(self, number, index):
        page, keyframe = self._pages[number], self._page
        with decoding(self.path):
            offset, count = page.dataoffsets[index], page.databytecounts[index]
            if not count:
                return None
            handle = self._tiff.filehandle
            handle.seek(offset)
            data = handle.read(count)
            if len(data) < count:
                raise InputError(
                    f"{self.path} is damaged and cannot be read: it ends before its pixels do."
                )
            segment, *_ = keyframe.decode(data, index, jpegtables=keyframe.jpegtables)
        return None if segment is None else segment[0]

    def _segment_shape(self):
        page = self._page
        if page.is_tiled:
            return page.tilelength, page.tilewidth
        return min(page.rowsperstrip or page.imagelength, page.imagelength), page.imagewidth
