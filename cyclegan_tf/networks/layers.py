"""The layers that CycleGAN needs and Keras lacks, with kernels chosen by measurement."""

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.keras_internals import is_plain_functional
from cyclegan_tf.networks import kernels
from cyclegan_tf.networks.kernels import by_two_by_two, plain_convolution, portable, reflected
from cyclegan_tf.networks.layer_normalization import ImageLayerNormalization
from cyclegan_tf.networks.resampling import BlurDownsampling2D, BlurUpsampling2D

# The fused kernel is called for one image at a time. On two cores, in float32, forward and back:
# 0.6 ms against 1.5 ms for 64 x 64 x 32, but 0.4 against 0.3 ms for 32 x 32 x 64.
_LEAST_TO_FUSE = 2**17
_MOST_TO_UNSTACK = 16  # keeps the graph small
_LEAST_EPSILON = 1e-5  # that cuDNN accepts

_FEW_FILTERS = 4  # four times as many still fit into the 16 that a processor computes at once


def acts_per_image(network):
    """Whether a network is deterministic and treats each image of a batch independently.

    True only for networks of known layers; any other layer may mix images, as
    `BatchNormalization` does, or draw random numbers, as `Dropout` does.
    """
    if isinstance(network, keras.Sequential):
        return all(map(acts_per_image, network.layers))
    if is_plain_functional(network):
        return all(map(acts_per_image, network.operations))
    if type(network) not in _PER_IMAGE:
        return False
    if isinstance(network, keras.layers.Concatenate):
        return network.axis in (-1, 3)
    return getattr(network, "activation", None) in ACTIVATIONS


def _statistics_dtype(compute_dtype):
    """float32 for half precision; a float64 policy keeps its own precision."""
    return tf.float64 if compute_dtype == "float64" else tf.float32


def normalize_per_image(inputs, epsilon, gamma, beta, compute_dtype):
    """Each channel of each image by its own statistics, then scale and offset if they are given."""
    if _can_be_fused(inputs, epsilon):
        images = tf.split(inputs, inputs.shape[0])
        # For one image, batch statistics are instance statistics.
        outputs = [normalize_batch(image, epsilon, gamma, beta) for image in images]
        return outputs[0] if len(outputs) == 1 else tf.concat(outputs, axis=0)
    x = tf.cast(inputs, _statistics_dtype(compute_dtype))
    mean = _mean_of_image(x)  # (B, 1, 1, C)
    centered = x - mean
    # Not `squared_difference`, which TFLite cannot compute in int16.
    variance = _mean_of_image(centered * centered)
    outputs = centered * tf.math.rsqrt(variance + tf.constant(epsilon, x.dtype))
    if gamma is not None:
        outputs = outputs * tf.cast(gamma, x.dtype) + tf.cast(beta, x.dtype)
    return tf.cast(outputs, compute_dtype)


def normalize_batch(inputs, epsilon, gamma=None, beta=None):
    """Each channel by its statistics over a batch, by one kernel that accumulates in float32."""
    channels = inputs.shape[-1]
    nothing = tf.zeros((0,), tf.float32)
    return tf.raw_ops.FusedBatchNormV3(
        x=inputs,
        scale=tf.ones((channels,), tf.float32) if gamma is None else tf.cast(gamma, tf.float32),
        offset=tf.zeros((channels,), tf.float32) if beta is None else tf.cast(beta, tf.float32),
        mean=nothing,
        variance=nothing,
        epsilon=epsilon,
        is_training=True,
    ).y


