"""The pictures that the options of a run name."""

import pathlib

from cyclegan_tf.choices import SCENES, TFDS
from cyclegan_tf.data.folders import domain_folders, folder, folder_sources
from cyclegan_tf.data.scenes import scene_sources
from cyclegan_tf.data.tfds import tfds_sources
from cyclegan_tf.errors import InputError


def sources_of(options, split="train"):
    """The two `Source`s of a run: those of domain A and of domain B.

    Args:
        options: `Options`.
        split: `"train"`, or `"test"` where the source has one; two folders have none.

    Raises:
        InputError: there are no such pictures.
    """
    if options.source == SCENES:
        return scene_sources(image_size=options.crop_size, split=split, seed=options.seed)
    if is_of_tfds(options):
        name = options.source.removeprefix(TFDS)
        return tfds_sources(name, split=split, channels=options.channels)
    _check_exists(options.source)
    return folder_sources(options.source, options.domain_b, split, options.channels)


def source_of(options, domain, split="train"):
    """One of the `sources_of` a run, 0 for that of domain A; of folders the other is not read."""
    if options.source == SCENES or is_of_tfds(options):
        return sources_of(options, split)[domain]
    _check_exists(options.source)
    path = domain_folders(options.source, options.domain_b, split)[domain]
    return folder(path, options.channels)


def is_of_tfds(options):
    return options.source.startswith(TFDS)


def _check_exists(source):
    if not pathlib.Path(source).exists():
        raise InputError(
            f"{source} does not exist; expected a folder of images, {SCENES}, or {TFDS} and the "
            f"name of a data set, such as {TFDS}cycle_gan/horse2zebra."
        )
