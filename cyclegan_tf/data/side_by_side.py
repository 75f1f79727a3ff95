"""Paired images that lie side by side in one file, as the reference implementation has them."""

import pathlib

from cyclegan_tf.choices import DIRECTIONS, check
from cyclegan_tf.data import image_files
from cyclegan_tf.data.folders import images_below
from cyclegan_tf.data.pipeline import Source, dataset
from cyclegan_tf.errors import InputError
from cyclegan_tf.preprocessing import Preprocessing, by_domain, sizes_from


def side_by_side(
    root,
    *,
    split="train",
    order="ab",
    training=None,
    preprocess="resize_and_crop",
    image_size=None,
    load_size=None,
    crop_size=None,
    flip=True,
    channels=3,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Paired images, both in one file, A|B: the mode "aligned" of the reference implementation.

    Args:
        root: a folder that holds the folders `train`, `test` and so on, with subfolders or not.
        split: which of these folders to use.
        order: `"ab"` if the left half of a file is of domain A, `"ba"` if the right half is.

    The other arguments and the result are those of `folders` with `paired=True`.

    Raises:
        InputError: the folder is missing or has no readable image, the width of an image is odd,
            or a size does not fit.
    """
    load_size, crop_size = sizes_from(image_size, load_size, crop_size, preprocess)
    preprocessing = Preprocessing(preprocess, load_size, crop_size, flip, channels)
    return dataset(
        *side_by_side_sources(root, split, order, channels),
        preprocessing,
        training=split == "train" if training is None else training,
        paired=True,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def side_by_side_sources(root, split="train", order="ab", channels=3):
    """The two `Source`s of `side_by_side`."""
    check("order", order, DIRECTIONS)
    channels = by_domain(channels)
    for number in channels:
        image_files.check_channels(number)
    folder = _split_folder(root, split)
    paths, sizes = images_below(folder)
    for path, (height, width) in zip(paths, sizes):
        if width % 2:
            raise InputError(
                f"{path} has {width} x {height} pixels; expected an even width, of two images "
                "side by side. Remove it, or make its halves equal."
            )
    halves = ("left", "right") if order == "ab" else ("right", "left")
    return [_half(folder, paths, sizes, *each) for each in zip(halves, channels)]


def _half(folder, paths, sizes, half, channels):
    """One half of each file, as a `Source`."""

    def load(number, _):
        # At full scale: a JPEG decoded at a reduced one mixes the halves where they meet.
        pixels = image_files.read(paths[number], channels)
        middle = pixels.shape[1] // 2
        return pixels[:, :middle] if half == "left" else pixels[:, middle:]

    return Source(
        str(folder),
        load,
        [(height, width // 2) for height, width in sizes],
        # With the half, so that a fingerprint distinguishes the orders.
        [f"{path.relative_to(folder).as_posix()} ({half} half)" for path in paths],
    )


def _split_folder(root, split):
    root = pathlib.Path(root)
    if root.is_dir() and not (root / split).is_dir():
        raise InputError(
            f"{root / split} does not exist; expected {root} to hold the folder {split}, with "
            "images that show A and B side by side."
        )
    return root / split
