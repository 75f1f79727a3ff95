"""Pix2pix: against the numbers of the published implementation, and by hand."""

import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
import references
import tensorflow as tf
from tiny import one_weight
from two_replicas import two_replicas

from cyclegan_tf import Pix2Pix, ReplayPool, data, export_tflite, torch_weights, unet_generator
from cyclegan_tf.errors import InputError
from cyclegan_tf.exporting.export import export
from cyclegan_tf.exporting.tflite import metadata
from cyclegan_tf.exporting.tflite.interpreter import translated
from cyclegan_tf.networks.batch_normalization import BatchNormalization
from cyclegan_tf.networks.noise import NoiseDropout
from cyclegan_tf.recipes import pix2pix
from cyclegan_tf.systems.pix2pix import paper_halvings, paper_networks

RELEASE_NAMES = {"d": "D", "g": "G_GAN", "l1": "G_L1"}


def _published(name):
    """The reference and the system that its settings describe, with its starting weights."""
    reference = references.load(name)
    weights = references.load(f"{name}_init")
    settings = references.settings(reference)
    networks = paper_networks(
        (32, 32, 3),
        generator=settings["generator"],
        base_filters=settings["ngf"],
        halvings=settings.get("downs"),
        blocks=settings.get("blocks"),
        dropout=0.0,
        strided_layers=settings["d_layers"],
    )
    for network, release_name in (("generator", "G"), ("discriminator", "D")):
        references.assign(networks[network], weights, release_name)
    model = Pix2Pix(
        **networks,
        image_shape=(32, 32, 3),
        lambda_l1=settings["lambda_l1"],
        adversarial=settings["gan_mode"],
        pool_size=settings["pool_size"],
    )
    return reference, model


def test_the_papers_form_gives_the_published_losses_and_images():
    keras.config.set_dtype_policy("float64")
    reference, model = _published("pix2pix_train")
    image = references.to_nhwc(reference["images_a"][0])
    first = model.generator(image, training=False)
    np.testing.assert_allclose(first, references.to_nhwc(reference["first_G"]), atol=1e-6)
    pair = np.concatenate([image, references.to_nhwc(reference["images_b"][0])], -1)
    logits = model.discriminator(pair, training=True)
    np.testing.assert_allclose(logits, references.to_nhwc(reference["first_D"]), atol=1e-6)

    model.compile()
    references.train(model, reference, RELEASE_NAMES, within=1e-6)
    # Recorded with the statistics of a batch of two, which are those of training here.
    probe = model.generator(references.to_nhwc(reference["probe_a"]), training=True)
    np.testing.assert_allclose(probe, references.to_nhwc(reference["probe_ab"]), atol=1e-6)


def test_the_cyclegan_papers_form_gives_the_published_losses_and_images(monkeypatch):
    keras.config.set_dtype_policy("float64")
    reference, model = _published("pix2pix_cyclegan_train")
    draws = references.replay_draws(
        reference,
        lambda call: monkeypatch.setattr(ReplayPool, "call", call),
        pools={"pool": "pool"},
    )
    model.compile(run_eagerly=True)  # so that each step draws anew
    references.train(model, reference, RELEASE_NAMES, within=1e-6)
    assert not list(draws["pool"])
    probe = model.translate(references.to_nhwc(reference["probe_a"]))
    np.testing.assert_allclose(probe, references.to_nhwc(reference["probe_ab"]), atol=2e-6)


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_half_and_single_precision_give_the_published_losses_of_the_first_step(policy):
    keras.config.set_dtype_policy(policy)
    reference, model = _published("pix2pix_train")
    model.compile()
    references.train(
        model, reference, RELEASE_NAMES, within=1e-5 if policy == "float32" else 2**-7, steps=1
    )


def test_the_discriminators_loss_and_step_come_before_the_generators():
    """With networks of one number each, all of a step is computed by hand."""
    generator, discriminator = one_weight(1, 0.5), one_weight(2, 0.25)
    model = Pix2Pix(
        generator,
        discriminator,
        image_shape=(1, 1, 1),
        lambda_l1=3.0,
        adversarial="lsgan",
    )
    model.compile(keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1))
    source, target = 0.8, -0.4
    image = [np.full((1, 1, 1, 1), value, np.float32) for value in (source, target)]
    losses = model.train_on_batch(*image, return_dict=True)

    fake = 0.5 * source
    real_logit, fake_logit = 0.25 * (source + target), 0.25 * (source + fake)
    assert losses["d"] == pytest.approx(0.5 * ((real_logit - 1) ** 2 + fake_logit**2), rel=1e-5)
    d_gradient = (real_logit - 1) * (source + target) + fake_logit * (source + fake)
    weight = 0.25 - 0.1 * d_gradient
    logit = weight * (source + fake)  # of the new discriminator
    assert losses["g"] == pytest.approx((logit - 1) ** 2, rel=1e-5)
    assert losses["l1"] == pytest.approx(3 * (fake - target), rel=1e-5)
    g_gradient = (2 * (logit - 1) * weight + 3) * source
    np.testing.assert_allclose(generator.weights[0].numpy().sum(), 0.5 - 0.1 * g_gradient, 1e-5)


