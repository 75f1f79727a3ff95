"""The benchmark that trains the published code beside ours.

CYCLEGAN_TF_PUBLISHED=FOLDER names a clone of the published code, with which it is run too.
"""

import importlib
import json
import os
import pathlib
import sys

import numpy as np
import pytest
import torch_networks

from cyclegan_tf import Classes, HeldOut, Translator, data, evaluate, torch_weights
from cyclegan_tf.data.scenes import COLORS
from cyclegan_tf.errors import InputError

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(FOLDER))
machines, published, published_code, report = map(
    importlib.import_module, ("machines", "published", "published_code", "report")
)

CHECKOUT = os.environ.get("CYCLEGAN_TF_PUBLISHED")
BENCHMARK = "published 64px 32 filters 600 steps"


def record(cells, way, seed, per_pixel, **others):
    """A cell as a run leaves it."""
    scores = dict.fromkeys(published.SCORES.values(), 0.5)
    path = cells / BENCHMARK / f"{way}, seed {seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**scores, "per pixel": per_pixel, "seconds": 0.25, **others}))
    return path


@pytest.fixture
def cells(tmp_path):
    """Two seeds of both ways."""
    folder = tmp_path / "cells"
    record(folder, published.PUBLISHED, 0, 0.8, checkout="b3ac297")
    record(folder, published.PUBLISHED, 1, 0.9, checkout="b3ac297")
    record(folder, published.OURS, 0, 0.875)
    record(folder, published.OURS, 1, 0.881)
    return folder


def run(cells, *arguments):
    published.main(["--steps", "600", "--seeds", "0", "1", "--cells", str(cells), *arguments])


def test_without_a_checkout_it_says_what_to_clone(tmp_path):
    with pytest.raises(InputError, match=r"git clone https://github\.com/\S+, and give its folder"):
        run(tmp_path)


def test_another_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"is no checkout .* models/cycle_gan_model\.py"):
        run(tmp_path, "--checkout", str(tmp_path))


def test_what_was_measured_is_not_measured_again(cells, tmp_path, capsys):
    """Nor is a checkout needed then."""
    run(cells, "--results", str(tmp_path / "results"), "--json", str(tmp_path / "rows"))
    rows = {row["way"]: row for row in json.loads((tmp_path / "rows").read_text())}
    assert list(rows) == [
        "published code",
        "ours",
        "published code, seed 0",
        "published code, seed 1",
        "ours, seed 0",
        "ours, seed 1",
    ]
    # The sample deviation of two values is their difference over the root of two.
    assert rows["published code"]["per pixel"] == "0.850 ± 0.071"
    assert rows["ours"]["per pixel"] == "0.878 ± 0.004"
    assert rows["ours, seed 1"]["per pixel"] == 0.881
    table = report.table("published", machines.load(tmp_path / "results"))
    assert "| photo → labels, per pixel: ours | 0.878 ± 0.004 |" in table


def test_a_missing_seed_is_not_left_out(cells):
    (cells / BENCHMARK / "published code, seed 1.json").unlink()
    with pytest.raises(InputError, match="git clone"):
        run(cells)


def test_without_features_there_is_no_column_of_them(cells, tmp_path):
    for path in (cells / BENCHMARK).iterdir():
        cell = json.loads(path.read_text())
        del cell["kernel distance"]
        path.write_text(json.dumps(cell))
    run(cells, "--json", str(tmp_path / "rows"))
    assert "kernel distance" not in json.loads((tmp_path / "rows").read_text())[0]


def test_seeds_of_two_versions_are_not_mixed(cells, tmp_path):
    for name in published_code._FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    with pytest.raises(InputError, match=r"measured with commit b3ac297 .* --cells"):
        run(cells, "--checkout", str(tmp_path))


def test_pytorch_generators_are_scored_as_ours_of_the_same_weights(tmp_path):
    pytest.importorskip("torch")
    modules = torch_networks.write_checkpoints(tmp_path / "run")
    names = {"ab": "G_A", "ba": "G_B"}
    theirs = published_code.TorchTranslator({way: modules[name] for way, name in names.items()})
    ours = Translator(
        {
            way: torch_weights.load_generator(tmp_path / "run" / f"latest_net_{name}.pth")
            for way, name in names.items()
        },
        (32, 32, 3),
    )
    maps, photographs, classes = data.scene_pairs(4, 32)
    assert np.abs(theirs.translate(maps, "ab").astype(int) - ours.translate(maps, "ab")).max() <= 1
    images = HeldOut({"a": maps, "b": photographs}, True, Classes(classes, COLORS, "a"))
    found, expected = (
        evaluate(model, images, measures=["per_pixel", "cycle_error"]).scores
        for model in (theirs, ours)
    )
    assert found["ba"]["per_pixel"] == pytest.approx(expected["ba"]["per_pixel"], abs=2e-3)
    assert found["ab"]["cycle_error"] == pytest.approx(expected["ab"]["cycle_error"], abs=0.05)


@pytest.mark.slow
@pytest.mark.skipif(not CHECKOUT, reason="CYCLEGAN_TF_PUBLISHED names no clone")
def test_both_are_trained(tmp_path):
    small = ["--steps", "12", "--size", "32", "--filters", "4", "--seeds", "0"]
    arguments = [*small, "--cells", str(tmp_path / "cells"), "--json", str(tmp_path / "rows")]
    published.main([*arguments, "--checkout", CHECKOUT])
    rows = json.loads((tmp_path / "rows").read_text())
    assert [row["way"] for row in rows[2:]] == ["published code, seed 0", "ours, seed 0"]
    assert all(0 <= row[column] <= 1 for row in rows[2:] for column in ("per pixel", "IoU"))
    published.main(arguments)  # it goes without the clone now
    assert json.loads((tmp_path / "rows").read_text()) == rows
