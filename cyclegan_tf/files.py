"""Files that are there whole or not at all."""

import contextlib
import os
import pathlib
import re
import shutil
import stat
import tempfile
import uuid

from cyclegan_tf.errors import InputError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None


@contextlib.contextmanager
def atomic_file(path, keep=True):
    """Yields a path beside `path` to write to; renames it to `path` if all went well.

    A file that stood at `path` is replaced at the end, and stays as it was if writing fails or
    is interrupted, by a power cut too. The suffix is kept, because Keras and Pillow go by it.

    Args:
        path: of the file or folder in the end.
        keep: if false, the path that is yielded lies elsewhere and is removed in the end: of
            several processes that must all go through the motions, one writes.

    Raises:
        InputError: there is a folder at `path`, or there can be no folder above it.
    """
    path = pathlib.Path(path)
    if not keep:
        with tempfile.TemporaryDirectory() as elsewhere:
            yield pathlib.Path(elsewhere) / path.name
        return
    if path.is_dir():
        raise InputError(f"{path} is a folder and is not overwritten; choose another name.")
    _make_folder(path.parent)
    beside = _beside(path, path.suffix)
    try:
        yield beside
        _fsync(beside)
        os.replace(beside, path)
    except OSError as error:
        _say_of(path, beside, error)
        raise
    finally:
        _remove(beside)


@contextlib.contextmanager
def atomic_folder(path):
    """Yields a new folder beside `path` to fill; it takes the place of `path` if all went well.

    What stood at `path` is replaced with all that it held; whether it may be, the caller decides.
    Of a link, it is the linked folder.
    """
    path = pathlib.Path(path).resolve()
    _make_folder(path.parent)
    beside, old = _beside(path), _beside(path)
    try:
        beside.mkdir()
        yield beside
        _fsync(beside)
        if path.exists():
            os.replace(path, old)
        try:
            os.replace(beside, path)
        except BaseException:
            if old.exists():
                os.replace(old, path)
            raise
        _remove(old)
    except OSError as error:
        _say_of(path, beside, error)
        raise
    finally:
        _remove(beside)


# The names that `_beside` gives.
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{8}\.part(\..+)?")


def _beside(path, suffix=""):
    # Cut, because a name of the full length that systems allow would become too long.
    return path.with_name(f".{path.stem[:40]}.{uuid.uuid4().hex[:8]}.part{suffix}")


def _fsync(path):
    """Waits until a file, or all in a folder, is on the disk: its name may get there first."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "r+b") as opened:  # Windows does it for writers alone
                os.fsync(opened.fileno())


def _say_of(path, beside, error):
    """Puts the user's name into an error in the place of the hidden one."""
    if isinstance(error.filename, (str, os.PathLike)):
        error.filename = os.fspath(error.filename).replace(str(beside), str(path), 1)


def is_folder(path, expected):
    """Whether there is a folder at `path`, or something else.

    Raises:
        InputError: there is nothing, or nothing that this user may see; `expected` says what
            there should be.
    """
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} does not exist; expected {expected}.") from None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path, error):
    """An InputError for what the system does not let be read, from its OSError."""
    return InputError(f"{path} cannot be read: {error.strerror}.")


def check_folder(path):
    """Raises an InputError where a folder cannot be, because a file is there or above it."""
    for place in (path, *path.parents):
        if place.is_dir():
            return
        if place.exists():
            raise InputError(f"{place} is a file; expected a folder (to write to {path}).")


def _make_folder(path):
    """Makes a folder and those above it.

    Raises:
        InputError: the system has none there, as below /proc.
    """
    check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise InputError(f"{path} cannot be made; choose another folder to write to.") from error


def write_text(path, text):
    with atomic_file(path) as beside:
        # Names of files may hold what is not UTF-8.
        beside.write_text(text, encoding="utf-8", errors="replace")


@contextlib.contextmanager
def locked(folder, message):
    """Keeps a folder to this process, where the system has locks; they end with the process.

    Raises:
        InputError: another process has it, with `message`.
    """
    if fcntl is None:
        yield
        return
    _make_folder(folder)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(message) from error
        yield


def remove_unfinished(*folders):
    """Removes what a killed process left half-written in folders, and not below them."""
    for folder in folders:
        for path in list(pathlib.Path(folder).glob(".*")):
            if _UNFINISHED.fullmatch(path.name):
                _remove(path)


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # A disk that lets nothing be written refuses this too, and would hide its first refusal.
        with contextlib.suppress(OSError):
            path.unlink()
