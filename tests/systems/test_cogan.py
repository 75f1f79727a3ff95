"""CoGAN: against the numbers of the published implementation, and by hand."""

import functools

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from PIL import Image

from cyclegan_tf import Adam, CoGAN
from cyclegan_tf.networks import tied
from cyclegan_tf.networks.moving_batch_normalization import MovingBatchNormalization
from cyclegan_tf.random_numbers import random_normal
from cyclegan_tf.recipes import cogan
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.systems.cogan import paper_networks
from cyclegan_tf.translation.latent_search import LatentSearch

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
    _assign(model.shared_generator, references.load("cogan_train_init"), *PARTS["shared_generator"])


# Small networks, and networks of one number each.


@functools.cache
def _tiny():
    return cogan.build((16, 16, 3), base_filters=4, latent=3, search_steps=60, search_starts=4)


def _images(count=1, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (2, count, 16, 16, 3)).astype(np.float32)


NUMBERS = {
    "shared_generator": 0.8,
    "generator_a": 0.5,
    "generator_b": -0.7,
    "discriminator_a": 0.6,
    "discriminator_b": 0.9,
    "shared_discriminator": 0.4,
}


def _of_one_number():
    """A CoGAN that multiplies: each network has one weight but the last one, whose second logit
    has a weight and whose first one is 0.
    """
    noise, features = keras.Input((1,)), keras.Input((1, 1, 1))

    def scaled(inputs, value):
        initializer = keras.initializers.Constant(value)
        return keras.layers.Dense(1, use_bias=False, kernel_initializer=initializer)(inputs)

    networks = {
        name: keras.Model(features, scaled(features, value), name=name)
        for name, value in NUMBERS.items()
    }
    first = keras.layers.Reshape((1, 1, 1))(scaled(noise, NUMBERS["shared_generator"]))
    networks["shared_generator"] = keras.Model(noise, first)
    real = keras.layers.Flatten()(scaled(features, NUMBERS["shared_discriminator"]))
    logits = keras.layers.Concatenate()([keras.layers.Rescaling(0.0)(real), real])
    networks["shared_discriminator"] = keras.Model(features, logits)
    return CoGAN(**networks, image_shape=(1, 1, 1))


def _losses_by_hand(numbers, a, b, noise):
    """d_real, d_made and g; softplus is the cross-entropy of two logits of which one is 0."""
    made = [noise * numbers["shared_generator"] * numbers[f"generator_{d}"] for d in "ab"]

    def softplus(sign, images):
        logits = [
            image * numbers[f"discriminator_{d}"] * numbers["shared_discriminator"]
            for d, image in zip("ab", images)
        ]
        return np.mean([np.log1p(np.exp(sign * logit)) for logit in logits])

    return np.array([softplus(-1, (a, b)), softplus(1, made), softplus(-1, made)])


def _stepped(numbers, names, loss, rate):
    """The numbers after a step down the loss, by central differences."""
    changed = dict(numbers)
    for name in names:
        up, down = ({**numbers, name: numbers[name] + change} for change in (1e-6, -1e-6))
        changed[name] -= rate * (loss(up) - loss(down)) / 2e-6
    return changed


def test_a_step_of_networks_of_one_number_is_that_computed_by_hand():
    model = _of_one_number()
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.2), run_eagerly=True)
    noise = {"discriminator": 0.7, "generator": -1.1}  # each step has its own
    model.__dict__["_noise"] = lambda stream, images: tf.constant([[noise[stream]]])
    a, b = 0.8, -0.4
    losses = model.train_on_batch(
        *(np.full((1, 1, 1, 1), value, np.float32) for value in (a, b)), return_dict=True
    )
    by_hand = _losses_by_hand(NUMBERS, a, b, noise["discriminator"])
    assert [losses["d_real"], losses["d_made"]] == pytest.approx(by_hand[:2])
    after = _stepped(
        NUMBERS,
        [name for name in NUMBERS if "discriminator" in name],
        lambda numbers: _losses_by_hand(numbers, a, b, noise["discriminator"])[:2].sum(),
        rate=0.2,
    )
    # The generators against the new discriminators, with their own noise.
    assert losses["g"] == pytest.approx(_losses_by_hand(after, a, b, noise["generator"])[2])
    after = _stepped(
        after,
        [name for name in NUMBERS if "discriminator" not in name],
        lambda numbers: _losses_by_hand(numbers, a, b, noise["generator"])[2],
        rate=0.1,
    )
    for name, network in model.networks.items():
        assert np.sum(network.weights[0]) == pytest.approx(after[name], abs=1e-5), name


