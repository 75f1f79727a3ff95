"""The Keras callback that scores a run on held-back images, and keeps its best epoch."""

import contextlib
import pathlib
import time

import keras
import numpy as np

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import seed_states
from cyclegan_tf.runs.callbacks import without_training_state
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.evaluations import EpochScores, Evaluations, read
from cyclegan_tf.runs.extractors import extractor as extractor_of
from cyclegan_tf.runs.held_out import HeldOut, of_dataset
from cyclegan_tf.runs.measures import measures_of
from cyclegan_tf.runs.translated import translated_by
from cyclegan_tf.runs.verdict import verdict
from cyclegan_tf.systems.meanings import share_of_undecided
from cyclegan_tf.training.optimizers import averaged

_FILE, _BEST = "evaluations.json", "best.keras"
COUNT = 64  # images of each domain
SHARE = 0.03  # of the time

# Cheap ones that say how a training goes; `evaluate` has all.
_FOLLOWED = ("structure", "per_pixel", "per_class", "iou", "psnr", "edge_agreement")
_SECONDS_TO_BEGIN = 10.0  # to make an extractor and to trace it, before a time is known
_STEPS_PER_IMAGE = 1 / 8  # the time of a translation, in steps of one image, rather too long


class Evaluate(keras.callbacks.Callback):
    """Scores a system on held-back images, keeps the best epoch, and says how training goes.

    Each evaluation adds its scores to the logs of the epoch, as `ab_kernel_efficientnet_lite0` or
    `ba_per_pixel`: place this before callbacks that write the logs. With a folder it replaces
    `evaluations.json` there, and saves `best.keras`, the networks of the best epoch by
    `cyclegan_tf.runs.evaluations.RULE`. Weights with moving averages are scored and saved as
    averages. Training goes on as if there had been no evaluation.

    Args:
        images: as those of `cyclegan_tf.evaluate`, or a function that makes them when they are
            first needed.
        folder: for the two files; `None` writes none.
        every: epochs between two evaluations; the last epoch has one too. `None` evaluates as
            often as `share` of the time allows, and never in a run of a minute or two.
        share: of the time that evaluations may take if `every` is `None`.
        extractor: of `cyclegan_tf.extractor`; `None` takes EfficientNet-Lite0 if the extra
            `features` is installed, and leaves out distances if not.
        seed: of what measures draw.
        log: called with a line for the user after each evaluation.

    Attributes:
        evaluations: `cyclegan_tf.runs.evaluations.Evaluations`.
    """

    def __init__(
        self,
        images,
        folder=None,
        *,
        every=None,
        share=SHARE,
        extractor=None,
        seed=0,
        log=print,
    ):
        super().__init__()
        if every is not None and every < 1:
            raise ValueError(f"every must be a number of epochs from 1 on. Received: {every}")
        self.images = images
        self.folder = folder and pathlib.Path(folder)
        self.every = every
        self.share = share
        self.extractor = extractor
        self.seed = seed
        self.log = log
        self._shares = []
        self._usable = True
        self._measures = None  # names, once they are known
        self._networks = None  # a system of the networks alone, to save
        self.evaluations = None

    def on_train_begin(self, logs=None):
        self.evaluations = read(self.folder / _FILE) if self.folder else Evaluations()
        self._last_seconds = None

    def on_epoch_begin(self, epoch, logs=None):
        self._begin = time.perf_counter()
        self._first_step = int(self.model.optimizer.iterations)

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self._begin
        self.evaluations.training_seconds += seconds
        self._shares.append(share_of_undecided(self.model.loss_panels, logs))
        if self._usable and self._is_due(epoch, seconds):
            try:
                self._evaluate(epoch, logs)
            except InputError as error:  # of the images
                self._usable = False
                self.log(f"Epochs are not evaluated: {error}")

    def _is_due(self, epoch, seconds):
        last = epoch + 1 == self.params["epochs"]
        if self.every is not None:
            return last or (epoch + 1) % self.every == 0
        steps = max(1, int(self.model.optimizer.iterations) - self._first_step)
        cost = self._last_seconds
        if cost is None:
            cost = _STEPS_PER_IMAGE * COUNT * len(self.model.directions) * seconds / steps
            cost += _SECONDS_TO_BEGIN if self.extractor is None else 0
        if not last:  # for which time is kept
            cost *= 2
        done = self.evaluations
        return done.evaluation_seconds + cost <= self.share * done.training_seconds

    def _evaluate(self, epoch, logs):
        begin, done = time.perf_counter(), self.evaluations
        if self._measures is None:
            self._prepare()
        with averaged(self.model), _same_randomness(self.model):
            found = evaluate(
                self.model,
                self._held_out,
                measures=self._measures or None,
                extractor=self._extractor,
                baselines=not done.baselines,
                seed=self.seed,
            )
            directions = {each: of.as_dictionary() for each, of in found.directions.items()}
            baselines = {each: of.pop("baselines") for each, of in directions.items()}
            done.baselines = done.baselines or baselines
            done.protocol = found.protocol
            scores = EpochScores(epoch + 1, time.perf_counter() - begin, directions)
            done.add(scores)
            if self.folder and done.best is scores:
                self._save()
        said = verdict(done, self._shares)
        done.verdict = vars(said)
        self._last_seconds = time.perf_counter() - begin
        done.evaluation_seconds += self._last_seconds
        if self.folder:
            done.write(self.folder / _FILE)
        logs |= {
            f"{direction}_{name}": value
            for direction, of in directions.items()
            for name, value in of["scores"].items()
            if value is not None
        }
        line = f"Epoch {epoch + 1}: {said.sentence} {said.advice}"
        # As Keras's own callbacks do: the progress bar of the epoch has not ended its line.
        self.log(f"\n{line}" if self.params.get("verbose") in (1, "auto") else line)

    def _prepare(self):
        """What is needed once: images, an extractor, and the names of measures."""
        images = self.images() if callable(self.images) else self.images
        self._held_out = images if isinstance(images, HeldOut) else of_dataset(images)
        self._extractor = _remembering(self.extractor, self._held_out, self.log)
        names, followed = None, _FOLLOWED
        if self._extractor is not None:
            names, has_maps = self._extractor.distance_names, self._extractor.has_maps
            followed = (names[1], *_FOLLOWED)
        known = measures_of(names, has_maps) if names else measures_of()
        translated = translated_by(
            self.model, self._held_out, None, extractor=self._extractor, seed=self.seed
        )
        self._measures = [
            each.name
            for each in known
            if each.name in followed
            and not all(each.missing(images) for images in translated.values())
        ]
        done = self.evaluations
        done.distance = names[1] if names and names[1] in self._measures else None
        done.measures = {
            each.name: {"best": each.best, "meaning": each.meaning}
            for each in known
            if each.name in self._measures
        }

    def _save(self):
        self._networks = self._networks or without_training_state(self.model)
        with files.atomic_file(self.folder / _BEST) as beside:
            self._networks.save(beside)


