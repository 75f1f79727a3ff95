"""A convolution whose largest singular value is 1, for discriminators."""

import keras
import tensorflow as tf

_FIRST_STEPS = 15


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class SpectralConv2D(keras.layers.Conv2D):
    """A convolution with the kernel W / σ(W), σ the largest singular value of its matrix.

    Miyato et al. 2018, arXiv 1802.05957, as PyTorch's `spectral_norm` computes it. The matrix has
    a row for each filter. In training each call takes one step of the power iteration for σ and
    keeps its vector; 15 are taken at the start. The gradient goes through σ, but not through the
    singular vectors. At test the vector stays. All of this is in float32 at least, whatever the
    dtype policy.

    `keras.layers.SpectralNormalization` is something else: it overwrites W itself by W / σ in
    each call, so that the optimizer goes on from there.

    Args:
        filters, kernel_size, **kwargs: of `keras.layers.Conv2D`.

    Input and output shapes: those of `keras.layers.Conv2D`.
    """

    def build(self, input_shape):
        super().build(input_shape)
        matrix = _matrix(self._kernel)
        self._right = self.add_weight(
            name="right_singular_vector",
            shape=(matrix.shape[1],),
            initializer=keras.initializers.RandomNormal(seed=0),
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",  # all replicas have the same kernel
        )
        right = tf.convert_to_tensor(self._right)
        for _ in range(_FIRST_STEPS):
            _, right = _step(matrix, right)
        self._right.assign(right)

    def save_own_variables(self, store):
        keras.layers.Layer.save_own_variables(self, store)  # a convolution's has only two

    def load_own_variables(self, store):
        keras.layers.Layer.load_own_variables(self, store)

    def call(self, inputs, training=False):
        kernel = tf.convert_to_tensor(self.kernel)
        matrix, right = _matrix(kernel), tf.convert_to_tensor(self._right)
        left = _unit(tf.linalg.matvec(tf.stop_gradient(matrix), right))
        if training:
            left, right = _step(tf.stop_gradient(matrix), right)
            self._right.assign(right)
        sigma = tf.tensordot(left, tf.linalg.matvec(matrix, right), 1)
        outputs = self.convolution_op(inputs, kernel / tf.cast(sigma, kernel.dtype))
        if self.use_bias:
            outputs = outputs + tf.cast(self.bias, outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)


def _matrix(kernel):
    """`(filters, rows x columns x channels)`, in float32 at least."""
    kernel = tf.convert_to_tensor(kernel)
    if kernel.dtype != tf.float64:
        kernel = tf.cast(kernel, tf.float32)
    return tf.transpose(tf.reshape(kernel, (-1, kernel.shape[-1])))


def _step(matrix, right):
    """One step of the power iteration: both singular vectors."""
    left = _unit(tf.linalg.matvec(matrix, right))
    return left, _unit(tf.linalg.matvec(matrix, left, transpose_a=True))


def _unit(vector):
    return vector / tf.maximum(tf.norm(vector), tf.constant(1e-12, vector.dtype))
