"""A SavedModel translates as the model that was exported, within a rounding."""

import shutil

import numpy as np
import pytest
from PIL import Image
from tiny import smooth, tiny_model

import cyclegan_tf
from cyclegan_tf import InputError
from cyclegan_tf.translation.exported import ExportedTranslator, image_shape, version_folder
from cyclegan_tf.translation.image_folders import translate
from cyclegan_tf.translation.large_images import Tiling


@pytest.fixture(scope="module")
def model():
    return tiny_model(compiled=False)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported")
    cyclegan_tf.export_saved_model(model, out, direction="ab")
    return out / "generator_ab"


@pytest.fixture(scope="module")
def translator(exported):
    return cyclegan_tf.load(exported)


@pytest.mark.parametrize("size", [(16, 16), (17, 23), (128, 96)])
@pytest.mark.parametrize("count", [1, 3])
def test_a_saved_model_translates_as_the_model(count, size, model, translator):
    images = np.stack([smooth(*size, seed=number) for number in range(count)])
    difference = np.int16(translator.translate(images)) - model.translate(images)
    assert np.abs(difference).max() <= 1
    assert (difference != 0).mean() < 0.01
    floats = np.float32(images) / 127.5 - 1
    np.testing.assert_allclose(translator.translate(floats), model.translate(floats), atol=1e-5)


def test_a_saved_model_is_not_exported_again(translator, tmp_path):
    with pytest.raises(InputError, match="none to export"):
        cyclegan_tf.export_saved_model(translator, tmp_path)


def test_the_newest_version_is_taken(model, exported, tmp_path):
    shutil.copytree(exported / "1", tmp_path / "generator_ab" / "9")
    shutil.copytree(exported / "1", tmp_path / "generator_ab" / "10")
    assert version_folder(tmp_path / "generator_ab") == str(tmp_path / "generator_ab" / "10")
    assert version_folder(exported / "1") == str(exported / "1")
    assert image_shape(version_folder(exported)) == (None, None, 3)


def test_what_is_no_saved_model(tmp_path):
    with pytest.raises(InputError, match="holds no SavedModel"):
        ExportedTranslator(tmp_path)
    (tmp_path / "saved_model.pb").write_bytes(b"none")
    with pytest.raises(InputError, match="has no signature serving_default"):
        ExportedTranslator(tmp_path)


def test_a_saved_model_computes_no_tiles(translator, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="translate without tiles"):
        translate(translator, tmp_path / "a.png", tmp_path / "out", tiling=Tiling(32))


def test_the_command_line_takes_one(exported, translator, here, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "a.png")
    assert here("translate", exported, tmp_path / "a.png", tmp_path / "b.png").status == 0
    written = np.asarray(Image.open(tmp_path / "b.png"))
    np.testing.assert_array_equal(written, translator.translate(smooth()))
