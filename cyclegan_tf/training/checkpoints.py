"""Checkpoints that let training resume as if it had never been interrupted."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import sys
import threading
import time
import warnings

import keras
import numpy as np

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import seed_states, step_counter
from cyclegan_tf.replicas import (
    any_across_processes,
    assign_replica_values,
    barrier,
    equal_across_processes,
    process_index,
    replica_values,
)
from cyclegan_tf.training.descriptions import description, differences
from cyclegan_tf.training.divergence import check_finite

# Not `.weights.h5`, which HDF5 writes to the disk itself, and crashes when that is full.
_STATE, _MODEL = "state.json", "model.keras"
_VERSION = 2  # in 1, which has no number, random numbers were drawn differently


class Checkpoints(keras.callbacks.Callback):
    """Saves the complete training state every few minutes; the same `fit` resumes from it.

    Like `keras.callbacks.BackupAndRestore`, but exact.

    ```python
    checkpoints = cyclegan_tf.Checkpoints("runs/zebras/checkpoints")
    model.fit(cyclegan_tf.data.folders("horse2zebra"), epochs=200, callbacks=[checkpoints])
    ```

    Run again after any interruption, even in the middle of an epoch, this ends with the weights
    of uninterrupted training. A checkpoint holds the weights, both optimizers (and with them the
    position in the schedule), the pools of every replica, the losses of the epoch so far, the
    state of random layers, and the position in the data, to which `fit` returns. Data sets of
    `cyclegan_tf.data` start there at once. Others are read up to there, and must give the same
    elements each time. It is for the systems of this package, such as `CycleGAN`. The state of
    other callbacks, such as the patience of `EarlyStopping`, starts from scratch.

    Each checkpoint is a folder such as `epoch_00012_00000300`, after 300 elements of epoch 12 (from
    0), with checksums, written under another name and renamed. A damaged one is reported with a
    warning, and the one before it is used.

    Args:
        folder: only for checkpoints; several processes must share it.
        minutes: between two checkpoints; there is also one at the end of training.
        keep: number of checkpoints to keep.
        signals: at these, `fit` finishes its step, saves, and lets the signal take effect. A
            machine that is taken away gets SIGTERM.
        allow_other_data: resume although images were added, removed or renamed, or are
            preprocessed or drawn differently. Refused by default, because training would not end
            as without the change.

    Raises:
        InputError: a checkpoint is of another model or of other images, or all are damaged.
    """

    def __init__(
        self, folder, minutes=10.0, keep=2, signals=(signal.SIGTERM,), allow_other_data=False
    ):
        super().__init__()
        if keep < 1:
            raise ValueError(f"keep must be at least 1. Received: keep={keep}")
        self.folder = pathlib.Path(folder)
        self.minutes = minutes
        self.keep = keep
        self.signals = signals
        self.allow_other_data = allow_other_data
        self._received = None
        self._handlers = {}
        self._trackers = None
        self._damaged = []

    def restore_training(self, model, elements=None):
        """Brings a compiled model to the state of the newest intact checkpoint.

        `fit` calls it.

        Args:
            model: built like the one that was saved.
            elements: the `Elements` that it will be trained on; `None` for another data set.
                With another batch size an epoch has as many elements as before, or as many steps if
                their number is given.

        Returns:
            `(epoch, step)` to resume at, 0-based; `None` if there is no checkpoint.
        """
        self._batch_size = elements.batch_size if elements else 1
        self._data = elements.fingerprint() if elements else None
        self._resumed = 0, 0
        state = newest_state(self.folder)
        digest = int(state["state_sha256"][:7], 16) if state else 0
        if not equal_across_processes(digest, model.distribute_strategy):
            raise InputError(
                f"The processes that train together see different checkpoints in {self.folder}; "
                "it must be one folder that all of them share."
            )
        if state is None:
            return None
        if found := differences(state["model"], description(model)):
            raise InputError(
                f"{state['path']} is not a checkpoint of this model: {found}. Build and compile "
                "the model as it was, or use another folder."
            )
        self._check_data(state)
        if state.get("version", 1) < _VERSION:
            warnings.warn(
                f"{state['path']} is of an earlier version of this package. Training resumes, but "
                "draws other random numbers than it would have.",
                stacklevel=2,
            )
        model.load_weights(state["path"] / _MODEL)
        for variable, value in zip(seed_states(model), state["random"]):
            variable.assign(value)
        # Not those of an earlier epoch, nor of a version that counted steps instead of images.
        counts_images = state.get("version", 1) >= _VERSION
        self._trackers = state["trackers"] if state["pairs"] and counts_images else None
        self._damaged = [path for path in _found(self.folder) if path.name > state["path"].name]
        same_steps = elements is None or elements.given_steps
        elements_per_step = state["batch_size"] if same_steps else elements.batch_size
        self._resumed = state["epoch"], state["pairs"] // elements_per_step
        return self._resumed

    def _check_data(self, state):
        before = state.get("data")  # checkpoints of earlier versions lack it
        if self.allow_other_data or not (before and self._data):
            return
        if found := differences({"settings": before}, {"settings": self._data}):
            raise InputError(
                f"{state['path']} is of other training data: {found}. Bring those back, begin anew "
                "in another folder, or resume with these by allow_other_data (--allow-other-data), "
                "which ends with other weights than without the change."
            )

    def _restore_trackers(self):
        # After `fit` has reset them for the epoch.
        replicas = self.model.distribute_strategy.num_replicas_in_sync
        for tracker in self.model.metrics:
            for variable, values in zip(tracker.variables, self._trackers[tracker.name]):
                if len(values) != replicas:  # they were others before
                    values = [sum(values) / replicas] * replicas
                assign_replica_values(variable.value, values)
        self._trackers = None

    def on_train_begin(self, logs=None):
        self._chief = process_index(self.model.distribute_strategy) == 0
        self._last_save = time.monotonic()
        self._received = None
        if threading.current_thread() is threading.main_thread():
            # One that was not installed from Python could not be given back.
            known = [s for s in self.signals if signal.getsignal(s) is not None]
            self._handlers = {s: signal.signal(s, self._receive) for s in known}

    def on_epoch_begin(self, epoch, logs=None):
        self._epoch, self._step = epoch, 0
        if self._trackers is not None:
            self._restore_trackers()

    def on_train_batch_end(self, batch, logs=None):
        self._step += self.model.steps_per_execution
        last = self.params["steps"] is not None and self._step >= self.params["steps"]
        if not last:  # after the last step, when the epoch's logs are written
            self._save_if_due(self._epoch, self._step)

    def on_epoch_end(self, epoch, logs=None):
        if self.model.stop_training and self._step < (self.params["steps"] or 0):
            self._save_if_due(
                epoch, self._step, last=True
            )  # another callback stopped it within an epoch
            return
        # At the end too: afterwards `fit` may replace the weights by their moving averages.
        last = epoch + 1 == self.params["epochs"] or self.model.stop_training
        self._save_if_due(epoch + 1, 0, last)

    def is_stopping(self):
        """Whether a signal was received, so that training ends after this step."""
        return self._received is not None

    def close(self):
        """Restores the previous signal handlers; `fit` always calls it."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        self._handlers = {}

    def _receive(self, number, _):
        self._received = number
        # Not `print`, which a signal may have interrupted.
        os.write(2, f"\nSignal {number}: a checkpoint is written after this step.\n".encode())
        signal.signal(number, self._handlers[number])  # the second one acts at once

    def _save_if_due(self, epoch, step, last=False):
        due = last or (self._chief and time.monotonic() - self._last_save >= 60 * self.minutes)
        strategy = self.model.distribute_strategy
        due, stopped = any_across_processes([due, self._received is not None], strategy)
        # A skipped step has the weights of the step at which training will resume.
        if (due or stopped) and (epoch, step) > self._resumed:
            self._save(epoch, step)
        if stopped:
            barrier(strategy)  # the end of one ends the others, the writing one too
            self._pass_on(self._received or self.signals[0])

    def _pass_on(self, number):
        """Lets a signal take the effect that it would have had without this callback."""
        ends = self._handlers.get(number) == signal.SIG_DFL
        self._received = None
        self.close()
        signal.raise_signal(number)
        if ends:  # a signal does not end the first process of a container
            sys.exit(128 + number)

    def _save(self, epoch, step):
        """All processes call this together, because they exchange values; the first one writes."""
        trackers = {
            tracker.name: [replica_values(v.value).tolist() for v in tracker.variables]
            for tracker in self.model.metrics
        }
        values = {name: np.concatenate([np.ravel(v) for v in of]) for name, of in trackers.items()}
        check_finite(values, self._epoch, f"What is in {self.folder} is from before.")
        state = {
            "version": _VERSION,
            "model": description(self.model),
            "epoch": epoch,
            "pairs": step * self._batch_size,
            "batch_size": self._batch_size,
            "data": self._data,
            "iterations": int(step_counter(self.model.optimizer).numpy()),
            "random": [variable.numpy().tolist() for variable in seed_states(self.model)],
            "trackers": trackers,
        }
        path = self.folder / f"epoch_{epoch:05d}_{state['pairs']:08d}"
        if self._chief:
            files.remove_unfinished(self.folder)
            shutil.rmtree(path, ignore_errors=True)  # a damaged one
        with files.atomic_file(path, keep=self._chief) as beside:
            beside.mkdir(parents=True)
            self.model.save(beside / _MODEL)
            state["sha256"] = files.sha256_of(beside / _MODEL)
            signed = {**state, "state_sha256": _digest_of_state(state)}
            (beside / _STATE).write_text(json.dumps(signed), encoding="utf-8")
        if self._chief:
            self._prune(path)
        self._last_save = time.monotonic()

    def _prune(self, newest):
        """Keeps the newest and the intact ones just before it."""
        found = _found(self.folder)
        older = [p for p in found if p.name < newest.name and p not in self._damaged]
        for path in found:
            if path not in (newest, *older[: self.keep - 1]):
                shutil.rmtree(path, ignore_errors=True)


