"""The scores that a run got while it trained, and which epoch was the best."""

import dataclasses
import json
import math

from cyclegan_tf import files
from cyclegan_tf.errors import InputError

RULE = (
    "A new epoch becomes the best if its kernel distance is within one standard error of the "
    "lowest so far and its structure distance is less than that of the best, or the best is no "
    "longer within that error. Distances are means over the directions; an epoch with an alarm is "
    "none."
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
        best: number of the best epoch by `RULE`, whose networks `best.keras` holds; or `None`.
        epochs: `EpochScores`, by rising epoch.
        measures: `{name: {"best": "low" or "high", "meaning": …}}`.
        baselines: scores of what needs no training, `{"ab": {"copy": {measure: value}}, …}`.
        protocol: how they were measured.
        training_seconds, evaluation_seconds: of the whole run.
        verdict: of the last evaluation, as a dictionary; see `cyclegan_tf.runs.verdict`.
    """

    distance: str | None = None
    best: int | None = None
    epochs: list = dataclasses.field(default_factory=list)
    measures: dict = dataclasses.field(default_factory=dict)
    baselines: dict = dataclasses.field(default_factory=dict)
    protocol: dict = dataclasses.field(default_factory=dict)
    training_seconds: float = 0.0
    evaluation_seconds: float = 0.0
    verdict: dict | None = None

    def add(self, scores):
        """Adds the scores of a further epoch; says whether it is the best one now."""
        self.epochs.append(scores)
        candidates = {each.epoch: each for each in within_one_error(self.distances, self.distance)}
        before = candidates.get(self.best)
        if scores.epoch not in candidates or (
            before is not None and _structure(before) <= _structure(scores)
        ):
            return False
        self.best = scores.epoch
        return True

    def go_back(self, epoch):
        """Forgets what comes after an epoch; says whether the best one was among it."""
        self.epochs = [each for each in self.epochs if each.epoch <= epoch]
        lost = self.best is not None and self.best > epoch
        if lost:
            self.best = None
        return lost

    @property
    def distances(self):
        """`(EpochScores, kernel distance)` of the epochs that have one, mean over directions."""
        if self.distance is None:
            return []
        found = [(each, each.mean(self.distance)) for each in self.epochs]
        return [(each, value) for each, value in found if value is not None]

    @property
    def of_copy(self):
        """The kernel distance of a copy of the input, mean over directions; `None` if unknown."""
        found = [each.get("copy", {}).get(self.distance) for each in self.baselines.values()]
        return None if None in found or not found else sum(found) / len(found)

    def write(self, path):
        share = self.evaluation_seconds / self.training_seconds if self.training_seconds else None
        content = {"rule": RULE, "share_of_time": share, **dataclasses.asdict(self)}
        files.write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


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

    What another version wrote besides is left out, and what it did not write is empty.

    Raises:
        InputError: the file is something else.
    """
    if not path.exists():
        return Evaluations()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise TypeError("no names")
        names = {field.name for field in dataclasses.fields(Evaluations)} & set(content)
        found = Evaluations(**{name: content[name] for name in names})
        found.epochs = [EpochScores(**each) for each in found.epochs]
        _check_kinds(found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold the evaluations of a run ({error!r}); move it away to go on."
        ) from error
    return found


def _check_kinds(evaluations):
    """Raises a TypeError if a part is of another kind than it should be."""
    parts = [evaluations.measures, evaluations.baselines, evaluations.protocol]
    parts += [each.directions for each in evaluations.epochs]
    parts += [of for each in evaluations.epochs for of in each.directions.values()]
    parts += [{} if evaluations.verdict is None else evaluations.verdict]
    if not all(isinstance(part, dict) for part in parts):
        raise TypeError("a list where names belong")
    for each in evaluations.epochs:
        for of in each.directions.values():
            of["scores"].items(), of["standard_errors"].items(), iter(of["alarms"])
