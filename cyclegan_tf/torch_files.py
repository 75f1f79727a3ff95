"""Reads state dicts that PyTorch saved, without PyTorch: published weights come as such files.

Both formats are read: the zip archive, and the stream of pickles before version 1.6. A pickle may
ask for anything; here it gets what a state dict is made of, so that no file can run code. It is
checked before it is loaded, so that none can end the process or fill the memory.
"""

import dataclasses
import io
import pathlib
import pickle
import zipfile

import numpy as np

from cyclegan_tf import files, plain_pickles
from cyclegan_tf.errors import InputError
from cyclegan_tf.plain_pickles import Refused

_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of the older format

_DTYPES = {
    "torch.FloatStorage": "<f4",
    "torch.DoubleStorage": "<f8",
    "torch.HalfStorage": "<f2",
    "torch.LongStorage": "<i8",
}
_OTHER_DTYPES = {
    "torch.BFloat16Storage": "bfloat16",
    "torch.BoolStorage": "bool",
    "torch.ByteStorage": "uint8",
    "torch.CharStorage": "int8",
    "torch.ShortStorage": "int16",
    "torch.IntStorage": "int32",
    "torch.ComplexFloatStorage": "complex64",
    "torch.ComplexDoubleStorage": "complex128",
}


def read_state(path, content=None):
    """The arrays of a state dict.

    Args:
        path: of a file that `torch.save(network.state_dict(), path)` wrote.
        content: its bytes, if they have been read.

    Returns:
        Arrays by name, in the order of the file and with its dtypes: float16, float32, float64 or
        int64. They cannot be written to.

    Raises:
        InputError: there is no such file, it is damaged, or it holds anything but tensors by name.
    """
    content = content_of(path) if content is None else content
    try:
        tensors, storages = _unpickled(content)
        if not isinstance(tensors, dict) or not tensors:
            raise InputError(
                f"{path} holds {_kind(tensors)}; expected a state dict, tensors by name."
            )
        return {key: _array(path, key, tensors[key], storages) for key in tensors}
    except _OtherData as error:
        raise InputError(f"{path} has {error}.") from error
    except Refused as error:
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


def content_of(path):
    """The bytes of a file.

    Raises:
        InputError: there is no such file, or it is not readable.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; expected a file that torch.save wrote.")
    try:
        return path.read_bytes()
    except OSError as error:
        raise files.unreadable(path, error) from error


def is_of_name(digest, name):
    """Whether a SHA-256 begins with the digits that end the name of a published file.

    Names such as `network-6726825d.pth` hold the first digits, as `torch.hub` expects it.
    """
    return digest.startswith(pathlib.Path(name).stem.rpartition("-")[2])


class _OtherData(Exception):
    """A state dict has data that are not read here; the text says which, and what is."""


class _Fixed:
    """What a pickle gets; it cannot change it, as it could by an attribute."""

    __slots__ = ()

    def __setstate__(self, state):
        raise Refused("other attributes of a class")


@dataclasses.dataclass(frozen=True)
class _Storage(_Fixed):
    dtype: np.dtype
    key: str


@dataclasses.dataclass(frozen=True)
class _Tensor(_Fixed):
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
        if asked in _OTHER_DTYPES:
            expected = "float16, float32, float64 or int64"
            raise _OtherData(f"tensors of {_OTHER_DTYPES[asked]}; expected {expected}")
        raise Refused(asked)

    def persistent_load(self, reference):
        kind, dtype, key, _, _, *view = reference
        _check_type(str, kind, dtype, key)
        if kind != "storage":
            raise Refused(kind)
        if any(part is not None for part in view):
            raise Refused("a view of a storage")
        return _Storage(np.dtype(_DTYPES[dtype]), key)


class _Entries(dict):
    """The `OrderedDict` of a module, without the attribute that has the versions of its layers."""

    __slots__ = ()

    def __setstate__(self, state):
        pass


class _MakeEntries(_Fixed):
    __slots__ = ()

    def __call__(self):
        return _Entries()


class _MakeTensor(_Fixed):
    __slots__ = ()

    def __call__(self, storage, offset, shape, strides, *_):
        _check_type(_Storage, storage)
        _check_type(int, offset, *shape, *strides)
        return _Tensor(storage, offset, tuple(shape), tuple(strides))


class _MakeParameter(_Fixed):
    __slots__ = ()

    def __call__(self, tensor, *_):
        return tensor


_MAKERS = {
    "collections.OrderedDict": _MakeEntries(),
    "torch._utils._rebuild_tensor_v2": _MakeTensor(),
    "torch._utils._rebuild_parameter": _MakeParameter(),
}


def _check_type(expected, *values):
    for value in values:
        if not isinstance(value, expected):
            raise ValueError(f"{type(value).__name__} instead of {expected.__name__}")


def _kind(value):
    return "dict" if isinstance(value, dict) else type(value).__name__


def _loaded(stream):
    """The next pickle of a stream."""
    start = stream.tell()
    plain_pickles.check(stream)
    stream.seek(start)
    return _Unpickler(stream).load()


def _check_order(is_little_endian):
    if not is_little_endian:
        raise _OtherData("big-endian numbers; expected little-endian ones")


def _unpickled(content):
    """What a file holds, with `_Tensor`s in it, and the bytes of their storages by key."""
    if content.startswith(b"PK"):
        return _unpickled_archive(content)
    return _unpickled_stream(content)


def _unpickled_archive(content):
    """One folder: the object in `data.pkl`, each storage in `data/KEY`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise Refused("compressed members of an archive")
        if sum(member.file_size for member in members) > len(content):
            raise ValueError("members that overlap")
        (pickled,) = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        folder = pickled.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in archive.namelist():
            raise Refused("the code of a TorchScript archive")
        order = f"{folder}byteorder"
        _check_order(order not in archive.namelist() or archive.read(order) == b"little")
        tensors = _loaded(io.BytesIO(archive.read(pickled)))
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
    if _loaded(stream) != _MAGIC:
        raise ValueError("another first number")
    _loaded(stream)  # the version has been 1001 ever since
    _check_order(_loaded(stream)["little_endian"])
    tensors, keys = _loaded(stream), _loaded(stream)
    _check_type(str, *keys)
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
    if not isinstance(key, str):
        raise InputError(
            f"The key {key!r} of {path} is {_kind(key)}, not a string; expected a state dict, "
            "tensors by name."
        )
    if not isinstance(tensor, _Tensor):
        raise InputError(
            f"The entry {key!r} of {path} is {_kind(tensor)}, not a tensor; expected a state dict, "
            "tensors by name."
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
