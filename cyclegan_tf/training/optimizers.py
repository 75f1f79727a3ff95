"""Adam and RMSprop as the papers' authors ran them, and moving averages of weights."""

import contextlib
import functools

import keras
import tensorflow as tf
from keras import ops

from cyclegan_tf.keras_internals import (
    averaged_variables,
    handle_of,
    moments_of,
    moving_averages,
    number_of_variable,
)


def averages_weights(model):
    """Whether `fit` ends with moving averages of the generators' weights."""
    return _plain(model.optimizer).use_ema


@contextlib.contextmanager
def averaged(model):
    """Within this context the generators have the weights that `fit` would now end with."""
    optimizer = _plain(model.optimizer)
    if not optimizer.use_ema:
        yield
        return
    variables = averaged_variables(optimizer)
    before = [variable.numpy() for variable in variables]
    try:  # an interrupt must not leave a mixture
        for variable, average in zip(variables, moving_averages(optimizer)):
            variable.assign(average.numpy())
        yield
    finally:
        for variable, value in zip(variables, before):
            variable.assign(value)


def _plain(optimizer):
    """An optimizer without its scaling of losses."""
    return getattr(optimizer, "inner_optimizer", optimizer)


class _OwnAverages:
    """Part of an optimizer: with `use_ema`, `fit` ends with the averages of its variables."""

    def finalize_variable_values(self, var_list):
        """Gives this optimizer's variables their averages.

        `fit` calls it at the end with all variables of the model, including those of the other
        optimizer.
        """
        super().finalize_variable_values(averaged_variables(self))


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class Adam(_OwnAverages, keras.optimizers.Adam):
    """Adam with ε added after bias correction: Algorithm 1 of Kingma & Ba (arXiv 1412.6980).

    `keras.optimizers.Adam` has the variant from the end of their section 2, in which the same
    ε has up to 30 times the effect in the first steps. PyTorch, and so the published results,
    follow Algorithm 1.

    Args:
        learning_rate: a number or a schedule; by default the paper's 2e-4.
        beta_1, beta_2: decay of the two moments.
        epsilon: added to the square root of the corrected second moment.
        l2: this multiple of the weights is added to their gradients, as PyTorch's `weight_decay`
            does in Adam. Keras's own `weight_decay` shrinks the weights beside Adam's step.
        **kwargs: of `keras.optimizers.Adam`; with `use_ema=True` the networks end `fit` with a
            moving average of their weights (Yazıcı et al. 2019, arXiv 1806.04498), which evens
            out a GAN's oscillation from step to step.
    """

    def __init__(
        self, learning_rate=2e-4, beta_1=0.5, beta_2=0.999, epsilon=1e-8, l2=0.0, **kwargs
    ):
        if kwargs.get("amsgrad"):
            raise ValueError("This Adam has no AMSGrad variant; use keras.optimizers.Adam for it.")
        if not 0 <= l2 < float("inf"):  # written so that NaN is refused too
            raise ValueError(f"l2 must be a finite number from 0 on. Received: l2={l2}")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)
        self.l2 = l2
        self._of_all_variables = None

    def apply(self, grads, trainable_variables=None):
        # Numbers that all variables need are computed once. Not with several replicas, whose
        # devices would wait for the first one.
        if tf.distribute.get_strategy().num_replicas_in_sync == 1:
            self._of_all_variables = functools.cache(self._scalars)
        try:
            return super().apply(grads, trainable_variables)
        finally:
            self._of_all_variables = None

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.cast(gradient, variable.dtype)
        if self.l2:
            gradient += self.l2 * variable
        first, second = moments_of(self, variable)
        scalars = self._of_all_variables or self._scalars
        # One kernel instead of a dozen.
        tf.raw_ops.ResourceApplyAdam(
            var=handle_of(variable),
            m=handle_of(first),
            v=handle_of(second),
            lr=ops.cast(learning_rate, variable.dtype),
            grad=gradient,
            **scalars(variable.dtype),
        )

    def _scalars(self, dtype):
        """What the kernel takes besides the rate, in a dtype."""
        step = ops.cast(self.iterations + 1, dtype)
        beta_1, beta_2, epsilon = (  # `ops.cast` would round them to float32 on the way to float64
            ops.convert_to_tensor(x, dtype) for x in (self.beta_1, self.beta_2, self.epsilon)
        )
        beta_1_power, beta_2_power = ops.power(beta_1, step), ops.power(beta_2, step)
        return {
            "beta1_power": beta_1_power,
            "beta2_power": beta_2_power,
            "beta1": beta_1,
            "beta2": beta_2,
            # The kernel adds ε before the bias correction, so ε is scaled by what the correction
            # will divide it by.
            "epsilon": epsilon * ops.sqrt(1 - beta_2_power),
        }

    def get_config(self):
        return {**super().get_config(), "l2": self.l2}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class RMSprop(_OwnAverages, keras.optimizers.Optimizer):
    """RMSprop as TensorFlow 1 had it, with which DualGAN was trained.

        s ← ρ s + (1 - ρ) g²        w ← w - rate · g / √(s + ε)

    The mean square s starts at 1, so that first steps are small if the gradients are. It starts
    at 0 in `keras.optimizers.RMSprop`, whose first steps are of about three times the rate
    whatever the gradient.

    Args:
        learning_rate: a number or a schedule; by default DualGAN's 5e-5.
        rho: decay of the mean square.
        epsilon: added to the mean square, under the root.
        **kwargs: of `keras.optimizers.Optimizer`; for `use_ema` see `Adam`.
    """

    def __init__(self, learning_rate=5e-5, rho=0.9, epsilon=1e-10, *, name="rmsprop", **kwargs):
        super().__init__(learning_rate, name=name, **kwargs)
        self.rho = rho
        self.epsilon = epsilon

    def build(self, var_list):
        if self.built:
            return
        super().build(var_list)
        self._mean_squares = [
            self.add_variable_from_reference(each, "mean_square", initializer="ones")
            for each in var_list
        ]

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.cast(gradient, variable.dtype)
        rate = ops.cast(learning_rate, variable.dtype)
        rho, epsilon = (ops.convert_to_tensor(x, variable.dtype) for x in (self.rho, self.epsilon))
        stored = self._mean_squares[number_of_variable(self, variable)]
        mean_square = rho * stored + (1 - rho) * ops.square(gradient)
        self.assign(stored, mean_square)
        self.assign_sub(variable, rate * gradient / ops.sqrt(mean_square + epsilon))

    def get_config(self):
        return {**super().get_config(), "rho": self.rho, "epsilon": self.epsilon}
