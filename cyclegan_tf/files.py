"""Files that are there whole or not at all."""

import contextlib
import os
import pathlib
import shutil
import tempfile
import uuid

from cyclegan_tf.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextlib.contextmanager
def written_whole(path, keep=True):
    """Yields a path beside `path` to write to; renames it to `path` if all went well.

    A file that stood at `path` is replaced at the end, and stays as it was if writing fails or
    is interrupted. The suffix is kept, because Keras and Pillow go by it.

    Args:
        path: of the file or folder in the end.
        keep: if false, the path that is yielded lies elsewhere and is removed in the end: of
            several processes that must all go through the motions, one writes.

    Raises:
        InputError: there is a folder at `path`.
    """
    path = pathlib.Path(path)
    if not keep:
        with tempfile.TemporaryDirectory() as elsewhere:
            yield pathlib.Path(elsewhere) / path.name
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder and is not overwritten; choose another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.part{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    finally:
        _remove(beside)


@contextlib.contextmanager
def folder_written_whole(path):
    """Yields a new folder beside `path` to fill; it takes the place of `path` if all went well.

    What stood at `path` is replaced with all that it held; whether it may be, the caller decides.
    Of a link, it is the linked folder.
    """
    path = pathlib.Path(path).resolve()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside, old = (path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part") for _ in range(2))
    try:
        beside.mkdir()
        yield beside
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(beside, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
        _remove(old)
    finally:
        _remove(beside)


def check_folder(path):
    """Raises an InputError where a folder cannot be, because a file is there or above it."""
    for place in (path, *path.parents):
        if place.is_dir():
            return
        if place.exists():
            raise InputError(f"{place} is a file; expected a folder (to write to {path}).")


def write_text(path, text):
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def locked(folder, message):
    """Keeps a folder to this process, where the system has locks; they end with the process.

    Raises:
        InputError: another process has it, with `message`.
    """
    if fcntl is None:
        yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(message) from error
        yield


def to_disk(*paths):
    """Waits until files are on the disk, so that a rename after it is safe from a power cut."""
    for path in paths:
        with open(path, "rb") as file:
            os.fsync(file.fileno())


def remove_unfinished(folder):
    """Removes what a killed process left half-written in a folder and below it."""
    for path in list(pathlib.Path(folder).rglob(".*.part*")):
        _remove(path)


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
