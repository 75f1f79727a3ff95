"""State dicts read without PyTorch, against what PyTorch wrote; and files that are something else.

Of the many ways in which a file can be damaged, each is one that another check finds.
"""

import collections
import os
import pickle
import zipfile

import numpy as np
import pytest

from cyclegan_tf import InputError
from cyclegan_tf.torch_files import read_state

torch = pytest.importorskip("torch")


def _state():
    """Tensors as state dicts have them, and views: transposed, cut out, of one storage."""
    numbers = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    return collections.OrderedDict(
        {
            "plain": numbers.clone(),
            "transposed": numbers.T,
            "cut out": numbers[1:3, ::2],
            "scalar": torch.tensor(7),
            "double": numbers.double() / 3,
            "half": numbers.half(),
            "parameter": torch.nn.Parameter(numbers[0] + 0.5),
        }
    )


@pytest.mark.parametrize("zipped", [True, False])
def test_it_gives_what_pytorch_wrote(zipped, tmp_path):
    state = _state()
    torch.save(state, tmp_path / "state.pth", _use_new_zipfile_serialization=zipped)
    arrays = read_state(tmp_path / "state.pth")
    assert list(arrays) == list(state)
    for name, tensor in state.items():
        expected = tensor.detach().numpy()
        assert arrays[name].dtype == expected.dtype
        np.testing.assert_array_equal(arrays[name], expected)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_module_with_metadata_is_read(zipped, tmp_path):
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    path = tmp_path / "state.pth"
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
    arrays = read_state(path)
    np.testing.assert_array_equal(arrays["0.weight"], module[0].weight.detach().numpy())
    assert arrays["1.num_batches_tracked"] == 0


class _Runs:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("zipped", [True, False])
def test_nothing_in_a_file_is_run(zipped, tmp_path):
    path = tmp_path / "state.pth"
    torch.save({"weight": _Runs(tmp_path / "made")}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"it asks for posix\.mkdir, which was not loaded"):
        read_state(path)
    assert not (tmp_path / "made").exists()


def test_code_of_torchscript_is_refused(tmp_path):
    torch.save({"weight": torch.zeros(2)}, tmp_path / "state.pth")
    with zipfile.ZipFile(tmp_path / "state.pth", "a") as archive:
        archive.writestr("state/constants.pkl", b"")
    with pytest.raises(InputError, match="it asks for the code of a TorchScript archive"):
        read_state(tmp_path / "state.pth")


