"""Held-back images to score a model on, and what is known of them."""

import dataclasses

import numpy as np

from cyclegan_tf import data, value_range
from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.errors import InputError
from cyclegan_tf.pixels import to_uint8
from cyclegan_tf.preprocessing import Preprocessing
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES, sources_of


@dataclasses.dataclass(frozen=True, eq=False)
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


@dataclasses.dataclass(frozen=True, eq=False)
class HeldOut:
    """Images of both domains that a model was not trained on.

    Attributes:
        images: uint8 `(count, height, width, channels)` by domain, `{"a": …, "b": …}`.
        paired: the k-th images of both domains show one scene.
        classes: `Classes`, if the images of a domain are label maps whose truth is known.
        names: of the images by domain, for a page; numbers if empty.

    Raises:
        InputError: other images, none, or paired ones of unequal counts.
    """

    images: dict
    paired: bool = False
    classes: Classes | None = None
    names: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        for domain in "ab":
            images = self.images.get(domain)
            if np.ndim(images) != 4 or images.dtype != np.uint8 or not images.size:
                found = None if images is None else f"{images.dtype} {images.shape}"
                raise InputError(
                    f"Images of {domain.upper()} must be uint8 (count, height, width, channels), "
                    f"at least one. Received: {found}"
                )
        count_a, count_b = (len(self.images[domain]) for domain in "ab")
        if self.paired and count_a != count_b:
            raise InputError(
                "Paired images need one of B for each of A. Received: "
                f"{count_a} of A, {count_b} of B"
            )


def held_out(options, *, split="test", paired=None, count=200):
    """The first `count` held-back images that the options of a run name.

    They are resized and cropped as in training, but nothing is random.

    Args:
        options: `RunOptions`.
        split: `"test"`, or `"train"` for the training images. Two folders have no splits: they
            are taken as they are.
        paired: images of one name show one scene; by default if the system trains on pairs or
            the files hold pairs. Built-in images always are.
        count: of each domain at most.

    Raises:
        InputError: there are no such images, or they have different sizes.
    """
    chosen = options.data
    if chosen.source in BUILT_IN:
        return _built_in(options, split, count)
    if paired is None:
        paired = SYSTEMS[options.system].paired or chosen.side_by_side != "none"
    sources = sources_of(options, split, paired=paired)
    names = {domain: list(source.names)[:count] for domain, source in zip("ab", sources)}
    sources = [source.subset(range(min(count, len(source)))) for source in sources]
    preprocessing = Preprocessing(
        chosen.preprocess, chosen.load_size, chosen.crop_size, False, chosen.channels_by_domain
    )
    dataset = data.dataset(*sources, preprocessing, training=False, paired=paired)
    return dataclasses.replace(of_dataset(dataset), names=names)


def _built_in(options, split, count):
    """Pairs of a built-in source, whose classes are known."""
    source = options.data.source
    if split != "test":
        raise InputError(
            f"The training images of {source} are not scored: as many as you like were held back. "
            "Leave --split out."
        )
    built_in = BUILT_IN_SOURCES[source]
    images_a, images_b, classes = built_in.pairs(
        count, options.data.crop_size, seed=options.training.seed
    )
    known = Classes(classes, built_in.colors, built_in.domain_of_maps)
    return HeldOut({"a": images_a, "b": images_b}, paired=True, classes=known)


def of_dataset(dataset):
    """`HeldOut` of a data set of batches of `(image_a, image_b)`, floats in [-1, 1].

    Args:
        dataset: its attribute `paired`, if it has one, says whether its elements are pairs, and
            `counts` how many images there are of each domain: the smaller one repeats.

    Raises:
        InputError: it has no elements, images of different sizes, or values that are out of range.
    """
    parts = {"a": [], "b": []}
    for batch in dataset:
        for domain, images in zip("ab", batch, strict=True):
            parts[domain].append(_checked(np.asarray(images), parts[domain], domain))
    if not parts["a"]:
        raise InputError("The data set has no images; expected at least one of each domain.")
    counts = dict(zip("ab", getattr(dataset, "counts", (None, None))))
    images = {domain: np.concatenate(parts[domain])[: counts[domain]] for domain in "ab"}
    return HeldOut(images, getattr(dataset, "paired", False))


def _checked(images, before, domain):
    """A batch as uint8, if it is one of floats in range, of the size of those before."""
    if images.ndim != 4 or images.dtype.kind != "f":
        raise InputError(
            "Expected batches of float images (count, height, width, channels) in [-1, 1]. "
            f"Received: {images.dtype} {images.shape}"
        )
    if before and before[0].shape[1:] != images.shape[1:]:
        sizes = (f"{each.shape[2]} x {each.shape[1]}" for each in (before[0], images))
        raise InputError(
            f"Images of {domain.upper()} have different sizes, such as {' and '.join(sizes)}; "
            "scores need one size: use preprocess='resize_and_crop'."
        )
    if images.size:
        value_range.check(float(images.min()), float(images.max()))
    return to_uint8(images)
