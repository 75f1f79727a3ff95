"""The command that makes the translators of the package, in small."""

import json

import pytest
from PIL import Image
from tiny import tiny_model

from cyclegan_tf.experiments.pretrained import make, pack
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import resolve

SMALL = {
    "base_filters": 4,
    "blocks": 1,
    "image_size": 24,
    "epochs": 1,
    "steps_per_epoch": 2,
    "evaluate_every": 0,
    # Without discriminators there is less to trace.
    "lambda_adversarial": 0.0,
    "fine_discriminators": "none",
    "precision": "float32",
}


@pytest.mark.slow
def test_a_translator_is_trained_and_made(tmp_path):
    scores, lines = _made(make, tmp_path / "runs", tmp_path, **SMALL)
    _check(tmp_path, scores, lines)
    assert (tmp_path / "runs" / "scenes" / "model.keras").exists()


@pytest.mark.twin
def test_a_translator_is_made_of_a_run(tmp_path):
    run = tmp_path / "runs" / "scenes"
    run.mkdir(parents=True)
    (run / "options.json").write_text(resolve("scenes", **SMALL).as_json())
    (run / "machine.json").write_text("{}")
    tiny_model(compiled=False).save(run / "model.keras")
    _check(tmp_path, *_made(pack, run, tmp_path))


def _made(make_or_pack, run, out, **arguments):
    """The scores of a translator, and what was said."""
    lines = []
    arguments |= {"count": 4, "measures": ["psnr", "per_pixel", "iou"], "log": lines.append}
    return make_or_pack("scenes", run, out / "out", **arguments), lines


def _check(tmp_path, scores, lines):
    folder = tmp_path / "out" / "scenes"
    assert {path.name for path in folder.iterdir()} == {
        "README.md",
        "evaluation",
        "generator_ab.keras",
        "generator_ba.keras",
        "machine.json",
        "options.json",
    }
    written = json.loads((folder / "evaluation" / "scores.json").read_text())
    for direction in ("ab", "ba"):
        assert written[direction]["scores"] == scores["stored"][direction]
        # What rounding the weights costs.
        assert scores["stored"][direction]["psnr"] == pytest.approx(
            scores["run"][direction]["psnr"], abs=0.05
        )
    assert load(folder).generators.keys() == {"ab", "ba"}
    with Image.open(tmp_path / "runs" / "scenes" / "sheet.png") as image:
        image.load()
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert any(f"{size:,} bytes" in line for line in lines)
