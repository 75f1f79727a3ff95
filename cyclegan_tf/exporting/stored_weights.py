"""Weights of a `.keras` file in fewer bits. Keras reads them as float32 all the same."""

import io
import zipfile

import h5py
import numpy as np

from cyclegan_tf.errors import InputError

# Bits after the first one that float16 keeps; the fewer, the better a file is compressed.
_ALL = 10
FRACTION_BITS = {"float16": _ALL, "rounded": 5}
_WEIGHTS = "model.weights.h5"
_LARGEST = 6e4  # below float16's 65,504, to which it is rounded


def store_weights(path, weights):
    """Rewrites a `.keras` file with its float32 weights as compressed float16.

    Loading converts them back: the model is float32 as before, with rounded weights. What is below
    6e-8 becomes 0, and with all 10 bits a file is 42 % of its size before; with 5 it is 29 %.

    Args:
        path: of a file that nobody reads meanwhile.
        weights: a name in `FRACTION_BITS`.

    Raises:
        InputError: a weight is too large for float16, or no finite number; the file stays as it
            was.
    """
    with zipfile.ZipFile(path) as archive:
        contents = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    contents[_WEIGHTS] = _stored(contents[_WEIGHTS], FRACTION_BITS[weights])
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            # Without the time of day: the same weights give the same file.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _stored(content, bits):
    """An HDF5 file with its float32 arrays as float16; the rest is as it was."""
    target = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as before, h5py.File(target, "w") as after:

        def copy(name, found):
            if isinstance(found, h5py.Group):
                copied = after.require_group(name)
            elif found.dtype == np.float32 and found.ndim:
                # All first bytes together, then all second ones: of a kind they compress better.
                packed = {"compression": "gzip", "compression_opts": 9, "shuffle": True}
                values = _rounded(found[()], bits)
                copied = after.create_dataset(name, data=values, chunks=values.shape, **packed)
            else:
                copied = after.create_dataset(name, data=found[()])
            copied.attrs.update(found.attrs)

        before.visititems(copy)
        after.attrs.update(before.attrs)
    return target.getvalue()


def _rounded(values, bits):
    """The nearest float16 with so many bits of fraction."""
    if not np.abs(values).max(initial=0) <= _LARGEST:
        raise InputError(
            f"The model has a weight that float16 cannot hold, more than {_LARGEST:g} or not "
            "finite; keep weights='float32'."
        )
    if bits < _ALL:
        fraction, exponent = np.frexp(values)
        scale = 2.0 ** (bits + 1)
        values = np.ldexp(np.round(fraction * scale) / scale, exponent)
    return values.astype(np.float16)
