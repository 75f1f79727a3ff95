"""What Keras and TensorFlow have and do not promise, and this package leans on.

`tests/test_keras_internals.py` fails with a release that lacks one of these. Beside them
`System` overrides `keras.Model._maybe_symbolic_build` and
looks for `_use_cached_eval_dataset` among the arguments of `evaluate`.
"""

import keras


def is_plain_functional(model):
    """Whether a model computes what its graph of layers says, and has no `call` of its own."""
    return type(model).call.__qualname__ == "Functional.call"


def operation_before(tensor):
    """The layer or operation that a symbolic tensor is an output of."""
    return tensor._keras_history.operation


def node_before(tensor):
    """The one use of that operation, with its `input_tensors`, that the tensor comes from."""
    history = tensor._keras_history
    return history.operation._inbound_nodes[history.node_index]


def nodes_of(operation):
    """The uses of a layer or operation in all graphs, each with its `input_tensors`."""
    return operation._inbound_nodes


def step_counter(optimizer):
    """The variable by which a schedule is asked; it counts accumulating steps too."""
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def moments_of(adam, variable):
    """The variables of both moments that Keras's Adam keeps for a variable."""
    index = adam._get_variable_index(variable)
    return adam._momentums[index], adam._velocities[index]


def averaged_variables(optimizer):
    """The variables that an optimizer changes, in the order of its moving averages."""
    return optimizer._trainable_variables


def handle_of(variable):
    """The resource of a variable, Keras's or TensorFlow's own, which Keras passes on replicas."""
    return (variable.value if isinstance(variable, keras.Variable) else variable).handle


def seed_states(model):
    """The states of random layers, such as Dropout, which Keras does not save."""
    return [v for v in model.non_trainable_variables if v.path.endswith("seed_generator_state")]


def is_default_strategy(strategy):
    """Whether a `tf.distribute` strategy is the one that is there without any."""
    return type(strategy).__name__ == "_DefaultDistributionStrategy"
