"""Cuts between scenes, beside distances by hand."""

import numpy as np
import pytest

from cyclegan_tf.translation.cuts import THRESHOLD, Cuts

BASE = np.random.default_rng(0).integers(0, 200, (20, 33, 3)).astype(np.uint8)


def _found(*frames):
    cuts = Cuts()
    return [cuts.add(frame) for frame in frames], cuts.count


def test_a_brighter_frame_is_a_cut_from_the_threshold_on():
    """All cells move by as many steps as the distance is large."""
    step = int(THRESHOLD)
    for move, cut in ((step - 1, False), (step, True)):
        assert _found(BASE, BASE + np.uint8(move)) == ([False, cut], int(cut))


def test_the_distance_is_the_mean_over_cells():
    """In one of sixteen cells one channel of three changes: 240 / 48."""
    black = np.zeros((20, 32, 3), np.uint8)
    other = black.copy()
    other[5:10, 8:16, 1] = 240
    found = [Cuts(threshold) for threshold in (4.99, 5.01)]
    for cuts in found:
        cuts.add(black)
        cuts.add(other)
    assert [cuts.count for cuts in found] == [1, 0]


def test_movement_in_an_area_is_no_cut():
    rows = BASE.copy()
    rows[:5] = rows[:5][::-1]
    assert _found(BASE, rows, np.roll(rows, 1, axis=1)) == ([False] * 3, 0)


def test_tiny_frames_have_fewer_areas():
    assert _found(BASE[:2, :1], 255 - BASE[:2, :1]) == ([False, True], 1)


@pytest.mark.parametrize("split", [0, 1, 2])
def test_it_goes_on_from_its_state(split):
    frames = [BASE, BASE, 255 - BASE]
    first, second = Cuts(), Cuts()
    before = [first.add(frame) for frame in frames[:split]]
    second.restore(first.state())
    assert [*before, *map(second.add, frames[split:])] == [False, False, True]
    assert second.count == 1
