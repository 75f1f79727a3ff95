"""A training of which one failure, or what mends it, is expected."""

import dataclasses
from collections.abc import Callable

from cyclegan_tf import files
from cyclegan_tf.data import image_files
from cyclegan_tf.directions import from_domain
from cyclegan_tf.experiments.failing_domains import drawn
from cyclegan_tf.experiments.training_cell import EPOCHS, features
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.held_out import HeldOut
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.sheets import sample_grid
from cyclegan_tf.runs.train import train

SHEET = "sheet.png"
_IMAGES = "images"  # a folder with trainA and trainB
_TRAINING, _SHOWN = 200, 4  # images of each domain
_BLOCKS, _FILTERS = 3, 8


@dataclasses.dataclass(frozen=True)
class FailureCell:
    """Trains CycleGAN on made images, and tells what it learned.

    Attributes:
        name: of the cell; a file name.
        draw: `(rng, size, domain) -> (image, classes)`, as `failing_domains.drawn` takes it.
        score: `(inputs, outputs, direction, log) -> {name: share}`, of `failure_scores`.
        size: side of the images, in pixels.
        seed: of the images and of the training.
        steps: of the training, a multiple of `EPOCHS`.
        options: further options of the run.
        count: of scored images of each domain.
    """

    name: str
    draw: Callable
    score: Callable
    size: int
    seed: int
    steps: int
    options: dict = dataclasses.field(default_factory=dict)
    count: int = 32

    def run(self, folder, log):
        """Trains, or resumes, and scores; writes `sheet.png`, what images become.

        Args:
            folder: of the cell; the run is in `run` below it.
            log: called with lines for the user.

        Returns:
            JSON values by direction: `scores`, those of `score` and of the measures `structure` (if
            the extra `features` is there) and `edge_agreement`; and `alarms`, `{name: sentence}`.
        """
        if not (folder / _IMAGES).exists():
            self._write_images(folder / _IMAGES)
        options, run = self.run_options(folder / _IMAGES), RunFolder(folder / "run")
        model = train(options, run.path, verbose=0, log=log)
        test = drawn(self.draw, self.count, self.size, self.seed, split="test")
        images = {domain: of.images for domain, of in test.items()}
        with files.atomic_file(folder / SHEET) as path:
            shown = {domain: list(of[:_SHOWN]) for domain, of in images.items()}
            sample_grid(model, shown).save(path)
        extractor = features(log)
        measures = ["edge_agreement", *(["structure"] if extractor else [])]
        found = evaluate(
            model, HeldOut(images), measures=measures, extractor=extractor, baselines=False
        )
        return {
            direction: self._found(test[from_domain(direction)], direction, of, log)
            for direction, of in found.directions.items()
        }

    def _found(self, inputs, direction, evaluation, log):
        """The result of a direction, from its `DirectionEvaluation`."""
        shares = self.score(inputs, evaluation.translated.outputs, direction, log)
        measured = {name: score.value for name, score in evaluation.results.items()}
        return {
            "scores": {**shares, **measured},
            "alarms": {alarm.name: alarm.sentence for alarm in evaluation.alarms},
        }

    def run_options(self, images):
        """The `RunOptions` of the training on a folder of images."""
        options = {
            "preset": "labels",  # without identity loss
            "blocks": _BLOCKS,
            "base_filters": _FILTERS,
            "learning_rate": 1e-3,  # of short trainings
            "ema_momentum": 1 - 10 / self.steps,
            **self.options,
        }
        return resolve(
            str(images),
            load_size=self.size,
            crop_size=self.size,
            epochs=EPOCHS,
            steps_per_epoch=self.steps // EPOCHS,
            evaluate_every=0,
            precision="float32",
            strategy="one",
            seed=self.seed,
            **options,
        )

    def _write_images(self, folder):
        domains = drawn(self.draw, _TRAINING, self.size, self.seed)
        with files.atomic_folder(folder) as beside:
            for domain, of in domains.items():
                below = beside / f"train{domain.upper()}"
                below.mkdir()
                for number, image in enumerate(of.images):
                    image_files.to_pillow(image).save(below / f"{number:03}.png")
