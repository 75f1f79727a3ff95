"""Images of two domains, one of them label maps: translations can be scored both ways."""

import dataclasses
import json
import pathlib

import numpy as np

from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.errors import InputError
from cyclegan_tf.metrics import nearest_class
from cyclegan_tf.runs.held_out import Classes, HeldOut, held_out
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.segmenter import segmenter, segmenter_of
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES

CLASSES_FILE = "classes.json"  # in a folder of images: the color of each class
_MOST_TRAINING_PAIRS = 300  # of a segmenter
_FAR = 24.0  # mean distance from the nearest color, in 8-bit values, that no label map has


@dataclasses.dataclass(frozen=True)
class LabeledSource:
    """Where images come from, and which of them are label maps. Made by `labeled_source`.

    Attributes:
        source: as `cyclegan-tf train` takes it.
        image_size: side of the images, in pixels.
        colors: of each class in a label map, RGB.
        domain_of_maps: `"a"` or `"b"`.
    """

    source: str
    image_size: int
    colors: tuple[tuple[int, int, int], ...]
    domain_of_maps: str

    @property
    def to_photographs(self):
        """The direction from label maps."""
        return {"a": "ab", "b": "ba"}[self.domain_of_maps]

    @property
    def to_maps(self):
        """The direction from photographs."""
        return self.to_photographs[::-1]

    def described(self):
        """What tables call it."""
        built_in = BUILT_IN_SOURCES.get(self.source)
        return built_in.described if built_in else pathlib.Path(self.source).name

    def options(self, **options):
        """`RunOptions` of a run on these images."""
        return resolve(self.source, image_size=self.image_size, **options)

    def held_out(self, options, count):
        """`HeldOut` pairs whose classes are known: the first `count` of the test split."""
        if self.source in BUILT_IN:
            return held_out(options, count=count)
        return self._with_classes(held_out(options, paired=True, count=count))

    def segmenter(self, log):
        """A `cyclegan_tf.runs.segmenter.Segmenter`, of training images."""
        if self.source in BUILT_IN:
            return segmenter_of(self.source, self.image_size, log)
        pairs = held_out(self.options(), split="train", paired=True, count=_MOST_TRAINING_PAIRS)
        pairs = self._with_classes(pairs)
        photographs = pairs.images[{"a": "b", "b": "a"}[self.domain_of_maps]]
        return segmenter(photographs, pairs.classes.truth, len(self.colors), log=log)

    def _with_classes(self, pairs):
        colors = np.array(self.colors, np.uint8)
        truth = nearest_class(pairs.images[self.domain_of_maps], colors)
        classes = Classes(truth, colors, self.domain_of_maps)
        return HeldOut(pairs.images, paired=True, classes=classes, names=pairs.names)


def labeled_source(source, image_size):
    """A `LabeledSource`.

    Args:
        source: `"scenes"`, `"earth"`, or a folder with trainA, trainB, testA and testB, in which
            images of one name are a pair, and with `classes.json`: `{"facade": [0, 0, 255], …}`,
            the color of each class in the label maps.
        image_size: side of the images, in pixels.

    Raises:
        InputError: there is no such folder or file, or no domain holds label maps of its colors.
    """
    if source in BUILT_IN:
        built_in = BUILT_IN_SOURCES[source]
        return LabeledSource(source, image_size, _tuples(built_in.colors), built_in.domain_of_maps)
    colors = _colors_of(pathlib.Path(source))
    unpaired = held_out(resolve(source, image_size=image_size), paired=True, count=8)
    distances = {domain: _distance(unpaired.images[domain], colors) for domain in "ab"}
    domain = min(distances, key=distances.get)
    if distances[domain] > _FAR:
        raise InputError(
            f"Neither domain of {source} holds label maps in the colors of its {CLASSES_FILE}: the "
            f"images are {distances['a']:.0f} and {distances['b']:.0f} 8-bit values from the "
            "nearest ones, on average."
        )
    folder = resolve(source).data.source  # absolute
    return LabeledSource(folder, image_size, _tuples(colors), domain)


def _tuples(colors):
    return tuple(tuple(int(value) for value in color) for color in colors)


def _colors_of(folder):
    path = folder / CLASSES_FILE
    if not path.exists():
        raise InputError(
            f"{path} does not exist; tables need the color of each class in the label maps, as "
            '{"sky": [70, 130, 180], "road": [128, 64, 128]}.'
        )
    try:
        colors = np.array(list(json.loads(path.read_text(encoding="utf-8")).values()))
        if colors.ndim != 2 or colors.shape[1] != 3 or len(colors) < 2:
            raise ValueError(f"an array of shape {colors.shape}")
        if colors.dtype.kind not in "iu" or colors.min() < 0 or colors.max() > 255:
            raise ValueError("other values than integers from 0 to 255")
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path} must hold an RGB color for each of at least two classes, as "
            f'{{"sky": [70, 130, 180], "road": [128, 64, 128]}}; it holds {error}.'
        ) from error
    return colors.astype(np.uint8)


def _distance(images, colors):
    """Mean distance of pixels from the nearest color, in 8-bit values."""
    nearest = colors[nearest_class(images, colors)]
    return float(np.abs(images.astype(np.int16) - nearest).mean())
