"""CycleGAN as a Keras model: everything that users of Keras expect; the numbers in test_parity."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny import SHAPE, tiny_images, tiny_model, tiny_pairs, traced_model
from two_replicas import two_replicas

from cyclegan_tf import (
    Adam,
    CycleGAN,
    InputError,
    patchgan,
    pixelgan,
    resnet_generator,
    unet_generator,
)
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.train import compiled_model
from cyclegan_tf.systems.cyclegan import paper_networks
from cyclegan_tf.translation.translator import Translator


def test_default_networks_are_the_papers():
    model = CycleGAN(image_shape=(128, 128, 3))
    assert model.generator_ab.count_params() == resnet_generator(blocks=6).count_params()
    assert model.discriminator_b.count_params() == patchgan().count_params()
    model = CycleGAN(image_shape=(256, 256, 3), pool_size=0)
    assert model.generator_ba.count_params() == resnet_generator(blocks=9).count_params()
    weights = [n.get_weights()[0] for n in (model.generator_ab, model.generator_ba)]
    assert not np.array_equal(*weights)


def test_compile_without_arguments_gives_two_adams():
    model = traced_model()
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        assert optimizer.get_config()["beta_1"] == 0.5
        np.testing.assert_allclose(optimizer.learning_rate, 2e-4)
    assert model.generator_optimizer is not model.discriminator_optimizer


def test_fit_logs_every_loss_and_validation():
    model = traced_model()
    history = model.fit(
        tiny_pairs(), epochs=2, validation_data=tiny_pairs(seed=1), verbose=0
    ).history
    names = ["d_a", "g_ab", "cycle_a", "identity_a", "d_b", "g_ba", "cycle_b", "identity_b"]
    assert set(history) == {*names, *(f"val_{name}" for name in names)}
    assert all(np.isfinite(values).all() and len(values) == 2 for values in history.values())


def test_training_learns():
    """To give back what it is given is easy: cycle and identity fall within some epochs."""
    model = traced_model()
    model.generator_optimizer.learning_rate = 2e-3
    smooth = np.array(tf.image.resize(tiny_images(4, shape=(4, 4, 3))[0], SHAPE[:2]))
    pairs = (smooth, smooth[::-1].copy())
    history = model.fit(*pairs, batch_size=1, epochs=20, shuffle=False, verbose=0).history
    assert history["cycle_a"][-1] < 0.7 * history["cycle_a"][0]
    assert history["identity_b"][-1] < 0.7 * history["identity_b"][0]


def test_evaluate_is_the_same_twice_and_changes_nothing():
    model = traced_model()
    a, b = tiny_images()
    before = model.generator_ab.get_weights()
    first = model.evaluate(a, b, batch_size=2, return_dict=True, verbose=0)
    assert first == model.evaluate(a, b, batch_size=2, return_dict=True, verbose=0)
    for old, new in zip(before, model.generator_ab.get_weights()):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("replicas", [1, 2])
def test_losses_are_means_over_images_however_they_are_batched(replicas):
    """Of three images in batches of two, the second replica gets one at first, then none."""
    images = tiny_images(3)
    expected = traced_model().evaluate(*images, batch_size=1, return_dict=True, verbose=0)
    model = traced_model()
    if replicas == 2:
        with two_replicas().scope():
            model = tiny_model(compiled=False)
            model.compile(run_eagerly=True)  # tracing takes longer than six steps
    pairs = tf.data.Dataset.from_tensor_slices(tuple(images)).batch(2)
    scores = model.evaluate(pairs, return_dict=True, verbose=0)
    assert set(scores) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(scores[name], value, rtol=1e-5, err_msg=name)
    history = model.fit(pairs, epochs=2, verbose=0).history
    assert np.isfinite(list(history.values())).all()
    assert model.predict(pairs, verbose=0).shape == images[0].shape
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_the_losses_of_an_epoch_are_those_of_its_images():
    """At a rate of zero, the short last batch counts as the one image that it is."""
    images = tiny_images(3)
    model = tiny_model(compiled=False, pool_size=0)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0))
    history = model.fit(*images, batch_size=2, shuffle=False, verbose=0).history
    expected = model.evaluate(*images, batch_size=1, return_dict=True, verbose=0)
    for name, value in expected.items():
        np.testing.assert_allclose(history[name][0], value, rtol=1e-5, err_msg=name)


def _pointwise(factor, name):
    """A network that multiplies every value by a number."""
    layer = keras.layers.Conv2D(1, 1, use_bias=False)
    network = keras.Sequential([keras.Input((8, 8, 1)), layer], name=name)
    network.set_weights([np.full((1, 1, 1, 1), factor, "float32")])
    return network


def test_each_term_has_the_weight_of_its_domain():
    """Against the losses worked out by hand, of networks that multiply by a number."""
    ab, ba, on_a, on_b = 0.5, -0.3, 0.7, 1.1
    lambda_a, lambda_b, lambda_identity = 3.0, 7.0, 0.25
    model = CycleGAN(
        *(_pointwise(*each) for each in ((ab, "ab"), (ba, "ba"), (on_a, "on_a"), (on_b, "on_b"))),
        image_shape=(8, 8, 1),
        pool_size=0,
        lambda_a=lambda_a,
        lambda_b=lambda_b,
        lambda_identity=lambda_identity,
    )
    model.compile()
    a, b = tiny_images(2, shape=(8, 8, 1))
    fake_a, fake_b = ba * b, ab * a
    expected = {
        "g_ab": np.mean((on_b * fake_b - 1) ** 2),
        "g_ba": np.mean((on_a * fake_a - 1) ** 2),
        "cycle_a": lambda_a * np.mean(np.abs(ba * fake_b - a)),
        "cycle_b": lambda_b * np.mean(np.abs(ab * fake_a - b)),
        "identity_a": lambda_a * lambda_identity * np.mean(np.abs(ba * a - a)),
        "identity_b": lambda_b * lambda_identity * np.mean(np.abs(ab * b - b)),
        "d_a": 0.5 * (np.mean((on_a * a - 1) ** 2) + np.mean((on_a * fake_a) ** 2)),
        "d_b": 0.5 * (np.mean((on_b * b - 1) ** 2) + np.mean((on_b * fake_b) ** 2)),
    }
    tested = model.test_on_batch(a, b, return_dict=True)
    model.reset_metrics()
    trained = model.train_on_batch(a, b, return_dict=True)
    for losses in (tested, trained):
        assert set(losses) == set(expected)
        for name, value in expected.items():
            np.testing.assert_allclose(losses[name], value, rtol=1e-5, err_msg=name)


def test_predict_translates_a_to_b():
    model = traced_model()
    a, _ = tiny_images()
    np.testing.assert_allclose(model.predict(a, verbose=0), model.generator_ab(a), atol=1e-5)
    assert model.predict(tiny_pairs(), verbose=0).shape == a.shape


def test_summary_counts_all_networks():
    lines = []
    traced_model().summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert all(n in text for n in ("resnet_generator", "patchgan", "pool_a", "Total params"))


def test_callbacks_of_keras_work(tmp_path):
    model = traced_model()
    model.fit(
        tiny_pairs(),
        epochs=3,
        verbose=0,
        validation_data=tiny_pairs(),
        callbacks=[
            keras.callbacks.EarlyStopping("val_cycle_a", mode="min", patience=0, min_delta=1e3),
            keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras"),
        ],
    )
    assert (tmp_path / "1.keras").exists()
    assert not (tmp_path / "3.keras").exists()


def test_steps_per_execution():
    model = tiny_model(compiled=False, lambda_identity=0.0)
    model.compile(steps_per_execution=3)
    model.fit(tiny_pairs(), epochs=1, verbose=0)
    assert int(model.generator_optimizer.iterations) == 6


@pytest.mark.parametrize("adversarial", ["vanilla", "wgangp"])
def test_other_objectives_train(adversarial):
    model = tiny_model(adversarial=adversarial, lambda_identity=0.0)
    a, b = tiny_images(1)
    for _ in range(3):
        assert np.isfinite(list(model.train_on_batch(a, b, return_dict=True).values())).all()


@pytest.mark.parametrize("settings", [{"adversarial": "wgangp"}, {"remat": True}])
def test_fine_discriminators_train_save_and_load(settings, tmp_path):
    networks = paper_networks(
        SHAPE, base_filters=4, blocks=1, strided_layers=1, fine_discriminators="both"
    )
    model = CycleGAN(**networks, image_shape=SHAPE, pool_size=3, lambda_identity=0.0, **settings)
    model.compile()
    a, b = tiny_images(1)
    for _ in range(2):
        assert np.isfinite(list(model.train_on_batch(a, b, return_dict=True).values())).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    image = tf.constant(a)  # Keras 3.10 warns if a loaded network is given an array
    np.testing.assert_array_equal(loaded.discriminator_a(image), model.discriminator_a(image))


def test_identity_0_is_neither_computed_nor_logged():
    a, b = tiny_images(1)
    losses = tiny_model(lambda_identity=0.0).train_on_batch(a, b, return_dict=True)
    assert set(losses) == {"d_a", "g_ab", "cycle_a", "d_b", "g_ba", "cycle_b"}


@pytest.mark.parametrize(
    ("package", "program"),
    [("", "import cyclegan_tf, keras"), ("", "import keras, cyclegan_tf"),
     # Its package is imported while Python looks for the module to run.
     ("import cyclegan_tf", "import keras")],
)  # fmt: skip
def test_a_saved_model_loads_in_a_fresh_process_without_custom_objects(package, program, tmp_path):
    import subprocess
    import sys

    model = tiny_model()
    model.save(tmp_path / "x.keras")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "__init__.py").write_text(package)
    (tmp_path / "other" / "program.py").write_text(
        f"{program}\nprint(type(keras.saving.load_model('x.keras')).__name__)"
    )
    output = subprocess.run(
        [sys.executable, "-m", "other.program"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert output.split()[-1] == "CycleGAN"


def test_uncompiled_models_save_and_load(tmp_path):
    model = tiny_model(compiled=False, lambda_a=3.0, adversarial="vanilla")
    model.save(tmp_path / "x.keras")
    again = keras.saving.load_model(tmp_path / "x.keras")
    config, expected = again.get_config(), model.get_config()
    for name in ("lambda_a", "adversarial", "image_shape", "pool_size", "seed"):
        assert config[name] == expected[name]


def test_one_seed_gives_one_run():
    def losses():
        model = tiny_model(compiled=False, lambda_identity=0.0)
        model.compile(run_eagerly=True)
        return [
            model.train_on_batch(a, b, return_dict=True)["g_ab"] for a, b in tiny_pairs(count=7)
        ]

    assert losses() == losses()


@pytest.mark.parametrize(
    ("optimizer", "run_eagerly"), [(keras.optimizers.SGD, True), (Adam, False)]
)
def test_two_replicas_train_as_one_with_twice_the_batch(optimizer, run_eagerly):
    """Ten steps in float64, where no rounding tips a ReLU over; the replicas with `remat`.

    SGD tells a sum of gradients from a mean, as Adam does not.
    """
    images = tiny_images(20)
    keras.config.set_dtype_policy("float64")

    def trained(strategy, **arguments):
        with strategy.scope():
            model = tiny_model(compiled=False, pool_size=0, **arguments)
            model.compile(optimizer(1e-3), optimizer(1e-3), run_eagerly=run_eagerly)
        pairs = tf.data.Dataset.from_tensor_slices(tuple(images)).batch(2)
        history = model.fit(pairs, epochs=1, verbose=0).history
        return model.get_weights(), history

    one, history_one = trained(tf.distribute.OneDeviceStrategy("CPU:0"))
    two, history_two = trained(two_replicas(), remat=True)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-8)
    for name, values in history_one.items():
        np.testing.assert_allclose(values, history_two[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "run_eagerly"),
    [({}, False), ({"lambda_identity": 0.0, "adversarial": "wgangp"}, True)],
)
def test_remat_trains_the_same(arguments, run_eagerly):
    keras.config.set_dtype_policy("float64")
    a, b = tiny_images(1)

    def weights(remat):
        model = tiny_model(compiled=False, remat=remat, **arguments)
        model.compile(run_eagerly=run_eagerly)
        for _ in range(3):
            model.train_on_batch(a, b)
        return model.get_weights()

    for plain, again in zip(weights(False), weights(True), strict=True):
        np.testing.assert_allclose(again, plain, atol=1e-8)


def test_remat_refuses_networks_that_give_something_else_the_second_time():
    networks = [resnet_generator(base_filters=4, blocks=1, dropout=0.5) for _ in range(2)]
    networks += [patchgan(base_filters=4, strided_layers=1) for _ in range(2)]
    with pytest.raises(ValueError, match="remat=True"):
        CycleGAN(*networks, image_shape=SHAPE, remat=True)


def test_accumulated_gradients_train_as_a_batch_does():
    """Four images at once, and four steps for one change of the weights; in float64."""
    keras.config.set_dtype_policy("float64")
    a, b = tiny_images(8)

    def trained(batch_size, **settings):
        model = tiny_model(compiled=False, pool_size=0)
        model.compile(Adam(1e-3, **settings), Adam(1e-3, **settings))
        model.fit(a, b, batch_size=batch_size, shuffle=False, verbose=0)
        return model.get_weights()

    for one, other in zip(trained(4), trained(1, gradient_accumulation_steps=4), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)


def test_the_pool_draws_anew_while_gradients_accumulate():
    model = tiny_model(compiled=False)
    model.compile(*(Adam(gradient_accumulation_steps=4) for _ in range(2)))
    seeds = []
    for a, b in tiny_pairs(count=3):
        seeds.append(model._seed("pool_a").numpy().tolist())
        model.train_on_batch(a, b)
    assert len({tuple(seed) for seed in seeds}) == 3


def test_accumulation_that_cannot_work_is_refused():
    model = tiny_model(compiled=False)
    with pytest.raises(ValueError, match=r"as many steps.*\[1, 2\]"):
        model.compile(Adam(), Adam(gradient_accumulation_steps=2))
    with two_replicas().scope():
        model = tiny_model(compiled=False)
        with pytest.raises(ValueError, match="under MirroredStrategy"):
            model.compile(*(Adam(gradient_accumulation_steps=2) for _ in range(2)))


def test_averages_reach_as_far_where_gradients_accumulate():
    """Of the command line's options: four images at once, and four steps for one change."""
    images = tiny_images(4)

    def average(batch_size, steps):
        options = resolve(
            "scenes", preset="demo", image_size=32, base_filters=4, blocks=1, strided_layers=1,
            precision="float32", pool_size=0, gradient_accumulation_steps=steps, ema_momentum=0.5,
        )  # fmt: skip
        model = compiled_model(options, SHAPE)
        model.run_eagerly = True
        model.fit(*images, batch_size=batch_size, shuffle=False, verbose=0)
        return model.generator_optimizer.ema_momentum

    assert average(4, 1) == 0.5
    assert average(1, 4) ** 4 == pytest.approx(0.5)


