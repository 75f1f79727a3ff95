"""Batch normalization with moving averages as PyTorch keeps them, for CoGAN."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class MovingBatchNormalization(keras.layers.Layer):
    """Batch normalization without scale and offset: PyTorch's `BatchNorm2d(affine=False)`.

    In training each channel has the mean and the (biased) variance of the batch, at test their
    moving averages, so that an image does not depend on what it is computed with. Keras's own
    layer averages the biased variance; PyTorch, and so this one, the unbiased one. Statistics are
    computed in float32 at least.

    Under a `tf.distribute` strategy each replica has the statistics of its own share, and the
    moving averages are the means over the replicas. One that is left without images in a short
    last batch counts with an image of zeros: let the batch size divide the number of images.

    Args:
        momentum: what remains of a moving average in each step; PyTorch's 0.1 is 0.9 here.
        epsilon: added to the variance.

    Input and output shape: `(batch, height, width, channels)`.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must lie in [0, 1). Received: momentum={momentum}")
        if not epsilon > 0:
            raise ValueError(f"epsilon must be positive. Received: epsilon={epsilon}")
        self.momentum = momentum
        self.epsilon = epsilon
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        self.moving_mean, self.moving_variance = (
            self.add_weight(
                name=name,
                shape=(input_shape[-1],),
                initializer=initializer,
                trainable=False,
                autocast=False,
                aggregation="mean",
            )
            for name, initializer in (("moving_mean", "zeros"), ("moving_variance", "ones"))
        )

    def call(self, inputs, training=False):
        x = tf.cast(inputs, tf.float64 if self.compute_dtype == "float64" else tf.float32)
        if training:
            mean, variance = tf.nn.moments(x, (0, 1, 2))
            count = tf.cast(tf.size(x) // x.shape[-1], x.dtype)
            # Of a single value there is no unbiased variance.
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance * count / tf.maximum(count - 1, 1))
        else:
            mean, variance = (
                tf.cast(each, x.dtype) for each in (self.moving_mean, self.moving_variance)
            )
        outputs = (x - mean) * tf.math.rsqrt(variance + tf.constant(self.epsilon, x.dtype))
        return tf.cast(outputs, self.compute_dtype)

    def _move(self, average, value):
        momentum = tf.constant(self.momentum, value.dtype)
        average.assign(momentum * average + (1 - momentum) * value)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}
