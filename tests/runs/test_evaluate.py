"""Scores of models whose outputs are known, and the command and the page that show them."""

import hashlib
import json
import pathlib
import shutil

import keras
import numpy as np
import pytest
from browsers import chromium, needs_chromium
from PIL import Image
from tiny import smooth, tiny_model

from cyclegan_tf import CoGAN, InputError, Translator, data, evaluate, extractor, metrics
from cyclegan_tf.data.scenes import COLORS
from cyclegan_tf.pixels import to_float
from cyclegan_tf.runs.evaluate_files import said_at_times
from cyclegan_tf.runs.evaluation_page import write_evaluation
from cyclegan_tf.runs.held_out import Classes, HeldOut
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.systems.cogan import paper_networks

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
    predicted = metrics.nearest_class(photographs, COLORS)
    expected = metrics.segmentation_scores(scenes.classes.truth, predicted, len(COLORS))
    for name, value in expected.items():
        assert scores[name] == pytest.approx(value, abs=1e-12)
    assert scores["cycle_error"] == 0
    assert scores["edge_agreement"] == pytest.approx(1, abs=1e-6)
    squared = np.square(np.float64(maps) - photographs).mean((1, 2, 3))
    assert scores["psnr"] == pytest.approx(np.mean(10 * np.log10(255**2 / squared)), rel=1e-9)
    assert "iou" not in copies.scores["ab"]  # photographs have no classes


def test_scores_are_beside_those_of_a_copy_of_one_color_and_of_the_truth(scenes):
    maps, photographs = scenes.images["a"], scenes.images["b"]
    features = extractor(_mean_colors, name="colors")
    negative = Translator({"ab": multiplied(-1), "ba": multiplied(-1)}, (SIZE, SIZE, 3))
    evaluation = evaluate(negative, scenes, direction="ba", extractor=features)
    found = evaluation.directions["ba"].as_dictionary()
    assert found["baselines"].keys() == {"copy", "constant", "truth"}
    copy, constant, truth = found["baselines"].values()
    predicted = metrics.nearest_class(photographs, COLORS)
    assert copy["per_pixel"] == pytest.approx((predicted == scenes.classes.truth).mean())
    mean = maps.reshape(-1, 3).mean(0).round()
    squared = np.square(maps - mean).mean((1, 2, 3))
    assert constant["psnr"] == pytest.approx(np.mean(10 * np.log10(255**2 / squared)))
    sets = [_mean_colors(to_float(images)) for images in (photographs, maps)]
    assert copy["frechet_colors"] == pytest.approx(metrics.frechet_distance(*sets))
    assert constant["edge_agreement"] == 0
    assert truth == {"per_pixel": 1, "per_class": 1, "iou": 1}
    assert "cycle_error" in found["scores"]
    assert "cycle_error" not in copy  # there is no way back


def test_baselines_are_left_out_where_they_mean_nothing(scenes):
    maps, photographs = scenes.images["a"], scenes.images["b"]
    model = Translator({"ab": multiplied(1)}, (SIZE, SIZE, 3))
    found = evaluate(model, HeldOut({"a": maps, "b": photographs}))  # it is not known what is right
    assert found.directions["ab"].baselines.keys() == {"copy"}
    found = evaluate(model, HeldOut({"a": maps, "b": photographs[:, :24]}))
    assert found.directions["ab"].baselines == {}


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


def test_an_image_that_a_data_set_repeats_counts_once():
    images = [np.full((size, SIZE, SIZE, 3), size, np.uint8) for size in (2, 5)]
    dataset = data.arrays(*images, training=False, flip=False, crop_size=SIZE, load_size=SIZE)
    model = Translator({"ab": multiplied(0.5)}, (SIZE, SIZE, 3))
    counted = evaluate(model, dataset).protocol["images"]
    assert [counted[domain]["count"] for domain in "ab"] == [2, 5]


def test_nan_in_a_part_of_the_outputs_is_an_alarm(scenes):
    inputs = keras.Input((None, None, 3))
    broken = keras.Model(inputs, keras.ops.sqrt(inputs))  # of what is darker than gray
    found = evaluate(Translator({"ab": broken}, (SIZE, SIZE, 3)), scenes).directions["ab"]
    assert [alarm.name for alarm in found.alarms] == ["blank"]
    assert "NaN" in found.alarms[0].sentence


def test_domains_may_differ_in_channels_and_images_may_be_small(scenes):
    photographs = scenes.images["b"]
    gray = np.uint8(photographs.mean(-1, keepdims=True))
    inputs = keras.Input((None, None, 1))
    colored = keras.Model(inputs, keras.layers.Concatenate()([inputs] * 3))
    model = Translator({"ab": colored}, (SIZE, SIZE, 1))
    scores = evaluate(model, HeldOut({"a": gray, "b": photographs}, True)).scores["ab"]
    assert scores["edge_agreement"] == pytest.approx(1, abs=1e-6)
    assert scores["psnr"] > 10
    small = HeldOut({domain: images[:1, :8, :8] for domain, images in scenes.images.items()}, True)
    scores = evaluate(Translator({"ab": multiplied(1)}, (8, 8, 3)), small).scores["ab"]
    assert scores.keys() == {"psnr"}


