"""UNIT: against the numbers of the published implementations, and by hand."""

import keras
import numpy as np
import pytest
import references
import tensorflow as tf

from cyclegan_tf import UNIT, Adam, CycleGAN
from cyclegan_tf.losses import discriminator_adversarial
from cyclegan_tf.networks.layer_normalization import ImageLayerNormalization
from cyclegan_tf.recipes import unit
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.systems.unit import networks_of_2018, paper_networks

# The reference's names of networks and losses.
PARTS = {
    "encoder_a": "gen/encode_a",
    "encoder_b": "gen/encode_b",
    "shared_encoder": "gen/encode_shared",
    "shared_decoder": "gen/decode_shared",
    "decoder_a": "gen/decode_a",
    "decoder_b": "gen/decode_b",
    "discriminator_a": "dis/a",
    "discriminator_b": "dis/b",
    "shared_discriminator": "dis/shared",
}
TERMS = {
    "g_ba": "gen_ad_loss_a",
    "g_ab": "gen_ad_loss_b",
    "reconstruction_a": "gen_ll_loss_a",
    "reconstruction_b": "gen_ll_loss_b",
    "cycle_a": "gen_ll_loss_aba",
    "cycle_b": "gen_ll_loss_bab",
    "kl_ab": "gen_enc_aba_loss",
    "kl_ba": "gen_enc_bab_loss",
}


def _published(name):
    """The reference and the system that its settings describe, with its starting weights."""
    reference = references.load(name)
    settings = references.settings(reference)
    gen, dis, weights = settings["gen"], settings["dis"], settings["weights"]
    shared = dis.get("n_shared_layer", 0)
    networks = paper_networks(
        (32, 32, 3),
        base_filters=gen["ch"],
        blocks=gen["n_enc_res_blk"] + gen["n_enc_shared_blk"],
        shared_blocks=gen["n_enc_shared_blk"],
        normalization="instance" if gen["name"] == "COCOResGen" else "none",
        strided_layers=dis.get("n_layer") or dis["n_front_layer"] + shared,
        shared_layers=shared,
        scales=3 if dis["name"] == "COCOMsDis" else 1,
    )
    initial = references.load(f"{name}_init")
    for domain in "ab":  # published as a transposed convolution, which is the same for 1x1
        key = f"gen/decode_{domain}/conv_out/kernel"
        initial[key] = initial[key].transpose(1, 0, 2, 3)
    for network in networks:
        _assign(networks[network], initial, PARTS[network], scales="124")
    model = UNIT(
        **networks,
        image_shape=(32, 32, 3),
        lambda_adversarial=weights["gan_w"],
        lambda_reconstruction=weights["ll_direct_link_w"],
        lambda_cycle=weights["ll_cycle_link_w"],
        lambda_kl=weights["kl_direct_link_w"],
    )
    optimizers = [Adam(settings["lr"], l2=settings["weight_decay"]) for _ in range(2)]
    model.compile(*optimizers, run_eagerly=True)
    return reference, model


def _assign(network, arrays, name, scales):
    """Also gives the discriminators of all scales their weights."""
    if len(network.outputs) == 1:
        references.assign(network, arrays, name)
        return
    for number, scale in enumerate(scales, 1):
        references.assign(network.get_layer(f"scale_{number}"), arrays, f"{name}/scale{scale}")


def _replay_noise(model, reference, monkeypatch):
    """The noise that the published code drew, that of a before that of b on its batch axis."""
    both = {"discriminator": reference["noise_dis"], "generator": reference["noise_gen"]}
    streams = {"cycle a": reference["noise_gen_bab"], "cycle b": reference["noise_gen_aba"]}
    for use, noise in both.items():
        streams |= {f"{use} {d}": half for d, half in zip("ab", np.split(noise, 2, 1))}
    return _replay(model, monkeypatch, streams)


