"""Translated images as the contents of files."""

import io

from cyclegan_tf.data import image_files

_WITH_ALPHA = (".png", ".webp", ".tif", ".tiff")
_WITH_QUALITY = (".jpg", ".jpeg", ".webp")


def encoded(pixels, suffix):
    """The bytes of an image file: lossless where the format is, otherwise in quality 95.

    Args:
        pixels: uint8 `(height, width, channels)`.
        suffix: of the file's name, one of `image_files.SUFFIXES` in any case. Formats without
            alpha get the colors alone.

    Raises:
        InputError: image files cannot have this number of channels.
    """
    suffix = suffix.lower()
    image = image_files.to_pillow(pixels)
    if suffix not in _WITH_ALPHA:
        image = image.convert("L" if image.mode == "L" else "RGB")
    written = io.BytesIO()
    quality = {"quality": 95} if suffix in _WITH_QUALITY else {}
    image.save(written, format=image_files.format_of(suffix), **quality)
    return written.getvalue()
