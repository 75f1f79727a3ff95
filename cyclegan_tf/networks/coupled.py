"""The networks of UNIT: encoders, decoders and discriminators whose inner layers are shared.

Liu, Breuel and Kautz 2017 (arXiv 1703.00848); the layers are those of the authors' code, branch
`version_02`.
"""

import keras
from keras import layers

from cyclegan_tf.choices import UNIT_NORMALIZATIONS as NORMALIZATIONS
from cyclegan_tf.choices import check
from cyclegan_tf.networks.generators import to_image
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.networks.layer_factory import LayerFactory, network_input
from cyclegan_tf.networks.layers import LeakyReLU
from cyclegan_tf.networks.multi_scale import multi_scale
from cyclegan_tf.networks.resampling import BlurDownsampling2D

_SLOPE = 0.01  # of LeakyReLU: PyTorch's default


def encoder(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    blocks=3,
    normalization="none",
    seed=None,
    name="encoder",
):
    """From images of one domain to features at a quarter of their size.

    c7s1-64, d128, d256, R256 x `blocks`, all with zero padding.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None`.
        base_filters: filters of the first layer.
        blocks: residual blocks of this domain alone.
        normalization: of the strided convolutions. `"none"`: LeakyReLU alone, as for faces and
            streets (`COCOResGen2`); `"instance"`: instance normalization and ReLU, as for animals
            (`COCOResGen`). Residual blocks always normalize.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to features
        `(batch, height / 4, width / 4, 4 * base_filters)`.
    """
    check("normalization", normalization, NORMALIZATIONS)
    make = LayerFactory(seed=seed)
    inputs = network_input(image_shape)
    x = make.convolution(inputs, base_filters, 7, zeros=3, use_bias=True)
    x = LeakyReLU(negative_slope=_SLOPE)(x)
    for filters in (2 * base_filters, 4 * base_filters):
        bare = normalization == "none"
        x = make.convolution(x, filters, 3, strides=2, use_bias=bare)
        x = _activated(make, x, normalization)
    return keras.Model(inputs, _residual_blocks(make, x, blocks), name=name)


def shared_blocks(channels, blocks=1, *, seed=None, name="shared_blocks"):
    """Residual blocks that both domains share; without any, the same features again.

    Args:
        channels: of the features that come in and go out.
        blocks: how many, from 0 on.
        seed: of the initial weights.
    """
    inputs = network_input((None, None, channels), "features")
    outputs = _residual_blocks(LayerFactory(seed=seed), inputs, blocks)
    return keras.Model(inputs, outputs if blocks else layers.Identity()(inputs), name=name)


def decoder(
    output_channels=3, *, base_filters=64, blocks=3, normalization="none", seed=None, name="decoder"
):
    """From features to images of one domain: R256 x `blocks`, u128, u64, c1s1-3, tanh.

    Args:
        output_channels: of the images.
        base_filters, blocks, normalization, seed: as in `encoder`.

    Returns:
        A `keras.Model` from `(batch, rows, columns, 4 * base_filters)` to images `(batch, 4 * rows,
        4 * columns, output_channels)` in [-1, 1].
    """
    check("normalization", normalization, NORMALIZATIONS)
    make = LayerFactory(seed=seed)
    inputs = network_input((None, None, 4 * base_filters), "features")
    x = _residual_blocks(make, inputs, blocks)
    for filters in (2 * base_filters, base_filters):
        x = make.upsampling(x, filters, 3, use_bias=normalization == "none")
        x = _activated(make, x, normalization)
    x = make.convolution(x, output_channels, 1, use_bias=True)
    return keras.Model(inputs, to_image(x), name=name)


def _activated(make, x, normalization):
    if normalization == "instance":
        return layers.ReLU()(make.normalize(x))
    return LeakyReLU(negative_slope=_SLOPE)(x)


def _residual_blocks(make, x, blocks):
    """R256: two convolutions with zero padding, and no ReLU after the sum."""
    for _ in range(blocks):
        shortcut = x
        x = layers.ReLU()(make.normalize(make.convolution(x, x.shape[-1], 3)))
        x = layers.Add()([shortcut, make.normalize(make.convolution(x, x.shape[-1], 3))])
    return x


def discriminator(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    strided_layers=6,
    seed=None,
    name="discriminator",
):
    """3x3 convolutions of stride 2 and one of 1x1, without normalization.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None`.
        base_filters: filters of the first layer, doubled by each later one.
        strided_layers: 3 to 6 in the paper.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from images to logits `(batch, rows, columns, 1)`.
    """
    make = LayerFactory(seed=seed)
    inputs = network_input(image_shape)
    x = _strided(make, inputs, [base_filters * 2**n for n in range(strided_layers)])
    return keras.Model(inputs, make.convolution(x, 1, 1, use_bias=True), name=name)


def multi_scale_discriminator(image_shape, scales, *, seed=None, name="discriminator", **of_each):
    """Such discriminators of images at several scales (`COCOMsDis`): see `multi_scale`."""
    seeds = seeds_of(seed, scales)
    scaled = [
        discriminator(image_shape, **of_each, seed=each, name=f"scale_{number}")
        for number, each in enumerate(seeds, 1)
    ]
    return multi_scale(scaled, BlurDownsampling2D((1, 2, 1), border="replicate"), name=name)


def discriminator_front(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    strided_layers=2,
    seed=None,
    name="discriminator_front",
):
    """The first layers of a discriminator whose later ones both domains share (`COCOSharedDis`).

    Arguments as in `discriminator`; the first convolution is 7x7. Returns a `keras.Model` from
    images to features of base_filters * 2^(strided_layers - 1) channels.
    """
    make = LayerFactory(seed=seed)
    inputs = network_input(image_shape)
    x = make.convolution(inputs, base_filters, 7, strides=2, zeros=3, use_bias=True)
    x = LeakyReLU(negative_slope=_SLOPE)(x)
    x = _strided(make, x, [base_filters * 2**n for n in range(1, strided_layers)])
    return keras.Model(inputs, x, name=name)


def discriminator_back(channels, *, strided_layers=4, seed=None, name="discriminator_back"):
    """The later layers, from the features of `discriminator_front` to logits.

    Args:
        channels: of the features.
        strided_layers: further ones, each with twice the filters of the one before.
        seed: of the initial weights.
    """
    make = LayerFactory(seed=seed)
    inputs = network_input((None, None, channels), "features")
    x = _strided(make, inputs, [channels * 2**n for n in range(1, strided_layers + 1)])
    return keras.Model(inputs, make.convolution(x, 1, 1, use_bias=True), name=name)


def _strided(make, x, widths):
    for filters in widths:
        x = make.convolution(x, filters, 3, strides=2, use_bias=True)
        x = LeakyReLU(negative_slope=_SLOPE)(x)
    return x
