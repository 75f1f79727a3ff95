"""DualGAN: against the numbers of a second implementation of its published code, and by hand.

That implementation is not the published code, whose losses it gave to 1e-13 under TensorFlow 1.
"""

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from tiny import one_weight
from two_replicas import two_replicas

from cyclegan_tf import DualGAN, RMSprop, losses
from cyclegan_tf.keras_internals import step_counter
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


# By hand: networks of one number, by which they multiply it.

A, B = 0.8, -0.4  # the images
G, F, D_A, D_B = 0.5, 0.3, 0.25, -0.75  # the networks
WEIGHTS = {"lambda_a": 3.0, "lambda_b": 2.0}


def _of_one_weight(**arguments):
    model = DualGAN(
        *(one_weight(1, value) for value in (G, F, D_A, D_B)),
        image_shape=(1, 1, 1),
        **{**WEIGHTS, **arguments},
    )
    model.compile(*(keras.optimizers.SGD(rate) for rate in (0.01, 0.1)), run_eagerly=True)
    return model


def _step(model):
    images = (np.full((1, 1, 1, 1), value, np.float32) for value in (A, B))
    found = model.train_on_batch(*images, return_dict=True)
    model.reset_metrics()
    return found, *(float(np.sum(network.weights[0])) for network in model.networks.values())


def _generators_after(g, f, d_a, d_b):
    """One step of both from here: the gradients of the objective, worked out."""
    signs = (np.sign(f * g * A - A), np.sign(g * f * B - B))
    gradient_g = -d_b * A + 3 * signs[0] * f * A + 2 * signs[1] * f * B
    gradient_f = -d_a * B + 3 * signs[0] * g * A + 2 * signs[1] * g * B
    return g - 0.01 * gradient_g, f - 0.01 * gradient_f


def test_critics_are_updated_and_clipped_before_the_generators():
    found, *after = _step(_of_one_weight(clip=0.3))
    assert found["d_a"] == pytest.approx(D_A * (F * B - A))  # not halved
    assert found["d_b"] == pytest.approx(D_B * (G * A - B))
    d_a = 0.3  # 0.25 - 0.1 (F b - a) = 0.342 before it is clipped
    d_b = -0.3  # -0.75 - 0.1 (G a - b) = -0.83
    assert after[2:] == pytest.approx([d_a, d_b])
    assert found["g_ab"] == pytest.approx(-d_b * G * A)
    assert found["g_ba"] == pytest.approx(-d_a * F * B)
    assert found["cycle_a"] == pytest.approx(3 * abs(F * G * A - A))
    assert found["cycle_b"] == pytest.approx(2 * abs(G * F * B - B))
    assert after[:2] == pytest.approx(_generators_after(G, F, d_a, d_b))


def test_weights_are_clipped_to_a_hundredth_unasked_and_only_in_wgan():
    _, *after = _step(_of_one_weight())
    assert after[2:] == pytest.approx([0.01, -0.01])
    _, *after = _step(_of_one_weight(adversarial="wgangp"))
    assert abs(after[3]) > 0.5


@pytest.mark.parametrize(
    ("critic_steps", "learning"),
    [(1, [1, 1, 1, 1, 1]), (None, [1, 0, 1, 0, 1]), (3, [0, 1, 0, 0, 1])],
)
def test_generators_learn_in_every_nth_step_of_a_counter_that_is_2_at_first(critic_steps, learning):
    model = _of_one_weight(critic_steps=critic_steps, clip=0.3)
    values = [tuple(map(np.float32, (G, F))), *(tuple(_step(model)[1:3]) for _ in learning)]
    changed = [int(values[n] != values[n + 1]) for n in range(len(learning))]
    assert changed == learning
    assert int(model.discriminator_optimizer.iterations) == len(learning)
    assert int(model.optimizer.iterations) == sum(learning)


def test_vanillas_generators_take_two_steps_against_the_new_discriminators():
    model = _of_one_weight(adversarial="vanilla", lambda_a=0.0, lambda_b=0.0)
    found, g, _, d_a, d_b = _step(model)

    def entropy(logit):  # of the answer that the image is real
        return np.log1p(np.exp(-logit))

    def gradient(weight, x):  # of the entropy of the logit `weight * x`, by either
        return -1 / (1 + np.exp(weight * x))

    assert found["d_a"] == pytest.approx(entropy(D_A * A) + entropy(-D_A * F * B))
    assert d_a == pytest.approx(
        D_A - 0.1 * (gradient(D_A, A) * A - gradient(-D_A, F * B) * F * B), rel=1e-5
    )
    once = G - 0.01 * gradient(d_b, G * A) * d_b * A
    assert found["g_ab"] == pytest.approx(entropy(d_b * once * A))  # before the second step
    assert g == pytest.approx(once - 0.01 * gradient(d_b, once * A) * d_b * A)
    assert int(model.optimizer.iterations) == 2


SHAPE = (8, 8, 3)


def _tiny(shape=SHAPE, **arguments):
    return paper_networks(shape, base_filters=2, halvings=2, strided_layers=1, **arguments)


