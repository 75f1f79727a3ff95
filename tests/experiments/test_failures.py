"""Domains have the flaw that is claimed, scores tell it, and the page counts what was seen."""

import dataclasses
import re

import numpy as np
import pytest
from PIL import Image

import cyclegan_tf
from cyclegan_tf import metrics
from cyclegan_tf.data.scenes import CLASSES, COLORS
from cyclegan_tf.experiments import failing_domains, failure_scores
from cyclegan_tf.experiments.failing_domains import drawn
from cyclegan_tf.experiments.failure_study import failure_study
from cyclegan_tf.experiments.failures import FAILURES
from cyclegan_tf.experiments.grid import GridFolder
from cyclegan_tf.experiments.labeled_source import labeled_source
from cyclegan_tf.experiments.training_cell import EPOCHS
from cyclegan_tf.experiments.translation_tables import Setting

SIZE, COUNT = 32, 6
CAR = CLASSES.index("car")
VARIANTS = {
    (failure.name, variant.name): variant for failure in FAILURES for variant in failure.variants
}


def _drawn(failure, variant, count=COUNT, **arguments):
    return drawn(VARIANTS[failure, variant].draw, count, SIZE, 0, **arguments)


@pytest.mark.parametrize("name", VARIANTS, ids="-".join)
def test_images_are_drawn_from_a_seed_and_none_is_in_both_splits(name):
    first, again, test = _drawn(*name), _drawn(*name, count=3), _drawn(*name, split="test")
    for domain in "ab":
        assert first[domain].images.shape == (COUNT, SIZE, SIZE, 3)
        assert first[domain].classes.shape == (COUNT, SIZE, SIZE)
        np.testing.assert_array_equal(again[domain].images, first[domain].images[:3])
        every = np.concatenate([first[domain].images, test[domain].images])
        assert len(np.unique(every.reshape(2 * COUNT, -1), axis=0)) == 2 * COUNT


def test_discs_lie_one_above_the_other_or_side_by_side():
    size, patch = FAILURES[0].size, 16  # of discriminators of one strided layer
    for domain, of in drawn(failing_domains.shapes, COUNT, size, 0).items():
        for image, inside in zip(of.images, of.classes == failing_domains.OBJECT):
            rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
            along, across = (rows, columns) if domain == "a" else (columns, rows)
            assert (np.diff(across) == 1).all()
            assert sorted(np.diff(along))[-2] == 1
            assert patch - 5 < np.diff(along).max() - 1 < patch  # the gap
            red, _, blue = image[inside].mean(0)
            assert red > blue + 50 if domain == "a" else blue > red + 50


def test_photographs_lack_cars_and_label_maps_have_them():
    without, with_cars = _drawn("missing", "without"), _drawn("missing", "with")
    for of in (without, with_cars):
        assert (of["a"].classes == CAR).any((1, 2)).all()
        np.testing.assert_array_equal(of["a"].images, COLORS[of["a"].classes])
    assert not (without["b"].classes == CAR).any()
    assert (with_cars["b"].classes == CAR).any((1, 2)).all()


def test_dark_and_bright_are_spread_alike_in_both_domains():
    for of in _drawn("inverted", "free", count=100).values():
        gray = of.images.astype(float) @ [0.299, 0.587, 0.114]
        low, middle, high = np.quantile(gray, [0.1, 0.5, 0.9])
        assert (high - middle) / (middle - low) == pytest.approx(1, abs=0.15)
        assert of.classes.mean() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("variant", "shares"), [("unequal", (0.75, 0.25)), ("equal", (0.75, 0.75))]
)
def test_amounts_of_trees_are_those_of_the_variant(variant, shares):
    of = _drawn("amounts", variant)
    for domain, share in zip("ab", shares):
        trees = (of[domain].classes == failing_domains.TREE).mean((1, 2))
        np.testing.assert_allclose(trees, share, atol=2 / SIZE**2)
    found = metrics.nearest_class(of["a"].images, failing_domains.MAP_COLORS)
    np.testing.assert_array_equal(found, of["a"].classes)
    # Photographs show their classes to the same look that scores translations.
    found = metrics.nearest_class(of["b"].images, failing_domains.PHOTOGRAPH_COLORS)
    assert (found == of["b"].classes).mean() > 0.9


def test_scores_of_discs_tell_recolored_from_turned_ones():
    discs = _drawn("shapes", "patches")["a"]
    inside = (discs.classes == failing_domains.OBJECT)[..., None]
    recolored = np.where(inside, np.uint8(failing_domains.LYING_COLOR), discs.images)
    scores = failure_scores.of_shapes(discs, recolored, "ab")
    assert scores["recolored"] == 1
    assert scores["turned"] == 0
    assert scores["overlap"] > 0.9
    scores = failure_scores.of_shapes(discs, np.swapaxes(recolored, 1, 2), "ab")
    assert scores["turned"] == 1
    assert scores["overlap"] < 0.1