def _replay(model, monkeypatch, streams):
    """Has a model draw these numbers, step by step; returns what is left of them."""
    left = {stream: iter(references.to_nhwc(noise)) for stream, noise in streams.items()}

    def noise(stream, shape, dtype):
        return tf.cast(next(left[stream]), dtype)

    monkeypatch.setattr(model, "_noise", noise)
    return left


@pytest.mark.parametrize("name", ["paper", "paper_shared", "paper_multiscale"])
def test_float64_training_gives_the_published_losses_and_images(name, monkeypatch):
    keras.config.set_dtype_policy("float64")
    reference, model = _published(f"unit_{name}_train")
    _check_first_outputs(model, reference)
    noise = _replay_noise(model, reference, monkeypatch)
    for losses, published in _trained(model, reference):
        for ours, theirs in TERMS.items():
            expected = _weight_of(model, ours) * published[theirs]
            assert losses[ours] == pytest.approx(expected, rel=1e-6), ours
        # One number over both domains there.
        total = losses["kl_a"] + losses["kl_b"]
        assert total == pytest.approx(2 * model.lambda_kl * published["gen_enc_loss"], rel=1e-6)
        total = losses["d_a"] + losses["d_b"]
        assert total == pytest.approx(published["dis_loss"], rel=1e-6)
    assert all(next(rest, None) is None for rest in noise.values())
    _check_probes(model, reference)


def _trained(model, reference):
    """The losses of each step, and the published ones by name."""
    names = list(reference["loss_names"])
    images = (references.to_nhwc(reference[key]) for key in ("images_a", "images_b"))
    for image_a, image_b, expected in zip(*images, reference["losses"]):
        published = dict(zip(names, expected))
        if "lr" in published:
            for optimizer in model.optimizers.values():
                optimizer.learning_rate = published["lr"]
        yield model.train_on_batch(image_a, image_b, return_dict=True), published
        model.reset_metrics()


def _weight_of(model, loss):
    kind = loss.split("_")[0]
    return getattr(model, f"lambda_{'adversarial' if kind in 'gd' else kind}")


def _check_probes(model, reference):
    for direction in ("ab", "ba"):
        probe = references.to_nhwc(reference[f"probe_{direction[0]}"])
        expected = references.to_nhwc(reference[f"probe_{direction}"])
        translated = model.generators[direction](probe)
        np.testing.assert_allclose(translated, expected, rtol=0, atol=1e-6)


def _check_first_outputs(model, reference):
    """Of the first images, with the noise of the generators' first step."""
    first = {d: references.to_nhwc(reference[f"images_{d}"])[0] for d in "ab"}
    means = model._means(first, training=False)
    noise = dict(zip("ab", np.split(references.to_nhwc(reference["noise_gen"])[0], 2)))
    codes = {domain: means[domain] + noise[domain] for domain in "ab"}
    expected = references.to_nhwc(reference["first_code"])
    np.testing.assert_allclose(np.concatenate([*codes.values()]), expected, atol=1e-6)
    fakes = model._translations(codes, training=False)
    for domain, other in ("ab", "ba"):
        expected = references.to_nhwc(reference[f"first_{domain}{other}"])
        np.testing.assert_allclose(fakes[other][:1], expected, atol=1e-6)
        (logits,) = model._logits(domain, first[domain], training=False)
        for scale, ours in enumerate(logits):
            theirs = reference[f"first_dis_{domain}_{scale}"]
            np.testing.assert_allclose(np.ravel(ours), theirs, atol=1e-6)


TERMS_OF_2018 = {
    "d_a": "loss_dis_a",
    "d_b": "loss_dis_b",
    "g_ba": "adv_a",
    "g_ab": "adv_b",
    "reconstruction_a": "recon_x_a",
    "reconstruction_b": "recon_x_b",
    "cycle_a": "cyc_x_a",
    "cycle_b": "cyc_x_b",
    "kl_a": "recon_kl_a",
    "kl_b": "recon_kl_b",
    "kl_ab": "recon_kl_cyc_aba",
    "kl_ba": "recon_kl_cyc_bab",
}


