"""The published implementation's numbers, and how its weights enter a Keras model."""

import pathlib

import numpy as np

from cyclegan_tf.interop import torch_state

FIXTURES = pathlib.Path(__file__).parent / "fixtures"


def load(name, folder=FIXTURES):
    return dict(np.load(pathlib.Path(folder) / f"{name}.npz"))


def to_nhwc(images):
    return np.moveaxis(images, -3, -1)


def network(arrays, prefix, generates):
    """The Keras model of the state dict `PREFIX.KEY` among the arrays of a reference."""
    prefix += "."
    state = {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }
    return torch_state.network_of(state, prefix, generates=generates)
