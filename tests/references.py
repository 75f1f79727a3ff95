"""The published implementation's numbers, and how its weights enter a Keras model."""

import pathlib

import numpy as np

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def load(name):
    return dict(np.load(FIXTURES / f"{name}.npz"))


def to_nhwc(pictures):
    return np.moveaxis(pictures, -3, -1)


def assign_state(model, arrays, prefix):
    """Copies `PREFIX.KEY.weight` and `.bias` into the convolutions of `model`, in order.

    Both kinds of kernel turn the same way: (out, in, h, w) to (h, w, in, out), and for
    transposed convolutions (in, out, h, w) to (h, w, out, in).
    """
    weights = [key for key in arrays if key.startswith(prefix + ".") and key.endswith(".weight")]
    convolutions = [layer for layer in model.layers if hasattr(layer, "kernel")]
    assert len(weights) == len(convolutions)
    for key, layer in zip(weights, convolutions):
        layer.kernel.assign(arrays[key].transpose(2, 3, 1, 0))
        if layer.use_bias:
            layer.bias.assign(arrays[key.removesuffix("weight") + "bias"])