def test_networks_that_end_in_half_precision_train():
    keras.config.set_dtype_policy("mixed_bfloat16")

    def generator():
        return keras.Sequential([keras.Input(SHAPE), keras.layers.Conv2D(3, 3, padding="same")])

    discriminators = [patchgan(base_filters=4, strided_layers=1) for _ in range(2)]
    for adversarial in ("lsgan", "wgangp"):
        model = CycleGAN(
            generator(), generator(), *discriminators,
            image_shape=SHAPE, pool_size=0, adversarial=adversarial,
        )  # fmt: skip
        model.compile()
        assert np.isfinite(
            list(model.train_on_batch(*tiny_images(1), return_dict=True).values())
        ).all()


def test_batches_of_unknown_size_beside_known_ones_train():
    a, b = (tf.data.Dataset.from_tensor_slices(part) for part in tiny_images(2))
    pairs = tf.data.Dataset.zip((a.batch(1, drop_remainder=True), b.batch(1)))
    model = tiny_model(pool_size=0, lambda_identity=0.0)
    assert np.isfinite(model.fit(pairs, verbose=0).history["g_ab"]).all()


def test_keras_export_works(tmp_path):
    model = traced_model()
    model.export(tmp_path / "x", verbose=False)
    image = tiny_images(1)[0]
    loaded = tf.saved_model.load(tmp_path / "x")
    np.testing.assert_allclose(loaded.serve(image), model.translate(image), atol=1e-5)


