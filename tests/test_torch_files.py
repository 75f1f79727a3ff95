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
        ({"weight": torch.zeros(2, dtype=torch.bfloat16)}, "asks for torch.BFloat16Storage"),
        (torch.nn.Linear(2, 2), "asks for torch.nn.modules.linear.Linear"),
    ],
)
@pytest.mark.parametrize("zipped", [True, False])
def test_files_that_hold_something_else_are_refused(saved, match, zipped, tmp_path):
    torch.save(saved, tmp_path / "state.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=match):
        read_state(tmp_path / "state.pth")


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


def _write_older(path, tensor):
    """The older format by hand: a tensor of this offset, shape and strides in three numbers."""
    storage = "the storage"

    class Tensor:
        def __reduce__(self):
            return torch._utils._rebuild_tensor_v2, (storage, *tensor, False, None)

    class Pickler(pickle.Pickler):
        def persistent_id(self, each):
            return ("storage", torch.FloatStorage, "0", "cpu", 3) if each is storage else None

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