def test_float64_training_gives_the_losses_and_images_of_the_rewrite(monkeypatch):
    keras.config.set_dtype_policy("float64")
    reference = references.load("unit_master_train")
    settings = references.settings(reference)
    gen, dis, hyper = settings["gen"], settings["dis"], settings["hyper"]
    networks = networks_of_2018(
        (32, 32, 3),
        base_filters=gen["dim"],
        blocks=gen["n_res"],
        strided_layers=dis["n_layer"],
        scales=dis["num_scales"],
    )
    initial = references.load("unit_master_train_init")
    for domain in "ab":
        for kind, name in (("encoder", "encode"), ("decoder", "decode")):
            references.assign(networks[f"{kind}_{domain}"], initial, f"gen_{domain}/{name}")
        _assign(networks[f"discriminator_{domain}"], initial, f"dis_{domain}", scales="123")
    model = UNIT(
        **networks,
        image_shape=(32, 32, 3),
        lambda_adversarial=hyper["gan_w"],
        lambda_reconstruction=hyper["recon_x_w"],
        lambda_cycle=hyper["recon_x_cyc_w"],
        lambda_kl=hyper["recon_kl_w"],
        kl_of_mean=True,
        adversarial=dis["gan_type"],
    )
    optimizers = [Adam(hyper["lr"], l2=hyper["weight_decay"]) for _ in range(2)]
    model.compile(*optimizers, run_eagerly=True)
    first = references.to_nhwc(reference["images_a"])[0]
    for scale, logits in enumerate(model.discriminator_a(first)):
        expected = references.to_nhwc(reference[f"first_dis_a_{scale}"])
        np.testing.assert_allclose(logits, expected, atol=1e-6)
    noise = _replay(
        model,
        monkeypatch,
        {
            **{f"discriminator {d}": reference[f"noise_dis_{d}"] for d in "ab"},
            **{f"generator {d}": reference[f"noise_gen_{d}"] for d in "ab"},
            "cycle a": reference["noise_gen_ba"],
            "cycle b": reference["noise_gen_ab"],
        },
    )
    for losses, published in _trained(model, reference):
        for ours, theirs in TERMS_OF_2018.items():
            # The terms of the generators are published without their weights.
            weight = 1 if ours.startswith("d") else _weight_of(model, ours)
            assert losses[ours] == pytest.approx(weight * published[theirs], rel=1e-6), ours
    assert all(next(rest, None) is None for rest in noise.values())
    _check_probes(model, reference)


def _counts(networks, *kinds):
    return sum(networks[name].count_params() for name in networks if name.split("_")[0] in kinds)


def test_the_networks_are_as_large_as_published():
    """But for biases before instance normalization, which cancels them."""
    networks = paper_networks()
    blocks = 2 * (3 + 3) + 2
    translators = ("encoder", "decoder", "shared")
    assert _counts(networks, *translators) == 18_017_286 - blocks * 2 * 256
    assert _counts(networks, "discriminator") == 50_298_114
    networks = paper_networks(shared_layers=4)
    judges = {name: networks[name] for name in networks if "discriminator" in name}
    assert sum(each.count_params() for each in judges.values()) == 25_240_065
    networks = paper_networks(strided_layers=4, scales=3)
    assert _counts(networks, "discriminator") == 9_308_934
    networks = networks_of_2018()
    of_one = sum(networks[name].count_params() for name in ("encoder_a", "decoder_a"))
    assert of_one == 11_140_483 - (64 + 128 + 256) - 8 * 2 * 256
    assert networks["discriminator_a"].count_params() == 8_271_171


def _tiny(**options):
    return unit.build((16, 16, 3), base_filters=2, blocks=2, strided_layers=2, **options)


