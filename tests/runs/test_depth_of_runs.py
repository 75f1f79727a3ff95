"""Runs on images of any depth: the ranges of the training are those of its translations."""

import json

import numpy as np
import pytest
from depth import png_of_16_bits
from PIL import Image

from cyclegan_tf import InputError, load
from cyclegan_tf.intensity_range import ValueRange
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.options import options_of, resolve
from cyclegan_tf.runs.ranges import ranges_for
from cyclegan_tf.runs.sources import sources_of, with_measured_ranges
from cyclegan_tf.runs.train import train
from cyclegan_tf.translation.image_folders import translate

RANDOM = np.random.default_rng(0)
TINY_UNIT = {
    "system": "unit",
    "image_size": 16,
    "base_filters": 4,
    "blocks": 1,
    "strided_layers": 1,
    "epochs": 1,
    "steps_per_epoch": 1,
    "evaluate_every": 1,
    "precision": "float32",
    "channels": 2,
    "channels_b": 1,
    "value_range": "0%:100%",
    "value_range_b": "0:4095",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two channels of floats, and gray PNG of 12 bits in 16."""
    root = tmp_path_factory.mktemp("depth")
    for split, scale in (("train", 1), ("test", 3)):
        (root / f"{split}A").mkdir()
        (root / f"{split}B").mkdir()
        for number in range(2):
            floats = scale * RANDOM.uniform(-1, 1, (20, 20, 2)) * [1, 1000]
            np.save(root / f"{split}A" / f"{number}.npy", np.float32(floats))
            gray = RANDOM.integers(0, 4096, (20, 20), dtype=np.uint16)
            Image.fromarray(gray).save(root / f"{split}B" / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    train(resolve(folder, **TINY_UNIT), out, verbose=0, log=lambda line: None)
    return out


def _training_images(folder):
    return np.stack([np.load(path) for path in sorted((folder / "trainA").iterdir())])


def test_a_run_keeps_the_range_of_its_training(folder, run):
    lowest, highest = (
        each(_training_images(folder), axis=(0, 1, 2)).tolist() for each in (np.min, np.max)
    )
    kept = json.loads((run / "options.json").read_text())["data"]["measured_ranges"]
    assert kept == {
        "a": {"low": lowest, "high": highest, "dtype": "float32"},
        "b": {"low": [0.0], "high": [4095.0], "dtype": "uint16"},
    }
    model = load(run)
    there, back = (ranges_for(run, model, direction) for direction in ("ab", "ba"))
    assert there.inputs == back.outputs == ValueRange(tuple(lowest), tuple(highest))
    assert there.outputs == back.inputs == ValueRange((0.0,), (4095.0,))
    assert (there.dtype, back.dtype) == (np.uint16, np.float32)


def test_held_out_images_have_the_range_of_the_training(folder, run):
    low, high = _training_images(folder).min((0, 1, 2)), _training_images(folder).max((0, 1, 2))
    options = options_of(run).changed(preprocess="none")
    images = held_out(options).images["a"]
    values = np.stack([np.load(path) for path in sorted((folder / "testA").iterdir())])
    expected = 255 * (values.clip(low, high) - low) / (high - low)  # most are outside
    np.testing.assert_allclose(images, expected, atol=0.51)


def test_translations_have_the_values_of_the_other_domain(folder, run, tmp_path):
    model = load(run)
    source = folder / "testA" / "0.npy"
    _, outcomes = translate(
        model, source, tmp_path / "0.png", "ab", ranges=ranges_for(run, model, "ab")
    )
    (outcome,) = outcomes
    assert outcome.problem is None
    assert "and were clipped" in outcome.note
    options = options_of(run)
    low, high = (np.float32(options.data.measured_ranges["a"][end]) for end in ("low", "high"))
    unit = 2 * (np.load(source).clip(low, high) - low) / (high - low) - 1
    expected = (model.translate(unit, "ab") + 1) / 2 * 4095
    assert expected.max() > 255
    np.testing.assert_allclose(png_of_16_bits(tmp_path / "0.png"), expected, atol=0.6)


def test_what_is_asked_for_comes_before_the_run(run):
    model = load(run)
    asked = ranges_for(run, model, "ab", "-5:5", "0:100")
    assert (asked.inputs, asked.outputs) == (ValueRange((-5,), (5,)), ValueRange((0,), (100,)))
    with pytest.raises(InputError, match=r"give --output-range LOW:HIGH\. Received: '1%:99%'"):
        ranges_for(run, model, "ab", None, "1%:99%")


def test_a_run_resumes_with_its_range_whatever_is_added(folder, run):
    options = options_of(run)
    np.save(folder / "trainA" / "9.npy", np.full((20, 20, 2), 1e6, np.float32))
    try:
        sources = sources_of(options)
        assert with_measured_ranges(options, sources) == options
        assert sources[0].depth.record()["high"] == options.data.measured_ranges["a"]["high"]
    finally:
        (folder / "trainA" / "9.npy").unlink()


def test_a_system_of_one_shape_says_so(folder, tmp_path):
    options = resolve(folder, **{**TINY_UNIT, "system": "cyclegan"})
    with pytest.raises(InputError, match=r"images of both domains of one shape|one number of"):
        train(options, tmp_path / "run", verbose=0, log=lambda line: None)


def test_options_of_ranges_are_checked():
    with pytest.raises(InputError, match=r"A range of values is LOW:HIGH.* Received: '5'"):
        resolve("folder", value_range="5")
    with pytest.raises(InputError, match=r"and neither preprocess.*nor value_range"):
        resolve("scenes", value_range="0:1")


def test_8_bits_leave_no_ranges(tmp_path):
    for domain in "AB":
        (tmp_path / f"train{domain}").mkdir()
        Image.new("RGB", (8, 8)).save(tmp_path / f"train{domain}" / "1.png")
    options = resolve(tmp_path)
    assert with_measured_ranges(options, sources_of(options)) == options
