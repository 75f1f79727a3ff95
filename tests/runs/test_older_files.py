"""Files written when all modules lay side by side: a run, its checkpoint, its model.

`tests/fixtures/run_of_0_1_0` was written by `cyclegan-tf train scenes --preset demo --image-size 24
--base-filters 2 --blocks 1 --strided-layers 1 --pool-size 2 --fine-discriminators none --epochs 2
--steps-per-epoch 3 --precision float32`; `translated.npz` holds what its model made of an image.
"""

import csv
import pathlib
import shutil

import keras
import numpy as np
import pytest

from cyclegan_tf.exporting.export import export
from cyclegan_tf.exporting.tflite.interpreter import translated
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import options_of, resolve
from cyclegan_tf.runs.train import train

RUN = pathlib.Path(__file__).parents[1] / "fixtures" / "run_of_0_1_0"
SETTINGS = {
    "crop_size": 24,
    "base_filters": 2,
    "blocks": 1,
    "strided_layers": 1,
    "pool_size": 2,
    "fine_discriminators": "none",
    "steps_per_epoch": 3,
    "precision": "float32",
}


@pytest.fixture
def run(tmp_path):
    return shutil.copytree(RUN, tmp_path / "run")


def _image():
    return np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)


def test_a_model_translates_as_it_did(run):
    expected = np.load(run / "translated.npz")
    for model in (load(run), keras.saving.load_model(run / "model.keras")):
        for direction in ("ab", "ba"):
            made = model.translate(_image(), direction).astype(int)
            assert np.abs(made - expected[direction]).max() <= 1  # rounded on another processor


def test_a_run_resumes_by_the_same_options(run):
    options = resolve("scenes", preset="demo", epochs=3, **SETTINGS)
    lines = []
    with pytest.warns(UserWarning, match="of an earlier version of this package"):
        model = train(options, run, verbose=0, log=lines.append)
    assert any("in epoch 3" in line for line in lines)
    assert int(model.generator_optimizer.iterations) == 9
    with open(run / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(RUN / "log.csv", newline="") as file:
        assert rows[:2] == list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert options_of(run) == options


def test_a_run_exports(run, tmp_path):
    model = load(run)
    written = export(model, tmp_path / "out", ("ab",), kinds=("tflite",), run=run, log=print)
    image = np.float32(_image()[np.newaxis] / 127.5 - 1)
    difference = translated(written["tflite", "ab"], image) - model.translate(image)
    assert np.abs(difference).max() < 1e-4
