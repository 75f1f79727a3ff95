"""CUT and FastCUT: against the numbers of the published implementation, and by hand."""

import zipfile

import h5py
import keras
import numpy as np
import pytest
import references
import tensorflow as tf
from two_replicas import two_replicas

from cyclegan_tf import CUT, losses, patchgan
from cyclegan_tf.keras_internals import operation_before
from cyclegan_tf.networks.patch_features import maps_of, patch_features
from cyclegan_tf.systems import cut
from cyclegan_tf.systems.cut import paper_features, paper_networks

IN_FLOAT64 = 1e-6


def _published(name):
    """The reference and the system that its settings describe, with its starting weights."""
    reference = references.load(name)
    weights = references.load(f"{name}_init")
    settings = references.settings(reference)
    networks = paper_networks(
        (32, 32, 3),
        base_filters=settings["ngf"],
        blocks=settings["blocks"],
        strided_layers=settings["d_layers"],
    )
    for network, release_name in (("generator", "G"), ("discriminator", "D")):
        references.assign(networks[network], weights, release_name)
    layers = tuple(settings["nce_layers"])
    features = paper_features(networks["generator"], layers, width=settings["f_width"])
    for number in range(len(layers)):
        for layer, release_name in (("hidden", "linear1"), ("output", "linear2")):
            stored = f"F/layer{number}/{release_name}"
            kernel, bias = (weights[f"{stored}/{each}"] for each in ("kernel", "bias"))
            features.get_layer(f"{layer}_{number}").set_weights([kernel.T, bias])
    model = CUT(
        **networks,
        features=features,
        image_shape=(32, 32, 3),
        lambda_nce=settings["lambda_nce"],
        nce_identity=settings["nce_idt"],
        flip_equivariance=settings["flip"],
        nce_layers=layers,
        patches=settings["patches"],
        temperature=settings["temperature"],
    )
    model.compile(run_eagerly=True)  # so that each step draws anew
    return reference, model


def _replay(monkeypatch, reference):
    """Has the positions and flips drawn that the published code drew."""
    recorded = {
        "drawn_positions": iter(list(call) for step in reference["patch_ids"] for call in step),
        "drawn_flip": iter(reference.get("flipped", ())),
    }
    for name, values in recorded.items():
        monkeypatch.setattr(cut, name, lambda *args, values=values: next(values))
    return recorded


def _train(model, reference, within, steps=None):
    names = list(reference["loss_names"])
    images = (references.to_nhwc(reference[key]) for key in ("images_a", "images_b"))
    for step, image_a, image_b, expected in zip(
        range(steps or 99), *images, reference["losses_exact"]
    ):
        logged = model.train_on_batch(image_a, image_b, return_dict=True)
        model.reset_metrics()
        expected = dict(zip(names, expected))
        published = {"d": expected["D"], "g": expected["G_GAN"], "nce": expected["NCE"]}
        if model.nce_identity:  # the release logs both terms before it takes their mean
            published["nce"] = expected["NCE"] / 2
            published["nce_identity"] = expected["NCE_Y"] / 2
        assert logged.keys() == published.keys()
        for name, value in logged.items():
            message = f"{name} of step {step}"
            np.testing.assert_allclose(value, published[name], rtol=within, err_msg=message)


@pytest.mark.parametrize("name", ["cut_train", "fastcut_train"])
def test_losses_and_images_are_the_published_ones(name, monkeypatch):
    keras.config.set_dtype_policy("float64")
    reference, model = _published(name)
    image = references.to_nhwc(reference["images_a"][0]).astype(np.float64)
    first = model.generator(image, training=False)
    np.testing.assert_allclose(first, references.to_nhwc(reference["first_G"]), atol=IN_FLOAT64)
    logits = model.discriminator(references.to_nhwc(reference["images_b"][0]))
    np.testing.assert_allclose(logits, references.to_nhwc(reference["first_D"]), atol=IN_FLOAT64)
    maps = model._encode(image, training=False)
    for number, each in zip(model.nce_layers, maps):
        mean_and_deviation = reference[f"first_feature_{number}_mean_std"]
        np.testing.assert_allclose([np.mean(each), np.std(each)], mean_and_deviation, rtol=1e-3)
    features = model.features(cut.patches_at(maps, reference["patch_ids"][0, 0]))
    for number, each in enumerate(features):
        np.testing.assert_allclose(each[0], reference[f"first_F_{number}"], atol=IN_FLOAT64)

    recorded = _replay(monkeypatch, reference)
    # Not `losses` of the later steps: fixtures/record_cut.py says why.
    np.testing.assert_allclose(reference["losses_exact"][0], reference["losses"][0], rtol=1e-12)
    _train(model, reference, within=IN_FLOAT64)
    assert not any(list(left) for left in recorded.values())
    probe = model.translate(references.to_nhwc(reference["probe_a"]))
    np.testing.assert_allclose(
        probe, references.to_nhwc(reference["probe_ab_exact"]), atol=IN_FLOAT64
    )


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_half_and_single_precision_give_the_published_losses_of_the_first_step(policy, monkeypatch):
    keras.config.set_dtype_policy(policy)
    reference, model = _published("fastcut_train")
    _replay(monkeypatch, reference)
    _train(model, reference, within=1e-5 if policy == "float32" else 2**-4, steps=1)


