"""A small fully convolutional network that finds the class of each pixel of a photograph.

The idea of Long, Shelhamer and Darrell 2015 (arXiv 1411.4038): convolutions alone, and fine layers
that are joined to coarse ones. In place of their VGG it is small, to be trained in a minute; wide
surroundings come from dilated convolutions (Yu and Koltun 2016, arXiv 1511.07122).
"""

import keras

from cyclegan_tf.networks.initializers import kaiming_initializers

MULTIPLE = 4  # of which sides of images must be multiples
_DILATIONS = (1, 2, 4, 8)  # at a quarter of the size


def segmenter_network(channels, classes, *, base_filters=16, seed=0):
    """The network, with initial weights.

    Args:
        channels: of the photographs.
        classes: their number.
        base_filters: at full size; a quarter of the size has four times as many.
        seed: of the weights.

    Returns:
        A `keras.Model` from images in [-1, 1], `(batch, height, width, channels)` with multiples
        of 4, to logits `(batch, height, width, classes)`.
    """
    initializers = kaiming_initializers(seed)

    def block(x, filters, **options):
        x = keras.layers.Conv2D(
            filters,
            3,
            padding="same",
            use_bias=False,
            kernel_initializer=next(initializers),
            dtype="float32",
            **options,
        )(x)
        # A training of a few hundred steps needs averages of a few tens of them.
        x = keras.layers.BatchNormalization(momentum=0.9, dtype="float32")(x)
        return keras.layers.ReLU(dtype="float32")(x)

    def joined(coarse, fine):
        coarse = keras.layers.UpSampling2D(2, dtype="float32")(coarse)
        return keras.layers.Concatenate(dtype="float32")([coarse, fine])

    images = keras.Input((None, None, channels), dtype="float32")
    full = block(images, base_filters)
    half = block(block(full, 2 * base_filters, strides=2), 2 * base_filters)
    x = block(half, 4 * base_filters, strides=2)
    for dilation in _DILATIONS:
        x = keras.layers.Add(dtype="float32")(
            [x, block(x, 4 * base_filters, dilation_rate=dilation)]
        )
    x = block(joined(x, half), 2 * base_filters)
    x = block(joined(x, full), base_filters)
    logits = keras.layers.Conv2D(
        classes, 1, kernel_initializer=next(initializers), dtype="float32", name="logits"
    )(x)
    return keras.Model(images, logits, name="segmenter")
