"""Rematerialization (gradient checkpointing): activations are recomputed, not stored.

Chen et al. 2016, arXiv 1604.06174, with an entire network as a segment. `tf.recompute_grad` may
recompute several calls at once, when their gradients are ready. Here each waits for the one
before, so that only one network's activations are in memory at a time.
"""

import tensorflow as tf


def rematerialize(network, images):
    """`network(images, training=True)`, whose activations are recomputed for its gradient.

    Args:
        network: a deterministic Keras model; see `layers.acts_per_image`.
        images: `(batch, height, width, channels)`.

    Returns:
        The network's output, or outputs.
    """

    @tf.custom_gradient
    def call(images):
        last = _of_last_call()
        outputs = network(_after(images, last), training=True)
        last[:] = tf.nest.flatten(outputs)

        def gradient(*upstream, variables=()):
            last = _of_last_call()
            with tf.GradientTape() as tape:
                again = _after(images, [*upstream, *last])
                tape.watch(again)
                outputs = network(again, training=True)
            of_images, *of_variables = tape.gradient(
                outputs,
                [again, *variables],
                tf.nest.pack_sequence_as(outputs, upstream),
                unconnected_gradients=tf.UnconnectedGradients.ZERO,
            )
            # The gradient of the images is computed only if it is needed.
            last[:] = of_variables or [of_images]
            return (of_images, of_variables) if variables else of_images

        return outputs, gradient

    return call(images)


def _after(images, tensors):
    """`images`, delayed until these are computed. XLA ignores `tf.control_dependencies`."""
    if not tensors:
        return images
    firsts = [tf.cast(tf.reshape(tensor, (-1,))[:1], tf.float32) for tensor in tensors]
    first = tf.reduce_max(tf.concat(firsts, 0))
    # A zero that compilers cannot fold: the number may be NaN.
    zero = tf.where(first == first, 0.0, float("nan"))
    return images + tf.cast(zero, images.dtype)


def _of_last_call():
    """The result of the last call in the graph being traced; the next call waits for it."""
    if tf.executing_eagerly():
        return []
    # One graph may hold several replicas, which do not wait for each other.
    replica = tf.distribute.get_replica_context().replica_id_in_sync_group
    number = replica if isinstance(replica, int) else 0
    graph = tf.compat.v1.get_default_graph()
    return graph.get_collection_ref(f"cyclegan_tf_rematerialized_{number}")
