"""The discriminators of the CycleGAN paper and its PyTorch release, as functional Keras models."""

import keras
from keras import layers

from cyclegan_tf.initializers import normal_initializers
from cyclegan_tf.layers import InstanceNormalization


def patchgan(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    strided_layers=3,
    seed=None,
    name="patchgan",
):
    """The PatchGAN discriminator (Isola et al. 2017, arXiv 1611.07004, 6.1.2): C64-C128-C256-C512.

    4x4 convolutions with one zero on every side; `strided_layers` of stride 2, then two of
    stride 1; LeakyReLU 0.2; no normalisation on the first and the last; no sigmoid. With 3
    strided layers each logit sees 70x70 pixels, and a 256x256 picture gives 30x30 logits.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for any size
            of at least 3 x 2^`strided_layers` pixels.
        base_filters: filters of the first layer, doubled by each later one up to 8 times as many.
        strided_layers: 3 in the paper ("n_layers" of the PyTorch release).
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to logits of shape
        `(batch, rows, columns, 1)`.

    Raises:
        ValueError: fewer than one filter or layer, or pictures too small for a single logit.
    """
    if base_filters < 1 or strided_layers < 1:
        raise ValueError(
            "A PatchGAN needs at least one filter and one strided layer. "
            f"Received: base_filters={base_filters}, strided_layers={strided_layers}"
        )
    least = 3 * 2**strided_layers
    if any(size is not None and size < least for size in image_shape[:2]):
        raise ValueError(
            f"A PatchGAN of {strided_layers} strided layers needs pictures of at least {least} by "
            f"{least} pixels. Received: image_shape={tuple(image_shape)}"
        )
    initializers = normal_initializers(seed)

    def convolution(x, filters, strides, use_bias):
        return layers.Conv2D(
            filters, 4, strides, use_bias=use_bias, kernel_initializer=next(initializers)
        )(layers.ZeroPadding2D(1)(x))

    inputs = keras.Input(image_shape, name="image")
    x = convolution(inputs, base_filters, strides=2, use_bias=True)
    x = layers.LeakyReLU(negative_slope=0.2)(x)
    for layer in range(1, strided_layers + 1):
        strides = 2 if layer < strided_layers else 1
        x = convolution(x, base_filters * min(2**layer, 8), strides, use_bias=False)
        x = layers.LeakyReLU(negative_slope=0.2)(InstanceNormalization()(x))
    logits = convolution(x, 1, strides=1, use_bias=True)
    return keras.Model(inputs, logits, name=name)


def pixelgan(image_shape=(None, None, 3), *, base_filters=64, seed=None, name="pixelgan"):
    """The 1x1 "PixelGAN" discriminator (Isola et al. 2017, arXiv 1611.07004, 6.1.2): C64-C128.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for any size.
        base_filters: filters of the first layer; the second has twice as many.
        seed: of the initial weights.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to a logit for every
        pixel, `(batch, height, width, 1)`.
    """
    initializers = normal_initializers(seed)

    def convolution(x, filters, use_bias=True):
        return layers.Conv2D(filters, 1, use_bias=use_bias, kernel_initializer=next(initializers))(
            x
        )

    inputs = keras.Input(image_shape, name="image")
    x = layers.LeakyReLU(negative_slope=0.2)(convolution(inputs, base_filters))
    x = InstanceNormalization()(convolution(x, 2 * base_filters, use_bias=False))
    logits = convolution(layers.LeakyReLU(negative_slope=0.2)(x), 1)
    return keras.Model(inputs, logits, name=name)
