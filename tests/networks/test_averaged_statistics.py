"""Averaged statistics, beside NumPy, and beside the generators themselves."""

import keras
import numpy as np
import pytest
from tiny import tiny_images

from cyclegan_tf import InputError, resnet_generator
from cyclegan_tf.networks.averaged_statistics import AveragedStatistics, has_statistics
from cyclegan_tf.networks.generators import refiner
from cyclegan_tf.networks.layers import InstanceNormalization
from cyclegan_tf.systems.unit import UNIT, paper_networks

FRAMES = tiny_images(4)[0]


@pytest.fixture(scope="module")
def twice():
    """A network that normalizes by one layer twice, once in a model within it."""
    layer = InstanceNormalization(epsilon=0.01)
    inner = keras.Input((None, None, 3))
    half = keras.Model(inner, keras.layers.Rescaling(0.5)(layer(inner)))
    image = keras.Input((None, None, 3))
    return keras.Model(image, keras.layers.Rescaling(2.0, 0.1)(layer(half(image))))


def _by_numpy(frames, decay, cuts=()):
    averages, results = {}, []

    def normalized(place, x):
        now = np.stack([x.mean((0, 1)), x.var((0, 1))])
        kept = 0 if place not in averages else decay
        averages[place] = kept * averages.get(place, 0) + (1 - kept) * now
        mean, variance = averages[place]
        return (x - mean) / np.sqrt(variance + 0.01)

    for number, frame in enumerate(frames):
        if number in cuts:
            averages.clear()
        x = 0.5 * normalized("first", frame.astype(np.float64))
        results.append(2 * normalized("second", x) + 0.1)
    return np.stack(results)


@pytest.mark.parametrize("decay", [0, 0.5, 0.9])
def test_averages_are_those_that_numpy_computes(twice, decay):
    averaged = AveragedStatistics(twice, decay)
    outputs = [
        averaged.translate(frame, after_cut=number == 2) for number, frame in enumerate(FRAMES)
    ]
    expected = _by_numpy(FRAMES, decay, cuts=[2])
    np.testing.assert_allclose(np.stack(outputs), expected, rtol=0, atol=2e-5)
    if decay:
        assert abs(expected - _by_numpy(FRAMES, 0)).max() > 0.05


def test_another_process_goes_on_from_the_state(twice):
    first, second = AveragedStatistics(twice, 0.9), AveragedStatistics(twice, 0.9)
    second.restore(first.state())  # of nothing yet
    first.translate(FRAMES[0])
    second.restore(first.state())
    np.testing.assert_array_equal(second.translate(FRAMES[1]), first.translate(FRAMES[1]))


def test_the_first_frame_is_that_of_unit_whose_networks_are_nested():
    model = UNIT(**paper_networks((32, 32, 3), base_filters=2, blocks=1, strided_layers=3))
    generator = model.generators["ab"]
    generator.set_weights([15 * values for values in generator.get_weights()])
    averaged = AveragedStatistics(generator, 0.9)
    expected = generator(FRAMES[:2]).numpy()
    assert expected.std() > 0.05
    outputs = averaged.translate(FRAMES[0])
    np.testing.assert_allclose(outputs, expected[0], rtol=0, atol=1e-4)
    # The same frame again has the same statistics, another one not.
    np.testing.assert_allclose(averaged.translate(FRAMES[0]), outputs, rtol=0, atol=1e-4)
    assert abs(averaged.translate(FRAMES[1]) - expected[1]).max() > 1e-2


def test_frames_have_any_size(twice):
    assert AveragedStatistics(twice, 0.9).translate(FRAMES[0, :9, :21]).shape == (9, 21, 3)


def test_networks_without_statistics_are_told_apart():
    assert has_statistics(resnet_generator(base_filters=4, blocks=1))
    assert has_statistics(keras.Sequential([resnet_generator(base_filters=4, blocks=1)]))
    assert not has_statistics(refiner(base_filters=4, blocks=1))
    assert not has_statistics(resnet_generator(base_filters=4, blocks=1, normalization="batch"))


@pytest.mark.parametrize("decay", [-0.1, 1, float("nan")])
def test_decays_out_of_range_are_refused(twice, decay):
    with pytest.raises(ValueError, match="decay must be from 0 up to 1"):
        AveragedStatistics(twice, decay)


class _Own(keras.Model):
    def call(self, images):
        return images


def test_networks_that_compute_in_their_own_way_are_refused():
    odd = _Own(name="odd")
    image = keras.Input((None, None, 3))
    for network in (keras.Model(image, odd(image)), keras.Sequential([image, odd])):
        with pytest.raises(InputError, match="'odd' is a _Own that computes in a way of its own"):
            AveragedStatistics(network, 0.9)
