"""A share of many images: which they are, what is left of it when it ends, and what is said."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import textwrap
import time

import keras
import numpy as np
import pytest
from PIL import Image
from tiny import smooth, tiny_model
from users import as_nobody

from cyclegan_tf import InputError, files
from cyclegan_tf.data import image_files
from cyclegan_tf.intensity_range import parsed
from cyclegan_tf.translation import image_folders
from cyclegan_tf.translation.batches import grouped, translate_alike
from cyclegan_tf.translation.deep_translation import Ranges
from cyclegan_tf.translation.encoding import encoded
from cyclegan_tf.translation.large_images import Tiling
from cyclegan_tf.translation.shards import Shard, options_of_shards, translate_shard
from cyclegan_tf.translation.threads import in_threads
from cyclegan_tf.translation.translator import Translator


@pytest.fixture(scope="module")
def model():
    """Turns values around."""
    image = keras.Input((None, None, 3))
    negative = keras.Model(image, keras.layers.Rescaling(-1)(image))
    return Translator({"ab": negative}, (None, None, 3))


@pytest.fixture
def folder(tmp_path):
    """12 good images of three sizes and formats, at two depths."""
    path = tmp_path / "photos"
    (path / "sub").mkdir(parents=True)
    for number in range(12):
        name = f"{number}.{('png', 'jpg', 'webp')[number % 3]}"
        place = path / "sub" / name if number % 2 else path / name
        Image.fromarray(smooth(8 + number % 3, 8, seed=number)).save(place)
    return path


DAMAGED = ("cut.png", "cut.jpg", "empty.jpg", "sub/text.png", "loop.png", "pipe.jpg")


def _damage(folder):
    """One file of each kind that cannot be read."""
    for name, of in (("cut.png", "0.png"), ("cut.jpg", "4.jpg")):
        content = (folder / of).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    (folder / "empty.jpg").touch()
    (folder / "sub" / "text.png").write_text("no image")
    (folder / "loop.png").symlink_to("loop.png")
    os.mkfifo(folder / "pipe.jpg")


def _done(model, source, output, shard="1/1", **settings):
    count, outcomes = translate_shard(model, source, output, Shard.of(shard), **settings)
    return count, list(outcomes)


def _report(output, shard="1-of-1"):
    return json.loads((output / "shards" / shard / "report.json").read_text())


def _failed(output, shard="1-of-1"):
    lines = (output / "shards" / shard / "failed.jsonl").read_text().splitlines()
    return {each["path"]: each["problem"] for each in map(json.loads, lines)}


def _images(folder):
    """The bytes of the images below a folder, by relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.suffix in image_files.SUFFIXES and path.is_file() and path.name[0] != "."
    }


# Which files


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_file_is_in_one_shard_and_shards_are_about_as_large(count):
    paths = [pathlib.Path(f"{n % 10}/ü {n}.png") for n in range(2000)]
    shards = [Shard(number, count) for number in range(1, count + 1)]
    sizes = [sum(shard.has(path) for path in paths) for shard in shards]
    assert sum(sizes) == len(paths)
    assert all(sum(shard.has(path) for shard in shards) == 1 for path in paths)
    # 4 standard deviations of a fair choice.
    assert np.ptp(sizes) < 8 * (2000 / count) ** 0.5


@pytest.mark.parametrize(
    ("path", "number"),
    # From `printf %s a.png | b2sum -l 64`: the digest as a number, modulo 4, plus 1.
    [("a.png", 0xE203797DE73BF656 % 4 + 1), ("sub/b.jpg", 0x9C5DF6938BD1B732 % 4 + 1)],
)
def test_the_shard_of_a_file_is_the_same_tomorrow(path, number):
    assert [n for n in range(1, 5) if Shard(n, 4).has(pathlib.Path(path))] == [number]


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "a/b", "1/0", "-1/4", "1/4/2", "1.5/4", ""])
def test_shards_that_are_none(text):
    with pytest.raises(InputError, match="from 1/4 to 4/4 for four"):
        Shard.of(text)


# What is written


