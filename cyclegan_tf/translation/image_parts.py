"""Image files of which parts are read, with the channels that a network takes."""

import contextlib
import dataclasses
import functools

import numpy as np

from cyclegan_tf.data import deep_files, image_files
from cyclegan_tf.data.deep_image import DeepImage
from cyclegan_tf.data.tiff_layout import UnsupportedTiffError
from cyclegan_tf.data.tiff_parts import TiffImage
from cyclegan_tf.data.tiff_pyramid import TiffTags
from cyclegan_tf.errors import InputError
from cyclegan_tf.intensity_range import sampled

_INCHES = 2  # the unit of a resolution


class ImageParts:
    """An image file of which parts are read; a context manager that closes it.

    TIFF files are decoded part by part, others as a whole.

    Args:
        path: of the file.
        channels: that the network takes. Gray, color and opacity become what it needs, as by
            `DeepImage.with_channels`.
        deep_for: the channels that decide whether the file is deep, as for `deep_files.read`.

    Attributes:
        path: of the file.
        shape: rows, columns and `channels`.
        channels: their number.
        dtype: of the values.
        is_deep: whether the values have a range; those of other files are from 0 to 255.
        usual_range, no_data: as of a `DeepImage`.
        described: a `DeepImage` without pixels, which says what else there is to keep.
        tags: a `TiffTags`.

    Raises:
        InputError: the file cannot be read, or has other channels.
    """

    def __init__(self, path, channels, deep_for):
        self.path, self.channels = path, channels
        with contextlib.ExitStack() as opened:
            self._image = _by_parts(path, channels, deep_for)
            if self._image is not None:
                opened.callback(self._image.close)
                self._stored, self.tags = self._image.described, self._image.tags
                self.is_deep = _is_deep(self._image.dtype, deep_for)
            else:
                self._image, self.is_deep = _as_a_whole(path, channels, deep_for)
                self._stored = dataclasses.replace(self._image, values=self._image.values[:0, :0])
                self.tags = TiffTags(
                    resolution=self._stored.resolution,
                    unit=_INCHES,
                    georeference=self._stored.georeference,
                )
            self.described = self._stored.with_channels(channels, path)
            self._close = opened.pop_all().close
        self.shape, self.dtype = (*self._image.shape[:2], channels), self._image.dtype
        self.usual_range, self.no_data = self._stored.usual_range, self._stored.no_data

    def read(self, part):
        """The spans of rows and columns, `(rows, columns, channels)`.

        Raises:
            DamagedError: the file is damaged there, or has values that are no numbers.
            InputError: it cannot be read.
        """
        image = dataclasses.replace(self._stored, values=self._image.read(part))
        deep_files.check_finite(image, self.path)
        return image.with_channels(self.channels, self.path).values

    @functools.cached_property
    def _sampled(self):
        return sampled(self)

    def sampled(self):
        """Some of its pixels, for which all of it is read, once; see `intensity_range.sampled`."""
        return self._sampled

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()


def _is_deep(dtype, deep_for):
    return dtype != np.uint8 or deep_for not in image_files.CHANNELS


def _by_parts(path, channels, deep_for):
    """A `TiffImage`; `None` of a file that is decoded as a whole."""
    if not deep_files.is_tiff(path):
        return None
    try:
        image = TiffImage(path, is_deep=lambda dtype: _is_deep(dtype, deep_for))
    except UnsupportedTiffError:  # such as palettes and CMYK
        return None
    try:
        image.described.with_channels(channels, path)
    except InputError:
        image.close()
        if _is_deep(image.dtype, deep_for):
            raise
        return None  # Pillow makes any channels of those of 8 bits
    return image


def _as_a_whole(path, channels, deep_for):
    """The `DeepImage` of a file, and whether it is deep."""
    if deep_files.is_deep(path, deep_for):
        return deep_files.read(path, channels, deep_for), True
    image_files.check_channels(channels)
    values = image_files.read(path, channels)
    return DeepImage(values, color=channels >= 3, alpha=channels == 4), False
