"""The networks of CoGAN: generators with common first layers, discriminators with common last ones.

Liu and Tuzel 2016 (arXiv 1606.07536). Those of 28 pixels are `CoGen28x28` and `CoDis28x28` of the
authors' PyTorch code. Those of other sizes follow the Caffe template that they released for faces.
"""

import keras
from keras import layers

from cyclegan_tf.networks.generators import to_image
from cyclegan_tf.networks.initializers import xavier_uniform_initializers
from cyclegan_tf.networks.layer_factory import network_input
from cyclegan_tf.networks.layers import Conv2D
from cyclegan_tf.networks.moving_batch_normalization import MovingBatchNormalization

DIGITS = 28  # height and width of the published networks
_WIDTHS_OF_DIGITS = (1024, 512, 256, 128), (20, 50, 500)


def shared_generator(latent=100, *, widths=_WIDTHS_OF_DIGITS[0], kernel=4, seed=None, name=None):
    """From noise to features: 4x4 of `widths[0]`, then larger with each further width.

    Args:
        latent: numbers of the noise.
        widths: filters of each layer.
        kernel: 3 takes n rows and columns to 2n - 1, as for 28 pixels; 4 takes them to 2n.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, latent)` to `(batch, rows, columns, widths[-1])`.
    """
    make = _Layers(seed)
    inputs = network_input((latent,), "noise")
    x = layers.Reshape((1, 1, latent))(inputs)
    x = make.activated(make.transposed(x, widths[0], 4))
    for filters in widths[1:]:
        x = make.activated(make.transposed(x, filters, kernel, strides=2, cropped=1))
    return keras.Model(inputs, x, name=name)


def digit_generator(features_shape, channels=1, *, seed=None, name=None):
    """A domain's last layer, from features of 25x25 to images of 28x28.

    The published one ends in a sigmoid; here its images are brought from [0, 1] to [-1, 1].
    """
    inputs = network_input(features_shape, "features")
    x = _Layers(seed).transposed(inputs, channels, 6, cropped=1)
    dtype = "float64" if x.dtype == "float64" else "float32"  # as `to_image`
    x = layers.Activation("sigmoid", dtype=dtype)(x)
    return keras.Model(inputs, layers.Rescaling(2.0, -1.0, dtype=dtype)(x), name=name)


def own_generator(features_shape, channels=3, *, widths=(), seed=None, name=None):
    """A domain's last layers: twice as large with each width, then a 3x3 convolution and tanh."""
    make = _Layers(seed)
    inputs = x = network_input(features_shape, "features")
    for filters in widths:
        x = make.activated(make.transposed(x, filters, 4, strides=2, cropped=1))
    return keras.Model(inputs, to_image(make.convolution(x, channels, 3, zeros=1)), name=name)


def digit_discriminator(image_shape, *, filters=_WIDTHS_OF_DIGITS[1][0], seed=None, name=None):
    """A domain's first layer for images of 28x28, which it brings from [-1, 1] to [0, 1]."""
    inputs = network_input(image_shape)
    x = layers.Rescaling(0.5, 0.5)(inputs)
    return keras.Model(inputs, _Layers(seed).convolution(x, filters, 5), name=name)


def shared_digit_discriminator(
    features_shape, *, widths=_WIDTHS_OF_DIGITS[1][1:], seed=None, name=None
):
    """The other layers of 28x28, to two logits: of an image that was made and of a real one."""
    make = _Layers(seed)
    inputs = network_input(features_shape, "features")
    x = layers.MaxPooling2D()(inputs)
    x = layers.MaxPooling2D()(make.convolution(x, widths[0], 5))
    x = make.prelu(make.convolution(x, widths[1], 4))
    return keras.Model(inputs, make.logits(x), name=name)


def own_discriminator(image_shape, *, widths=(32, 64), seed=None, name=None):
    """A domain's first layers, of stride 2; the first three are 5x5, any others 3x3."""
    inputs = network_input(image_shape)
    outputs = _Layers(seed).strided(inputs, widths, kernels=_kernels(len(widths)))
    return keras.Model(inputs, outputs, name=name)


def shared_discriminator(
    features_shape, *, widths=(128, 256), last_width=512, layers_before=2, seed=None, name=None
):
    """The other layers: of stride 2, then a convolution of all that is left, to two logits.

    Args:
        features_shape: of `own_discriminator`.
        widths: filters of the layers of stride 2.
        last_width: filters of the one as large as the features.
        layers_before: those that each domain has of its own.
        seed: of the initial weights.
    """
    make = _Layers(seed)
    inputs = network_input(features_shape, "features")
    kernels = _kernels(layers_before + len(widths))[layers_before:]
    x = make.strided(inputs, widths, kernels)
    x = make.prelu(make.convolution(x, last_width, x.shape[1]))
    return keras.Model(inputs, make.logits(x), name=name)


def _kernels(count):
    return [5 if number < 3 else 3 for number in range(count)]


class _Layers:
    """Makes the layers of one network, initialized as published: Xavier's, and biases of 0.1.

    Biases before a batch normalization have no effect in training, but the published networks
    have them, and the moving averages see them change.
    """

    def __init__(self, seed):
        self._initializers = xavier_uniform_initializers(seed)

    def _initial(self):
        return {
            "kernel_initializer": next(self._initializers),
            "bias_initializer": keras.initializers.Constant(0.1),
        }

    def convolution(self, x, filters, size, strides=1, zeros=0):
        if zeros:
            x = layers.ZeroPadding2D(zeros)(x)
        return Conv2D(filters, size, strides, **self._initial())(x)

    def strided(self, x, widths, kernels):
        for filters, size in zip(widths, kernels, strict=True):
            x = self.prelu(self.convolution(x, filters, size, strides=2, zeros=size // 2))
        return x

    def transposed(self, x, filters, size, strides=1, cropped=0):
        """PyTorch's transposed convolution whose `padding` is `cropped`."""
        x = layers.Conv2DTranspose(filters, size, strides, **self._initial())(x)
        return layers.Cropping2D(cropped)(x) if cropped else x

    def prelu(self, x):
        """One slope for all channels, from 0.25."""
        initializer = keras.initializers.Constant(0.25)
        return layers.PReLU(alpha_initializer=initializer, shared_axes=(1, 2, 3))(x)

    def activated(self, x):
        return self.prelu(MovingBatchNormalization()(x))

    def logits(self, x):
        return layers.Flatten()(self.convolution(x, 2, 1))
