"""The demo from end to end: a short run, and a slow one that has learned something."""

import json
import shutil

import pytest
from PIL import Image

from cyclegan_tf.experiments.demo import demo

SMALL = {"base_filters": 4, "blocks": 1, "epochs": 1, "steps_per_epoch": 2}


def _check(out, scores):
    assert json.loads((out / "scores.json").read_text()) == scores
    for name in ("photo_to_labels", "untrained", "copy"):
        assert set(scores[name]) == {"per_pixel", "per_class", "iou"}
    assert scores["train_seconds"] > 0
    assert set(scores["grain"]) == {"label_maps", "photographs", "real_photographs"}
    assert f"{scores['grain']['label_maps']:.1f} in translated label maps" in (
        out / "index.html"
    ).read_text(encoding="utf-8")
    assert len(scores["export_difference"]) == 4
    assert max(scores["export_difference"].values()) < 1e-3
    page = (out / "index.html").read_text()
    assert f"{scores['photo_to_labels']['per_pixel']:.3f}" in page
    assert "contact_sheet.png" in page
    for name in ("contact_sheet.png", "examples/label_map.png", "examples/photograph.png"):
        with Image.open(out / name) as image:
            image.load()


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    """The folder of a short demo, its scores, and what it said."""
    out, lines = tmp_path_factory.mktemp("short") / "demo", []
    return out, demo(out, log=lines.append, **SMALL), lines


def _repeated(short, tmp_path, **options):
    """The scores of another demo in the folder of a short one, which has notes of its owner."""
    out = shutil.copytree(short[0], tmp_path / "demo")
    (out / "notes.txt").write_text("mine")
    scores = demo(out, log=lambda line: None, **options)
    assert [p.name for p in (out / "export/generator_ab").iterdir()] == ["1"]
    assert (out / "notes.txt").read_text() == "mine"
    _check(out, scores)
    return scores


def test_a_short_demo_writes_everything(short):
    out, scores, lines = short
    assert [p.name for p in (out / "export/generator_ab").iterdir()] == ["1"]
    _check(out, scores)
    assert any("per_pixel" in line for line in lines)
    # A photograph is no label map: what it scores by chance is what copying scores.
    assert scores["copy"]["per_pixel"] < 0.6


@pytest.mark.twin
def test_a_demo_can_be_repeated(short, tmp_path):
    _repeated(short, tmp_path, **SMALL)


@pytest.mark.slow
def test_an_eighth_of_the_demo_tells_the_classes_apart(short, tmp_path):
    scores = _repeated(short, tmp_path, epochs=3, ema_momentum=0.98)
    trained = scores["photo_to_labels"]
    assert trained["per_pixel"] > max(0.65, scores["copy"]["per_pixel"] + 0.2)
    assert trained["iou"] > scores["untrained"]["iou"] + 0.2
