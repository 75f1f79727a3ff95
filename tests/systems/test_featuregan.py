"""Feature loss + GAN: against the numbers of a twin of the CycleGAN paper's code, and by hand."""

import zipfile

import h5py
import keras
import numpy as np
import pytest
import references
from tiny import one_weight

from cyclegan_tf import FeatureGAN, InputError, ReplayPool, load
from cyclegan_tf.recipes import featuregan
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.systems.simgan import paper_networks

REFERENCE_NAMES = {"d": "D", "g": "G_GAN", "content": "content"}
SMALL_VGG = references.FIXTURES / "small_vgg.h5"


def _published(reference, **arguments):
    """The system that the settings of the reference describe, with its starting weights."""
    weights = references.load("featuregan_train_init")
    settings = references.settings(reference)
    networks = paper_networks(
        (32, 32, 3),
        base_filters=settings["ngf"],
        blocks=settings["blocks"],
        strided_layers=settings["d_layers"],
    )
    for name, reference_name in zip(networks, ("G", "D")):
        references.assign(networks[name], weights, reference_name)
    return FeatureGAN(
        **networks,
        image_shape=(32, 32, 3),
        features=SMALL_VGG,
        feature_layer="relu2_2",
        feature_size=settings["phi_side"],
        lambda_content=settings["lambda_content"],
        pool_size=settings["pool_size"],
        **arguments,
    )


@pytest.mark.parametrize("gradient", ["correct", "weak"])
def test_it_gives_the_recorded_losses_and_images(gradient, monkeypatch):
    """Of a second implementation: the published one runs nowhere today."""
    keras.config.set_dtype_policy("float64")
    reference = references.load("featuregan_train")
    model = _published(reference, weak_gradient=gradient == "weak")
    image = references.to_nhwc(reference["images_a"][0])
    for network, name in ((model.generator, "first_G"), (model.discriminator, "first_D")):
        np.testing.assert_allclose(network(image), references.to_nhwc(reference[name]), atol=1e-6)

    draws = references.replay_draws(
        reference,
        lambda call: monkeypatch.setattr(ReplayPool, "call", call),
        pools={"pool": "pool"},
    )
    model.compile(run_eagerly=True)  # so that each step draws anew
    suffix = "_weak_gradient" if gradient == "weak" else ""
    recorded = {**reference, "losses": reference[f"losses{suffix}"]}
    references.train(model, recorded, REFERENCE_NAMES, within=1e-6)
    assert not list(draws["pool"])
    expected = references.to_nhwc(reference[f"probe_ab{suffix}"])
    translated = model.translate(references.to_nhwc(reference["probe_a"]))
    np.testing.assert_allclose(translated[: len(expected)], expected, atol=1e-6)


def _three_weights(value):
    """A generator that multiplies each channel by a weight."""
    inputs = keras.Input((1, 1, 3))
    layer = keras.layers.DepthwiseConv2D(
        1, use_bias=False, depthwise_initializer=keras.initializers.Constant(value)
    )
    return keras.Model(inputs, layer(inputs))


def _blue(path):
    """A file of one convolution, whose only filter gives what is blue."""
    kernel = np.zeros((3, 3, 3, 1), np.float32)
    kernel[1, 1, 0] = 1.0  # VGG has blue first
    with h5py.File(path, "w") as file:
        file["block1_conv1/block1_conv1/kernel:0"] = kernel
        file["block1_conv1/block1_conv1/bias:0"] = np.zeros(1, np.float32)
    return path


