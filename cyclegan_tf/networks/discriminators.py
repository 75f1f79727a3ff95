"""The discriminators of the CycleGAN paper and its reference implementation, in Keras."""

import keras
from keras import layers

from cyclegan_tf.networks.initializers import glorot_initializers, initializers_of
from cyclegan_tf.networks.layer_factory import LayerFactory, network_input
from cyclegan_tf.networks.layers import LeakyReLU, LocalContrast, NearestResizing
from cyclegan_tf.networks.resampling import BlurDownsampling2D


def patchgan(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    strided_layers=3,
    normalization="instance",
    affine=False,
    epsilon=1e-5,
    padding="torch",
    antialias=False,
    spectral_normalization=False,
    initialization="normal",
    seed=None,
    name="patchgan",
):
    """The PatchGAN discriminator (Isola et al. 2017, arXiv 1611.07004, 6.1.2): C64-C128-C256-C512.

    4x4 convolutions with one zero on every side; `strided_layers` of stride 2, then two of
    stride 1; LeakyReLU 0.2; no normalization on the first and the last; no sigmoid. With three
    strided layers each logit sees 70x70 pixels, and a 256x256 image gives 30x30 logits.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for any size
            of at least 3 x 2^`strided_layers` pixels.
        base_filters: filters of the first layer, doubled by each later one up to 8 times as many.
        strided_layers: 3 in the paper ("n_layers" of the reference implementation).
        normalization, affine, epsilon, padding: as in `cyclegan_tf.resnet_generator`. With the
            padding "same" a 256x256 image gives 32x32 logits.
        antialias: a blur after the LeakyReLU instead of each stride of 2, as CUT has it.
        spectral_normalization: divide each kernel by its spectral norm; see `SpectralConv2D`.
        initialization: as in `cyclegan_tf.resnet_generator`.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to logits of shape
        `(batch, rows, columns, 1)`.

    Raises:
        ValueError: fewer than one filter or layer, images too small for a single logit, or an
            argument out of range.
    """
    if base_filters < 1 or strided_layers < 1:
        raise ValueError(
            "A PatchGAN needs at least one filter and one strided layer. "
            f"Received: base_filters={base_filters}, strided_layers={strided_layers}"
        )
    least = 3 * 2**strided_layers
    if any(size is not None and size < least for size in image_shape[:2]):
        raise ValueError(
            f"A PatchGAN of {strided_layers} strided layers needs images of at least {least} by "
            f"{least} pixels. Received: image_shape={tuple(image_shape)}"
        )
    make = LayerFactory(
        normalization=normalization,
        affine=affine,
        epsilon=epsilon,
        padding=padding,
        spectral=spectral_normalization,
        seed=seed,
        initializers=initializers_of(initialization, seed),
    )

    inputs = network_input(image_shape)
    logits = _patches(make, inputs, base_filters, strided_layers, antialias)
    return keras.Model(inputs, logits, name=name)


def two_scale_patchgan(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    strided_layers=3,
    contrast=4.0,
    spectral_normalization=False,
    seed=None,
    name="two_scale_patchgan",
):
    """A PatchGAN, and a finer one with patches of 16x16 pixels that also sees local contrast.

    A PatchGAN overlooks grain of a few 8-bit steps in areas of one color: on small images its
    patches are the entire image, and its normalization weighs grain against the edges. The finer
    one has one strided layer. Its second input is the difference of each pixel to the mean of its
    four neighbors, amplified and squashed by tanh, so that grain counts as much as edges.
    Not published; `docs/fidelity.md` has the measurements.

    Args:
        image_shape, base_filters, strided_layers, spectral_normalization, seed: as in `patchgan`.
        contrast: factor of the differences.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to logits of shape
        `(batch, rows, columns, 2)`: those of the finer one, and the nearest of the coarser one,
        so that both have equal weight in a mean (nearly, if one size is not a multiple of the
        other).

    Raises:
        ValueError: as `patchgan`.
    """
    coarse = patchgan(
        image_shape,
        base_filters=base_filters,
        strided_layers=strided_layers,
        spectral_normalization=spectral_normalization,
        seed=seed,
    )
    make = LayerFactory(
        normalization="instance",
        affine=False,
        epsilon=1e-5,
        padding="torch",
        spectral=spectral_normalization,
        seed=None if seed is None else seed + 1,
    )
    inputs = network_input(image_shape)
    dtype = "float64" if keras.config.dtype_policy().name == "float64" else "float32"
    x = layers.Concatenate()([inputs, LocalContrast(contrast, dtype=dtype)(inputs)])
    fine = _patches(make, x, base_filters, strided_layers=1)
    logits = layers.Concatenate()([fine, NearestResizing()([coarse(inputs), fine])])
    return keras.Model(inputs, logits, name=name)


