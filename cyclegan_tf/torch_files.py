"""Reads state dicts that PyTorch saved, without PyTorch: published weights come as such files.

Both formats are read: the zip archive, and the stream of pickles before version 1.6. A pickle may
ask for anything; here it gets what a state dict is made of, so that no file can run code.
"""

import collections
import dataclasses
import hashlib
import io
import pathlib
import pickle
import zipfile

import numpy as np

from cyclegan_tf.errors import InputError

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older format

_DTYPES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
}


def read_state(path):
    """The arrays of a state dict.

    Args:
        path: of a file that `torch.save(network.state_dict(), path)` wrote.

    Returns:
        Arrays by name, in the order of the file and with its dtypes: float16, float32, float64 or
        int64. They cannot be written to.

    Raises:
        InputError: there is no such file, it is damaged, or it holds anything but tensors by name.
    """
    content = _content(path)
    try:
        tensors, storages = _unpickled(content)
        if not isinstance(tensors, dict) or not tensors:
            raise InputError(
                f"{path} holds {type(tensors).__name__}; expected a state dict, tensors by name."
            )
        return {str(key): _array(path, key, tensors[key], storages) for key in tensors}
    except _Unexpected as error:
        raise InputError(
            f"{path} holds more than weights: it asks for {error}, which was not loaded. Expected "
            "a state dict, as torch.save(network.state_dict(), path) writes it."
        ) from error
    except (InputError, MemoryError):
        raise
    except Exception as error:  # whatever comes of reading bytes at random as a pickle
        raise InputError(
            f"{path} is no file that torch.save wrote, or is damaged or cut short; copy or "
            "download it again."
        ) from error


def sha256(path):
    """The SHA-256 of a file in hexadecimal digits.

    Raises:
        InputError: there is no such file.
    """
    return hashlib.sha256(_content(path)).hexdigest()


def is_of_name(digest, name):
    """Whether a SHA-256 begins with the digits that end the name of a published file.

    Names such as `network-6726825d.pth` hold the first digits, as `torch.hub` expects it.
    """
    return digest.startswith(pathlib.Path(name).stem.rpartition("-")[2])


class _Unexpected(Exception):
    """A pickle asks for something that no state dict is made of."""


def _content(path):
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a file that torch.save wrote.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}.") from error


@dataclasses.dataclass(frozen=True)
class _Storage:
    dtype: np.dtype
    key: str


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """Part of a storage, as PyTorch describes it; offset and strides count numbers, not bytes."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        asked = f"{module}.{name}"
        if asked in _DTYPES:
            return asked
        if asked in _MAKERS:
            return _MAKERS[asked]
        raise _Unexpected(asked)

    def persistent_load(self, reference):
        kind, dtype, key = reference[:3]
        if kind != "storage":
            raise _Unexpected(kind)
        return _Storage(np.dtype(_DTYPES[dtype]), key)


def _tensor(storage, offset, shape, strides, *_):
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_MAKERS = {
    "collections.OrderedDict": collections.OrderedDict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
}


def _unpickled(content):
    """What a file holds, with `_Tensor`s in it, and the bytes of their storages by key."""
    if content.startswith(b"PK"):
        return _unpickled_archive(content)
    return _unpickled_stream(content)


def _unpickled_archive(content):
    """One folder: the object in `data.pkl`, each storage in `data/KEY`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        (pickled,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in archive.namelist():
            raise _Unexpected("the code of a TorchScript archive")
        order = f"{folder}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise _Unexpected("another order of bytes than little-endian")
        tensors = _Unpickler(io.BytesIO(archive.read(pickled))).load()
        stored = f"{folder}data/"
        storages = {
            name.removeprefix(stored): archive.read(name)
            for name in archive.namelist()
            if name.startswith(stored)
        }
    return tensors, storages


def _unpickled_stream(content):
    """Magic number, version, a description of the machine, the object, the keys; the storages."""
    stream = io.BytesIO(content)
    if _Unpickler(stream).load() != _MAGIC:
        raise ValueError("another first number")
    _Unpickler(stream).load()  # the version has been 1001 ever since
    if not _Unpickler(stream).load()["little_endian"]:
        raise _Unexpected("another order of bytes than little-endian")
    tensors = _Unpickler(stream).load()
    keys = _Unpickler(stream).load()
    sizes = {
        tensor.storage.key: tensor.storage.dtype.itemsize
        for tensor in (tensors.values() if isinstance(tensors, dict) else ())
        if isinstance(tensor, _Tensor)
    }
    storages = {}
    for key in keys:
        count = int.from_bytes(stream.read(8), "little")
        storages[key] = stream.read(count * sizes[key])
    return tensors, storages


def _array(path, key, tensor, storages):
    if not isinstance(tensor, _Tensor):
        raise InputError(
            f"The entry {key!r} of {path} is {type(tensor).__name__}, not a tensor; expected a "
            "state dict, tensors by name."
        )
    numbers = np.frombuffer(storages[tensor.storage.key], tensor.storage.dtype)
    least = min((tensor.offset, *tensor.shape, *tensor.strides))
    last = sum((length - 1) * stride for length, stride in zip(tensor.shape, tensor.strides))
    if least < 0 or len(tensor.shape) != len(tensor.strides) or 0 in tensor.shape:
        raise ValueError("no tensor has such a shape")
    if tensor.offset + last >= len(numbers):
        raise ValueError("the tensor ends after its storage")
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    return np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, strides, writeable=False
    )