@pytest.mark.parametrize("size", [(32, 32), (37, 50), (9, 3)])
def test_translate_takes_any_size_and_both_formats(size):
    model = traced_model()
    floats = tiny_images(2, shape=(*size, 3))[0]
    translated = model.translate(floats, "ba")
    assert translated.shape == floats.shape
    assert translated.dtype == np.float32
    whole = np.uint8(np.round((floats + 1) * 127.5))
    again = model.translate(whole, "ba")
    assert again.shape == whole.shape
    assert again.dtype == np.uint8
    np.testing.assert_allclose(again / 127.5 - 1, translated, atol=0.05)


def test_translate_is_the_generator_where_the_size_fits():
    model = traced_model()
    images = tiny_images(3)[0]
    np.testing.assert_allclose(
        model.translate(images, "ba", batch_size=2), model.generator_ba(images), atol=1e-5
    )
    np.testing.assert_allclose(
        model.translate(images[0]), model.generator_ab(images[:1])[0], atol=1e-5
    )


def test_translate_uses_the_generators_of_now():
    one, other = (resnet_generator(base_filters=2, blocks=1, seed=seed) for seed in (1, 2))
    translator = Translator({"ab": one}, SHAPE)
    image = tiny_images(1)[0]
    for generator in (one, other):
        translator.generators["ab"] = generator
        np.testing.assert_allclose(translator.translate(image), generator(image), atol=1e-5)


