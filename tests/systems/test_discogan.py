"""DiscoGAN: against the numbers of the published networks and losses, and by hand."""

import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from tiny import one_weight
from two_replicas import two_replicas

from cyclegan_tf import Adam, DiscoGAN, encoder_decoder, encoder_discriminator, losses
from cyclegan_tf.keras_internals import step_counter
from cyclegan_tf.networks.generators import size_multiple
from cyclegan_tf.recipes import discogan
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.systems.discogan import paper_networks

REFERENCE_NAMES = {
    "d_a": "dis_a",
    "d_b": "dis_b",
    "g_ab": "gen_b",
    "g_ba": "gen_a",
    "features_ab": "fm_b",
    "features_ba": "fm_a",
    "cycle_a": "recon_a",
    "cycle_b": "recon_b",
}


def _published(name, normalization):
    """The reference with images in [-1, 1], and the system that its settings describe."""
    reference = references.load(name)
    weights = references.load(f"{name}_init")
    settings = references.settings(reference)
    networks = paper_networks(base_filters=settings["width"], normalization=normalization)
    for own, published in zip(networks, ("G_ab", "G_ba", "D_a", "D_b")):
        references.assign(networks[own], weights, published)
    code = {
        "reconstruction_share": settings["default_rate"],
        "starting_share": settings["starting_rate"],
        "curriculum_steps": settings["curriculum"],
    }
    form = settings["form"]
    model = DiscoGAN(**networks, form=form, **(code if form == "code" else {}))
    l2 = settings["weight_decay"]
    optimizers = [model.default_optimizer(group) for group in model.groups]
    if l2 != 1e-5:  # the code's, which is the default
        optimizers = [Adam(l2=l2) for _ in model.groups]
    assert [each.l2 for each in optimizers] == [l2] * 2
    model.compile(*optimizers, run_eagerly=True)
    for kind in ("images", "probe"):
        for domain in "ab":
            reference[f"{kind}_{domain}"] = 2 * reference[f"{kind}_{domain}"] - 1
    return reference, model


def _as_published(images):
    """Outputs in [-1, 1] as the reference has them: NCHW in [0, 1]."""
    return (np.moveaxis(np.array(images), -1, 1) + 1) / 2


def _check_training(reference, model, monkeypatch):
    """First outputs, all losses of all steps, and what the generators minimize."""
    image_a, image_b = (references.to_nhwc(reference[f"images_{d}"][0]) for d in "ab")
    before = [network.get_weights() for network in model.networks.values()]
    fakes = {
        "a": model.generator_ba(image_b, training=True),
        "b": model.generator_ab(image_a, training=True),
    }
    np.testing.assert_allclose(_as_published(fakes["b"])[:1], reference["first_ab"], atol=1e-6)
    for domain, fake in fakes.items():
        logits, *_ = model.networks[f"discriminator_{domain}"](fake, training=True)
        judged = tf.sigmoid(logits)[:, 0, 0]
        np.testing.assert_allclose(judged, reference[f"first_dis_{domain}"], atol=1e-6)
    for network, weights in zip(model.networks.values(), before):  # moving averages have changed
        network.set_weights(weights)

    totals, weighted = [], model._weighted

    def recording(*arguments):
        terms = weighted(*arguments)
        totals.append(float(sum(terms.values())))
        return terms

    monkeypatch.setattr(model, "_weighted", recording)
    references.train(model, reference, REFERENCE_NAMES, within=1e-6)
    column = list(reference["loss_names"]).index("gen_total")
    np.testing.assert_allclose(totals, reference["losses"][:, column], rtol=1e-6)
    updates_of_d = int(reference["losses"][:, 0].sum())
    assert int(step_counter(model.discriminator_optimizer)) == updates_of_d
    assert int(step_counter(model.optimizer)) == len(totals) - updates_of_d


