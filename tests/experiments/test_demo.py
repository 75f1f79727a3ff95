"""The demo from end to end: a short run, and a slow one that has learned something."""

import json

import pytest
from PIL import Image

from cyclegan_tf.experiments.demo import demo


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


def test_a_short_demo_writes_everything_and_can_be_repeated(tmp_path):
    small = {"base_filters": 4, "blocks": 1, "epochs": 1, "steps_per_epoch": 2}
    for _ in range(2):
        lines = []
        scores = demo(tmp_path / "demo", log=lines.append, **small)
        (tmp_path / "demo" / "notes.txt").write_text("mine")
    assert [p.name for p in (tmp_path / "demo/export/generator_ab").iterdir()] == ["1"]
    assert (tmp_path / "demo" / "notes.txt").read_text() == "mine"
    _check(tmp_path / "demo", scores)
    assert any("per_pixel" in line for line in lines)
    # A photograph is no label map: what it scores by chance is what copying scores.
    assert scores["copy"]["per_pixel"] < 0.6


@pytest.mark.slow
def test_an_eighth_of_the_demo_tells_the_classes_apart(tmp_path):
    scores = demo(tmp_path / "demo", epochs=3, ema_momentum=0.98)
    _check(tmp_path / "demo", scores)
    trained = scores["photo_to_labels"]
    assert trained["per_pixel"] > max(0.65, scores["copy"]["per_pixel"] + 0.2)
    assert trained["iou"] > scores["untrained"]["iou"] + 0.2
