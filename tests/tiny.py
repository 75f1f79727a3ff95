"""Images, models and runs of seconds."""

import shutil
import subprocess
import sys

import numpy as np
import tensorflow as tf
from PIL import Image

from cyclegan_tf import CycleGAN, patchgan, resnet_generator


def smooth(height=24, width=32, seed=0):
    """An image that survives JPEG: a few colors, blended."""
    corners = np.random.default_rng(seed).integers(0, 255, (3, 4, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(corners).resize((width, height), Image.Resampling.BICUBIC))


SHAPE = (32, 32, 3)


def tiny_model(compiled=True, strided_layers=1, **arguments):
    model = CycleGAN(
        *(resnet_generator(base_filters=4, blocks=1, seed=n) for n in (1, 2)),
        *(patchgan(base_filters=4, strided_layers=strided_layers, seed=n) for n in (3, 4)),
        **{"image_shape": SHAPE, "pool_size": 3, **arguments},
    )
    if compiled:
        model.compile()
    return model


def tiny_images(count=6, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(-1, 1, (2, count, *shape)).astype("float32")


def tiny_pairs(**arguments):
    return tf.data.Dataset.from_tensor_slices(tuple(tiny_images(**arguments))).batch(1)


# Options of `train` in Python, and in the command line.
TINY = {
    "preset": "demo",
    "image_size": 24,
    "base_filters": 4,
    "blocks": 1,
    "strided_layers": 1,
    "epochs": 2,
    "steps_per_epoch": 3,
    "precision": "float32",
}
_QUICK = {
    "--preset": "demo",
    "--image-size": 24,
    "--base-filters": 4,
    "--blocks": 1,
    "--strided-layers": 1,
    "--epochs": 1,
    "--steps-per-epoch": 2,
}
COMMAND = [sys.executable, "-m", "cyclegan_tf.commands.main"]


def options(**changes):
    """The options of a run of seconds, with some changed: `epochs=3` for `--epochs 3`."""
    changes = {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    return [str(part) for option in {**_QUICK, **changes}.items() for part in option]


def cyclegan_tf(*arguments, **settings):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        **settings,
    )


def refused(*arguments, **settings):
    """Runs a command that must be refused, and returns its sentence."""
    result = cyclegan_tf(*arguments, **settings)
    assert result.returncode == 2, result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    sentence = result.stderr.strip().splitlines()[-1]
    assert sentence.startswith("cyclegan-tf: ")
    return sentence


def small_disk(folder, size="200k"):
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    return shutil.which("mount") and subprocess.run(command, capture_output=True).returncode == 0
