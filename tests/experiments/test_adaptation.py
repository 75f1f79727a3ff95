"""The study `adaptation`: which images train what, losses by hand, a training that resumes."""

import json
import re

import keras
import numpy as np
import pytest
from PIL import Image

from cyclegan_tf import Checkpoints, data
from cyclegan_tf.data.digits import STREET, typeface_digits
from cyclegan_tf.data.drawn_scenes import DrawnScene
from cyclegan_tf.data.scenes import render
from cyclegan_tf.experiments.adaptation import adaptation_study
from cyclegan_tf.experiments.digit_adaptation import DigitAdaptationCell
from cyclegan_tf.experiments.labeled_source import labeled_source
from cyclegan_tf.experiments.labeled_unit import LabeledUNIT, class_logits, labeled_networks
from cyclegan_tf.experiments.segmenter_adaptation import SegmenterAdaptationCell
from cyclegan_tf.experiments.translation_tables import Setting
from cyclegan_tf.pixels import to_float

SIZE, CLASSES = 16, 10


def _segmenter_cell(trained_on, size=SIZE):
    return SegmenterAdaptationCell(
        "cell", trained_on, size, seed=5, steps=12, base_filters=4, tested=3
    )


def _images(folder):
    return [np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))]


# Segmenters


def test_each_segmenter_is_trained_on_what_its_name_says():
    graphics, classes = _segmenter_cell("rendered").labeled()
    to_translate, same = _segmenter_cell("translated").labeled()
    real, others = _segmenter_cell("real").labeled()
    np.testing.assert_array_equal(graphics, to_translate)
    np.testing.assert_array_equal(classes, same)
    for number in range(12):
        expected, truth = render(number, (SIZE, SIZE), 5, style=DrawnScene)
        np.testing.assert_array_equal(graphics[number], expected)
        np.testing.assert_array_equal(classes[number], truth)
        # Real images are of other streets.
        photograph, _ = render(12 + number, (SIZE, SIZE), 5)
        np.testing.assert_array_equal(real[number], photograph)
        assert not any(np.array_equal(truth, other) for other in others)


@pytest.mark.twin
def test_a_segmenter_is_scored_on_real_images_that_none_is_trained_on(tmp_path):
    result = _segmenter_cell("rendered").run(tmp_path, print)
    _check_segmenter(result)
    assert result["cost"] == {}


@pytest.mark.slow
def test_a_segmenter_of_translated_images_resumes(tmp_path):
    cell = _segmenter_cell("translated", 32)
    result = cell.run(tmp_path, print)
    _check_segmenter(result)
    assert result["cost"]["steps"] == 12
    np.testing.assert_array_equal(_images(tmp_path / "images" / "trainA"), cell.labeled()[0])
    real = _segmenter_cell("real", 32).labeled()[0]
    np.testing.assert_array_equal(_images(tmp_path / "images" / "trainB"), real)
    assert (tmp_path / "translated.png").exists()
    assert cell.run(tmp_path, print)["scores"] == result["scores"]


def _check_segmenter(result):
    json.dumps(result, allow_nan=False)
    scores = result["scores"]["last"]["real"]
    assert list(scores) == ["per_pixel", "per_class", "iou"]
    known = [value for value in result["class_iou"].values() if value is not None]
    assert scores["iou"] == pytest.approx(np.mean(known))
    assert 0 < scores["iou"] < scores["per_pixel"] <= 1


# UNIT with classes


def _labeled_unit(count=20, **arguments):
    images, labels = typeface_digits(STREET, count, SIZE)
    model = LabeledUNIT(
        **labeled_networks(SIZE, CLASSES, base_filters=2, seed=3),
        image_shape=(SIZE, SIZE, 3),
        labeled=images,
        labels=labels,
        batch_size=4,
        seed=4,
        **arguments,
    )
    model.compile(run_eagerly=True)  # few steps take less than a trace
    return model


