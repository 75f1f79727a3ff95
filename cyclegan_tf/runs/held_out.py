"""Held-back images to score a model on, and what is known of them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from cyclegan_tf import data
from cyclegan_tf.choices import BUILT_IN, SCENES
from cyclegan_tf.data.earth import COLORS as EARTH_COLORS
from cyclegan_tf.data.scenes import COLORS as SCENE_COLORS
from cyclegan_tf.errors import InputError
from cyclegan_tf.pixels import to_uint8
from cyclegan_tf.preprocessing import Preprocessing
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.runs.sources import sources_of


@dataclasses.dataclass(frozen=True)
class Classes:
    """Label maps as classes.

    Attributes:
        truth: the class of each pixel, integers `(count, height, width)`.
        colors: of each class in a label map, uint8 `(classes, 3)`.
        domain: `"a"` or `"b"`, whose images are label maps.
    """

    truth: np.ndarray
    colors: np.ndarray
    domain: str


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Images of both domains that a model was not trained on.

    Attributes:
        images: uint8 `(count, height, width, channels)` by domain, `{"a": …, "b": …}`.
        paired: the k-th images of both domains show one scene.
        classes: `Classes`, if the images of a domain are label maps whose truth is known.
        names: of the images by domain, for a page; numbers if empty.
    """

    images: dict
    paired: bool = False
    classes: Classes | None = None
    names: dict = dataclasses.field(default_factory=dict)
    _computed: dict = dataclasses.field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self):
        counts = {domain: len(images) for domain, images in self.images.items()}
        for domain, images in self.images.items():
            if np.ndim(images) != 4 or images.dtype != np.uint8 or not len(images):
                raise InputError(
                    f"Images of {domain.upper()} must be uint8 (count, height, width, channels), "
                    f"at least one. Received: {images.dtype} {np.shape(images)}"
                )
        if self.paired and counts["a"] != counts["b"]:
            raise InputError(
                "Paired images need one of B for each of A. Received: "
                f"{counts['a']} of A, {counts['b']} of B"
            )

    def features(self, domain, extractor):
        """`extractor.features` of the images of a domain, computed once."""
        return self._once("features", domain, extractor)

    def maps(self, domain, extractor):
        """`extractor.maps` of the images of a domain, computed once."""
        return self._once("maps", domain, extractor)

    def _once(self, kind, domain, extractor):
        key = kind, domain, extractor.name, extractor.checksum
        if key not in self._computed:
            images = without_alpha(self.images[domain])
            self._computed[key] = getattr(extractor, kind)(images)
        return self._computed[key]


def without_alpha(images):
    """RGB of RGBA, which no extractor of features takes; others as they are."""
    return images[..., :3] if images.shape[-1] == 4 else images


def held_out(options, *, split="test", paired=None, count=200):
    """The first `count` held-back images that the options of a run name.

    They are resized and cropped as in training, but nothing is random.

    Args:
        options: `RunOptions`.
        split: `"test"`, or `"train"` for the training images.
        paired: images of one name show one scene; by default if the system trains on pairs. The
            built-in images always are.
        count: of each domain at most.

    Raises:
        InputError: there are no such images, or they have different sizes.
    """
    if options.data.source in BUILT_IN:
        return _built_in(options, split, count)
    paired = SYSTEMS[options.system].paired if paired is None else paired
    sources = sources_of(options, split, paired=paired)
    names = {domain: list(source.names)[:count] for domain, source in zip("ab", sources)}
    sources = [source.subset(range(min(count, len(source)))) for source in sources]
    chosen = options.data
    preprocessing = Preprocessing(
        chosen.preprocess, chosen.load_size, chosen.crop_size, False, chosen.channels
    )
    dataset = data.dataset(*sources, preprocessing, training=False, paired=paired)
    return of_dataset(dataset, counts=[len(source) for source in sources], names=names)


def _built_in(options, split, count):
    """Pairs of a built-in source, whose classes are known."""
    if options.data.source == SCENES:
        pairs, colors, domain_of_maps = data.scene_pairs, SCENE_COLORS, "a"
    else:
        pairs, colors, domain_of_maps = data.earth_pairs, EARTH_COLORS, "b"
    images_a, images_b, classes = pairs(
        count, options.data.crop_size, split=split, seed=options.training.seed
    )
    known = Classes(classes, colors, domain_of_maps)
    return HeldOut({"a": images_a, "b": images_b}, paired=True, classes=known)


def of_dataset(dataset, *, classes=None, counts=None, names=None):
    """`HeldOut` of a data set of `(image_a, image_b)`, floats in [-1, 1].

    Args:
        dataset: as `cyclegan_tf.data.folders(..., split="test")` makes them; its attribute
            `paired`, if it has one, says whether its elements are pairs.
        classes: `Classes`, if known.
        counts: how many images of A and of B to take: the smaller domain repeats in a data set.
        names: of the images by domain.

    Raises:
        InputError: it has no elements, or images of different sizes.
    """
    batches = [[np.asarray(part) for part in batch] for batch in dataset]
    if not batches:
        raise InputError("The data set has no images; expected at least one of each domain.")
    images = {}
    for number, domain in enumerate("ab"):
        parts = [batch[number] for batch in batches]
        sizes = {part.shape[1:] for part in parts}
        if len(sizes) > 1:
            raise InputError(
                f"Images of {domain.upper()} have different sizes, such as "
                f"{_said(sizes)}; scores need one size: use preprocess='resize_and_crop'."
            )
        together = np.concatenate(parts)
        images[domain] = to_uint8(together[: counts[number]] if counts else together)
    return HeldOut(images, getattr(dataset, "paired", False), classes, names or {})


def _said(sizes: Sequence):
    shown = sorted(sizes)[:2]
    return " and ".join(f"{width} x {height}" for height, width, _ in shown)