def test_either_direction_translates_what_it_is_given():
    images = np.random.default_rng(0).uniform(-1, 1, (2, 1, 32, 32, 3)).astype(np.float32)
    shapes = {"a": (32, 32, 1), "b": (32, 32, 3)}
    networks = paper_networks((32, 32, 3), 1, base_filters=2, halvings=3, strided_layers=1)
    model = Pix2Pix(**networks, direction="ba", image_shape=shapes)
    model.compile()
    losses = model.train_on_batch(images[0][..., :1], images[1], return_dict=True)
    assert list(losses) == ["d", "g", "l1"]
    assert model.translate(images[1]).shape == (1, 32, 32, 1)
    with pytest.raises(InputError, match=r"in the direction ba only.*Received: 'ab'"):
        model.translate(images[0], "ab")
    titles = [title for title, _ in model.sample_columns({"a": [], "b": []})]
    assert titles == ["B", "B → A", "A, true"]


def test_unpaired_data_are_refused():
    model = Pix2Pix(
        **paper_networks((32, 32, 3), base_filters=2, strided_layers=1), image_shape=(32, 32, 3)
    )
    model.compile()
    with pytest.raises(InputError, match="trains on paired images; give paired=True"):
        model.fit(data.scenes(4, image_size=32))


def test_the_unet_is_as_deep_as_the_size_allows():
    sizes = {256: 8, 128: 7, 64: 6, 192: 6, 512: 8, 96: 5}
    for size, halvings in sizes.items():
        assert paper_halvings((size, size, 3)) == halvings
    with pytest.raises(ValueError, match=r"multiples of 32, .* Received: 128 x 100"):
        paper_halvings((128, 100, 3))
    assert paper_halvings((None, None, 3)) == 8
    # The paper's encoder and decoder for 256 pixels (6.1.1), without and with skip connections.
    generator = unet_generator(
        (256, 256, 3), dropout=0.5, dropout_levels=3, normalization="test_batch"
    )
    convolutions = [layer for layer in generator.layers if "onv2D" in type(layer).__name__]
    filters = [layer.filters for layer in convolutions]
    assert filters == [64, 128, 256, 512, 512, 512, 512, 512, 512, 512, 512, 512, 256, 128, 64, 3]
    dropped = [
        layer.input.shape[1] for layer in generator.layers if type(layer).__name__ == "Dropout"
    ]
    assert dropped == [2, 4, 8]


def test_batch_normalization_takes_the_batch_in_training_and_each_image_at_test():
    images = np.random.default_rng(0).normal(size=(3, 4, 5, 2)).astype(np.float32)
    layer = BatchNormalization(gamma_initializer=keras.initializers.Constant(2.0))
    keras_layer = keras.layers.BatchNormalization(
        epsilon=1e-5, gamma_initializer=layer.gamma_initializer
    )
    in_training = layer(images, training=True)
    np.testing.assert_allclose(in_training, keras_layer(images, training=True), atol=2e-5)
    for number in range(3):
        alone = layer(images[number : number + 1], training=True)
        np.testing.assert_allclose(layer(images)[number], alone[0], atol=2e-5)
    copied = BatchNormalization.from_config(layer.get_config())
    np.testing.assert_array_equal(copied(images), layer(images))


def test_dropout_stays_on_at_test_and_leaves_the_state_of_training_alone():
    layer = NoiseDropout(0.25, seed=1)
    ones = np.ones((1, 100, 100, 1), np.float32)
    state = [variable.numpy() for variable in layer.variables]
    first, second = layer(ones), layer(ones)
    np.testing.assert_array_equal(state, [variable.numpy() for variable in layer.variables])
    assert np.any(first != second)
    np.testing.assert_allclose(np.unique(first), [0, 1 / 0.75], rtol=1e-6)
    assert np.mean(first) == pytest.approx(1, abs=0.03)  # the standard error is 0.006
    assert np.any(layer(ones, training=True) != layer(ones, training=True))
    assert np.any(state[0] != layer.variables[0].numpy())
    np.testing.assert_array_equal(NoiseDropout(0.0)(ones), ones)