def test_patch_nce_is_the_published_one_for_each_patch():
    reference = references.load("cut_patchnce")
    queries, keys = (
        (rows / np.linalg.norm(rows, axis=1, keepdims=True)).reshape(2, 9, 6)
        for rows in (reference[name].astype(np.float64) for name in ("feat_q", "feat_k"))
    )
    for suffix, batch in (("", 2), ("_all_negatives", 1)):  # all patches as of one image
        q, k = (tf.constant(rows.reshape(batch, -1, 6)) for rows in (queries, keys))
        of_each = losses._patch_cross_entropies(q, k, 0.07)
        np.testing.assert_allclose(np.ravel(of_each), reference[f"loss{suffix}"], rtol=1e-12)
        with tf.GradientTape() as tape:
            tape.watch(q)
            loss = losses.patch_nce(q, k, 0.07)
        gradient = np.reshape(tape.gradient(loss, q), (18, 6))
        np.testing.assert_allclose(gradient, reference[f"grad_q{suffix}"], atol=1e-12)


def test_patch_nce_by_hand():
    q = tf.constant([[[1.0, 0.0], [0.0, 1.0]]])
    k = tf.constant([[[0.6, 0.8], [0.0, 1.0]]])
    # Similarities 0.6 and 0 for the first, 0.8 and 1 for the second.
    first = -np.log(np.exp(0.6 / 0.5) / (np.exp(0.6 / 0.5) + 1))
    second = -np.log(np.exp(1 / 0.5) / (np.exp(0.8 / 0.5) + np.exp(1 / 0.5)))
    np.testing.assert_allclose(losses.patch_nce(q, k, 0.5), (first + second) / 2, rtol=1e-6)


def test_patches_and_their_features_are_the_published_ones():
    keras.config.set_dtype_policy("float64")
    reference = references.load("cut_patchnce")
    maps = [references.to_nhwc(reference["map"]).astype(np.float64)]
    (patches,) = cut.patches_at(maps, [reference["ids"]])
    length = np.linalg.norm(patches, axis=-1, keepdims=True) + 1e-7
    expected = reference["sampled_without_mlp"].reshape(2, 11, 5)
    np.testing.assert_allclose(patches / length, expected, atol=1e-12)
    features = patch_features([5], width=6)
    for layer, name in (("hidden_0", "linear1"), ("output_0", "linear2")):
        kernel, bias = (reference[f"weights/F/{name}/{each}"] for each in ("kernel", "bias"))
        features.get_layer(layer).set_weights([kernel.T, bias])
    found = features([patches])
    np.testing.assert_allclose(found, reference["sampled"].reshape(2, 11, 6), atol=1e-12)


def test_parameter_counts_of_the_paper():
    networks = paper_networks((256, 256, 3))
    # Without the biases that a normalization cancels; those of d128 and d256 are compared first.
    before_norms = {"generator": (64, *[256] * 18, 128, 64), "discriminator": (128, 256, 512)}
    for name, published in (("generator", 11_378_179), ("discriminator", 2_764_737)):
        assert networks[name].count_params() == published - sum(before_norms[name])
    assert paper_features(networks["generator"]).count_params() == 560_384
    assert networks["discriminator"].compute_output_shape((1, 256, 256, 3)) == (1, 30, 30, 1)


def test_initial_weights_are_xaviers_of_a_small_gain_and_not_truncated():
    networks = paper_networks((64, 64, 3), blocks=5)
    kernel = networks["generator"].layers[-2].get_weights()[0]
    assert kernel.shape == (7, 7, 64, 3)
    for layer in (*networks["generator"].layers, *paper_features(networks["generator"]).layers):
        if not layer.weights:
            continue
        kernel, *bias = layer.get_weights()
        fans = np.prod(kernel.shape[:-2]) * sum(kernel.shape[-2:])
        deviation = 0.02 * np.sqrt(2 / fans)
        assert kernel.std() == pytest.approx(deviation, rel=0.1), layer.name
        if kernel.size > 1e5:
            assert np.abs(kernel).max() > 3.5 * deviation  # a truncated one ends at 2.3
        assert not np.any(bias)


