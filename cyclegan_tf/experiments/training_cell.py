"""A cell of a table: one training, and the scores of its last and of its best epoch."""

import dataclasses

from cyclegan_tf.experiments.costs import cost_of
from cyclegan_tf.experiments.labeled_source import LabeledSource
from cyclegan_tf.runs.evaluate_callback import COUNT as EVALUATED_IMAGES
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.evaluations import read
from cyclegan_tf.runs.extractors import extractor
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.machine import read_machine
from cyclegan_tf.runs.train import train

EPOCHS = 12
# Short names, in which tables of photographs and of label maps compare.
MEASURES = ("per_pixel", "per_class", "iou")
_OF_PHOTOGRAPHS = {f"segmented_{name}": name for name in MEASURES}


@dataclasses.dataclass(frozen=True)
class TrainingCell:
    """Trains a system on images whose classes are known, and scores all its directions.

    Attributes:
        name: of the cell; a file name.
        images: a `LabeledSource`.
        system: as `cyclegan-tf train --system`.
        seed: of the run, and of built-in images.
        steps: of the training, a multiple of `EPOCHS`.
        options: further options of the run.
        count: test images at most.
        evaluations: how many of the `EPOCHS` are evaluated during training, to find the best one;
            0 for none.
    """

    name: str
    images: LabeledSource
    system: str
    seed: int
    steps: int
    options: dict
    count: int = 100
    evaluations: int = 4

    def run_options(self):
        """The `RunOptions` of the training."""
        return self.images.options(
            **{
                "system": self.system,
                "seed": self.seed,
                "epochs": EPOCHS,
                "steps_per_epoch": self.steps // EPOCHS,
                "evaluate_every": EPOCHS // self.evaluations if self.evaluations else 0,
                # One for all machines and systems, and equal from one try to the next.
                "precision": "float32",
                "strategy": "one",
                **self.options,
            }
        )

    def run(self, folder, log):
        """Trains, or resumes, and scores.

        Args:
            folder: of the cell; the run is in `run` below it.
            log: called with lines for the user.

        Returns:
            JSON values: `scores` by `"last"` and `"best"`, then by direction, then by measure;
            `baselines` by direction; `cost`; `alarms`; and what was trained.
        """
        options, run = self.run_options(), RunFolder(folder / "run")
        count = min(self.count, EVALUATED_IMAGES)
        model = train(options, run.path, evaluated_images=count, verbose=0, log=log)
        cost = cost_of(run, model, options.training.batch_size)
        held_out = self.images.held_out(options, self.count)
        last = self._evaluations(model, held_out, log)
        scores = {"last": _scores(last)}
        best = read(run.evaluations).best
        if best is not None:
            evaluations = self._evaluations(load(run.best), held_out, log, baselines=False)
            scores["best"] = _scores(evaluations)
        return {
            "scores": scores,
            "baselines": {
                direction: {name: _short(of) for name, of in each["baselines"].items()}
                for direction, each in last.items()
            },
            "alarms": {
                direction: [alarm["name"] for alarm in each["alarms"]]
                for direction, each in last.items()
            },
            "best_epoch": best,
            "epochs": EPOCHS,
            "cost": cost,
            "machine": read_machine(run.machine).get("processor"),
            "options": dataclasses.asdict(options),
        }

    def _evaluations(self, model, held_out, log, baselines=True):
        """The `DirectionEvaluation` of each direction of a model, as JSON values."""
        chosen = features(log)
        kernel = [chosen.distance_names[1]] if chosen else []
        found = {}
        for direction in model.directions:
            photographs = direction == self.images.to_photographs
            evaluation = evaluate(
                model,
                held_out,
                direction=direction,
                measures=[*(_OF_PHOTOGRAPHS if photographs else MEASURES), *kernel],
                extractor=chosen,
                segmenter=self.images.segmenter(log) if photographs else None,
                baselines=baselines,
            )
            found[direction] = evaluation.directions[direction].as_dictionary()
        return found


def features(log):
    """The extractor of all cells; `None`, with a line for the user, if it is not installed."""
    try:
        return extractor("efficientnet-lite0")
    except ImportError as error:
        log(f"Kernel distances are left out, and no best epoch is looked for. {error}")
        return None


def _scores(evaluations):
    return {direction: _short(each["scores"]) for direction, each in evaluations.items()}


def _short(scores):
    """Scores by the names that tables of both directions share."""
    return {
        _OF_PHOTOGRAPHS.get(name, "kernel" if name.startswith("kernel") else name): value
        for name, value in scores.items()
    }
