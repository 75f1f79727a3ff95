"""SimGAN: against the numbers of a twin of the CycleGAN paper's code, and by hand."""

import keras
import numpy as np
import pytest
import references
from tiny import one_weight

from cyclegan_tf import InputError, ReplayPool, SimGAN, local_discriminator, refiner
from cyclegan_tf.recipes import simgan
from cyclegan_tf.systems.simgan import paper_networks

REFERENCE_NAMES = {"d": "D", "g": "G_GAN", "l1": "content"}


def _published():
    """The reference, and the system that its settings describe with its starting weights."""
    reference = references.load("simgan_train")
    weights = references.load("simgan_train_init")
    settings = references.settings(reference)
    networks = paper_networks(
        (32, 32, 3),
        base_filters=settings["ngf"],
        blocks=settings["blocks"],
        strided_layers=settings["d_layers"],
    )
    for name, reference_name in zip(networks, ("G", "D")):
        references.assign(networks[name], weights, reference_name)
    return reference, SimGAN(
        **networks,
        image_shape=(32, 32, 3),
        lambda_l1=settings["lambda_content"],
        pool_size=settings["pool_size"],
    )


def test_the_cyclegan_papers_form_gives_the_recorded_losses_and_images(monkeypatch):
    keras.config.set_dtype_policy("float64")
    reference, model = _published()
    image = references.to_nhwc(reference["images_a"][0])
    for network, name in ((model.generator, "first_G"), (model.discriminator, "first_D")):
        np.testing.assert_allclose(network(image), references.to_nhwc(reference[name]), atol=1e-6)

    draws = references.replay_draws(
        reference,
        lambda call: monkeypatch.setattr(ReplayPool, "call", call),
        pools={"pool": "pool"},
    )
    model.compile(run_eagerly=True)  # so that each step draws anew
    references.train(model, reference, REFERENCE_NAMES, within=1e-6)
    assert not list(draws["pool"])
    translated = model.translate(references.to_nhwc(reference["probe_a"]))
    np.testing.assert_allclose(translated, references.to_nhwc(reference["probe_ab"]), atol=1e-6)


def test_a_step_with_networks_of_one_number_is_that_computed_by_hand():
    model = SimGAN(one_weight(1, 0.5), one_weight(1, 0.25), image_shape=(1, 1, 1), lambda_l1=3.0)
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1), run_eagerly=True)
    source, target = 0.8, -0.4
    images = (np.full((1, 1, 1, 1), value, np.float32) for value in (source, target))
    losses = model.train_on_batch(*images, return_dict=True)
    fake = 0.5 * source
    assert losses["d"] == pytest.approx(0.5 * ((0.25 * target - 1) ** 2 + (0.25 * fake) ** 2))
    weight = 0.25 - 0.1 * ((0.25 * target - 1) * target + 0.25 * fake * fake)
    assert losses["g"] == pytest.approx((weight * fake - 1) ** 2)  # of the new discriminator
    assert losses["l1"] == pytest.approx(3 * (source - fake))
    gradient = (2 * (weight * fake - 1) * weight - 3) * source
    assert np.sum(model.generator.weights[0]) == pytest.approx(0.5 - 0.1 * gradient)


def _own_form(**settings):
    networks = paper_networks((12, 20, 3), form="simgan", base_filters=4, blocks=1)
    return SimGAN(
        **networks,
        **{
            "image_shape": (12, 20, 3),
            "form": "simgan",
            "pool_size": 2,
            **settings,
        },
    )


def _softplus(x):
    return np.log1p(np.exp(x))


def test_simgans_own_form_sums_over_the_patches_and_pixels_of_an_image():
    model = _own_form(seed=1)
    model.compile(run_eagerly=True)
    assert {type(each) for each in model.optimizers.values()} == {keras.optimizers.SGD}
    assert float(model.optimizer.learning_rate) == pytest.approx(1e-3)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 4, 12, 20, 3)).astype(np.float32)
    fake = np.array(model.generator(images[0]))
    of_fake, of_real = (np.array(model.discriminator(each)) for each in (fake, images[1]))
    assert of_fake.shape == (4, 3, 5, 1)
    expected = {
        "d": (_softplus(-of_real) + _softplus(of_fake)).sum() / 4,
        "g": _softplus(-of_fake).sum() / 4,
        "l1": 0.5 * np.abs(fake - images[0]).sum() / 4,
    }
    losses = model.test_on_batch(*images, return_dict=True)
    for name, value in losses.items():
        assert value == pytest.approx(expected[name], rel=1e-4), name
    model.reset_metrics()
    trained = model.train_on_batch(*images, return_dict=True)
    # The pool still fills; the discriminator's step comes before the loss against it.
    assert trained["d"] == pytest.approx(expected["d"], rel=1e-4)
    np.testing.assert_array_equal(model.pool.images, fake[2:])
    assert trained["l1"] == pytest.approx(expected["l1"], rel=1e-4)