def test_shards_together_write_what_translate_writes(model, folder, tmp_path):
    _damage(folder)
    _, outcomes = image_folders.translate(model, folder, tmp_path / "whole")
    problems = {o.input.relative_to(folder).as_posix(): o.problem for o in outcomes if o.problem}
    assert set(problems) == set(DAMAGED)
    counts = [_done(model, folder, tmp_path / "out", f"{n}/2")[0] for n in (1, 2)]
    assert sum(counts) == 18
    assert len(_images(tmp_path / "out")) == 12
    assert _images(tmp_path / "out") == _images(tmp_path / "whole")
    assert _failed(tmp_path / "out", "1-of-2") | _failed(tmp_path / "out", "2-of-2") == problems
    reports = [_report(tmp_path / "out", f"{n}-of-2") for n in (1, 2)]
    assert [report["images"] for report in reports] == counts
    assert [sum(report[key] for report in reports) for key in ("done", "failed", "left")] == [
        12,
        6,
        0,
    ]
    assert all(report["finished"] for report in reports)
    assert all(report["calls"][0]["images_a_second"] > 0 for report in reports)


def test_copies_of_those_that_failed(model, folder, tmp_path):
    _damage(folder)
    _done(model, folder, tmp_path / "out", dead_letters=tmp_path / "dead")
    copies = _images(tmp_path / "dead")
    assert set(copies) == set(DAMAGED) - {"loop.png", "pipe.jpg"}
    assert copies["cut.png"] == (folder / "cut.png").read_bytes()


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", image_files.SUFFIXES)
def test_bytes_are_those_that_pillow_writes_to_a_file(suffix, mode, tmp_path):
    pixels = np.asarray(Image.fromarray(smooth(40, 300)).convert(mode))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    image = Image.fromarray(pixels[..., 0] if mode == "L" else pixels)
    if suffix in (".jpg", ".jpeg", ".bmp", ".gif") and mode == "RGBA":
        image = image.convert("RGB")
    lossy = {"quality": 95} if suffix in (".jpg", ".jpeg", ".webp") else {}
    image.save(tmp_path / f"x{suffix}", **lossy)
    assert encoded(pixels, suffix.upper()) == (tmp_path / f"x{suffix}").read_bytes()


# Again


def test_what_is_there_is_left_and_what_failed_is_tried_again(model, folder, tmp_path):
    out = tmp_path / "out"
    (folder / "bad.png").touch()
    assert _report_of_call(model, folder, out) == (12, 0, 1)
    before = {name: (out / name).stat().st_mtime_ns for name in _images(out)}
    (out / "0.png").unlink()
    shutil.copy(folder / "2.webp", folder / "bad.webp")
    (folder / "bad.png").unlink()
    assert _report_of_call(model, folder, out) == (2, 11, 0)
    after = {name: (out / name).stat().st_mtime_ns for name in _images(out)}
    assert {name for name in before if after[name] == before[name]} == set(before) - {"0.png"}
    assert [call["translated"] for call in _report(out)["calls"]] == [12, 2]
    assert not _failed(out)
    assert _report_of_call(model, folder, out, overwrite=True) == (13, 0, 0)


def _report_of_call(model, folder, out, **settings):
    _done(model, folder, out, **settings)
    call = _report(out)["calls"][-1]
    return call["translated"], call["there"], call["failed"]


def test_results_of_another_model_are_not_taken_for_done(folder, tmp_path):
    image = keras.Input((None, None, 3))
    models = [
        Translator({"ab": keras.Model(image, keras.layers.Conv2D(3, 1)(image))}, (None, None, 3))
        for _ in range(2)
    ]
    output = tmp_path / "out"
    _done(models[0], folder, output)
    _done(models[0], folder, output)
    with pytest.raises(InputError, match="has results of another model in this share"):
        _done(models[1], folder, output)
    before = _images(output)
    _done(models[1], folder, output, overwrite=True)
    assert _images(output) != before


def test_results_of_another_range_are_not_taken_for_done(model, folder, tmp_path):
    output = tmp_path / "out"
    _done(model, folder, output, ranges=Ranges(parsed("0.1%:99.9%")))
    _done(model, folder, output, ranges=Ranges(parsed("0.1%:99.9%")))
    with pytest.raises(InputError, match=r"another range in this share: 0\.1%:99\.9% to the same"):
        _done(model, folder, output, ranges=Ranges(parsed("0:4095")))


