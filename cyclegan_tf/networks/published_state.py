"""Layers with the weights of a published PyTorch network, whose names and shapes are checked."""

import keras
import numpy as np

from cyclegan_tf.errors import InputError

_EPSILON = 1e-3  # of the batch normalization of networks that were trained in TensorFlow


class PublishedState:
    """The arrays of a state dict, taken one by one while a network is built.

    All layers are frozen and compute in float32, whatever Keras's global policy is.

    Args:
        state: arrays by name, as `cyclegan_tf.torch_files.read_state` gives them.
        where: their source, and
        expected: what it should be, for messages.
    """

    def __init__(self, state, where, expected):
        self._state = {
            key: array for key, array in state.items() if not key.endswith("num_batches_tracked")
        }
        self._where = where
        self._expected = expected

    def take(self, key, shape):
        """The array of a name in float32; each can be taken once.

        Raises:
            InputError: there is none, it has another shape, or values that are not finite.
        """
        array = self._state.pop(key, None)
        if array is None:
            raise InputError(f"{self._where} has no {key!r}; expected {self._expected}.")
        if array.shape != shape:
            raise InputError(
                f"{key!r} of {self._where} has the shape {array.shape}, not {shape}; expected "
                f"{self._expected}."
            )
        if not np.isfinite(array).all():
            raise InputError(f"{key!r} of {self._where} holds numbers that are not finite.")
        return np.float32(array)

    def check_that_all_is_taken(self):
        """Raises `InputError` if an array is left: it belongs to another network."""
        for key in self._state:
            raise InputError(
                f"{self._where} has {key!r}, which this network does not have; expected "
                f"{self._expected}."
            )

    def convolution(self, x, names, filters, size, *, strides=1, padding="same"):
        """A convolution and its batch normalization by the statistics of the file, as one layer.

        Args:
            x: the input, `(batch, height, width, channels)`.
            names: those of the convolution and of the normalization.
            filters: number of channels of the output.
            size: of the kernel, `(height, width)`.
            strides, padding: as in `keras.layers.Conv2D`.
        """
        kernel = self.take(f"{names[0]}.weight", (filters, x.shape[-1], *size))
        scale, bias = self._affine_map(names[1], filters)
        layer = keras.layers.Conv2D(
            filters, size, strides, padding, kernel_initializer="zeros", dtype="float32"
        )
        return _with_weights(layer, x, (kernel.transpose(2, 3, 1, 0) * scale, bias))

    def depthwise(self, x, names, size, *, strides=1):
        """`convolution` of each channel by itself."""
        channels = x.shape[-1]
        kernel = self.take(f"{names[0]}.weight", (channels, 1, *size))
        scale, bias = self._affine_map(names[1], channels)
        layer = keras.layers.DepthwiseConv2D(
            size, strides, "same", depthwise_initializer="zeros", dtype="float32"
        )
        return _with_weights(layer, x, (kernel.transpose(2, 3, 0, 1) * scale[:, None], bias))

    def dense(self, x, name, units):
        """A fully connected layer."""
        kernel = self.take(f"{name}.weight", (units, x.shape[-1]))
        bias = self.take(f"{name}.bias", (units,))
        layer = keras.layers.Dense(units, kernel_initializer="zeros", dtype="float32")
        return _with_weights(layer, x, (kernel.T, bias))

    def _affine_map(self, name, channels):
        """Scale and bias of a batch normalization."""
        scale, bias, mean, variance = (
            self.take(f"{name}.{part}", (channels,))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = scale / np.sqrt(variance + np.float32(_EPSILON))
        return scale, bias - mean * scale


def _with_weights(layer, x, weights):
    layer.trainable = False
    y = layer(x)
    layer.set_weights(weights)
    return y
