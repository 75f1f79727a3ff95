"""Digits with labels in two domains: signs of a street, and white on black.

They are drawn from the typefaces that come with Matplotlib, and take the parts of SVHN and MNIST;
or they are these two, from TensorFlow Datasets.
"""

import dataclasses
import functools
import pathlib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from cyclegan_tf.choices import SPLITS, check
from cyclegan_tf.data.tfds import is_laid_down, labeled_images
from cyclegan_tf.errors import InputError

STREET, PLAIN = DOMAINS = ("street", "plain")
CLASSES = 10
TFDS_NAMES = {STREET: "svhn_cropped", PLAIN: "mnist"}

_GLYPH = 128  # side of a glyph, in pixels, before it is moved and made smaller
_EM = 104  # of the type in it
_LEAST_CONTRAST = 0.35  # between the mean color values of a digit and its background, in [0, 1]


@dataclasses.dataclass(frozen=True)
class _Hand:
    """How a domain moves its glyphs; all are drawn uniformly.

    Attributes:
        typefaces: names of Matplotlib's files.
        turn: most degrees to either side.
        slant: most shear to either side.
        sizes: from and to, 1 for an em of 0.8 of the image.
        shift: most of the image's side, in each direction.
    """

    typefaces: tuple[str, ...]
    turn: float
    slant: float
    sizes: tuple[float, float]
    shift: float


_HANDS = {
    STREET: _Hand(
        ("DejaVuSans-Bold", "DejaVuSansMono-Bold", "DejaVuSerif-Bold", "STIXGeneralBol"),
        turn=12, slant=0.2, sizes=(0.9, 1.2), shift=0.06,
    ),
    PLAIN: _Hand(
        ("DejaVuSans", "cmss10", "cmtt10", "STIXGeneral"),
        turn=12, slant=0.2, sizes=(0.9, 1.2), shift=0.06,
    ),
}  # fmt: skip


def typeface_digits(domain, count, image_size=32, *, split="train", seed=0):
    """Digits that are drawn here, each as often as the others.

    Args:
        domain: `"street"`, bold types in a color on a mottled background of a lighter one, with
            parts of their neighbors; or `"plain"`, light types, white on black.
        count: of the images.
        image_size: their side, in pixels.
        split: `"train"` or `"test"`; these have no image in common.
        seed: an integer >= 0, of everything that is drawn.

    Returns:
        `(images, labels)`: uint8 `(count, image_size, image_size, 3)` and int64 `(count,)`.

    Raises:
        InputError: an argument out of range.
    """
    check("domain", domain, DOMAINS)
    check("split", split, SPLITS)
    if count < 1 or image_size < 16:
        raise InputError(
            "count must be at least 1 and image_size at least 16. "
            f"Received: count={count}, image_size={image_size}"
        )
    labels = np.arange(count) % CLASSES
    draw = {STREET: _street, PLAIN: _plain}[domain]
    of_all = seed, DOMAINS.index(domain), SPLITS.index(split)
    images = [
        draw(np.random.default_rng([*of_all, number]), label, image_size)
        for number, label in enumerate(labels)
    ]
    return np.stack(images), labels


def tfds_digits(domain, count, image_size=32, *, split="train", data_dir=None):
    """Digits of SVHN (`"street"`) or MNIST (`"plain"`), as `typeface_digits` gives them.

    Args:
        count: the first ones, or all if there are fewer.
        data_dir: where TFDS keeps its data sets; its own default if `None`.

    Raises:
        InputError: the data set is not there, or an argument out of range.
        ImportError: tensorflow-datasets is not installed.
    """
    check("domain", domain, DOMAINS)
    check("split", split, SPLITS)
    return labeled_images(TFDS_NAMES[domain], split, count, image_size, data_dir)


def tfds_digits_are_laid_down(data_dir=None):
    """Whether SVHN and MNIST are on the disk, where TFDS keeps its data sets."""
    return all(is_laid_down(name, data_dir) for name in TFDS_NAMES.values())


def _plain(rng, label, size):
    """White on black."""
    return np.repeat(np.uint8(np.round(255 * _ink(rng, PLAIN, label, size)))[..., None], 3, 2)


def _street(rng, label, size):
    """In color, on another color, with neighbors at both sides."""
    ink = _ink(rng, STREET, label, size)
    for side in (-1, 1):
        neighbor = _ink(rng, STREET, rng.integers(CLASSES), size, side * rng.uniform(0.62, 0.9))
        ink = np.maximum(ink, neighbor)
    background, color = _colors(rng)
    ink = ink[..., None]
    image = background * (1 - ink) + color * ink
    image = image * (1 + rng.uniform(0, 0.35) * _mottled(rng, size)[..., None])
    image = image + rng.normal(0, 0.03, image.shape)
    return np.uint8(np.round(255 * np.clip(image, 0, 1)))


def _colors(rng):
    """Of the background and of the digit, in [0, 1]; the background is the lighter one."""
    while True:
        background, color = rng.random((2, 3))
        if background.mean() - color.mean() > _LEAST_CONTRAST:
            return background, color


def _mottled(rng, size):
    """Smooth noise in [-1, 1]."""
    coarse = Image.fromarray(np.float32(rng.uniform(-1, 1, (5, 5))))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC)).clip(-1, 1)


def _ink(rng, domain, label, size, aside=0.0):
    """How much of each pixel a digit covers, in [0, 1]; `aside` is in sides of the image."""
    hand = _HANDS[domain]
    angle = np.deg2rad(rng.uniform(-hand.turn, hand.turn))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    slant = np.array([[1, rng.uniform(-hand.slant, hand.slant)], [0, 1]])
    shift = np.add(rng.uniform(-hand.shift, hand.shift, 2), (aside, 0))
    glyph = _glyph(hand.typefaces[rng.integers(len(hand.typefaces))], int(label))
    # From a place in the image, drawn at twice its size, to one in the glyph.
    fine = 2 * size
    matrix = turn @ slant * (_GLYPH / fine / rng.uniform(*hand.sizes))
    offset = _GLYPH / 2 - matrix @ (fine * (0.5 + shift))
    moved = glyph.transform(
        (fine, fine),
        Image.Transform.AFFINE,
        (*matrix[0], offset[0], *matrix[1], offset[1]),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(moved.reduce(2)) / 255


@functools.cache
def _glyph(typeface, digit):
    """A digit in the middle of a grayscale Pillow image, white on black."""
    image = Image.new("L", (_GLYPH, _GLYPH))
    middle = (_GLYPH / 2, _GLYPH / 2)
    ImageDraw.Draw(image).text(middle, str(digit), 255, _font(typeface), anchor="mm")
    return image


@functools.cache
def _font(typeface):
    import matplotlib  # here, because it is slow to import

    folder = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    return ImageFont.truetype(folder / f"{typeface}.ttf", _EM)
