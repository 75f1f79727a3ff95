"""Files through a model: which are taken, what is written, what is said."""

import math
import os

import keras
import numpy as np
import pytest
from PIL import Image
from tiny import smooth
from users import as_nobody

from cyclegan_tf import InputError
from cyclegan_tf.data import image_files
from cyclegan_tf.translation.image_folders import _free_memory, check_fits, translate
from cyclegan_tf.translation.translator import Translator


def _negative(channels=3, output_channels=None):
    """A network that turns values around; of other output channels, those of the first one."""
    image = keras.Input((None, None, channels))
    output = keras.layers.Rescaling(-1)(image)
    if output_channels:
        output = keras.layers.Concatenate()([output[..., :1]] * output_channels)
    return keras.Model(image, output)


@pytest.fixture(scope="module")
def model():
    return Translator({"ab": _negative()}, (None, None, 3))


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "photos"
    path.mkdir()
    Image.fromarray(smooth()).save(path / "a.png")
    return path


def _done(model, *arguments, **settings):
    """The count, the outcomes and what was said."""
    said = []
    count, outcomes = translate(model, *arguments, log=said.append, **settings)
    return count, list(outcomes), said


def test_results_below_the_input_are_not_translated_again(model, folder):
    assert _done(model, folder, folder / "out")[::2] == (1, [])
    count, _, said = _done(model, folder, folder / "out")
    assert count == 1
    assert said == [
        f"{folder / 'out'} is where the results go, and what it holds already is not translated."
    ]
    assert {path.name for path in folder.rglob("*")} == {"a.png", "out"}
    assert not (folder / "out" / "out").exists()


def test_no_link_makes_a_result_overwrite_an_original(model, folder, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(folder)  # so that sub/a.png would go to a.png
    (folder / "sub").mkdir()
    Image.fromarray(smooth(seed=1)).save(folder / "sub" / "a.png")
    with pytest.raises(InputError, match="overwrite the originals"):
        translate(model, folder, tmp_path / "out")


def test_links_in_circles_and_pipes_are_passed_over(model, folder, tmp_path):
    (folder / "self.png").symlink_to("self.png")
    (folder / "sub").mkdir()
    (folder / "sub" / "up").symlink_to("..")
    os.mkfifo(folder / "pipe.jpg")
    count, outcomes, _ = _done(model, folder, tmp_path / "out")
    assert count == len(outcomes) == 3
    problems = {outcome.input.name: outcome.problem for outcome in outcomes}
    assert problems.pop("a.png") is None
    assert "Too many levels of symbolic links" in problems["self.png"]
    assert "is not a regular file" in problems["pipe.jpg"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.png"]


def test_a_folder_that_may_not_be_read_is_a_problem(model, forbidden_folder, tmp_path):
    with as_nobody():
        count, outcomes = translate(model, forbidden_folder, forbidden_folder / "out")
    assert count == 2
    outcome = next(outcomes)
    assert outcome.problem == f"{forbidden_folder / 'closed'} cannot be read: Permission denied."


def test_files_of_other_names_are_said(model, folder, tmp_path):
    (folder / "b.heic").touch()
    _, _, said = _done(model, folder, tmp_path / "out")
    assert said == [f"1 file is skipped because of its name: {folder / 'b.heic'}."]


def test_each_direction_has_its_own_channels(tmp_path):
    model = Translator({"ab": _negative(1, 3), "ba": _negative(3, 1)}, (None, None, 1))
    Image.fromarray(smooth()).save(tmp_path / "x.png")
    for direction, channels in (("ab", 1), ("ba", 3)):
        _, (outcome,), _ = _done(model, tmp_path / "x.png", tmp_path / "y.png", direction)
        assert outcome.problem is None
        expected = 255 - image_files.read(tmp_path / "x.png", channels)[..., :1]
        mode = "RGB" if direction == "ab" else "L"
        with Image.open(tmp_path / "y.png") as image:
            assert image.mode == mode
        np.testing.assert_array_equal(image_files.read(tmp_path / "y.png", 1), expected)


@pytest.mark.parametrize("shape", [(3, 5), (3, 2), (2, 3)])
def test_networks_of_channels_that_files_have_not(shape, folder, tmp_path):
    model = Translator({"ab": _negative(*shape)}, (None, None, 3))
    with pytest.raises(InputError, match="have 1, 3 or 4 channels"):
        translate(model, folder, tmp_path / "out")


def test_an_image_has_to_fit_into_memory(model, folder, tmp_path):
    path = tmp_path / "large.png"
    Image.new("1", (2000, 1000)).save(path)
    check_fits(path, memory=4e9)  # 2 megapixels at 1.7 kB
    with pytest.raises(
        InputError, match=r"\(2 million\), more than the 1\.76 meg.* fit into 3\.0 GB"
    ):
        check_fits(path, memory=3e9)
    check_fits(path, max_megapixels=2, memory=3e9)
    with pytest.raises(InputError, match=r"more than the 1\.9 megapixels that are allowed"):
        check_fits(path, max_megapixels=1.9, memory=1e12)
    Image.new("1", (4001, 3000)).save(path)
    with pytest.raises(InputError, match="more than the 12 megapixels that are allowed"):
        check_fits(path)
    check_fits(path, max_megapixels=math.inf)


def test_free_memory_is_part_of_this_machine_s():
    assert 0 < _free_memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("most", [-1, 0, math.nan])
def test_limits_that_are_none(most, model, folder, tmp_path):
    with pytest.raises(InputError, match=f"must be above 0. Received: {most}"):
        translate(model, folder, tmp_path / "out", max_megapixels=most)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder that nobody can write to")
def test_a_place_that_cannot_be_written_to_ends_it(model, folder):
    _, outcomes = translate(model, folder / "a.png", "/proc/x/o.png")
    with pytest.raises(InputError, match="/proc/x cannot be made"):
        list(outcomes)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_of_an_animation_only_the_first_frame_is_translated_which_is_said(suffix, model, tmp_path):
    frames = [Image.new("RGB", (8, 6), color) for color in ("red", "blue")]
    path = tmp_path / f"x.{suffix}"
    settings = {"lossless": True} if suffix == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **settings)
    _, (outcome,), _ = _done(model, path, tmp_path / "out")
    assert outcome.problem is None
    assert outcome.note == f"{path} has several frames, of which the first is translated."
    np.testing.assert_allclose(image_files.read(outcome.output)[0, 0], [0, 255, 255], atol=2)
    frames[0].save(path)
    _, (outcome,), _ = _done(model, path, tmp_path / "out")
    assert outcome.note is None


def test_jpegs_are_written_in_quality_95(model, folder, tmp_path):
    translated = Image.fromarray(255 - smooth())
    translated.save(tmp_path / "expected.jpg", quality=95)
    _done(model, folder / "a.png", tmp_path / "x.jpg")
    with Image.open(tmp_path / "x.jpg") as written, Image.open(tmp_path / "expected.jpg") as other:
        assert written.quantization == other.quantization