def newest_state(folder):
    """Metadata of the newest intact checkpoint in a folder, with its `path`; or `None`.

    Raises:
        InputError: there are checkpoints, and all are damaged.
    """
    found = _found(folder)
    for path in found:
        try:
            return {**_verified(path), "path": path}
        except (ValueError, KeyError, OSError) as error:
            warnings.warn(
                f"The checkpoint {path} is damaged and is not used ({error}).", stacklevel=2
            )
    if found:
        raise InputError(
            f"All checkpoints in {folder} are damaged; begin again in a new folder or with "
            "--restart, or bring back a copy of one."
        )
    return None


def _found(folder):
    """The checkpoints of a folder, the newest first."""
    return sorted(pathlib.Path(folder).glob("epoch_*"), reverse=True)


def _verified(path):
    state = json.loads((path / _STATE).read_text(encoding="utf-8"))
    signature = state.pop("state_sha256")
    if signature != _digest_of_state(state):
        raise ValueError(f"the checksum of {_STATE} differs")
    if state["sha256"] != files.sha256_of(path / _MODEL):
        raise ValueError(f"the checksum of {_MODEL} differs")
    return {**state, "state_sha256": signature}


def _digest_of_state(state):
    return hashlib.sha256(json.dumps(state, sort_keys=True).encode()).hexdigest()
