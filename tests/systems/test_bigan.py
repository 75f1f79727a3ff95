"""BiGAN: against the numbers of a twin of the CycleGAN paper's code, and by hand."""

import keras
import numpy as np
import pytest
import references
from tiny import one_weight

from cyclegan_tf import BiGAN, ReplayPool
from cyclegan_tf.systems.bigan import paper_networks

REFERENCE_NAMES = {"d": "D", "g_ab": "G", "g_ba": "E"}


def _published():
    """The reference, and the system that its settings describe with its starting weights."""
    reference = references.load("bigan_train")
    weights = references.load("bigan_train_init")
    settings = references.settings(reference)
    networks = paper_networks(
        (32, 32, 3),
        base_filters=settings["ngf"],
        blocks=settings["blocks"],
        strided_layers=settings["d_layers"],
    )
    for name, reference_name in zip(networks, ("G", "E", "D")):
        references.assign(networks[name], weights, reference_name)
    return reference, BiGAN(**networks, image_shape=(32, 32, 3), pool_size=settings["pool_size"])


def test_it_gives_the_recorded_losses_and_images(monkeypatch):
    """Recorded with an optimizer for each generator; here one updates both."""
    keras.config.set_dtype_policy("float64")
    reference, model = _published()
    image_a, image_b = (references.to_nhwc(reference[f"images_{d}"][0]) for d in "ab")
    pair = np.concatenate([image_a, model.generator_ab(image_a)], -1)
    for output, name in (
        (model.generator_ab(image_a), "first_G"),
        (model.generator_ba(image_b), "first_E"),
        (model.discriminator(pair), "first_D"),
    ):
        np.testing.assert_allclose(output, references.to_nhwc(reference[name]), atol=1e-6)

    draws = references.replay_draws(
        reference,
        lambda call: monkeypatch.setattr(ReplayPool, "call", call),
        pools={"pool_ab": "pool_ag", "pool_ba": "pool_eb"},
    )
    model.compile(run_eagerly=True)  # so that each step draws anew
    references.train(model, reference, REFERENCE_NAMES, within=1e-6)
    assert not any(list(rest) for rest in draws.values())
    for source, direction in (("a", "ab"), ("b", "ba")):
        translated = model.translate(references.to_nhwc(reference[f"probe_{source}"]), direction)
        expected = references.to_nhwc(reference[f"probe_{direction}"])
        np.testing.assert_allclose(translated, expected, atol=1e-6)


def test_a_step_with_networks_of_one_number_is_that_computed_by_hand():
    model = BiGAN(
        one_weight(1, 0.5), one_weight(1, 0.3), one_weight(2, 0.25), image_shape=(1, 1, 1)
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    a, b = 0.8, -0.4
    losses = model.train_on_batch(
        *(np.full((1, 1, 1, 1), value, np.float32) for value in (a, b)), return_dict=True
    )
    of_ab, of_ba = a + 0.5 * a, 0.3 * b + b  # what the discriminator sums
    assert losses["d"] == pytest.approx(0.5 * ((0.25 * of_ab - 1) ** 2 + (0.25 * of_ba) ** 2))
    gradient = (0.25 * of_ab - 1) * of_ab + 0.25 * of_ba * of_ba
    weight = 0.25 - 0.1 * gradient  # of the new discriminator
    assert losses["g_ab"] == pytest.approx((weight * of_ab) ** 2)
    assert losses["g_ba"] == pytest.approx((weight * of_ba - 1) ** 2)
    for network, before, gradient in (
        (model.generator_ab, 0.5, 2 * weight * of_ab * weight * a),
        (model.generator_ba, 0.3, 2 * (weight * of_ba - 1) * weight * b),
    ):
        assert np.sum(network.weights[0]) == pytest.approx(before - 0.1 * gradient)


@pytest.mark.parametrize(
    ("adversarial", "at_start"),
    [("lsgan", (0.5, 0.0, 1.0)), ("vanilla", (np.log(2),) * 3), ("wgangp", (5.0, 0.0, 0.0))],
)
def test_losses_of_a_discriminator_that_answers_0(adversarial, at_start):
    networks = paper_networks((16, 16, 3), base_filters=2, blocks=1, strided_layers=1)
    networks["discriminator"].set_weights(
        [np.zeros_like(each) for each in networks["discriminator"].get_weights()]
    )
    model = BiGAN(**networks, image_shape=(16, 16, 3), adversarial=adversarial, pool_size=0)
    model.compile(run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 2, 16, 16, 3)).astype(np.float32)
    losses = model.test_on_batch(*images, return_dict=True)
    found = [losses[name] for name in ("d", "g_ab", "g_ba")]
    np.testing.assert_allclose(found, at_start, atol=1e-4)


def test_each_of_vanillas_generators_wants_the_other_answer():
    """The cross-entropy of ALI, with the labels swapped."""
    model = BiGAN(
        one_weight(1, 0.5),
        one_weight(1, 0.5),
        one_weight(2, 2.0),
        image_shape=(1, 1, 1),
        adversarial="vanilla",
    )
    model.compile(run_eagerly=True)
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    losses = model.test_on_batch(image, image, return_dict=True)  # both logits are 1.5
    assert losses["g_ab"] == pytest.approx(np.log1p(np.exp(1.5)))
    assert losses["g_ba"] == pytest.approx(np.log1p(np.exp(-1.5)))
    assert losses["d"] == pytest.approx(0.5 * (losses["g_ab"] + losses["g_ba"]))


@pytest.mark.parametrize("remat", [False, True])
def test_domains_may_differ_in_channels(remat):
    shapes = {"a": (16, 16, 1), "b": (16, 16, 3)}
    networks = paper_networks(shapes, base_filters=2, blocks=1, strided_layers=1)
    model = BiGAN(**networks, image_shape=shapes, remat=remat)
    model.compile(run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, 16, 16, 3)).astype(np.float32)
    model.train_on_batch(images[0][..., :1], images[1])
    assert model.settings()["image_shape"] == shapes
    assert model.translate(images[0][..., :1]).shape == (1, 16, 16, 3)
    assert model.translate(images[1], "ba").shape == (1, 16, 16, 1)


def test_what_it_cannot_take_is_named():
    networks = paper_networks((16, 16, 3), base_filters=2, blocks=1, strided_layers=1)
    with pytest.raises(ValueError, match="A BiGAN has two generators, of which each learns"):
        BiGAN(**{**networks, "generator_ba": networks["generator_ab"]}, image_shape=(16, 16, 3))
    model = BiGAN(**networks, image_shape=(16, 16, 3))
    accumulating = [keras.optimizers.Adam(gradient_accumulation_steps=2) for _ in range(2)]
    with pytest.raises(ValueError, match="gradients cannot be added up over steps"):
        model.compile(*accumulating)
    with pytest.raises(ValueError, match=r"takes images of shape .*; expected image_shape"):
        BiGAN(**networks, image_shape=(16, 16, 1))