def test_a_measure_that_cannot_be_taken_says_what_it_needs(scenes):
    model = Translator({"ab": multiplied(1)}, (SIZE, SIZE, 3))
    with pytest.raises(InputError, match="cycle_error needs a model that translates both ways"):
        evaluate(model, scenes, measures=["cycle_error"])
    with pytest.raises(InputError, match="'psnrr' is no measure of this evaluation; expected some"):
        evaluate(model, scenes, measures=["psnrr"])
    with pytest.raises(InputError, match="fid needs the Inception of 2015: --inception FILE"):
        evaluate(model, scenes, measures=["fid"])
    with pytest.raises(InputError, match="must be a list of names"):
        evaluate(model, scenes, measures="psnr")
    with pytest.raises(InputError, match="model must be a system or a Translator"):
        evaluate(multiplied(1), scenes)
    with pytest.raises(InputError, match=r"must be one of cyclegan_tf\.extractor"):
        evaluate(model, scenes, extractor=multiplied(1))


def test_images_that_cannot_be_scored_are_named(scenes):
    model = Translator({"ab": multiplied(1)}, (SIZE, SIZE, 3))
    maps, photographs = (scenes.images[domain] for domain in "ab")
    with pytest.raises(InputError, match="Images of A must be uint8"):
        HeldOut({"a": maps[:0], "b": photographs})
    with pytest.raises(InputError, match="Images of B must be uint8"):
        HeldOut({"a": maps})
    with pytest.raises(InputError, match="Received: 11 of A, 12 of B"):
        HeldOut({"a": maps[:11], "b": photographs}, paired=True)
    for batches, sentence in (
        ([(maps, photographs)], "Expected batches of float images"),
        ([(maps.astype("float32"), photographs)], "divide values from 0 to 255"),
        ([(np.zeros((1, 8, side, 3)), np.zeros((1, 8, 8, 3))) for side in (8, 9)], "8 x 8 and 9 x"),
        ([], "has no images"),
    ):
        with pytest.raises(InputError, match=sentence):
            evaluate(model, batches)


def test_a_page_is_sorted_by_the_measure_that_is_chosen(copies, tmp_path):
    killed, in_use = (tmp_path / f".{name}.0123abcd.part" for name in ("out", "model"))
    for folder in (killed, in_use):
        folder.mkdir()
    write_evaluation(
        tmp_path / "out", copies, "scores", {"a": [f"</script>{n}" for n in range(12)]}
    )
    assert in_use.exists()  # perhaps by a training beside it
    assert not killed.exists()
    page = (tmp_path / "out/index.html").read_text()
    assert page.count("</script>") == 3  # names of files end no script
    assert "<!--" not in page
    written = json.loads((tmp_path / "out/scores.json").read_text())
    assert written["ba"]["scores"]["iou"] == copies.scores["ba"]["iou"]
    assert written["ba"]["baselines"]["copy"]["iou"] == copies.scores["ba"]["iou"]
    psnr = written["ba"]["baselines"]["constant"]["psnr"]
    assert f"<td>{psnr:.4g}</td>" in page
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
    assert "5 images of A and 5 of B from" in ended.output
    written = json.loads((run / "evaluation/scores.json").read_text())
    assert written["ab"]["scores"].keys() == {"cycle_error", "edge_agreement"}
    digest = hashlib.sha256((run / "model.keras").read_bytes()).hexdigest()
    assert written["protocol"]["model_sha256"] == digest
    # In the place of the first; the file of an epoch is scored on the images of its run.
    (run / "epochs").mkdir()
    kept = shutil.copy(run / "model.keras", run / "epochs/epoch_0001.keras")
    ended = here("evaluate", kept, "--metrics", "psnr", "--paired", "--direction", "ba", "--out",
                 run / "evaluation")  # fmt: skip
    assert ended.status == 0, ended.errors
    written = json.loads((run / "evaluation/scores.json").read_text())
    assert written["ba"]["scores"].keys() == {"psnr"}
    assert "ab" not in written


def test_the_command_refuses_what_it_cannot_score(here, run, tmp_path):
    assert "psnr needs paired images" in here("evaluate", run, "--metrics", "psnr").refused()
    album = tmp_path / "album"
    (album / "images").mkdir(parents=True)
    (album / "images/wedding.jpg").write_text("mine")
    for folder, name in ((run, "model.keras"), (album, "images/wedding.jpg")):
        sentence = here("evaluate", run, "--out", folder).refused()
        assert "holds something else than an earlier evaluation" in sentence
        assert (folder / name).exists()
    sentence = here("evaluate", run, "--metrics", "iou", "--inception", run / "no.pth").refused()
    assert "iou needs label maps" in sentence  # no file of weights is needed for that
    sentence = here("evaluate", run, "--resizing", "clean").refused()
    assert "--resizing is that of images for --inception" in sentence
    sentence = here("evaluate", run, "--inception", run / "no.pth").refused()
    assert "no.pth" in sentence
    alone = shutil.copy(run / "model.keras", album)
    sentence = here("evaluate", alone).refused()
    assert "does not say which images it was trained on" in sentence
    sentence = here("evaluate", run, tmp_path / "missing").refused()
    assert "missing does not exist" in sentence


