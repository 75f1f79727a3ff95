"""Scores of models whose outputs are known, and the command and the page that show them."""

import hashlib
import json

import keras
import numpy as np
import pytest
from browsers import chromium, needs_chromium
from PIL import Image
from tiny import smooth, tiny_model

from cyclegan_tf import InputError, Translator, data, evaluate, extractor, metrics
from cyclegan_tf.data.scenes import COLORS
from cyclegan_tf.pixels import to_float
from cyclegan_tf.runs.evaluation_page import write_evaluation
from cyclegan_tf.runs.held_out import Classes, HeldOut
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.scores import label_scores

SIZE = 32
NETWORKS = {"base_filters": 4, "blocks": 1, "strided_layers": 1}


def multiplied(by):
    """A generator that multiplies images, in [-1, 1], by a number."""
    inputs = keras.Input((None, None, 3))
    return keras.Model(inputs, keras.layers.Rescaling(by, dtype="float32")(inputs))


@pytest.fixture(scope="module")
def scenes():
    maps, photographs, classes = data.scene_pairs(12, SIZE)
    return HeldOut({"a": maps, "b": photographs}, True, Classes(classes, COLORS, "a"))


@pytest.fixture(scope="module")
def copies(scenes):
    return evaluate(Translator({"ab": multiplied(1), "ba": multiplied(1)}, (SIZE, SIZE, 3)), scenes)


def test_scores_of_a_copy_are_those_of_its_input(copies, scenes):
    maps, photographs = scenes.images["a"], scenes.images["b"]
    scores = copies.scores["ba"]
    expected = label_scores(photographs, scenes.classes.truth, COLORS)
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, abs=1e-12)
    assert scores["cycle_error"] == 0
    assert scores["edge_agreement"] == pytest.approx(1, abs=1e-6)
    squared = np.square(np.float64(maps) - photographs).mean((1, 2, 3))
    assert scores["psnr"] == pytest.approx(np.mean(10 * np.log10(255**2 / squared)), rel=1e-9)
    assert "iou" not in copies.scores["ab"]  # photographs have no classes


def test_a_copy_and_a_negative_are_alarms(copies):
    assert "returns_its_input" in [alarm.name for alarm in copies.directions["ba"].alarms]
    _, photographs, _ = data.scene_pairs(12, SIZE)
    others = data.scene_pairs(24, SIZE)[1][12:]
    negative = Translator({"ab": multiplied(-1)}, (SIZE, SIZE, 3))
    found = evaluate(negative, HeldOut({"a": photographs, "b": others})).directions["ab"]
    assert [alarm.name for alarm in found.alarms] == ["inverted"]
    assert "cycle_error" not in found.results  # one direction
    assert "psnr" not in found.results  # unpaired


def test_a_data_set_gives_what_its_images_give(copies):
    dataset = data.scenes(12, SIZE, split="test", paired=True, batch_size=5)
    model = Translator({"ab": multiplied(1), "ba": multiplied(1)}, (SIZE, SIZE, 3))
    scores = evaluate(model, dataset, direction="ba").scores
    assert list(scores) == ["ba"]
    for name, value in scores["ba"].items():
        assert value == pytest.approx(copies.scores["ba"][name]), name


def test_a_measure_that_cannot_be_taken_says_what_it_needs(scenes):
    model = Translator({"ab": multiplied(1)}, (SIZE, SIZE, 3))
    with pytest.raises(InputError, match="cycle_error needs a model that translates both ways"):
        evaluate(model, scenes, measures=["cycle_error"])
    with pytest.raises(InputError, match="'fid' is no measure of this evaluation; expected some"):
        evaluate(model, scenes, measures=["fid"])
    with pytest.raises(InputError, match="at least one"):
        evaluate(model, HeldOut({"a": scenes.images["a"][:0], "b": scenes.images["b"]}))


def test_a_page_is_sorted_by_the_measure_that_is_chosen(copies, tmp_path):
    write_evaluation(
        tmp_path / "out", copies, "scores", {"a": [f"</script>{n}" for n in range(12)]}
    )
    page = (tmp_path / "out/index.html").read_text()
    assert page.count("</script>") == 3  # names of files end no script
    written = json.loads((tmp_path / "out/scores.json").read_text())
    assert written["ba"]["scores"]["iou"] == copies.scores["ba"]["iou"]
    assert written["protocol"]["images"]["a"] == {"count": 12, "shape": [SIZE, SIZE, 3]}


