"""A generator as the bytes of a .tflite, by TensorFlow's converter."""

import keras
import tensorflow as tf

from cyclegan_tf.exporting.quiet import quiet
from cyclegan_tf.networks.kernels import portable_kernels

# The signature of every file.
SIGNATURE, INPUT, OUTPUT = "serving_default", "image", "translated"


def converted(generator, size, float16=False):
    """The .tflite of a network for one image; builtin operators only.

    Args:
        generator: a Keras model in float32, from `(batch, height, width, channels)` to the same.
        size: `(height, width)`, or `(None, None)` for any that the network keeps.
        float16: keep the weights in float16; they are widened before they are used unless the
            device computes in float16.

    Returns:
        The file as bytes. Its signature `serving_default` takes `image` and gives `translated`,
        both float32 `(1, height, width, channels)` in [-1, 1].
    """
    channels = generator.input_shape[-1]
    image = keras.Input(batch_shape=(1, *size, channels), dtype="float32", name=INPUT)
    static = keras.Model(image, {OUTPUT: generator(image)}, name="static")
    with quiet(), portable_kernels():
        converter = tf.lite.TFLiteConverter.from_keras_model(static)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        if float16:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.float16]
        return converter.convert()
