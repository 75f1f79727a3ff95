"""The generators of the CycleGAN paper and its reference implementation, in Keras."""

import weakref

import keras
import tensorflow as tf
from keras import layers

from cyclegan_tf.choices import DOWNSAMPLINGS, UPSAMPLINGS
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.networks.initializers import glorot_initializers, initializers_of
from cyclegan_tf.networks.layer_factory import LayerFactory, network_input
from cyclegan_tf.networks.layers import LeakyReLU
from cyclegan_tf.networks.resampling import BlurDownsampling2D, BlurUpsampling2D

_LEAST_SIDE = 8  # of what networks are given; smaller images are padded
_MULTIPLE_OF_RESNETS, _MOST_MULTIPLE = 4, 1024  # of `size_multiple`

_size_multiples = (
    weakref.WeakKeyDictionary()
)  # per network, because finding one takes several traces


def resnet_generator(
    image_shape=(None, None, 3),
    output_channels=None,
    *,
    base_filters=64,
    blocks=9,
    dropout=0.0,
    normalization="instance",
    affine=False,
    epsilon=1e-5,
    padding="torch",
    downsampling="strided",
    upsampling="transposed",
    initialization="normal",
    seed=None,
    name="resnet_generator",
):
    """The ResNet generator of Johnson et al. (2016) as CycleGAN uses it (arXiv 1703.10593, 7.2).

    c7s1-64, d128, d256, R256 x `blocks`, u128, u64, c7s1-3, tanh. The 7x7 convolutions and those
    of the blocks reflect at the border; the strided ones pad with zeros. Convolutions before a
    normalization have no bias, which it would cancel.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for any size.
            The output has the size of the input if both are multiples of 4, else the size of the
            next multiple. At least 8 by 8 pixels.
        output_channels: those of the input if `None`.
        base_filters: filters of the first layer (64 in the paper).
        blocks: residual blocks; 6 for 128x128 images and 9 from 256x256 in the paper.
        dropout: rate inside the blocks, between the two convolutions; the reference's option
            `dropout` means 0.5.
        normalization: `"instance"`; `"batch"`, whose moving averages are used at test; or
            `"test_batch"`, batch normalization by the statistics of each image at test, as pix2pix
            has it; see `cyclegan_tf.networks.batch_normalization`.
        affine: learn scales and offsets in instance normalization.
        epsilon: of the normalization.
        padding: `"torch"` for zeros on every side, as published; `"same"` for TensorFlow's, which
            shifts the image. Generators trained with tensorflow-addons, as in the Keras example
            of 2020, have `padding="same", affine=True, epsilon=1e-3`.
        downsampling: how d128 and d256 halve the size: `"strided"`, as published; or `"blur"`, a
            blur after each instead of its stride, as CUT has it (Park et al. 2020, arXiv
            2007.15651). They then have biases, because CUT compares what they give before it is
            normalized.
        upsampling: how u128 and u64 double it: `"transposed"`, as published, convolutions that
            reach some pixels more often than others; or 3x3 convolutions after `"nearest"`, which
            repeats each pixel (Odena et al. 2016, "Deconvolution and checkerboard artifacts"), or
            after `"blur"`, linear interpolation, as CUT has it.
        initialization: `"normal"`, N(0, 0.02); or `"xavier"`, Xavier's of gain 0.02, as CUT has.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to the same, tanh.

    Raises:
        ValueError: a size of fewer than 8 pixels, or an argument out of range.
    """
    _check_counts(base_filters=base_filters, blocks=blocks)
    check_choice("downsampling", downsampling, DOWNSAMPLINGS)
    check_choice("upsampling", upsampling, UPSAMPLINGS)
    if any(size is not None and size < 8 for size in image_shape[:2]):
        raise ValueError(
            "A ResNet generator needs images of at least 8 by 8 pixels. "
            f"Received: image_shape={tuple(image_shape)}"
        )
    make = LayerFactory(
        normalization=normalization,
        affine=affine,
        epsilon=epsilon,
        padding=padding,
        seed=seed,
        initializers=initializers_of(initialization, seed),
    )

    inputs = x = network_input(image_shape)
    x = make.convolution(x, base_filters, 7, reflect=3)
    x = layers.ReLU()(make.normalize(x))  # (B, H, W, 64)

    for filters in (2 * base_filters, 4 * base_filters):
        blurs = downsampling == "blur"
        x = make.convolution(x, filters, 3, strides=1 if blurs else 2, use_bias=blurs)
        x = layers.ReLU()(make.normalize(x))
        if blurs:
            x = BlurDownsampling2D()(x)  # (B, H/2, W/2, 128), then (B, H/4, W/4, 256)

    for _ in range(blocks):
        shortcut = x
        x = make.convolution(x, 4 * base_filters, 3, reflect=1)
        x = layers.ReLU()(make.normalize(x))
        if dropout:
            x = make.dropout(x, dropout)
        x = make.convolution(x, 4 * base_filters, 3, reflect=1)
        x = layers.Add()([shortcut, make.normalize(x)])  # no ReLU after the sum

    for filters in (2 * base_filters, base_filters):
        if upsampling == "transposed":
            x = make.upsampling(x, filters, 3)
        else:
            larger = BlurUpsampling2D() if upsampling == "blur" else layers.UpSampling2D()
            x = make.convolution(larger(x), filters, 3)
        x = layers.ReLU()(make.normalize(x))  # (B, H/2, W/2, 128), then (B, H, W, 64)

    x = make.convolution(x, output_channels or image_shape[-1], 7, reflect=3, use_bias=True)
    return keras.Model(inputs, to_image(x), name=name)


