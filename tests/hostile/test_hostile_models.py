"""Model files that are damaged, of something else, or of networks that cannot serve."""

import zipfile

import keras
import numpy as np
import pytest
from hostile import untouched
from PIL import Image

# What tests of the parts show already.
ELSEWHERE = {
    "model.keras truncated": "test_load_says_what_it_cannot_read",
    "model.keras with one flipped byte": "test_a_flipped_byte_is_damage_wherever_it_is",
    "Lambda layer": "test_code_in_a_model_is_not_run",
    "Dense model": "test_load_says_what_it_cannot_read",
    ".pth that runs code, zipped and plain": (
        "test_a_file_that_would_run_code_is_refused_and_not_run"
    ),
    ".pth: whole module": "test_a_pickled_module_is_refused_by_what_it_asks_for",
    ".pth: truncated": "test_a_file_cut_short",
    ".pth: other tensors, missing key, NaN, wrapped": (
        "test_a_state_dict_that_does_not_fit_is_refused_by_its_key"
    ),
    ".pth: discriminators": "test_generators_and_discriminators_are_told_apart",
}


def _zip_of_something_else(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("thesis.txt", "weeks of work")


def _of_five_channels(path):
    layers = [keras.Input((None, None, 3)), keras.layers.Conv2D(5, 3, padding="same")]
    keras.Sequential(layers).save(path)


@pytest.mark.parametrize("verb", ["translate", "export"])
@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda path: path.touch(), "model.keras is not a model that can be read"),
        (lambda path: Image.new("RGB", (8, 8)).save(path, "PNG"), "is not a model that can be"),
        (_zip_of_something_else, "model.keras is not a model that can be read"),
        (lambda path: path.mkdir(), "model.keras/model.keras does not exist"),
    ],
    ids=["empty", "image", "zip", "folder"],
)
def test_a_file_that_is_no_model(make, sentence, verb, photos, here, tmp_path):
    make(tmp_path / "model.keras")
    arguments = [verb, tmp_path / "model.keras", tmp_path / "out"]
    if verb == "translate":
        arguments.insert(2, photos)
    with untouched(tmp_path):
        assert sentence in here(*arguments).refused()


def test_a_network_of_channels_that_files_have_not(photos, here, tmp_path):
    _of_five_channels(tmp_path / "five.keras")
    with untouched(tmp_path):
        sentence = here("translate", tmp_path / "five.keras", photos, tmp_path / "out").refused()
    assert "1, 3 or 4 channels" in sentence


def test_a_network_of_one_size_leaves_out_images_of_others(photos, here, tmp_path):
    layers = [keras.Input((32, 32, 3)), keras.layers.Conv2D(3, 3, padding="same")]
    keras.Sequential(layers).save(tmp_path / "fixed.keras")
    Image.new("RGB", (32, 32)).save(photos / "2.png")
    ended = here("translate", tmp_path / "fixed.keras", photos, tmp_path / "out")
    assert ended.status == 1
    assert "1 of 3 " in ended.output
    assert ended.errors.count("32 by 32 pixels") == 2
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["2.png"]


def test_weights_of_half_precision_are_read(here, tmp_path):
    torch = pytest.importorskip("torch")
    import torch_networks as published

    module = published.with_random_tensors(published.resnet(1, 4))
    torch.save(module.half().state_dict(), tmp_path / "half.pth")
    assert here("import", tmp_path / "half.pth", tmp_path / "half.keras").status == 0
    network = keras.saving.load_model(tmp_path / "half.keras")
    expected = module.state_dict()["model.1.weight"].float().numpy().transpose(2, 3, 1, 0)
    kernels = [each for each in network.get_weights() if each.shape == expected.shape]
    np.testing.assert_array_equal(kernels[0], expected)
