"""Images in `.npy` files."""

import numpy as np

from cyclegan_tf.data.deep_image import DeepImage, Header
from cyclegan_tf.errors import InputError

SIGNATURE = b"\x93NUMPY"


def header(path):
    values = _values(path)
    return Header(values.shape[:2], values.shape[2] if values.ndim == 3 else 1)


def read(path):
    """The image, of the file's dtype; two axes are those of one channel."""
    values = np.array(_values(path))
    values = values.astype(values.dtype.newbyteorder("="), copy=False)
    flat = values.ndim == 2
    return DeepImage(values[..., np.newaxis] if flat else values, flat=flat)


def write(path, values, like):
    """Writes values `(height, width, channels)`; without channels if `like` has none."""
    values = values[..., 0] if like.flat and values.shape[-1] == 1 else values
    with open(path, "wb") as file:  # `np.save` would append an ending to another name
        np.save(file, np.ascontiguousarray(values))


def _values(path):
    """The array of a file, of which only what is used will be read."""
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, SyntaxError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a .npy file that can be read: {reason}") from None
    if values.ndim not in (2, 3) or not values.size:
        raise InputError(
            f"{path} holds an array of the shape {values.shape}; expected an image (height, "
            "width, channels) or (height, width)."
        )
    if values.dtype.kind not in "iuf":
        raise InputError(f"{path} holds {values.dtype.name} values; expected numbers.")
    return values
