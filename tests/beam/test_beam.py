"""Many images on Beam: the bytes of `translate`, what is left, and what failed."""

import json
import shutil
import subprocess
import sys

import pytest

pytest.importorskip("apache_beam")

import apache_beam as beam
import numpy as np
from apache_beam.ml.inference.base import KeyedModelHandler, RunInference
from apache_beam.testing.util import assert_that
from pages import ROOT, blocks
from PIL import Image
from tiny import smooth, tiny_model

import cyclegan_tf
from cyclegan_tf import InputError
from cyclegan_tf.data import image_files
from cyclegan_tf.translation.beam import SavedModelHandler, run
from cyclegan_tf.translation.image_folders import translate
from cyclegan_tf.translation.shards import Shard, translate_shard


@pytest.fixture(scope="module")
def model():
    return tiny_model(compiled=False)


@pytest.fixture(scope="module")
def exported(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("exported")
    cyclegan_tf.export_saved_model(model, out, direction="ab")
    return out / "generator_ab"


@pytest.fixture
def folder(tmp_path):
    """12 good images of three sizes and formats, at two depths, and 3 damaged ones."""
    path = tmp_path / "photos [1]"
    (path / "sub").mkdir(parents=True)
    for number in range(12):
        name = f"ü {number}.{('png', 'jpg', 'webp')[number % 3]}"
        place = path / "sub" / name if number % 2 else path / name
        Image.fromarray(smooth(16 + number % 3, 16, seed=number)).save(place)
    content = (path / "ü 0.png").read_bytes()
    (path / "cut.png").write_bytes(content[: len(content) // 2])
    (path / "empty.jpg").touch()
    (path / "sub" / "text.png").write_text("no image")
    (path / "notes.txt").write_text("passed over")
    return path


DAMAGED = {"cut.png", "empty.jpg", "sub/text.png"}


def _images(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in image_files.SUFFIXES and path.name[0] != "."
    }


def _run(exported, source, output, *options):
    given = {"--model": exported, "--input": source, "--output": output}
    return run([str(part) for pair in given.items() for part in pair] + list(options))


def _failed(output):
    lines = (output / "beam" / "failed.jsonl").read_text().splitlines()
    return {each["path"]: each["problem"] for each in map(json.loads, lines)}


@pytest.fixture(scope="module")
def translator(exported):
    return cyclegan_tf.load(exported)


def test_keys_stay_with_their_images_whatever_their_sizes(translator, exported):
    images = {number: smooth(16 + number % 3, 16, seed=number) for number in range(9)}
    expected = {number: translator.translate(image) for number, image in images.items()}

    def check(results):
        assert {key for key, _ in results} == set(expected)
        for key, result in results:
            np.testing.assert_array_equal(result, expected[key])

    with beam.Pipeline() as pipeline:
        handler = KeyedModelHandler(SavedModelHandler(exported))
        results = pipeline | beam.Create(list(images.items())) | RunInference(handler)
        assert_that(results, check)


# Files


def test_beam_writes_the_bytes_of_translate_and_lists_what_failed(
    translator, exported, folder, tmp_path
):
    _, outcomes = translate(translator, folder, tmp_path / "expected", log=lambda line: None)
    assert sum(outcome.problem is None for outcome in outcomes) == 12
    counts = _run(exported, folder, tmp_path / "out", "--dead_letters", str(tmp_path / "dead"))
    assert counts == {"translated": 12, "there": 0, "failed": 3}
    assert _images(tmp_path / "out") == _images(tmp_path / "expected")
    assert set(_failed(tmp_path / "out")) == DAMAGED == set(_images(tmp_path / "dead"))
    assert json.loads((tmp_path / "out" / "beam" / "report.json").read_text()) == counts


def test_batches_on_beam_are_those_of_shards(translator, exported, folder, tmp_path):
    _, outcomes = translate_shard(
        translator, folder, tmp_path / "expected", Shard(1, 1), batch_size=3
    )
    list(outcomes)
    _run(exported, folder, tmp_path / "out", "--batch_size", "3")
    assert _images(tmp_path / "out") == _images(tmp_path / "expected")


def test_again_only_what_is_left_is_done(exported, folder, tmp_path):
    out = tmp_path / "out"
    _run(exported, folder, out)
    before = {name: (out / name).stat().st_mtime_ns for name in _images(out)}
    (out / "ü 0.png").unlink()
    (out / ".ü 0.0123abcd.part.png").touch()
    Image.fromarray(smooth(16, 16)).save(folder / "cut.png")
    assert _run(exported, folder, out) == {"translated": 2, "there": 11, "failed": 2}
    after = {name: (out / name).stat().st_mtime_ns for name in _images(out)}
    assert {n for n in before if after[n] == before[n]} == set(before) - {"ü 0.png"}
    assert not list(out.rglob("*.part*"))
    assert set(_failed(out)) == DAMAGED - {"cut.png"}
    assert _run(exported, folder, out, "--overwrite")["translated"] == 13


def test_a_pattern_takes_what_it_matches(exported, folder, tmp_path):
    source = shutil.copytree(folder, tmp_path / "photos")
    _run(exported, f"{source}/**.webp", tmp_path / "out")
    names = {path.relative_to(source).as_posix() for path in source.rglob("*.webp")}
    assert set(_images(tmp_path / "out")) == names
    assert len(names) == 4


def test_a_pattern_without_a_folder_is_of_this_one(exported, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    assert _run(exported, "ü*.png", tmp_path / "out")["translated"] == 2
    assert set(_images(tmp_path / "out")) == {"ü 0.png", "ü 6.png"}


def test_a_folder_whose_name_is_almost_the_same_is_another(exported, folder, tmp_path):
    shutil.copytree(folder, tmp_path / "photos ]1]")
    _run(exported, folder, tmp_path / "out")
    assert len(_images(tmp_path / "out")) == 12
    assert len(_failed(tmp_path / "out")) == 3


def test_what_matches_nothing(exported, tmp_path):
    with pytest.raises(InputError, match="matches no files"):
        _run(exported, tmp_path / "nowhere", tmp_path / "out")


def test_originals_are_not_overwritten(exported, folder, tmp_path):
    (tmp_path / "link").symlink_to(folder)
    for output in (folder, f"{folder}/", tmp_path / "link"):
        with pytest.raises(InputError, match="would overwrite the originals"):
            _run(exported, folder, output, "--overwrite")


def test_two_processes_do_it_too(exported, folder, tmp_path):
    arguments = ["--model", exported, "--input", folder, "--output", tmp_path / "two"]
    workers = ["--direct_num_workers", "2", "--direct_running_mode", "multi_processing"]
    done = subprocess.run(
        [sys.executable, "-m", "cyclegan_tf.translation.beam", *map(str, arguments), *workers],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "12 translated, 0 there, 3 failed"
    _run(exported, folder, tmp_path / "one")
    assert _images(tmp_path / "two") == _images(tmp_path / "one")
    assert _failed(tmp_path / "two") == _failed(tmp_path / "one")


def test_the_page_s_pipeline_runs(model, tmp_path):
    cyclegan_tf.export_saved_model(model, tmp_path / "exported", direction="ab")
    code = blocks(ROOT / "docs" / "batch.md", "python")[0]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.splitlines())[-2:] == [
        "0 (32, 32, 3) uint8",
        "1 (32, 32, 3) uint8",
    ]
