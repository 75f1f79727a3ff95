"""The model card beside exports: what it says stands in the run's files, or is called unknown."""

import json
import re

import numpy as np
import pytest
import yaml
from PIL import Image
from tiny import smooth, tiny_model

from cyclegan_tf import resnet_generator
from cyclegan_tf.exporting.card import write_card
from cyclegan_tf.exporting.export import export
from cyclegan_tf.runs.evaluate_files import evaluate_files
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.translation.translator import Translator

MACHINE = {
    "processor": "An Own Processor",
    "cores": 3,
    "bfloat16": [],
    "devices": ["CPU"],
    "precision": "float32",
    "images": {"a": 1234, "b": 77},
    "seconds": 3900.0,
    "steps": 6,
    "epochs": [
        {"epoch": 1, "seconds": 1900.0, "steps": 3},
        {"epoch": 2, "seconds": 2000, "steps": 3},
    ],
}


def _run(folder, source, **changes):
    """A run as training leaves it, of two epochs, but for the training."""
    folder.mkdir(parents=True)
    options = resolve(source, epochs=3, base_filters=4, blocks=1, seed=5, **changes)
    (folder / "options.json").write_text(options.as_json())
    (folder / "machine.json").write_text(json.dumps(MACHINE))
    (folder / "log.csv").write_text("epoch,d_a\n0,0.5\n1,0.4\n")
    model = tiny_model(compiled=False)
    model.save(folder / "model.keras")
    return model


@pytest.fixture(scope="module")
def scored(tmp_path_factory):
    """A run on scenes with an evaluation and those of its epochs; its scores; and its card."""
    folder = tmp_path_factory.mktemp("runs") / "scenes"
    model = _run(folder, "scenes", image_size=32)
    measures = ["psnr", "per_pixel", "iou", "edge_agreement"]
    evaluate_files(folder, count=4, measures=measures, log=lambda line: None)
    scores = json.loads((folder / "evaluation" / "scores.json").read_text())
    epochs = [
        {"epoch": n, "seconds": 1.0, "directions": {d: _epoch(n) for d in ("ab", "ba")}}
        for n in (1, 2)
    ]
    of_copies = {d: {"copy": {"psnr": 7.125}} for d in ("ab", "ba")}
    content = {
        "best": 1,
        "epochs": epochs,
        "measures": {"psnr": {"best": "high", "meaning": ""}},
        "baselines": of_copies,
        "protocol": {"images": {"a": {"count": 9}, "b": {"count": 8}}},
        "verdict": {"sentence": "Too early: <no> failure shows."},
    }
    (folder / "evaluations.json").write_text(json.dumps(content))
    export(model, folder / "out", ("ba",), kinds=("keras",), run=folder)
    return folder, scores, (folder / "out" / "README.md").read_text()


def _epoch(number):
    return {"scores": {"psnr": 10 + number / 8}, "standard_errors": {}, "alarms": []}


def _head(text):
    """The front matter of a card, and the rest by heading."""
    _, head, body = text.split("---\n", 2)
    sections = re.split(r"^#+ (.+)\n", body, flags=re.MULTILINE)
    return yaml.safe_load(head), dict(zip(sections[1::2], sections[2::2]))


