"""The scores that a run got while it trained, and which epoch was the best."""

import dataclasses
import json
import math

from cyclegan_tf import files
from cyclegan_tf.errors import InputError

RULE = (
    "The best epoch has the least structure distance among those whose kernel distance is within "
    "one standard error of the lowest, means over the directions; an epoch with an alarm is none."
)


@dataclasses.dataclass(frozen=True)
class EpochScores:
    """The scores of one epoch.

    Attributes:
        epoch: number of epochs done, from 1.
        seconds: that the evaluation took.
        directions: `{"ab": {"scores": …, "standard_errors": …, "alarms": […]}, …}`, as
            `DirectionEvaluation.as_dictionary` gives them.
    """

    epoch: int
    seconds: float
    directions: dict

    def mean(self, measure):
        """The mean of a measure over the directions; `None` if one lacks it."""
        values = [each["scores"].get(measure) for each in self.directions.values()]
        return None if None in values else sum(values) / len(values)

    def standard_error(self, measure):
        """Of that mean, if the directions were independent."""
        errors = [each["standard_errors"].get(measure, 0.0) for each in self.directions.values()]
        return math.hypot(*errors) / len(errors)

    def alarms(self, name=None):
        """`(direction, alarm)` for all alarms, or those of a name."""
        return [
            (direction, alarm)
            for direction, each in self.directions.items()
            for alarm in each["alarms"]
            if name in (None, alarm["name"])
        ]


@dataclasses.dataclass
class Evaluations:
    """The evaluations of a run, as written to its `evaluations.json`.

    Attributes:
        distance: name of the kernel distance; `None` if none was measured.
        epochs: `EpochScores`, by rising epoch.
        measures: `{name: {"best": "low" or "high", "meaning": …}}`.
        baselines: scores of what needs no training, `{"ab": {"copy": {measure: value}}, …}`.
        protocol: how they were measured.
        training_seconds, evaluation_seconds: of the whole run.
        verdict: of the last evaluation, as a dictionary; see `cyclegan_tf.runs.verdict`.
    """

    distance: str | None = None
    epochs: list = dataclasses.field(default_factory=list)
    measures: dict = dataclasses.field(default_factory=dict)
    baselines: dict = dataclasses.field(default_factory=dict)
    protocol: dict = dataclasses.field(default_factory=dict)
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    verdict: dict | None = None

    def add(self, scores):
        """Adds an epoch; the one of that number is replaced, as when a run resumes before it."""
        kept = [each for each in self.epochs if each.epoch != scores.epoch]
        self.epochs = sorted([*kept, scores], key=lambda each: each.epoch)

    @property
    def distances(self):
        """`(EpochScores, kernel distance)` of the epochs that have one, mean over directions."""
        if self.distance is None:
            return []
        found = [(each, each.mean(self.distance)) for each in self.epochs]
        return [(each, value) for each, value in found if value is not None]

    @property
    def best(self):
        """The best epoch by `RULE`; `None` if there is none."""
        alike = within_one_error(self.distances, self.distance)
        return min(alike, key=_structure, default=None)

    def write(self, path):
        best = self.best
        content = {
            "rule": RULE,
            "best": best and best.epoch,
            "share_of_time": self.evaluation_seconds / max(self.training_seconds, 1e-9),
            **dataclasses.asdict(self),
        }
        files.write_text(path, json.dumps(content, indent=2) + "\n")


def within_one_error(distances, name):
    """The epochs without alarms that are no worse than the best but for chance.

    This is the rule of one standard error (Breiman et al. 1984, Classification and Regression
    Trees, 3.4.3).

    Args:
        distances: as `Evaluations.distances`.
        name: of the distance.

    Returns:
        A list of `EpochScores`, by rising epoch.
    """
    sound = [(each, value) for each, value in distances if not each.alarms()]
    if not sound:
        return []
    best, lowest = min(sound, key=lambda found: found[1])
    bound = lowest + best.standard_error(name)
    return [each for each, value in sound if value <= bound]


def _structure(scores):
    """To sort by: unknown structure comes last."""
    mean = scores.mean("structure")
    return math.inf if mean is None else mean


def read(path):
    """The `Evaluations` of a file; empty ones if there is no file.

    Raises:
        InputError: the file is something else.
    """
    if not path.exists():
        return Evaluations()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = {field.name for field in dataclasses.fields(Evaluations)}
        found = Evaluations(**{name: content[name] for name in names})
        found.epochs = [EpochScores(**each) for each in found.epochs]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path} does not hold the evaluations of a run ({error!r}); move it away to go on."
        ) from error
    return found