def test_the_losses_are_those_by_hand_and_their_step_changes_the_classifier():
    model = _labeled_unit(1, lambda_class=7.0, lambda_features=3.0)  # each draw is of one image
    (image_a,), (label,) = typeface_digits(STREET, 1, SIZE)
    image_a, image_b = to_float(image_a)[None], np.full((1, SIZE, SIZE, 3), 0.5, np.float32)
    losses = model.test_on_batch(image_a, image_b, return_dict=True)

    logits = class_logits(model.networks, "a").predict(image_a, verbose=0)[0]
    cross_entropy = np.log(np.exp(logits).sum()) - logits[label]
    assert losses["class_a"] == pytest.approx(7.0 * cross_entropy, rel=1e-5)

    def features(domain, image):
        front = model.networks[f"discriminator_{domain}"]
        return np.array(model.shared_discriminator(front(image))[2])

    distance = sum(
        np.abs(features(source, image) - features(target, model.translate(image, direction))).mean()
        for source, target, direction, image in (
            ("a", "b", "ab", image_a),
            ("b", "a", "ba", image_b),
        )
    )
    assert losses["features"] == pytest.approx(3.0 * distance, rel=1e-4)

    before = {v.path: np.array(v) for v in model.variables_of("discriminator")}
    assert any("classes" in path for path in before)
    model.train_on_batch(image_a, image_b)
    now = {v.path: np.array(v) for v in model.variables_of("discriminator")}
    assert all((before[path] != now[path]).any() for path in before if "kernel" in path)


class _Stop(keras.callbacks.Callback):
    """Ends a training as Ctrl-C does, after some steps."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def on_train_batch_end(self, batch, logs=None):
        self.steps -= 1
        if not self.steps:
            raise KeyboardInterrupt


def test_its_training_resumes_with_the_same_labeled_images(tmp_path):
    images, _ = typeface_digits(STREET, 4, SIZE, seed=1)

    def trained(*callbacks):
        model = _labeled_unit()
        dataset = data.arrays(images, images, flip=False, batch_size=2)
        model.fit(dataset, epochs=1, verbose=0, callbacks=list(callbacks))
        return model

    checkpoints = tmp_path / "checkpoints"
    with pytest.raises(KeyboardInterrupt):
        trained(Checkpoints(checkpoints, minutes=0), _Stop(1))
    resumed = trained(Checkpoints(checkpoints, minutes=0))
    for variable, expected in zip(resumed.variables, trained().variables):
        np.testing.assert_array_equal(variable, expected)


# Digits


def test_a_classifier_learns_to_read_held_out_digits(tmp_path):
    cell = DigitAdaptationCell(
        "cell", "target", False, seed=2, steps=240, base_filters=8, tested=40
    )
    scores = cell.run(tmp_path, print)["scores"]["last"]["target"]
    assert scores["accuracy"] > 0.35  # of ten classes


@pytest.mark.slow
def test_unit_reads_digits_and_tells_what_it_took(tmp_path):
    cell = DigitAdaptationCell("cell", "unit", False, seed=2, steps=12, base_filters=4, tested=20)
    result = cell.run(tmp_path, print)
    assert set(result["scores"]["last"]["target"]) == {"accuracy", "source_accuracy"}
    assert result["cost"]["steps"] == 12
    assert (tmp_path / "translated.png").exists()
    assert cell.run(tmp_path, print)["scores"] == result["scores"]


# The study


def test_the_tables_have_the_scores_of_the_cells(tmp_path):
    images = labeled_source("scenes", 32)
    study = adaptation_study(Setting(images, seeds=(0, 1), steps=24, base_filters=8))
    names = [cell.name for cell in study.cells]
    assert len(set(names)) == len(names) == 12
    cost = {"steps": 24, "images": 24, "seconds": 2.0, "parameters": 1e6, "peak_memory_gib": 1.0}
    results = {}
    for cell in study.cells:
        value = {"rendered": 0.3, "translated": 0.5, "real": 0.9}.get(
            getattr(cell, "trained_on", ""), 0.6
        ) + 0.02 * cell.seed
        names = ("per_pixel", "per_class", "iou", "accuracy", "source_accuracy")
        scores = dict.fromkeys(names, value)
        results[cell.name] = {
            "scores": {"last": {"real": scores, "target": scores}},
            "cost": cost if "translated" in cell.name else {},
        }
    sheet = tmp_path / "cells" / "adaptation_digits_unit_0" / "translated.png"
    sheet.parent.mkdir(parents=True)
    Image.new("RGB", (9, 7)).save(sheet)
    tables = tmp_path / "tables"
    html = study.write(results, tables)
    lines = (tables / "adaptation.md").read_text().splitlines()
    mean = " | ".join(["0.510 ± 0.014"] * 3)
    (line,) = [
        line for line in lines if line.startswith("| computer graphics through CycleGAN | 2 |")
    ]
    assert mean in line
    assert sum("1.00 M" in line for line in lines) == 1  # the costs of that row alone
    assert html.count("<h2>") == 2
    assert html.count("<img") == 1
    shown = re.findall(r"\]\((.*)\)", "\n".join(lines))
    assert len(shown) == 3
    assert all((tables / name).exists() for name in shown)
    assert study.write({}, tmp_path / "nothing") == ""
