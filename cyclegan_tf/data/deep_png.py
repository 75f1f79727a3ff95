"""PNG files of 16 bits, read and written by TensorFlow's libpng: Pillow has 8 bits for color."""

import struct
import zlib

import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_tf.data.deep_image import QUARTER_TURNS, DeepImage, Header, upright
from cyclegan_tf.errors import InputError

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}  # by color type
_AFTER_HEADER = len(SIGNATURE) + 25  # where other chunks may begin
_ORIENTATION = 0x0112
_METERS_AN_INCH = 0.0254


def is_deep(beginning):
    """Whether the first 26 bytes of a file are those of a PNG of 16 bits."""
    return len(beginning) >= 26 and beginning.startswith(SIGNATURE) and beginning[24] == 16


def header(path):
    with open(path, "rb") as file:
        width, height, _, color_type = struct.unpack(">IIBB", file.read(26)[16:])
    if width * height <= Image.MAX_IMAGE_PIXELS and _orientation(path) in QUARTER_TURNS:
        width, height = height, width
    channels = _CHANNELS.get(color_type, 0)
    return Header((height, width), channels, alpha=channels in (2, 4), color=channels >= 3)


def read(path):
    """The image, uint16, upright; its colors are those of its profile."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        with tf.device("CPU:0"):
            values = tf.io.decode_png(content, channels=0, dtype=tf.uint16).numpy()
    except tf.errors.InvalidArgumentError:
        raise InputError(f"{path} is damaged and cannot be read.") from None
    with Image.open(path) as image:
        profile, resolution = image.info.get("icc_profile"), image.info.get("dpi")
    return DeepImage(
        upright(values, _orientation(path)),
        alpha=values.shape[-1] in (2, 4),
        color=values.shape[-1] >= 3,
        profile=profile,
        resolution=resolution,
    )


def write(path, values, like):
    """Writes uint8 or uint16 values of 1 to 4 channels; keeps profile and resolution of `like`."""
    with tf.device("CPU:0"):
        encoded = tf.io.encode_png(np.ascontiguousarray(values)).numpy()
    chunks = b""
    if like.profile:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(like.profile))
    if like.resolution:
        across, down = (round(each / _METERS_AN_INCH) for each in like.resolution)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    with open(path, "wb") as file:
        file.write(encoded[:_AFTER_HEADER] + chunks + encoded[_AFTER_HEADER:])


def _chunk(kind, content):
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def _orientation(path):
    with Image.open(path) as image:
        # Asking for tags that are not there would decode the image.
        return image.getexif().get(_ORIENTATION) if "exif" in image.info else None
