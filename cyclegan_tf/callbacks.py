"""Keras callbacks to look at a training: sample sheets, the model after each epoch, a page."""

import pathlib

import keras
import numpy as np

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.page import write_page
from cyclegan_tf.sheets import sample_sheet


class SampleSheet(keras.callbacks.Callback):
    """After each epoch a PNG of real, translated and reconstructed pictures, both directions.

    Args:
        folder: where `epoch_0001.png` … are written.
        images_a, images_b: pictures to show, uint8 `(height, width, channels)`, as many of each
            as there shall be rows.
        period: epochs between two sheets; the first and the last epoch always have one.
    """

    def __init__(self, folder, images_a, images_b, period=1):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.images = {"ab": list(images_a), "ba": list(images_b)}
        self.period = period

    def on_epoch_end(self, epoch, logs=None):
        last = epoch + 1 == self.params.get("epochs")
        if epoch == 0 or last or (epoch + 1) % self.period == 0:
            sheet = sample_sheet(self.model, self.images["ab"], self.images["ba"])
            with files.written_whole(self.folder / f"epoch_{epoch + 1:04d}.png") as path:
                sheet.save(path)


class SaveModel(keras.callbacks.Callback):
    """After each epoch the whole model, optimizers and pools included, to one `.keras` file.

    Unlike `keras.callbacks.ModelCheckpoint` it never leaves half a file: it writes beside and
    renames.

    Raises:
        InputError: a loss is no longer finite; the model of the epoch before is kept.
    """

    def __init__(self, path):
        super().__init__()
        self.path = pathlib.Path(path)

    def on_epoch_end(self, epoch, logs=None):
        lost = [name for name, value in (logs or {}).items() if not np.isfinite(value)]
        if lost:
            raise InputError(
                f"{', '.join(lost)} is not finite after epoch {epoch + 1}: training has diverged. "
                f"{self.path} keeps the epoch before; lower the learning rate and begin again."
            )
        with files.written_whole(self.path) as path:
            self.model.save(path)


class RunPage(keras.callbacks.Callback):
    """Keeps `index.html` in the folder of a run: losses plotted, sheets by epoch.

    Opened from disk, without a server. Reads `log.csv` and `samples/` of the folder, so it must
    come after the callbacks that write them.

    Args:
        folder: of the run.
        title: of the page.
    """

    def __init__(self, folder, title):
        super().__init__()
        self.folder = pathlib.Path(folder)
        self.title = title

    def on_epoch_end(self, epoch, logs=None):
        write_page(self.folder, self.title)
