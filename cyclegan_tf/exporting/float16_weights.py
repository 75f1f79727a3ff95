"""Weights of a `.keras` file as float16: half the size. Keras reads them as float32."""

import io
import zipfile

import h5py
import numpy as np

from cyclegan_tf.errors import InputError

_WEIGHTS = "model.weights.h5"
_LARGEST = float(np.finfo(np.float16).max)


def store_as_float16(path):
    """Rewrites a `.keras` file with its float32 weights as float16, and compresses it.

    Loading converts them back, so the model is float32 as before, with weights that are rounded to
    11 bits. What is below 6e-8 becomes 0.

    Args:
        path: of a file that nobody reads meanwhile.

    Raises:
        InputError: a weight is too large for float16, or no finite number; the file stays as it
            was.
    """
    with zipfile.ZipFile(path) as archive:
        contents = {entry.filename: archive.read(entry) for entry in archive.infolist()}
    contents[_WEIGHTS] = _rounded(contents[_WEIGHTS])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            # Without the time of day: the same weights give the same file.
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)


def _rounded(content):
    """An HDF5 file with its float32 arrays as float16; the rest is as it was."""
    target = io.BytesIO()
    with h5py.File(io.BytesIO(content), "r") as before, h5py.File(target, "w") as after:

        def copy(name, found):
            if isinstance(found, h5py.Dataset) and found.dtype == np.float32:
                values = found[()]
                if not np.abs(values).max(initial=0) <= _LARGEST:
                    raise InputError(
                        f"The model has a weight that float16 cannot hold, more than {_LARGEST:g} "
                        "or not finite; keep weights='float32'."
                    )
                copied = after.create_dataset(name, data=values.astype(np.float16))
            elif isinstance(found, h5py.Dataset):
                copied = after.create_dataset(name, data=found[()])
            else:
                copied = after.require_group(name)
            copied.attrs.update(found.attrs)

        before.visititems(copy)
        after.attrs.update(before.attrs)
    return target.getvalue()
