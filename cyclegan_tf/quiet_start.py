"""Imports TensorFlow without its notes on the machine, which look like errors but are not."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import sys

# TensorFlow logs these before it reads TF_CPP_MIN_LOG_LEVEL, once for each of its libraries; the
# second form is from TensorFlow 2.19.
_NOTES = (
    "^WARNING: All log messages before absl::InitializeLog",
    "^I0000 ",
    "^[0-9-]{10} [0-9:.]+: I ",
    "^To enable the following instructions: ",
    "Unable to register cu[A-Z]+ factory: Attempting to register factory",
    "computation placer already registered",
)
# The driver could not be started; relevant only if there is one.
_NO_DRIVER = "failed call to cuInit"


def import_tensorflow():
    """Imports TensorFlow; its informational notes are dropped, warnings and errors are not.

    With TF_CPP_MIN_LOG_LEVEL=0 in the environment nothing is dropped.
    """
    level = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    if "tensorflow" in sys.modules or level == "0":
        return
    has_driver = _has_nvidia_driver()
    with stderr_without(_NOTES if has_driver else (*_NOTES, _NO_DRIVER)):
        import tensorflow as tf

        if not has_driver:
            tf.config.list_physical_devices()  # which looks for the driver


def _has_nvidia_driver():
    # The last is that of Windows, seen from its subsystem for Linux.
    places = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/dxg")
    return any(pathlib.Path(place).exists() for place in places)


@contextlib.contextmanager
def stderr_without(patterns):
    """Drops lines of stderr that match one of the patterns, those of C++ too.

    They go through grep, which outlives a crash of this process.
    """
    grep = shutil.which("grep")
    if grep is None or sys.stderr is None:  # Windows
        yield
        return
    command = [grep, "-a", "--line-buffered", "-v", "-E"]
    command += [option for pattern in patterns for option in ("-e", pattern)]
    try:
        child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=2)
        kept = os.dup(2)
    except OSError:  # no process may be started here, or there is no stderr
        yield
        return
    try:
        sys.stderr.flush()
        os.dup2(child.stdin.fileno(), 2)
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)
        child.stdin.close()
        child.wait()
