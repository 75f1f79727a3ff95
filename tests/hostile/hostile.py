"""What the hostile tests share: the real command line, and folders before and after."""

import contextlib
import hashlib
import os
import shutil
import subprocess
import sys

import pytest
import tiny
from tiny import MOST_LINES, Ended

TINY = {**tiny.TINY, "epochs": 1, "steps_per_epoch": 2}


def options(**changes):
    """The options of a run of seconds, with some changed: `epochs=3` for `--epochs 3`."""
    return [
        part
        for name, value in {**TINY, **changes}.items()
        if value is not None
        for part in (f"--{name.replace('_', '-')}", str(value))
    ]


def command(*arguments, timeout=120, lines=MOST_LINES, **settings):
    """Runs `python -m cyclegan_tf` in a process of its own, which must end before the timeout.

    On stderr it may write that many `lines`.
    """
    done = subprocess.run(
        [sys.executable, "-m", "cyclegan_tf", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        **settings,
    )
    return Ended(done.returncode, done.stdout, done.stderr).well(lines)


def contents(folder):
    """Every path below a folder, with a digest of the file or where the link leads."""
    found = {}
    for parent, folders, names in os.walk(folder):
        for name in (*folders, *names):
            path = os.path.join(parent, name)
            if os.path.islink(path):
                found[path] = os.readlink(path)
            elif os.path.isfile(path):
                with open(path, "rb") as file:
                    found[path] = hashlib.file_digest(file, "sha256").hexdigest()
            else:
                found[path] = None
    return found


def unfinished(folder):
    """Paths below a folder that a command left half-written."""
    return list(folder.rglob(".*.part*"))


@contextlib.contextmanager
def untouched(*folders):
    """What these folders hold is afterwards what it was, to the byte."""
    before = [contents(folder) for folder in folders]
    yield
    assert [contents(folder) for folder in folders] == before


@contextlib.contextmanager
def mounted(folder, *arguments):
    """A file system at a folder, as `mount` makes it; skips where this process may mount none."""
    folder.mkdir(exist_ok=True)
    mount = shutil.which("mount")
    if not mount or subprocess.run([mount, *arguments, folder], capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)