def test_layers_are_numbered_as_published():
    generator = paper_networks((64, 64, 3), base_filters=2, blocks=6)["generator"]
    maps = maps_of(generator, (0, 1, 3, 4, 7, 8, 11, 12, 16, 17, 18, 25, 26))
    before = [type(operation_before(each)).__name__ for each in maps]
    assert before == [
        "ReflectionPadding2D", "Conv2D", "ReLU", "Conv2D", "BlurDownsampling2D", "Conv2D",
        "BlurDownsampling2D", "Add", "Add", "Add", "BlurUpsampling2D", "ReLU",
        "ReflectionPadding2D",
    ]  # fmt: skip
    assert [each.shape[-1] for each in maps_of(generator, cut.NCE_LAYERS)] == [3, 4, 8, 8, 8]
    for blocks, last in ((6, (12, 16)), (3, (12, 14)), (1, (12,))):
        small = paper_networks((64, 64, 3), base_filters=2, blocks=blocks)["generator"]
        assert cut.paper_layers(small) == (0, 4, 8, *last)
        assert operation_before(maps_of(small, cut.paper_layers(small))[-1]).name.startswith("add")
    # A Sequential network is numbered as it stands.
    convolutions = [keras.layers.Conv2D(n, 3, padding="same", name=f"c{n}") for n in (2, 4, 3)]
    sequential = keras.Sequential([keras.Input((16, 16, 3)), *convolutions])
    assert [each.shape[-1] for each in maps_of(sequential, (0, "c4", 2))] == [2, 4, 3]


def test_positions_are_distinct_and_all_of_a_small_map():
    maps = [tf.zeros((2, 5, 6, 3)), tf.zeros((2, 2, 3, 7))]
    drawn = [
        [np.array(each) for each in cut.drawn_positions(maps, 20, tf.constant([seed, 0]))]
        for seed in range(3)
    ]
    for large, small in drawn:
        assert len(set(large)) == 20
        assert set(large) < set(range(30))
        assert sorted(small) == list(range(6))
    assert np.any(drawn[0][0] != drawn[1][0])
    flips = [bool(cut.drawn_flip(tf.constant([seed, 0]))) for seed in range(200)]
    assert sum(flips) == pytest.approx(100, abs=30)


def _small(**options):
    given = {"base_filters": 2, "blocks": 1, "strided_layers": 1}
    networks = paper_networks((16, 16, 3), **given, seed=options.get("seed", 0))
    return CUT(**networks, image_shape=(16, 16, 3), **options)


def _images(seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (2, 1, 16, 16, 3)).astype(np.float32)


def test_each_step_and_each_replica_draws_other_positions(monkeypatch):
    model = _small(patches=4)
    seeds = []
    original = cut.drawn_positions

    def recorded(maps, patches, seed):
        seeds.append(tuple(np.array(seed)))
        return original(maps, patches, seed)

    monkeypatch.setattr(cut, "drawn_positions", recorded)
    model.compile(run_eagerly=True)
    for _ in range(3):
        model.train_on_batch(*_images())
    assert len(set(seeds)) == 2 * 3  # both terms of each step
    strategy = two_replicas()
    with strategy.scope():
        model = _small()
        model.compile()
    monkeypatch.undo()

    @tf.function
    def seeds_of_both():
        return strategy.experimental_local_results(strategy.run(lambda: model._seed("nce")))

    first, second = seeds_of_both()
    assert np.any(first != second)


def test_at_test_nothing_is_flipped(monkeypatch):
    model = _small(flip_equivariance=True, nce_identity=False, patches=4)
    monkeypatch.setattr(cut, "drawn_flip", lambda seed: pytest.fail("was drawn"))
    model.compile(run_eagerly=True)
    logged = model.test_on_batch(*_images(), return_dict=True)
    assert list(logged) == ["d", "g", "nce"]


def test_the_other_direction_takes_images_of_b():
    model = _small(direction="ba", nce_identity=False)
    model.compile(run_eagerly=True)
    image_a, image_b = _images()
    model.train_on_batch(image_a, image_b)
    assert list(model.generators) == ["ba"]
    np.testing.assert_allclose(model.translate(image_b), model.generator(image_b), atol=1e-6)
    titles = [title for title, _ in model.sample_columns({"a": [], "b": []})]
    assert titles == ["B", "B → A"]


