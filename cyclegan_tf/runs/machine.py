"""What trained a run, and for how long: `machine.json` in its folder."""

import contextlib
import json
import pathlib
import time

import keras
import tensorflow as tf

from cyclegan_tf import files, processor

_SECONDS_BETWEEN_WRITES = 60  # a process that is killed within an epoch loses less than that


class MachineLog(keras.callbacks.Callback):
    """Writes the processor, the devices, the precision, and the seconds and steps of each epoch.

    As the first callback of a `fit` it counts the time of steps, and not what other callbacks do
    after an epoch. A run that resumes adds to what the file holds. Steps that it repeats count
    once, and their seconds twice, because they took them twice.

    Args:
        path: of the file.
        images: the number of training images by domain, `{"a": …, "b": …}`, to write too.
    """

    def __init__(self, path, images=None):
        super().__init__()
        self.path = pathlib.Path(path)
        self.images = images

    def on_train_begin(self, logs=None):
        known = read_machine(self.path) or {}
        self._epochs = {entry["epoch"]: entry for entry in known.get("epochs", [])}
        self._facts = describe(self.model)
        if self.images is not None:
            self._facts["images"] = self.images

    def on_epoch_begin(self, epoch, logs=None):
        for number, entry in self._epochs.items():
            if number > epoch:  # it is trained again
                entry["steps"] = 0
        self._entry = self._epochs.setdefault(
            epoch + 1, {"epoch": epoch + 1, "seconds": 0.0, "steps": 0}
        )
        self._before = self._entry["seconds"]
        self._begin = self._written = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        # `fit` also calls this for those steps of a resumed epoch that it skips.
        self._entry["steps"] += self.model.steps_per_execution
        if time.monotonic() - self._written >= _SECONDS_BETWEEN_WRITES:
            self._write()

    def on_epoch_end(self, epoch, logs=None):
        self._write()

    def _write(self):
        self._written = time.monotonic()
        self._entry["seconds"] = round(self._before + self._written - self._begin, 3)
        epochs = [self._epochs[number] for number in sorted(self._epochs)]
        totals = {key: round(sum(e[key] for e in epochs), 3) for key in ("seconds", "steps")}
        content = {**self._facts, **totals, "epochs": epochs}
        files.write_text(self.path, json.dumps(content, indent=2) + "\n")


def describe(model):
    """What a model is trained on.

    Returns:
        A dictionary: `processor` (a name), `cores` that this process may use, `bfloat16` (the
        processor's flags of such arithmetic), `devices` (names, or kinds where they have none),
        `replicas` that a step is divided among, and `precision` of the computations.
    """
    return {
        "processor": processor.name(),
        "cores": processor.core_count(),
        "bfloat16": processor.bfloat16_flags(),
        "devices": _devices(),
        "replicas": model.distribute_strategy.num_replicas_in_sync,
        "precision": model.dtype_policy.compute_dtype,
    }


def read_machine(path):
    """What a `MachineLog` wrote; `None` if there is no such file, or another one."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
        if isinstance(content, dict) and all(map(_is_entry, content.get("epochs", []))):
            return content
    return None


def _is_entry(value):
    return isinstance(value, dict) and {"epoch", "seconds", "steps"} <= set(value)


def _devices():
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return [each.get("device_name", "GPU") for each in details]
    kinds = [device.device_type for device in tf.config.list_logical_devices()]
    return [kind for kind in kinds if kind == "TPU"] or ["CPU"]
