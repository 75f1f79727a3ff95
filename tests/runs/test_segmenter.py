"""A segmenter: what it learns, what is kept of it, and the scores that it gives."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny import smooth, tiny_model

from cyclegan_tf import InputError, Translator, data, evaluate, segmenter
from cyclegan_tf.data.scenes import COLORS
from cyclegan_tf.metrics import segmentation_scores
from cyclegan_tf.runs.held_out import Classes, HeldOut

SIZE = 16
SEGMENTED = ["segmented_per_pixel", "segmented_per_class", "segmented_iou"]


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CYCLEGAN_TF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def eagerly():
    """Tracing takes longer than a few steps."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def training():
    """Photographs and classes."""
    return data.scene_pairs(64, SIZE, split="train")[1:]


def _quick(photographs, classes, **options):
    """One of two steps, and what was said of it."""
    lines = []
    found = segmenter(photographs, classes, len(COLORS), steps=2, log=lines.append, **options)
    return found, " ".join(lines)


def _same(one, other):
    return all(map(np.array_equal, one.network.get_weights(), other.network.get_weights()))


def test_it_learns_and_its_scores_stand_beside_those_of_real_photographs(cache, training):
    found = segmenter(*training, len(COLORS), steps=60)
    maps, photographs, classes = data.scene_pairs(30, SIZE)
    predicted = found.classes_of(photographs)
    most_frequent = np.bincount(classes.ravel()).max() / classes.size
    assert (predicted == classes).mean() > most_frequent + 0.2

    scenes = HeldOut({"a": maps, "b": photographs}, True, Classes(classes, COLORS, "a"))
    inputs = keras.Input((None, None, 3))
    gray = keras.Model(inputs, keras.ops.zeros_like(inputs))
    model = Translator({"ab": gray, "ba": gray}, (SIZE, SIZE, 3))
    evaluation = evaluate(model, scenes, measures=SEGMENTED, segmenter=found)
    of_photographs = evaluation.directions["ab"].as_dictionary()
    expected = segmentation_scores(classes, predicted, len(COLORS))
    for name, value in expected.items():
        truth = of_photographs["baselines"]["truth"][f"segmented_{name}"]
        assert truth == pytest.approx(value)
    of_gray = found.classes_of(np.full_like(photographs, 128))
    expected = segmentation_scores(classes, of_gray, len(COLORS))
    assert of_photographs["scores"]["segmented_iou"] == pytest.approx(expected["iou"])
    assert evaluation.directions["ba"].results == {}  # which makes label maps
    assert evaluation.protocol["segmenter"] == {"checksum": found.checksum, "photographs": 64}


def test_it_is_trained_once(cache, training, eagerly):
    first, said = _quick(*training)
    assert "Training a segmenter on 64 photographs and their classes, 2 steps" in said
    (file,) = cache.iterdir()
    again, said = _quick(*training)
    assert said == f"The segmenter is that of an earlier training: {file}."
    assert again.checksum == first.checksum
    assert _same(again, first)


def test_other_data_train_another(cache, training, eagerly):
    photographs, classes = training
    other_photographs, other_classes = photographs.copy(), classes.copy()
    other_photographs[0, 0, 0, 0] += 1
    other_classes[0, 0, 0] = 5
    first, _ = _quick(photographs, classes)
    others = [
        _quick(other_photographs, classes),
        _quick(photographs, other_classes),
        _quick(photographs, classes, seed=1),
    ]
    assert all("Trained in" in said for _, said in others)
    assert len({first.checksum, *(found.checksum for found, _ in others)}) == 4
    assert len(list(cache.iterdir())) == 4


@pytest.mark.parametrize("damage", ["cut", "changed", "of another network"])
def test_a_damaged_file_is_made_again(cache, training, eagerly, damage):
    first, _ = _quick(*training)
    (file,) = cache.iterdir()
    content = file.read_bytes()
    if damage == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        middle = len(content) // 2
        file.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    else:
        np.savez(file, **{str(number): np.zeros(3) for number in range(200)})
    again, said = _quick(*training)
    assert f"{file} is damaged; it is made again." in said
    assert _same(again, first)  # by the seed
    assert "earlier training" in _quick(*training)[1]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, training, eagerly, monkeypatch):
    (tmp_path / "file").write_text("mine")
    monkeypatch.setenv("CYCLEGAN_TF_CACHE", str(tmp_path / "file"))
    found, said = _quick(*training)
    assert "could not be kept, so the next one is trained too" in said
    assert found.classes_of(training[0][:1]).shape == (1, SIZE, SIZE)


