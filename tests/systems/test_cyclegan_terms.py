"""Which terms CycleGAN computes: ablations of the paper (5.1.4) and what came after it."""

import collections

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny import tiny_images, tiny_model

from cyclegan_tf import losses
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import declared

_ADVERSARIAL = {"d_a", "d_b", "g_ab", "g_ba"}


def _calls(model, monkeypatch):
    """How often each network is run on a batch, as the model counts it."""
    count, forward = collections.Counter(), type(model)._forward

    def counted(self, network, images, training):
        count[network.name] += len(images)
        return forward(self, network, images, training)

    monkeypatch.setattr(type(model), "_forward", counted)
    return count


@pytest.mark.parametrize(
    ("settings", "logged", "generators", "discriminators"),
    [
        # The paper's "cycle alone", "GAN alone", "GAN + forward cycle" and "+ backward cycle".
        ({"lambda_adversarial": 0.0, "lambda_identity": 0.0}, {"cycle_a", "cycle_b"}, 4, 0),
        ({"lambda_a": 0.0, "lambda_b": 0.0}, _ADVERSARIAL, 2, 6),
        ({"lambda_b": 0.0}, _ADVERSARIAL | {"cycle_a", "identity_a"}, 4, 6),
        ({"lambda_a": 0.0}, _ADVERSARIAL | {"cycle_b", "identity_b"}, 4, 6),
        (
            {"lambda_a": 0.0, "absolute_identity": True},
            _ADVERSARIAL | {"cycle_b", "identity_a", "identity_b"},
            5,
            6,
        ),
    ],
)
def test_a_term_of_weight_0_is_neither_computed_nor_logged(
    settings, logged, generators, discriminators, monkeypatch
):
    model = tiny_model(compiled=False, **settings)
    model.compile(run_eagerly=True)
    calls = _calls(model, monkeypatch)
    before = [np.array(v) for v in model.discriminator_a.trainable_variables]
    assert set(model.train_on_batch(*tiny_images(1), return_dict=True)) == logged
    assert calls["resnet_generator"] == generators
    assert calls["patchgan"] == discriminators
    changed = any(
        np.any(v != old) for v, old in zip(model.discriminator_a.trainable_variables, before)
    )
    assert changed == bool(discriminators)
    assert set(model.test_on_batch(*tiny_images(1), return_dict=True)) == logged


def test_an_absolute_weight_of_identity_knows_no_lambda():
    images = [tf.constant(each) for each in tiny_images(1)]
    relative = tiny_model(lambda_a=4.0, lambda_b=0.5, lambda_identity=2.0, compiled=False)
    absolute = tiny_model(
        lambda_a=4.0, lambda_b=0.5, lambda_identity=2.0, absolute_identity=True, compiled=False
    )
    first, second = (
        model._generator_losses(*images, training=False)[0] for model in (relative, absolute)
    )
    np.testing.assert_allclose(first["identity_a"], 4.0 * second["identity_a"], rtol=1e-6)
    np.testing.assert_allclose(first["identity_b"], 0.5 * second["identity_b"], rtol=1e-6)


def test_the_adversarial_weight_is_of_the_generators_only():
    images = [tf.constant(each) for each in tiny_images(1)]
    plain, weighted = (tiny_model(compiled=False, lambda_adversarial=x) for x in (1.0, 0.25))
    for name in ("g_ab", "g_ba"):
        first, second = (m._generator_losses(*images, True)[0][name] for m in (plain, weighted))
        np.testing.assert_allclose(second, 0.25 * first, rtol=1e-6)
    first, second = (m._discriminator_losses(*images, *images, True) for m in (plain, weighted))
    np.testing.assert_allclose(first["d_a"], second["d_a"])


def test_the_penalty_is_of_each_discriminator_and_trains_it():
    images = [tf.constant(each) for each in tiny_images(2)]
    models = []
    for weight in (0.0, 0.5):
        model = tiny_model(compiled=False, gradient_penalty=weight)
        model.compile(run_eagerly=True)
        models.append(model)
    terms = models[1]._discriminator_losses(*images, *images[::-1], training=True)
    for domain, discriminator in (("a", model.discriminator_a), ("b", model.discriminator_b)):
        pair = images if domain == "a" else images[::-1]
        seed = model._seed(f"penalty of d_{domain}")
        expected = 0.5 * losses.zero_centered_penalty(discriminator, *pair, seed)
        np.testing.assert_allclose(terms[f"penalty_{domain}"], expected, rtol=1e-5)
    weights = []
    for model in models:
        assert ("penalty_a" in model.train_on_batch(*images, return_dict=True)) == (
            model.gradient_penalty > 0
        )
        weights.append([np.array(v) for v in model.discriminator_a.trainable_variables])
    assert any(np.any(one != other) for one, other in zip(*weights))


def test_the_page_of_a_run_knows_the_weight():
    panels = tiny_model(compiled=False, lambda_adversarial=2.0).loss_panels
    assert "; 0.5 if that is undecided" in panels["Generators"]["g_ab"]


def test_the_preset_modern_evaluates_without_a_change_and_is_saved(tmp_path):
    changed = SYSTEMS["cyclegan"].presets["modern"]
    known = {name: changed[name] for name in declared(SYSTEMS["cyclegan"].build) if name in changed}
    assert known["spectral_normalization"]
    assert known["gradient_penalty"]
    model = SYSTEMS["cyclegan"].build(
        (16, 16, 3), base_filters=2, blocks=1, strided_layers=1, seed=0, **known
    )
    model.compile(run_eagerly=True)
    images = tiny_images(1, shape=(16, 16, 3))
    model.train_on_batch(*images)
    before = model.get_weights()
    model.test_on_batch(*images)
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.settings() == model.settings()
    for each in (model, loaded):
        each.train_on_batch(*images)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        (
            {"lambda_a": 0.0, "lambda_b": 0.0, "lambda_adversarial": 0.0},
            "one of lambda_a, lambda_b and lambda_adversarial must be more than 0",
        ),
        ({"gradient_penalty": 0.1, "adversarial": "wgangp"}, "leave it at 0.*'wgangp'"),
        ({"gradient_penalty": 0.1, "lambda_adversarial": 0.0}, "lambda_adversarial=0.0"),
        ({"gradient_penalty": -1.0}, "gradient_penalty=-1.0"),
    ],
)
def test_terms_that_do_not_go_together_are_named(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        tiny_model(**settings)
