"""Several discriminators of one domain, which see its images at several scales."""

import keras

from cyclegan_tf.networks.layer_factory import network_input


def multi_scale(discriminators, halving, *, name="discriminator"):
    """A network that gives the logits of each; every later one sees images half as large.

    Args:
        discriminators: models from images of any size to logits, for the finest scale first.
        halving: a layer without weights that halves images.

    Returns:
        A `keras.Model` from images to a list of logits; to logits, if it is only one.
    """
    inputs = x = network_input(discriminators[0].input_shape[1:])
    logits = [discriminators[0](x)]
    for discriminator in discriminators[1:]:
        x = halving(x)
        logits.append(discriminator(x))
    return keras.Model(inputs, logits if len(logits) > 1 else logits[0], name=name)
