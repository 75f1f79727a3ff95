"""Images in DICOM files, by the package pydicom. They are read and not written."""

import numpy as np

from cyclegan_tf.data.deep_image import DeepImage, Header
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required

SUFFIXES = (".dcm", ".dicom")
_GRAY, _INVERTED, _COLORS = "MONOCHROME2", "MONOCHROME1", ("RGB", "YBR_FULL", "YBR_FULL_422")
_UNKNOWN = ("SharedFunctionalGroupsSequence", "ModalityLUTSequence")


def header(path):
    dataset = _dataset(path, stop_before_pixels=True)
    return Header(
        (int(dataset.Rows), int(dataset.Columns)),
        int(dataset.SamplesPerPixel),
        int(dataset.get("NumberOfFrames") or 1) > 1,
        color=int(dataset.SamplesPerPixel) == 3,
    )


def read(path):
    """The first frame in the units that the file gives, such as Hounsfield units.

    Stored values times the slope plus the intercept (PS3.3 C.11.1). The usual range is the first
    window, or all that can be stored. MONOCHROME1, in which high values are dark, is turned
    around within that range.
    """
    dataset = _dataset(path)
    several = int(dataset.get("NumberOfFrames") or 1) > 1
    values = _stored(dataset, path)
    values = values[0] if several else values
    values = values.reshape(*values.shape[:2], -1)
    color = values.shape[-1] == 3
    slope = float(dataset.get("RescaleSlope") or 1)
    intercept = float(dataset.get("RescaleIntercept") or 0)
    values = np.clip(_without_padding(values, dataset), *_limits(dataset))
    limits = [slope * limit + intercept for limit in _limits(dataset)]
    low, high = window(dataset) or (min(limits), max(limits))
    dtype = _dtype(slope, intercept, limits)
    values = (values * slope + intercept).astype(dtype)
    if dataset.PhotometricInterpretation == _INVERTED:
        dtype = np.dtype(np.float32) if not float(low + high).is_integer() else dtype
        values = (low + high - values.astype(np.float64)).astype(dtype)
    return DeepImage(values, (low, high), color=color, flat=not color, several=several)


def window(dataset):
    """The lowest and the highest value of a file's first window; `None` if it has none.

    With the function LINEAR, the default, a window of width w around c reaches from
    c - 0.5 - (w - 1) / 2 to c - 0.5 + (w - 1) / 2; otherwise from c - w / 2 to c + w / 2 (PS3.3
    C.11.2.1.2 and C.11.2.1.3).
    """
    center, width = (_first(dataset.get(f"Window{name}")) for name in ("Center", "Width"))
    if center is None or not width or width < 0:
        return None
    if dataset.get("VOILUTFunction", "LINEAR") == "LINEAR" and width > 1:
        return center - 0.5 - (width - 1) / 2, center - 0.5 + (width - 1) / 2
    return center - width / 2, center + width / 2


def _dataset(path, **arguments):
    pydicom = required("pydicom", "dicom", "DICOM files need")
    try:
        dataset = pydicom.dcmread(path, **arguments)
        kind = dataset.PhotometricInterpretation
        for name in ("Rows", "Columns", "SamplesPerPixel", "BitsStored"):
            int(dataset[name].value)
    except OSError:
        raise
    except Exception as error:  # pydicom raises errors of many kinds
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} is not a DICOM image that can be read: {reason}") from None
    if kind not in (_GRAY, _INVERTED, *_COLORS) or any(name in dataset for name in _UNKNOWN):
        raise InputError(
            f"{path} is a DICOM file of a kind that is not read (colors {kind}); expected one "
            "frame of MONOCHROME1, MONOCHROME2 or RGB with a plain slope and intercept."
        )
    return dataset


def _stored(dataset, path):
    pixels = required("pydicom.pixels", "dicom", "DICOM files need")
    low, high = _limits(dataset)
    bits = dataset.BitsStored, dataset.HighBit
    if not low <= int(dataset.get("PixelPaddingValue") or 0) <= high:
        # Of padding with more bits than the rest, pydicom would cut them off.
        dataset.BitsStored, dataset.HighBit = dataset.BitsAllocated, dataset.BitsAllocated - 1
    try:
        return pixels.pixel_array(dataset)  # YBR becomes RGB
    except Exception as error:  # of decoders, many kinds
        reason = str(error).splitlines()[0]
        raise InputError(f"{path} holds pixels that cannot be read: {reason}") from None
    finally:
        dataset.BitsStored, dataset.HighBit = bits


def _without_padding(values, dataset):
    """Padding, outside of what was seen, becomes the lowest value of the rest.

    PS3.3 C.7.5.1.1.2.
    """
    padding = dataset.get("PixelPaddingValue")
    if padding is None:
        return values
    ends = sorted((int(padding), int(dataset.get("PixelPaddingRangeLimit", padding))))
    padded = (values >= ends[0]) & (values <= ends[1])
    return values if padded.all() else np.where(padded, values[~padded].min(), values)


def _limits(dataset):
    """The lowest and the highest number that the file can store."""
    bits = int(dataset.BitsStored)
    if int(dataset.get("PixelRepresentation") or 0):
        return -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    return 0, 2**bits - 1


def _dtype(slope, intercept, limits):
    """The smallest of the types that hold all values."""
    if slope.is_integer() and intercept.is_integer():
        for dtype in map(np.dtype, (np.uint8, np.uint16, np.int16)):
            if min(limits) >= np.iinfo(dtype).min and max(limits) <= np.iinfo(dtype).max:
                return dtype
    return np.dtype(np.float32)


def _first(value):
    """A number of one value or of several; `None` if there is none."""
    if value is None or value == "":
        return None
    return float(value[0] if hasattr(value, "append") else value)  # a list or pydicom's own
