import functools
import gc
import os
import pathlib
import signal
import tempfile

# A shell that starts the tests in the background has Ctrl-C ignored, in their processes too.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import pytest

pytest.register_assert_rewrite("references", "same_runs", "tiny")

import tensorflow as tf
from PIL import Image

# Two logical devices, so that strategies of two replicas run here.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
# More processes than cores: with two threads each, they wait for each other.
tf.config.threading.set_intra_op_parallelism_threads(1)


# Traced graphs are made of many small objects, which are looked through again and again.
gc.set_threshold(50_000, 20, 10)


def _iterate_without_autotuning(iterate):
    """Whoever frees an iterator waits for the thread of autotuning, which sleeps up to a minute."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return lambda dataset: iterate(dataset.with_options(options))


tf.data.Dataset.__iter__ = _iterate_without_autotuning(tf.data.Dataset.__iter__)

# Of these no process may be left with one when the other is done: the longest first.
LONG = (
    "test_launch.py",  # strategies, in a process that no other test has used
    "test_checkpoints.py",
    "test_cyclegan.py",
    "test_hostile_runs.py",
    "test_conformance.py",
    "test_demo.py",
    "test_web.py",
    "test_train.py",
    "test_cli.py",
    "test_notebooks.py",
    "test_hostile_surroundings.py",
    "test_docs.py",
    "test_tflite.py",
)


@pytest.hookimpl(trylast=True)  # after -m and -k
def pytest_collection_modifyitems(config, items):
    """The longest files first. Quick twins are left out where slow tests of their file run."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    twins = [item for item in items if item.get_closest_marker("twin") and item.path in slow]
    config.hook.pytest_deselected(items=twins)
    places = {name: number for number, name in enumerate(LONG)}
    rest = [item for item in items if item not in twins]
    items[:] = sorted(rest, key=lambda item: places.get(item.path.name, len(LONG)))


@pytest.fixture(autouse=True)
def default_dtype_policy():
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def here(monkeypatch, capsys):
    """The command line in this process: `here("translate", run, source, output)`."""
    from tiny import command_here

    return functools.partial(command_here, monkeypatch, capsys)


@pytest.fixture
def forbidden_folder():
    """`good.png`, and `mine.png` and `closed/a.png` that only their owner may read."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root becomes another user, see users.py")
    with tempfile.TemporaryDirectory() as path:  # pytest's own folders are closed to others
        folder = pathlib.Path(path)
        (folder / "closed").mkdir()
        for name in ("good.png", "mine.png", "closed/a.png"):
            Image.new("RGB", (8, 8), "red").save(folder / name)
        folder.chmod(0o755)
        (folder / "mine.png").chmod(0o600)
        (folder / "closed").chmod(0o700)
        yield folder
