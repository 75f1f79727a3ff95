"""A generator whose normalizations add up in float16, as GPUs of phones do: what comes out.

    python benchmarks/float16_sums.py [RUN] [--direction ab] [--size 512]

One table: the means of an image in one sum or row by row, of the network as it was trained or
with its convolutions rescaled as in a .tflite; the image is of saturated colors. Sums are
rounded to float16, where more than 65504 is infinite, before they are divided. Without a run's
folder the weights are random.
"""

import keras
import numpy as np
import tables
import tensorflow as tf

from cyclegan_tf import InstanceNormalization, resnet_generator
from cyclegan_tf.exporting.tflite.equalization import equalized
from cyclegan_tf.metrics import psnr
from cyclegan_tf.precision import in_precision
from cyclegan_tf.runs.load import load


def _mean(x, axes):
    """Of float16; the sum is stored in float16, which is where it overflows."""
    count = tf.cast(tf.reduce_prod(tf.gather(tf.shape(x), axes)), tf.float16)
    total = tf.cast(tf.reduce_sum(tf.cast(x, tf.float32), axes, keepdims=True), tf.float16)
    return total / count


class InFloat16(InstanceNormalization):
    """With every step rounded to float16; `stages` are the axes that are averaged in turn."""

    stages = ((1, 2),)

    def call(self, inputs):
        x = tf.cast(inputs, tf.float16)
        mean = self._averaged(x)
        variance = self._averaged(tf.square(x - mean))
        epsilon = tf.constant(self.epsilon, tf.float16)
        outputs = (x - mean) * tf.math.rsqrt(variance + epsilon)
        return tf.cast(outputs, tf.float32)

    def _averaged(self, x):
        for axes in self.stages:
            x = _mean(x, axes)
        return x


class InStages(InFloat16):
    stages = ((2,), (1,))


def replaced(network, layer_class):
    def clone(layer):
        to = layer_class if isinstance(layer, InstanceNormalization) else type(layer)
        return to.from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=clone)
    copy.set_weights(network.get_weights())
    return copy


def saturated(size):
    """Large areas of pure colors, each channel at -1 or 1."""
    colors = np.random.default_rng(0).choice([-1.0, 1.0], (1, 4, 4, 3))
    return np.float32(colors.repeat(size // 4, axis=1).repeat(size // 4, axis=2))


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("run", nargs="?", help="folder of a run or a .keras file")
    parser.add_argument("--direction", default="ab", choices=["ab", "ba"])
    parser.add_argument("--size", type=int, default=512, help="of the image, in pixels")
    arguments = parser.parse_args()
    if arguments.run:
        network = in_precision(load(arguments.run).generators[arguments.direction], "float32")
    else:
        network = resnet_generator(seed=0)
    image = saturated(arguments.size)
    expected = network(image, training=False).numpy()
    rows = []
    for weights, net in (("as trained", network), ("rescaled", equalized(network))):
        for sums, layer_class in (("of the image", InFloat16), ("row by row", InStages)):
            outputs = replaced(net, layer_class)(image, training=False).numpy()
            broken = int((~np.isfinite(outputs)).sum())
            decibels = "" if broken else round(float(psnr(outputs, expected, 2)[0]), 1)
            rows.append({"weights": weights, "sums": sums, "NaN": broken, "dB": decibels})
    benchmark = f"float16_sums {arguments.size}px {arguments.run or 'random weights'}"
    tables.publish(rows, arguments, benchmark)


if __name__ == "__main__":
    main()