def _patches(make, x, base_filters, strided_layers, antialias=False):
    """From images to the logits of their patches."""
    for layer in range(strided_layers):
        filters = base_filters * min(2**layer, 8)
        first = layer == 0
        x = make.convolution(x, filters, 4, strides=1 if antialias else 2, use_bias=first)
        x = LeakyReLU(negative_slope=0.2)(x if first else make.normalize(x))
        if antialias:
            x = BlurDownsampling2D()(x)
    x = make.convolution(x, base_filters * min(2**strided_layers, 8), 4)
    x = LeakyReLU(negative_slope=0.2)(make.normalize(x))
    return make.convolution(x, 1, 4, use_bias=True)


def local_discriminator(
    image_shape=(None, None, 3), *, base_filters=64, seed=None, name="local_discriminator"
):
    """SimGAN's discriminator of local patches (Shrivastava et al. 2017, arXiv 1612.07828).

    3x3 convolutions of stride 2 to 96 and 64 channels, a maximum over 3x3, a 3x3 convolution to
    32, and 1x1 convolutions to 32 and to the logits. The published one has two logits a
    location, with a softmax; that is the sigmoid of their difference, which is the one logit
    here. A ReLU follows each convolution but the last. Strided ones pad as TensorFlow's "same";
    the initial weights are Glorot's (Keras's default), because the published ones are not known
    here.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for any size.
        base_filters: two thirds of the filters of the first layer, to which the others keep
            their proportion; 64 in the paper.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to logits of shape
        `(batch, rows, columns, 1)`, a quarter as many rows and columns.

    Raises:
        ValueError: fewer than two filters.
    """
    if base_filters < 2:
        raise ValueError(
            "A discriminator of local patches needs at least two filters. "
            f"Received: base_filters={base_filters}"
        )
    make = LayerFactory(padding="same", seed=seed, initializers=glorot_initializers(seed))
    inputs = network_input(image_shape)
    x = make.convolution(inputs, base_filters * 3 // 2, 3, strides=2, use_bias=True)
    x = layers.ReLU()(x)  # (B, H/2, W/2, 96)
    x = layers.ReLU()(make.convolution(x, base_filters, 3, strides=2, use_bias=True))
    x = layers.MaxPooling2D(3, strides=1, padding="same")(x)  # (B, H/4, W/4, 64)
    for size in (3, 1):
        x = layers.ReLU()(make.convolution(x, base_filters // 2, size, use_bias=True))
    return keras.Model(inputs, make.convolution(x, 1, 1, use_bias=True), name=name)


def pixelgan(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    normalization="instance",
    affine=False,
    epsilon=1e-5,
    seed=None,
    name="pixelgan",
):
    """The 1x1 "PixelGAN" discriminator (Isola et al. 2017, arXiv 1611.07004, 6.1.2): C64-C128.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for any size.
        base_filters: filters of the first layer; the second has twice as many.
        normalization, affine, epsilon: as in `cyclegan_tf.resnet_generator`.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to a logit for every
        pixel, `(batch, height, width, 1)`.

    Raises:
        ValueError: an argument out of range.
    """
    make = LayerFactory(
        normalization=normalization, affine=affine, epsilon=epsilon, padding="torch", seed=seed
    )
    inputs = network_input(image_shape)
    x = make.convolution(inputs, base_filters, 1, use_bias=True)
    x = LeakyReLU(negative_slope=0.2)(x)
    x = make.normalize(make.convolution(x, 2 * base_filters, 1))
    x = LeakyReLU(negative_slope=0.2)(x)
    # With batch normalization the reference omits this bias too.
    logits = make.convolution(x, 1, 1, use_bias=normalization == "instance")
    return keras.Model(inputs, logits, name=name)
