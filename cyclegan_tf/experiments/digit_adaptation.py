"""A classifier of digits that knows labels of one domain, and is tested on the other.

UNIT's own use (arXiv 1703.00848, table 3): from labeled SVHN to MNIST without labels. Here on two
renderings of digits, or on SVHN and MNIST where TFDS has them on the disk.
"""

import dataclasses

import keras
import numpy as np

from cyclegan_tf import data, files, processor
from cyclegan_tf.data.digits import CLASSES, PLAIN, STREET, tfds_digits, typeface_digits
from cyclegan_tf.experiments.costs import cost_of
from cyclegan_tf.experiments.labeled_unit import LabeledUNIT, class_logits, labeled_networks
from cyclegan_tf.experiments.segmenter_adaptation import SHEET
from cyclegan_tf.experiments.training_cell import EPOCHS
from cyclegan_tf.pixels import to_float
from cyclegan_tf.precision import policy
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.machine import MachineLog
from cyclegan_tf.runs.sheets import image_grid
from cyclegan_tf.training.checkpoints import Checkpoints
from cyclegan_tf.training.optimizers import Adam
from cyclegan_tf.training.schedules import ConstantThenLinearDecay

SOURCE, UNIT, TARGET = "source", "unit", "target"
SIZE = 32  # side of the images, in pixels
TESTED = "target"  # whose scores are asked for
_MOST = 2000  # training images of each domain
BATCH_SIZE = 8  # of UNIT, from each domain
LABELED = 32  # images in a step of a classifier
_RATE = 5e-4  # as of UNIT's preset `demo`
# The classes outweigh the rest of the discriminators' objective; among themselves the other weights
# have the proportions of the paper.
_WEIGHTS = {
    "lambda_class": 10.0,
    "lambda_features": 3.0,
    "lambda_adversarial": 1.0,
    "lambda_reconstruction": 10.0,
    "lambda_cycle": 10.0,
    "lambda_kl": 0.01,
}
_MINUTES = 3.0  # between checkpoints
_SHOWN = 10  # rows of the sheet


@dataclasses.dataclass(frozen=True)
class DigitAdaptationCell:
    """Trains a classifier in one of three ways, and tests it on held-out digits of both domains.

    Domain A, the source, is digits of a street; domain B, the target, plain ones. All three have
    the same layers, steps, batches and rate.

    Attributes:
        name: of the cell; a file name.
        method: `"source"`, labels of A and nothing of B; `"unit"`, labels of A and images of B, by
            `LabeledUNIT`; or `"target"`, labels of B, which the others do not see.
        of_tfds: SVHN and MNIST from TFDS, else digits of typefaces.
        seed: of the digits, the initial weights and what is drawn.
        steps: of the training, a multiple of `EPOCHS`.
        base_filters: of the networks.
        tested: how many digits of each domain are held out.
    """

    name: str
    method: str
    of_tfds: bool
    seed: int
    steps: int
    base_filters: int
    tested: int

    def run(self, folder, log):
        """Trains, or resumes, and scores.

        Args:
            folder: of the cell.
            log: called with lines for the user.

        Returns:
            JSON values: `scores["last"]["target"]` with `accuracy`, in [0, 1], and
            `source_accuracy`; `cost` of UNIT's training.
        """
        with policy("float32"):
            networks = labeled_networks(
                SIZE, CLASSES, base_filters=self.base_filters, seed=self.seed
            )
        cost = {}
        if self.method == UNIT:
            cost = self._train_unit(networks, folder)
            of = {STREET: "a", PLAIN: "b"}
        else:
            domain = STREET if self.method == SOURCE else PLAIN
            self._train_classifier(networks, domain, log)
            of = dict.fromkeys((STREET, PLAIN), "a")
        scores = {domain: self._accuracy(networks, domain, of[domain]) for domain in of}
        return {
            "scores": {
                "last": {TESTED: {"accuracy": scores[PLAIN], "source_accuracy": scores[STREET]}}
            },
            "cost": cost,
            "machine": processor.name(),
        }

    @property
    def trained(self):
        """How many digits of a domain are trained on; fewer if a training does not see as many."""
        return min(_MOST, LABELED * self.steps)

    def digits(self, domain, split):
        """`(images, labels)` of a domain, as of `cyclegan_tf.data.digits.typeface_digits`."""
        count = self.trained if split == "train" else self.tested
        if self.of_tfds:
            return tfds_digits(domain, count, SIZE, split=split)
        return typeface_digits(domain, count, SIZE, split=split, seed=self.seed)

    def _optimizer(self):
        schedule = ConstantThenLinearDecay(
            _RATE, EPOCHS // 2, EPOCHS // 2, steps_per_epoch=self.steps // EPOCHS
        )
        return Adam(schedule, l2=1e-4)  # as of UNIT

    def _train_unit(self, networks, folder):
        """Trains the networks in place, unpaired; returns the cost."""
        run = RunFolder(folder / "run")
        (source, labels), (target, _) = self.digits(STREET, "train"), self.digits(PLAIN, "train")
        with policy("float32"):
            model = LabeledUNIT(
                **networks,
                image_shape=(SIZE, SIZE, 3),
                labeled=source,
                labels=labels,
                batch_size=LABELED,
                **_WEIGHTS,
                seed=self.seed,
            )
            model.compile(*(self._optimizer() for _ in range(2)))
        dataset = data.arrays(
            source,
            target,
            flip=False,  # the mirror image of a digit is none
            batch_size=BATCH_SIZE,
            steps_per_epoch=self.steps // EPOCHS,
            seed=self.seed,
        )
        model.fit(
            dataset,
            epochs=EPOCHS,
            verbose=0,
            callbacks=[MachineLog(run.machine), Checkpoints(run.checkpoints, _MINUTES)],
        )
        self._write_sheet(model, source[:_SHOWN], target[:_SHOWN], folder / SHEET)
        return cost_of(run, model, BATCH_SIZE)

    def _write_sheet(self, model, source, target, path):
        columns = [source, model.translate(source, "ab"), target, model.translate(target, "ba")]
        with files.atomic_file(path) as beside:
            image_grid(columns, ["A", "A → B", "B", "B → A"], cell=64).save(beside)

    def _train_classifier(self, networks, domain, log):
        """Trains the layers of a discriminator as a classifier, in place."""
        images, labels = self.digits(domain, "train")
        classifier = class_logits(networks, "a")
        classifier.compile(
            self._optimizer(),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            jit_compile=False,
        )
        rng = np.random.default_rng(self.seed)
        for _ in range(self.steps):
            chosen = rng.integers(len(images), size=LABELED)
            loss = classifier.train_on_batch(to_float(images[chosen]), labels[chosen])
        log(f"The cross-entropy of the last step is {loss:.3f}.")

    def _accuracy(self, networks, domain, front):
        """The share of held-out digits that are classified right; `front` is whose first layers."""
        images, labels = self.digits(domain, "test")
        logits = class_logits(networks, front).predict(to_float(images), verbose=0)
        return float(np.mean(np.argmax(logits, -1) == labels))
