"""Two folders of pictures as a data set."""

import pathlib
import warnings

from cyclegan_tf.data import image_files
from cyclegan_tf.data.pipeline import Source, pairs
from cyclegan_tf.errors import InputError
from cyclegan_tf.preprocessing import Preprocessing, sizes_from


def folders(
    root_or_a,
    b=None,
    *,
    split="train",
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
    """Unpaired pictures from two folders, nested or not.

    Args:
        root_or_a: with `b`, the folder of domain A; alone, a folder in the layout of the PyTorch
            release: `trainA trainB testA testB`.
        b: the folder of domain B.
        split: which of the folders to take in that layout: `<split>A` and `<split>B`.
        training: draw, crop and flip at random, for `fit`. By default for the split "train".
        preprocess: `"resize_and_crop"`, `"crop"`, `"scale_width"`, `"scale_width_and_crop"` or
            `"none"`; see `cyclegan_tf.data.Preprocessing`.
        image_size: shorthand for both of the next two, in the proportion of the paper: 256
            stands for a `load_size` of 286 and a `crop_size` of 256, which is the default.
        load_size, crop_size: in pixels.
        flip: mirror half of the training pictures, left to right.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        batch_size: pairs in a batch, over all replicas together.
        steps_per_epoch: batches in an epoch of training; by default as many as the larger domain
            fills.
        seed: of everything that is drawn.
        first_epoch: 0-based number of the epoch to begin with, to go on where a run stopped.

    Returns:
        A `tf.data.Dataset` of `(image_a, image_b)` for `fit` or `evaluate`; see
        `cyclegan_tf.data.pairs`. Files and folders that cannot be read are left out with a
        warning; another one counts the files that are not named as images are.

    Raises:
        InputError: a folder is missing or has no picture that can be read, or a size does not
            fit.
    """
    load_size, crop_size = sizes_from(image_size, load_size, crop_size, preprocess)
    preprocessing = Preprocessing(preprocess, load_size, crop_size, flip, channels)
    return pairs(
        *folder_sources(root_or_a, b, split, channels),
        preprocessing,
        training=split == "train" if training is None else training,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def folder_sources(root_or_a, b=None, split="train", channels=3):
    """The two `Source`s of `folders`."""
    return [folder(path, channels) for path in domain_folders(root_or_a, b, split)]


def folder(path, channels=3):
    """The pictures below one folder, as a `Source`."""
    image_files.check_channels(channels)
    found = image_files.find(path)
    for problem in found.problems.values():
        warnings.warn(f"{problem} What it holds is left out.", stacklevel=2)
    if found.others:
        warnings.warn(found.passed_over(), stacklevel=2)
    paths, sizes = image_files.readable(found.paths)
    return Source(
        str(path),
        lambda number, size: image_files.read(paths[number], channels, size),
        sizes,
        [file.relative_to(path).as_posix() for file in paths],
    )


def domain_folders(root_or_a, b=None, split="train"):
    """The folders of domains A and B, from two folders or from the `trainA trainB` layout."""
    root = pathlib.Path(root_or_a)
    if b is not None:
        return root, pathlib.Path(b)
    expected = [root / f"{split}{domain}" for domain in "AB"]
    if root.is_dir() and not all(path.is_dir() for path in expected):
        missing = next(path for path in expected if not path.is_dir())
        raise InputError(
            f"{missing} does not exist; expected {root} to hold the folders {split}A and "
            f"{split}B, or a second folder to be given for domain B (--domain-b)."
        )
    return expected