def test_what_is_shared_is_one_network_for_both_directions():
    model = _tiny()
    image = np.random.default_rng(0).uniform(-1, 1, (1, 16, 16, 3)).astype(np.float32)
    before = {direction: model.translate(image, direction) for direction in ("ab", "ba")}
    kernel = model.shared_encoder.trainable_variables[0]
    kernel.assign(100 * np.random.default_rng(0).normal(size=kernel.shape))
    for direction, translated in before.items():
        assert np.any(model.translate(image, direction) != translated), direction
    assert len({id(v) for v in model.trainable_variables}) == len(model.trainable_variables)
    alone = _tiny(shared_blocks=0)
    assert not alone.shared_encoder.weights
    assert alone.encoder_a.count_params() > model.encoder_a.count_params()
    assert alone.translate(image).shape == image.shape


def test_noise_is_drawn_in_training_alone():
    model = _tiny()
    model.compile(run_eagerly=True)
    image = tf.random.stateless_uniform((1, 16, 16, 3), (1, 2), -1, 1)
    np.testing.assert_array_equal(model.translate(image), model.translate(image))
    assert model.test_on_batch(image, image) == model.test_on_batch(image, image)
    mean = model._means({"a": image, "b": image}, training=True)
    codes = model._with_noise(mean, "generator", training=True)
    other = model._with_noise(mean, "discriminator", training=True)
    drawn = [codes["a"] - mean["a"], codes["b"] - mean["b"], other["a"] - mean["a"]]
    for first in range(3):
        assert np.std(drawn[first]) == pytest.approx(1, abs=0.3)  # of 128 numbers
        for second in range(first):
            assert np.any(drawn[first] != drawn[second])
    model.train_on_batch(image, image)
    later = model._with_noise(mean, "generator", training=True)
    assert np.any(later["a"] != codes["a"])


def test_the_paper_trains_with_l2_and_a_rate_of_its_own():
    for group in ("generator", "discriminator"):
        optimizer = _tiny().default_optimizer(group)
        assert (float(optimizer.learning_rate), optimizer.l2) == (pytest.approx(1e-4), 1e-4)
    assert resolve("scenes", system="unit").training.learning_rate == 1e-4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"shared_blocks": 3}, r"shared_blocks must be from 0 to 2 here.*shared_blocks=3"),
        ({"shared_layers": 2}, r"shared_layers must be from 0 to 1 here.*shared_layers=2"),
        ({"shared_layers": 1, "scales": 2}, "share layers at one scale only"),
        ({"variant": "2018", "shared_blocks": 1}, "shared_blocks is not for the variant 2018"),
        ({"lambda_kl": -1.0}, "lambda_kl must be a finite number from 0 on"),
        ({"adversarial": "wgangp"}, "adversarial must be one of vanilla, lsgan"),
    ],
)
def test_options_that_do_not_go_together_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        _tiny(**options)


def test_gradients_are_not_accumulated_over_steps():
    optimizers = [Adam(gradient_accumulation_steps=2) for _ in range(2)]
    with pytest.raises(ValueError, match="gradients cannot be added up over steps"):
        _tiny().compile(*optimizers)


@pytest.mark.parametrize(("options", "undecided"), [({}, ("14", "6.9")), ({"scales": 2}, ("28",))])
def test_the_page_knows_what_undecided_discriminators_have(options, undecided):
    panels = _tiny(**options).loss_panels
    texts = (panels["Discriminators"]["d_a"], panels["Generators"]["g_ab"])
    for text, value in zip(texts, undecided):
        assert f"; {value} if " in text
    logits = np.zeros((1, 2, 2, 1))  # of which the loss is -log ½ for real and for translated ones
    of_both = 2 * discriminator_adversarial(logits, logits, "vanilla")
    assert 10 * float(of_both) == pytest.approx(10 * 2 * np.log(2))


