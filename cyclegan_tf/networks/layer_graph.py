"""A network as the list of its layers, nested networks opened."""

import dataclasses

import keras

from cyclegan_tf.keras_internals import is_plain_functional, run_graph


@dataclasses.dataclass(frozen=True)
class Step:
    """The use of a layer.

    Attributes:
        layer: a `keras.layers.Layer`.
        inputs: numbers of the tensors that it takes; 0 is the image, and n the output of the n-th
            step, counted from 1.
    """

    layer: keras.layers.Layer
    inputs: tuple[int, ...]


def layer_graph(network):
    """The steps of a network of one input and one output, in an order to compute them in.

    Args:
        network: a functional or Sequential `keras.Model`, which may hold others.

    Returns:
        A list of `Step`, of which the last one gives the output.

    Raises:
        ValueError: a model with a `call` of its own.
    """
    steps = []

    def replaced(layer):
        if isinstance(layer, keras.Model):
            return lambda inputs, **_: _run(layer, inputs, replaced)

        def record(*inputs, **_):
            taken = [each for each in keras.tree.flatten(inputs) if isinstance(each, _Tensor)]
            steps.append(Step(layer, tuple(each.number for each in taken)))
            return _Tensor(len(steps))

        return record

    output = _run(network, _Tensor(0), replaced)
    if output.number != len(steps):
        steps.append(Step(keras.layers.Identity(), (output.number,)))
    return steps


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """Stands for an output."""

    number: int


def _run(network, inputs, replace):
    if not (isinstance(network, keras.Sequential) or is_plain_functional(network)):
        raise ValueError(
            f"The layers of '{network.name}' are unknown: {type(network).__name__} has a call of "
            "its own. Expected a functional or Sequential model."
        )
    return run_graph(network, inputs, replace)