@pytest.mark.parametrize("adversarial", ["vanilla", "wgangp"])
def test_other_objectives_train_every_network(adversarial):
    model = _small(adversarial=adversarial)
    model.compile(run_eagerly=True)
    before = [np.array(each) for each in model.trainable_weights]
    logged = model.train_on_batch(*_images(), return_dict=True)
    assert np.isfinite(list(logged.values())).all()
    for variable, old in zip(model.trainable_weights, before):
        # A critic's last offset is as good as any other.
        if variable is not model.discriminator.weights[-1]:
            assert np.any(np.array(variable) != old), variable.path


def test_recomputed_activations_give_the_same_step():
    models = [_small(remat=remat) for remat in (False, True)]
    for model in models:
        model.compile(run_eagerly=True)
        logged = model.train_on_batch(*_images(), return_dict=True)
        assert np.isfinite(list(logged.values())).all()
    for plain, recomputed in zip(*(model.trainable_weights for model in models)):
        np.testing.assert_allclose(recomputed, plain, atol=1e-6, err_msg=plain.path)


def test_a_gray_image_has_finite_gradients():
    """Its patches are zeros, whose length has no derivative."""
    model = _small()
    model.compile(run_eagerly=True)
    gray = np.zeros((1, 16, 16, 3), np.float32)
    model.train_on_batch(gray, gray)
    assert all(np.isfinite(each).all() for each in model.get_weights())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lambda_nce": -1.0}, "lambda_nce must be a finite number from 0 on"),
        ({"patches": 1}, r"patches must be at least 2, .* Received: patches=1"),
        ({"temperature": 0.0}, "temperature must be a finite number above 0. Received: temp"),
        ({"nce_layers": ()}, r"a tuple of one or more layers\. Received: \(\)"),
        ({"nce_layers": "block"}, "a tuple of one or more layers. Received: 'block'"),
        ({"nce_layers": (0, 99)}, r"no such layer .* a number below 24\. Received: 99"),
        ({"nce_layers": (-1,)}, "a number below 24. Received: -1"),
        ({"nce_layers": ("block",)}, "the name of a layer that is used once, .* 'block'"),
        ({"direction": "aa"}, "direction must be one of ab, ba"),
        ({"image_shape": (16, 16, 1)}, r"'generator' takes images of shape .* is \(16, 16, 1\)"),
        ({"features": "of_others"}, r"takes patches of \[3, 5\] channels .* expected .* \[3, 4, 8"),
    ],
)
def test_bad_arguments_get_their_sentence(options, sentence):
    if "features" in options:
        options = {"features": patch_features([3, 5], width=4)}
    networks = paper_networks((16, 16, 3), base_filters=2, blocks=1, strided_layers=1)
    with pytest.raises(ValueError, match=sentence):
        CUT(**networks, **{"image_shape": (16, 16, 3), **options})


def test_a_layer_without_a_map_is_refused():
    inputs = keras.Input((16, 16, 3))
    flat = keras.layers.Flatten(name="flat")(inputs)
    outputs = keras.layers.Reshape((16, 16, 3))(flat)
    with pytest.raises(ValueError, match=r"gives no map of shape .*channels\)\. Received: "):
        CUT(
            keras.Model(inputs, outputs),
            patchgan(strided_layers=1),
            image_shape=(16, 16, 3),
            nce_layers=("flat",),
        )


def test_own_networks_are_named_and_saved(tmp_path):
    layers = [
        keras.layers.Conv2D(4, 3, padding="same", activation="relu", name="inner"),
        keras.layers.Conv2D(3, 3, padding="same", activation="tanh", name="image"),
    ]
    generator = keras.Sequential([keras.Input((16, 16, 3)), *layers])
    discriminator = keras.Sequential([keras.Input((16, 16, 3)), keras.layers.Conv2D(1, 4)])
    model = CUT(generator, discriminator, image_shape=(16, 16, 3), nce_layers=("inner",))
    model.compile(run_eagerly=True)
    model.train_on_batch(*_images())
    model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        archive.extract("model.weights.h5", tmp_path)
    with h5py.File(tmp_path / "model.weights.h5") as file:
        shapes = []
        file.visititems(lambda _, each: shapes.append(getattr(each, "shape", None)))
    assert shapes.count((3, 3, 3, 4)) == 3  # a kernel once, and its two moments
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.nce_layers == ("inner",)
    np.testing.assert_array_equal(loaded.translate(_images()[0]), model.translate(_images()[0]))
