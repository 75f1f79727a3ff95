"""Trainings of a study are scored as by hand; folders, settings and bad input."""

import json

import numpy as np
import pytest
from PIL import Image

import cyclegan_tf
from cyclegan_tf import InputError, data, metrics
from cyclegan_tf.choices import STUDIES
from cyclegan_tf.data.scenes import COLORS
from cyclegan_tf.experiments.labeled_source import labeled_source
from cyclegan_tf.experiments.reproduce import reproduce, study_of
from cyclegan_tf.experiments.training_cell import EPOCHS, TrainingCell
from cyclegan_tf.experiments.translation_tables import Setting
from cyclegan_tf.runs.options import options_of

SIZE, TEST = 32, 5
OF_LABELS = [name for name in STUDIES if name != "style"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Photographs (A) and label maps (B) of scenes, as files."""
    root = tmp_path_factory.mktemp("streets")
    for split, count in (("train", 8), ("test", TEST)):
        maps, photographs, _ = data.scene_pairs(count, SIZE, split=split)
        for domain, images in (("A", photographs), ("B", maps)):
            (root / f"{split}{domain}").mkdir()
            for number, image in enumerate(images):
                Image.fromarray(image).save(root / f"{split}{domain}" / f"{number}.png")
    colors = {str(number): color.tolist() for number, color in enumerate(COLORS)}
    (root / "classes.json").write_text(json.dumps(colors))
    return root


def test_a_training_is_scored_as_by_hand(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("CYCLEGAN_TF_CACHE", str(tmp_path / "cache"))
    images = labeled_source(folder, SIZE)
    assert images.domain_of_maps == "b"
    options = {"base_filters": 4, "blocks": 1, "strided_layers": 1}
    cell = TrainingCell("one", images, "cyclegan", 3, EPOCHS, options, evaluations=0)
    said = []
    result = cell.run(tmp_path, said.append)
    assert result["cost"]["steps"] == result["cost"]["images"] == EPOCHS
    assert options_of(tmp_path / "run").training.seed == 3

    model = cyclegan_tf.load(tmp_path / "run")
    assert result["cost"]["parameters"] == sum(
        sum(int(np.prod(weight.shape)) for weight in network.trainable_variables)
        for network in model.networks.values()
    )
    pairs = images.held_out(cell.run_options(), TEST).images  # photographs, label maps
    truth = metrics.nearest_class(pairs["b"], COLORS)

    def scored(maps):
        found = metrics.nearest_class(maps, COLORS)
        return pytest.approx(metrics.segmentation_scores(truth, found, len(COLORS)))

    scores = result["scores"]["last"]["ab"]
    kernel = scores.pop("kernel")
    assert scores == scored(model.translate(pairs["a"], "ab"))
    of_copies = result["baselines"]["ab"]["copy"]
    of_copies.pop("kernel")
    assert of_copies == scored(pairs["a"])
    assert set(result["scores"]["last"]["ba"]) == {*scores, "kernel"}  # by a segmenter
    assert kernel > 0
    assert "iou" in result["baselines"]["ba"]["truth"]
    assert any("Training a segmenter on 8 photographs" in line for line in said)


def test_a_folder_without_classes_is_refused(folder, tmp_path):
    with pytest.raises(InputError, match=r"classes\.json does not exist; tables need the color"):
        labeled_source(tmp_path, SIZE)
    (tmp_path / "classes.json").write_text('{"sky": [1, 2]}')
    with pytest.raises(InputError, match=r"an RGB color for each of at least two classes"):
        labeled_source(tmp_path, SIZE)


def test_classes_of_other_colors_are_refused(folder, tmp_path):
    for split in ("trainA", "trainB", "testA", "testB"):
        (tmp_path / split).symlink_to(folder / split)
    (tmp_path / "classes.json").write_text('{"white": [255, 255, 255], "w": [250, 255, 255]}')
    with pytest.raises(InputError, match=r"Neither domain of .* holds label maps in the colors"):
        labeled_source(tmp_path, SIZE)


@pytest.mark.parametrize("source", ["scenes", "earth"])
def test_all_trainings_have_options_that_resolve(source):
    setting = Setting(labeled_source(source, 64), seeds=(0, 1))
    for name in OF_LABELS:
        for cell in study_of(name, setting).cells:
            if isinstance(cell, TrainingCell):
                options = cell.run_options()
                assert options.training.epochs * options.training.steps_per_epoch == 1200
                assert options.training.precision == "float32"


@pytest.mark.parametrize(("source", "maps", "photographs"), [("scenes", "a", "b"),
                                                             ("earth", "b", "a")])  # fmt: skip
def test_the_forward_cycle_begins_with_a_label_map(source, maps, photographs):
    setting = Setting(labeled_source(source, 64))
    for table in ("table4", "table5"):
        cells = {cell.name: cell.run_options().model for cell in study_of(table, setting).cells}
        assert cells["gan_forward_0"][f"lambda_{maps}"] == 10
        assert cells["gan_forward_0"][f"lambda_{photographs}"] == 0
        assert cells["gan_backward_0"][f"lambda_{maps}"] == 0
        assert cells["gan_backward_0"][f"lambda_{photographs}"] == 10
        assert cells["cycle_alone_0"]["lambda_adversarial"] == 0
        assert cells["gan_alone_0"]["lambda_a"] == cells["gan_alone_0"]["lambda_b"] == 0


def test_a_training_serves_all_tables_that_need_it():
    setting = Setting(labeled_source("scenes", 64))
    of = {name: {c.name: c for c in study_of(name, setting).cells} for name in OF_LABELS}
    assert of["table2"]["cyclegan_0"] == of["table4"]["cyclegan_0"] == of["table5"]["cyclegan_0"]
    assert of["table2"]["unit_0"] == of["unit"]["unit_0"]


def test_a_folder_of_another_study_is_kept(tmp_path, here):
    (tmp_path / "notes").write_text("mine")
    refused = here("reproduce", "table3", "--out", tmp_path, "--quick").refused()
    assert "holds something else than a study" in refused
    (tmp_path / "notes").unlink()
    setting = {"source": "scenes", "image_size": 64, "steps": 1200, "base_filters": 32}
    (tmp_path / "setting.json").write_text(json.dumps({**setting, "count": 100, "searched": 24}))
    refused = here("reproduce", "table3", "--out", tmp_path, "--steps", "25").refused()
    assert "holds a study with steps 1200, now 36; choose another folder." in refused


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"seeds": 0}, "seeds must be at least 1"),
        ({"jobs": -1}, "jobs must be at least 1"),
        ({"data": "nowhere"}, "classes.json does not exist"),
    ],
)
def test_bad_arguments(arguments, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        reproduce(["table3"], tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="the study must be one of table1"):
        reproduce(["table7"], tmp_path / "out")
