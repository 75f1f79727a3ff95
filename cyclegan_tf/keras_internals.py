"""Private parts of Keras and TensorFlow that this package relies on.

`tests/test_keras_internals.py` fails with a release that lacks one of these. In addition,
`System` overrides `keras.Model._maybe_symbolic_build` and
looks for `_use_cached_eval_dataset` among the arguments of `evaluate`.
"""

import functools

import keras


def is_plain_functional(model):
    """Whether a model computes its graph of layers, without a `call` of its own."""
    return type(model).call.__qualname__ == "Functional.call"


def run_graph(model, inputs, replace):
    """The outputs of a model for `inputs`, with `replace(operation)` called for each operation.

    The model is a functional or a built Sequential one.
    """
    if isinstance(model, keras.Sequential):
        model = model._functional
    return model._run_through_graph(inputs, operation_fn=replace)


@functools.cache
def computes_impossible_shapes():
    """Whether Keras computes a shape where a convolution has no output, as it did at 3.10."""
    try:
        keras.layers.Conv2D(1, 4, name="probe").compute_output_shape((1, 3, 3, 1))
    except ValueError:
        return False
    return True


def operation_before(tensor):
    """The layer or operation that a symbolic tensor comes from."""
    return tensor._keras_history.operation


def node_before(tensor):
    """The use of that operation that the tensor comes from.

    It has its `operation`, `input_tensors` and `outputs`.
    """
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def nodes_of(operation):
    """The uses of a layer or operation in all graphs, each with its `input_tensors`."""
    return operation._inbound_nodes


def step_counter(optimizer):
    """The optimizer's step counter that schedules get; it counts accumulating steps too."""
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def has_schedule(optimizer):
    """Whether an optimizer's learning rate is a schedule."""
    return isinstance(schedule_of(optimizer), keras.optimizers.schedules.LearningRateSchedule)


def schedule_of(optimizer):
    """The learning rate of an optimizer as it was given: a number's variable, or a schedule."""
    return optimizer._learning_rate


def moments_of(adam, variable):
    """The variables of both moments of Keras's Adam for a variable."""
    index = number_of_variable(adam, variable)
    return adam._momentums[index], adam._velocities[index]


def number_of_variable(optimizer, variable):
    """The place of a variable among those that the optimizer was built with."""
    return optimizer._get_variable_index(variable)


def averaged_variables(optimizer):
    """The variables that an optimizer changes, in the order of its moving averages."""
    return optimizer._trainable_variables


def moving_averages(optimizer):
    """The moving averages of those variables, of an optimizer with `use_ema`."""
    return optimizer._model_variables_moving_average


def handle_of(variable):
    """The resource of a variable: a Keras variable, or a TensorFlow one as in replicas."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def seed_states(model):
    """The states of random layers, such as Dropout; Keras does not save them."""
    return [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]


def is_default_strategy(strategy):
    """Whether a `tf.distribute` strategy is TensorFlow's default one."""
    return type(strategy).__name__ == "_DefaultDistributionStrategy"
