"""How many answers to a study were fooled, how sure that is, and whose answers count.

Only NumPy is needed.
"""

import dataclasses

import numpy as np

from cyclegan_tf.errors import InputError
from cyclegan_tf.experiments.real_or_fake.answers import Answers, read_all

CHANCE = 0.5  # of somebody who cannot tell the images apart
DRAWS = 10_000  # of the bootstrap, as published
TOLERANCE = 34.0  # milliseconds: two frames of a screen with 60 in a second
MOST_OUTSIDE = 0.25  # of a person's trials
ONE_SIDE_FROM = 11  # trials: the same side in all of them has a chance of less than 1 in 1000

RULES = (
    "A person is left out whose session is not complete.",
    "A file is left out that has the same answers as another.",
    f"A person is left out who chose the same side in all trials, if there are {ONE_SIDE_FROM} "
    "or more.",
    f"A trial does not count if one of its images was seen for more than {TOLERANCE:g} ms longer "
    f"or shorter than asked for; a person is left out if that is so in more than "
    f"{MOST_OUTSIDE:.0%} of the trials.",
)


@dataclasses.dataclass(frozen=True)
class Person:
    """What counts of one file.

    Attributes:
        answers: the file's `Answers`.
        counted: the trials that count.
        left_out: why none counts; empty if some do.
    """

    answers: Answers
    counted: tuple
    left_out: str = ""

    @property
    def fooled(self):
        """How many of the counted trials fooled the person."""
        return sum(trial.fooled for trial in self.counted)


@dataclasses.dataclass(frozen=True)
class Share:
    """The share of trials in which the translated image was taken for the real one.

    Attributes:
        value: in [0, 1].
        deviation: standard deviation of the bootstrap's shares, the published ±.
        interval: their 2.5th and 97.5th percentile.
    """

    value: float
    deviation: float
    interval: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class StudyScore:
    """The score of a study.

    Attributes:
        people: a `Person` for each file.
        share: `Share` over those who count.
        seed: of the bootstrap.
    """

    people: tuple[Person, ...]
    share: Share
    seed: int

    @property
    def settings(self):
        """`Settings` of the study."""
        return self.people[0].answers.settings

    @property
    def counted(self):
        """The people who count."""
        return [person for person in self.people if not person.left_out]


def score(paths, seed=0):
    """The `StudyScore` of files of answers.

    Args:
        paths: of files, or of folders of them.
        seed: of the bootstrap.

    Raises:
        InputError: the files cannot be used, or nobody is left who counts.
    """
    people, seen = [], {}
    for answers in read_all(paths):
        first = seen.setdefault(answers.trials, answers.path) if answers.trials else answers.path
        copied = "" if first is answers.path else f"the same answers as {first.name}"
        people.append(_judged(answers, copied))
    counted = [person for person in people if not person.left_out]
    if not counted:
        reasons = "; ".join(f"{person.answers.path.name}: {person.left_out}" for person in people)
        raise InputError(
            f"No answers are left to score: {reasons}. docs/real_or_fake.md has the rules."
        )
    fooled = [person.fooled for person in counted]
    trials = [len(person.counted) for person in counted]
    return StudyScore(tuple(people), share_of(fooled, trials, seed=seed), seed)


def _judged(answers, copied):
    """A `Person`, by the rules."""
    trials, settings = answers.trials, answers.settings
    inside = tuple(trial for trial in trials if _is_inside(trial, settings.milliseconds))
    outside = len(trials) - len(inside)
    reasons = (
        (len(trials) < settings.trials, f"not complete, {len(trials)} of {settings.trials} trials"),
        (copied, copied),
        (
            len(trials) >= ONE_SIDE_FROM and len({trial.side for trial in trials}) == 1,
            "the same side in all trials",
        ),
        (
            outside > MOST_OUTSIDE * len(trials),
            f"exposures out of bounds in {outside} of {len(trials)} trials",
        ),
    )
    left_out = next((text for applies, text in reasons if applies), "")
    return Person(answers, () if left_out else inside, left_out)


def _is_inside(trial, milliseconds):
    return all(abs(each - milliseconds) <= TOLERANCE for each in trial.exposures)


def share_of(fooled, trials, draws=DRAWS, seed=0):
    """The share fooled, with a bootstrap over people and, for each of them, over trials.

    A draw takes as many people with replacement, and of each person as many trials with
    replacement, as the published code does. The number fooled among n such trials, of which k were
    fooled, is binomial with n and k / n, so that is drawn instead of n trials.

    Args:
        fooled, trials: numbers of each person, `(people,)`; everyone has a trial.
        draws: of the bootstrap.
        seed: of its random numbers.

    Returns:
        `Share`.
    """
    fooled, trials = np.asarray(fooled), np.asarray(trials)
    random = np.random.default_rng(seed)
    people = random.integers(len(trials), size=(draws, len(trials)))
    drawn = random.binomial(trials[people], (fooled / trials)[people])
    shares = drawn.sum(1) / trials[people].sum(1)
    low, high = np.percentile(shares, [2.5, 97.5])
    return Share(float(fooled.sum() / trials.sum()), float(shares.std()), (float(low), float(high)))


def by_pair(score):
    """For each pair that counts, how often it was shown and how often it fooled, by its number."""
    found = {}
    for person in score.counted:
        for trial in person.counted:
            shown, fooled = found.get(trial.pair, (0, 0))
            found[trial.pair] = (shown + 1, fooled + trial.fooled)
    return {pair: found[pair] for pair in sorted(found)}