@needs_chromium
def test_a_browser_shows_the_worst_image_first(copies, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    write_evaluation(tmp_path / "out", copies, "scores")
    values = copies.directions["ba"].results["per_pixel"].per_image
    worst, best = (
        f"images/ba_{number + 1:05d}.png" for number in (values.argmin(), values.argmax())
    )
    with sync_api.sync_playwright() as playwright, chromium(playwright) as browser:
        page = browser.new_page(viewport={"width": 360, "height": 640})
        page.goto((tmp_path / "out/index.html").as_uri())
        page.select_option("#measure_ba", "per_pixel")
        assert page.locator("#images_ba img").count() == 12
        assert page.locator("#images_ba img").first.get_attribute("src") == worst
        page.check("#best_ba")
        assert page.locator("#images_ba img").first.get_attribute("src") == best
        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The folder of a run, without its training: images of both splits, options and a model."""
    root = tmp_path_factory.mktemp("images")
    for number, domain in enumerate("AB"):
        for split in ("train", "test"):
            (root / f"{split}{domain}").mkdir()
            for image in range(5):
                pixels = smooth(40, 40, seed=10 * number + image)
                Image.fromarray(pixels).save(root / f"{split}{domain}" / f"{image}.png")
    run = tmp_path_factory.mktemp("runs") / "run"
    run.mkdir()
    (run / "options.json").write_text(resolve(root, image_size=32, **NETWORKS).as_json())
    tiny_model(compiled=False).save(run / "model.keras")
    return run


def test_the_command_scores_a_run_on_its_test_images(here, run):
    ended = here("evaluate", run, "--metrics", "cycle_error,edge_agreement")
    assert ended.status == 0, ended.errors
    assert "5 images of A and 5 of B, split test" in ended.output
    written = json.loads((run / "evaluation/scores.json").read_text())
    assert written["ab"]["scores"].keys() == {"cycle_error", "edge_agreement"}
    digest = hashlib.sha256((run / "model.keras").read_bytes()).hexdigest()
    assert written["protocol"]["model_sha256"] == digest
    ended = here("evaluate", run, "--metrics", "psnr", "--paired", "--direction", "ba")
    assert ended.status == 0, ended.errors  # in the place of the first
    written = json.loads((run / "evaluation/scores.json").read_text())
    assert written["ba"]["scores"].keys() == {"psnr"}
    assert "ab" not in written


def test_the_command_refuses_what_it_cannot_score(here, run, tmp_path):
    assert "psnr needs paired images" in here("evaluate", run, "--metrics", "psnr").refused()
    assert "which no evaluation writes" in here("evaluate", run, "--out", run).refused()
    assert (run / "model.keras").exists()
    sentence = here("evaluate", run, "--metrics", "iou", "--inception", run / "no.pth").refused()
    assert "iou needs label maps" in sentence  # no file of weights is needed for that
    sentence = here("evaluate", run, "--inception", run / "no.pth").refused()
    assert "no.pth" in sentence
    sentence = here("evaluate", run / "model.keras").refused()
    assert "does not say which images it was trained on" in sentence
    sentence = here("evaluate", run, tmp_path / "missing").refused()
    assert "missing does not exist" in sentence


def test_a_file_is_scored_on_the_images_that_are_named(here, run, tmp_path):
    asked = ("evaluate", run / "model.keras", "scenes", "--count", 4, "--metrics", "iou")
    ended = here(*asked, "--direction", "ab")  # which makes photographs
    assert "iou needs label maps whose true classes are known" in ended.refused()
    ended = here(*asked, "--out", tmp_path / "out")
    assert ended.status == 0, ended.errors
    written = json.loads((tmp_path / "out/scores.json").read_text())
    assert written["ba"]["scores"].keys() == {"iou"}
    assert written["ab"]["scores"] == {}


# Features


def _mean_colors(images):
    return np.asarray(images).mean((1, 2))


def test_distances_are_named_after_the_network_of_the_features(scenes):
    model = Translator({"ab": multiplied(1)}, (SIZE, SIZE, 3))
    with pytest.warns(UserWarning, match="uncertain"):
        evaluation = evaluate(model, scenes, extractor=extractor(_mean_colors, name="colors"))
    scores = evaluation.scores["ab"]
    features = [_mean_colors(to_float(scenes.images[domain])) for domain in "ab"]
    assert scores["frechet_colors"] == pytest.approx(metrics.frechet_distance(*features))
    assert evaluation.directions["ab"].results["kernel_colors"].standard_error > 0
    assert "structure" not in scores  # such a network gives no maps


def test_a_copy_keeps_the_structure_and_lacks_the_look(scenes):
    model = Translator({"ab": multiplied(1)}, (SIZE, SIZE, 3))
    evaluation = evaluate(
        model,
        scenes,
        measures=["structure", "perceptual"],
        extractor=extractor("efficientnet-lite0"),
    )
    scores = evaluation.scores["ab"]
    assert scores["structure"] == 0
    assert scores["perceptual"] > 0.1
