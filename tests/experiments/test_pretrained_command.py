"""The command that makes the translators of the package, in small."""

import json

import pytest
from PIL import Image

from cyclegan_tf.experiments.pretrained import make
from cyclegan_tf.runs.load import load

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


def test_a_translator_is_made_with_its_card_and_the_files_it_quotes(tmp_path):
    lines = []
    measures = ["psnr", "per_pixel", "iou"]
    arguments = {"count": 4, "measures": measures, "log": lines.append, **SMALL}
    scores = make("scenes", tmp_path / "runs", tmp_path / "out", **arguments)
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