def test_only_its_own_unfinished_files_are_removed(model, folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    shard = Shard(1, 2)
    parts = {n: out / f".{n}.0123abcd.part.png" for n in (0, 6) if (folder / f"{n}.png").exists()}
    for part in (*parts.values(), out / ".others.0123abcd.part.png"):
        part.touch()
    _done(model, folder, out, "1/2")
    kept = {path.name for path in out.glob(".*.part.png")}
    others = {part.name for n, part in parts.items() if not shard.has(pathlib.Path(f"{n}.png"))}
    assert kept == {*others, ".others.0123abcd.part.png"}
    _done(model, folder, out, "2/2")
    assert [path.name for path in out.glob(".*.part.png")] == [".others.0123abcd.part.png"]


def test_one_process_works_on_a_shard(model, folder, tmp_path):
    with (
        files.locked(tmp_path / "out" / "shards" / "1-of-2", "mine"),
        pytest.raises(InputError, match="Another process works on shard 1-of-2"),
    ):
        _done(model, folder, tmp_path / "out", "1/2")
    assert not _images(tmp_path / "out")
    _done(model, folder, tmp_path / "out", "1/2")


def test_a_report_is_written_at_a_signal(model, folder, tmp_path):
    before = signal.getsignal(signal.SIGTERM)
    _, outcomes = translate_shard(model, folder, tmp_path / "out", Shard(1, 1))
    next(outcomes)
    with pytest.raises(SystemExit) as ended:
        signal.raise_signal(signal.SIGTERM)
    outcomes.close()
    assert ended.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    report = _report(tmp_path / "out")
    assert not report["finished"]
    assert report["done"] + report["left"] == 12
    assert report["left"] > 0


_SLOW = textwrap.dedent(
    """
    import sys, time
    from cyclegan_tf.translation.shards import Shard, translate_shard

    class Slow:
        generators, directions, image_shapes = {}, ("ab",), {"a": (8, 8, 3), "b": (8, 8, 3)}

        def translate(self, images, direction=None, batch_size=8):
            time.sleep(1)
            return 255 - images

    _, outcomes = translate_shard(Slow(), *sys.argv[1:], Shard(1, 1))
    list(outcomes)
    """
)


def test_killed_and_started_again_nothing_is_done_twice_and_nothing_missing(
    model, folder, tmp_path
):
    out = tmp_path / "out"
    process = subprocess.Popen([sys.executable, "-c", _SLOW, folder, out])
    while not _images(out):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    first = {name: (out / name).stat().st_mtime_ns for name in _images(out)}
    assert 0 < len(first) < 12
    assert not _report(out)["finished"]
    assert _report_of_call(model, folder, out) == (12 - len(first), len(first), 0)
    assert {name: (out / name).stat().st_mtime_ns for name in first} == first
    _done(model, folder, tmp_path / "unbroken")
    assert _images(out) == _images(tmp_path / "unbroken")
    assert not list(out.rglob("*.part*"))
    assert [call["there"] for call in _report(out)["calls"]] == [0, len(first)]


# Places that cannot serve


def test_a_folder_that_may_not_be_read_is_of_one_shard(model, forbidden_folder):
    out = forbidden_folder / "out"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    with as_nobody():
        for number in (1, 2, 3):
            _done(model, forbidden_folder, out, f"{number}/3")
    failed = [_failed(out, f"{number}-of-3") for number in (1, 2, 3)]
    assert sum(map(len, failed)) == 2
    problems = {path: problem for each in failed for path, problem in each.items()}
    assert set(problems) == {"closed", "mine.png"}
    assert problems["closed"].endswith("closed cannot be read: Permission denied.")


def test_a_folder_that_may_not_be_written_to_ends_it(model, forbidden_folder):
    with as_nobody(), pytest.raises(PermissionError):
        _done(model, forbidden_folder, forbidden_folder / "out")


@pytest.mark.parametrize("place", ["", "sub", "sub/../new"])
def test_copies_do_not_go_among_the_originals(place, model, folder, tmp_path):
    with pytest.raises(InputError, match="is in the folder of the images"):
        _done(model, folder, tmp_path / "out", dead_letters=folder / place)


def test_a_single_image_has_no_shards(model, folder, tmp_path):
    with pytest.raises(InputError, match="is a file; expected a folder"):
        _done(model, folder / "0.png", tmp_path / "out")


@pytest.mark.parametrize("size", [0, -1])
def test_batches_of_no_images(size, model, folder, tmp_path):
    with pytest.raises(InputError, match=f"batch_size must be 1 or more. Received: {size}"):
        _done(model, folder, tmp_path / "out", batch_size=size)


def test_options_of_shards_alone_are_refused():
    assert options_of_shards(None) == {}
    assert options_of_shards("1/2", batch_size=0) == {"batch_size": 0}
    with pytest.raises(InputError, match="--batch-size and --overwrite would be for shards"):
        options_of_shards(None, batch_size=4, overwrite=True)


# Batches and threads


@pytest.fixture(scope="module")
def network():
    model = tiny_model(compiled=False)
    return Translator({"ab": model.generator_ab}, (None, None, 3))


def test_a_result_does_not_depend_on_the_rest_of_its_batch(network):
    images = [smooth(16, 16, seed=number) for number in range(7)]
    expected = translate_alike(network, images, batch_size=4)
    for order in ([6, 5, 4, 3, 2, 1, 0], [2, 2, 2, 5], [3], [0, 6, 1, 4, 2]):
        results = translate_alike(network, [images[n] for n in order], batch_size=4)
        for number, result in zip(order, results):
            np.testing.assert_array_equal(result, expected[number])
    alone = translate_alike(network, images)
    np.testing.assert_array_equal(alone, [network.translate(image) for image in images])
    assert np.abs(np.int16(alone) - expected).max() <= 1


def test_batches_of_a_folder_are_those_of_its_shards(network, folder, tmp_path):
    for number in (1, 2):
        _done(network, folder, tmp_path / "two", f"{number}/2", batch_size=3)
    _done(network, folder, tmp_path / "one", batch_size=3)
    assert len(_images(tmp_path / "one")) == 12
    assert _images(tmp_path / "one") == _images(tmp_path / "two")


def test_shards_by_tiles_write_what_translate_writes_by_tiles(network, tmp_path):
    source, out, tiling = tmp_path / "photos", tmp_path / "out", Tiling(48)
    source.mkdir()
    for number in range(3):
        Image.fromarray(smooth(60, 70, seed=number)).save(source / f"{number}.png")
    (source / "empty.png").touch()
    _, outcomes = image_folders.translate(network, source, tmp_path / "whole", tiling=tiling)
    assert sum(outcome.problem is None for outcome in outcomes) == 3
    for number in (1, 2):
        _done(network, source, out, f"{number}/2", tiling=tiling)
    assert _images(out) == _images(tmp_path / "whole")
    assert set(_failed(out, "1-of-2") | _failed(out, "2-of-2")) == {"empty.png"}
    (out / "1.png").unlink()
    again = [
        outcome
        for n in (1, 2)
        for outcome in _done(network, source, out, f"{n}/2", tiling=tiling)[1]
    ]
    assert {each.input.name: each.there for each in again if not each.problem} == {
        "0.png": True,
        "1.png": False,
        "2.png": True,
    }
    assert _images(out) == _images(tmp_path / "whole")


def test_tiles_are_not_of_several_images(network, folder, tmp_path):
    with pytest.raises(InputError, match="one after the other, not 4 at once"):
        _done(network, folder, tmp_path / "out", tiling=Tiling(24), batch_size=4)


def test_groups_are_of_one_shape_and_few_wait():
    items = ["a", "b", "a", None, "b", "b", "a", "c"]
    groups = list(grouped(enumerate(items), 2, lambda each: each[1]))
    names = [[name for _, name in group] for group in groups]
    assert names == [["a", "a"], [None], ["b", "b"], ["b"], ["a"], ["c"]]
    assert sorted(number for group in groups for number, _ in group) == list(range(8))
    # Of ten shapes with one item each, no more than four groups' worth wait.
    taken = []
    many = grouped((taken.append(n) or n for n in range(10)), 2, lambda n: n)
    assert next(many) == [0]
    assert len(taken) == 8


def test_threads_keep_the_order_and_are_not_far_ahead():
    taken = []

    def slow_first(item):
        time.sleep(0.05 if item == 0 else 0)
        return item * item

    results = in_threads(slow_first, (taken.append(n) or n for n in range(1000)))
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert len(taken) < 20
    results.close()
    assert len(taken) < 20
    assert list(in_threads(slow_first, range(5))) == [0, 1, 4, 9, 16]


def test_an_exception_of_a_thread_comes_when_it_is_due():
    results = in_threads(lambda divisor: 6 // divisor, [1, 2, 0, 3])
    assert [next(results), next(results)] == [6, 3]
    with pytest.raises(ZeroDivisionError):
        next(results)
