"""Flicker, beside numbers by hand."""

import numpy as np
import pytest

from cyclegan_tf.metrics.flicker import Flicker, flicker


def _frames(*rows):
    """Frames of one row of gray pixels each."""
    return np.array(rows, np.uint8)[:, None, :, None]


# Of four pixels the last moves; the third changes by 3, which is more than noise.
INPUTS = _frames([10, 20, 30, 40], [11, 18, 33, 90], [11, 18, 33, 40])
OUTPUTS = _frames([0, 100, 0, 0], [4, 98, 200, 255], [5, 98, 250, 0])


def test_only_still_pixels_count():
    # |4 - 0|, |98 - 100|, then |5 - 4|, |98 - 98|, |250 - 200|
    assert flicker(INPUTS, OUTPUTS) == (4 + 2 + 1 + 0 + 50) / 5
    assert flicker(INPUTS, OUTPUTS, threshold=3) == (4 + 2 + 200 + 1 + 0 + 50) / 6
    assert flicker(INPUTS, OUTPUTS, threshold=0) == (1 + 0 + 50) / 3


def test_channels_are_averaged_and_each_must_be_still():
    inputs = np.zeros((2, 1, 2, 3), np.uint8)
    inputs[1, 0, 1, 2] = 3
    outputs = np.zeros((2, 1, 2, 3), np.uint8)
    outputs[1, 0] = [[9, 0, 0], [90, 90, 90]]
    assert flicker(inputs, outputs) == 3
    assert flicker(inputs[..., :1], outputs) == (3 + 90) / 2


def test_the_input_itself_has_a_number_at_the_same_pixels():
    measured = Flicker()
    for pair in zip(INPUTS, OUTPUTS):
        measured.add(*pair)
    assert measured.of_input == (1 + 2 + 0 + 0 + 0) / 5
    assert measured.still == 5


def test_a_cut_is_no_flicker():
    measured = Flicker()
    for pair, cut in zip(zip(INPUTS, OUTPUTS), (False, True, False)):
        measured.add(*pair, after_cut=cut)
    assert measured.of_output == (1 + 0 + 50) / 3


def test_it_goes_on_from_its_state():
    first, second = Flicker(), Flicker()
    second.restore(first.state())  # of nothing yet
    for number, pair in enumerate(zip(INPUTS, OUTPUTS)):
        (second if number == 2 else first).add(*pair)
        if number < 2:
            second.restore(first.state())
    assert second.of_output == flicker(INPUTS, OUTPUTS)


def test_nothing_still_has_no_flicker():
    assert np.isnan(flicker(INPUTS[:1], OUTPUTS[:1]))
    assert np.isnan(flicker(_frames([0, 0], [9, 9]), _frames([1, 2], [1, 2])))


@pytest.mark.parametrize(
    ("inputs", "outputs", "settings", "message"),
    [
        (INPUTS, OUTPUTS[:2], {}, "as many frames in both. Received: 3 and 2"),
        (INPUTS[..., 0], OUTPUTS, {}, "Received: .3, 1, 4."),
        (INPUTS, OUTPUTS[:, :, :3], {}, "all of one size"),
        (INPUTS / 255, OUTPUTS, {}, "Received: float64"),
        (INPUTS, OUTPUTS, {"threshold": -1}, "threshold must be at least 0. Received: -1"),
    ],
    ids=["counts", "rank", "sizes", "floats", "threshold"],
)
def test_other_arrays_are_refused(inputs, outputs, settings, message):
    with pytest.raises(ValueError, match=message):
        flicker(inputs, outputs, **settings)
