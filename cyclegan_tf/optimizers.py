"""Adam as the paper's authors ran it."""

import keras
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
    """

    def __init__(self, learning_rate=2e-4, beta_1=0.5, beta_2=0.999, epsilon=1e-8, **kwargs):
        if kwargs.get("amsgrad"):
            raise ValueError("This Adam has no AMSGrad variant; use keras.optimizers.Adam for it.")
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **kwargs)

    def update_step(self, gradient, variable, learning_rate):
        gradient = ops.cast(gradient, variable.dtype)
        step = ops.cast(self.iterations + 1, variable.dtype)
        beta_1, beta_2 = (ops.cast(b, variable.dtype) for b in (self.beta_1, self.beta_2))
        index = self._get_variable_index(variable)
        m, v = self._momentums[index], self._velocities[index]

        self.assign_add(m, (gradient - m) * (1 - beta_1))
        self.assign_add(v, (ops.square(gradient) - v) * (1 - beta_2))
        m_hat = m / (1 - ops.power(beta_1, step))
        v_hat = v / (1 - ops.power(beta_2, step))
        rate = ops.cast(learning_rate, variable.dtype)
        self.assign_sub(variable, rate * m_hat / (ops.sqrt(v_hat) + self.epsilon))
