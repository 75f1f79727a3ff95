"""The learning rate of the paper: constant, then falling in a straight line."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ConstantThenLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant for some epochs, then down in equal steps, one an epoch (arXiv 1703.10593, 7.1).

    In the 1-based epoch e the rate is `rate * (1 - max(0, e - constant) / (decay + 1))`, as in
    the PyTorch release: the last epoch still learns, the one after it would not. It is a function
    of the optimizer's step alone, so that training resumes at the right rate.

    Args:
        rate: learning rate of the constant epochs.
        constant_epochs, decay_epochs: lengths of the two parts, in epochs.
        steps_per_epoch: optimizer steps in an epoch.
    """

    def __init__(self, rate=2e-4, constant_epochs=100, decay_epochs=100, *, steps_per_epoch):
        if steps_per_epoch < 1:
            raise ValueError(
                f"steps_per_epoch must be at least 1. Received: steps_per_epoch={steps_per_epoch}"
            )
        if constant_epochs < 0 or decay_epochs < 0:
            raise ValueError(
                "constant_epochs and decay_epochs must not be negative. "
                f"Received: {constant_epochs} and {decay_epochs}"
            )
        self.rate = rate
        self.constant_epochs = constant_epochs
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch

    def __call__(self, step):
        epoch = tf.cast(step, tf.int64) // self.steps_per_epoch + 1
        decayed = tf.clip_by_value(epoch - self.constant_epochs, 0, self.decay_epochs + 1)
        return self.rate * (1.0 - tf.cast(decayed, tf.float32) / (self.decay_epochs + 1))

    def get_config(self):
        return {
            "rate": self.rate,
            "constant_epochs": self.constant_epochs,
            "decay_epochs": self.decay_epochs,
            "steps_per_epoch": self.steps_per_epoch,
        }
