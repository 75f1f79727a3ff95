"""Which epoch is the best, and what is said of a run, on scores made by hand."""

import dataclasses
import pathlib
import re

import pytest

from cyclegan_tf import InputError
from cyclegan_tf.runs.evaluations import EpochScores, Evaluations, read
from cyclegan_tf.runs.verdict import KINDS as verdicts
from cyclegan_tf.runs.verdict import verdict
from cyclegan_tf.systems.meanings import of_discriminator, share_of_undecided

ERROR = 0.01


def _alarm(name):
    return {"name": name, "value": 0.1, "threshold": 0.2, "sentence": f"This is {name}."}


def _epoch(number, distance, structure=0.3, alarms=(), error=ERROR):
    """Both directions alike, but for the alarms, which A → B alone has."""
    scores = {"kernel_x": distance, "structure": structure}
    direction = {"scores": scores, "standard_errors": {"kernel_x": error}, "alarms": []}
    alarmed = {**direction, "alarms": [_alarm(name) for name in alarms]}
    return EpochScores(number, 1.0, {"ab": alarmed, "ba": direction})


def _evaluations(*distances, **alarms):
    """Of the epochs 5, 10, …; `alarms` by name are epochs."""
    epochs = [
        _epoch(5 * n, value, alarms=[a for a, when in alarms.items() if 5 * n in when])
        for n, value in enumerate(distances, 1)
    ]
    return Evaluations("kernel_x", epochs)


def test_the_best_epoch_has_the_least_structure_distance_within_one_standard_error():
    # Of the mean of two directions with an error of 0.01 each: √(2 · 0.01²) / 2 = 0.0071.
    epochs = [
        _epoch(1, 0.900, structure=0.10),
        _epoch(2, 0.506, structure=0.25),
        _epoch(3, 0.500, structure=0.30),
        _epoch(4, 0.508, structure=0.20),
    ]
    assert Evaluations("kernel_x", epochs).best.epoch == 2


def test_directions_count_alike():
    one, other = _epoch(1, 0.5), _epoch(2, 0.4)
    worse = {**other.directions["ba"], "scores": {"kernel_x": 0.8, "structure": 0.3}}
    other = dataclasses.replace(other, directions={**other.directions, "ba": worse})
    assert Evaluations("kernel_x", [one, other]).best.epoch == 1  # 0.5 beside 0.6


def test_an_epoch_with_an_alarm_is_not_the_best():
    assert _evaluations(0.9, 0.5, 0.6, collapsed=[10]).best.epoch == 15
    assert _evaluations(0.9, collapsed=[5]).best is None


def test_without_a_distance_no_epoch_is_the_best():
    found = _evaluations(0.9, 0.5)
    found.distance = None
    assert found.best is None
    assert verdict(found).name == "unmeasured"


def test_an_epoch_that_is_evaluated_again_takes_the_place_of_the_first_time():
    found = _evaluations(0.9, 0.5, 0.6)
    found.add(_epoch(10, 0.7))
    assert [each.epoch for each in found.epochs] == [5, 10, 15]
    assert found.best.epoch == 15


@pytest.mark.parametrize(
    ("distances", "name", "text"),
    [
        ((0.9, 0.8, 0.7), "early", "no failure shows, and kernel distance 0.7 ± 0.0071."),
        ((0.9, 0.8, 0.7, 0.6), "improving", ": kernel distance 0.6 ± 0.0071, from 0.9 at epoch 5."),
        ((0.9, 0.8, 0.5, 0.505, 0.51, 0.502), "flat", "Flat: since epoch 15; kernel distance"),
        # An epoch that was no worse but for chance counts as the begin of the plateau.
        ((0.9, 0.505, 0.5, 0.505, 0.506, 0.51), "flat", "Flat: since epoch 10; "),
        ((0.9, 0.5, 0.52, 0.7, 0.6), "worse", "Worse: since epoch 10; "),
        ((0.9, 0.5, 0.52, 0.7, 0.501), "flat", "Flat: since epoch 10; "),
        ((0.9, 0.5, 0.52, 0.7, 0.49), "improving", ""),
    ],
)
def test_trends(distances, name, text):
    said = verdict(_evaluations(*distances))
    assert said.name == name
    assert text in said.sentence
    assert said.advice


def test_a_long_run_needs_a_longer_plateau():
    """A quarter of the evaluations: 3 of 12 are flat, and of 20 they are not yet."""
    falling = [0.9 - 0.01 * n for n in range(20)]
    end = [falling[-1] + 0.005] * 3
    assert verdict(_evaluations(*falling[-9:], *end)).name == "flat"
    assert verdict(_evaluations(*falling, *end)).name == "improving"


@pytest.mark.parametrize("name", ["returns_its_input", "collapsed", "inverted"])
def test_alarms_count_if_the_two_newest_evaluations_have_them(name):
    falling = (0.9, 0.8, 0.7, 0.6)
    assert verdict(_evaluations(*falling, **{name: [20]})).name == "improving"
    assert verdict(_evaluations(*falling, **{name: [5, 10]})).name == "improving"
    said = verdict(_evaluations(*falling, **{name: [5, 15, 20]}))
    assert said.name == name
    assert said.sentence == f"{said.title}: since epoch 15, A → B. This is {name}."


def test_blank_outputs_count_at_once():
    assert verdict(_evaluations(0.9, blank=[5])).name == "blank"


def test_a_discriminator_has_won_if_its_loss_is_near_0_in_two_epochs():
    found = _evaluations(0.9, 0.8, 0.7, 0.6)
    healthy, won = {"d_a": 0.4, "d_b": 0.3}, {"d_a": 0.4, "d_b": 0.01}
    assert verdict(found, [healthy, won]).name == "improving"
    assert verdict(found, [won, healthy]).name == "improving"
    said = verdict(found, [healthy, won, won])
    assert said.name == "discriminator_won"
    assert "the loss d_b is 1.0% of" in said.sentence


def test_shares_of_an_undecided_loss():
    """Halved least squares of 0.5 everywhere: (0.25 + 0.25) / 2; halved cross-entropy: log 2."""
    panels = {
        "D": {"d_a": of_discriminator("a", "lsgan"), "d_b": of_discriminator("b", "vanilla", 2)},
        "W": {"d_w": of_discriminator("a", "wgangp"), "d_c": of_discriminator("a", "lsgan")},
        "Other": {"cycle": "text"},
    }
    logs = {"d_a": 0.05, "d_b": 0.6931, "d_w": 3.0, "cycle": 1.0}
    shares = share_of_undecided(panels, logs)
    assert shares == {"d_a": pytest.approx(0.2), "d_b": pytest.approx(0.5, rel=1e-3)}


def test_evaluations_are_read_back(tmp_path):
    path = tmp_path / "evaluations.json"
    assert read(path) == Evaluations()
    found = _evaluations(0.9, 0.5, collapsed=[10])
    found.write(path)
    assert read(path) == found


@pytest.mark.parametrize("content", ["", "[]", '{"epochs": 3}', '{"epochs": [{"epoch": 1}]}'])
def test_another_file_is_refused(content, tmp_path):
    path = tmp_path / "evaluations.json"
    path.write_text(content)
    with pytest.raises(InputError, match="does not hold the evaluations of a run"):
        read(path)


def test_the_page_of_docs_has_a_heading_for_each_verdict():
    page = (pathlib.Path(__file__).parents[2] / "docs" / "working.md").read_text()
    headings = re.findall("^## (.*)$", page, re.MULTILINE)
    assert [title for title, _ in verdicts.values() if title not in headings] == []
