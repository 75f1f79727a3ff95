"""Pairs of domains on which a cycle is satisfied by something else than was meant.

Made images, so that what was meant is known: each image comes with the class of each pixel. The
limits of the CycleGAN paper (section 6) are about such domains.
"""

import typing

import numpy as np

from cyclegan_tf.data.scenes import COLORS as SCENE_COLORS
from cyclegan_tf.data.scenes import render

TREE, BUILDING = 0, 1  # classes of `unequal`
MAP_COLORS = np.array([(107, 142, 35), (70, 70, 70)], np.uint8)
# Trees are brighter in both domains: brightness speaks for the right classes.
PHOTOGRAPH_COLORS = np.array([(95, 160, 60), (110, 75, 70)], np.uint8)

BACKGROUND, OBJECT = 0, 1  # classes of `shapes`
GRAY = (110, 110, 110)
UPRIGHT_COLOR, LYING_COLOR = (200, 60, 40), (50, 80, 200)

_TONES = {
    "a": ((25, 25, 25), (230, 230, 230)),
    "b": ((15, 20, 80), (250, 210, 130)),
}  # dark and bright

_TEST = 1_000_000  # number of the first test image, whatever the domain


class Drawn(typing.NamedTuple):
    """Images of one domain.

    Attributes:
        images: uint8 `(count, size, size, 3)`.
        classes: of each pixel, uint8 `(count, size, size)`.
    """

    images: np.ndarray
    classes: np.ndarray


def drawn(draw, count, size, seed, split="train"):
    """`{"a": Drawn, "b": Drawn}`, unpaired.

    Args:
        draw: `(rng, size, domain) -> (image, classes)`, such as `shapes`.
        count: images of each domain.
        size: side, in pixels.
        seed: an integer, not negative.
        split: `"train"` or `"test"`, which have no image in common.
    """
    first = {"train": 0, "test": _TEST}[split]
    found = {}
    for number, domain in enumerate("ab"):
        generators = (np.random.default_rng([seed, number, first + k]) for k in range(count))
        parts = [draw(rng, size, domain) for rng in generators]
        found[domain] = Drawn(*(np.stack(part) for part in zip(*parts)))
    return found


def shapes(rng, size, domain):
    """Domain A has two red discs, one above the other; domain B two blue ones, side by side.

    The gap between two discs is a quarter of the side or more: a smaller patch does not show both.
    """
    y, x = _grid(size)
    apart = np.array([0.23, 0.0] if domain == "a" else [0.0, 0.23])  # from the middle, y and x
    middle = rng.uniform(0.46, 0.54, 2)
    radius = rng.uniform(0.09, 0.11)
    inside = np.zeros((size, size), bool)
    for row, column in (middle - apart, middle + apart):
        inside |= np.hypot(y - row, x - column) < radius
    gray = GRAY + 40 * _smooth_noise(rng, size, 5)[..., None] + rng.normal(0, 6, (size, size, 3))
    color = np.array(UPRIGHT_COLOR if domain == "a" else LYING_COLOR)
    colored = color + rng.normal(0, 12, (size, size, 3))
    return _uint8(np.where(inside[..., None], colored, gray)), np.uint8(inside)


def streets(rng, size, domain, cars_in_photographs=False):
    """Domain A has label maps of streets with cars, domain B photographs of streets.

    Args:
        cars_in_photographs: whether there are cars in domain B too.
    """
    number = int(rng.integers(2**31))
    photograph, classes = render(number, (size, size), cars=domain == "a" or cars_in_photographs)
    return (SCENE_COLORS[classes] if domain == "a" else photograph), classes


def tones(rng, size, domain):
    """Domain A is gray, domain B goes from dark blue to light orange.

    Dark and bright are spread alike, so that a negative is an image of its domain. The class of a
    pixel is 1 where it is brighter than the middle.
    """
    noise = _smooth_noise(rng, size, 4) + 0.3 * _smooth_noise(rng, size, 11)
    tone = 0.5 + 0.5 * np.clip(1.3 * noise, -1, 1) + rng.normal(0, 0.02, (size, size))
    tone = np.clip(tone, 0, 1)[..., None]
    dark, bright = (np.array(color) for color in _TONES[domain])
    return _uint8((1 - tone) * dark + tone * bright), np.uint8(tone[..., 0] > 0.5)


def unequal(rng, size, domain, trees_in_maps=0.75, trees_in_photographs=0.25):
    """Domain A has label maps of trees and buildings, domain B such photographs.

    Trees are brighter in both; besides, only amounts and textures tell which class is which.

    Args:
        trees_in_maps, trees_in_photographs: the share of trees in each domain.
    """
    share = trees_in_maps if domain == "a" else trees_in_photographs
    noise = _smooth_noise(rng, size, 4)
    classes = np.uint8(noise > np.quantile(noise, share))  # trees below, buildings above
    if domain == "a":
        return MAP_COLORS[classes], classes
    grain = np.array([20.0, 5.0])[classes][..., None]  # leaves are rough, walls smooth
    photograph = PHOTOGRAPH_COLORS[classes] + grain * rng.normal(0, 1, (size, size, 1))
    return _uint8(photograph), classes


def _grid(size):
    """y downwards and x, from 0 to 1."""
    middles = (np.arange(size) + 0.5) / size
    return np.meshgrid(middles, middles, indexing="ij")


def _smooth_noise(rng, size, cells):
    """About from -1 to 1, spread alike around 0, with so many bumps along a side."""
    values = rng.uniform(-1, 1, (cells + 1, cells + 1))
    places = np.linspace(0, cells, size, endpoint=False)
    number, part = places.astype(int), places % 1
    part = part * part * (3 - 2 * part)
    lines = values[number] * (1 - part)[:, None] + values[number + 1] * part[:, None]
    return lines[:, number] * (1 - part) + lines[:, number + 1] * part


def _uint8(values):
    return np.uint8(np.clip(values, 0, 255))
