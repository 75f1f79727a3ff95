"""Which epoch is the best, and what is said of a run, on scores made by hand."""

import dataclasses
import json
import math
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


def _added(*epochs):
    found = Evaluations("kernel_x")
    for each in epochs:
        found.add(each)
    return found


def _evaluations(*distances, **alarms):
    """Of the epochs 5, 10, …; `alarms` by name are epochs."""
    return _added(
        *(
            _epoch(5 * n, value, alarms=[a for a, when in alarms.items() if 5 * n in when])
            for n, value in enumerate(distances, 1)
        )
    )


def test_the_best_epoch_has_less_structure_distance_within_one_standard_error():
    # Of the mean of two directions with an error of 0.01 each: √(2 · 0.01²) / 2 = 0.0071.
    found = Evaluations("kernel_x")
    assert found.add(_epoch(1, 0.900, structure=0.10))
    assert found.add(_epoch(2, 0.506, structure=0.25))  # the first is too far from the lowest
    assert not found.add(_epoch(3, 0.500, structure=0.30))
    assert not found.add(_epoch(4, 0.508, structure=0.20))  # too far
    assert found.best == 2
    assert found.add(_epoch(5, 0.507, structure=0.20))
    assert found.best == 5


@pytest.mark.parametrize("errors", [(0.02, 0.02, 0.4), (0.1, 0.1, 0.03)])
def test_the_best_epoch_is_one_that_was_the_best_when_it_came(errors):
    """Its networks were kept then: a bound that moves may not go back to others."""
    series = [(0.100, 0.30), (0.105, 0.10), (0.090, 0.40)]
    found, kept = Evaluations("kernel_x"), None
    for number, ((distance, structure), error) in enumerate(zip(series, errors), 1):
        if found.add(_epoch(number, distance, structure, error=error)):
            kept = number
        assert found.best == kept


def test_directions_count_alike():
    one, other = _epoch(1, 0.5), _epoch(2, 0.4)
    worse = {**other.directions["ba"], "scores": {"kernel_x": 0.8, "structure": 0.3}}
    other = dataclasses.replace(other, directions={**other.directions, "ba": worse})
    assert _added(one, other).best == 1  # 0.5 beside 0.6


def test_an_epoch_with_an_alarm_is_not_the_best():
    assert _evaluations(0.9, 0.5, 0.6, collapsed=[10]).best == 15
    assert _evaluations(0.9, collapsed=[5]).best is None


def test_without_a_distance_no_epoch_is_the_best():
    found = Evaluations()
    assert not found.add(_epoch(1, 0.9))
    assert found.best is None
    assert verdict(found).name == "unmeasured"


def test_a_run_that_goes_back_forgets_what_comes_after():
    found = _evaluations(0.9, 0.5, 0.6)
    assert not found.go_back(10)
    assert [each.epoch for each in found.epochs] == [5, 10]
    assert found.best == 10
    assert found.go_back(9)
    assert found.best is None
    found.add(_epoch(10, 0.7))
    assert found.best == 10


@pytest.mark.parametrize(
    ("distances", "name", "text"),
    [
        ((0.9, 0.8, 0.7), "early", "no failure shows, and mean kernel distance 0.7 ± 0.0071."),
        (
            (0.9, 0.8, 0.7, 0.6),
            "improving",
            "distance 0.6 ± 0.0071, from 0.9 at epoch 5.",
        ),
        ((0.9, 0.8, 0.5, 0.505, 0.51, 0.502), "flat", "Flat: since epoch 15; mean kernel distance"),
        # An epoch that was no worse but for chance counts as the begin of the plateau.
        ((0.9, 0.505, 0.5, 0.505, 0.506, 0.51), "flat", "Flat: since epoch 10; "),
        ((0.9, 0.5, 0.52, 0.7, 0.6), "worse", "Worse: since epoch 10; "),
        ((0.9, 0.5, 0.52, 0.7, 0.501), "flat", "Flat: since epoch 10; "),
        # The lowest so far is no plateau, by chance or not.
        ((0.9, 0.5, 0.52, 0.7, 0.499), "improving", ""),
    ],
)
def test_trends(distances, name, text):
    said = verdict(_evaluations(*distances))
    assert said.name == name
    assert text in said.sentence
    assert said.advice


def test_a_long_run_needs_a_longer_plateau():
    """A fifth of the epochs that are planned: of 50 it is the last 10, of 100 the last 20."""
    found = _evaluations(0.9, 0.7, 0.5, 0.505, 0.505, 0.505)  # to epoch 30; the lowest is of 15
    assert verdict(found, planned=70).name == "flat"
    assert verdict(found, planned=80).name == "improving"


def test_nobody_is_told_to_stop_before_the_rate_has_fallen():
    for distances in ((0.9, 0.5, 0.505, 0.505, 0.505), (0.9, 0.5, 0.6, 0.6, 0.6)):
        found = _evaluations(*distances)
        assert "Stop here" in verdict(found).advice
        assert "Train on" in verdict(found, rate_falls=True).advice


def test_nobody_is_told_to_stop_at_translations_that_are_no_better_than_copies():
    found = _evaluations(0.9, 0.8, 0.85, 0.85, 0.85)
    found.baselines = {each: {"copy": {"kernel_x": 0.7}} for each in ("ab", "ba")}
    assert "no nearer to real images than copies" in verdict(found).advice
    found.baselines = {each: {"copy": {"kernel_x": 0.81}} for each in ("ab", "ba")}
    assert "Stop here" in verdict(found).advice


# Mean distances and errors that healthy runs on the built-in scenes had, each epoch evaluated.
_HEALTHY = json.loads((pathlib.Path(__file__).parent / "healthy_distances.json").read_text())


@pytest.mark.parametrize("seed", range(len(_HEALTHY)))
def test_a_healthy_run_is_not_told_to_stop(seed):
    found = Evaluations("kernel_x")
    for number, (distance, error) in enumerate(_HEALTHY[seed], 1):
        # Of the mean of two directions.
        found.add(_epoch(number, distance, error=error * math.sqrt(2)))
        said = verdict(found, planned=24, rate_falls=number < 23)
        assert said.name in ("early", "improving", "flat")
        assert number >= 23 or "Stop" not in said.advice


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
    found.verdict = vars(verdict(found))
    found.write(path)
    assert read(path) == found


def test_a_file_of_another_version_is_read_as_far_as_it_goes(tmp_path):
    path = tmp_path / "evaluations.json"
    path.write_text('{"best": 3, "news": 5}')
    assert read(path) == Evaluations(best=3)


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