def _can_be_fused(inputs, epsilon):
    count, size = inputs.shape[0], inputs.shape[1:].num_elements()
    return (
        not portable()
        and 0 < (count or 0) <= _MOST_TO_UNSTACK
        and (size is None or size >= _LEAST_TO_FUSE)
        and inputs.dtype != tf.float64
        and np.ndim(epsilon) == 0
        and epsilon >= _LEAST_EPSILON
    )


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class InstanceNormalization(keras.layers.Layer):
    """Normalizes every channel of every image by its own mean and variance.

    `y = (x - mean) / sqrt(variance + epsilon)`, mean and (biased) variance taken over height
    and width of one image (Ulyanov et al. 2016, arXiv 1607.08022, eq. 4). The statistics are
    computed in float32 whatever the dtype policy, or in float64 under a float64 policy. Images
    of 2^17 values or more use TensorFlow's `FusedBatchNormV3`, if the batch size is known.

    Note that `keras.layers.GroupNormalization(groups=1)` normalizes over the channels too and
    is another function; `GroupNormalization(groups=-1)` is this one, with affine parameters.

    Args:
        epsilon: added to the variance: a number, or one for each channel. 1e-5 as in the
            reference implementation.
        affine: learn a scale (from 1) and an offset (from 0) for each channel. Off by default,
            as in the reference implementation.
        gamma_initializer: of the scales, if they are learned.

    Input and output shape: `(batch, height, width, channels)`.
    """

    def __init__(self, epsilon=1e-5, affine=False, gamma_initializer="ones", **kwargs):
        super().__init__(**kwargs)
        if np.min(epsilon) <= 0:
            raise ValueError(f"epsilon must be positive. Received: epsilon={epsilon}")
        self.epsilon = epsilon if np.ndim(epsilon) == 0 else tuple(map(float, epsilon))
        self.affine = affine
        self.gamma_initializer = keras.initializers.get(gamma_initializer)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels is None:
            raise ValueError(
                f"InstanceNormalization needs a known number of channels. Received: {input_shape}"
            )
        self.gamma = self.beta = None
        if self.affine:
            self.gamma = self.add_weight(
                name="gamma", shape=(channels,), initializer=self.gamma_initializer
            )
            self.beta = self.add_weight(name="beta", shape=(channels,), initializer="zeros")

    def call(self, inputs):
        return normalize_per_image(inputs, self.epsilon, self.gamma, self.beta, self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        gamma_initializer = keras.initializers.serialize(self.gamma_initializer)
        config = {"epsilon": self.epsilon, "affine": self.affine}
        return {**super().get_config(), **config, "gamma_initializer": gamma_initializer}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ReflectionPadding2D(keras.layers.Layer):
    """Pads height and width by reflection, without repeating the border itself.

    Args:
        padding: rows and columns to add on every side; less than the height and the width.

    Input shape: `(batch, height, width, channels)`; output shape:
    `(batch, height + 2 * padding, width + 2 * padding, channels)`.
    """

    def __init__(self, padding=1, **kwargs):
        super().__init__(**kwargs)
        if not isinstance(padding, int) or padding < 0:
            raise ValueError(f"padding must be an integer >= 0. Received: padding={padding}")
        self.padding = padding
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        if not self.padding:
            return inputs
        sides = (self.padding, self.padding)
        if portable():
            return tf.pad(inputs, ((0, 0), sides, sides, (0, 0)), mode="REFLECT")
        return reflected(inputs, self.padding)

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


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class UpsamplingConvolution2D(keras.layers.Conv2DTranspose):
    """A 3x3 transposed convolution of stride 2 as PyTorch computes it: twice as large, exactly.

    That is PyTorch's `padding=1, output_padding=1`: of the 2n + 1 rows and columns of "valid",
    all except the first. TensorFlow's "same" drops the last, which shifts the image.

    Args:
        filters: output channels.
        **kwargs: of `keras.layers.Conv2DTranspose`.

    Input shape: `(batch, height, width, channels)`; output shape: `(batch, 2 * height, 2 * width,
    filters)`.
    """

    def __init__(self, filters, **kwargs):
        fixed = {
            "kernel_size": (3, 3),
            "strides": (2, 2),
            "padding": "valid",
            "data_format": "channels_last",
        }
        super().__init__(filters, **{**kwargs, **fixed})

    def call(self, inputs):
        kernel = tf.cast(self.kernel, self.compute_dtype)
        form = "portable" if portable() else kernels.upsampling_form(self.compute_dtype)
        outputs = kernels.UPSAMPLING_FORMS[form](inputs, kernel)
        if self.use_bias:
            outputs = outputs + tf.cast(self.bias, outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)

    def compute_output_shape(self, input_shape):
        batch, height, width, _ = input_shape
        return batch, height and 2 * height, width and 2 * width, self.filters


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class Conv2D(keras.layers.Conv2D):
    """`keras.layers.Conv2D`, faster if it has few filters, such as the 7x7 that makes the image.

    Processors compute 16 filters at once, so three filters waste most of the work. Here a kernel
    with one more row and column, with stride 2, computes two by two pixels at once: four times
    the filters at a quarter of the positions, then spread out by `depth_to_space`. The values are
    those of Keras, summed in another order. It has Keras's name, arguments and weights, so files
    and checkpoints of one load into the other.
    """

    def call(self, inputs):
        if not self._can_be_blocked():
            return super().call(inputs)
        kernel = tf.cast(self.kernel, self.compute_dtype)
        outputs = self._blocked(inputs, kernel)
        if self.use_bias:
            outputs = outputs + tf.cast(self.bias, outputs.dtype)
        return outputs if self.activation is None else self.activation(outputs)

    def _can_be_blocked(self):
        return (
            not portable()
            and self.filters <= _FEW_FILTERS
            and min(self.kernel_size) > 1
            and self.padding == "valid"
            and self.data_format == "channels_last"
            and self.strides == self.dilation_rate == (1, 1)
            and self.groups == 1
        )

    def _blocked(self, inputs, kernel):
        rows, columns = (
            None if size is None else size - length + 1
            for size, length in zip(inputs.shape[1:3], self.kernel_size)
        )
        if rows is not None and columns is not None:
            convolve = plain_convolution if rows % 2 or columns % 2 else by_two_by_two
            return convolve(inputs, kernel)
        outputs = tf.cond(
            tf.reduce_all((tf.shape(inputs)[1:3] - kernel.shape[:2]) % 2 == 1),
            lambda: by_two_by_two(inputs, kernel),
            lambda: plain_convolution(inputs, kernel),
        )
        return tf.ensure_shape(outputs, (inputs.shape[0], rows, columns, self.filters))


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class LeakyReLU(keras.layers.LeakyReLU):
    """`keras.layers.LeakyReLU` whose gradient reads its outputs, not its inputs.

    Their signs are the same. TensorFlow fuses a convolution, its bias and a LeakyReLU into one
    kernel. Keras's gradient needs the values in between, so the fusion fails in every training
    run and logs an error.

    In float64 the slope is one of float64 too; TensorFlow's kernel rounds it to float32.
    """

    def call(self, inputs):
        if inputs.dtype == tf.float64:
            return tf.where(inputs > 0, inputs, self.negative_slope * inputs)
        if portable() or self.negative_slope <= 0:  # where the signs are not the same
            return super().call(inputs)
        return _leaky_relu(inputs, self.negative_slope)


def _leaky_relu(inputs, slope):
    @tf.custom_gradient
    def with_gradient(inputs):
        outputs = tf.nn.leaky_relu(inputs, slope)

        def gradient(upstream):
            # A derivative of this one, as penalties take it, has none by the signs.
            signs = tf.stop_gradient(outputs)
            return tf.raw_ops.LeakyReluGrad(gradients=upstream, features=signs, alpha=slope)

        return outputs, gradient

    return with_gradient(inputs)


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class LocalContrast(keras.layers.Layer):
    """tanh of the amplified difference between each value and the mean of its four neighbors.

    `tanh(gain * (x - (left + right + above + below) / 4))`, the image reflected at its border.
    Give it the dtype "float32": differences of a few 8-bit steps are lost in bfloat16.

    Args:
        gain: factor of the differences.

    Input and output shape: `(batch, height, width, channels)`.
    """

    def __init__(self, gain=4.0, **kwargs):
        super().__init__(**kwargs)
        self.gain = gain
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        x = tf.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="REFLECT")
        above, below = x[:, :-2, 1:-1], x[:, 2:, 1:-1]
        left, right = x[:, 1:-1, :-2], x[:, 1:-1, 2:]
        mean = (above + below + left + right) * tf.constant(0.25, x.dtype)
        return tf.tanh(tf.constant(self.gain, x.dtype) * (inputs - mean))

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class NearestResizing(keras.layers.Layer):
    """Repeats the values of one tensor until it is as high and wide as another.

    Input: a list of two tensors, `(batch, rows, columns, channels)` each; the result has the rows
    and columns of the second and the channels of the first.
    """

    def call(self, inputs):
        x, like = inputs
        return tf.image.resize(x, tf.shape(like)[1:3], "nearest")

    def compute_output_shape(self, input_shapes):
        shape, like = input_shapes
        return shape[0], *like[1:3], shape[3]


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class UnitLength(keras.layers.Layer):
    """Divides vectors along the last axis by their length plus 1e-7, as CUT does."""

    def call(self, inputs):
        squares = tf.reduce_sum(tf.square(inputs), -1, keepdims=True)
        # The square root of zero has no finite gradient.
        length = tf.sqrt(tf.maximum(squares, tf.constant(1e-24, inputs.dtype)))
        return inputs / (length + tf.constant(1e-7, inputs.dtype))

    def compute_output_shape(self, input_shape):
        return input_shape