@pytest.mark.parametrize(
    ("saved", "match"),
    [
        ([1, 2], "holds list; expected a state dict"),
        ({}, "holds dict; expected a state dict"),
        ({"epoch": 3}, "The entry 'epoch' of .* is int, not a tensor"),
        ({3: torch.zeros(2)}, "The key 3 of .* is int, not a string; expected a state dict"),
        ({(3, 4): torch.zeros(2)}, "asks for a key that is made of other values"),
        (torch.nn.Linear(2, 2), "asks for torch.nn.modules.linear.Linear"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_hold_something_else_are_refused(saved, match, zipped, tmp_path):
    torch.save(saved, tmp_path / "state.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=match):
        read_state(tmp_path / "state.pth")


@pytest.mark.parametrize("dtype", ["bfloat16", "bool", "int8", "uint8", "int16", "int32"])
@pytest.mark.parametrize("zipped", [True, False])
def test_other_numbers_are_named(dtype, zipped, tmp_path):
    state = {"weight": torch.zeros(2, dtype=getattr(torch, dtype))}
    torch.save(state, tmp_path / "state.pth", _use_new_zipfile_serialization=zipped)
    match = rf"has tensors of {dtype}; expected float16, float32, float64 or int64\."
    with pytest.raises(InputError, match=match):
        read_state(tmp_path / "state.pth")


def _archived(path, pickled, compression=zipfile.ZIP_STORED, order=b"little"):
    """A zip archive with this pickle, as PyTorch lays it out."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("state/data.pkl", pickled)
        archive.writestr("state/byteorder", order)
    return path


def test_other_orders_of_bytes_are_named(tmp_path):
    match = "has big-endian numbers; expected little-endian ones"
    with pytest.raises(InputError, match=match):
        read_state(_archived(tmp_path / "state.pth", pickle.dumps({}, 2), order=b"big"))
    with open(tmp_path / "older.pth", "wb") as file:
        for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": False}):
            pickle.dump(each, file, protocol=2)
    with pytest.raises(InputError, match=match):
        read_state(tmp_path / "older.pth")


def test_compressed_members_are_refused(tmp_path):
    """A small file could fill the memory with them."""
    path = _archived(tmp_path / "state.pth", pickle.dumps({}, 2), zipfile.ZIP_DEFLATED)
    with pytest.raises(InputError, match="asks for compressed members of an archive"):
        read_state(path)


_TENSOR_MAKER = b"ctorch._utils\n_rebuild_tensor_v2\n"


@pytest.mark.parametrize(
    ("pickled", "match"),
    [
        # A key of a million tuples in tuples, whose hash overflows the stack: as they are written,
        # and with each of them in the memo.
        (b"\x80\x02})" + 1_000_000 * b"\x85" + b"Ns.", "values nested more than 32 deep"),
        (b"\x80\x02})" + 30 * b"\x85" + b"Ns.", "a key that is made of other values"),
        (b"\x80\x02)q\x00" + 40 * b"h\x00\x85q\x00" + b".", "values nested more than 32 deep"),
        # An index of the memo, up to which the memo would take 16 GB.
        (b"\x80\x02}r\xff\xff\xff\x7f.", "is damaged or cut short"),
        (b"\x80\x02}.", "holds dict"),
        # An attribute of something that this package owns.
        (
            b"\x80\x02" + _TENSOR_MAKER + b"N}X\x04\x00\x00\x00nameK\x01s\x86b.",
            "other attributes of a class",
        ),
        # Opcodes that no state dict has.
        (b"(i__main__\nmain\n.", "the pickle opcode INST"),
        (b"\x80\x02}0.", "the pickle opcode POP"),
        # A stack that is too short, a mark in place of a value, and an index that was not given.
        (b"\x80\x02s.", "is damaged or cut short"),
        (b"\x80\x02}((\x86.", "is damaged or cut short"),
        (b"\x80\x02h\x07.", "is damaged or cut short"),
    ],
)
def test_no_pickle_ends_the_process_or_fills_the_memory(pickled, match, tmp_path):
    with pytest.raises(InputError, match=match):
        read_state(_archived(tmp_path / "state.pth", pickled))


def test_what_was_read_counts_and_not_what_lies_there_by_then(tmp_path):
    path = tmp_path / "state.pth"
    torch.save({"weight": torch.ones(2)}, path)
    content = path.read_bytes()
    torch.save({"weight": torch.zeros(2)}, path)
    np.testing.assert_array_equal(read_state(path, content)["weight"], [1, 1])


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_protocols_of_pickles(protocol, tmp_path):
    path = tmp_path / "state.pth"
    torch.save(_state(), path, pickle_protocol=protocol)
    np.testing.assert_array_equal(read_state(path)["scalar"], 7)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_short_is_refused(kept, zipped, tmp_path):
    path = tmp_path / "state.pth"
    torch.save(_state(), path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(InputError, match="damaged or cut short; copy or download it again"):
        read_state(path)


@pytest.mark.parametrize(
    "tensor",
    [
        (0, (4,), (1,)),  # longer than its storage
        (1, (3,), (1,)),
        (0, (2,), (3,)),
        (-1, (2,), (1,)),
        (2, (2,), (-1,)),
        (0, (3,), ()),
    ],
)
def test_a_tensor_outside_its_storage_is_refused(tensor, tmp_path):
    path = tmp_path / "state.pth"
    _write_older(path, (0, (3,), (1,)))
    np.testing.assert_array_equal(read_state(path)["weight"], [0, 1, 2])
    _write_older(path, tensor)
    with pytest.raises(InputError, match="damaged or cut short"):
        read_state(path)


def test_a_view_of_the_oldest_files_is_refused(tmp_path):
    """They say of a storage where in another one it lies."""
    path = tmp_path / "state.pth"
    _write_older(path, (0, (3,), (1,)), None)
    np.testing.assert_array_equal(read_state(path)["weight"], [0, 1, 2])
    _write_older(path, (0, (1,), (1,)), ("1", 2, 1))
    with pytest.raises(InputError, match="asks for a view of a storage"):
        read_state(path)


def _write_older(path, tensor, *view):
    """The older format by hand: a tensor of this offset, shape and strides in three numbers."""
    storage = "the storage"

    class Tensor:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (storage, *tensor, False, None)

    class Pickler(pickle.Pickler):
        def persistent_id(self, each):
            return (
                ("storage", torch.FloatStorage, "0", "cpu", 3, *view) if each is storage else None
            )

    with open(path, "wb") as file:
        for each in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}):
            pickle.dump(each, file, protocol=2)
        Pickler(file, protocol=2).dump({"weight": Tensor()})
        pickle.dump(["0"], file, protocol=2)
        file.write((3).to_bytes(8, "little") + np.arange(3, dtype="<f4").tobytes())


def test_there_is_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.pth does not exist"):
        read_state(tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match="is no file that torch"):
        read_state(tmp_path / "text.pth")