def test_the_networks_of_a_system_stay_what_they_were():
    """Its optimizers and its translator were made for them; Keras itself refuses others."""
    model = tiny_model(compiled=False)
    before = model.generator_ab
    with pytest.raises(ValueError, match="cannot add new elements of state"):
        model.generator_ab = resnet_generator(base_filters=2, blocks=1)
    assert model.generator_ab is before


def test_translate_takes_lists_of_different_sizes():
    model = traced_model()
    rng = np.random.default_rng(0)
    sizes = [(20, 30), (8, 9), (20, 30), (150, 100)]
    images = [rng.integers(0, 255, (*size, 3), dtype=np.uint8) for size in sizes]
    for image, translated in zip(images, model.translate(images), strict=True):
        # A single one is computed differently from those of equal size together.
        alone = model.translate(image)
        assert translated.shape == image.shape
        np.testing.assert_allclose(translated.astype(float), alone, atol=1)


def test_translate_with_a_network_of_fixed_size():
    model = CycleGAN(
        unet_generator(SHAPE, base_filters=2, halvings=3),
        unet_generator(SHAPE, base_filters=2, halvings=3),
        pixelgan(),
        pixelgan(),
        image_shape=SHAPE,
        pool_size=0,
    )
    assert model.translate(np.zeros(SHAPE, np.uint8)).shape == SHAPE
    with pytest.raises(InputError, match="only images of 32 by 32 pixels"):
        model.translate(np.zeros((40, 32, 3), np.uint8))


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((4, 4), np.uint8), r"shape .*\(4, 4\)"),
        (np.zeros((8, 8, 1), np.uint8), "3 channels"),
        (np.zeros((8, 8, 3), np.int64), "int64"),
        (np.full((8, 8, 3), 255.0), "from 255 to 255"),
        (np.full((8, 8, 3), np.nan), "from nan"),
        (np.zeros((0, 8, 3), np.uint8), "not be empty"),
    ],
)
def test_translate_says_what_is_wrong(images, message):
    with pytest.raises(InputError, match=message):
        traced_model().translate(images)


