"""Keras callbacks to follow a run: sample grids, the model after each epoch, a page."""

import pathlib

import keras

from cyclegan_tf import files
from cyclegan_tf.runs.page import write_page
from cyclegan_tf.runs.sheets import sample_grid
from cyclegan_tf.training.divergence import check_finite
from cyclegan_tf.training.optimizers import averages_weights


class SampleSheet(keras.callbacks.Callback):
    """After each epoch a PNG of real images and what the model makes of them.

    Args:
        folder: where `epoch_0001.png` … are written.
        images_a, images_b: images to show, uint8 `(height, width, channels)`, one of each per
            row.
        period: epochs between two grids; the first and the last epoch always have one.
    """

    def __init__(self, folder, images_a, images_b, period=1):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.images = {"a": list(images_a), "b": list(images_b)}
        self.period = period
        self._epoch = None

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        self._epoch = epoch
        if epoch == 0 or last or (epoch + 1) % self.period == 0:
            self._write(epoch)

    def on_train_end(self, logs=None):
        if averages_weights(self.model):
            self._write(self.params["epochs"] - 1 if self._epoch is None else self._epoch)

    def _write(self, epoch):
        grid = sample_grid(self.model, self.images)
        with files.atomic_file(self.folder / f"epoch_{epoch + 1:04d}.png") as path:
            grid.save(path)


class SaveModel(keras.callbacks.Callback):
    """Saves the complete model after each epoch, with optimizers and pools, to a `.keras` file.

    Unlike `keras.callbacks.ModelCheckpoint` it never leaves a partial file: it writes to another
    name and renames.

    Args:
        path: of the file.
        keep: false in all processes except the first, as they must save together.

    Raises:
        TrainingDiverged: a loss is no longer finite; the model of the previous epoch is kept.
    """

    def __init__(self, path, keep=True):
        super().__init__()
        self.path = pathlib.Path(path)
        self.keep = keep

    def on_epoch_end(self, epoch, logs=None):
        kept = f"{self.path} keeps the epoch before." if self.path.exists() else "Nothing is kept."
        check_finite(logs or {}, epoch, kept)
        self._write()

    def on_train_end(self, logs=None):
        if averages_weights(self.model):
            self._write()

    def _write(self):
        with files.atomic_file(self.path, self.keep) as path:
            self.model.save(path)


class KeepEpochs(keras.callbacks.Callback):
    """Saves the networks every few epochs, to a `.keras` file each, for `cyclegan_tf.runs.load`.

    Such a file has no optimizers and no pools, so it is much smaller than the complete model.

    Args:
        folder: where `epoch_0010.keras` … are written.
        period: epochs between two files.
        keep: as in `SaveModel`.
    """

    def __init__(self, folder, period, keep=True):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.period = period
        self.keep = keep
        self._twin = None

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.period == 0:
            self._twin = self._twin or without_training_state(self.model)
            path = self.folder / f"epoch_{epoch + 1:04d}.keras"
            with files.atomic_file(path, self.keep) as beside:
                self._twin.save(beside)


def without_training_state(model):
    """A system that shares the networks of `model`, is not compiled and has no pools."""
    config = model.get_config()
    if "pool_size" in config:
        config["pool_size"] = 0
    parts = {name: getattr(model, name, None) for name in config}
    networks = {name: part for name, part in parts.items() if isinstance(part, keras.Model)}
    with model.distribute_strategy.scope():
        return type(model)(**{**config, **networks})


class RunPage(keras.callbacks.Callback):
    """Keeps `index.html` in the folder of a run: plots of the losses, sample grids by epoch.

    The page opens from disk, without a server. It reads `log.csv` and `samples/` of the folder,
    so this must come after the callbacks that write them.

    Args:
        folder: of the run.
        title: of the page.
    """

    def __init__(self, folder, title):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.title = title

    def on_epoch_end(self, epoch, logs=None):
        write_page(self.folder, self.title, self.model.loss_panels)