def test_scores_of_amounts_tell_right_from_permuted_classes():
    maps = _drawn("amounts", "unequal")["a"]
    right = failing_domains.PHOTOGRAPH_COLORS[maps.classes]
    permuted = failing_domains.PHOTOGRAPH_COLORS[1 - maps.classes]
    expected = {"trees_before": pytest.approx(0.75, abs=0.01)}
    assert failure_scores.of_amounts(maps, right, "ab") == {
        "right_class": 1, "trees_after": pytest.approx(0.75, abs=0.01), **expected
    }  # fmt: skip
    assert failure_scores.of_amounts(maps, permuted, "ab") == {
        "right_class": 0, "trees_after": pytest.approx(0.25, abs=0.01), **expected
    }  # fmt: skip


def test_scores_of_streets_count_made_cars():
    for variant in ("without", "with"):
        streets = _drawn("missing", variant)["b"]
        made = np.array(COLORS[streets.classes])
        made[:, :8, :16] = COLORS[CAR]  # in the sky
        cars, added = (streets.classes == CAR).sum(), COUNT * 8 * 16
        assert failure_scores.of_streets(streets, made, "ba", None) == pytest.approx(
            {
                "cars_made": (cars + added) / streets.classes.size,
                "cars_there": cars / streets.classes.size,
                "cars_invented": added / (cars + added),
            }
        )


def test_negatives_are_seen_and_noticed():
    gray = _drawn("inverted", "free")["a"]
    negative = 255 - gray.images
    assert failure_scores.of_tones(gray, negative, "ab") == {"inverted": 1}
    assert failure_scores.of_tones(gray, gray.images, "ab") == {"inverted": 0}
    assert [alarm.name for alarm in metrics.alarms(gray.images, negative)] == ["inverted"]


def _cells():
    study = failure_study(Setting(labeled_source("scenes", 64), seeds=(0, 1), steps=EPOCHS))
    return study, {cell.name: cell for cell in study.cells}


def test_a_training_is_scored_as_by_hand(tmp_path):
    cell = _cells()[1]["failure_amounts_unequal_1"]
    options = {"base_filters": 4, "blocks": 1, "strided_layers": 1}
    result = dataclasses.replace(cell, options=options, count=COUNT).run(tmp_path, print)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 6 * 128  # there and back, both ways
    model = cyclegan_tf.load(tmp_path / "run")
    test = drawn(cell.draw, COUNT, cell.size, 1, split="test")
    made = model.translate(test["a"].images, "ab")
    found = metrics.nearest_class(made, failing_domains.PHOTOGRAPH_COLORS)
    assert result["ab"]["scores"]["right_class"] == (found == test["a"].classes).mean()
    assert set(result["ab"]["scores"]) >= {"structure", "edge_agreement"}
    expected = metrics.alarms(test["a"].images, made, test["b"].images)
    assert list(result["ab"]["alarms"]) == [alarm.name for alarm in expected]


def _result(share, *alarms):
    of = {"scores": {"inverted": share}, "alarms": dict.fromkeys(alarms, "a sentence")}
    return {"ab": of, "ba": of}


def test_the_page_counts_what_was_seen(tmp_path):
    study, cells = _cells()
    results = {
        "failure_inverted_free_0": _result(1.0, "inverted"),
        "failure_inverted_free_1": _result(0.25),
        "failure_inverted_identity_0": _result(0.0),
    }
    assert set(results) < set(cells)
    for name in results:
        folder = GridFolder(tmp_path).cell(name)
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "sheet.png")
    page = study.write(results, tmp_path / "tables")
    text = (tmp_path / "tables" / "failures.md").read_text()
    for each in (page, text):
        assert "Without identity loss: seen in 1 of 2 trainings." in each
        assert "The alarm inverted was raised in 1 of these. a sentence" in each
        assert "Identity loss of 0.5: seen in 0 of 1 training." in each
        assert "inverted 0.62 (0.25–1.00)" in each
        assert "Shapes" not in each
    sheets = re.findall(r'<img src="([^"]+)"', page)
    assert sheets == [
        "tables/failure_inverted_free_0.png",
        "tables/failure_inverted_identity_0.png",
    ]
    assert all((tmp_path / sheet).exists() for sheet in sheets)
    assert study.write({}, tmp_path / "tables") == ""


def test_a_failure_that_no_alarm_notices_is_said_to_be_so(tmp_path):
    study, _ = _cells()
    name = "failure_amounts_unequal_0"
    of = {"scores": {"right_class": 0.1, "trees_before": 0.75, "trees_after": 0.25}, "alarms": {}}
    GridFolder(tmp_path).cell(name).mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(GridFolder(tmp_path).cell(name) / "sheet.png")
    page = study.write({name: {"ab": of, "ba": of}}, tmp_path / "tables")
    assert "seen in 1 of 1 training. No alarm noticed it. Known classes tell it" in page
