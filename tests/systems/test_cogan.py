"""CoGAN: against the numbers of the published implementation, and by hand."""

import keras
import numpy as np
import pytest
import references
import tensorflow as tf

from cyclegan_tf import CoGAN
from cyclegan_tf.networks import tied
from cyclegan_tf.networks.moving_batch_normalization import MovingBatchNormalization
from cyclegan_tf.systems.cogan import paper_networks

# The reference's layers of each network.
PARTS = {
    "shared_generator": ("gen", ("up0", "up1", "up2", "up3")),
    "generator_a": ("gen", ("up4_a",)),
    "generator_b": ("gen", ("up4_b",)),
    "discriminator_a": ("dis", ("conv0_a",)),
    "discriminator_b": ("dis", ("conv0_b",)),
    "shared_discriminator": ("dis", ("conv1", "conv2", "prelu2", "conv3")),
}
TERMS = {"d_real": "D_true", "d_made": "D_fake", "g": "G"}


def _widths(settings, *published):
    return [settings["widths"][str(width)] for width in published]


def _published():
    """The reference, and the system that its settings describe with its starting weights."""
    reference = references.load("cogan_train")
    settings = references.settings(reference)
    first, *others = _widths(settings, 20, 50, 500)
    shared = tied.shared_generator(
        settings["latent"], widths=_widths(settings, 1024, 512, 256, 128), kernel=3
    )
    judges = [tied.digit_discriminator((28, 28, 1), filters=first) for _ in range(2)]
    networks = {
        "shared_generator": shared,
        **{f"generator_{d}": tied.digit_generator(shared.output_shape[1:]) for d in "ab"},
        **{f"discriminator_{d}": judge for d, judge in zip("ab", judges)},
        "shared_discriminator": tied.shared_digit_discriminator(
            judges[0].output_shape[1:], widths=others
        ),
    }
    initial = references.load("cogan_train_init")
    for name, (prefix, layers) in PARTS.items():
        _assign(networks[name], initial, prefix, layers)
    return reference, CoGAN(**networks, image_shape=(28, 28, 1))


def _assign(network, arrays, prefix, layers):
    """Gives a network the weights of these layers, in the order of the published ones."""
    kinds = {"kernel": [], "bias": [], "slope": [], "running_mean": [], "running_var": []}
    for key, array in arrays.items():
        group, layer, kind = key.split("/")
        if group == prefix and layer.split("_norm")[0].split("_prelu")[0] in layers:
            kinds[kind].append(array.transpose(2, 3, 1, 0) if kind == "kernel" else array)
    names = {"alpha": "slope", "moving_mean": "running_mean", "moving_variance": "running_var"}
    for variable in network.weights:
        value = kinds[names.get(variable.name, variable.name)].pop(0)
        variable.assign(np.reshape(value, variable.shape))
    assert not any(kinds.values())


def _to_unit(images):
    """From [-1, 1] to the [0, 1] of the published code."""
    return (np.moveaxis(np.asarray(images), -1, -3) + 1) / 2


def test_it_gives_the_recorded_losses_and_images():
    """The published images lie in [0, 1], those of the package in [-1, 1]."""
    keras.config.set_dtype_policy("float64")
    reference, model = _published()
    for domain in "ab":
        reference[f"images_{domain}"] = 2 * np.float64(reference[f"images_{domain}"]) - 1
    noise = {name: iter(np.float64(reference[f"noise_{name}"])) for name in ("dis", "gen")}
    names = {"discriminator": "dis", "generator": "gen"}
    model.__dict__["_noise"] = lambda stream, images: tf.constant(next(noise[names[stream]]))

    first = model.shared_generator(reference["noise_gen"][0], training=True)
    for domain in "ab":
        made = getattr(model, f"generator_{domain}")(first)
        np.testing.assert_allclose(_to_unit(made), reference[f"first_{domain}"], atol=1e-6)
    _assign_moving(model)
    images = [references.to_nhwc(reference[f"images_{domain}"][0]) for domain in "ab"]
    np.testing.assert_allclose(model._logits(images, True), reference["first_dis"], atol=1e-6)

    model.compile(run_eagerly=True)  # so that each step takes the next noise
    references.train(model, reference, TERMS, within=1e-6)
    assert not any(list(rest) for rest in noise.values())
    for suffix, training in (("_running", False), ("", True)):
        pair = model._pair(np.float64(reference["probe_noise"]), training=training)
        for domain, made in zip("ab", pair):
            expected = reference[f"probe_out_{domain}{suffix}"]
            np.testing.assert_allclose(_to_unit(made), expected, atol=1e-6)


def _assign_moving(model):
    """The moving averages of the reference's start, as before a first pass in training."""
    _assign(
        model.shared_generator, references.load("cogan_train_init"), *PARTS["shared_generator"]
    )