def test_noise_is_drawn_anew_in_each_step_and_for_both_updates():
    model = _of_one_number()
    model.compile(run_eagerly=True)
    drawn = []
    draw = model._noise
    model.__dict__["_noise"] = lambda *of: drawn.append(draw(*of)) or drawn[-1]
    image = np.zeros((500, 1, 1, 1), np.float32)
    for _ in range(2):
        model.train_on_batch(image, image)
    assert len(drawn) == 4
    for number, noise in enumerate(drawn):
        assert noise.shape == (500, 1)
        assert (np.mean(noise), np.std(noise)) == pytest.approx((0, 1), abs=0.15)
        assert all(np.any(noise != other) for other in drawn[:number])
    evaluated = []
    for _ in range(2):
        model.reset_metrics()  # Keras 3.10 keeps the mean over the steps before
        evaluated.append(model.test_on_batch(image, image))
    assert evaluated[0] == evaluated[1]


def test_losses_of_discriminators_that_cannot_tell():
    model = _of_one_number()
    model.shared_discriminator.set_weights([np.zeros((1, 1))])
    model.compile(run_eagerly=True)
    images = np.ones((2, 3, 1, 1, 1), np.float32)
    losses = model.test_on_batch(*images, return_dict=True)
    assert losses == pytest.approx(dict.fromkeys(("d_real", "d_made", "g"), np.log(2)))
    for panel in model.loss_panels.values():
        assert all("; 0.69 if " in meaning for meaning in panel.values())


# Networks.


def test_networks_have_the_published_sizes_and_starts():
    networks = paper_networks((28, 28, 1))
    counts = {
        kind: sum(
            np.prod(variable.shape)
            for name, network in networks.items()
            if kind in name
            for variable in network.trainable_variables
        )
        for kind in ("generator", "discriminator")
    }
    assert counts == {"generator": 7_842_694, "discriminator": 427_593}
    for name, network in networks.items():
        for variable in network.trainable_variables:
            if variable.name == "kernel":
                *size, inputs, outputs = variable.shape
                bound = np.sqrt(2) * np.sqrt(6 / (np.prod(size) * (inputs + outputs)))
                assert np.abs(variable).max() == pytest.approx(bound, rel=0.05), name
            else:
                start = {"bias": 0.1, "alpha": 0.25}[variable.name]
                assert np.all(np.array(variable) == np.float32(start)), name


@pytest.mark.parametrize("size", [16, 32, 64, 128])
def test_layers_are_shared_up_to_32_pixels_and_from_the_third_on(size):
    networks = paper_networks((size, size, 3), base_filters=2, latent=5)
    kernels = {
        name: [variable.shape for variable in network.weights if variable.name == "kernel"]
        for name, network in networks.items()
    }
    halvings = int(np.log2(size))
    shared = min(4, halvings - 1)
    assert len(kernels["shared_generator"]) == shared
    assert networks["shared_generator"].output_shape[1:3] == (min(32, size),) * 2
    for domain in "ab":
        assert len(kernels[f"generator_{domain}"]) == halvings - shared
        assert networks[f"generator_{domain}"].output_shape == (None, size, size, 3)
        assert [shape[:2] for shape in kernels[f"discriminator_{domain}"]] == [(5, 5)] * 2
    assert [shape[0] for shape in kernels["shared_discriminator"]] == [
        *[5, 3, 3, 3][: halvings - 3], 2, 1
    ]  # fmt: skip
    assert networks["shared_discriminator"].output_shape == (None, 2)


def test_what_is_shared_changes_both_domains_and_what_is_not_one():
    model = cogan.build((16, 16, 3), base_filters=2, latent=3)
    codes = np.ones((1, 3), np.float32)
    assert len({id(v) for v in model.trainable_variables}) == len(model.trainable_variables)

    def changed(compute, network):
        before = [np.array(each) for each in compute()]
        network.trainable_variables[0].assign_add(
            np.random.default_rng(0).normal(size=network.trainable_variables[0].shape)
        )
        return [np.any(np.array(now) != old) for now, old in zip(compute(), before)]

    def pair():
        return model._pair(codes, training=False)

    def logits():
        return np.split(model._logits(_images(), training=False), 2)

    assert changed(pair, model.shared_generator) == [True, True]
    assert changed(pair, model.generator_a) == [True, False]
    assert changed(pair, model.generator_b) == [False, True]
    assert changed(logits, model.shared_discriminator) == [True, True]
    assert changed(logits, model.discriminator_a) == [True, False]
    assert changed(logits, model.discriminator_b) == [False, True]


