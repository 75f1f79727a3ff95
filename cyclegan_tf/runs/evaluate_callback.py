"""The Keras callback that scores a run on held-back images, and keeps its best epoch."""

import time

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import has_schedule, schedule_of, step_counter
from cyclegan_tf.replicas import process_count
from cyclegan_tf.runs.callbacks import without_training_state
from cyclegan_tf.runs.evaluation import check_extractor, evaluate
from cyclegan_tf.runs.evaluations import EpochScores, Evaluations, read
from cyclegan_tf.runs.extractors import extractor as extractor_of
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.held_out import HeldOut, of_dataset
from cyclegan_tf.runs.machine import read_machine
from cyclegan_tf.runs.measures import measures_of
from cyclegan_tf.runs.translated import translated_by
from cyclegan_tf.runs.verdict import verdict
from cyclegan_tf.systems.meanings import share_of_undecided
from cyclegan_tf.training.optimizers import averaged

COUNT = 64  # images of each domain
SHARE = 0.03  # of the time

# Cheap ones that say how a training goes; `evaluate` has all.
_FOLLOWED = ("structure", "per_pixel", "per_class", "iou", "psnr", "edge_agreement")
_SECONDS_TO_BEGIN = 10.0  # to make an extractor and to trace it, before a time is known
_STEPS_PER_IMAGE = 1 / 8  # the time of a translation, in steps of one image, rather too long
_FALLS = 0.9  # of the rate: what is above it is no fall to wait for


