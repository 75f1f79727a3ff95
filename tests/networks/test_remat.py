"""Rematerialization, seen in the graph that is traced; test_cyclegan.py trains with it."""

import keras
import tensorflow as tf

from cyclegan_tf.networks.remat import rematerialize


def _ancestors(operation):
    found, left = set(), [operation]
    while left:
        before = left.pop()
        for each in (*(tensor.op for tensor in before.inputs), *before.control_inputs):
            if each not in found:
                found.add(each)
                left.append(each)
    return found


def _graph(call):
    """Of the gradient of two calls of a network of two convolutions."""
    network = keras.Sequential([keras.layers.Conv2D(2, 3), keras.layers.Conv2D(2, 3)])
    network.build((None, 8, 8, 3))

    @tf.function
    def gradients(one, other):
        with tf.GradientTape() as tape:
            objective = tf.reduce_sum(call(network, one)) + tf.reduce_sum(call(network, other))
        return tape.gradient(objective, network.trainable_variables)

    image = tf.TensorSpec((1, 8, 8, 3))
    return gradients.get_concrete_function(image, image).graph.get_operations()


def test_the_inside_is_computed_again_one_call_after_the_other():
    kinds = [operation.type for operation in _graph(lambda network, x: network(x, training=True))]
    assert kinds.count("Conv2D") == 4

    operations = _graph(rematerialize)
    convolutions = [operation for operation in operations if operation.type == "Conv2D"]
    assert len(convolutions) == 8
    # How many gradients of kernels each waits for: the second call for those of the first.
    waits = [
        sum(each.type == "Conv2DBackpropFilter" for each in _ancestors(convolution))
        for convolution in convolutions
    ]
    assert waits == [0] * 6 + [2] * 2
