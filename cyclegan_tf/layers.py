"""The two layers that CycleGAN needs and Keras lacks."""

import keras
import tensorflow as tf


def _statistics_dtype(compute_dtype):
    """float32 for half precision; a float64 policy keeps its own precision."""
    return tf.float64 if compute_dtype == "float64" else tf.float32


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class InstanceNormalization(keras.layers.Layer):
    """Normalises every channel of every picture by its own mean and variance.

    `y = (x - mean) / sqrt(variance + epsilon)`, mean and (biased) variance taken over height
    and width of one picture (Ulyanov et al. 2016, arXiv 1607.08022, eq. 4). The statistics are
    computed in float32 whatever the dtype policy, or in float64 under a float64 policy.

    Mind that `keras.layers.GroupNormalization(groups=1)` normalises over the channels too and
    is another function; `GroupNormalization(groups=-1)` is this one, with affine parameters.

    Args:
        epsilon: added to the variance. 1e-5 as in the PyTorch release.
        affine: learn a scale (from 1) and an offset (from 0) for each channel. Off by default,
            as in the PyTorch release.

    Input and output shape: `(batch, height, width, channels)`.
    """

    def __init__(self, epsilon=1e-5, affine=False, **kwargs):
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise ValueError(f"epsilon must be positive. Received: epsilon={epsilon}")
        self.epsilon = epsilon
        self.affine = affine
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"InstanceNormalization needs a known number of channels. Received: {input_shape}"
            )
        self.gamma = self.beta = None
        if self.affine:
            self.gamma = self.add_weight(name="gamma", shape=(channels,), initializer="ones")
            self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")

    def call(self, inputs):
        x = tf.cast(inputs, _statistics_dtype(self.compute_dtype))
        mean = tf.reduce_mean(x, axis=(1, 2), keepdims=True)  # (B, 1, 1, C)
        variance = tf.reduce_mean(tf.math.squared_difference(x, mean), axis=(1, 2), keepdims=True)
        outputs = (x - mean) * tf.math.rsqrt(variance + self.epsilon)
        if self.affine:
            outputs = outputs * tf.cast(self.gamma, x.dtype) + tf.cast(self.beta, x.dtype)
        return tf.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon, "affine": self.affine}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ReflectionPadding2D(keras.layers.Layer):
    """Pads height and width with the mirror image of the border, the border itself not repeated.

    Args:
        padding: rows and columns to add on every side; less than the height and the width.

    Input shape: `(batch, height, width, channels)`; output shape:
    `(batch, height + 2 * padding, width + 2 * padding, channels)`.
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"padding must be a whole number >= 0. Received: padding={padding}")
        self.padding = padding
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        sides = (self.padding, self.padding)
        return tf.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="REFLECT")

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        grow = 2 * self.padding
        return (
            batch,
            None if height is None else height + grow,
            None if width is None else width + grow,
            channels,
        )

    def get_config(self):
        return {**super().get_config(), "padding": self.padding}