def test_training_images_are_not_called_test_images(here, run, tmp_path):
    images = run / "options.json"
    root = pathlib.Path(json.loads(images.read_text())["data"]["source"])
    two = tmp_path / "two"
    two.mkdir()
    shutil.copy(run / "model.keras", two)
    folders = resolve(root / "trainA", domain_b=root / "trainB", image_size=32, **NETWORKS)
    (two / "options.json").write_text(folders.as_json())
    asked = ("evaluate", two, "--metrics", "cycle_error")
    assert "so none are held back" in here(*asked).refused()
    assert here(*asked, "--split", "train").status == 0
    others = here(*asked, root / "testA", "--domain-b", root / "testB", "--image-size", 16)
    assert others.status == 0, others.errors
    assert "16 x 16 pixels" in others.output
    written = json.loads((two / "evaluation/scores.json").read_text())
    assert written["protocol"]["split"] is None


def test_a_file_is_scored_on_the_images_that_are_named(here, run, tmp_path):
    asked = ("evaluate", run / "model.keras", "scenes", "--count", 4, "--metrics", "iou")
    ended = here(*asked, "--direction", "ab")  # which makes photographs
    assert "iou needs label maps whose true classes are known" in ended.refused()
    ended = here(*asked, "--out", tmp_path / "out")
    assert ended.status == 0, ended.errors
    written = json.loads((tmp_path / "out/scores.json").read_text())
    assert written["ba"]["scores"].keys() == {"iou"}
    assert written["ab"]["scores"] == written["ab"]["baselines"] == {}
    heads, *_ = (line for line in ended.output.splitlines() if "truth" in line)
    assert heads.split() == ["model", "copy", "constant", "truth"]
    row, *_ = (line for line in ended.output.splitlines() if line.startswith("  iou "))
    copy, constant = (written["ba"]["baselines"][name]["iou"] for name in ("copy", "constant"))
    assert row.split()[2:5] == [f"{copy:.4g}", f"{constant:.4g}", "1"]


def test_a_slow_model_says_how_far_it_is(scenes):
    calls = []
    model = Translator({"ab": multiplied(0.5), "ba": multiplied(1)}, (SIZE, SIZE, 3))
    evaluation = evaluate(
        model,
        scenes,
        measures=["psnr", "cycle_error"],
        progress=lambda *call: calls.append(call),
        direction="ab",
    )
    there, back = ([(way, 8, 12), (way, 12, 12)] for way in ("ab", "ba"))
    assert calls == there + back
    translated = evaluation.directions["ab"].translated
    np.testing.assert_array_equal(translated.outputs, model.translate(scenes.images["a"], "ab"))


def test_the_command_tells_of_a_search(here, tmp_path):
    model = CoGAN(
        **paper_networks((16, 16, 3), base_filters=2), image_shape=(16, 16, 3), search_steps=1
    )
    model.save(tmp_path / "model.keras")
    asked = ("evaluate", tmp_path / "model.keras", "scenes", "--count", 4, "--direction", "ab")
    ended = here(*asked, "--metrics", "psnr")
    assert ended.status == 0, ended.errors
    assert "A CoGAN searches for each image" in ended.output


def test_progress_issaid_at_times():
    lines = []
    for seconds in (0, 1000):
        said = said_at_times(lines.append, seconds)
        for done in (8, 16, 20):
            said("ba", done, 20)
    assert lines == ["B → A: 8 of 20 images translated.", "B → A: 16 of 20 images translated."]


# Features


def _mean_colors(images):
    return np.asarray(images).mean((1, 2))


def test_distances_are_named_after_the_network_of_the_features(scenes):
    model = Translator({"ab": multiplied(1)}, (SIZE, SIZE, 3))
    evaluation = evaluate(model, scenes, extractor=extractor(_mean_colors, name="colors"))
    assert "12 images are few" in evaluation.note
    scores = evaluation.scores["ab"]
    features = [_mean_colors(to_float(scenes.images[domain])) for domain in "ab"]
    assert scores["frechet_colors"] == pytest.approx(metrics.frechet_distance(*features))
    swapped = evaluate(
        model, scenes, extractor=extractor(lambda x: -_mean_colors(x)[:, :1], name="colors")
    )
    assert swapped.scores["ab"]["frechet_colors"] != scores["frechet_colors"]
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