def test_a_compiled_wgan_trains_two_replicas_as_one_device():
    """Four steps, in two of which the generators learn; all weights of the critics are clipped."""
    images = np.random.default_rng(0).uniform(-1, 1, (2, 2, *SHAPE)).astype(np.float32)
    pairs = tf.data.Dataset.from_tensor_slices(tuple(images)).batch(2).repeat(4)
    trained = []
    for strategy in (tf.distribute.get_strategy(), two_replicas()):
        with strategy.scope():
            model = DualGAN(
                **_tiny(seed=3), image_shape=SHAPE, adversarial="wgan", critic_steps=2, clip=0.01
            )
            model.compile()
        model.fit(pairs, verbose=0)
        assert int(step_counter(model.generator_optimizer).numpy()) == 2
        assert all(np.abs(v.numpy()).max() <= 0.01 for v in model.variables_of("discriminator"))
        trained.append([v.numpy() for v in model.trainable_weights])
    for alone, shared in zip(*trained, strict=True):
        np.testing.assert_allclose(shared, alone, atol=1e-6)


def test_l2_is_the_mean_square():
    found, *_ = _step(_of_one_weight(cycle_distance="l2"))
    assert found["cycle_a"] == pytest.approx(3 * (F * G * A - A) ** 2)
    assert found["cycle_b"] == pytest.approx(2 * (G * F * B - B) ** 2)


def test_the_penalty_is_not_halved():
    """The gradient of a critic of one weight is that weight, wherever it is taken."""
    found, *_ = _step(_of_one_weight(adversarial="wgangp"))
    assert found["d_a"] == pytest.approx(D_A * (F * B - A) + 10 * (abs(D_A) - 1) ** 2)


def test_each_critic_draws_anew_in_each_step(monkeypatch):
    seeds = []

    def integers(shape, seed, below):
        seeds.append(tuple(np.array(seed)))
        return tf.zeros(shape, tf.int32)

    monkeypatch.setattr(losses, "random_integers", integers)
    model = _of_one_weight(adversarial="wgangp", critic_steps=3)
    _step(model), _step(model)
    assert len(set(seeds)) == len(seeds) == 4


def test_initial_weights_are_those_of_the_published_code():
    networks = paper_networks((64, 64, 3), base_filters=16, seed=1)
    of_kind = {"down": [], "up": [], "gamma": []}
    for layer in networks["generator_ab"].layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            of_kind["up"].append(layer.kernel)
        elif isinstance(layer, keras.layers.Conv2D):
            of_kind["down"].append(layer.kernel)
        elif getattr(layer, "gamma", None) is not None:
            of_kind["gamma"].append(layer.gamma)
            assert layer.epsilon == 1e-6
    values = {kind: np.concatenate([np.ravel(v) for v in of_kind[kind]]) for kind in of_kind}
    assert 0.035 < np.abs(values["down"]).max() <= 0.04  # truncated at two deviations
    assert np.abs(values["up"]).max() > 0.06
    assert values["up"].std() == pytest.approx(0.02, rel=0.02)
    assert values["gamma"].mean() == pytest.approx(1, abs=0.005)
    assert values["gamma"].std() == pytest.approx(0.02, rel=0.1)
    first, second = (networks[name].get_weights()[0] for name in ("generator_ab", "generator_ba"))
    assert np.any(first != second)


def test_shapes_of_the_logits_and_sizes_of_the_images():
    shapes = {"a": (64, 64, 1), "b": (64, 64, 3)}
    networks = paper_networks(shapes, base_filters=2)
    assert networks["discriminator_a"].output_shape == (None, 1)
    model = DualGAN(**networks, image_shape=shapes)
    assert model.generator_ab.output_shape == (None, None, None, 3)
    assert model.settings()["image_shape"] == shapes
    any_size = paper_networks((None, None, 3), base_filters=2, discriminator="patch")
    assert any_size["discriminator_a"].compute_output_shape((1, 256, 256, 3)) == (1, 4, 4, 1)


@pytest.mark.parametrize(
    ("build", "sentence"),
    [
        (lambda: _tiny((None, None, 3)), "global discriminator needs images of one size"),
        (lambda: paper_networks((32, 32, 3)), "5 strided layers leave a single value .* 33 pixels"),
        (lambda: dual_generator((24, 24, 3), halvings=4), r"multiples of 2\^n.* halvings=4"),
        (lambda: _with(adversarial="vanilla", critic_steps=2), "critic_steps is for wgan and wgan"),
        (lambda: _with(adversarial="wgangp", clip=0.1), "clip is for wgan only; leave it out"),
        (
            lambda: _with(critic_steps=0),
            "critic_steps must be an integer from 1 on. Received: critic_steps=0",
        ),
        (lambda: _with(clip=0), "clip must be a finite number above 0. Received: clip=0"),
        (lambda: _with(adversarial="lsgan"), "one of wgan, wgangp, vanilla. Received: 'lsgan'"),
        (lambda: _with(lambda_a=-1), "lambda_a must be a finite number from 0 on"),
        (lambda: _with(generator_ba="generator_ab"), "A DualGAN has two generators"),
        (lambda: _with(image_shape=(16, 16, 3)), "expected image_shape, which is"),
    ],
)
def test_what_it_cannot_take_is_named(build, sentence):
    with pytest.raises(ValueError, match=sentence):
        build()


def _with(generator_ba=None, **arguments):
    networks = _tiny()
    if generator_ba:
        networks["generator_ba"] = networks[generator_ba]
    return DualGAN(**networks, **{"image_shape": SHAPE, **arguments})


def test_gradients_are_not_accumulated():
    accumulating = [keras.optimizers.Adam(gradient_accumulation_steps=2) for _ in range(2)]
    with pytest.raises(ValueError, match="gradients cannot be added up over steps"):
        _of_one_weight().compile(*accumulating)
