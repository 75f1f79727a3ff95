"""Rescales convolutions so that few bits hold their outputs; the network's function is the same.

An instance normalization cancels any factor before it: with a factor s on a channel,
(s x - s m) / sqrt(s² v + s² ε) is unchanged. So the factors are free to choose, and ε follows.
"""

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.keras_internals import nodes_of, operation_before
from cyclegan_tf.networks.batch_normalization import BatchNormalization
from cyclegan_tf.networks.layers import InstanceNormalization

CONVOLUTION_LAYERS = (keras.layers.Conv2D, keras.layers.Conv2DTranspose)

# Without images: the Euclidean norm of the weights of a channel. Outputs are then about as large
# as one input times this, and their squares, summed over a row of pixels in float16, stay far
# below 65504.
_NORM = 0.25


# What is an instance normalization at test.
_PER_IMAGE = (InstanceNormalization, BatchNormalization)


def equalized(network, images=None):
    """A copy of a network whose convolutions are rescaled before instance normalizations.

    Args:
        network: a functional Keras model.
        images: float32 `(count, height, width, channels)` in [-1, 1]. With them, the largest
            output of each channel of a convolution is 1; without, the weights of all channels
            have the same norm.

    Returns:
        A model with the same outputs up to rounding. Its layers are named `layer_name(name)`.
    """
    pairs = normalized_convolutions(network)
    convs = [conv for conv, _ in pairs]
    if images is None or not convs:
        sizes = [_norms(conv) / _NORM for conv in convs]
    else:
        sizes = _largest_outputs(network, convs, images)
    factors = {conv.name: 1 / np.maximum(size, 1e-6) for conv, size in zip(convs, sizes)}
    epsilons = {
        norm.name: tuple(norm.epsilon * np.square(np.float64(factors[conv.name])))
        for conv, norm in pairs
    }

    def clone(layer):
        config = layer.get_config()
        kind = type(layer)
        if isinstance(layer, BatchNormalization):  # the same at test, and takes many epsilons
            kind = InstanceNormalization
            del config["gamma_initializer"]
            config["affine"] = True
        if layer.name in epsilons:
            config["epsilon"] = epsilons[layer.name]
        if not isinstance(layer, keras.layers.InputLayer):
            config["name"] = layer_name(layer.name)
        return kind.from_config(config)

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    for conv in convs:
        kernel, *bias = conv.get_weights()
        factor = factors[conv.name]
        copy.get_layer(layer_name(conv.name)).set_weights(
            [kernel * _along_channels(conv, factor), *(each * factor for each in bias)]
        )
    return copy


def layer_name(name):
    """A layer name that can be recognized in the file's operator names.

    The converter adds numbers to names, so `conv2d_1` could be either of two layers.
    """
    return f"{name}."


def normalized_convolutions(network):
    """Pairs of a convolution and the only consumer of its output, an instance normalization.

    Both are used once, because every use shares their weights and epsilon. Nothing nonlinear is
    between them, because no factor would pass through it.
    """
    found = []
    for layer in network.layers:
        if not isinstance(layer, _PER_IMAGE) or not _is_used_once(layer):
            continue
        before = operation_before(layer.input)
        if (
            isinstance(before, CONVOLUTION_LAYERS)
            and before.activation is keras.activations.linear
            and _is_used_once(before)
            and _uses(network, before.output) == 1
        ):
            found.append((before, layer))
    return found


def _is_used_once(layer):
    return len(nodes_of(layer)) == 1


def _uses(network, tensor):
    nodes = [node for each in network.operations for node in nodes_of(each)]
    return sum(used is tensor for node in nodes for used in node.input_tensors)


def _channel_axis(conv):
    """The axis of a convolution's kernel that holds its output channels."""
    return 2 if isinstance(conv, keras.layers.Conv2DTranspose) else 3


def _norms(conv):
    axes = tuple({0, 1, 2, 3} - {_channel_axis(conv)})
    return np.sqrt(np.square(np.float64(conv.get_weights()[0])).sum(axis=axes))


def _largest_outputs(network, convs, images):
    probe = keras.Model(network.input, {conv.name: conv.output for conv in convs})

    @tf.function(autograph=False)
    def largest(image):
        outputs = probe(image, training=False)
        return [tf.reduce_max(tf.abs(outputs[conv.name]), axis=(0, 1, 2)) for conv in convs]

    found = [largest(image[None]) for image in images]
    return [np.max(of_one, axis=0) for of_one in zip(*found)]


def _along_channels(conv, factors):
    shape = [1, 1, 1, 1]
    shape[_channel_axis(conv)] = -1
    return factors.reshape(shape)