def test_the_codes_form_gives_the_published_losses_and_images(monkeypatch):
    keras.config.set_dtype_policy("float64")
    reference, model = _published("discogan_train", "batch")
    _check_training(reference, model, monkeypatch)

    translated = {
        direction: model.translate(
            references.to_nhwc(reference[f"probe_{direction[0]}"]), direction
        )
        for direction in ("ab", "ba")
    }
    # PyTorch's moving averages are of variances with n - 1 in the denominator, all but the
    # first value, 1; each of these layers has seen two batches in each of 12 steps.
    first = 0.9**24
    for layer in model.generator_ab.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            count = 8 * np.prod(layer.output.shape[1:3]) if layer.output.shape[1] else None
            count = count or 8 * _positions(model.generator_ab, layer)
            own = np.array(layer.moving_variance)
            layer.moving_variance.assign((own - first) * count / (count - 1) + first)
    probe = references.to_nhwc(reference["probe_a"])
    corrected = model.translate(probe)
    np.testing.assert_allclose(_as_published(corrected), reference["probe_ab_running"], atol=1e-6)
    np.testing.assert_allclose(translated["ab"], corrected, atol=0.02)
    for direction, network in model.generators.items():
        # The published code has no other mode than that of training.
        made = network(references.to_nhwc(reference[f"probe_{direction[0]}"]), training=True)
        np.testing.assert_allclose(_as_published(made), reference[f"probe_{direction}"], atol=1e-6)


def _positions(network, layer):
    """Rows times columns of what a layer of a network gives for an image of 64 pixels."""
    part = keras.Model(network.inputs[0], layer.output)
    _, rows, columns, _ = part.compute_output_shape((1, 64, 64, 3))
    return rows * columns


def test_the_papers_form_gives_the_published_losses_and_images(monkeypatch):
    keras.config.set_dtype_policy("float64")
    reference, model = _published("discogan_paper_train", "test_batch")
    _check_training(reference, model, monkeypatch)
    for direction in ("ab", "ba"):
        probe = references.to_nhwc(reference[f"probe_{direction[0]}"])  # a single image
        made = model.translate(probe, direction)
        np.testing.assert_allclose(_as_published(made), reference[f"probe_{direction}"], atol=1e-6)


# A step by hand: networks of one number, two images of one pixel in each domain.

A, B = np.array([0.8, -0.4]), np.array([0.2, 0.6])
WEIGHTS = {
    "generator_ab": 0.5,
    "generator_ba": 0.3,
    "discriminator_a": 0.25,
    "discriminator_b": -0.7,
}


def _judge(value):
    """A discriminator whose feature is its logit."""
    network = one_weight(1, value)
    feature = keras.layers.Identity()(network.output)
    return keras.Model(network.inputs[0], [network.output, feature])


def _of_one_number(**settings):
    generators = {n: one_weight(1, v) for n, v in WEIGHTS.items() if n.startswith("g")}
    judges = {n: _judge(v) for n, v in WEIGHTS.items() if n.startswith("d")}
    return DiscoGAN(**generators, **judges, image_shape=(1, 1, 1), **settings)


def _softplus(x):
    return np.log1p(np.exp(x))


def _losses(generator_ab, generator_ba, discriminator_a, discriminator_b):
    terms = {}
    for source, target, images, others, there, back, judge in (
        ("a", "b", A, B, generator_ab, generator_ba, discriminator_b),
        ("b", "a", B, A, generator_ba, generator_ab, discriminator_a),
    ):
        fake = there * images
        real_logits, fake_logits = judge * others, judge * fake
        terms[f"d_{target}"] = 0.5 * (_softplus(-real_logits) + _softplus(fake_logits)).mean()
        terms[f"g_{source}{target}"] = _softplus(-fake_logits).mean()
        terms[f"features_{source}{target}"] = (real_logits.mean() - fake_logits.mean()) ** 2
        terms[f"cycle_{source}"] = ((back * fake - images) ** 2).mean() / 4
    return terms


def _objective(weights, share):
    terms = _losses(**weights)
    return sum(
        terms[f"cycle_{source}"] + terms[f"g_{source}{target}"]
        if share is None
        else share * terms[f"cycle_{source}"]
        + (1 - share)
        * (0.1 * terms[f"g_{source}{target}"] + 0.9 * terms[f"features_{source}{target}"])
        for source, target in ("ab", "ba")
    )


