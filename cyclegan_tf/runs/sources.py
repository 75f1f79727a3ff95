"""The images that the options of a run name."""

import pathlib

from cyclegan_tf.choices import SCENES, TFDS
from cyclegan_tf.data.folders import domain_folders, folder, folder_sources
from cyclegan_tf.data.scenes import scene_sources
from cyclegan_tf.data.side_by_side import side_by_side_sources
from cyclegan_tf.data.tfds import tfds_sources
from cyclegan_tf.errors import InputError
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.runs.options import is_folder


def sources_of(options, split="train", paired=None):
    """The two `Source`s of a run, of domain A and of domain B.

    Args:
        options: `RunOptions`.
        split: `"train"`, or `"test"` if the source has one; two folders have none.
        paired: images of one name are a pair; by default if the system trains on pairs.

    Raises:
        InputError: there are no such images.
    """
    chosen = options.data
    paired = SYSTEMS[options.system].paired if paired is None else paired
    if chosen.source == SCENES:
        seed = options.training.seed
        return scene_sources(image_size=chosen.crop_size, split=split, seed=seed, paired=paired)
    if is_of_tfds(options):
        if paired:
            raise InputError(
                f"{options.system} trains on paired images, and {chosen.source} does not say which "
                "of its images are pairs; give folders in which pairs have the same name, or "
                "--side-by-side."
            )
        name = chosen.source.removeprefix(TFDS)
        return tfds_sources(name, split=split, channels=chosen.channels)
    _check_exists(chosen.source)
    if chosen.side_by_side != "none":
        return side_by_side_sources(chosen.source, split, chosen.side_by_side, chosen.channels)
    return folder_sources(chosen.source, chosen.domain_b, split, chosen.channels, paired)


def source_of(options, domain, split="train"):
    """One of the `sources_of` a run, 0 for domain A; with folders the other one is not read."""
    chosen = options.data
    if not is_folder(chosen.source) or chosen.side_by_side != "none":
        return sources_of(options, split)[domain]
    _check_exists(chosen.source)
    path = domain_folders(chosen.source, chosen.domain_b, split)[domain]
    return folder(path, chosen.channels)


def is_of_tfds(options):
    return options.data.source.startswith(TFDS)


def _check_exists(source):
    if not pathlib.Path(source).exists():
        raise InputError(
            f"{source} does not exist; expected a folder of images, {SCENES}, or {TFDS} and the "
            f"name of a data set, such as {TFDS}cycle_gan/horse2zebra."
        )