def test_translate_names_an_unknown_direction():
    with pytest.raises(InputError, match="'AtoB'"):
        traced_model().translate(np.zeros(SHAPE, np.uint8), "AtoB")


def _generator(channels=3):
    layers = [keras.Input((*SHAPE[:2], channels)), keras.layers.Conv2D(3, 3, padding="same")]
    return keras.Sequential(layers, name="of_mine")


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="of_mine")
        self.layer = keras.layers.Conv2D(3, 3, padding="same")

    def call(self, images, training=None):
        return self.layer(images)


def _of_two_images():
    inputs = [keras.Input(SHAPE), keras.Input(SHAPE)]
    return keras.Model(inputs, keras.layers.Add()(inputs), name="of_mine")


def _called(network):
    network(np.zeros((1, *SHAPE), "float32"))
    return network


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: {"generator_ab": _generator(channels=4)},
            r"'of_mine' takes images of shape \(32, 32, 4",
        ),
        (
            lambda: {"discriminator_a": _generator(channels=1)},
            r"'of_mine' takes images .*\(32, 32, 1",
        ),
        (lambda: {"generator_ab": _of_two_images()}, r"'of_mine' takes images of shape \[\("),
        (lambda: {"generator_ab": Subclassed()}, "'of_mine' has no weights yet"),
        (lambda: {"generator_ba": _called(Subclassed())}, "'of_mine' does not know the shape"),
        (lambda: {"discriminator_b": Subclassed()}, "'of_mine' has no weights yet"),
        (lambda: {"discriminator_b": _called(Subclassed())}, "'of_mine' does not know the shape"),
        (
            lambda: {"generator_ab": keras.Sequential([keras.layers.Conv2D(3, 1)], name="of_mine")},
            "'of_mine' has no weights yet",
        ),
        (lambda: dict.fromkeys(("generator_ab", "generator_ba"), _generator()), "two generators"),
        (
            lambda: dict.fromkeys(("discriminator_a", "discriminator_b"), pixelgan()),
            "two discriminators",
        ),
    ],
)
def test_networks_that_cannot_be_used_are_named(build, message):
    # Networks are built here, not where tests are collected: a process that imports this module
    # must be able to set TensorFlow's threads still.
    with pytest.raises(ValueError, match=message):
        CycleGAN(
            **{
                "generator_ab": _generator(),
                "generator_ba": _generator(),
                "discriminator_a": pixelgan(),
                "discriminator_b": pixelgan(),
                "image_shape": SHAPE,
                "pool_size": 0,
                **build(),
            }
        )


