"""The translators that come with the package: whole, small, as good as their cards say."""

import json

import numpy as np
import pytest
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError
from cyclegan_tf.experiments.pretrained import LARGEST, OPTIONS
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import options_of, resolve
from cyclegan_tf.runs.pretrained import FOLDER
from cyclegan_tf.runs.scored_images import digest_of

each_name = pytest.mark.parametrize("name", ["earth", "scenes"])


def test_there_are_no_others():
    assert (
        sorted(path.name for path in FOLDER.glob("[!.]*")) == ["earth", "scenes"] == sorted(OPTIONS)
    )


@each_name
def test_they_translate_both_ways_by_weights_of_half_the_size(name):
    model = load(f"pretrained:{name}")
    assert model.image_shape == (*[options_of(FOLDER / name).data.crop_size] * 2, 3)
    image = smooth(31, 42)
    for direction in ("ab", "ba"):
        translated = model.translate(image, direction)
        assert translated.shape == image.shape
        assert translated.std() > 5  # not of one color
        for weight in model.generators[direction].get_weights():
            assert weight.dtype == np.float32
            np.testing.assert_array_equal(weight, weight.astype(np.float16))
    assert not np.array_equal(model.translate(image, "ab"), model.translate(image, "ba"))


@each_name
def test_the_files_are_those_that_were_scored_and_small(name):
    folder = FOLDER / name
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) <= LARGEST
    scores = json.loads((folder / "evaluation" / "scores.json").read_text())
    assert scores["protocol"]["model_sha256"] == digest_of(folder)
    card = (folder / "README.md").read_text()
    assert f'cyclegan_tf.load("pretrained:{name}")' in card
    assert 'license: "apache-2.0"' in card
    for direction in ("ab", "ba"):
        for measure, value in scores[direction]["scores"].items():
            escaped = measure.replace("_", r"\_")
            assert f"| {escaped} | {value:.4g} " in card
    assert not any(scores[direction]["alarms"] for direction in ("ab", "ba"))


@each_name
def test_the_options_are_those_that_the_command_would_take(name):
    expected, own = resolve(name, **OPTIONS[name]), options_of(FOLDER / name)
    assert own.changed(precision="auto") == expected


def test_translations_of_scenes_are_as_good_as_recorded():
    from cyclegan_tf.data import scene_pairs
    from cyclegan_tf.data.scenes import COLORS
    from cyclegan_tf.metrics import nearest_class

    scores = json.loads((FOLDER / "scenes" / "evaluation" / "scores.json").read_text())
    _, photographs, classes = scene_pairs(8, 64)
    found = nearest_class(load("pretrained:scenes").translate(photographs, "ba"), COLORS)
    # The first 8 of the 100 that were scored.
    assert (found == classes).mean() == pytest.approx(scores["ba"]["scores"]["per_pixel"], abs=0.05)


def test_an_unknown_name_gets_a_sentence_with_those_that_exist():
    with pytest.raises(InputError) as caught:
        load("pretrained:horses")
    assert str(caught.value) == (
        "pretrained:horses is not in this package, which has pretrained:earth and "
        "pretrained:scenes."
    )


def test_the_command_line_takes_the_names(here, tmp_path):
    Image.fromarray(smooth(32, 32)).save(tmp_path / "image.png")
    ended = here(
        "translate", "pretrained:scenes", tmp_path / "image.png", tmp_path / "out.png",
        "--direction", "ba",
    )  # fmt: skip
    assert ended.status == 0, ended.errors
    with Image.open(tmp_path / "out.png") as image:
        expected = load("pretrained:scenes").translate(smooth(32, 32), "ba")
        np.testing.assert_array_equal(np.asarray(image), expected)
    assert "say by --out where" in here("evaluate", "pretrained:scenes").refused()
    arguments = ["--count", 4, "--metrics", "psnr", "--direction", "ba", "--out", tmp_path / "s"]
    ended = here("evaluate", "pretrained:scenes", *arguments)
    assert ended.status == 0, ended.errors
    assert "4 images of A and 4 of B from scenes, paired, 64 x 64 pixels" in ended.output
    ended = here("export", "pretrained:scenes", tmp_path / "export", "--keras")
    assert ended.status == 0, ended.errors
    card = (tmp_path / "export" / "README.md").read_text()
    assert 'license: "apache-2.0"' in card
    assert "24 of 24 done" in card