@contextlib.contextmanager
def _same_randomness(model):
    """Random layers, such as dropout at test, go on afterwards as if they had drawn nothing."""
    states = seed_states(model)
    before = [state.numpy() for state in states]
    try:
        yield
    finally:
        for state, value in zip(states, before):
            state.assign(value)


def _remembering(extractor, held_out, log):
    """The extractor, which finds features of held-back images once; `None` without one."""
    if extractor is None:
        try:
            extractor = extractor_of("efficientnet-lite0")
        except ImportError as error:
            log(f"Distances are not measured, so that no epoch is the best. {error}")
            return None
    return _Remembering(extractor, held_out)


class _Remembering:
    """An extractor that remembers what it found in held-back images.

    Args:
        extractor: of `cyclegan_tf.extractor`.
        held_out: `HeldOut`.
    """

    def __init__(self, extractor, held_out):
        self._extractor = extractor
        self._real = list(held_out.images.values())  # kept, so that no other has its address
        self._known = {}

    def __getattr__(self, name):
        return getattr(self._extractor, name)

    def features(self, images):
        return self._once("features", images)

    def maps(self, images):
        return self._once("maps", images)

    def _once(self, kind, images):
        find = getattr(self._extractor, kind)
        if not any(np.may_share_memory(images, real) for real in self._real):
            return find(images)
        key = kind, images.__array_interface__["data"][0], images.shape, images.strides
        if key not in self._known:
            self._known[key] = find(images)
        return self._known[key]