def _sum_of_discriminators(weights, _):
    terms = _losses(**weights)
    return terms["d_a"] + terms["d_b"]


def _slope(function, weights, name, share):
    ahead, behind = ({**weights, name: weights[name] + step} for step in (1e-6, -1e-6))
    return (function(ahead, share) - function(behind, share)) / 2e-6


@pytest.mark.parametrize(("form", "run_eagerly"), [("paper", True), ("code", False)])
def test_steps_with_networks_of_one_number_are_those_computed_by_hand(form, run_eagerly):
    keras.config.set_dtype_policy("float64")
    settings = {"reconstruction_share": 0.4, "starting_share": 0.05, "curriculum_steps": 2}
    model = _of_one_number(form=form, **(settings if form == "code" else {}))
    model.compile(*(keras.optimizers.SGD(0.125) for _ in "gd"), run_eagerly=run_eagerly)
    images = [each.reshape(2, 1, 1, 1) for each in (A, B)]
    weights = dict(WEIGHTS)
    for step, of_discriminators in enumerate((True, False, False, True, False)):
        share = None if form == "paper" else 0.05 if step < 2 else 0.4
        values = model.train_on_batch(*images, return_dict=True)
        model.reset_metrics()
        expected = _losses(**weights)  # of the weights before the step, whoever is updated
        assert len(values) == (6 if form == "paper" else 8)
        for name, value in values.items():
            assert value == pytest.approx(expected[name], rel=1e-6), f"{name} of step {step}"
        group, function = (
            ("discriminator", _sum_of_discriminators)
            if of_discriminators
            else ("generator", _objective)
        )
        slopes = {n: _slope(function, weights, n, share) for n in weights if n.startswith(group)}
        for name, slope in slopes.items():
            weights[name] -= 0.125 * slope
        for name, value in weights.items():
            own = np.sum(model.networks[name].get_weights()[0])
            assert own == pytest.approx(value, abs=1e-7), f"{name} after step {step}"


def test_mean_features_of_a_share_without_images_count_nothing():
    features = tf.zeros((0, 2, 2, 3))
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = losses.feature_matching([features], [features])
    assert float(loss) == 0
    assert tape.gradient(loss, features).shape == (0, 2, 2, 3)
    real, fake = (tf.constant(each, tf.float32)[:, None, None, None] for each in (A, B))
    for share in (slice(0, 2), slice(0, 1)):
        found = float(losses.feature_matching([real[share]] * 2, [fake[share]] * 2))
        assert found == pytest.approx(2 * (A[share].mean() - B[share].mean()) ** 2, rel=1e-6)


def test_two_replicas_take_turns_even_if_one_has_no_image():
    with two_replicas().scope():
        model = _of_one_number(form="code")
        model.compile(run_eagerly=True)
    image = np.full((1, 1, 1, 1), 0.5, np.float32)
    data = tf.data.Dataset.from_tensors((image, image)).repeat(4)
    history = model.fit(data, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert np.isfinite([np.sum(each) for each in model.get_weights()]).all()
    assert [int(step_counter(each).numpy()) for each in model.optimizers.values()] == [2, 2]


def test_the_networks_are_the_published_ones():
    def weights(network):
        return sum(int(np.prod(v.shape)) for v in network.trainable_variables)

    network = encoder_decoder((64, 64, 3))
    assert network.output_shape == (None, 64, 64, 3)
    assert weights(network) == 5_513_856
    assert weights(encoder_decoder(bottleneck=100)) == 7_153_480
    # The bottleneck takes no smaller image, so that `translate` pads those to 64 pixels.
    for bottleneck, multiple in ((0, 16), (2, 64)):
        network = encoder_decoder(base_filters=1, bottleneck=bottleneck)
        assert size_multiple(network) == multiple
    judge = encoder_discriminator((64, 64, 3))
    assert weights(judge) == 2_765_568
    assert judge.output_shape == [
        (None, 1, 1, 1), (None, 16, 16, 128), (None, 8, 8, 256), (None, 4, 4, 512)
    ]  # fmt: skip
    assert encoder_discriminator((64, 64, 3), halvings=3).output_shape[0] == (None, 5, 5, 1)


def test_a_bottleneck_of_one_number_a_channel_still_tells_images_apart():
    """By moving averages; by its own statistics each would be the offset."""
    network = encoder_decoder((16, 16, 3), base_filters=4, halvings=2, bottleneck=8, seed=1)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 16, 16, 3)).astype(np.float32)
    for layer in network.layers:  # so that few steps bring the averages to what it computes
        if hasattr(layer, "kernel"):
            layer.kernel.assign(20 * layer.kernel)
    for _ in range(3):
        network(images, training=True)
    first, second = np.array(network(images, training=False))
    assert np.abs(first - second).max() > 1e-5


