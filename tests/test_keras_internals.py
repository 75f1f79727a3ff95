"""The installed Keras and TensorFlow still have what the package relies on without a promise."""

import keras
import tensorflow as tf

from cyclegan_tf import keras_internals


def _model():
    inputs = keras.Input((4,))
    hidden = keras.layers.Dense(3, name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dropout(0.5, seed=1)(hidden))


def test_graphs_of_layers():
    class Own(keras.Model):
        def call(self, inputs):
            return super().call(inputs)

    model = _model()
    assert keras_internals.is_plain_functional(model)
    assert not keras_internals.is_plain_functional(Own(model.inputs, model.outputs))
    dropout = model.layers[-1]
    assert keras_internals.operation_before(dropout.output) is dropout
    assert keras_internals.operation_before(dropout.input).name == "hidden"
    (node,) = keras_internals.nodes_of(dropout)
    assert node is keras_internals.node_before(dropout.output)
    assert node.input_tensors[0] is dropout.input
    assert node.operation is dropout
    assert node.outputs[0] is dropout.output


def test_graphs_are_run_with_other_operations():
    model = _model()
    for kind in (model, keras.Sequential(model.layers)):
        zeros = keras_internals.run_graph(
            kind, keras.ops.ones((1, 4)), lambda layer: lambda x, **call: 0 * x
        )
        assert zeros.shape == (1, 4)
        assert not keras.ops.any(zeros)


def test_random_layers():
    model = _model()
    (state,) = keras_internals.seed_states(model)
    before = state.numpy().tolist()
    model(tf.ones((1, 4)), training=True)
    assert state.numpy().tolist() != before


def test_optimizers():
    adam = keras.optimizers.Adam(use_ema=True, gradient_accumulation_steps=2)
    kernel = keras.Variable([1.0, 2.0])
    adam.build([kernel])
    adam.apply([tf.constant([0.5, 0.5])], [kernel])
    assert int(adam.iterations) == 0  # only accumulated so far
    assert int(keras_internals.step_counter(adam)) == 1
    scaled = keras.optimizers.LossScaleOptimizer(adam)
    assert keras_internals.step_counter(scaled) is keras_internals.step_counter(adam)
    adam.apply([tf.constant([0.5, 0.5])], [kernel])
    first, second = keras_internals.moments_of(adam, kernel)
    assert tf.reduce_all(first > 0)
    assert tf.reduce_all(second > 0)
    assert keras_internals.averaged_variables(adam) == [kernel]
    assert keras_internals.number_of_variable(adam, kernel) == 0
    plain = tf.Variable(1.0)
    assert keras_internals.handle_of(plain) is plain.handle
    assert keras_internals.handle_of(kernel) is kernel.value.handle


def test_strategies():
    assert keras_internals.is_default_strategy(tf.distribute.get_strategy())
    mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert not keras_internals.is_default_strategy(mirrored)


def test_the_hook_that_systems_override():
    """Under another name the override would be dead code, and training of several workers fail."""
    assert callable(keras.Model._maybe_symbolic_build)
