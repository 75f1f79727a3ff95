"""Weights kept small, as the first Wasserstein GAN keeps its critic (arXiv 1701.07875)."""

import tensorflow as tf


def clip_weights(variables, limit):
    """Clips each weight to [-limit, limit]; called in each replica, under any strategy."""

    def clipped(variable):
        variable.assign(tf.clip_by_value(variable, -limit, limit))

    def together(strategy):
        for variable in variables:
            strategy.extended.update(variable.value, clipped, group=False)

    tf.distribute.get_replica_context().merge_call(together)
