"""Odd surroundings: no UTF-8, no home, other hashes, and a package that nobody may write to."""

import csv
import ctypes
import os
import pathlib
import shutil

import pytest
from hostile import command, mounted, options, unfinished, untouched
from PIL import Image
from tiny import smooth

import cyclegan_tf

PACKAGE = pathlib.Path(cyclegan_tf.__file__).parent


def _write_images(root):
    for part in ("trainA", "trainB"):
        (root / part).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(smooth(24, 24, seed=number)).save(root / part / f"ü {number}.png")


def _environment(without=(), **changes):
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return {**kept, "PYTHONPATH": str(PACKAGE.parent), **changes}


SURROUNDINGS = {
    "plain": _environment(PYTHONHASHSEED="1"),
    "no UTF-8, and a home that is not there": _environment(
        LC_ALL="C", PYTHONUTF8="0", HOME="/nowhere/at/all", PYTHONHASHSEED="2"
    ),
}


def _rows(run):
    with open(run / "log.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run for each of the surroundings, and what was said; each in a folder of its own."""
    ended = {}
    for name, environment in SURROUNDINGS.items():
        root = tmp_path_factory.mktemp("surroundings")
        _write_images(root / "Bilder ä")
        ended[name] = (
            root,
            command(
                *("train", "Bilder ä", "--out", "lauf ö", *options()), cwd=root, env=environment
            ),
        )
    return ended


@pytest.mark.parametrize("name", SURROUNDINGS)
def test_a_training_is_the_same_in_any_surroundings(name, trained):
    """Names that are not ASCII, another working directory, and another order of sets."""
    root, ended = trained[name]
    assert ended.status == 0, ended.errors
    assert "Done." in ended.output
    assert _rows(root / "lauf ö") == _rows(trained["plain"][0] / "lauf ö")


def test_names_that_are_not_utf_8(run, here, tmp_path):
    """As old disks have them: no traceback, and least of all after an epoch of hours."""
    bad = tmp_path / os.fsdecode(b"lauf \xf6")
    assert here("train", "scenes", "--out", bad, *options()).status == 0
    assert (bad / "index.html").exists()
    sentence = here("export", run, bad / "export", "--direction", "ab").refused()
    assert "is not a name in UTF-8" in sentence
    assert not unfinished(bad)


@pytest.fixture
def closed_package(tmp_path):
    """The package on a disk that is read only, and a folder to write to."""
    (tmp_path / "mine").mkdir()
    for name in ("cyclegan_tf", "export"):
        shutil.copytree(PACKAGE.parent / name, tmp_path / "source" / name)
    with mounted(tmp_path / "site", "--bind", "-o", "ro", str(tmp_path / "source")):
        assert not os.access(tmp_path / "site", os.W_OK)
        yield tmp_path


def _without_rights():
    """Gives up what root may do beyond other users: every capability of Linux."""
    for capability in range(64):
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.mark.slow
def test_a_read_only_package_serves_a_user_without_rights(closed_package):
    """Trains, exports and fills a web page, with no home."""
    mine = closed_package / "mine"
    environment = _environment(("HOME", "USER", "LOGNAME"), PYTHONPATH=str(closed_package / "site"))
    settings = {"cwd": mine, "env": environment, "preexec_fn": _without_rights}
    with untouched(closed_package / "source"):
        ended = command("train", "scenes", "--out", "run", *options(), **settings)
        assert ended.status == 0, ended.errors
        web = ("--web", "site", "--direction", "ab")
        ended = command("export", "run", "keras", "--keras", *web, **settings)
        assert ended.status == 0, ended.errors
    assert (mine / "site" / "index.html").exists()
    assert (mine / "keras" / "generator_ab.keras").exists()