def _mean_of_image(x):
    """The mean over height and width, `(B, 1, 1, C)`.

    For other runtimes row by row, then over the rows: one that adds in float16, as GPUs of phones
    do, would exceed its maximum, 65504, in a single sum over a large image.
    """
    if portable():
        return tf.reduce_mean(tf.reduce_mean(x, axis=2, keepdims=True), axis=1, keepdims=True)
    return tf.reduce_mean(x, axis=(1, 2), keepdims=True)


ACTIVATIONS = (None, *map(keras.activations.get, ("linear", "relu", "tanh", "sigmoid")))
_PER_IMAGE = {
    BlurDownsampling2D,
    BlurUpsampling2D,
    ImageLayerNormalization,
    InstanceNormalization,
    Conv2D,
    LeakyReLU,
    LocalContrast,
    NearestResizing,
    ReflectionPadding2D,
    UnitLength,
    UpsamplingConvolution2D,
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.Concatenate,
    keras.layers.Conv2D,
    keras.layers.Conv2DTranspose,
    keras.layers.Cropping2D,
    keras.layers.Dense,
    keras.layers.Flatten,
    keras.layers.Identity,
    keras.layers.InputLayer,
    keras.layers.LeakyReLU,
    keras.layers.MaxPooling2D,
    keras.layers.ReLU,
    keras.layers.UpSampling2D,
    keras.layers.ZeroPadding2D,
}
