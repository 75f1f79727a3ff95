"""DualGAN: against the numbers of a second implementation of its published code, and by hand.

That implementation is not the published code, whose losses it gave to 1e-13 under TensorFlow 1.
"""

import keras
import numpy as np
import pytest
import references
import tensorflow as tf

from cyclegan_tf import DualGAN, RMSprop, losses
from cyclegan_tf.networks.dual import dual_generator
from cyclegan_tf.systems.dualgan import paper_networks

FORMS = {"wgan": "wgan", "wgan-gp": "wgangp", "classic": "vanilla"}
KINDS = {"globalgan": "global", "patchgan": "patch"}


def _published(name):
    """The reference, and the system that its settings describe with its starting weights."""
    reference = references.load(f"dualgan_{name}_train")
    weights = references.load(f"dualgan_{name}_train_init")
    settings = references.settings(reference)
    shape = (*settings["size"], 3)
    networks = paper_networks(
        shape,
        base_filters=settings["dcn"],
        halvings=settings["levels"],
        discriminator=KINDS[settings["d_kind"]],
    )
    for name in ("generator_ab", "generator_ba"):
        networks[name] = dual_generator(
            (None, None, 3), base_filters=settings["gcn"], halvings=settings["levels"]
        )
    for name, reference_name in zip(networks, ("G_ab", "G_ba", "D_a", "D_b")):
        references.assign(networks[name], weights, reference_name)
    adversarial = FORMS[settings["gan"]]
    model = DualGAN(
        **networks,
        image_shape=shape,
        lambda_a=settings["lambda_a"],
        lambda_b=settings["lambda_b"],
        adversarial=adversarial,
        critic_steps=None if adversarial == "vanilla" else settings["n_critic"],
        clip=settings["clip"] if adversarial == "wgan" else None,
    )
    model.compile(*(RMSprop(settings["lr"]) for _ in range(2)), run_eagerly=True)
    return reference, model


def _columns(reference, exact):
    """The losses of each step by our names, as weighted in the objective."""
    columns = dict(zip(reference["loss_names"], reference[f"losses{exact}"].T))
    weights = references.settings(reference)
    return {
        **{
            f"d_{x}": columns[f"d_{x}_fake"]
            + columns[f"d_{x}_real"]
            + 10 * columns.get(f"gp_{x}", 0)
            for x in "ab"
        },
        **{name: columns[name] for name in ("g_ab", "g_ba")},
        **{f"cycle_{x}": weights[f"lambda_{x}"] * columns[f"cycle_{x}"] for x in "ab"},
    }


def _replayed_draws(reference, monkeypatch):
    """Has the penalties take the recorded numbers; returns the count of what they took."""
    count = tf.Variable(0)
    if "epsilon_a" not in reference:
        return count
    # The critic of A draws first here. The share of the real image is one less the number.
    drawn = np.stack([reference[f"epsilon_{d}"][:, 0] for d in "ab"], 1)
    shares = tf.constant(1 - np.ravel(drawn))

    def integers(shape, seed, below):
        share = shares[count.assign_add(1) - 1]
        return tf.reshape(share * below, shape)

    monkeypatch.setattr(losses, "random_integers", integers)
    return count


@pytest.mark.parametrize(("name", "exact"), [("wgan", ""), ("wgangp", "_exact"), ("classic", "")])
def test_it_gives_the_recorded_losses_and_images(name, exact, monkeypatch):
    """With the penalty's true derivative, which that of the published code is not."""
    keras.config.set_dtype_policy("float64")
    reference, model = _published(name)
    image_a, image_b = (references.to_nhwc(reference[f"images_{d}"]) for d in "ab")
    first = references.to_nhwc(reference["first_ab"])
    np.testing.assert_allclose(model.generator_ab(image_a[0]), first, atol=1e-6)
    logits = np.ravel(model.discriminator_b(image_b[0]))
    np.testing.assert_allclose(logits, np.ravel(reference["first_D_b"]), atol=1e-6)

    draws = _replayed_draws(reference, monkeypatch)
    expected = _columns(reference, exact)
    for step, images in enumerate(zip(image_a, image_b)):
        found = model.train_on_batch(*images, return_dict=True)
        model.reset_metrics()
        for term, value in found.items():
            message = f"{term} of step {step}"
            np.testing.assert_allclose(value, expected[term][step], rtol=1e-6, err_msg=message)
    assert int(draws) == 2 * len(reference.get("epsilon_a", ()))
    for source, direction in (("a", "ab"), ("b", "ba")):
        translated = model.generators[direction](references.to_nhwc(reference[f"probe_{source}"]))
        probe = references.to_nhwc(reference[f"probe_{direction}{exact}"])
        np.testing.assert_allclose(translated, probe, atol=1e-6)


def test_eight_levels_of_256_pixels_give_the_recorded_image():
    """The innermost map has one pixel, and is its offset after the normalization."""
    keras.config.set_dtype_policy("float64")
    reference = references.load("dualgan_generator_256")
    generator = dual_generator((256, 256, 3), base_filters=2)
    references.assign(generator, references.load("dualgan_generator_256_init"), "G")
    made = np.array(generator(references.to_nhwc(reference["images_a"][0])))
    every_5th = references.to_nhwc(reference["output_every_5th_pixel"])
    np.testing.assert_allclose(made[:, ::5, ::5], every_5th, atol=1e-6)
    np.testing.assert_allclose([made.mean(), made.std(ddof=1)], reference["losses"][0], rtol=1e-9)
