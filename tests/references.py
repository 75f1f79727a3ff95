"""The published implementation's numbers, and how its weights enter a Keras model."""

import itertools
import json
import pathlib

import keras
import numpy as np

from cyclegan_tf import CycleGAN, torch_weights
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


def settings(reference):
    """How the published code was run to record a reference of a further system."""
    return json.loads(str(reference["settings"]))


_STORED_NAMES = {"moving_mean": "running_mean", "moving_variance": "running_var"}


def assign(network, arrays, name):
    """Gives a Keras network the weights `NAME/layer/array`, in the order of their layers."""
    prefix = f"{name}/"
    own = [key.removeprefix(prefix) for key in arrays if key.startswith(prefix)]
    names = [key.rsplit("/", 1)[0] for key in own]
    kinds = {"norm": [], "convolution": []}
    for layer in dict.fromkeys(names):
        kinds["norm" if "norm" in layer else "convolution"].append(layer)
    layers = {
        "norm": [each for each in network.layers if getattr(each, "gamma", None) is not None],
        "convolution": [
            each
            for each in network.layers
            if isinstance(
                each, (keras.layers.Conv2D, keras.layers.Conv2DTranspose, keras.layers.Dense)
            )
        ],
    }
    for kind, of_kind in layers.items():
        for layer, layer_name in zip(of_kind, kinds[kind], strict=True):
            stored = {
                variable.name: arrays[
                    f"{name}/{layer_name}/{_STORED_NAMES.get(variable.name, variable.name)}"
                ]
                for variable in layer.weights
            }
            if kind == "convolution":
                kernel = stored["kernel"]
                stored["kernel"] = kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)
            for variable in layer.weights:
                variable.assign(stored[variable.name])


def recorded_draws(draws, are_slots, pool_size, count):
    """The coin and the slot of each image in turn, from what a published pool drew.

    It draws nothing while it fills; then a coin for each image, and a slot if that is heads.
    """
    drawn = list(zip(draws, are_slots))
    pairs = [(0.0, 0)] * pool_size
    while drawn:
        coin, is_slot = drawn.pop(0)
        assert not is_slot
        heads = bool(drawn) and drawn[0][1]
        assert heads == (coin > 0.5)
        pairs.append((coin, int(drawn.pop(0)[0]) if heads else 0))
    assert len(pairs) == count
    return pairs


def train(model, reference, names, within, steps=None):
    """Takes the steps of a reference, holding the losses of each to it, relatively.

    Args:
        names: the reference's name of each loss.
        steps: how many of them; all if `None`.
    """
    columns = list(reference["loss_names"])
    images = [to_nhwc(reference[f"images_{domain}"])[:steps] for domain in "ab"]
    for step, image_a, image_b, expected in zip(itertools.count(), *images, reference["losses"]):
        losses = model.train_on_batch(image_a, image_b, return_dict=True)
        model.reset_metrics()
        for name, value in losses.items():
            published = expected[columns.index(names[name])]
            message = f"{name} of step {step}"
            np.testing.assert_allclose(value, published, rtol=within, err_msg=message)


# The reference's name of each loss; its D_A judges images of B.
REFERENCE_NAMES = {
    "d_b": "D_A",
    "g_ab": "G_A",
    "cycle_a": "cycle_A",
    "identity_b": "idt_A",
    "d_a": "D_B",
    "g_ba": "G_B",
    "cycle_b": "cycle_B",
    "identity_a": "idt_B",
}


def cyclegan(reference):
    networks = {
        name: network(reference, reference_name, name.startswith("generator"))
        for name, reference_name in torch_weights.REFERENCE_NAMES.items()
    }
    return CycleGAN(
        **networks,
        image_shape=(32, 32, 3),
        lambda_identity=float(reference["lambda_identity"]),
        pool_size=int(reference["pool_size"]),
    )


_CYCLEGAN_POOLS = {"pool_a": "pool_A", "pool_b": "pool_B"}


def replay_draws(reference, install, pools=_CYCLEGAN_POOLS):
    """Has the pools exchange images by the random numbers that the published ones drew.

    Args:
        reference: arrays by name.
        install: called with what is to be `ReplayPool.call`.
        pools: the reference's names of the pools by ours.

    Returns:
        What each pool has still to draw, by its name.
    """
    described = reference if "pool_size" in reference else settings(reference)
    pool_size = int(described["pool_size"])
    if not pool_size:
        return {}
    count, batch = reference["images_a"].shape[:2]
    draws = {
        name: iter(
            recorded_draws(
                reference[f"{reference_name}_draws"],
                reference[f"{reference_name}_is_randint"],
                pool_size,
                count * batch,
            )
        )
        for name, reference_name in pools.items()
    }

    def call(pool, images, seed):
        coins, slots = zip(*(next(draws[pool.name]) for _ in range(batch)))
        coins = np.array(coins, images.dtype.name)
        return pool.exchange(images, coins, np.array(slots, np.int32))

    install(call)
    return draws
