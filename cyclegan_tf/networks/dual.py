"""The networks of DualGAN (Yi et al. 2017, arXiv 1704.02510), as its published code builds them.

They pad as TensorFlow's "same", which on even sizes pads below and on the right. Their instance
normalization, which that code calls batch_norm, learns scales and offsets and has an epsilon of
1e-6; convolutions before it have no bias here, because it cancels them.
"""

import keras
from keras import layers

from cyclegan_tf.choices import DUALGAN_DISCRIMINATORS
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.networks.generators import to_image
from cyclegan_tf.networks.initializers import (
    normal_initializers,
    seeds_of,
    truncated_initializers,
)
from cyclegan_tf.networks.layer_factory import LayerFactory, network_input
from cyclegan_tf.networks.layers import LeakyReLU


def dual_generator(
    image_shape=(None, None, 3),
    output_channels=None,
    *,
    base_filters=64,
    halvings=8,
    seed=None,
    name="dual_generator",
):
    """A U-Net: 3x3 convolutions of stride 2 down, transposed ones up; the outermost are 5x5.

    A normalization follows each but the outermost two, the innermost too. There, 256 pixels and 8
    halvings leave a single value for each channel, which minus its mean is 0: as published, the
    innermost level then knows nothing of the image, and the other levels carry it.

    Args:
        image_shape: `(height, width, channels)`; height and width multiples of 2^`halvings`, or
            `None` for any such size.
        output_channels: those of the input if `None`.
        base_filters: filters of the outermost level (64 in the paper), doubled inwards up to 8
            times as many.
        halvings: 8 in the paper.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to the same, tanh.

    Raises:
        ValueError: fewer than one filter or 2 halvings, or a size that does not fit.
    """
    multiple = 2**halvings
    sizes = [size for size in image_shape[:2] if size is not None]
    if base_filters < 1 or halvings < 2 or any(size % multiple for size in sizes):
        raise ValueError(
            "DualGAN's U-Net needs at least one filter and 2 halvings, and with n halvings height "
            f"and width that are multiples of 2^n. Received: base_filters={base_filters}, "
            f"halvings={halvings}, image_shape={tuple(image_shape)}"
        )
    seeds = seeds_of(seed, 2)
    down = _factory(seeds[0], truncated_initializers(seeds[0]))
    up = _factory(seeds[1], normal_initializers(seeds[1]))
    widths = [base_filters * min(2**level, 8) for level in range(halvings)]

    inputs = network_input(image_shape)
    x = down.convolution(inputs, widths[0], 5, strides=2, use_bias=True)  # (B, H/2, W/2, 64)
    skips = []
    for filters in widths[1:]:
        skips.append(x)
        x = LeakyReLU(negative_slope=0.2)(x)
        x = down.normalize(down.convolution(x, filters, 3, strides=2))

    for filters in reversed(widths[:-1]):
        x = up.normalize(up.upsampling(layers.ReLU()(x), filters, 3))
        x = layers.Concatenate()([x, skips.pop()])

    x = up.upsampling(layers.ReLU()(x), output_channels or image_shape[-1], 5, use_bias=True)
    return keras.Model(inputs, to_image(x), name=name)


def dual_discriminator(
    image_shape=(256, 256, 3),
    kind="global",
    *,
    base_filters=64,
    strided_layers=5,
    seed=None,
    name="dual_discriminator",
):
    """Convolutions of stride 2, the first 5x5 and the others 3x3, then the logits.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for `"patch"`.
        kind: `"global"`: one logit for an image, linear in all values of the last map. `"patch"`:
            a map of logits from one more convolution of stride 2.
        base_filters: filters of the first layer (64 in the paper), doubled up to 8 times as many.
        strided_layers: 5 in the paper.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to logits of shape
        `(batch, 1)`, or `(batch, rows, columns, 1)`.

    Raises:
        ValueError: an argument out of range, or images too small for so many layers.
    """
    check_choice("kind", kind, DUALGAN_DISCRIMINATORS)
    if base_filters < 1 or strided_layers < 1:
        raise ValueError(
            "DualGAN's discriminator needs at least one filter and one strided layer. "
            f"Received: base_filters={base_filters}, strided_layers={strided_layers}"
        )
    _check_size(image_shape, kind, strided_layers)
    seeds = seeds_of(seed, 2)
    make = _factory(seeds[0], truncated_initializers(seeds[0]))
    x = inputs = network_input(image_shape)
    for layer in range(strided_layers):
        filters, first = base_filters * min(2**layer, 8), layer == 0
        x = make.convolution(x, filters, 5 if first else 3, strides=2, use_bias=first)
        x = LeakyReLU(negative_slope=0.2)(x if first else make.normalize(x))
    if kind == "patch":
        logits = make.convolution(x, 1, 3, strides=2, use_bias=True)
    else:
        initializer = next(normal_initializers(seeds[1]))
        logits = layers.Dense(1, kernel_initializer=initializer)(layers.Flatten()(x))
    return keras.Model(inputs, logits, name=name)


def _factory(seed, initializers):
    return LayerFactory(
        affine=True,
        random_scales=True,
        epsilon=1e-6,
        padding="same",
        seed=seed,
        initializers=initializers,
    )


def _check_size(image_shape, kind, strided_layers):
    sizes = tuple(image_shape[:2])
    if kind == "global" and None in sizes:
        raise ValueError(
            "DualGAN's global discriminator needs images of one size; use another preprocess, such "
            f"as resize_and_crop, or the discriminator patch. Received: {tuple(image_shape)}"
        )
    least = 2**strided_layers + 1
    if None not in sizes and strided_layers > 1 and max(sizes) < least:
        raise ValueError(
            f"{strided_layers} strided layers leave a single value for each channel of so small an "
            "image, of which normalization makes a constant; use images of at least "
            f"{least} pixels, or fewer strided_layers. Received: {tuple(image_shape)}"
        )
