"""Folders with images of any depth as sources of training images."""

import dataclasses

import numpy as np

from cyclegan_tf.data import deep_files, image_files
from cyclegan_tf.data.pipeline import Source
from cyclegan_tf.intensity_range import Percentiles, is_of_folder
from cyclegan_tf.pixels import to_float


@dataclasses.dataclass(frozen=True, eq=False)
class Depth:
    """What is known of the values of a folder's images.

    Attributes:
        paths: of the deep images, at least one.
        channels: that training images have.
        rule: of `cyclegan_tf.intensity_range`, for each image.
    """

    paths: list
    channels: int
    rule: object

    def record(self):
        """The range and the dtype that translations to this domain have, as JSON values.

        Where the range differs between images it is that of the first one, or percentiles of all.
        """
        image = deep_files.read(self.paths[0], self.channels)
        if isinstance(self.rule, Percentiles):
            found, _ = deep_files.measured(self.rule, self.paths, self.channels)
        else:
            found = self.rule.of(image, self.paths[0])
        return {
            "low": list(found.low),
            "high": list(found.high),
            "dtype": image.values.dtype.name,
        }


# Of a folder whose images all have 8 bits.
RECORD_OF_8_BITS = {"low": [0.0], "high": [255.0], "dtype": "uint8"}


def deep_source(name, names, paths, sizes, channels, rule):
    """A `Source` of images, at least one of which is deep; those of 8 bits are from 0 to 255.

    Args:
        name, names, sizes: as in `Source`.
        paths: of the images.
        channels: that training images have.
        rule: of `cyclegan_tf.intensity_range`. Percentiles of the folder are measured here.

    Raises:
        InputError: the range of the values is not known.
    """
    deep = [deep_files.is_deep(path, channels) for path in paths]
    deep_paths = [path for path, is_deep in zip(paths, deep) if is_deep]
    if is_of_folder(rule):
        rule, _ = deep_files.measured(rule, deep_paths, channels)
    else:  # which says at once what is unknown
        rule.of(deep_files.read(deep_paths[0], channels), deep_paths[0])

    def load(number, size):
        path = paths[number]
        if not deep[number]:
            return np.float32(to_float(image_files.read(path, channels, size)))
        image = deep_files.read(path, channels)
        return rule.of(image, path).to_floats(image.values, image.no_data)

    return Source(name, load, sizes, names, Depth(deep_paths, channels, rule))
