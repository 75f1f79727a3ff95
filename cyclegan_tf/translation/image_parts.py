"""Image files of which parts are read, with the channels that a network takes."""

import contextlib
import dataclasses

from cyclegan_tf.data import deep_files, image_files
from cyclegan_tf.data.deep_image import DeepImage
from cyclegan_tf.data.tiff_layout import ColorsError
from cyclegan_tf.data.tiff_parts import TiffImage
from cyclegan_tf.data.tiff_pyramid import TiffTags


class ImageParts:
    """An image file of which parts are read; a context manager that closes it.

    TIFF files are decoded part by part, others as a whole.

    Args:
        path: of the file.
        channels: that the network takes. Gray, color and opacity become what it needs, as by
            `DeepImage.with_channels`.
        deep_for: the channels that decide whether the file is deep, as for `deep_files.read`.

    Attributes:
        shape: rows, columns and `channels`.
        dtype: of the values.
        described: a `DeepImage` without pixels, which says what the values mean.
        tags: a `TiffTags`.
        is_deep: whether the values have a range; those of other files are from 0 to 255.

    Raises:
        InputError: the file cannot be read, or has other channels.
    """

    def __init__(self, path, channels, deep_for):
        self.path, self._channels = path, channels
        with contextlib.ExitStack() as opened:
            image = _opened(path, channels, deep_for)
            if isinstance(image, TiffImage):
                opened.callback(image.close)
                described, self.tags = image.described, image.tags
            else:
                described = dataclasses.replace(image, values=image.values[:0, :0])
                self.tags = TiffTags()
            self._image, self._stored = image, described
            self.described = described.with_channels(channels, path)
            self._close = opened.pop_all().close
        self.is_deep = deep_files.is_deep(path, deep_for)
        self.shape, self.dtype = (*image.shape[:2], channels), image.dtype
        self.usual_range, self.channels = described.usual_range, channels

    def read(self, part):
        """The spans of rows and columns, `(rows, columns, channels)`.

        Raises:
            InputError: the file is damaged there, or has values that are no numbers.
        """
        values = self._image.read(part)
        deep_files.check_finite(values, self.path)
        return (
            dataclasses.replace(self._stored, values=values)
            .with_channels(self._channels, self.path)
            .values
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._close()


def _opened(path, channels, deep_for):
    """A `TiffImage`, or a `DeepImage` of a file that is decoded as a whole."""
    if deep_files.is_tiff(path):
        # Of palettes, CMYK and others, colors are converted by those who read them as a whole.
        with contextlib.suppress(ColorsError):
            return TiffImage(path)
    if deep_files.is_deep(path, deep_for):
        return deep_files.read(path, channels, deep_for)
    image_files.check_channels(channels)
    values = image_files.read(path, channels)
    return DeepImage(values, color=channels >= 3, alpha=channels == 4)
