"""Moving averages that span more than their run are warned of."""

import keras
import pytest
import tensorflow as tf
from tiny import TINY

from cyclegan_tf import Adam
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.train import _check_average, train


def test_an_average_keeps_a_power_of_its_momentum_of_the_first_weights():
    adam, weight = Adam(use_ema=True, ema_momentum=0.9), keras.Variable(1.0)
    adam.apply([tf.constant(0.0)], [weight])
    weight.assign(0.0)
    for _ in range(20):
        adam.apply([tf.constant(0.0)], [weight])
    adam.finalize_variable_values([weight])
    assert float(weight) == pytest.approx(0.9**20)


def test_training_warns_of_an_average_that_spans_more_than_the_run(tmp_path):
    short = {**TINY, "preset": "modern", "epochs": 4, "steps_per_epoch": 100}
    sentence = (
        r"^ema_momentum=0\.9999 averages over about 10,000 updates, and this run has 400, so the "
        r"weights that it ends with would be 96% untrained; use 0\.975, or train for longer\.$"
    )
    with pytest.raises(UserWarning, match=sentence):
        train(resolve("scenes", **short), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run" / "model.keras").exists()


@pytest.mark.parametrize(
    ("steps", "accumulated", "warned"),
    [(999, 1, True), (1000, 1, False), (1998, 2, True), (2000, 2, False), (99, 1, False)],
)
def test_it_spans_as_many_updates_as_one_divided_by_what_its_momentum_lacks(
    steps, accumulated, warned
):
    options = resolve("scenes", epochs=1, ema_momentum=0.999)
    training = options.changed(gradient_accumulation_steps=accumulated).training
    if warned:
        with pytest.warns(UserWarning, match="37% untrained; use 0.99, or train for longer"):
            _check_average(training, steps)
    else:
        _check_average(training, steps)  # warnings are errors


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_average_of_each_preset_fits_its_run(system):
    for preset in SYSTEMS[system].presets:
        training = resolve("scenes", system=system, preset=preset).training
        _check_average(training, training.steps_per_epoch or 100)
