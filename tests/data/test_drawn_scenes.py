"""The second style of the scenes: the same streets, other pixels."""

import numpy as np
import pytest

from cyclegan_tf.data.drawn_scenes import DrawnScene
from cyclegan_tf.data.scenes import CLASSES, render, scene_pairs

SIZES = [(64, 64), (32, 48)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("number", [0, 7, 1_000_000_003])
def test_both_styles_have_the_same_classes_in_the_same_places(number, size):
    photograph, classes = render(number, size, seed=2)
    graphics, drawn_classes = render(number, size, seed=2, style=DrawnScene)
    np.testing.assert_array_equal(drawn_classes, classes)
    assert graphics.shape == photograph.shape
    assert graphics.dtype == np.uint8


def _colors(image, where):
    """How many colors there are, and the most frequent one."""
    colors, counts = np.unique(image[where], axis=0, return_counts=True)
    return len(colors), colors[counts.argmax()]


def test_computer_graphics_are_flat_and_of_another_palette():
    for number in range(3):
        photograph, classes = render(number, (64, 64))
        graphics, _ = render(number, (64, 64), style=DrawnScene)
        for what in ("sky", "road", "sidewalk"):  # each of one piece
            where = classes == CLASSES.index(what)
            of_photograph, _ = _colors(photograph, where)
            of_graphics, color = _colors(graphics, where)
            assert of_graphics == 1
            assert of_photograph > 50
            assert np.abs(photograph[where].mean(0) - color).max() > 20
        assert len(np.unique(graphics.reshape(-1, 3), axis=0)) < 40


def test_a_scene_has_the_same_colors_each_time_and_others_in_another_scene():
    first = [render(number, (32, 32), seed=1, style=DrawnScene)[0] for number in range(8)]
    again = [render(number, (32, 32), seed=1, style=DrawnScene)[0] for number in range(8)]
    np.testing.assert_array_equal(first, again)
    assert len({tuple(image[0, 16]) for image in first}) > 1  # skies


def test_pairs_of_a_style_begin_where_they_are_asked_to():
    _, photographs, classes = scene_pairs(4, 32, split="train", seed=3)
    _, graphics, rest = scene_pairs(2, 32, split="train", seed=3, skip=2, style=DrawnScene)
    np.testing.assert_array_equal(rest, classes[2:])
    np.testing.assert_array_equal(graphics[0], render(2, (32, 32), seed=3, style=DrawnScene)[0])
    assert not np.array_equal(graphics, photographs[2:])