def test_black_surrounds_an_image_as_in_the_published_range():
    network = encoder_decoder(base_filters=2, halvings=2, normalization="test_batch", seed=0)
    black = np.full((1, 16, 16, 3), -1, np.float32)
    first = keras.Model(network.inputs[0], network.get_layer(index=3).output)(black)
    assert isinstance(network.get_layer(index=3), keras.layers.Conv2D)
    np.testing.assert_array_equal(first, 0)  # in and at the border


def test_domains_may_differ_in_channels():
    shapes = {"a": (16, 16, 1), "b": (16, 16, 3)}
    model = discogan.build(shapes, base_filters=2, halvings=2, form="code")
    model.compile(run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 2, 16, 16, 3)).astype(np.float32)
    model.train_on_batch(images[0][..., :1], images[1])
    assert model.settings()["image_shape"] == shapes
    assert model.generators["ab"].output_shape[-1] == 3
    assert model.generators["ba"].output_shape[-1] == 1


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"form": "own"}, "form must be one of paper, code. Received: 'own'"),
        ({"starting_share": 0.1}, "starting_share is not for the form paper.*or use the form code"),
        ({"form": "code", "reconstruction_share": 1.5}, "must lie between 0 and 1. .*=1.5"),
        ({"form": "code", "curriculum_steps": -1}, "must be an integer from 0 on. .*=-1"),
        ({"normalization": "instance"}, "normalization must be one of batch, test_batch"),
        ({"image_shape": (24, 24, 3), "halvings": 4}, r"multiples of 16 from 64 on.*\(24, 24, 3\)"),
        ({"bottleneck": 8, "normalization": "test_batch"}, "one number in each channel"),
        ({"halvings": 1}, "at least one filter and two halvings"),
        ({"remat": True}, "Use remat=False"),
    ],
)
def test_what_does_not_go_together_is_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        discogan.build(**{"image_shape": (16, 16, 3), "base_filters": 2, "halvings": 2, **options})


def test_networks_and_optimizers_that_it_cannot_use_are_named():
    networks = paper_networks((16, 16, 3), base_filters=2, halvings=2)
    settings = {"image_shape": (16, 16, 3)}
    twice = {**networks, "discriminator_b": networks["discriminator_a"]}
    with pytest.raises(ValueError, match="A DiscoGAN has two discriminators, of which each"):
        DiscoGAN(**twice, **settings)
    judge = networks["discriminator_a"]
    plain = {**networks, "discriminator_a": keras.Model(judge.inputs[0], judge.outputs[0])}
    DiscoGAN(**plain, **settings)
    with pytest.raises(ValueError, match="compares features inside the discriminators; expected"):
        DiscoGAN(**plain, **settings, form="code")
    model = DiscoGAN(**networks, **settings)
    accumulating = [keras.optimizers.Adam(gradient_accumulation_steps=2) for _ in range(2)]
    with pytest.raises(ValueError, match="gradients cannot be added up over steps"):
        model.compile(*accumulating)


def test_its_rate_stays():
    assert resolve("scenes", system="discogan").training.decay_epochs == 0
    with pytest.raises(ValueError, match="discogan updates some networks in some steps only"):
        resolve("scenes", system="discogan", decay_epochs=5)