@pytest.mark.parametrize("weak", [False, True])
def test_a_step_with_networks_of_few_numbers_is_that_computed_by_hand(weak, tmp_path):
    model = FeatureGAN(
        _three_weights(0.5),
        one_weight(3, 0.25),
        image_shape=(1, 1, 3),
        features=_blue(tmp_path / "blue.h5"),
        feature_layer="relu1_1",
        feature_size=1,
        lambda_content=3.0,
        weak_gradient=weak,
    )
    model.compile(keras.optimizers.SGD(1e-4), keras.optimizers.SGD(0.1), run_eagerly=True)
    source, target = (np.float32([[[values]]]) for values in ((0.1, -0.2, 0.8), (0.3, 0.4, -0.2)))
    reported = model.train_on_batch(source, target, return_dict=True)
    fake, real = 0.5 * source.sum(), target.sum()  # what the discriminator sums
    assert reported["d"] == pytest.approx(0.5 * ((0.25 * real - 1) ** 2 + (0.25 * fake) ** 2))
    weight = 0.25 - 0.1 * ((0.25 * real - 1) * real + 0.25 * fake * fake)
    assert reported["g"] == pytest.approx((weight * fake - 1) ** 2)  # of the new discriminator
    assert reported["content"] == pytest.approx(3 * 127.5 * (0.8 - 0.4), rel=1e-5)
    gradient = 2 * (weight * fake - 1) * weight * source.ravel()
    gradient[2] -= 3 * 0.8 * (1 / 127.5 if weak else 127.5)  # the fake is less blue
    expected = 0.5 - 1e-4 * gradient
    np.testing.assert_allclose(np.ravel(model.generator.weights[0]), expected, rtol=1e-6)


def _tiny(**options):
    return featuregan.build(
        (16, 16, 3),
        **{
            "features": str(SMALL_VGG),
            "feature_layer": "relu2_2",
            "feature_size": 12,
            "base_filters": 2,
            "blocks": 1,
            "strided_layers": 1,
            **options,
        },
    )


def _images(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (2, 2, 16, 16, 3)).astype(np.float32)


def test_a_run_keeps_the_whole_path_of_its_features(monkeypatch):
    monkeypatch.chdir(SMALL_VGG.parent)
    for given, kept in ((SMALL_VGG.name, str(SMALL_VGG)), ("hed", "hed")):
        options = resolve("scenes", system="featuregan", features=given)
        assert options.model["features"] == kept


def test_the_features_are_not_saved_and_are_found_again(tmp_path, monkeypatch):
    monkeypatch.chdir(SMALL_VGG.parent)
    model = _tiny(features=SMALL_VGG.name)
    model.compile(run_eagerly=True)
    monkeypatch.chdir(tmp_path)
    assert sum(map(len, (model.generator.weights, model.discriminator.weights))) == len(
        model.weights
    )
    model.train_on_batch(*_images())
    model.save("model.keras")
    with zipfile.ZipFile("model.keras") as file:
        assert sum(each.file_size for each in file.infolist()) < 2**19
    loaded = keras.saving.load_model("model.keras")
    assert loaded.settings() == model.settings()
    for each in (model, loaded):
        each.reset_metrics()
    images = _images(1)
    expected = model.train_on_batch(*images, return_dict=True)
    assert loaded.train_on_batch(*images, return_dict=True) == expected


def test_it_translates_where_its_features_are_not(tmp_path):
    """Only training needs them; where they have moved, they can be given anew."""
    features = tmp_path / "vgg.h5"
    features.write_bytes(SMALL_VGG.read_bytes())
    model = _tiny(features=str(features))
    model.compile()
    model.save(tmp_path / "model.keras")
    features.unlink()
    loaded = load(tmp_path / "model.keras")
    assert loaded.translate(_images()[0]).shape == (2, 16, 16, 3)
    with pytest.raises(InputError, match=r"vgg\.h5 are no file; expected the name hed, or a file"):
        loaded.compile()
    loaded.features = str(SMALL_VGG)
    loaded.compile(run_eagerly=True)
    loaded.train_on_batch(*_images())


def test_recomputed_activations_give_the_same_step():
    weights = []
    for remat in (False, True):
        model = _tiny(remat=remat, direction="ba", pool_size=0)
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.SGD(1e-3), run_eagerly=True)
        model.train_on_batch(*_images())
        weights.append(model.get_weights())
    for stored, recomputed in zip(*weights):
        np.testing.assert_allclose(recomputed, stored, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            {"feature_size": 0},
            "feature_size must be an integer from 1 on. Received: feature_size=0",
        ),
        ({"lambda_content": -1.0}, "lambda_content must be a finite number from 0 on"),
        ({"direction": "aa"}, "direction must be one of ab, ba. Received: 'aa'"),
        ({"adversarial": "l2"}, "adversarial must be one of lsgan, vanilla, wgangp"),
    ],
)
def test_options_out_of_range_are_named(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        _tiny(**options)


def test_images_without_colors_are_refused():
    with pytest.raises(ValueError, match=r"must have 3 channels. Received: image_shape=\(16, 16"):
        FeatureGAN(image_shape=(16, 16, 1))
