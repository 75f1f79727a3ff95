"""Two folders of images as a data set."""

import functools
import pathlib
import warnings

from cyclegan_tf.data import deep_files, image_files
from cyclegan_tf.data.deep_sources import deep_source
from cyclegan_tf.data.matching import matched
from cyclegan_tf.data.pipeline import Source, dataset
from cyclegan_tf.errors import InputError
from cyclegan_tf.intensity_range import parsed
from cyclegan_tf.preprocessing import Preprocessing, by_domain, sizes_from


def folders(
    root_or_a,
    b=None,
    *,
    split="train",
    training=None,
    paired=False,
    preprocess="resize_and_crop",
    image_size=None,
    load_size=None,
    crop_size=None,
    flip=True,
    channels=3,
    value_range=None,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Images from two folders, including subfolders; unpaired, or paired by name.

    Args:
        root_or_a: with `b`, the folder of domain A; without, a folder in the layout of the
            reference implementation: `trainA trainB testA testB`.
        b: the folder of domain B.
        split: which of the folders to take in that layout: `<split>A` and `<split>B`.
        training: draw, crop and flip at random, for `fit`. By default for the split "train".
        paired: images of the same name show one scene. The name is the path relative to the
            folder, without its suffix: `a/1.jpg` in one folder and `a/1.png` in the other are a
            pair. Images without a counterpart are left out with a warning.
        preprocess: `"resize_and_crop"`, `"crop"`, `"scale_width"`, `"scale_width_and_crop"` or
            `"none"`; see `cyclegan_tf.data.Preprocessing`.
        image_size: shorthand for both of the next two, in the proportion of the paper: 256
            stands for a `load_size` of 286 and a `crop_size` of 256, which is the default.
        load_size, crop_size: in pixels.
        flip: mirror half of the training images, left to right.
        channels: 1 (gray), 3 (RGB), 4 (RGBA), or others of TIFF and `.npy` files; two numbers if
            those of the domains differ, `(of A, of B)`.
        value_range: which values of images of more than 8 bits become -1 and 1: `None` for all
            that the dtype has or the window of a DICOM file, `"LOW:HIGH"`, or percentiles such
            as `"0.1%:99.9%"` of all images or `"0.1%:99.9%/image"` of each; two of them if those
            of the domains differ.
        batch_size: pairs in a batch, over all replicas together.
        steps_per_epoch: batches in an epoch of training; by default as many as the larger domain
            fills.
        seed: of everything that is drawn.
        first_epoch: 0-based number of the epoch to begin with, to resume a run.

    Returns:
        A `tf.data.Dataset` of `(image_a, image_b)` for `fit` or `evaluate`; see
        `cyclegan_tf.data.dataset`. Files and folders that cannot be read are left out with a
        warning. A second warning counts the files without an image suffix.

    Raises:
        InputError: a folder is missing or has no readable image, or a size does not fit. With
            `paired`, also: no image has a counterpart, two images of a folder have the same
            name except for the suffix, or the images of a pair differ in size before the crop;
            see `cyclegan_tf.data.dataset`.
    """
    load_size, crop_size = sizes_from(image_size, load_size, crop_size, preprocess)
    preprocessing = Preprocessing(preprocess, load_size, crop_size, flip, channels)
    return dataset(
        *folder_sources(root_or_a, b, split, channels, paired, value_range),
        preprocessing,
        training=split == "train" if training is None else training,
        paired=paired,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def folder_sources(root_or_a, b=None, split="train", channels=3, paired=False, value_range=None):
    """The two `Source`s of `folders`."""
    paths = domain_folders(root_or_a, b, split)
    ranges = by_domain(value_range, "value_range", "range")
    sources = [
        folder(path, number, value_range=each)
        for path, number, each in zip(paths, by_domain(channels), ranges)
    ]
    return matched(*sources) if paired else sources


def folder(path, channels=3, left_out=None, value_range=None):
    """The images below one folder, as a `Source`, without those below the folder `left_out`."""
    rule = parsed(value_range)
    paths, sizes = images_below(path, left_out, channels)
    names = [file.relative_to(path).as_posix() for file in paths]
    if any(deep_files.is_deep(file, channels) for file in paths):
        return deep_source(str(path), names, paths, sizes, channels, rule)
    return Source(
        str(path),
        lambda number, size: image_files.read(paths[number], channels, size),
        sizes,
        names,
    )


def images_below(path, left_out=None, deep_channels=None):
    """Paths and sizes of the images below a folder; what cannot be read is left out, and named.

    With `deep_channels`, those that `deep_files` reads with so many channels are among them.
    """
    deep = deep_channels is not None
    found = image_files.find(path, left_out, deep_files.SUFFIXES if deep else image_files.SUFFIXES)
    for problem in found.problems.values():
        warnings.warn(f"{problem} What it holds is left out.", stacklevel=3)
    if found.others:
        warnings.warn(found.passed_over(), stacklevel=3)
    size_or_problem = functools.partial(deep_files.size_or_problem, channels=deep_channels)
    return image_files.readable(found.paths, size_or_problem if deep else None)


def domain_folders(root_or_a, b=None, split="train"):
    """The folders of domains A and B, from two folders or from the `trainA trainB` layout."""
    root = pathlib.Path(root_or_a)
    if b is not None:
        return root, pathlib.Path(b)
    expected = [root / f"{split}{domain}" for domain in "AB"]
    if root.is_dir() and not all(path.is_dir() for path in expected):
        missing = next(path for path in expected if not path.is_dir())
        if (root / split).is_dir():
            raise InputError(
                f"{missing} does not exist, but {root / split} does; if each of its files holds "
                "both images of a pair, give --side-by-side (cyclegan_tf.data.side_by_side)."
            )
        raise InputError(
            f"{missing} does not exist; expected {root} to hold the folders {split}A and "
            f"{split}B, or a second folder to be given for domain B (--domain-b)."
        )
    return expected
