"""Processes and replicas of a `tf.distribute` strategy, and variables with one value per replica.

If several processes train together, all of them must call the functions that exchange values.
"""

import functools

import numpy as np
import tensorflow as tf


def process_count(strategy=None):
    """Number of processes that train together; 1 unless the strategy is multi-worker."""
    cluster = _cluster(strategy)
    return sum(map(cluster.num_tasks, cluster.jobs)) or 1


def process_index(strategy=None):
    """The index of this process among them, from 0; process 0, the chief, writes the files."""
    cluster = _cluster(strategy)
    if not cluster.jobs:
        return 0
    resolver = (strategy or tf.distribute.get_strategy()).cluster_resolver
    after_chief = "chief" in cluster.jobs and resolver.task_type == "worker"
    return resolver.task_id + int(after_chief)


def any_across_processes(flags, strategy):
    """For each flag, whether it is true in any process: the same booleans in all processes."""
    if process_count(strategy) == 1:
        return list(flags)
    return list(_in_replicas(strategy, _sum)(tf.cast(flags, tf.int32)).numpy() > 0)


def equal_across_processes(number, strategy):
    """Whether an integer below 2^31 is the same in all processes."""
    if process_count(strategy) == 1:
        return True
    gathered = _in_replicas(strategy, _gather)(tf.constant(number, tf.int32))
    return len(set(gathered.numpy().tolist())) == 1


def barrier(strategy):
    """Returns when every process has called it."""
    any_across_processes([False], strategy)


def replica_values(variable):
    """The value of every replica of all processes, stacked: NumPy `(replicas, ...)`."""
    strategy, copies = _strategy_of(variable), _copies(variable)
    if process_count(strategy) == 1:
        return np.stack([copy.numpy() for copy in copies])
    own = strategy.experimental_distribute_values_from_function(
        lambda context: copies[context.replica_id_in_sync_group % len(copies)].read_value()
    )
    return _in_replicas(strategy, _gather)(own).numpy()


def assign_replica_values(variable, values):
    """Gives each replica of this process its one of `values`, or zeros if there are too few."""
    copies = _copies(variable)
    first = process_index(_strategy_of(variable)) * len(copies)
    for replica, copy in enumerate(copies, first):
        copy.assign(values[replica] if replica < len(values) else tf.zeros_like(copy))


def strategy_of(variable):
    """The multi-replica strategy in whose scope a Keras variable was made, or `None`."""
    return getattr(variable.value, "distribute_strategy", None)


def of_any_share(function, images):
    """`function(images)`, even if this replica's share of a short batch has no images.

    TensorFlow's fused convolutions fail on an empty batch. `function` gets an image of zeros
    instead, and its outputs are dropped.

    Args:
        function: from images `(batch, height, width, channels)` to outputs `(batch, ...)`.
        images: this replica's.
    """
    if images.shape[0] or tf.distribute.get_strategy().num_replicas_in_sync == 1:
        return function(images)
    count = tf.shape(images)[0]
    missing = tf.cast(count == 0, tf.int32)
    some = tf.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)))
    return function(tf.ensure_shape(some, (None, *images.shape[1:])))[:count]


@functools.cache  # one trace for each shape, not for each call
def _in_replicas(strategy, function):
    """`function` compiled and run in every replica; all must give the same result."""

    @tf.function
    def compiled(value):
        return strategy.experimental_local_results(strategy.run(function, args=(value,)))[0]

    return compiled


def _sum(value):
    own = tf.identity(value)  # on the replica's device, as the reduction requires
    return tf.distribute.get_replica_context().all_reduce("SUM", own)


def _gather(value):
    return tf.distribute.get_replica_context().all_gather(value[tf.newaxis], axis=0)


def _cluster(strategy):
    """The specification of a multi-process cluster, or an empty one."""
    strategy = strategy or tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return strategy.cluster_resolver.cluster_spec()
    return tf.train.ClusterSpec({})


def _strategy_of(variable):
    return getattr(variable, "distribute_strategy", None) or tf.distribute.get_strategy()


def _copies(variable):
    """The copies on this process's replicas; the variable itself without a strategy."""
    return getattr(variable, "values", (variable,))
