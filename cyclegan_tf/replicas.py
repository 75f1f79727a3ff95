"""Processes and replicas of a `tf.distribute` strategy, and the variables that each has its own of.

Where several processes train together, all of them must call what exchanges values.
"""

import numpy as np
import tensorflow as tf


def process_count(strategy=None):
    """How many processes train together; 1 but for `MultiWorkerMirroredStrategy`."""
    cluster = _cluster(strategy)
    return sum(map(cluster.num_tasks, cluster.jobs)) or 1


def process_number(strategy=None):
    """The number of this process among them, from 0; number 0, the chief, writes the files."""
    cluster = _cluster(strategy)
    if not cluster.jobs:
        return 0
    resolver = (strategy or tf.distribute.get_strategy()).cluster_resolver
    after_chief = "chief" in cluster.jobs and resolver.task_type == "worker"
    return resolver.task_id + int(after_chief)


def any_process(flags, strategy):
    """For each flag whether it is true in any process: booleans `(flags,)`, in all the same."""
    if process_count(strategy) == 1:
        return list(flags)

    @tf.function
    def summed(values):
        def of_replica():
            return tf.distribute.get_replica_context().all_reduce("SUM", values)

        return strategy.experimental_local_results(strategy.run(of_replica))[0]

    return list(summed(tf.cast(flags, tf.int32)).numpy() > 0)


def wait_for_all(strategy):
    """Returns when every process has called it."""
    any_process([False], strategy)


def replica_values(variable):
    """The value of every replica of all processes, stacked: NumPy `(replicas, ...)`."""
    strategy = _strategy_of(variable)
    if process_count(strategy) == 1:
        return np.stack([copy.numpy() for copy in _copies(variable)])

    @tf.function
    def gathered():
        def of_replica():
            own = variable.read_value()[tf.newaxis]
            return tf.distribute.get_replica_context().all_gather(own, axis=0)

        return strategy.experimental_local_results(strategy.run(of_replica))[0]

    return gathered().numpy()


def assign_replica_values(variable, values):
    """Gives each replica of this process its own of `values`, and zeros where there are fewer."""
    copies = _copies(variable)
    first = process_number(_strategy_of(variable)) * len(copies)
    for replica, copy in enumerate(copies, first):
        copy.assign(values[replica] if replica < len(values) else tf.zeros_like(copy))


def _cluster(strategy):
    """The specification of a cluster of several processes, else an empty one."""
    strategy = strategy or tf.distribute.get_strategy()
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return strategy.cluster_resolver.cluster_spec()
    return tf.train.ClusterSpec({})


def _strategy_of(variable):
    return getattr(variable, "distribute_strategy", None) or tf.distribute.get_strategy()


def _copies(variable):
    """The copies on this process's replicas; the variable itself without a strategy."""
    return getattr(variable, "values", (variable,))
