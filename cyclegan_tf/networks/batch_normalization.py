"""Batch normalization as pix2pix uses it at test: by the statistics of what it is given."""

import keras
import tensorflow as tf

from cyclegan_tf.networks.layers import normalize_batch, normalize_per_image


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class BatchNormalization(keras.layers.Layer):
    """Batch normalization that keeps no moving averages and needs none.

    In training it takes mean and (biased) variance of the batch. At test pix2pix applies "batch
    normalization using the statistics of the test batch, rather than aggregated statistics of the
    training batch" (Isola et al. 2017, arXiv 1611.07004, 3.3), and tests batches of one image.
    Here each image of a batch is therefore normalized by its own statistics at test: as
    published, and whatever images are translated together. `keras.layers.BatchNormalization`
    would take its moving averages, which changes the images visibly.

    Under a `tf.distribute` strategy each replica has the statistics of its own share.

    Args:
        epsilon: added to the variance, at least 1e-5, as in the reference implementation.
        gamma_initializer: of the scale of each channel.

    Input and output shape: `(batch, height, width, channels)`.
    """

    def __init__(self, epsilon=1e-5, gamma_initializer="ones", **kwargs):
        super().__init__(**kwargs)
        if not epsilon >= 1e-5:
            raise ValueError(f"epsilon must be at least 1e-5. Received: epsilon={epsilon}")
        self.epsilon = epsilon
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"BatchNormalization needs a known number of channels. Received: {input_shape}"
            )
        self.gamma = self.add_weight(
            name="gamma", shape=(channels,), initializer=self.gamma_initializer
        )
        self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")

    def call(self, inputs, training=False):
        if not training:
            return normalize_per_image(
                inputs, self.epsilon, self.gamma, self.beta, self.compute_dtype
            )
        if inputs.dtype == tf.float64:  # which the kernel does not take
            mean, variance = tf.nn.moments(inputs, (0, 1, 2))
            return tf.nn.batch_normalization(
                inputs, mean, variance, self.beta, self.gamma, self.epsilon
            )
        return normalize_batch(inputs, self.epsilon, self.gamma, self.beta)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "epsilon": self.epsilon,
            "gamma_initializer": keras.initializers.serialize(self.gamma_initializer),
        }