def test_photographs_may_have_any_size(cache, training, eagerly):
    photographs, classes = (each[:, :15, :13] for each in training)
    found, _ = _quick(photographs, classes)
    padded = np.pad(photographs, [(0, 0), (0, 1), (0, 3), (0, 0)], mode="edge")
    expected = found.classes_of(padded)[:, :15, :13]
    np.testing.assert_array_equal(found.classes_of(photographs), expected)


def test_what_it_cannot_learn_from_is_refused(training):
    photographs, classes = training
    for arguments, sentence in (
        ((photographs.astype("float32"), classes, 6), "Expected uint8 photographs"),
        ((photographs[:0], classes[:0], 6), "at least one"),
        ((photographs, classes[:, :8], 6), r"Expected classes as integers \(64, 16, 16\)"),
        ((photographs, classes.astype("float32"), 6), "Received: float32"),
        ((photographs, classes, 5), "Received: 0 to 5, count=5"),
    ):
        with pytest.raises(ValueError, match=sentence):
            segmenter(*arguments)
    for option in ({"seed": -1}, {"steps": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(option))} must be an integer"):
            segmenter(photographs, classes, 6, **option)


def test_what_it_must_not_score_is_refused(cache, training, eagerly):
    photographs, classes = training
    found, _ = _quick(photographs, classes)
    model = tiny_model(compiled=False)
    known = Classes(classes, COLORS, "a")
    trained_on = HeldOut({"a": COLORS[classes], "b": photographs}, True, known)
    with pytest.raises(InputError, match="was trained on 64 of the photographs to score on"):
        evaluate(model, trained_on, segmenter=found)
    with pytest.raises(InputError, match="no direction of this evaluation makes them"):
        evaluate(model, HeldOut(trained_on.images), segmenter=found)
    two = HeldOut(trained_on.images, True, Classes(classes % 2, COLORS[:2], "a"))
    with pytest.raises(InputError, match="must know 2 classes in photographs of 3 channels"):
        evaluate(model, two, segmenter=found)
    with pytest.raises(InputError, match=r"must be one of cyclegan_tf\.segmenter"):
        evaluate(model, trained_on, segmenter=found.network)
    with pytest.raises(InputError, match="segmented_iou needs a segmenter: --segmenter"):
        evaluate(model, trained_on, measures=["segmented_iou"])
    with pytest.raises(ValueError, match="Expected photographs of 3 channels"):
        found.classes_of(photographs[..., :1])


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    tiny_model(compiled=False).save(path)
    return path


def test_the_command_trains_none_in_vain(cache, here, file, tmp_path):
    asked = ("evaluate", file, "scenes", "--image-size", 16, "--segmenter")
    for options in (("--direction", "ba"), ("--metrics", "psnr")):
        sentence = here(*asked, *options).refused()
        assert "--segmenter is for the direction ab of scenes" in sentence
    for domain in "AB":
        (tmp_path / f"test{domain}").mkdir()
        Image.fromarray(smooth(16, 16)).save(tmp_path / f"test{domain}" / "image.png")
    sentence = here("evaluate", file, tmp_path, "--segmenter").refused()
    assert "needs photographs whose classes are known, as of scenes and earth" in sentence
    assert not cache.exists()


def test_the_command_scores_photographs(cache, here, file, tmp_path):
    asked = ("evaluate", file, "scenes", "--image-size", 32, "--segmenter")
    wanted = ("--metrics", ",".join(SEGMENTED), "--count", 50)
    ended = here(*asked, *wanted, "--out", tmp_path / "out")
    assert ended.status == 0, ended.errors
    assert "Training a segmenter on 300 photographs" in ended.output
    scores = json.loads((tmp_path / "out/scores.json").read_text())["ab"]
    truth = scores["baselines"]["truth"]
    assert truth["segmented_per_pixel"] > 0.9
    assert truth["segmented_iou"] > 0.7
    assert scores["scores"]["segmented_iou"] < 0.5
    assert len(list(cache.iterdir())) == 1
