"""Convolutions and normalization of all networks here: as published, or as in older TF code."""

import keras
import numpy as np
from keras import layers

from cyclegan_tf.networks.batch_normalization import BatchNormalization
from cyclegan_tf.networks.initializers import normal_initializers
from cyclegan_tf.networks.layers import (
    Conv2D,
    InstanceNormalization,
    ReflectionPadding2D,
    UpsamplingConvolution2D,
)
from cyclegan_tf.networks.noise import NoiseDropout
from cyclegan_tf.networks.spectral_normalization import SpectralConv2D

NORMALIZATIONS = ("instance", "batch", "test_batch")
PADDINGS = ("torch", "same")


def network_input(shape, name="image"):
    """The symbolic input of a network: float64 under this policy, else float32.

    Keras's own would be float32 under every policy, and round what comes in.
    """
    in_float64 = keras.config.dtype_policy().name == "float64"
    return keras.Input(shape, name=name, dtype="float64" if in_float64 else "float32")


class LayerFactory:
    """Makes the layers of one network, all with the same settings.

    Args:
        normalization: `"instance"`; `"batch"` with moving averages at test and the momentum of
            PyTorch's default; or `"test_batch"`, batch normalization by the statistics of each
            image at test.
        affine: learn scales and offsets in instance normalization; batch normalization always
            does.
        random_scales: these scales of instance normalization start at N(1, 0.02), not at 1; those
            of batch normalization always do.
        epsilon: of the normalization.
        padding: of convolutions that do not reflect. `"torch"`: one zero on every side, and
            PyTorch's transposed convolutions. `"same"`: TensorFlow's, which on even sizes pads
            only below and on the right, which shifts the image by half a pixel.
        spectral: divide the kernels of convolutions by their spectral norm.
        seed: of the initial weights.
        initializers: an iterator of those of the convolutions; the paper's N(0, 0.02) if `None`.

    Raises:
        ValueError: an argument out of range; the message names it.
    """

    def __init__(
        self,
        *,
        normalization="instance",
        affine=False,
        random_scales=False,
        epsilon=1e-5,
        padding="torch",
        spectral=False,
        seed=None,
        initializers=None,
    ):
        for name, value, allowed in (
            ("normalization", normalization, NORMALIZATIONS),
            ("padding", padding, PADDINGS),
        ):
            if value not in allowed:
                raise ValueError(
                    f"{name} must be one of {', '.join(allowed)}. Received: {name}={value!r}"
                )
        self.normalization = normalization
        self.affine = affine
        self.random_scales = random_scales
        self.epsilon = epsilon
        self.padding = padding
        self.spectral = spectral
        self._initializers = initializers or normal_initializers(seed)
        self._scale_initializers = normal_initializers(seed, mean=1.0)
        self._dropout_seeds = np.random.default_rng(seed)

    def convolution(self, x, filters, size, strides=1, *, reflect=0, zeros=1, use_bias=False):
        """A convolution of `size` by `size`, reflecting at the border if `reflect` is set.

        A convolution before a normalization has no bias, which the normalization would cancel.
        Without `reflect`, `zeros` are added on every side.
        """
        padding = "valid"
        if reflect:
            x = ReflectionPadding2D(reflect)(x)
        elif self.padding == "same":
            padding = "same"
        elif size > 1 and zeros:
            x = layers.ZeroPadding2D(zeros)(x)
        return (SpectralConv2D if self.spectral else Conv2D)(
            filters,
            size,
            strides,
            padding=padding,
            use_bias=use_bias,
            kernel_initializer=next(self._initializers),
        )(x)

    def upsampling(self, x, filters, size, *, strides=2, use_bias=False):
        """A transposed convolution of stride 2, or of stride 1 without padding.

        With stride 2 and without the padding "same", `size` is 3 or 4. With stride 1 the result
        has `size` - 1 more rows and columns.
        """
        initializer = next(self._initializers)
        if self.padding == "torch" and size == 3 and strides == 2:
            layer = UpsamplingConvolution2D(
                filters, use_bias=use_bias, kernel_initializer=initializer
            )
        else:  # 4x4: "same" drops one row on every side, as PyTorch's padding 1 does
            layer = layers.Conv2DTranspose(
                filters,
                size,
                strides=strides,
                padding="same" if strides == 2 else "valid",
                use_bias=use_bias,
                kernel_initializer=initializer,
            )
        return layer(x)

    def normalize(self, x):
        if self.normalization == "instance":
            scales = next(self._scale_initializers) if self.random_scales else "ones"
            return InstanceNormalization(self.epsilon, self.affine, scales)(x)
        if self.normalization == "test_batch":
            return BatchNormalization(self.epsilon, next(self._scale_initializers))(x)
        return layers.BatchNormalization(
            momentum=0.9,
            epsilon=self.epsilon,
            gamma_initializer=next(self._scale_initializers),  # N(1, 0.02), as in the reference
        )(x)

    def dropout(self, x, rate, *, at_test=False):
        layer = NoiseDropout if at_test else layers.Dropout
        return layer(rate, seed=int(self._dropout_seeds.integers(2**31)))(x)