def test_files_that_cannot_hold_a_system_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"x\.h5 would be an HDF5 file"):
        tiny_model(compiled=False).save(tmp_path / "x.h5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_default_networks_follow_the_policy_of_the_model(policy):
    model = CycleGAN(image_shape=SHAPE, pool_size=1, dtype=policy)
    layers = [model.generator_ab.layers[2], model.discriminator_b.layers[2]]
    assert [layer.dtype_policy.name for layer in layers] == [policy] * 2
    assert model.pool_a.images.dtype == ("float64" if policy == "float64" else "float32")
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_shape": (0, 0, 3)}, r"integers from 1 on.*\(0, 0, 3\)"),
        ({"image_shape": (32, 32, 0)}, "integers from 1 on"),
        ({"image_shape": (32.5, 32, 3)}, "integers from 1 on"),
        ({"lambda_a": -1}, "lambda_a=-1"),
        ({"adversarial": "hinge"}, "'hinge'"),
        ({"seed": "x"}, "'x'"),
        ({"image_shape": (32, 32)}, "number of channels"),
        ({"image_shape": (30, 32, 3)}, "multiples of 4"),
        ({"image_shape": (None, None, 3)}, "turn the pool off"),
        ({"image_shape": (8, 8, 3), "strided_layers": 3}, "gives no logits"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        tiny_model(**arguments)


def test_arguments_of_another_compile_are_answered():
    with pytest.raises(
        TypeError,
        match=r"no argument optimizer, loss: .* generator_optimizer=… and discriminator_optim",
    ):
        tiny_model().compile(optimizer="adam", loss="mse")


def test_one_optimizer_for_both_is_refused():
    adam = keras.optimizers.Adam()
    with pytest.raises(ValueError, match="an optimizer each"):
        tiny_model(compiled=False).compile(adam, adam)


def test_training_images_of_another_kind_are_refused():
    model = traced_model()
    a, b = tiny_images(1)
    with pytest.raises(ValueError, match="floats in"):
        model.train_on_batch(np.uint8(a), np.uint8(b))
    with pytest.raises(ValueError, match="was built for images"):
        model.train_on_batch(*tiny_images(1, shape=(64, 64, 3)))
    with pytest.raises(ValueError, match="must come in batches"):
        model.fit(tiny_pairs().unbatch(), verbose=0)
    with pytest.raises(ValueError, match="must be a pair"):
        model.fit(a, verbose=0)


@pytest.mark.parametrize("values", [255.0, np.nan])
def test_float_images_out_of_range_are_refused(values):
    """Arrays before training; of a data set the batch that holds them, wherever it comes."""
    model = tiny_model(compiled=False)
    model.compile(run_eagerly=True)
    a, b = tiny_images(3)
    b[2, 0, 0] = values
    pairs = tf.data.Dataset.from_tensor_slices((a, b)).batch(1)
    before = model.get_weights()
    for refused in (lambda: model.fit(a, b, verbose=0), lambda: model.evaluate(a, b, verbose=0)):
        with pytest.raises(InputError, match=r"^Float images .* Received values from .* to "):
            refused()
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    good = tiny_pairs(count=1)
    for refused in (
        lambda: model.fit(pairs, verbose=0),
        lambda: model.evaluate(pairs, verbose=0),
        lambda: model.fit(good, validation_data=pairs, verbose=0),
        lambda: model.fit(good, validation_data=(a, b), verbose=0),
    ):
        with pytest.raises(InputError, match=r"^Float images .* Received values from .* to "):
            refused()
    assert int(model.generator_optimizer.iterations) == 3  # two of `pairs`, and that of `good`


def test_float_images_out_of_range_are_refused_where_several_steps_are_one_call():
    """With XLA, which leaves assertions of the step itself out, and on two replicas."""
    pairs = tf.data.Dataset.from_tensors(tuple(127.5 * tiny_images(2) + 127.5)).repeat(2)
    xla = tiny_model(compiled=False, lambda_identity=0.0)
    xla.compile(jit_compile=True, steps_per_execution=2)
    with two_replicas().scope():
        mirrored = tiny_model(lambda_identity=0.0)
    for model in (xla, mirrored):
        with pytest.raises(InputError, match="divide values from 0 to 255"):
            model.fit(pairs, verbose=0)


def test_a_third_part_of_a_training_element_is_refused():
    model = traced_model()
    a, b = tiny_images(2)
    ones = np.ones(2, "float32")
    with_weights = tf.data.Dataset.from_tensors((a, b, ones))
    for refused in (
        lambda: model.fit(a, b, sample_weight=ones, verbose=0),
        lambda: model.fit(with_weights, verbose=0),
        lambda: model.evaluate(with_weights, verbose=0),
        lambda: model.train_on_batch(a, b, sample_weight=ones),
    ):
        with pytest.raises(InputError, match="received a third part"):
            refused()
    with pytest.raises(InputError, match="class_weight has no meaning"):
        model.fit(a, b, class_weight={0: 1.0}, verbose=0)


def test_images_without_a_batch_are_refused_after_good_ones_too():
    """Keras then traces the step again, for tensors of unknown rank."""
    model = traced_model()
    a, b = tiny_images(1)
    model.fit(a, b, verbose=0)
    pairs = tf.data.Dataset.from_tensors((a[0], b[0]))
    for refused in (lambda: model.fit(a[0], b[0], verbose=0), lambda: model.fit(pairs, verbose=0)):
        with pytest.raises(InputError, match="must come in batches"):
            refused()


def test_data_sets_of_unknown_rank_train():
    def images():
        yield tuple(tiny_images(1))

    unknown = tf.TensorSpec(None, tf.float32)
    pairs = tf.data.Dataset.from_generator(images, output_signature=(unknown, unknown))
    pairs = pairs.apply(tf.data.experimental.assert_cardinality(1))
    assert np.isfinite(traced_model().fit(pairs, verbose=0).history["g_ab"]).all()


def test_the_whole_step_compiles_with_xla_and_agrees():
    """As on a TPU: no dynamic shape, no Python, the pools and their random numbers included."""
    models = []
    for jit_compile in (False, True):
        model = tiny_model(compiled=False, pool_size=2)
        rates = {"generator_optimizer": keras.optimizers.SGD(1e-3)}
        rates["discriminator_optimizer"] = keras.optimizers.SGD(1e-3)
        model.compile(**rates, jit_compile=jit_compile)
        model.fit(tiny_pairs(count=4), epochs=1, verbose=0)
        models.append(model)
    plain, compiled = models
    assert compiled.jit_compile
    for ours, theirs in zip(compiled.get_weights(), plain.get_weights()):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    np.testing.assert_allclose(compiled.pool_a.images, plain.pool_a.images, atol=1e-4)


def test_averaged_weights_are_what_fit_ends_with():
    model = tiny_model(compiled=False)
    adam = Adam(1e-3, use_ema=True, ema_momentum=0.5)
    model.compile(adam, run_eagerly=True)
    weights = []

    class Collect(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            weights.append(self.model.generator_ba.get_weights()[0])

    model.fit(tiny_pairs(count=3), verbose=0, callbacks=[Collect()])
    expected = 0.25 * weights[0] + 0.25 * weights[1] + 0.5 * weights[2]
    np.testing.assert_allclose(model.generator_ba.get_weights()[0], expected, atol=1e-7)


class DiscriminatorsFirst(CycleGAN):
    """A system whose discriminators are made, and found by Keras, before its generators."""

    def __init__(self, generator_ab, generator_ba, discriminator_a, discriminator_b, **kwargs):
        keras.Model.__init__(self)
        self.discriminator_a, self.discriminator_b = discriminator_a, discriminator_b
        super().__init__(generator_ab, generator_ba, discriminator_a, discriminator_b, **kwargs)


@pytest.mark.parametrize("optimizer", [Adam, keras.optimizers.Adam])
def test_averages_reach_the_generators_whatever_was_made_first(optimizer):
    names = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
    networks = tiny_model(compiled=False).get_config()
    networks = [keras.saving.deserialize_keras_object(networks[name]) for name in names]
    model = DiscriminatorsFirst(*networks, image_shape=SHAPE, pool_size=0)
    assert model.layers[0] is model.discriminator_a
    model.compile(optimizer(1e-3, use_ema=True, ema_momentum=0.5), Adam(), run_eagerly=True)
    ends = []

    class Collect(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            ends.append([self.model.variables_of(g) for g in ("generator", "discriminator")])
            ends[-1] = [[v.numpy() for v in variables] for variables in ends[-1]]

    model.fit(tiny_pairs(count=2), verbose=0, callbacks=[Collect()])
    (first, _), (second, discriminators) = ends
    averages = [0.5 * one + 0.5 * other for one, other in zip(first, second)]
    trained = [v.numpy() for v in model.variables_of("generator")]
    for ours, theirs in zip(trained, averages, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-7)
    trained = [v.numpy() for v in model.variables_of("discriminator")]
    for ours, theirs in zip(trained, discriminators, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_averages_of_discriminators_are_refused():
    with pytest.raises(ValueError, match="use_ema has no effect on the discriminators"):
        tiny_model(compiled=False).compile(Adam(), Adam(use_ema=True))


def test_compile_outside_the_scope_shares_the_moments():
    with two_replicas().scope():
        model = tiny_model(compiled=False, lambda_identity=0.0)
    model.compile(run_eagerly=True)  # tracing takes longer than one step
    for optimizer in (model.generator_optimizer, model.discriminator_optimizer):
        for variable in optimizer.variables:
            copies = variable.value.values
            assert [copy.device[-5:] for copy in copies] == ["CPU:0", "CPU:1"]
    model.fit(tf.data.Dataset.from_tensors(tiny_images(2)).map(tf.unstack), verbose=0)
    assert model.generator_optimizer.iterations.numpy() == 1
    moments = [v for v in model.generator_optimizer.variables if "momentum" in v.path]
    assert len(moments) > 10
    for variable in moments:
        np.testing.assert_array_equal(*variable.value.values)


def test_optimizers_of_another_scope_are_refused():
    strategy = two_replicas()
    with strategy.scope():
        inside, its_optimizers = tiny_model(compiled=False), (Adam(), Adam())
    outside = tiny_model(compiled=False)
    with pytest.raises(ValueError, match=r"same strategy\.scope"):
        inside.compile(Adam(), Adam())
    with pytest.raises(ValueError, match=r"same strategy\.scope"):
        outside.compile(*its_optimizers)
    with strategy.scope(), pytest.raises(ValueError, match=r"same strategy\.scope"):
        outside.compile()
    inside.compile(*its_optimizers)
