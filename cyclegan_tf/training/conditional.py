"""A step of an optimizer that happens only under a condition, under any strategy."""

from functools import partial

import tensorflow as tf

from cyclegan_tf.keras_internals import is_default_strategy


def apply_if(condition, optimizer, compute, variables):
    """`optimizer.apply(compute(), variables)` if the condition holds; called in each replica.

    Args:
        condition: a boolean tensor, the same in all replicas.
        optimizer: a Keras optimizer.
        compute: gives the gradients, one for each variable; not called otherwise.
        variables: those of the optimizer.
    """
    strategy = tf.distribute.get_strategy()
    if is_default_strategy(strategy) or isinstance(strategy, tf.distribute.OneDeviceStrategy):
        tf.cond(condition, lambda: _done(optimizer.apply(compute(), variables)), _nothing)
        return

    def together(strategy, condition, gradients):
        def update():
            apply = partial(optimizer.apply, trainable_variables=variables)
            strategy.extended.call_for_each_replica(apply, args=(gradients,))
            return _done()

        tf.cond(strategy.experimental_local_results(condition)[0], update, _nothing)

    # Replicas, even a single one, meet to add up their gradients, which they cannot do within a
    # `tf.cond` of each of them. So they meet first, and then the condition is that of all.
    zeros = [tf.zeros(variable.shape, variable.dtype) for variable in variables]
    gradients = tf.cond(condition, compute, lambda: zeros)
    tf.distribute.get_replica_context().merge_call(together, args=(condition, gradients))


def _done(_=None):
    return tf.constant(True)


def _nothing():
    return tf.constant(False)
