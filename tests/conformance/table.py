"""The systems that keep the promises of `test_conformance.py`: a new one adds one line."""

import numpy as np
import tensorflow as tf
from references import FIXTURES

from cyclegan_tf import UNIT, CoGAN, ReplayPool, data
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import declared

SIZE = 16

# Options that make it small: seconds, not minutes. In the order of `SYSTEMS`.
TINY = {
    "cyclegan": {"base_filters": 2, "blocks": 1, "strided_layers": 1, "pool_size": 2},
    "pix2pix": {"base_filters": 2, "halvings": 3, "strided_layers": 1, "pool_size": 2},
    "unit": {"base_filters": 2, "blocks": 1, "strided_layers": 2},
    "cut": {"base_filters": 2, "blocks": 1, "strided_layers": 1, "patches": 32},
    "discogan": {"form": "code", "base_filters": 2, "halvings": 2, "curriculum_steps": 2},
    # The bias of a Wasserstein critic cancels, so that nothing would train it.
    "dualgan": {"base_filters": 2, "halvings": 3, "strided_layers": 2, "adversarial": "vanilla"},
    "cogan": {"base_filters": 4, "latent": 4, "search_steps": 3, "search_starts": 2},
    "bigan": {"base_filters": 2, "blocks": 1, "strided_layers": 1, "pool_size": 2},
    "simgan": {"base_filters": 2, "blocks": 1, "strided_layers": 1, "pool_size": 2},
    "featuregan": {
        "base_filters": 2,
        "blocks": 1,
        "strided_layers": 1,
        "features": str(FIXTURES / "small_vgg.h5"),
        "feature_layer": "relu2_2",
        "feature_size": SIZE,
        "pool_size": 2,
    },
}

_CYCLEGAN = SYSTEMS["cyclegan"]
_MODERN = _CYCLEGAN.presets["modern"].items()

# Lines of a system with other options, for the promises that are kept without a graph: the system,
# and the options.
FORMS = {
    "modern": (
        "cyclegan",
        {**TINY["cyclegan"], **{k: v for k, v in _MODERN if k in declared(_CYCLEGAN.build)}},
    ),
}

# Steps after which each group of networks has been updated, where one does not suffice.
STEPS = {"discogan": 2}

# Systems that translate without a network. They have nothing to export, and promise to say so.
BY_SEARCH = ("cogan",)

# Systems at whose start the bias of the logits has a gradient of (σ - 1) + σ, which is 0 in half
# precision.
BALANCED = ("unit", "dualgan")


def _recipe_and_options(line):
    system, options = FORMS.get(line) or (line, TINY[line])
    return SYSTEMS[system], dict(options)


def build(line, *, noise=True, by_replica=True, run_eagerly=False):
    """The small system of a line, compiled; on wish without what two computations draw differently.

    Tracing takes longer than a few steps without it; the steps are the same.

    Args:
        line: of `TINY` or `FORMS`.
        noise: whether there is noise in a step.
        by_replica: whether each replica draws for itself: images of a pool, places of a penalty.
        run_eagerly: as in `compile`.
    """
    recipe, given = _recipe_and_options(line)
    known = declared(recipe.build)
    if not noise and "dropout" in known:
        given["dropout"] = 0.0
    if not noise and "patches" in known:
        given["patches"] = 1000  # all, in an order that does not matter
    if not by_replica:
        given |= {name: 0 for name in ("pool_size", "gradient_penalty") if name in known}
    model = recipe.build((SIZE, SIZE, 3), seed=0, **given)
    model.compile(run_eagerly=run_eagerly)
    return model if noise else without_noise(model)


def without_noise(model):
    """The model; a UNIT adds none to its codes any more, a CoGAN makes all images of the same."""
    if isinstance(model, UNIT):
        model.__dict__["_noise"] = lambda stream, shape, dtype: tf.zeros(shape, dtype)
    if isinstance(model, CoGAN):
        code = tf.linspace(tf.constant([-1.0]), 1.0, model.latent, axis=1)
        model.__dict__["_noise"] = lambda stream, images: tf.repeat(code, tf.shape(images)[0], 0)
    return model


def scenes(line, **options):
    """Training data that the system of a line takes."""
    paired = _recipe_and_options(line)[0].paired
    return data.scenes(count=6, image_size=SIZE, paired=paired, **{"seed": 1, **options})


def images(count=1, seed=0):
    """An image of each domain, or a batch of them, float32 in [-1, 1]."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (2, count, SIZE, SIZE, 3)).astype(np.float32)


def state(model):
    """All that training changes, by name: weights, moments, pools, states of random layers."""
    values = {f"{number} {v.name}": np.array(v) for number, v in enumerate(model.variables)}
    for group, optimizer in model.optimizers.items():
        for number, variable in enumerate(optimizer.variables):
            values[f"{group} {number}"] = np.array(variable)
    for layer in model.layers:
        if isinstance(layer, ReplayPool):
            store = {}
            layer.save_own_variables(store)
            values |= {f"{layer.name} {key}": value for key, value in store.items()}
    return values


def assert_same(first, second):
    """Two of `state`, bit for bit."""
    assert list(first) == list(second)
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)
