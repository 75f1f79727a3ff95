"""Files and folders are written completely or not at all."""

import os
import pathlib

import pytest
from users import as_nobody

from cyclegan_tf import InputError, files


@pytest.fixture
def order(monkeypatch):
    """What reaches the disk and what is renamed, in that order; both are done."""
    done, fsync, replace = [], os.fsync, os.replace

    def watched_fsync(number):
        fsync(number)
        done.append(("on disk", os.fstat(number).st_ino))

    def watched_replace(old, new):
        done.append(("renamed", pathlib.Path(new).name))
        replace(old, new)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    return done


def test_a_file_is_on_the_disk_before_it_has_its_name(order, tmp_path):
    files.write_text(tmp_path / "x.txt", "text")
    number = (tmp_path / "x.txt").stat().st_ino
    assert order == [("on disk", number), ("renamed", "x.txt")]


@pytest.mark.parametrize("written", [files.atomic_file, files.atomic_folder])
def test_all_that_a_folder_holds_is_on_the_disk_before_it_has_its_name(written, order, tmp_path):
    with written(tmp_path / "x") as folder:
        (folder / "deep").mkdir(parents=True)
        (folder / "a").write_text("a")
        (folder / "deep" / "b").write_text("b")
    numbers = {(tmp_path / "x" / name).stat().st_ino for name in ("a", "deep/b")}
    assert set(order[:2]) == {("on disk", number) for number in numbers}
    assert order[2:] == [("renamed", "x")]


def test_names_of_the_full_length_are_written(tmp_path):
    path = tmp_path / ("ä" * 125 + ".txt")  # 254 bytes of 255
    files.write_text(path, "text")
    assert path.read_text() == "text"


def test_an_error_has_the_name_that_the_user_knows(forbidden_folder):
    path = forbidden_folder / "x.txt"
    with as_nobody(), pytest.raises(PermissionError) as raised:
        files.write_text(path, "text")
    assert raised.value.filename == str(path)


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder that nobody can write to")
def test_a_folder_that_cannot_be_made_is_named():
    with pytest.raises(InputError, match="/proc/x cannot be made"):
        files.write_text("/proc/x/y.txt", "text")
    with pytest.raises(InputError, match="/proc/x/y cannot be made"):
        files.write_text("/proc/x/y/z.txt", "text")


def test_only_own_unfinished_files_are_removed_and_only_in_that_folder(tmp_path):
    export = tmp_path / "export"
    export.mkdir()
    for name in (".film.mp4.part", ".x.0123abcd.parts", ".x.0123abcd.part.keras"):
        (tmp_path / name).touch()
    with files.atomic_file(export / "g.tflite") as beside:
        beside.touch()
        files.remove_unfinished(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        ".film.mp4.part",
        ".x.0123abcd.parts",
        "export",
    }
    assert [path.name for path in export.iterdir()] == ["g.tflite"]


def test_what_a_killed_process_leaves_is_removed(tmp_path):
    """For each way of writing, the name that it leaves is one that is removed."""
    for written, name in (
        (files.atomic_file, "x.keras"),
        (files.atomic_file, "plain"),
        (files.atomic_folder, "site.v2"),
    ):
        with written(tmp_path / name) as beside:
            left = beside.with_name(beside.name)
            left.mkdir(exist_ok=True)
            files.remove_unfinished(tmp_path)
            assert not left.exists()
            left.mkdir()


def test_a_linked_folder_is_replaced_where_it_lies(tmp_path):
    linked, link = tmp_path / "disk" / "site", tmp_path / "site"
    linked.mkdir(parents=True)
    (linked / "old.html").touch()
    link.symlink_to("disk/site")
    with files.atomic_folder(link) as folder:
        (folder / "new.html").touch()
    assert link.is_symlink()
    assert [path.name for path in linked.iterdir()] == ["new.html"]
    assert [path.name for path in linked.parent.iterdir()] == ["site"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "site"]


def test_a_link_that_was_left_is_removed_and_not_what_it_leads_to(tmp_path):
    kept, link = tmp_path / "kept", tmp_path / ".site.0123abcd.part"
    kept.mkdir()
    (kept / "mine.txt").touch()
    link.symlink_to(kept)
    files.remove_unfinished(tmp_path)
    assert not link.is_symlink()
    assert (kept / "mine.txt").exists()


def test_the_checksum_of_a_file(tmp_path):
    """The SHA-256 of "abc" is the example of FIPS 180-4."""
    (tmp_path / "abc").write_bytes(b"abc")
    assert files.sha256_of(tmp_path / "abc").startswith("ba7816bf8f01cfea")
    with pytest.raises(InputError, match=r"none does not exist; expected a file\."):
        files.sha256_of(tmp_path / "none")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        files.sha256_of(tmp_path)


def test_a_folder_that_another_thread_makes_meanwhile(tmp_path, monkeypatch):
    """It is made between the question whether it is a folder and whether it is anything."""
    place, is_dir = tmp_path / "sub", pathlib.Path.is_dir

    def made_afterwards(path):
        found = is_dir(path)
        if path == place and not found:
            os.mkdir(path)
        return found

    monkeypatch.setattr(pathlib.Path, "is_dir", made_afterwards)
    files.make_folder(place)
    monkeypatch.undo()
    assert place.is_dir()