class Evaluate(keras.callbacks.Callback):
    """Scores a system on held-back images, keeps the best epoch, and says how training goes.

    Each evaluation adds its scores to the logs of the epoch, as `ab_kernel_efficientnet_lite0` or
    `ba_per_pixel`: place this before callbacks that write the logs. With a folder it replaces
    `evaluations.json` there, and saves `best.keras`, the networks of the best epoch by
    `cyclegan_tf.runs.evaluations.RULE`. Weights with moving averages are scored and saved as
    averages. Training ends with the weights that it would have without evaluations.

    A `fit` that begins at its first epoch begins anew: the two files of an earlier one are
    replaced. One that resumes drops the scores of epochs that it trains again.

    Args:
        images: as those of `cyclegan_tf.evaluate`, or a function that makes them when they are
            first needed.
        folder: for the two files; `None` writes none.
        every: epochs between two evaluations; the last of the epochs that `fit` was asked for has
            one too. `None` evaluates as often as `share` of the time allows, which in a run of
            some minutes is once or never, and never a system that translates by a search.
        share: of the time that evaluations may take if `every` is `None`. The first one takes
            longer, and may exceed it.
        extractor: of `cyclegan_tf.extractor`; `None` takes EfficientNet-Lite0 if the extra
            `features` is installed, and leaves out distances if not.
        seed: of what measures draw.
        keep: false in all processes except the first, where several train together.
        give_up: a function that says whether to leave an evaluation, as when the process must
            end; its epoch then has none.
        log: called with a line for the user after each evaluation.

    Attributes:
        evaluations: `cyclegan_tf.runs.evaluations.Evaluations`.

    Raises:
        ValueError: `every` is less than 1, or `share` is not between 0 and 1.
        InputError: `extractor` is something else, or `evaluations.json` is. Images that cannot be
            scored end no training: a line says why, and no more epochs are evaluated.
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
        keep=True,
        give_up=lambda: False,
        log=print,
    ):
        super().__init__()
        if every is not None and every < 1:
            raise ValueError(f"every must be a number of epochs from 1 on. Received: {every}")
        if not 0 < share < 1:
            raise ValueError(f"share must be between 0 and 1. Received: {share}")
        check_extractor(extractor)
        self.images = images
        self.folder = folder and RunFolder(folder)
        self.every = every
        self.share = share
        self.extractor = extractor
        self.seed = seed
        self.keep = keep
        self.give_up = give_up
        self.log = log
        self.evaluations = Evaluations()

    def on_train_begin(self, logs=None):
        self._shares = []
        self._usable = self.keep
        self._begun = False
        self._measures = None  # names, once they are known
        self._last_seconds = None
        self._networks = None  # a system of the networks alone, to save
        if self.folder and process_count(self.model.distribute_strategy) > 1:
            self._networks = without_training_state(self.model)  # by all processes together

    def on_epoch_begin(self, epoch, logs=None):
        if not self._begun and self.keep:
            self._resume(epoch)
        self._first_step = int(step_counter(self.model.optimizer).numpy())
        if not self._begun and self._was_left(epoch):
            self._evaluate_or_say_why_not(epoch - 1, {})
        self._begun = True
        self._begin = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self._begin
        self.evaluations.training_seconds += seconds
        logs = {} if logs is None else logs
        self._shares.append(share_of_undecided(self.model.loss_panels, logs))
        if self._usable and self._is_due(epoch, seconds):
            self._evaluate_or_say_why_not(epoch, logs)

    def _evaluate_or_say_why_not(self, epoch, logs):
        try:
            self._evaluate(epoch, logs)
        except _GivenUp:
            pass
        except (InputError, tf.errors.ResourceExhaustedError) as error:
            self._usable = False
            self.log(f"Epochs are not evaluated: {error}")

    def _resume(self, epoch):
        """Takes up the evaluations of the epochs before, if there are any."""
        self.evaluations = Evaluations()
        if not self.folder:
            return
        if epoch:
            self.evaluations = read(self.folder.evaluations)
        if self.evaluations.go_back(epoch) or not epoch:
            self.folder.best.unlink(missing_ok=True)
        if not epoch:
            self.folder.evaluations.unlink(missing_ok=True)
        if self.evaluations.epochs:
            self._last_seconds = self.evaluations.epochs[-1].seconds
        # A process that was killed since the last evaluation did not write its own seconds.
        machine = read_machine(self.folder.machine) or {}
        seconds = self.evaluations.training_seconds
        self.evaluations.training_seconds = max(seconds, machine.get("seconds", 0.0))

    def _was_left(self, count):
        """Whether the run stopped within the evaluation that was due after `count` epochs."""
        if not (self.folder and self._usable and count and self.every):
            return False
        epochs = self.evaluations.epochs
        return count % self.every == 0 and not (epochs and epochs[-1].epoch == count)

    def _is_due(self, epoch, seconds):
        last = epoch + 1 == self.params["epochs"]
        if self.every is not None:
            return last or (epoch + 1) % self.every == 0
        if not self.model.generators:
            return False
        steps = max(1, int(step_counter(self.model.optimizer).numpy()) - self._first_step)
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
        with averaged(self.model):
            directions = self._scored()
            scores = EpochScores(epoch + 1, time.perf_counter() - begin, directions)
            if done.add(scores) and self.folder:
                self._save()
        said = verdict(done, self._shares, self.params["epochs"], self._rate_falls(epoch))
        done.verdict = vars(said)
        self._last_seconds = time.perf_counter() - begin
        done.evaluation_seconds += self._last_seconds
        if self.folder:
            done.write(self.folder.evaluations)
        logs |= {
            f"{direction}_{name}": value
            for direction, of in directions.items()
            for name, value in of["scores"].items()
            if value is not None
        }
        self._say(f"Epoch {epoch + 1}: {said.sentence} {said.advice}")

    def _say(self, line):
        # As Keras's own callbacks do: the progress bar of the epoch has not ended its line.
        self.log(f"\n{line}" if self.params.get("verbose") in (1, "auto") else line)

    def _scored(self):
        """The scores of the model as it is, by direction."""
        done = self.evaluations
        found = evaluate(
            self.model,
            self._held_out,
            measures=self._measures or None,
            extractor=self._extractor,
            baselines=not done.baselines,
            seed=self.seed,
            progress=self._check_given_up,
        )
        if done.protocol and _differ(done.protocol, found.protocol):  # such scores mean others
            done.go_back(0)
            done.baselines, done.protocol = {}, {}
            return self._scored()
        directions = {each: of.as_dictionary() for each, of in found.directions.items()}
        baselines = {each: of.pop("baselines") for each, of in directions.items()}
        done.baselines = done.baselines or baselines
        done.protocol = found.protocol
        return directions

    def _check_given_up(self, *_):
        if self.give_up():
            raise _GivenUp

    def _rate_falls(self, epoch):
        """Whether the schedule will be clearly lower at the end than now."""
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        if not has_schedule(optimizer):
            return False
        schedule, now = schedule_of(optimizer), int(step_counter(optimizer).numpy())
        left = (self.params["epochs"] - epoch - 1) * (now - self._first_step)
        return float(schedule(now + left)) < _FALLS * float(schedule(now))

    def _prepare(self):
        """What is needed once: images, an extractor, and the names of measures."""
        images = self.images() if callable(self.images) else self.images
        self._held_out = images if isinstance(images, HeldOut) else of_dataset(images)
        count = min(map(len, self._held_out.images.values()))
        self._say(f"Evaluating on {count} held-back images; the first time takes longest.")
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
        with files.atomic_file(self.folder.best) as beside:
            self._networks.save(beside)


class _GivenUp(Exception):
    """An evaluation was left."""


def _differ(before, now):
    """Whether two protocols give scores that cannot be compared."""
    return any(before.get(name) != now[name] for name in ("images", "paired", "extractor", "seed"))


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
