import keras
import numpy as np
import pytest
import references

from cyclegan_tf import ConstantThenLinearDecay


def test_rate_of_every_epoch_is_the_published_one():
    schedule = ConstantThenLinearDecay(2e-4, 100, 100, steps_per_epoch=7)
    rates = references.load("lr_linear_100_100")["lr_per_epoch"]
    for epoch, expected in enumerate(rates):
        for step in (7 * epoch, 7 * epoch + 6):
            np.testing.assert_array_equal(schedule(step), np.float32(expected))


def test_rate_is_zero_after_the_last_epoch_and_never_negative():
    schedule = ConstantThenLinearDecay(1.0, 1, 3, steps_per_epoch=1)
    np.testing.assert_allclose([schedule(s) for s in range(7)], [1, 0.75, 0.5, 0.25, 0, 0, 0])


def test_rate_goes_on_at_the_epoch_that_training_begins_in():
    whole = ConstantThenLinearDecay(1.0, 2, 3, steps_per_epoch=4)
    rest = ConstantThenLinearDecay(1.0, 2, 3, steps_per_epoch=4, first_epoch=4)
    np.testing.assert_array_equal([rest(s) for s in range(9)], [whole(s) for s in range(12, 21)])


def test_config_round_trip():
    schedule = ConstantThenLinearDecay(1e-3, 5, 6, steps_per_epoch=7, first_epoch=3)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    assert again.get_config() == schedule.get_config()


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="steps_per_epoch=0"):
        ConstantThenLinearDecay(steps_per_epoch=0)
    with pytest.raises(ValueError, match="first_epoch=0"):
        ConstantThenLinearDecay(steps_per_epoch=1, first_epoch=0)
    with pytest.raises(ValueError, match="must not be negative"):
        ConstantThenLinearDecay(constant_epochs=-1, steps_per_epoch=1)
