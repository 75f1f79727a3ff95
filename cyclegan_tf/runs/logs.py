"""Run logs without gaps or duplicates when a run resumes."""

import csv
import math
import os
import pathlib

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_tf import files


class RunLog(keras.callbacks.Callback):
    """Writes the losses and the learning rate of each epoch as a row of a CSV file.

    Callbacks that come after it find the rate among the losses. When training resumes from a
    checkpoint, the rows of epochs that are repeated are dropped. Each epoch replaces the file as a
    whole, so that no row is half written, and a value that an epoch lacks is `NA`.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)
        self._rows = None

    def on_train_begin(self, logs=None):
        self._rows = None  # the first epoch's number is not known yet

    def on_epoch_begin(self, epoch, logs=None):
        if self._rows is None:
            self._rows = finished_rows(self.path, epoch)
            if self._rows:
                _write_rows(self.path, self._rows)
            else:
                self.path.unlink(missing_ok=True)
        self._rate = float(self.model.optimizer.learning_rate)

    def on_epoch_end(self, epoch, logs=None):
        logs["learning_rate"] = self._rate
        self._rows.append({"epoch": epoch} | {name: logs[name] for name in sorted(logs)})
        _write_rows(self.path, self._rows)


class ScalarBoard(keras.callbacks.Callback):
    """The rows of a `RunLog` for TensorBoard, under the names of Keras's own callback, and the
    grids of a `SampleSheet`.

    That callback's files cannot be cut back to a checkpoint, and its buffered values are lost
    when a process is killed. This one rewrites the files when training resumes.

    Args:
        folder: of TensorBoard's logs.
        log: path of the CSV file, of a `RunLog` that comes before this among the callbacks.
        samples: folder of the grids of a `SampleSheet` that comes before this; `None` for none.
    """

    def __init__(self, folder, log, samples=None):
        super().__init__()
        self.folder = pathlib.Path(folder) / "train"
        self.log = log
        self.samples = samples and pathlib.Path(samples)
        self._writer = None

    def on_train_begin(self, logs=None):
        self._writer = None
        self._epoch = None  # the last one done, whose grid may still be rewritten

    def on_epoch_begin(self, epoch, logs=None):
        if self._writer is None:
            for path in self.folder.glob("events.out.tfevents.*"):
                path.unlink()
            self._writer = tf.summary.create_file_writer(os.fsencode(self.folder))
            for row in finished_rows(self.log, epoch):
                values = {name: float(row[name]) for name in row if row[name] != "NA"}
                of = int(values.pop("epoch"))
                self._write(of, values)
                self._write_grid(of)
        elif self._epoch is not None:
            self._write_grid(self._epoch)

    def on_epoch_end(self, epoch, logs=None):
        self._write(epoch, logs)
        self._epoch = epoch

    def on_train_end(self, logs=None):
        if self._epoch is not None:
            self._write_grid(self._epoch)
        if self._writer is not None:
            self._writer.close()

    def _write(self, epoch, values):
        with self._writer.as_default(step=epoch):
            for name, value in values.items():
                tf.summary.scalar(f"epoch_{name}", value)
        self._writer.flush()

    def _write_grid(self, epoch):
        grid = self.samples and self.samples / f"epoch_{epoch + 1:04d}.png"
        if grid and grid.exists():
            with Image.open(grid) as image, self._writer.as_default(step=epoch):
                tf.summary.image("samples", np.asarray(image.convert("RGB"))[np.newaxis])
            self._writer.flush()


def finished_rows(path, epochs=math.inf):
    """The complete rows of a `RunLog` for the first `epochs` epochs, by default for all."""
    path = pathlib.Path(path)
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        return [
            row for row in csv.DictReader(file) if _is_whole(row) and int(row["epoch"]) < epochs
        ]


def _is_whole(row):
    # A truncated row lacks values, or its epoch is not a number; two in one line have too many.
    return None not in row and None not in row.values() and row.get("epoch", "").isdecimal()


def _write_rows(path, rows):
    names = dict.fromkeys(name for row in rows for name in row)
    with (
        files.atomic_file(path) as beside,
        open(beside, "w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, list(names), restval="NA")
        writer.writeheader()
        writer.writerows(rows)
