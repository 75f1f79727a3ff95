"""Image files of more than 8 bits, of floats or of any number of channels: which, and how.

A file's kind is what its first bytes say, whatever its name.
"""

import contextlib
import dataclasses
import os
import stat

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data import deep_arrays, deep_png, deep_tiff, dicom, image_files
from cyclegan_tf.data.deep_image import no_data_of, with_no_data
from cyclegan_tf.errors import DamagedError, InputError
from cyclegan_tf.intensity_range import MOST_IMAGES, full_range, is_missing

SUFFIXES = (*image_files.SUFFIXES, ".npy", *dicom.SUFFIXES)
# Of files that are written at their depth.
WRITTEN = {".png": deep_png, ".tif": deep_tiff, ".tiff": deep_tiff, ".npy": deep_arrays}

_CANDIDATES = (*WRITTEN, *dicom.SUFFIXES)
_DICOM_AT, _DICOM_MARK = 128, b"DICM"
_BEGINNING = _DICOM_AT + len(_DICOM_MARK)
_DEPTHS_OF_PNG = (np.dtype(np.uint8), np.dtype(np.uint16))


def is_deep(path, channels=3):
    """Whether a file is read at its depth; `cyclegan_tf.data.image_files` reads the others.

    Args:
        path: only names that end in one of `WRITTEN` or as those of DICOM are looked into.
        channels: that are wanted. With other than 1, 3 or 4 all TIFF files are deep.
    """
    return _kind(path, channels) is not None


def header(path, channels=3):
    """The `Header` of a file that is deep for this many channels.

    Raises:
        InputError: it cannot be read, or has too many pixels.
    """
    with _said(path):
        found = _kind(path, channels).header(path)
    height, width = found.size
    if height * width > image_files.MAX_PIXELS:
        raise InputError(
            f"{path} has {width} x {height} pixels, more than the "
            f"{image_files.MAX_PIXELS / 1e6:.0f} million that are read; make it smaller."
        )
    return found


def size(path, channels=3):
    """`(height, width)` of a deep file or of any other image."""
    return header(path, channels).size if is_deep(path, channels) else image_files.size(path)


def size_or_problem(path, channels):
    """The size of an image, or the `InputError` that says why it has no such channels."""
    try:
        if not is_deep(path, channels):
            image_files.check_channels(channels)
            return image_files.size_or_problem_of(path)
        found = header(path, channels)
        found.check_channels(channels, path)
        return found.size
    except InputError as problem:
        return problem


def read(path, channels, deep_for=None):
    """The `DeepImage` of a deep file, with this many channels.

    Args:
        path: of the file.
        channels: their number.
        deep_for: the channels that `is_deep` was asked with, if others.

    Raises:
        InputError: it cannot be read, has other channels, or values that are no numbers.
    """
    wanted = channels if deep_for is None else deep_for
    header(path, wanted)  # which is cheap, and refuses what is too large
    with _said(path):
        image = _kind(path, wanted).read(path)
    check_finite(image, path)
    return image.with_channels(channels, path)


def check_finite(image, path):
    """Raises a `DamagedError` for floats of a `DeepImage` that are no numbers.

    Its value of no data may be one of these.
    """
    values = image.values
    if values.dtype.kind != "f":
        return
    fine = np.isfinite(values) | is_missing(values, image.no_data)
    if not fine.all():
        raise DamagedError(
            f"{path} has values that are not finite: NaN or infinite are {(~fine).sum():,} of the "
            f"{fine.size:,} that were looked at. Replace them, as by numpy.nan_to_num; in a TIFF "
            "the tag GDAL_NODATA may say that NaN is no data."
        )


def is_tiff(path):
    """Whether a file begins as a TIFF or BigTIFF, and not as a DICOM file that is both."""
    beginning = _beginning(path)
    is_dicom = beginning[_DICOM_AT:] == _DICOM_MARK
    return beginning.startswith(deep_tiff.SIGNATURES) and not is_dicom


def write(path, images, outputs, dtype, like, missing=None):
    """Writes floats in [-1, 1] as values of a range, in the format that the name says.

    Args:
        path: its suffix is one of `WRITTEN`.
        images: `(height, width, channels)`.
        outputs: the `ValueRange` of the values.
        dtype: of the values. A PNG has 8 or 16 bits: for another dtype the range becomes that
            of 16 bits, by `written_as`.
        like: a `DeepImage` whose layout, profile, resolution and place on Earth are kept.
        missing: which pixels of the original have no data, `(height, width, 1)`.
    """
    outputs, dtype = written_as(path, outputs, dtype)
    no_data = no_data_of(dtype, like.no_data)
    values = with_no_data(outputs.to_values(images, dtype), missing, no_data)
    like = dataclasses.replace(like, no_data=no_data)
    WRITTEN[path.suffix.lower()].write(path, values, like)


def written_as(path, outputs, dtype):
    """The range and the dtype that values have in the format that a name says."""
    if WRITTEN[path.suffix.lower()] is deep_png and dtype not in _DEPTHS_OF_PNG:
        dtype = np.dtype(np.uint16)
        outputs = full_range(dtype, path)
    return outputs, dtype


def check_written(path, channels):
    """Raises an `InputError` if the format that a name says cannot have so many channels."""
    if WRITTEN[path.suffix.lower()] is deep_png and channels > 4:
        raise InputError(
            f"{path} cannot be written: a PNG file has 1 to 4 channels, not {channels}; give a "
            "name that ends in .tif or .npy."
        )


def measured(rule, paths, channels, sample=None):
    """The `ValueRange` of percentiles over deep files, and the number of those that were read.

    What cannot be read is left out. At most `MOST_IMAGES` of them are read, evenly spread.

    Args:
        rule: `Percentiles`.
        paths: of the files.
        channels: that are wanted of them.
        sample: from a path to what `sampled` takes of that image, if it is not read as a whole.

    Raises:
        InputError: none of them can be read; it is that of the first.
    """
    sample = sample or (lambda path: read(path, channels).sampled())
    count = min(len(paths), MOST_IMAGES)
    samples, problems = [], []
    for number in np.unique(np.linspace(0, len(paths) - 1, count).round().astype(int)):
        try:
            samples.append(sample(paths[number]))
        except InputError as problem:
            problems.append(problem)
    if not samples:
        raise problems[0]
    return rule.measured(samples), len(samples)


def _kind(path, channels=3):
    """The module that reads a file; `None` if it is not deep or cannot be opened."""
    if not os.fspath(path).lower().endswith(_CANDIDATES):
        return None
    beginning = _beginning(path)
    if deep_png.is_deep(beginning):
        return deep_png
    if beginning.startswith(deep_arrays.SIGNATURE):
        return deep_arrays
    if beginning[_DICOM_AT:] == _DICOM_MARK:
        return dicom
    if beginning.startswith(deep_tiff.SIGNATURES) and deep_tiff.is_deep(path, channels):
        return deep_tiff
    return None


def _beginning(path):
    """The first bytes of a file; none if it cannot be opened."""
    with contextlib.suppress(OSError):
        if stat.S_ISREG(os.stat(path).st_mode):  # opening a pipe would wait
            with open(path, "rb") as file:
                return file.read(_BEGINNING)
    return b""


@contextlib.contextmanager
def _said(path):
    """Errors of the system become an `InputError` that names the file."""
    try:
        yield
    except OSError as error:
        if error.strerror:
            raise files.unreadable(path, error) from None
        raise InputError(f"{path} is damaged and cannot be read: {error}.") from None
