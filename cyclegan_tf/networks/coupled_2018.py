"""The networks of the authors' rewrite of UNIT (branch `master`, 2018), on the code of MUNIT."""

import keras
import numpy as np
from keras import layers

from cyclegan_tf.networks.generators import to_image
from cyclegan_tf.networks.initializers import kaiming_initializers, seeds_of
from cyclegan_tf.networks.layer_factory import LayerFactory, network_input
from cyclegan_tf.networks.layer_normalization import ImageLayerNormalization
from cyclegan_tf.networks.layers import LeakyReLU
from cyclegan_tf.networks.multi_scale import multi_scale
from cyclegan_tf.networks.resampling import BlurDownsampling2D


def encoder(image_shape=(None, None, 3), *, base_filters=64, blocks=4, seed=None, name="encoder"):
    """From images of one domain to the mean of their code.

    c7s1-64, then 4x4 convolutions of stride 2 to 128 and 256, and residual blocks; all reflect at
    the border and have instance normalization and ReLU.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None`.
        base_filters: filters of the first layer.
        blocks: residual blocks.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to
        `(batch, height / 4, width / 4, 4 * base_filters)`.
    """
    make = LayerFactory(initializers=kaiming_initializers(seed))
    inputs = network_input(image_shape)
    x = make.convolution(inputs, base_filters, 7, reflect=3)
    x = layers.ReLU()(make.normalize(x))
    for filters in (2 * base_filters, 4 * base_filters):
        x = make.convolution(x, filters, 4, strides=2, reflect=1)
        x = layers.ReLU()(make.normalize(x))
    return keras.Model(inputs, _residual_blocks(make, x, blocks), name=name)


def decoder(output_channels=3, *, base_filters=64, blocks=4, seed=None, name="decoder"):
    """From codes to images of one domain.

    Residual blocks; twice, pixels are doubled and a 5x5 convolution, layer normalization and ReLU
    follow; c7s1-3, tanh.

    Args:
        output_channels: of the images.
        base_filters, blocks, seed: as in `encoder`.

    Returns:
        A `keras.Model` from `(batch, rows, columns, 4 * base_filters)` to images `(batch, 4 * rows,
        4 * columns, output_channels)` in [-1, 1].
    """
    make = LayerFactory(initializers=kaiming_initializers(seed))
    seeds = np.random.default_rng(seed)
    inputs = network_input((None, None, 4 * base_filters), "code")
    x = _residual_blocks(make, inputs, blocks)
    for filters in (2 * base_filters, base_filters):
        x = layers.UpSampling2D()(x)
        # Layer normalization does not cancel a bias, as instance normalization does.
        x = make.convolution(x, filters, 5, reflect=2, use_bias=True)
        scales = keras.initializers.RandomUniform(0.0, 1.0, seed=int(seeds.integers(2**31)))
        x = layers.ReLU()(ImageLayerNormalization(gamma_initializer=scales)(x))
    x = make.convolution(x, output_channels, 7, reflect=3, use_bias=True)
    return keras.Model(inputs, to_image(x), name=name)


def _residual_blocks(make, x, blocks):
    """Two convolutions that reflect at the border, and no ReLU after the sum."""
    for _ in range(blocks):
        shortcut = x
        x = layers.ReLU()(make.normalize(make.convolution(x, x.shape[-1], 3, reflect=1)))
        x = make.normalize(make.convolution(x, x.shape[-1], 3, reflect=1))
        x = layers.Add()([shortcut, x])
    return x


def discriminator(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    strided_layers=4,
    scales=3,
    seed=None,
    name="discriminator",
):
    """4x4 convolutions of stride 2 that reflect at the border, and one of 1x1, at several scales.

    Args:
        image_shape, base_filters, strided_layers, seed: as in
            `cyclegan_tf.networks.coupled.discriminator`.
        scales: how many there are; each later one sees the means of 3x3 pixels.

    Returns:
        A `keras.Model` from images to a list of logits `(batch, rows, columns, 1)`, the finest
        first.
    """
    seeds = seeds_of(seed, scales)
    scaled = [
        _discriminator(image_shape, base_filters, strided_layers, each, f"scale_{number}")
        for number, each in enumerate(seeds, 1)
    ]
    return multi_scale(scaled, BlurDownsampling2D((1, 1, 1), border="uncounted"), name=name)


def _discriminator(image_shape, base_filters, strided_layers, seed, name):
    make = LayerFactory(seed=seed)
    inputs = x = network_input(image_shape)
    for layer in range(strided_layers):
        x = make.convolution(x, base_filters * 2**layer, 4, strides=2, reflect=1, use_bias=True)
        x = LeakyReLU(negative_slope=0.2)(x)
    return keras.Model(inputs, make.convolution(x, 1, 1, use_bias=True), name=name)