def unet_generator(
    image_shape=(None, None, 3),
    output_channels=None,
    *,
    base_filters=64,
    halvings=8,
    dropout=0.0,
    dropout_levels=None,
    dropout_at_test=False,
    normalization="instance",
    affine=False,
    epsilon=1e-5,
    seed=None,
    name="unet_generator",
):
    """The U-Net generator of pix2pix (Isola et al. 2017, arXiv 1611.07004, 6.1.1).

    4x4 convolutions of stride 2 down to 1/2^`halvings` of the size and transposed ones back up,
    with a skip connection from every level to its counterpart.

    Args:
        image_shape: `(height, width, channels)`; height and width multiples of 2^`halvings`,
            or `None` for any such size.
        output_channels: those of the input if `None`.
        base_filters: filters of the outermost level (64 in the paper), doubled inwards up to 8
            times as many.
        halvings: 8 for 256x256 images (the reference's "unet_256"), 7 for 128x128.
        dropout: rate on the way up (0.5 in pix2pix, none in CycleGAN).
        dropout_levels: how many levels drop, counted from the innermost one: 3 in the paper of
            pix2pix. If `None`, the reference's: all of 8 x `base_filters`
            filters but the innermost.
        dropout_at_test: keep dropout on at test, as pix2pix does; see `networks.noise`.
        normalization, affine, epsilon, seed: as in `resnet_generator`.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to the same, tanh.

    Raises:
        ValueError: a size that is not a multiple of 2^`halvings`, fewer than 2 halvings, or an
            argument out of range.
    """
    _check_counts(base_filters=base_filters, halvings=halvings)
    multiple = 2**halvings
    if halvings < 2 or any(size is not None and size % multiple for size in image_shape[:2]):
        raise ValueError(
            f"A U-Net of {halvings} halvings needs at least 2 of them, and height and width that "
            f"are multiples of {multiple}. Received: image_shape={tuple(image_shape)}"
        )
    make = LayerFactory(
        normalization=normalization, affine=affine, epsilon=epsilon, padding="torch", seed=seed
    )
    widths = [base_filters * min(2**level, 8) for level in range(halvings)]

    inputs = x = network_input(image_shape)
    skips = []
    for level, filters in enumerate(widths):
        if level > 0:
            skips.append(x)
            x = LeakyReLU(negative_slope=0.2)(x)
        # No normalization follows the outermost and the innermost convolution. With batch
        # normalization the reference omits their biases all the same.
        bare = level in (0, halvings - 1)
        use_bias = bare and normalization == "instance"
        x = make.convolution(x, filters, 4, strides=2, use_bias=use_bias)
        if not bare:
            x = make.normalize(x)  # (B, H / 2^(level + 1), W / 2^(level + 1), filters)

    for level in reversed(range(1, halvings)):
        x = make.normalize(make.upsampling(layers.ReLU()(x), widths[level - 1], 4))
        if dropout_levels is None:
            drops = level < halvings - 1 and widths[level - 1] == 8 * base_filters
        else:
            drops = level >= halvings - dropout_levels
        if dropout and drops:
            x = make.dropout(x, dropout, at_test=dropout_at_test)
        x = layers.Concatenate()([skips.pop(), x])

    x = make.upsampling(layers.ReLU()(x), output_channels or image_shape[-1], 4, use_bias=True)
    return keras.Model(inputs, to_image(x), name=name)


