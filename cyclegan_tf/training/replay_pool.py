"""The replay pool: a discriminator is also shown fakes that its generator made earlier."""

import keras
import tensorflow as tf

from cyclegan_tf.random_numbers import random_integers
from cyclegan_tf.replicas import assign_replica_values, replica_values


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class ReplayPool(keras.layers.Layer):
    """Mixes the generator's latest images with up to `size` older ones (Shrivastava et al. 2017).

    The images of a batch are processed in turn. While the pool fills, an image is stored and
    returned. After that, with probability ½ a stored image is returned and replaced by the new
    one; else the new one is returned and not stored (arXiv 1703.10593, 7.1).

    The images are kept in variables, one pool for each replica of a `tf.distribute` strategy,
    and are saved with the model. The random numbers are a function of the given seed.

    Args:
        size: images held; 0 turns the pool off. 50 in the paper.
        image_shape: `(height, width, channels)`, all known unless `size` is 0.
        half_history: do without the coin, as SimGAN's own form does: the first half of a batch,
            rounded up, is returned as it is and not stored; each image of the second half is
            exchanged for a stored one.
    """

    def __init__(self, size=50, image_shape=(256, 256, 3), *, half_history=False, **kwargs):
        # Images are stored as they come from the generator, in float32 (or float64).
        super().__init__(**{"autocast": False, "trainable": False, **kwargs})
        if size < 0:
            raise ValueError(f"A pool holds 0 images or more. Received: size={size}")
        if size and None in tuple(image_shape):
            raise ValueError(
                "A pool keeps images of one size, so height and width must be known; "
                "give them or turn the pool off with a size of 0. "
                f"Received: image_shape={tuple(image_shape)}, size={size}"
            )
        self.size = size
        self.image_shape = tuple(image_shape)
        self.half_history = bool(half_history)
        self.images = self.count = None
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
        self.images = tf.Variable(
            tf.zeros((self.size, *self.image_shape), dtype), name="images", **own_copies
        )
        self.count = tf.Variable(0, dtype=tf.int32, name="count", **own_copies)

    def call(self, images, seed):
        """Returns a batch of the same size in which some images are from earlier steps.

        Args:
            images: `(batch, height, width, channels)`, of the pool's image shape.
            seed: int32 tensor of shape (2,).
        """
        if not self.size:
            return images
        batch = tf.shape(images)[0]
        slots = random_integers((batch,), seed + 1, self.size)
        if self.half_history:
            return self._with_half_of_history(images, slots)
        coins = random_integers((batch,), seed, 2**24)
        return self.exchange(images, tf.cast(coins, tf.float32) / 2**24, slots)

    def _with_half_of_history(self, images, slots):
        older = tf.shape(images)[0] // 2
        latest = tf.shape(images)[0] - older
        shown = self.exchange(images[latest:], tf.ones((older,)), slots[latest:])
        mixed = tf.concat([tf.cast(images[:latest], shown.dtype), shown], 0)
        return tf.ensure_shape(mixed, images.shape)

    def exchange(self, images, coins, slots):
        """`call` with its random numbers given.

        Args:
            images: `(batch, height, width, channels)`.
            coins: `(batch,)`, uniform in [0, 1); above ½ a stored image is returned.
            slots: `(batch,)`, int32, the index of that stored image.
        """
        # One by one, because an image may be exchanged for one of its own batch.
        return tf.map_fn(
            lambda each: self._exchange_one(*each),
            (tf.cast(images, self.images.dtype), coins, slots),
            parallel_iterations=1,
            fn_output_signature=tf.TensorSpec(self.image_shape, self.images.dtype),
        )

    def _exchange_one(self, image, coin, slot):
        # By resource handle, because a variable with one copy per replica has no scatter update,
        # and writing all images to change one would be slow.
        handle = self.images.handle
        count = self.count.read_value()
        filling = count < self.size
        slot = tf.where(filling, count, slot)
        stored = tf.raw_ops.ResourceGather(resource=handle, indices=slot, dtype=image.dtype)
        stored = tf.ensure_shape(stored, self.image_shape)
        swap = tf.logical_and(tf.logical_not(filling), coin > 0.5)
        tf.raw_ops.ResourceScatterUpdate(
            resource=handle,
            indices=slot,
            updates=tf.where(tf.logical_or(filling, swap), image, stored),
        )
        self.count.assign(tf.minimum(count + 1, self.size))
        return tf.where(swap, stored, image)

    def compute_output_shape(self, input_shape):
        return input_shape

    def save_own_variables(self, store):
        # The keys in files stay `pictures_0`, `count_0`, …: older and newer versions read them.
        for name, variable in self._variables_by_name().items():
            for replica, value in enumerate(replica_values(variable)):
                store[f"{name}_{replica}"] = value

    def load_own_variables(self, store):
        """Loads each replica's images; replicas beyond those that were saved start empty."""
        for name, variable in self._variables_by_name().items():
            values = []
            while (key := f"{name}_{len(values)}") in store:
                values.append(store[key])
            assign_replica_values(variable, values)

    def _variables_by_name(self):
        return {"pictures": self.images, "count": self.count} if self.size else {}

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "image_shape": self.image_shape,
            "half_history": self.half_history,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        if "picture_shape" in config:  # as files of earlier versions have it
            config["image_shape"] = config.pop("picture_shape")
        return super().from_config(config)