@pytest.mark.parametrize("variant", ["paper", "2018"])
def test_recomputed_activations_give_the_same_step(variant):
    keras.config.set_dtype_policy("float64")
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, 16, 16, 3))
    weights = []
    for remat in (False, True):
        model = _tiny(variant=variant, remat=remat)
        model.compile(run_eagerly=True)
        for _ in range(2):
            model.train_on_batch(*images)
        weights.append(model.get_weights())
    for plain, again in zip(*weights, strict=True):
        np.testing.assert_allclose(again, plain, atol=1e-8)


def test_discriminators_without_the_part_that_is_shared_are_named():
    networks = dict(_tiny(shared_layers=1).networks)
    del networks["discriminator_a"], networks["discriminator_b"]
    with pytest.raises(ValueError, match=r"shared discriminator takes 2 channels, and .* gives"):
        UNIT(**networks, image_shape=(64, 64, 3))


def test_several_scales_are_for_unit_alone():
    networks = dict(_tiny(scales=2).networks)
    judges = {name: networks[name] for name in ("discriminator_a", "discriminator_b")}
    with pytest.raises(ValueError, match="gives 2 outputs; this system takes one of a single"):
        CycleGAN(**judges, image_shape=(16, 16, 3))


def test_layer_normalization_is_that_of_the_formula():
    x = np.random.default_rng(0).normal(2, 3, (2, 4, 5, 3))
    layer = ImageLayerNormalization(dtype="float64")
    outputs = layer(x)
    for image, output in zip(x, outputs):
        expected = (image - image.mean()) / (image.std(ddof=1) + 1e-5)
        np.testing.assert_allclose(output, layer.gamma * expected + layer.beta, atol=1e-12)
    assert 0 <= np.min(layer.gamma) < np.max(layer.gamma) <= 1
    with pytest.raises(ValueError, match="epsilon must be positive"):
        ImageLayerNormalization(0.0)


def test_networks_that_do_not_fit_are_named():
    networks = dict(_tiny().networks)
    networks["encoder_b"] = networks["encoder_a"]
    with pytest.raises(ValueError, match="A UNIT has two encoders"):
        UNIT(**networks, image_shape=(16, 16, 3))


@pytest.mark.parametrize("options", [{"shared_layers": 1}, {"scales": 2}, {"variant": "2018"}])
def test_every_kind_of_network_trains_and_loads(options, tmp_path):
    model = _tiny(**options)
    model.compile(run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, 16, 16, 3)).astype(np.float32)
    before = [np.array(variable) for variable in model.trainable_variables]
    assert np.isfinite(model.train_on_batch(*images)).all()
    for variable, value in zip(model.trainable_variables, before, strict=True):
        assert np.any(np.array(variable) != value), variable.path
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.translate(images[0]), model.translate(images[0]))
    assert sorted(loaded.networks) == sorted(model.networks)


def test_domains_may_differ_in_channels(tmp_path):
    shapes = {"a": (16, 16, 1), "b": (16, 16, 3)}
    model = unit.build(shapes, base_filters=2, blocks=1, strided_layers=2, shared_layers=1)
    model.compile(run_eagerly=True)
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, 16, 16, 3)).astype(np.float32)
    gray, color = images[0][..., :1], images[1]
    assert np.isfinite(model.train_on_batch(gray, color)).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.settings()["image_shape"] == shapes
    assert loaded.translate(gray).shape == (1, 16, 16, 3)
    assert loaded.translate(color, "ba").shape == (1, 16, 16, 1)


@pytest.mark.parametrize("make", [paper_networks, networks_of_2018])
def test_networks_of_a_domain_have_its_channels(make):
    shapes = {"a": (16, 16, 1), "b": (16, 16, 3)}
    networks = make(shapes, base_filters=2, blocks=1, strided_layers=2, scales=2)
    for domain, shape in shapes.items():
        for kind in ("encoder", "discriminator"):
            assert networks[f"{kind}_{domain}"].input_shape[-1] == shape[-1]
        assert networks[f"decoder_{domain}"].output_shape[-1] == shape[-1]