def refiner(
    image_shape=(None, None, 3),
    output_channels=None,
    *,
    base_filters=64,
    blocks=4,
    seed=None,
    name="refiner",
):
    """SimGAN's refiner (Shrivastava et al. 2017, arXiv 1612.07828): no normalization, no strides.

    A 3x3 convolution, residual blocks of two 3x3 convolutions, a 1x1 convolution to the image,
    tanh. A ReLU follows the first, the first of each block, and each sum. The published codes
    pad with zeros; their initial weights are not known here, so these are Glorot's (Keras's
    default).

    Args:
        image_shape, output_channels, seed: as in `resnet_generator`; the output has the size of
            the input, whatever that is.
        base_filters: filters of all layers but the last (64 in the paper).
        blocks: residual blocks; 4 in the paper.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to the same, tanh.

    Raises:
        ValueError: an argument out of range.
    """
    _check_counts(base_filters=base_filters, blocks=blocks)
    make = LayerFactory(seed=seed, initializers=glorot_initializers(seed))
    inputs = network_input(image_shape)
    x = layers.ReLU()(make.convolution(inputs, base_filters, 3, use_bias=True))
    for _ in range(blocks):
        shortcut = x
        x = layers.ReLU()(make.convolution(x, base_filters, 3, use_bias=True))
        x = make.convolution(x, base_filters, 3, use_bias=True)
        x = layers.ReLU()(layers.Add()([shortcut, x]))
    x = make.convolution(x, output_channels or image_shape[-1], 1, use_bias=True)
    return keras.Model(inputs, to_image(x), name=name)


def size_multiple(generator):
    """The number that height and width must be a multiple of, so that the output is as large.

    Found by tracing the network, so it works for any fully convolutional model with one input: 4
    for a ResNet generator, 256 for a U-Net of 8 halvings. The network takes the number itself too,
    if that is at least 8: 64 for DiscoGAN's generator of 4 halvings with a bottleneck.

    Returns:
        The multiple; 1 for a network that takes only images of one size.

    Raises:
        ValueError: no power of two up to 1024 keeps the size.
    """
    if generator not in _size_multiples:
        _size_multiples[generator] = _found_size_multiple(generator)
    return _size_multiples[generator]


def _found_size_multiple(generator):
    *fixed, channels = generator.input_shape[1:]
    if None not in fixed:
        return 1
    # Where one keeps the size, so do its own multiples. Most are those of a ResNet.
    multiple = _MULTIPLE_OF_RESNETS
    if _keeps_size(generator, multiple, channels):
        while multiple > 1 and _keeps_size(generator, multiple // 2, channels):
            multiple //= 2
        return multiple
    while multiple < _MOST_MULTIPLE:
        multiple *= 2
        if _keeps_size(generator, multiple, channels):
            return multiple
    raise ValueError(
        f"The generator '{generator.name}' gives images of another size than it takes for every "
        f"power of two up to {_MOST_MULTIPLE}; expected a network whose output is as large as its "
        "input."
    )


def _keeps_size(generator, multiple, channels):
    """Whether a network gives images as large as it takes, if that is such a multiple."""
    # Not a multiple of 2 * multiple, and small: a network with a bottleneck may need 64 pixels.
    size = multiple if multiple >= _LEAST_SIDE else _LEAST_SIDE + multiple
    # Not `compute_output_shape`: it ignores skip connections that do not fit.
    trace = tf.function(lambda image: generator(image, training=False), autograph=False)
    try:
        traced = trace.get_concrete_function(tf.TensorSpec((1, size, size, channels), tf.float32))
    except ValueError:
        return False
    return tuple(traced.output_shapes[1:3]) == (size, size)


def translate_any_size(generator, images, multiple):
    """Runs a generator on images of any size, also inside a graph.

    The images are reflected at their borders to the next size that the network keeps, and the
    result is cropped back.

    Args:
        generator: a fully convolutional model.
        images: `(batch, height, width, channels)` in [-1, 1].
        multiple: `size_multiple(generator)`.

    Returns:
        Images in [-1, 1] of the same height and width.
    """
    height, width = tf.shape(images)[1], tf.shape(images)[2]
    rows, top = reflected_indices(height, multiple)
    columns, left = reflected_indices(width, multiple)
    padded = tf.gather(tf.gather(images, rows, axis=1), columns, axis=2)
    outputs = generator(padded, training=False)
    return outputs[:, top : top + height, left : left + width]


def reflected_indices(size, multiple):
    """Indices 2 1 0 1 2 3 2 1 … into an axis of `size`, as many as the network takes.

    `tf.pad` would do for sides larger than the padding; this also serves the tiny ones.

    Args:
        size: of the axis.
        multiple: `size_multiple` of the network.

    Returns:
        The indices, and how many of them lie before the first one of the image.
    """
    padded = tf.maximum((size + multiple - 1) // multiple * multiple, _LEAST_SIDE)
    before = (padded - size) // 2
    period = tf.maximum(2 * (size - 1), 1)
    # Never negative, because tf2onnx computes remainders of negative numbers differently.
    position = tf.math.floormod(tf.range(padded) - before + period * before, period)
    return tf.minimum(position, period - position), before


def to_image(x):
    """tanh in float32 under every dtype policy: images lose visible steps in bfloat16."""
    return layers.Activation("tanh", dtype="float64" if x.dtype == "float64" else "float32")(x)


def _check_counts(**counts):
    for name, count in counts.items():
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"{name} must be an integer >= 1. Received: {name}={count}")