def _table(section):
    """The cells of a table by the name of the row and that of the column, as they are shown."""
    heads, _, *rows = (
        [re.sub(r"\\(.)", r"\1", cell.strip()) for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    )
    return {row[0]: dict(zip(heads[1:], row[1:])) for row in rows}


def test_the_head_is_what_model_hubs_read(scored):
    head, sections = _head(scored[-1])
    assert head == {
        "license": "unknown",
        "library_name": "keras",
        "pipeline_tag": "image-to-image",
        "tags": ["image-to-image", "cyclegan_tf", "cyclegan", "unpaired"],
    }
    needed = {
        "What it translates",
        "How to use it",
        "Data",
        "Recipe",
        "Scores",
        "Limits",
        "License",
    }
    assert needed <= sections.keys()
    assert next(iter(sections)) == "Photographs (B) → label maps (A)"  # one direction was exported


def test_the_numbers_of_a_card_are_those_of_the_files(scored):
    _, scores, text = scored
    sections = _head(text)[1]
    for direction, title in (
        ("ab", "label maps (A) → photographs (B)"),
        ("ba", "photographs (B) → label maps (A)"),
    ):
        found, table = scores[direction], _table(sections[title])
        assert table.keys() == found["scores"].keys()
        for measure, cells in table.items():
            expected = {"model": found["scores"][measure]}
            expected |= {name: of.get(measure) for name, of in found["baselines"].items()}
            for column, value in expected.items():
                shown = cells[column]
                assert shown == "–" if value is None else float(shown) == pytest.approx(value, 1e-3)
        epochs = _table(sections[f"Epochs, {title}"])
        assert epochs["psnr"] == {
            "last evaluated: epoch 2": "10.25",
            "best: epoch 1": "10.12",
            "copy": "7.125",
            "good is": "high",
        }
    assert "4 of A with 32 × 32 pixels and 4 of B" in sections["Scores"]
    assert "9 of A and 8 of B" in text
    assert r"Too early: \<no\> failure shows." in text


def test_the_recipe_is_that_of_the_run(scored):
    recipe = _head(scored[-1])[1]["Recipe"]
    for fact in (
        "cyclegan, Zhu et al. 2017",
        r"base\_filters 4, blocks 1",
        "2 of 3 done, 6 steps",
        "of the last epoch, 2",
        "Seed: 5",
        "1 h 5 min of training",
        "An Own Processor, 3 cores, without bfloat16",
    ):
        assert fact in recipe


def test_what_a_copy_does_better_is_among_the_limits(scored):
    _, scores, text = scored
    sections = _head(text)[1]
    better = {
        name
        for name in ("psnr", "per_pixel", "iou")
        if name in scores["ba"]["scores"]
        if scores["ba"]["baselines"]["copy"][name] >= scores["ba"]["scores"][name]
    }
    assert better  # it was not trained
    (line,) = re.findall("`ba`: (.*)", sections["Limits"])
    of_copy = re.search("by ([^;]*) the input itself", line)[1].replace("\\", "")
    assert set(of_copy.split(", ")) == better


def test_the_users_own_images_are_named_and_not_where_they_lie(tmp_path):
    for name in ("horses", "zebras_&_<co>"):
        (tmp_path / "secret" / name).mkdir(parents=True)
    folders = (tmp_path / "secret" / "horses", tmp_path / "secret" / "zebras_&_<co>")
    model = _run(tmp_path / "run", folders[0], domain_b=folders[1])
    path = write_card(tmp_path, model, {}, tmp_path / "run")
    head, sections = _head(path.read_text())
    assert "secret" not in path.read_text()
    assert head["license"] == "unknown"
    assert "1,234 images of A and 77 of B" in sections["Data"]
    assert r"horses and zebras\_&\_\<co\>" in sections["Data"]
    assert sections["License"].count("not known to this package, fill in") == 2
    assert "It was not scored" in sections["Scores"]


def test_a_model_of_no_run_is_called_unknown(tmp_path):
    path = write_card(tmp_path, tiny_model(compiled=False), {("keras", "ab"): tmp_path / "a.keras"})
    _, sections = _head(path.read_text())
    assert "is not known" in sections["Data"]
    assert "is not known" in sections["Recipe"]
    assert "It was not scored" in sections["Scores"]


def test_scores_of_other_weights_are_not_taken(scored, tmp_path):
    """Of a run that went on after it was evaluated, and of other files of the run."""
    folder, _, text = scored
    own = "by `cyclegan-tf evaluate`. Images"
    assert own in text
    model = load(folder)
    kept = folder / "epochs" / "epoch_0001.keras"
    kept.parent.mkdir()
    for file in (folder / "best.keras", kept):
        model.save(file)
        card = write_card(tmp_path, model, {}, file).read_text()
        assert own not in card
        assert ("of the best epoch, 1" if file != kept else "of epoch 1") in card
    tiny_model(compiled=False).save(folder / "model.keras")
    assert own not in write_card(tmp_path, model, {}, folder).read_text()


def test_a_card_that_somebody_edited_is_kept(tmp_path):
    model, lines = tiny_model(compiled=False), []
    path = write_card(tmp_path, model, {}, log=lines.append)
    assert write_card(tmp_path, model, {}, log=lines.append) == path
    assert not lines
    edited = path.read_text().replace("fill in", "CC0")
    path.write_text(edited)
    for _ in range(2):
        new = write_card(tmp_path, model, {}, log=lines.append)
        assert (new.name, path.read_text()) == ("README.new.md", edited)
        assert "README.md is not as export wrote it and is kept" in lines.pop()


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("channels", "kinds"),
    [
        (1, ("keras",)),
        pytest.param(3, ("keras", "tflite"), marks=pytest.mark.twin),
        pytest.param(3, ("keras", "saved_model", "tflite", "onnx"), marks=pytest.mark.slow),
    ],
)
def test_the_python_of_a_card_translates_as_the_model_does(channels, kinds, tmp_path, monkeypatch):
    for module in ("tf2onnx", "onnxruntime", "ai_edge_litert"):
        pytest.importorskip(module)
    generator = resnet_generator((None, None, channels), base_filters=2, blocks=1, seed=0)
    model = Translator({"ba": generator}, (24, 24, channels))
    export(model, tmp_path, kinds=kinds, **({"report": False} if "tflite" in kinds else {}))
    image = smooth(24, 24)[..., :channels]
    Image.fromarray(image[..., 0] if channels == 1 else image).save(tmp_path / "image.png")
    codes = re.findall(r"```python\n(.*?)```", (tmp_path / "README.md").read_text(), re.DOTALL)
    assert len(codes) == len(kinds)
    monkeypatch.chdir(tmp_path)
    for code in codes:
        lines = [line for line in code.splitlines() if line and "import " not in line]
        assert len(lines) <= 4
        exec(code, {})
        with Image.open("translated.png") as translated:
            found = np.asarray(translated).reshape(image.shape)
        expected = model.translate(image, "ba")
        assert np.abs(found.astype(int) - expected).max() <= 1, code
        (tmp_path / "translated.png").unlink()
