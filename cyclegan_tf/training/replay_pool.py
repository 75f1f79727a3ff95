"""The replay pool: a discriminator is also shown fakes that its generator made earlier."""

import keras
import tensorflow as tf

from cyclegan_tf.random_numbers import whole_numbers
from cyclegan_tf.replicas import assign_replica_values, replica_values


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ReplayPool(keras.layers.Layer):
    """Mixes the generator's latest pictures with up to `size` older ones (Shrivastava et al. 2017).

    Each picture of a batch in turn: while the pool fills, the picture is stored and returned.
    After that, with probability ½ a stored picture is returned and the new one takes its place;
    else the new one is returned and not stored (arXiv 1703.10593, 7.1).

    The pictures are kept in variables, one pool for each replica of a `tf.distribute` strategy,
    and are saved with the model. The random numbers are a function of the seed that is passed.

    Args:
        size: pictures held; 0 turns the pool off. 50 in the paper.
        picture_shape: `(height, width, channels)`, all known unless `size` is 0.
    """

    def __init__(self, size=50, picture_shape=(256, 256, 3), **kwargs):
        # Pictures are stored as they come from the generator, in float32 (or float64).
        super().__init__(**{"autocast": False, "trainable": False, **kwargs})
        if size < 0:
            raise ValueError(f"A pool holds 0 pictures or more. Received: size={size}")
        if size and None in tuple(picture_shape):
            raise ValueError(
                "A pool keeps pictures of one size, so height and width must be known; "
                "give them or turn the pool off with a size of 0. "
                f"Received: picture_shape={tuple(picture_shape)}, size={size}"
            )
        self.size = size
        self.picture_shape = tuple(picture_shape)
        self.pictures = self.count = None
        if size:
            self._add_variables()
        self.built = True

    def _add_variables(self):
        # Plain variables: `add_weight` of Keras has no argument for the synchronization.
        own_copies = {
            "trainable": False,
            "synchronization": tf.VariableSynchronization.ON_READ,
            "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
        }
        dtype = self.variable_dtype
        self.pictures = tf.Variable(
            tf.zeros((self.size, *self.picture_shape), dtype), name="pictures", **own_copies
        )
        self.count = tf.Variable(0, dtype=tf.int32, name="count", **own_copies)

    def call(self, pictures, seed):
        """Returns as many pictures as it is given, some of them older.

        Args:
            pictures: `(batch, height, width, channels)`, of the pool's picture shape.
            seed: int32 tensor of shape (2,).
        """
        if not self.size:
            return pictures
        batch = tf.shape(pictures)[0]
        coins = whole_numbers((batch,), seed, 2**24)
        slots = whole_numbers((batch,), seed + 1, self.size)
        return self.exchange(pictures, tf.cast(coins, tf.float32) / 2**24, slots)

    def exchange(self, pictures, coins, slots):
        """`call` with its random numbers given.

        Args:
            pictures: `(batch, height, width, channels)`.
            coins: `(batch,)`, uniform in [0, 1); above ½ a stored picture is returned.
            slots: `(batch,)`, int32, which of the stored pictures that would be.
        """
        # One after the other, because a picture may be exchanged for one of its own batch.
        return tf.map_fn(
            lambda each: self._exchange_one(*each),
            (tf.cast(pictures, self.pictures.dtype), coins, slots),
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec(self.picture_shape, self.pictures.dtype),
        )

    def _exchange_one(self, picture, coin, slot):
        # By resource handle, because a variable with one copy for each replica has no scatter
        # update, and writing all the pictures for the sake of one would be slow.
        handle = self.pictures.handle
        count = self.count.read_value()
        filling = count < self.size
        slot = tf.where(filling, count, slot)
        stored = tf.raw_ops.ResourceGather(resource=handle, indices=slot, dtype=picture.dtype)
        stored = tf.ensure_shape(stored, self.picture_shape)
        swap = tf.logical_and(tf.logical_not(filling), coin > 0.5)
        tf.raw_ops.ResourceScatterUpdate(
            resource=handle,
            indices=slot,
            updates=tf.where(tf.logical_or(filling, swap), picture, stored),
        )
        self.count.assign(tf.minimum(count + 1, self.size))
        return tf.where(swap, stored, picture)

    def compute_output_shape(self, input_shape):
        return input_shape

    def save_own_variables(self, store):
        for name, variable in self._variables_by_name().items():
            for replica, value in enumerate(replica_values(variable)):
                store[f"{name}_{replica}"] = value

    def load_own_variables(self, store):
        """Loads each replica's pictures; replicas beyond those that were saved start empty."""
        for name, variable in self._variables_by_name().items():
            values = []
            while (key := f"{name}_{len(values)}") in store:
                values.append(store[key])
            assign_replica_values(variable, values)

    def _variables_by_name(self):
        return {"pictures": self.pictures, "count": self.count} if self.size else {}

    def get_config(self):
        return {**super().get_config(), "size": self.size, "picture_shape": self.picture_shape}
