"""Scores of the study "real or fake", from files of answers as its page saves them."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from cyclegan_tf.experiments.real_or_fake.key import opened, sealed
from cyclegan_tf.experiments.real_or_fake.scores import share_of

REAL = [0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1]  # of two pairs of practice and twelve that count
PRACTICE, TRIALS = 2, 12


def answers(fooled, study="0a1b2c", exposures=(1000.0, 1000.0), side=None, **changes):
    """What the page saves of a person who is fooled in the trials of these numbers, from 0."""
    trials = []
    for pair, real in enumerate(REAL):
        wrong = pair - PRACTICE in fooled
        chosen = 1 - real if wrong else real
        first = chosen if (pair % 2 if side is None else side) == 0 else 1 - chosen
        trials.append(
            {
                "pair": pair,
                "order": [first, 1 - first],
                "chosen": chosen,
                "exposures": list(exposures),
                "seconds": 0.5 + pair / 64 + len(fooled),
            }
        )
    return {
        "format": "cyclegan_tf answers: real or fake",
        "version": 1,
        "study": study,
        "key": sealed(study, REAL),
        "direction": "ab",
        "trials": TRIALS,
        "practice": PRACTICE,
        "milliseconds": 1000,
        "session": 5,
        "answers": trials,
        **changes,
    }


@pytest.fixture
def score(here, tmp_path):
    """Scores files of these contents, named after their place, by the command."""

    def score(*contents):
        folder = tmp_path / "answers"
        folder.mkdir(exist_ok=True)
        for number, content in enumerate(contents):
            text = content if isinstance(content, str) else json.dumps(content)
            (folder / f"{number}.json").write_text(text)
        return here("study", "--score", *sorted(folder.glob("*.json")))

    score.folder = tmp_path / "answers"
    return score


def written(score):
    return json.loads((score.folder / "scores" / "scores.json").read_text())


def test_shares_are_those_that_hands_compute(score):
    ended = score(answers({0, 1, 2}), answers({3, 4, 5, 6, 7, 8}), answers(set()))
    assert ended.status == 0, ended.errors
    found = written(score)
    assert found["fooled"] == 9 / 36
    # Shares of people 1/4, 1/2, 0: their variance 1/24; the mean of p (1 - p) / 12 is 7/576.
    assert found["standard_deviation"] == pytest.approx(((1 / 24 + 7 / 576) / 3) ** 0.5, rel=0.02)
    assert found["chance"] == 0.5
    assert found["pairs"]["2"] == {"shown": 3, "fooled": 1}
    assert found["pairs"]["13"] == {"shown": 3, "fooled": 0}
    assert "3 of 3 people count, with 36 of 36 trials" in ended.output
    assert "Fooled: 25.0 % ± 13." in ended.output
    rows = list(csv.DictReader((score.folder / "scores" / "scores.csv").read_text().splitlines()))
    assert [row["share"] for row in rows] == ["0.25", "0.5", "0.0"]
    with Image.open(score.folder / "scores" / "scores.png") as plot:
        assert plot.width > 600


def test_a_bootstrap_of_scipy_agrees():
    stats = pytest.importorskip("scipy.stats")
    random = np.random.default_rng(1)
    rates = random.beta(3, 7, 12)
    people = [random.random(30 - number) < rate for number, rate in enumerate(rates)]

    def fooled(chosen):
        drawn = [random.choice(people[int(number)], len(people[int(number)])) for number in chosen]
        return np.concatenate(drawn).mean()

    theirs = stats.bootstrap(
        (np.arange(12),), fooled, vectorized=False, n_resamples=1000, method="percentile"
    )
    ours = share_of([each.sum() for each in people], [len(each) for each in people])
    assert ours.value == np.concatenate(people).mean()
    assert ours.deviation == pytest.approx(theirs.standard_error, rel=0.1)
    np.testing.assert_allclose(ours.interval, theirs.confidence_interval, atol=0.02)


def test_intervals_hold_the_true_rate_as_often_as_they_say():
    """Of 200 studies with 25 people, whose rates differ, and 40 trials: nearly 95 %."""
    random = np.random.default_rng(0)
    true, within = 0.268, 0
    for seed in range(200):
        fooled = random.binomial(40, random.beta(8 * true, 8 * (1 - true), 25))
        low, high = share_of(fooled, [40] * 25, draws=500, seed=seed).interval
        within += low <= true <= high
    assert 0.91 <= within / 200 <= 0.98


def test_a_study_that_fools_nobody_and_one_person(score):
    ended = score(answers(set()))
    assert "Fooled: 0.0 % ± 0.0" in ended.output
    assert "the interval lies below it" in ended.output
    assert "With one person" in ended.output


def test_chance_lies_within_the_interval_of_guesses(score):
    ended = score(answers({0, 2, 4, 6, 8, 10}), answers({1, 2, 5, 6, 9, 10}))
    assert "it is within the interval" in ended.output
    for file in score.folder.glob("*.json"):
        file.unlink()
    assert "the interval lies above it" in score(answers(set(range(12)))).output


def test_each_rule_leaves_out_what_it_says(score):
    part = answers({0, 1})
    part["answers"] = part["answers"][:7]
    mixed = answers({0, 1, 2})
    for number, exposure in ((2, 1034.0), (3, 1034.1), (4, 965.9), (5, 966.0)):
        mixed["answers"][number]["exposures"][1] = exposure
    ended = score(
        answers({0}),
        part,
        answers({0}),
        answers({2, 3}, side=1),
        answers({1}, exposures=(1000.0, 1100.0)),
        mixed,
    )
    assert ended.status == 0, ended.errors
    people = written(score)["people"]
    assert [person["left_out"] for person in people] == [
        "",
        "not complete, 5 of 12 trials",
        "the same answers as 0.json",
        "the same side in all trials",
        "exposures out of bounds in 12 of 12 trials",
        "",
    ]
    assert people[5]["trials"] == 10  # without the third and the fourth of these exposures
    assert people[5]["fooled"] == 1  # the first trial, of 1034.0, counts
    assert written(score)["fooled"] == 2 / 22
    for person in people:
        assert not person["left_out"] or f"Left out: {person['file']}" in ended.output


def test_nobody_is_left(score):
    sentence = score(answers({0}, side=0)).refused()
    assert "No answers are left to score: 0.json: the same side in all trials" in sentence


def test_answers_of_another_study(score):
    sentence = score(answers({0}), answers({1}, study="ffff")).refused()
    assert "1.json answers the study ffff, and" in sentence
    assert "score each study by itself" in sentence
    sentence = score(answers({0}), answers({1}, milliseconds=500)).refused()
    assert "one study with different settings" in sentence


def changed(part, value):
    content = answers({0})
    content["answers"][3][part] = value
    return content


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("", "it is no JSON"),
        ('{"format": "cyclegan_tf answers', "it is no JSON"),
        ("[" * 100_000, "it is no JSON"),
        ("[]", "it has another format"),
        ({"fooled": 0.2}, "it has another format"),
        (answers({0}, version=2), "its version is 2, not 1"),
        (answers({0}, key="AAAA"), "The key does not fit the study"),
        (answers({0}, key=3), "its study, key or direction is none"),
        (answers({0}, direction="aa"), "its study, key or direction is none"),
        (answers({0}, trials=13), "The key does not fit the study"),
        (answers({0}, trials=True), "trials is True"),
        (answers({0}, practice=10**400), "practice is 1000"),
        (answers({0}, answers={}), "its answers are {}"),
        (answers({0}, answers=[3]), "an answer is 3"),
        (changed("pair", 14), "pair is 14"),
        (changed("pair", 4), "a pair is answered twice"),
        (changed("chosen", 2), "chosen is 2"),
        (changed("order", [0, 0]), "order is [0, 0]"),
        (changed("exposures", [1, float("nan")]), "exposures are [1, nan]"),
        (changed("exposures", 1000), "exposures are 1000"),
        ({k: v for k, v in answers({0}).items() if k != "trials"}, "'trials' is missing"),
        (answers({0}, answers=answers({0})["answers"][::-1]), "the practice does not come first"),
    ],
)  # fmt: skip
def test_files_that_are_no_answers(score, content, what):
    sentence = score(content).refused()
    assert "0.json is not a file of answers as the page of a study saves it: " in sentence
    assert what in sentence


def test_there_are_no_answers(here, tmp_path):
    assert "no.json does not exist" in here("study", "--score", tmp_path / "no.json").refused()
    assert "holds no file named *.json" in here("study", "--score", tmp_path).refused()


def test_a_folder_of_answers_is_scored_again(here, score):
    """The scores lie beside the answers, and are not taken for some."""
    score(answers({0}), answers({0, 1}))
    for _ in range(2):
        ended = here("study", "--score", score.folder)
        assert "2 of 2 people count" in ended.output, ended.errors
    assert written(score)["fooled"] == 3 / 24


def test_keys_tell_nothing_to_the_eye_and_fit_their_study_only():
    key = sealed("0a1b2c", REAL)
    assert opened("0a1b2c", key, len(REAL)) == REAL
    assert key != sealed("0a1b2d", REAL)
    other = key.replace(key[3], "B" if key[3] != "B" else "C")
    for study, text, count in (("0a1b2d", key, 14), ("0a1b2c", key, 13), ("0a1b2c", other, 14)):
        with pytest.raises(ValueError, match="does not fit the study"):
            opened(study, text, count)
    # Of one pair, both answers in as many characters; a change in one is a change in all of them.
    assert len(sealed("s", [0])) == len(sealed("s", [1]))
