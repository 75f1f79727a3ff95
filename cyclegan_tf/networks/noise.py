"""Dropout that stays on at test: the noise of pix2pix."""

import keras
import tensorflow as tf

from cyclegan_tf.random_numbers import fold_in, random_integers


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class NoiseDropout(keras.layers.Dropout):
    """Dropout that is also on at test, where each image that is translated draws it anew.

    Pix2pix has no other noise: "we provide noise only in the form of dropout, applied on several
    layers of our generator at both training and test time" (Isola et al. 2017, arXiv 1611.07004,
    3.1). Two translations of one image therefore differ; after
    `keras.utils.set_random_seed` a new model repeats them.

    In training it draws by the random state of the layer, which is part of a checkpoint, and by
    the replica. At test it draws by an operator that leaves that state as it is, and that TFLite
    and ONNX have too, so that exported models draw as well.
    """

    def call(self, inputs, training=False):
        if not self.rate:
            return inputs
        shape = tf.shape(inputs)
        if training:
            replica = tf.distribute.get_replica_context().replica_id_in_sync_group
            seed = fold_in(tf.cast(self.seed_generator.next(), tf.int32), replica)
            drawn = tf.cast(random_integers(shape, seed, 2**24), tf.float32) / 2**24
        else:
            drawn = tf.random.uniform(shape, dtype=tf.float32)
        kept = tf.cast(drawn >= self.rate, inputs.dtype)
        return inputs * kept / tf.constant(1 - self.rate, inputs.dtype)


def draws_noise(network):
    """Whether two translations of one image by a network differ."""
    return any(
        draws_noise(layer)
        if isinstance(layer, keras.Model)
        else isinstance(layer, NoiseDropout) and layer.rate
        for layer in network.layers
    )


def without_noise(network):
    """A copy of a functional network that draws nothing, to compare it with other computations."""

    def copied(layer):
        if isinstance(layer, keras.Model):
            return keras.models.clone_model(layer, clone_function=copied)
        config = layer.get_config()
        if isinstance(layer, NoiseDropout):
            config["rate"] = 0.0
        return type(layer).from_config(config)

    copy = keras.models.clone_model(network, clone_function=copied)
    copy.set_weights(network.get_weights())
    return copy
