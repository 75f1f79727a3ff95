"""Digits of typefaces: readable beside another renderer's, labeled, and apart by split."""

import pathlib

import matplotlib
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.ft2font import FT2Font
from PIL import Image

from cyclegan_tf import InputError
from cyclegan_tf.data.digits import (
    DOMAINS,
    PLAIN,
    STREET,
    tfds_digits,
    tfds_digits_are_laid_down,
    typeface_digits,
)

FONTS = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"
TYPEFACES = ("DejaVuSans", "DejaVuSans-Bold", "STIXGeneralItalic", "DejaVuSerif-Bold")


def _upright(ink):
    """What is inked, cut out, as 12 by 12 numbers without their mean and of length 1."""
    rows, columns = (np.flatnonzero(ink.max(axis) > 0.4 * ink.max()) for axis in (1, 0))
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    small = np.asarray(Image.fromarray(np.float32(cut)).resize((12, 12))).ravel()
    small = small - small.mean()
    return small / np.linalg.norm(small)


@pytest.fixture(scope="module")
def templates():
    """Of each digit in some typefaces, as Matplotlib's own renderer draws it."""
    found = []
    for digit in range(10):
        for typeface in TYPEFACES:
            font = FT2Font(str(FONTS / f"{typeface}.ttf"))
            font.set_size(48, 72)
            font.set_text(str(digit), 0.0)
            font.draw_glyphs_to_bitmap()
            found.append(_upright(np.array(font.get_image(), np.float32)))
    return np.stack(found)


def _share_read(templates, inks, labels):
    best = np.stack([_upright(ink) for ink in inks]) @ templates.T
    return np.mean(best.argmax(1) // len(TYPEFACES) == labels)


def test_plain_digits_are_the_digits_that_their_labels_say(templates):
    images, labels = typeface_digits(PLAIN, 100, seed=1)
    np.testing.assert_array_equal(images[..., 0], images[..., 2])  # white on black
    assert np.median(images) == 0
    assert images.max() > 240
    assert _share_read(templates, np.float32(images[..., 0]), labels) > 0.75


def test_digits_of_a_street_are_the_digits_that_their_labels_say(templates):
    images, labels = typeface_digits(STREET, 100, seed=1)
    # The neighbors are cut off; then what differs most from the border's color is ink.
    middle = np.float32(images[:, 3:-3, 6:-6])
    border = np.median(middle[:, [0, -1]], axis=(1, 2), keepdims=True)
    inks = np.abs(middle - border).mean(-1)
    assert _share_read(templates, inks, labels) > 0.6
    assert np.ptp(images.mean((1, 2)), axis=0).min() > 60  # in many colors


@pytest.mark.parametrize("domain", DOMAINS)
def test_splits_and_seeds_share_no_digit_and_repeat(domain):
    sets = {
        (split, seed): typeface_digits(domain, 30, 16, split=split, seed=seed)
        for split in ("train", "test")
        for seed in (0, 1)
    }
    found = [image.tobytes() for images, _ in sets.values() for image in images]
    assert len(set(found)) == len(found) == 120
    images, labels = typeface_digits(domain, 30, 16, seed=1)
    np.testing.assert_array_equal(images, sets["train", 1][0])
    np.testing.assert_array_equal(np.bincount(labels), [3] * 10)


@pytest.mark.parametrize(
    "arguments", [{"domain": "sign"}, {"count": 0}, {"image_size": 8}, {"split": "val"}]
)
def test_bad_arguments_are_named(arguments):
    with pytest.raises(InputError, match=str(next(iter(arguments.values())))):
        typeface_digits(**{"domain": PLAIN, "count": 1, **arguments})


@pytest.fixture
def laid_down(tmp_path):
    """MNIST and SVHN of 20 and 10 images each, written by TFDS in its own format."""
    tfds = pytest.importorskip("tensorflow_datasets")
    rng = np.random.default_rng(0)
    stored = {}
    for name, version, shape in (
        ("mnist", "3.0.1", (28, 28, 1)),
        ("svhn_cropped", "3.1.0", (32, 32, 3)),
    ):
        parts = {}
        for split, count in (("train", 20), ("test", 10)):
            images = rng.integers(0, 255, (count, *shape), np.uint8)
            labels = rng.integers(0, 10, count)
            stored[name, split] = images, labels
            ids = {"id": [f"{number}" for number in range(count)]}
            parts[split] = tf.data.Dataset.from_tensor_slices(
                {"image": images, "label": labels, **(ids if name == "svhn_cropped" else {})}
            )
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name,
            version=version,
            features=tfds.builder(name, data_dir=tmp_path).info.features,
            split_datasets=parts,
            data_dir=tmp_path,
        )
        assert tfds_digits_are_laid_down(tmp_path) == (name == "svhn_cropped")
    return tmp_path, stored


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_mnist_and_svhn_are_read_where_tfds_has_them(laid_down):
    folder, stored = laid_down
    images, labels = tfds_digits(STREET, 7, split="test", data_dir=folder)
    known = _labels_by_image(*stored["svhn_cropped", "test"])
    assert [known[image.tobytes()] for image in images] == list(labels)
    assert len({image.tobytes() for image in images}) == 7
    images, labels = tfds_digits(PLAIN, 100, split="train", data_dir=folder)
    known = _labels_by_image(*stored["mnist", "train"])
    assert images.shape == (20, 32, 32, 3)
    assert [known[image[..., 1].tobytes()] for image in images] == list(labels)


def _labels_by_image(images, labels):
    """By the bytes of an image, at 32 pixels; TFDS stores them in an order of its own."""
    images = [Image.fromarray(image.squeeze()) for image in images]
    resized = [image.resize((32, 32), Image.Resampling.BICUBIC) for image in images]
    return {image.tobytes(): label for image, label in zip(resized, labels)}


def test_without_a_folder_nothing_is_laid_down(tmp_path):
    assert not tfds_digits_are_laid_down(tmp_path)
