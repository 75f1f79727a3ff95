"""A segmenter of real scenes that was trained on computer graphics, as they are or translated.

The use of CycleGAN that its authors measured with Hoffman et al. (CyCADA, arXiv 1711.03213) on
GTA5 and Cityscapes; here on the two styles of the built-in scenes, which take the parts of both.
"""

import dataclasses

import numpy as np
from PIL import Image

from cyclegan_tf import files, processor
from cyclegan_tf.data.drawn_scenes import DrawnScene
from cyclegan_tf.data.scenes import CLASSES, scene_pairs
from cyclegan_tf.experiments.costs import cost_of
from cyclegan_tf.experiments.training_cell import EPOCHS
from cyclegan_tf.metrics import class_scores, segmentation_scores
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.segmenter import segmenter
from cyclegan_tf.runs.sheets import image_grid
from cyclegan_tf.runs.train import train

RENDERED, TRANSLATED, REAL = "rendered", "translated", "real"
TESTED = REAL  # whose scores are asked for
_MOST = 300  # training scenes of each style
_SEGMENTER_STEPS = 200
SHEET = "translated.png"  # in the folder of the cell
_SHOWN = 6  # rows of it


@dataclasses.dataclass(frozen=True)
class SegmenterAdaptationCell:
    """Trains a segmenter on one kind of images, and tests it on real held-out ones.

    Domain A is computer graphics, domain B photographs, of other scenes.

    Attributes:
        name: of the cell; a file name.
        trained_on: `"rendered"`, computer graphics; `"translated"`, the same after a CycleGAN that
            is trained here, unpaired; or `"real"`, photographs, whose classes the others do not
            see.
        image_size: side of the images, in pixels.
        seed: of the scenes, the CycleGAN and the segmenter.
        steps: of the CycleGAN, a multiple of `EPOCHS`.
        base_filters: of the CycleGAN.
        tested: how many real images are held out.
    """

    name: str
    trained_on: str
    image_size: int
    seed: int
    steps: int
    base_filters: int
    tested: int

    def run(self, folder, log):
        """Trains, or resumes, and scores.

        Args:
            folder: of the cell; the run of the CycleGAN is in `run` below it.
            log: called with lines for the user.

        Returns:
            JSON values: `scores["last"]["real"]` by measure, `class_iou` by class, `cost` of the
            CycleGAN, if there is one.
        """
        images, classes = self.labeled()
        cost = {}
        if self.trained_on == TRANSLATED:
            images, cost = self._translated(images, folder, log)
        steps = min(_SEGMENTER_STEPS, self.steps)
        network = segmenter(images, classes, len(CLASSES), steps=steps, seed=self.seed, log=log)
        _, real, truth = self._scenes(self.tested, split="test")
        network.check_unseen(real)
        found = network.classes_of(real)
        iou = class_scores(truth, found, len(CLASSES))["iou"]
        return {
            "scores": {"last": {TESTED: segmentation_scores(truth, found, len(CLASSES))}},
            "class_iou": {
                name: None if np.isnan(value) else float(value) for name, value in zip(CLASSES, iou)
            },
            "cost": cost,
            "machine": processor.name(),
        }

    @property
    def trained(self):
        """How many scenes of a style are trained on; fewer if a training does not see as many."""
        return min(_MOST, self.steps)

    def labeled(self):
        """The images that the segmenter is trained on, before translation, and their classes."""
        graphics = self.trained_on != REAL
        _, images, classes = self._graphics() if graphics else self._photographs()
        return images, classes

    def options(self, source):
        """The `RunOptions` of the CycleGAN, with a folder of images."""
        return resolve(
            str(source),
            system="cyclegan",
            preset="paper",
            load_size=self.image_size,
            crop_size=self.image_size,
            base_filters=self.base_filters,
            lambda_identity=1.0,  # what looks real stays as it is
            # What so few steps need, as in the tables.
            learning_rate=1e-3,
            ema_momentum=1 - 10 / self.steps,
            seed=self.seed,
            epochs=EPOCHS,
            steps_per_epoch=self.steps // EPOCHS,
            evaluate_every=0,
            precision="float32",
            strategy="one",
        )

    def _scenes(self, count, **which):
        return scene_pairs(count, self.image_size, seed=self.seed, **which)

    def _graphics(self):
        return self._scenes(self.trained, split="train", style=DrawnScene)

    def _photographs(self):
        return self._scenes(self.trained, split="train", skip=self.trained)  # of other scenes

    def _translated(self, graphics, folder, log):
        """The images through a CycleGAN, and its cost."""
        source, run = folder / "images", RunFolder(folder / "run")
        if not source.exists():
            with files.atomic_folder(source) as beside:
                _write(graphics, beside / "trainA")
                _write(self._photographs()[1], beside / "trainB")
        model = train(self.options(source), run.path, verbose=0, log=log)
        translated = model.translate(graphics, "ab")
        grid = image_grid(
            [list(graphics[:_SHOWN]), list(translated[:_SHOWN])], ["rendered", "translated"]
        )
        with files.atomic_file(folder / SHEET) as path:
            grid.save(path)
        return translated, cost_of(run, model, batch_size=1)


def _write(images, folder):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:04d}.png")
