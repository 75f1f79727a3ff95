"""Atomic writes of files and folders, and checksums of files."""

import contextlib
import hashlib
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

    An existing file at `path` is replaced at the end. It stays unchanged if writing fails or is
    interrupted, even by a power cut. The suffix is kept, because Keras and Pillow depend on it.

    Args:
        path: the final path of the file or folder.
        keep: if false, the yielded path is elsewhere and removed at the end. This is for several
            processes that must all run the same code while only one writes.

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
    make_folder(path.parent)
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
    """Yields a new folder beside `path` to fill; it replaces `path` if all went well.

    An existing folder at `path` is removed with its contents; the caller decides whether that is
    allowed. If `path` is a link, the linked folder is replaced.
    """
    path = pathlib.Path(path).resolve()
    make_folder(path.parent)
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
_UNFINISHED = re.compile(r"(\..+\.)[0-9a-f]{8}\.part(\..+)?")


def _beside(path, suffix=""):
    return path.with_name(unfinished_name(path, suffix))


def unfinished_name(path, suffix=""):
    """A new name for what will be renamed to `path`; it is hidden, and none that users choose."""
    return f"{_beginning(path)}{uuid.uuid4().hex[:8]}.part{suffix}"


def _fsync(path):
    """Flushes a file, or all files in a folder, to disk: a rename may reach it first."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "r+b") as opened:  # Windows requires write access
                os.fsync(opened.fileno())


def _say_of(path, beside, error):
    """Replaces the hidden path in an error by the user's path."""
    if isinstance(error.filename, (str, os.PathLike)):
        error.filename = os.fspath(error.filename).replace(str(beside), str(path), 1)


def is_folder(path, expected):
    """Whether `path` is a folder, rather than something else.

    Raises:
        InputError: there is nothing at `path`, or it is not accessible; `expected` says what
            there should be.
    """
    try:
        return stat.S_ISDIR(os.stat(path).st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(f"{path} does not exist; expected {expected}.") from None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path, error):
    """An InputError for a path that the system refuses to read, from its OSError."""
    return InputError(f"{path} cannot be read: {error.strerror}.")


def sha256_of(path):
    """The SHA-256 of a file in hexadecimal digits. It is read in parts, whatever its size.

    Raises:
        InputError: there is no such file, or it is not readable.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise InputError(f"{path} does not exist; expected a file.") from None
    except OSError as error:
        raise unreadable(path, error) from None


def cache_folder():
    """Where files are kept that can be made or downloaded again.

    The environment variable `CYCLEGAN_TF_CACHE` names it; by default it is `cyclegan_tf` in the
    user's cache folder.
    """
    if own := os.environ.get("CYCLEGAN_TF_CACHE"):
        return pathlib.Path(own)
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "cyclegan_tf"


def check_folder(path):
    """Raises an InputError if `path` or one of its parents is a file."""
    for place in (path, *path.parents):
        if place.is_dir():
            return
        if place.exists() and not place.is_dir():  # another thread may just have made it
            raise InputError(f"{place} is a file; expected a folder (to write to {path}).")


def make_folder(path):
    """Creates a folder and its parents.

    Raises:
        InputError: the system allows none there, as below /proc.
    """
    check_folder(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError as error:
        raise InputError(f"{path} cannot be made; choose another folder to write to.") from error


def write_bytes(path, content):
    with atomic_file(path) as beside:
        beside.write_bytes(content)


def write_text(path, text):
    with atomic_file(path) as beside:
        # File names may not be valid UTF-8.
        beside.write_text(text, encoding="utf-8", errors="replace")


@contextlib.contextmanager
def locked(folder, message):
    """Locks a folder for this process, if the system has locks; they end with the process.

    Raises:
        InputError: another process holds the lock; its text is `message`.
    """
    if fcntl is None:
        yield
        return
    make_folder(folder)
    with open(folder / ".lock", "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InputError(message) from error
        yield


def remove_unfinished(*folders):
    """Removes unfinished files of a killed process from folders, but not their subfolders."""
    for folder in folders:
        for path in list(pathlib.Path(folder).glob(".*")):
            if _UNFINISHED.fullmatch(path.name):
                _remove(path)


def remove_unfinished_of(path):
    """Removes what a killed process left of one file or folder; others beside it may be in use."""
    path = pathlib.Path(path).resolve()
    for found in list(path.parent.glob(".*")):
        if _UNFINISHED.fullmatch(found.name) and found.name.startswith(_beginning(path)):
            _remove(found)


def remove_unfinished_below(folder, own=None, others=()):
    """Removes what killed processes left of files, also in subfolders.

    Args:
        folder: a path.
        own: paths of the files that only this process writes; all if `None`.
        others: paths of files that other processes may be writing. What may be of one of these
            stays, because unfinished names are cut.
    """
    found = [
        (pathlib.Path(parent, name), match)
        for parent, _, names in os.walk(folder)
        for name in names
        if (match := _UNFINISHED.fullmatch(name))
    ]
    if not found:
        return

    def ends(paths):
        return {(path.parent, _beginning(path), path.suffix) for path in paths}

    removable = own and ends(own) - ends(others)
    for path, match in found:
        if own is None or (path.parent, match[1], match[2] or "") in removable:
            _remove(path)


def _beginning(path):
    """Of the names of unfinished files; cut, because names have a maximum length."""
    return f".{path.stem[:40]}."


def _remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # A read-only disk refuses this too, which would hide its first error.
        with contextlib.suppress(OSError):
            path.unlink()
