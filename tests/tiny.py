"""Images, models and runs of seconds."""

import dataclasses
import functools
import shutil
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from cyclegan_tf import CycleGAN, ReplayPool, patchgan, resnet_generator
from cyclegan_tf.commands.main import main


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


def _changed_by_training(model):
    """All variables of it, its optimizers and its pools, which keep theirs to themselves."""
    pools = [layer for layer in model.layers if isinstance(layer, ReplayPool) and layer.size]
    optimizers = (v for each in model.optimizers.values() for v in each.variables)
    own = (v for pool in pools for v in (pool.images, pool.count))
    return [*model.variables, *optimizers, *own]


@functools.cache
def _traced(policy, steps_per_execution, arguments):
    model = tiny_model(compiled=False, **dict(arguments))
    model.compile(steps_per_execution=steps_per_execution)
    return model, [np.array(variable) for variable in _changed_by_training(model)]


def traced_model(steps_per_execution=1, **arguments):
    """A compiled model at its start, which is traced once for all tests that take it.

    There is one for the same arguments: the next call takes it back to its start.
    """
    policy = keras.config.dtype_policy().name
    model, values = _traced(policy, steps_per_execution, tuple(arguments.items()))
    for variable, value in zip(_changed_by_training(model), values, strict=True):
        variable.assign(value)
    model.stop_training = False
    return model


def one_weight(channels, value):
    """A network of one weight, by which it multiplies the sum of its channels."""
    inputs = keras.Input((1, 1, channels))
    initializer = keras.initializers.Constant(value)
    outputs = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer=initializer)(
        _Sum()(inputs)
    )
    return keras.Model(inputs, outputs)


@keras.saving.register_keras_serializable(package="tests")
class _Sum(keras.layers.Layer):
    def call(self, inputs):
        return tf.reduce_sum(inputs, -1, keepdims=True)

    def compute_output_shape(self, input_shape):
        return *input_shape[:-1], 1


def tiny_images(count=6, seed=0, shape=SHAPE):
    return np.random.default_rng(seed).uniform(-1, 1, (2, count, *shape)).astype("float32")


def tiny_pairs(**arguments):
    return tf.data.Dataset.from_tensor_slices(tuple(tiny_images(**arguments))).batch(1)


class Stopped(Exception):
    pass


class StopAfter(keras.callbacks.Callback):
    def __init__(self, step):
        super().__init__()
        self.step = step

    def on_epoch_begin(self, epoch, logs=None):
        self.done = epoch * self.params["steps"]

    def on_train_batch_end(self, batch, logs=None):
        self.done += self.model.steps_per_execution
        if self.done == self.step:
            raise Stopped


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


# Of the command line: all went well, something was left out, refused, diverged; Ctrl-C, SIGTERM.
STATUSES = (0, 1, 2, 3, 130, 143)
MOST_LINES = 8  # of a sentence, a warning or two, and the bar


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, and what it wrote to stdout and stderr."""

    status: int
    output: str
    errors: str

    def well(self, lines=MOST_LINES):
        """This, if it ended as every command has to, whatever it is given."""
        assert "Traceback" not in self.errors, self.errors
        assert self.status in STATUSES, (self.status, self.errors)
        assert len(self.errors.splitlines()) <= lines, self.errors
        return self

    def refused(self):
        """The sentence of a command that refused what it was given."""
        assert self.status == 2, (self.status, self.output, self.errors)
        return self.errors.strip().splitlines()[-1]


def command_here(monkeypatch, capsys, *arguments):
    """Runs the command line in this process, which saves its start; see the fixture `here`."""
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["cyclegan-tf", *map(str, arguments)])
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        with pytest.raises(SystemExit) as ended:
            main()
    written = capsys.readouterr()
    return Ended(ended.value.code or 0, written.out, written.err).well()