def test_half_of_what_simgans_discriminator_sees_is_older():
    model = _own_form()
    model.compile(run_eagerly=True)
    seen = []
    model.discriminator.call = _recording(model.discriminator.call, seen)
    images = np.random.default_rng(0).uniform(-1, 1, (3, 4, 12, 20, 3)).astype(np.float32)
    model.train_on_batch(images[0], images[1])
    stored = np.array(model.pool.images)
    seen.clear()
    fake = np.array(model.generator(images[2]))
    model.train_on_batch(images[2], images[1])
    shown = seen[0][4:]  # true and refined images are judged in one call
    np.testing.assert_allclose(shown[:2], fake[:2], atol=1e-6)
    for image in shown[2:]:
        older = [*stored, *fake[2:]]  # one of the batch may return what another stored
        assert min(np.abs(image - each).max() for each in older) < 1e-6
    assert np.abs(shown[2] - fake[2]).max() > 1e-3


def _recording(call, seen):
    def recorded(images, *args, **kwargs):
        seen.append(np.array(images))
        return call(images, *args, **kwargs)

    return recorded


def test_simgans_own_form_is_saved_with_its_history(tmp_path):
    model = _own_form()
    model.compile()
    images = np.random.default_rng(0).uniform(-1, 1, (2, 8, 12, 20, 3)).astype(np.float32)
    model.fit(*images, batch_size=3, shuffle=False, verbose=0)  # and one of 2
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.settings() == model.settings()
    assert int(loaded.pool.count) == 2
    for each in (model, loaded):
        each.fit(*images, batch_size=3, shuffle=False, verbose=0)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights()):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.pool.images, loaded.pool.images)


def test_the_refiner_and_its_discriminator_are_those_of_the_paper():
    network = refiner((35, 55, 1))
    assert network.output_shape == (None, 35, 55, 1)
    # c3-64, 4 blocks of two c3-64, c1: kernels and biases.
    assert network.count_params() == 9 * 64 + 64 + 8 * (9 * 64 * 64 + 64) + 64 + 1
    network = local_discriminator((35, 55, 1))
    assert network.output_shape == (None, 9, 14, 1)
    convolutions = (9 * 96 + 96, 9 * 96 * 64 + 64, 9 * 64 * 32 + 32, 32 * 32 + 32, 32 + 1)
    assert network.count_params() == sum(convolutions)
    with pytest.raises(ValueError, match=r"at least two filters.*Received: base_filters=1"):
        local_discriminator(base_filters=1)


@pytest.mark.parametrize("form", ["cyclegan", "simgan"])
def test_recomputed_activations_give_the_same_step(form):
    settings = {"form": form, "pool_size": 2, "base_filters": 4, "blocks": 1}
    images = np.random.default_rng(0).uniform(-1, 1, (2, 2, 24, 24, 3)).astype(np.float32)
    weights = []
    for remat in (False, True):
        model = simgan.build((24, 24, 3), direction="ba", remat=remat, **settings)
        model.compile(keras.optimizers.SGD(0.01), keras.optimizers.SGD(0.01), run_eagerly=True)
        model.train_on_batch(*images)
        weights.append(model.get_weights())
    for stored, recomputed in zip(*weights):
        np.testing.assert_allclose(recomputed, stored, atol=1e-5)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        # The CycleGAN paper's pool is of 50 images, and its SimGAN's weight 10.
        ({}, {"lambda_l1": 10.0, "adversarial": "lsgan", "pool_size": 50}),
        (
            {"form": "simgan", "pool_size": 0},
            {"lambda_l1": 0.5, "adversarial": "vanilla", "pool_size": 0},
        ),
        (
            {"form": "simgan", "pool_size": 3, "lambda_l1": 0.0},
            {"lambda_l1": 0.0, "adversarial": "vanilla", "pool_size": 3},
        ),
    ],
)
def test_what_is_not_given_is_that_of_the_form(form, expected):
    model = simgan.build((24, 24, 3), base_filters=2, blocks=1, **form)
    settings = model.settings()
    assert {name: settings[name] for name in expected} == expected
    assert model.pool.size == expected["pool_size"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_shape": {"a": (16, 16, 1), "b": (16, 16, 3)}}, "same height, width and channels"),
        (
            {"form": "simgan", "adversarial": "lsgan"},
            "cross-entropy; expected adversarial='vanilla'. Received: 'lsgan'",
        ),
        ({"form": "simgan"}, "give pool_size, such as 50 times the size of a batch, or 0"),
        (
            {"form": "simgan", "strided_layers": 2},
            "strided_layers is not for the form simgan",
        ),
        ({"form": "own"}, "form must be one of cyclegan, simgan. Received: 'own'"),
        ({"direction": "aa"}, "direction must be one of ab, ba. Received: 'aa'"),
        ({"lambda_l1": -1.0}, "lambda_l1 must be a finite number from 0 on"),
    ],
)
def test_options_that_do_not_go_together_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        simgan.build(**{"image_shape": (16, 16, 3), "base_filters": 2, "blocks": 1, **options})


def test_it_translates_in_one_direction():
    settings = {"base_filters": 2, "blocks": 1, "strided_layers": 1}
    model = simgan.build((16, 16, 3), direction="ba", **settings)
    image = np.zeros((1, 16, 16, 3), np.float32)
    assert model.translate(image, "ba").shape == image.shape
    with pytest.raises(InputError, match=r"in the direction ba only.*Received: 'ab'"):
        model.translate(image, "ab")
    titles = [title for title, _ in model.sample_columns({"a": [], "b": []})]
    assert titles == ["B", "B → A"]
