"""The learning rate of the paper: constant, then falling in a straight line."""

import keras
import numpy as np
import tensorflow as tf


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ConstantThenLinearDecay(keras.optimizers.schedules.LearningRateSchedule):
    """Constant for some epochs, then down in equal steps, one per epoch (arXiv 1703.10593, 7.1).

    In the 1-based epoch e the rate is `rate * (1 - max(0, e - constant) / (decay + 1))`, as in
    the reference implementation: the last epoch still learns, the one after it would not. It
    depends only on the optimizer's step, so that training resumes at the right rate.

    Args:
        rate: learning rate of the constant epochs.
        constant_epochs, decay_epochs: lengths of the two parts, in epochs.
        steps_per_epoch: optimizer steps in an epoch.
        first_epoch: 1-based number of the epoch that the optimizer begins in, for networks that
            were trained before (`--epoch_count` of the reference implementation).
        first_step: the optimizer's step at which that epoch begins.
    """

    def __init__(
        self,
        rate=2e-4,
        constant_epochs=100,
        decay_epochs=100,
        *,
        steps_per_epoch,
        first_epoch=1,
        first_step=0,
    ):
        if steps_per_epoch < 1:
            raise ValueError(
                f"steps_per_epoch must be at least 1. Received: steps_per_epoch={steps_per_epoch}"
            )
        if first_epoch < 1:
            raise ValueError(f"first_epoch must be at least 1. Received: first_epoch={first_epoch}")
        if constant_epochs < 0 or decay_epochs < 0:
            raise ValueError(
                "constant_epochs and decay_epochs must not be negative. "
                f"Received: {constant_epochs} and {decay_epochs}"
            )
        self.rate = rate
        self.constant_epochs = constant_epochs
        self.decay_epochs = decay_epochs
        self.steps_per_epoch = steps_per_epoch
        self.first_epoch = first_epoch
        self.first_step = first_step
        # A table, because the formula in float32 would be off in the last digits.
        share = np.arange(decay_epochs + 2) / (decay_epochs + 1)
        self._rates = np.float32(rate * (1 - share))

    def __call__(self, step):
        done = tf.cast(step, tf.int64) - self.first_step
        epoch = done // self.steps_per_epoch + self.first_epoch
        decayed = tf.clip_by_value(epoch - self.constant_epochs, 0, self.decay_epochs + 1)
        return tf.gather(self._rates, decayed)

    def get_config(self):
        return {
            "rate": self.rate,
            "constant_epochs": self.constant_epochs,
            "decay_epochs": self.decay_epochs,
            "steps_per_epoch": self.steps_per_epoch,
            "first_epoch": self.first_epoch,
            "first_step": self.first_step,
        }