def test_batch_normalization_is_by_the_batch_and_moves_averages_as_pytorch():
    x = np.random.default_rng(0).normal(2, 3, (2, 4, 5, 3))
    layer = MovingBatchNormalization(dtype="float64")
    axes = (0, 1, 2)
    np.testing.assert_allclose(layer(x), x / np.sqrt(1 + 1e-5))  # from 0 and 1
    expected = (x - x.mean(axes)) / np.sqrt(x.var(axes) + 1e-5)
    np.testing.assert_allclose(layer(x, training=True), expected, atol=1e-12)
    mean, variance = 0.1 * x.mean(axes), 0.9 + 0.1 * x.var(axes, ddof=1)
    np.testing.assert_allclose(layer.moving_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(layer.moving_variance, variance, rtol=1e-6)
    np.testing.assert_allclose(layer(x), (x - mean) / np.sqrt(variance + 1e-5), rtol=1e-6)
    assert not layer.trainable_variables
    for bad in ({"momentum": 1.0}, {"epsilon": 0.0}):
        with pytest.raises(ValueError, match=f"{next(iter(bad))} must"):
            MovingBatchNormalization(**bad)


# Generated pairs, and the search.


def test_pairs_are_generated_by_moving_averages_and_from_the_seed():
    model = _tiny()
    first, second = model.generate(3, seed=1)
    assert first.dtype == second.dtype == np.uint8
    assert first.shape == second.shape == (3, 16, 16, 3)
    np.testing.assert_array_equal(model.generate(3, seed=1)[0], first)
    assert np.any(model.generate(3, seed=2)[0] != first)
    assert np.any(first[0] != first[1])
    before = model.get_weights()
    model.generate(70)  # more than at once
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    norm = next(v for v in model.shared_generator.weights if v.name == "moving_mean")
    norm.assign_add(np.ones(norm.shape))
    assert np.any(model.generate(3, seed=1)[0] != first)
    norm.assign_sub(np.ones(norm.shape))


def test_evaluation_is_by_moving_averages_and_leaves_them():
    model = cogan.build((16, 16, 3), base_filters=2, latent=3)
    model.compile(run_eagerly=True)
    before = model.get_weights()
    alone = model.test_on_batch(*_images(), return_dict=True)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    norm = next(v for v in model.shared_generator.weights if v.name == "moving_mean")
    norm.assign_add(np.ones(norm.shape))
    model.reset_metrics()
    assert model.test_on_batch(*_images(), return_dict=True)["g"] != alone["g"]


def test_the_search_keeps_the_best_of_its_starts():
    def render(codes):
        return tf.reshape(tf.cos(3 * codes), (-1, 1, 1, 2))

    images = np.array([[0.9, -0.3], [-0.5, 0.2]], np.float32).reshape((2, 1, 1, 2))
    at_start = LatentSearch(render, 2, seed=0, steps=0, starts=50)(images)
    starts = random_normal((50, 2), tf.constant([0, 0]))
    distances = np.square(np.cos(3 * starts) - images.reshape((2, 1, 2))).sum(-1)
    np.testing.assert_allclose(at_start, np.array(starts)[distances.argmin(1)])
    found = LatentSearch(render, 2, seed=0, steps=300, starts=5)(images)
    np.testing.assert_allclose(render(found), images, atol=1e-2)


def test_what_was_generated_is_found_and_rendered_in_the_other_domain():
    model = _tiny()
    first, second = model.generate(4, seed=5)
    for given, direction, expected in ((first, "ab", second), (second, "ba", first)):
        translated = model.translate(given, direction)
        assert translated.dtype == np.uint8
        away = np.abs(np.float32(expected)[:, None] - np.float32(translated)).mean((2, 3, 4))
        assert (away.argmin(1) == range(4)).all()
        assert np.diag(away).mean() < 0.3 * away.mean()


def test_a_translation_depends_on_its_image_and_seed_alone():
    model = _tiny()
    images = _images(3)[0]
    together = model.translate(images)
    np.testing.assert_array_equal(model.translate(images), together)
    np.testing.assert_allclose(model.translate(images[1]), together[1], atol=1e-4)
    np.testing.assert_allclose(model.translate(list(images))[2], together[2], atol=1e-4)
    np.testing.assert_allclose(model.predict(images, verbose=0), together, atol=1e-4)


def test_the_sheet_shows_generated_pairs_and_translations():
    model = _tiny()
    shown = {d: list(each) for d, each in zip("ab", np.uint8(_images(2) * 127 + 127))}
    columns = dict(model.sample_columns(shown))
    assert list(columns) == [
        "A, generated", "B, generated", "A", "A, nearest", "A → B", "B", "B, nearest", "B → A",
    ]  # fmt: skip
    for title, images in columns.items():
        assert np.shape(images) == (2, 16, 16, 3), title
    for source, direction in (("A", "ab"), ("B", "ba")):
        translated = model.translate(np.stack(columns[source]), direction)
        np.testing.assert_array_equal(columns[" → ".join(direction.upper())], translated)
    np.testing.assert_array_equal(columns["B, generated"], model.generate(2)[1])


# What it cannot do.


def test_the_commands_translate_images_of_its_size_and_export_nothing(here, tmp_path):
    _tiny().save(tmp_path / "model.keras")
    (tmp_path / "in").mkdir()
    for name, side in (("fits", 16), ("large", 20)):
        Image.new("RGB", (side, side), "red").save(tmp_path / "in" / f"{name}.png")
    ended = here("translate", tmp_path / "model.keras", tmp_path / "in", tmp_path / "out")
    assert ended.status == 1
    assert "1 of 2 images translated" in ended.output
    assert "scale them to 16 by 16 pixels first. Received: (20, 20, 3)" in ended.errors
    with Image.open(tmp_path / "out" / "fits.png") as translated:
        assert translated.size == (16, 16)
    for arguments in ([tmp_path / "e"], ["--web", tmp_path / "e", "--direction", "ba"]):
        sentence = here("export", tmp_path / "model.keras", *arguments).refused()
        assert sentence.endswith("A CoGAN has no network that translates, and none to export.")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"image_shape": (48, 48, 3)}, r"square images of 28, 16, 32.*Received: .*\(48, 48, 3\)"),
        ({"image_shape": (16, 32, 3)}, r"square images of 28, 16, 32.*Received: .*\(16, 32, 3\)"),
        ({"image_shape": (None, None, 3)}, "square images of 28, 16, 32"),
        ({"shared_generator_layers": 4}, r"must be from 1 to 3 for images of 16 pixels"),
        ({"own_discriminator_layers": 4}, r"must be from 1 to 3 for images of 16 pixels"),
        (
            {"image_shape": (28, 28, 1), "shared_generator_layers": 4},
            "shared_generator_layers is fixed at 28 pixels",
        ),
        ({"search_steps": 0}, "search_steps must be an integer from 1 on"),
        ({"remat": True}, "has MovingBatchNormalization"),
    ],
)
def test_options_that_do_not_go_together_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        cogan.build(**{"image_shape": (16, 16, 3), "base_filters": 2, **options})


