"""Layer normalization of images as the authors' rewrite of UNIT has it (MUNIT's code, 2018)."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ImageLayerNormalization(keras.layers.Layer):
    """Normalizes each image as a whole, then scales and shifts each channel.

    `y = gamma * (x - mean) / (deviation + epsilon) + beta`, with mean and deviation over height,
    width and channels of one image; the deviation divides by one less than their number. Keras's
    `LayerNormalization` divides by their number, and adds epsilon to the variance. The scales
    start uniform from 0 to 1. Statistics are computed in float32 at least.

    Args:
        epsilon: added to the deviation.
        gamma_initializer: of the scales.

    Input and output shape: `(batch, height, width, channels)`.
    """

    def __init__(self, epsilon=1e-5, gamma_initializer=None, **kwargs):
        super().__init__(**kwargs)
        if epsilon <= 0:
            raise ValueError(f"epsilon must be positive. Received: epsilon={epsilon}")
        self.epsilon = epsilon
        self.gamma_initializer = keras.initializers.get(
            gamma_initializer or keras.initializers.RandomUniform(0.0, 1.0)
        )
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        shape = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=shape, initializer=self.gamma_initializer)
        self.beta = self.add_weight(name="beta", shape=shape, initializer="zeros")

    def call(self, inputs):
        x = tf.cast(inputs, tf.float64 if self.compute_dtype == "float64" else tf.float32)
        count = tf.cast(tf.reduce_prod(tf.shape(x)[1:]), x.dtype)
        centered = x - tf.reduce_mean(x, (1, 2, 3), keepdims=True)
        variance = tf.reduce_sum(tf.square(centered), (1, 2, 3), keepdims=True) / (count - 1)
        outputs = centered / (tf.sqrt(variance) + tf.constant(self.epsilon, x.dtype))
        outputs = outputs * tf.cast(self.gamma, x.dtype) + tf.cast(self.beta, x.dtype)
        return tf.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        gamma_initializer = keras.initializers.serialize(self.gamma_initializer)
        config = {"epsilon": self.epsilon, "gamma_initializer": gamma_initializer}
        return {**super().get_config(), **config}
