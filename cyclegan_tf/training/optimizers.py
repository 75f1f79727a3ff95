"""Adam as the paper's authors ran it."""

import keras
import tensorflow as tf
from keras import ops


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class Adam(keras.optimizers.Adam):
    """Adam with ε added after bias correction: Algorithm 1 of Kingma & Ba (arXiv 1412.6980).

    `keras.optimizers.Adam` has the variant of the end of their section 2, in which the same
    ε weighs up to 30 times as much in the first steps. PyTorch follows Algorithm 1, and with it
    the published results.

    Args:
        learning_rate: a number or a schedule; by default the paper's 2e-4.
        beta_1, beta_2: decay of the two moments.
        epsilon: added to the square root of the corrected second moment.
        **kwargs: of `keras.optimizers.Adam`; with `use_ema=True` the networks end `fit` with a
            moving average of their weights (Yazıcı et al. 2019, arXiv 1806.04498), which evens
            out how a GAN sways from step to step.
    """

    def __init__(self, learning_rate=2e-4, beta_1=0.5, beta_2=0.999, epsilon=1e-8, **kwargs):
        if kwargs.get("amsgrad"):
            raise ValueError("This Adam has no AMSGrad variant; use keras.optimizers.Adam for it.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def finalize_variable_values(self, var_list):
        """With `use_ema`, gives this optimizer's variables their averages.

        `fit` ends with it, and passes the variables of the whole model, those of the other
        optimizer too.
        """
        super().finalize_variable_values(self._trainable_variables)

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2, rate, epsilon = (
            ops.cast(x, variable.dtype)
            for x in (self.beta_1, self.beta_2, learning_rate, self.epsilon)
        )
        beta_1_power, beta_2_power = ops.power(beta_1, step), ops.power(beta_2, step)
        index = self._get_variable_index(variable)
        # One kernel in the place of a dozen. It adds ε before the bias correction, so ε is scaled
        # by what the correction will divide it by.
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(self._momentums[index]),
            v=_handle(self._velocities[index]),
            beta1_power=beta_1_power,
            beta2_power=beta_2_power,
            lr=rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=epsilon * ops.sqrt(1 - beta_2_power),
            grad=gradient,
        )


def steps_taken(optimizer):
    """Steps of training that an optimizer has seen, as a variable: where its schedule stands.

    Unlike `iterations`, it counts those whose gradients are only accumulated too, as Keras does
    where it asks a schedule for the rate.
    """
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def _handle(variable):
    """Of a variable of Keras's or of TensorFlow's own, which Keras passes when it distributes."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle
