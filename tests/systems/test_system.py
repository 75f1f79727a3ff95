"""The base of all systems, by two small ones that are unlike those of the package."""

import itertools
import textwrap

import keras
import numpy as np
import pytest
import tensorflow as tf
from two_replicas import two_replicas

from cyclegan_tf import InputError, System, losses
from cyclegan_tf.exporting.export import export
from cyclegan_tf.keras_internals import step_counter

SHAPE = (8, 8, 1)


def _network(name):
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, keras.layers.Conv2D(1, 1, activation="tanh")(inputs), name=name)


@keras.saving.register_keras_serializable(package="tests")
class Regression(System):
    """Two networks that learn in groups of their own, B from A, with other optimizers."""

    def __init__(self, generator_ab=None, teacher=None, *, seed=0, **kwargs):
        super().__init__(
            {
                "generator_ab": generator_ab or _network("generator_ab"),
                "teacher": teacher or _network("teacher"),
            },
            groups={"generator": ("generator_ab",), "teacher": ("teacher",)},
            loss_panels={"Distances": {"l1": "of the generator", "l1_teacher": "of the teacher"}},
            image_shapes=SHAPE,
            directions=("ab",),
            seed=seed,
            **kwargs,
        )

    def default_optimizer(self, group):
        return keras.optimizers.SGD(0.5 if group == "teacher" else 0.1)

    def train_step(self, data):
        image_a, image_b = self._images(data)
        terms = {}
        for group, name, loss in (
            ("teacher", "teacher", "l1_teacher"),
            ("generator", "generator_ab", "l1"),
        ):
            network = getattr(self, name)
            terms |= self._minimize(
                group,
                lambda network=network, loss=loss: {
                    loss: losses.l1(self._forward(network, image_a, training=True), image_b)
                },
            )
        return self._log(terms, image_a)


class EverySecond(Regression):
    """The teacher learns in every second step only, by Adam, from the second on."""

    def default_optimizer(self, group):
        return keras.optimizers.Adam(0.01)

    def train_step(self, data):
        image_a, image_b = self._images(data)
        turn = tf.equal(step_counter(self.generator_optimizer) % 2, 1)

        def distance(network, name):
            return {name: losses.l1(self._forward(network, image_a, training=True), image_b)}

        terms = self._minimize("teacher", lambda: distance(self.teacher, "l1_teacher"), turn)
        terms |= self._minimize("generator", lambda: distance(self.generator_ab, "l1"))
        return self._log(terms, image_a)


@keras.saving.register_keras_serializable(package="tests")
class BySearch(System):
    """A system that translates without a network that takes images."""

    def __init__(self, renderer=None, **kwargs):
        super().__init__(
            {"renderer": renderer or _network("renderer")},
            groups={"generator": ("renderer",)},
            loss_panels={},
            image_shapes=SHAPE,
            **kwargs,
        )

    @property
    def generators(self):
        return {}

    def translate(self, images, direction=None, batch_size=8):
        return images


def _images():
    rng = np.random.default_rng(0)
    return rng.uniform(-1, 1, (2, 4, *SHAPE)).astype(np.float32)


def test_each_group_has_its_optimizer():
    model = Regression()
    model.compile(teacher_optimizer=keras.optimizers.SGD(0.0))
    assert float(model.optimizers["teacher"].learning_rate) == 0
    assert float(model.optimizers["generator"].learning_rate) == pytest.approx(0.1)
    before = [np.array(v) for v in model.trainable_weights]
    model.train_on_batch(*_images())
    changed = [np.any(np.array(v) != old) for v, old in zip(model.trainable_weights, before)]
    assert changed == [True, True, False, False]  # the generator's come first
    with pytest.raises(TypeError, match=r"takes generator_optimizer=… and teacher_optimizer=…"):
        model.compile(discriminator_optimizer="sgd")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
@pytest.mark.parametrize("replicas", [None, 1, 2])
def test_a_group_learns_in_some_steps_only(policy, replicas):
    strategy = {
        None: tf.distribute.get_strategy,
        1: lambda: tf.distribute.MirroredStrategy(["CPU:0"]),
        2: two_replicas,
    }[replicas]()
    with strategy.scope():
        model = EverySecond(dtype=policy)
        model.compile()
        always = Regression(dtype=policy)
        always.compile(keras.optimizers.Adam(0.01), teacher_optimizer=keras.optimizers.Adam(0.01))
    always.set_weights(model.get_weights())
    data = tf.data.Dataset.from_tensor_slices(tuple(_images())).batch(4)
    weights = [np.array(model.teacher.trainable_variables[0])]
    for steps in range(1, 5):
        history = model.fit(data, verbose=0).history
        assert history["l1_teacher"][0] > 0  # in each step
        weights.append(np.array(model.teacher.trainable_variables[0]))
        assert int(step_counter(model.teacher_optimizer).numpy()) == steps // 2
    changed = [np.any(old != new) for old, new in itertools.pairwise(weights)]
    assert changed == [False, True, False, True]
    for _ in range(2):
        always.fit(data, verbose=0)
    # As two steps of an optimizer that always learns: moments know nothing of the others.
    expected = always.teacher.trainable_variables[0]
    np.testing.assert_allclose(weights[-1], expected, atol=1e-7)


def test_it_is_saved_with_both_optimizers_and_translates(tmp_path):
    model = Regression(seed=3)
    model.compile()
    image_a, image_b = _images()
    data = tf.data.Dataset.from_tensor_slices((image_a, image_b)).batch(2)
    model.fit(data, epochs=2, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.settings() == {"seed": 3, "remat": False}
    for each in (model, loaded):
        each.fit(data, epochs=1, verbose=0)
    for ours, theirs in zip(model.weights, loaded.weights):
        np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(model.translate(image_a), loaded.translate(image_a, "ab"))
    assert [title for title, _ in model.sample_columns({"a": image_a})] == ["A", "A → B"]


def test_a_system_without_translating_networks_says_that_it_has_none(tmp_path):
    model = BySearch()
    model.compile()
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.translate(_images()[0]), _images()[0])
    sentence = r"^A BySearch has no network that translates, and none to export\.$"
    for refused in (lambda: export(model, tmp_path / "out", ("ab",)), lambda: model.export("x")):
        with pytest.raises(InputError, match=sentence):
            refused()


def _of(groups=None, panels=None, directions=("ab",), network="generator_ab"):
    """A class whose author gave these to `System`."""

    class Mine(System):
        def __init__(self, generator_ab=None):
            super().__init__(
                {network: _network("x")},
                groups={"generator": (network,)} if groups is None else groups,
                loss_panels={"All": {"l1": "x"}} if panels is None else panels,
                image_shapes=SHAPE,
                directions=directions,
            )

    return Mine


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"groups": {"first": ("generator_ab",)}}, "first of the groups of Mine must be 'gener"),
        ({"groups": {"generator": "generator_ab"}}, "must be a tuple of names"),
        ({"groups": {"generator": ("x",)}}, "The group generator of Mine has no network 'x'"),
        ({"panels": {"All": ["l1"]}}, "panel of Mine must be a dictionary"),
        ({"network": "renderer"}, "'renderer', which must be an argument of its constructor"),
        ({"directions": ("ab", "ba")}, "directions ab, ba and has no network 'generator_ba'"),
    ],
)
def test_the_author_of_a_system_is_told_what_does_not_fit(given, sentence):
    with pytest.raises(TypeError, match=sentence):
        _of(**given)()


@keras.saving.register_keras_serializable(package="tests")
class JointRegression(Regression):
    """Both networks minimize one objective, of a network's two outputs."""

    def train_step(self, data):
        image_a, image_b = self._images(data)

        def compute():
            first = self._forward(self.generator_ab, image_a, training=True)
            second = self._forward(self.teacher, first, training=True)
            return {"l1": losses.l1(first, image_b), "l1_teacher": losses.l1(second, image_b)}

        return self._log(self._minimize(("teacher", "generator"), compute), image_a)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_groups_with_one_objective_share_its_gradients(policy):
    keras.config.set_dtype_policy(policy)
    model = JointRegression()
    optimizers = [keras.optimizers.SGD(0.1), keras.optimizers.SGD(0.1)]
    if policy == "mixed_float16":  # with different scales
        optimizers = [
            keras.optimizers.LossScaleOptimizer(each, initial_scale=scale)
            for each, scale in zip(optimizers, (2.0, 8.0))
        ]
    model.compile(optimizers[0], teacher_optimizer=optimizers[1])
    image_a, image_b = _images()
    variables = model.trainable_weights
    before = [np.array(v) for v in variables]
    with tf.GradientTape() as tape:
        first = model.generator_ab(image_a)
        second = model.teacher(first)
        objective = sum(
            tf.reduce_mean(tf.abs(tf.cast(x, tf.float32) - image_b)) for x in (first, second)
        )
    gradients = tape.gradient(objective, [v.value for v in variables])
    model.train_on_batch(image_a, image_b)
    for variable, old, gradient in zip(variables, before, gradients):
        np.testing.assert_allclose(
            variable, old - 0.1 * gradient, atol=1e-6 if policy == "float32" else 2e-4
        )


def test_a_network_of_several_outputs_takes_any_share():
    inputs = keras.Input((4,))
    network = keras.Model(inputs, [keras.layers.Dense(2)(inputs), inputs])
    model = Regression()
    strategy = two_replicas()

    def share(context):
        return tf.ones((3 * context.replica_id_in_sync_group, 4))  # none, and three

    @tf.function
    def both():
        shares = strategy.experimental_distribute_values_from_function(share)
        return strategy.run(lambda each: model._forward(network, each, False), args=(shares,))

    for outputs, width in zip(both(), (2, 4)):
        shapes = [tuple(each.shape) for each in strategy.experimental_local_results(outputs)]
        assert shapes == [(0, width), (3, width)]


def test_networks_that_share_a_layer_are_refused():
    inputs, shared = keras.Input(SHAPE), keras.layers.Conv2D(1, 1, name="shared")
    networks = [keras.Model(inputs, shared(inputs), name=name) for name in ("x", "y")]
    with pytest.raises(ValueError, match="generator_ab and teacher share the layer 'shared'"):
        Regression(*networks)


def test_losses_that_do_not_fit_are_named():
    model = _of()()
    model.compile()
    for computed, found in ((tf.constant(1.0), "EagerTensor"), ((1.0, {}), "float")):
        with pytest.raises(TypeError, match=f"tuple that starts with one. Received: .*{found}"):
            model._minimize("generator", lambda computed=computed: computed)
    with pytest.raises(ValueError, match="logs the losses l2; its loss_panels have l1"):
        model._log({"l2": tf.constant(1.0)}, _images()[0])


def test_steps_that_were_not_written_are_named():
    model = _of()()
    model.compile()
    with pytest.raises(NotImplementedError, match="Mine must write its `train_step`"):
        model.train_on_batch(*_images())
    with pytest.raises(NotImplementedError, match="Mine must write its `test_step`"):
        model.test_on_batch(*_images())


def test_the_example_of_the_base_trains(tmp_path):
    """The one in the docstring of `System`, as it stands there."""
    code = textwrap.dedent(System.__doc__.split("```python\n")[1].split("```")[0])
    names = {"keras": keras, "System": System, "losses": losses, "tf": tf}
    exec(code, names)
    inputs = keras.Input(SHAPE)
    judge = keras.Model(inputs, keras.layers.Conv2D(1, 3)(inputs))
    model = names["OneWayGAN"](_network("generator_ab"), judge, image_shape=SHAPE)
    model.compile()
    before = [np.array(v) for v in model.trainable_weights]
    assert set(model.train_on_batch(*_images(), return_dict=True)) == {"g", "d"}
    assert all(np.any(np.array(v) != b) for v, b in zip(model.trainable_weights, before))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.translate(_images()[0]), model.translate(_images()[0]))