def test_each_replica_drops_others():
    strategy = two_replicas()
    with strategy.scope():
        layer = NoiseDropout(0.5, seed=1)
    ones = tf.ones((1, 8, 8, 1))

    @tf.function
    def both():
        return strategy.experimental_local_results(strategy.run(lambda: layer(ones, training=True)))

    first, second = both()
    assert np.any(first != second)


@pytest.fixture(scope="module")
def noisy():
    """A small pix2pix with noise, an image, and what many translations of it have in common."""
    networks = paper_networks((32, 32, 3), base_filters=4, halvings=3, strided_layers=1)
    for weights in networks["generator"].weights:  # large, so that the noise shows
        weights.assign(weights * 4)
    model = Pix2Pix(**networks, image_shape=(32, 32, 3))
    image = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    return model, image, _moments(lambda: model.translate(image))


def _moments(translate, count=100):
    drawn = np.concatenate([translate() for _ in range(count)])
    return drawn.mean(0), drawn.std(0)


def test_exports_draw_the_same_noise(noisy, tmp_path):
    model, image, (mean, deviation) = noisy
    paths = export(model, tmp_path, kinds=("saved_model", "tflite", "onnx"), report=False)
    served = tf.saved_model.load(paths["saved_model", "ab"]).signatures["serving_default"]
    session = onnxruntime.InferenceSession(paths["onnx", "ab"])
    content = paths["tflite", "ab"].read_bytes()
    for kind, translate in {
        "SavedModel": lambda: served(image=tf.constant(image))["translated"].numpy(),
        "TFLite": lambda: translated(content, image),
        "ONNX": lambda: session.run(None, {"image": image})[0],
    }.items():
        found_mean, found_deviation = _moments(translate)
        # Of 100 draws: means differ by a tenth of the deviation or so.
        assert np.abs(found_mean - mean).mean() < 0.3 * deviation.mean(), kind
        assert found_deviation.mean() == pytest.approx(deviation.mean(), rel=0.2), kind
    assert metadata.read(paths["tflite", "ab"])["draws_noise"] is True
    properties = onnx.load(paths["onnx", "ab"]).metadata_props
    facts = {each.key: each.value for each in properties}
    assert facts["noise"] == "drawn in each run, by dropout"


def test_a_report_is_without_noise_and_the_file_with(noisy, tmp_path):
    model, image, _ = noisy
    path = export_tflite(
        model, tmp_path / "x.tflite", quantization="float16", representative="scenes"
    )
    report = json.loads((tmp_path / "x.report.json").read_text())
    assert report["psnr_to_keras"]["worst_db"] > 50  # with noise it would be about 20
    assert report["noise"] == "drawn by the file, not in this report"
    assert np.any(translated(path.read_bytes(), image) != translated(path.read_bytes(), image))


def test_a_translation_can_be_repeated(tmp_path):
    image = np.zeros((1, 32, 32, 3), np.float32)
    images = []
    for _ in range(2):
        keras.utils.set_random_seed(5)
        networks = paper_networks((32, 32, 3), base_filters=4, halvings=3, strided_layers=1)
        images.append(Pix2Pix(**networks, image_shape=(32, 32, 3)).translate(image))
    np.testing.assert_array_equal(*images)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"blocks": 3}, "blocks is not for the generator unet"),
        ({"generator": "resnet", "halvings": 3}, "halvings is not for the generator resnet"),
        ({"generator": "resnet", "dropout": 0.5}, "dropout is not for the generator resnet"),
        ({"halvings": 6}, r"expected \(48, 48, 3\)\. Its heights .* must be multiples of 64\."),
        ({}, "height and width must be multiples of 32"),
    ],
)
def test_options_that_do_not_go_together_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        pix2pix.build((48, 48, 3), base_filters=2, **options)
    with pytest.raises(ValueError, match="needs images of one size"):
        pix2pix.build((None, None, 3))
    with pytest.raises(InputError, match="generator must be one of unet, resnet"):
        paper_networks(generator="Unet")


def test_gradients_are_not_accumulated_over_steps():
    networks = paper_networks((32, 32, 3), base_filters=2, halvings=3, strided_layers=1)
    model = Pix2Pix(**networks, image_shape=(32, 32, 3))
    accumulating = [keras.optimizers.Adam(gradient_accumulation_steps=2) for _ in range(2)]
    with pytest.raises(ValueError, match="gradients cannot be added up over steps"):
        model.compile(*accumulating)


def test_checkpoints_of_the_reference_are_not_written(tmp_path):
    pytest.importorskip("torch")
    networks = paper_networks((32, 32, 3), base_filters=2, halvings=3, strided_layers=1)
    model = Pix2Pix(**networks, image_shape=(32, 32, 3))
    with pytest.raises(InputError, match="A Pix2Pix has the network 'generator', which a Cycle"):
        torch_weights.save_networks(model, tmp_path, ("ab",))
