"""The networks of DiscoGAN: an encoder and a decoder of strided convolutions, without shortcuts.

Kim et al. 2017 (arXiv 1703.05192); the layers are those of the authors' code. Its images lie in
[0, 1], those of this package in [-1, 1]. The networks here take and make images in [-1, 1] and
compute as published: the first layer maps them to [0, 1], so that the convolutions, which have no
biases, see published values and pad with black; the last is tanh(x / 2) = 2 sigmoid(x) - 1.
"""

import keras
from keras import layers

from cyclegan_tf.choices import DISCOGAN_NORMALIZATIONS, check
from cyclegan_tf.networks.generators import to_image
from cyclegan_tf.networks.layer_factory import LayerFactory, network_input
from cyclegan_tf.networks.layers import LeakyReLU

_LAST = 4  # kernel of the layers that end an encoder: the map of 64 pixels after four halvings


def encoder_decoder(
    image_shape=(None, None, 3),
    output_channels=None,
    *,
    base_filters=64,
    halvings=4,
    bottleneck=0,
    normalization="batch",
    seed=None,
    name="encoder_decoder",
):
    """DiscoGAN's generator: 4x4 convolutions of stride 2, then as many transposed ones.

    C64-C128-C256-C512 with LeakyReLU 0.2, then u256-u128-u64-u3 with ReLU. Batch normalization
    follows all but the first and the last. There are no biases.

    Args:
        image_shape: `(height, width, channels)`; height and width may be `None` for any multiples
            of 2^`halvings`.
        output_channels: those of the input if `None`.
        base_filters: filters of the first layer, doubled by each later one up to 8 times as many.
        halvings: strided convolutions; 4 as published for 64 pixels.
        bottleneck: channels between encoder and decoder, in a map that is three rows and columns
            smaller; 0 for none. The published one has 100 (`extra_layers`): at 64 pixels, a
            vector. It needs images of at least 4 x 2^`halvings` pixels.
        normalization: `"batch"`, whose moving averages are used at test; or `"test_batch"`, batch
            normalization by the statistics of each image at test, see
            `cyclegan_tf.networks.batch_normalization`.
        seed: of the initial weights, N(0, 0.02).

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to the same.

    Raises:
        ValueError: an argument out of range; the message names it.
    """
    _check(image_shape, base_filters, halvings, normalization, _LAST if bottleneck else 1)
    make = LayerFactory(normalization=normalization, seed=seed)
    inputs = network_input(image_shape)
    x = _encoded(make, inputs, base_filters, halvings)[-1]
    if bottleneck:
        x = make.convolution(x, bottleneck, _LAST, zeros=0)
        x = LeakyReLU(negative_slope=0.2)(make.normalize(x))  # (B, H/16 - 3, W/16 - 3, 100)
        x = make.upsampling(x, _filters(base_filters, halvings - 1), _LAST, strides=1)
        x = layers.ReLU()(make.normalize(x))
    for level in reversed(range(halvings - 1)):
        x = make.upsampling(x, _filters(base_filters, level), 4)
        x = layers.ReLU()(make.normalize(x))  # (B, H/8, W/8, 256), and so on
    x = make.upsampling(x, output_channels or image_shape[-1], 4)
    return keras.Model(inputs, to_image(layers.Rescaling(0.5)(x)), name=name)


def encoder_discriminator(
    image_shape=(None, None, 3),
    *,
    base_filters=64,
    halvings=4,
    normalization="batch",
    seed=None,
    name="encoder_discriminator",
):
    """DiscoGAN's discriminator: the generator's encoder and a 4x4 convolution to the logits.

    Args:
        image_shape, base_filters, halvings, normalization, seed: as in `encoder_decoder`, for
            images of at least 4 x 2^`halvings` pixels.

    Returns:
        A `keras.Model` from `(batch, height, width, channels)` in [-1, 1] to a list: logits, one
        for images of 4 x 2^`halvings` pixels, and the features that `DiscoGAN` may compare, of all
        convolutions before it but the first.

    Raises:
        ValueError: an argument out of range; the message names it.
    """
    _check(image_shape, base_filters, halvings, normalization, _LAST)
    make = LayerFactory(normalization=normalization, seed=seed)
    inputs = network_input(image_shape)
    features = _encoded(make, inputs, base_filters, halvings)
    logits = make.convolution(features[-1], 1, _LAST, zeros=0)
    return keras.Model(inputs, [logits, *features[1:]], name=name)


def _encoded(make, images, base_filters, halvings):
    """The features after each strided convolution, from images in [-1, 1]."""
    # In float32: dark colors lose steps in bfloat16.
    dtype = "float64" if keras.config.dtype_policy().name == "float64" else "float32"
    x = layers.Rescaling(0.5, offset=0.5, dtype=dtype)(images)
    features = []
    for level in range(halvings):
        x = make.convolution(x, _filters(base_filters, level), 4, strides=2)
        x = LeakyReLU(negative_slope=0.2)(make.normalize(x) if level else x)
        features.append(x)  # (B, H/2, W/2, 64), (B, H/4, W/4, 128), and so on
    return features


def _filters(base_filters, level):
    return base_filters * min(2**level, 8)


def check_sizes(image_shape, halvings, least_map=_LAST):
    """Raises a ValueError for heights and widths that the networks do not take.

    Args:
        image_shape: `(height, width, channels)`; what is `None` is not checked.
        halvings: of the network.
        least_map: the least rows and columns of the map after these.
    """
    multiple = 2**halvings
    least = least_map * multiple
    sizes = [size for size in image_shape[:2] if size is not None]
    if any(size % multiple or size < least for size in sizes):
        raise ValueError(
            f"A network of DiscoGAN with {halvings} halvings needs height and width that are "
            f"multiples of {multiple} from {least} on; use other sizes, or other halvings. "
            f"Received: image_shape={tuple(image_shape)}"
        )


def _check(image_shape, base_filters, halvings, normalization, least_map):
    check("normalization", normalization, DISCOGAN_NORMALIZATIONS)
    if base_filters < 1 or halvings < 2:
        raise ValueError(
            "A network of DiscoGAN needs at least one filter and two halvings. "
            f"Received: base_filters={base_filters}, halvings={halvings}"
        )
    check_sizes(image_shape, halvings, least_map)