def test_networks_that_do_not_fit_are_named():
    networks = paper_networks((16, 16, 3), base_filters=2)
    other = paper_networks((32, 32, 3), base_filters=4)
    for changes, sentence in (
        ({"generator_b": networks["generator_a"]}, "A CoGAN has two generators"),
        ({"shared_generator": other["shared_generator"]}, "takes .*; give networks that fit"),
        ({"discriminator_a": other["discriminator_a"]}, "takes .*; give networks that fit"),
        ({"image_shape": (32, 32, 3)}, "makes images of shape .*; expected image_shape"),
        ({"image_shape": (None, None, 3)}, "must have a height and a width"),
    ):
        with pytest.raises(ValueError, match=sentence):
            CoGAN(**{"image_shape": (16, 16, 3), **networks, **changes})


def test_the_size_of_a_search_stays():
    """It is part of a graph: another value would have no effect."""
    with pytest.raises(AttributeError):
        _tiny().search_steps = 7


def test_bad_calls_are_named():
    model = _tiny()
    for call, sentence in (
        (lambda: model.translate(_images()[0][:, :8]), "scale them to 16 by 16 pixels first"),
        (lambda: model.predict(_images()[0][:, :8], verbose=0), "16 by 16 pixels first"),
        (lambda: model.translate(_images()[0], "aa"), "direction must be one of ab, ba"),
        (lambda: model.generate(0), "count must be an integer from 1 on"),
        (lambda: model.generate(1, seed=-1), "seed must be an integer"),
        (
            lambda: model.compile(*(Adam(gradient_accumulation_steps=2) for _ in "gd")),
            "gradients cannot be added up over steps",
        ),
    ):
        with pytest.raises(ValueError, match=sentence):
            call()


def test_it_trains_with_l2_as_published():
    for group in ("generator", "discriminator"):
        optimizer = _tiny().default_optimizer(group)
        assert (float(optimizer.learning_rate), optimizer.l2) == (pytest.approx(2e-4), 5e-4)
    assert resolve("scenes", system="cogan", preset="edges").training.batch_size == 64


@pytest.mark.parametrize(
    ("source", "given", "channels"),
    [("digits", {}, 1), ("digits", {"channels": 3}, 3), ("scenes", {}, 3)],
)
def test_the_preset_for_gray_digits_is_gray_where_nothing_else_is_said(source, given, channels):
    options = resolve(source, system="cogan", preset="edges", **given)
    assert options.data.channels == channels
