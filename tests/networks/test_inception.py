"""The Inception network, against pytorch-fid's; and files that hold another network."""

import json
import pathlib

import numpy as np
import pytest
import references
import seeded

from cyclegan_tf import InputError
from cyclegan_tf.files import sha256_of
from cyclegan_tf.networks import inception
from cyclegan_tf.networks.published_state import PublishedState
from cyclegan_tf.runs.extractors import extractor
from cyclegan_tf.torch_files import is_of_name

torch = pytest.importorskip("torch")

EXPECTED = "expected pt_inception-2015-12-05-6726825d.pth of pytorch-fid"


@pytest.fixture(scope="module")
def reference():
    return references.load("inception")


@pytest.fixture(scope="module")
def state(reference):
    """Seeded weights under the names and in the shapes of pytorch-fid's network."""
    return seeded.state(json.loads(str(reference["shapes"])))


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    return _save(state, tmp_path_factory.mktemp("weights") / "inception.pth")


def _save(state, path):
    torch.save({name: torch.from_numpy(array) for name, array in state.items()}, path)
    return path


def test_it_finds_what_pytorch_fid_finds(reference, file):
    """From uint8 images of another size on."""
    ours = extractor("inception", path=file, resizing="legacy_pytorch")
    images = seeded.images(2, 80, 64)
    expected = reference["features"]
    assert np.abs(expected[0] - expected[1]).mean() > 0.03
    np.testing.assert_allclose(ours.features(images), expected, rtol=1e-4, atol=1e-4)
    shapes = [each.shape for each in ours.maps(images[:1])]
    assert shapes == [(1, 35, 35, 288), (1, 17, 17, 768), (1, 8, 8, 2048)]
    # Its distances are not those of the published weights.
    digest = sha256_of(file)
    assert (ours.checksum, ours.name) == (digest, f"inception-{digest[:8]}")
    assert ours.distance_names == (
        f"frechet_inception_{digest[:8]}",
        f"kernel_inception_{digest[:8]}",
    )


def test_only_with_the_published_weights_a_distance_is_called_fid(file, monkeypatch):
    with pytest.raises(InputError, match=r"inception\.pth is not pt_inception-2015-12-05-6726825d"):
        extractor("inception-fid", path=file)
    # As if this file had been published.
    monkeypatch.setattr(inception, "FILE", f"published-{sha256_of(file)[:8]}.pth")
    ours = extractor("inception-fid", path=file, resizing="legacy_tensorflow")
    assert (ours.name, ours.resizing) == ("inception-fid", "legacy_tensorflow")
    assert ours.distance_names == ("fid", "kid")
    # The graph of TensorFlow subtracts 128 and divides by 128; pytorch-fid maps 255 to 1.
    images = np.full((1, 9, 9, 3), (0, 128, 255), np.uint8)
    np.testing.assert_allclose(ours.prepare(images)[0, 150, 150], (-1, 0, 127 / 128), atol=1e-6)


def test_the_digits_of_a_name():
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert is_of_name(digest, "network-2015-12-05-ba7816bf.pth")
    assert not is_of_name(digest, pathlib.Path("ba7816bf") / inception.FILE)


def test_another_network_is_refused(state, tmp_path):
    path = _save({"model.1.weight": np.zeros((8, 3, 7, 7), np.float32)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=f"has no 'Conv2d_1a_3x3.conv.weight'; {EXPECTED}"):
        inception.inception(path)
    # The first layers alone.
    state = {name: array for name, array in state.items() if name.startswith("Conv2d_")}
    with pytest.raises(InputError, match=f"has no 'Mixed_5b.branch1x1.conv.weight'; {EXPECTED}"):
        inception.inception(_save(state, path))
    name = "Conv2d_2a_3x3.bn.bias"
    with pytest.raises(InputError, match=r"has the shape \(31,\), not \(32,\); " + EXPECTED):
        inception.inception(_save({**state, name: state[name][1:]}, path))
    with pytest.raises(InputError, match=f"'{name}' of .* holds numbers that are not finite"):
        inception.inception(_save({**state, name: state[name] * np.float32(np.nan)}, path))


def test_an_array_too_many_is_refused():
    """Such as the second classifier of torchvision's network."""
    state = PublishedState(
        {name: np.zeros(5) for name in ("fc.bias", "bn.num_batches_tracked", "AuxLogits.fc.bias")},
        "weights.pth",
        "a file",
    )
    state.take("fc.bias", (5,))
    with pytest.raises(InputError, match=r"weights\.pth has 'AuxLogits\.fc\.bias', which this"):
        state.check_that_all_is_taken()
    state.take("AuxLogits.fc.bias", (5,))
    state.check_that_all_is_taken()
