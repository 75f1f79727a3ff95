"""Measures this processor: how long part of a generator takes in a precision."""

import functools
import time

import keras
import tensorflow as tf

from cyclegan_tf import precision as precisions
from cyclegan_tf.networks.layer_factory import LayerFactory

_SECONDS = 1.2  # no new turn after this, tracing included, so that all is done in about 1.5
_MOST_OPERATIONS = 6e9  # of the convolutions of one call forward; large images are cut down


@functools.lru_cache
def seconds_by_precision(base_filters, image_size, candidates=("float32", "bfloat16")):
    """Seconds of a residual block and an upsampling of a ResNet generator, with gradients.

    The candidates take turns, because machines are noisy, and the shortest time of each counts.
    Each has up to eight turns, until 1.2 seconds have passed, and at least one after a call that
    traces. Results are cached.

    Args:
        base_filters: of the first layer of the generator.
        image_size: side of the training images, in pixels.
        candidates: precisions.

    Returns:
        A dictionary by precision.
    """
    begin = time.perf_counter()
    calls = {each: _call(each, base_filters, image_size) for each in candidates}
    for call in calls.values():
        call()  # traces, and oneDNN prepares its kernels
    seconds = dict.fromkeys(calls, float("inf"))
    for _ in range(8):
        for each, call in calls.items():
            start = time.perf_counter()
            call()
            seconds[each] = min(seconds[each], time.perf_counter() - start)
        if time.perf_counter() - begin > _SECONDS:
            break
    return seconds


def _call(precision, base_filters, image_size):
    side = max(8, image_size // 4)
    filters = 4 * base_filters
    while side > 8 and _operations(side, filters) > _MOST_OPERATIONS:
        side //= 2
    with precisions.policy(precision):
        network = _part_of_generator((side, side, filters), base_filters)
    images = tf.random.stateless_normal((1, side, side, filters), (0, 0))

    @tf.function(autograph=False, jit_compile=False)
    def step():
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_mean(tf.cast(network(images, training=True), tf.float32))
        gradients = tape.gradient(loss, [images, *network.trainable_variables])
        return tf.add_n([tf.reduce_sum(gradient) for gradient in gradients])

    return lambda: step().numpy()


def _operations(side, filters):
    return 2 * side**2 * 9 * filters**2 * 2.5


def _part_of_generator(shape, base_filters):
    make = LayerFactory(
        normalization="instance", affine=False, epsilon=1e-5, padding="torch", seed=0
    )
    inputs = x = keras.Input(shape)
    for _ in range(2):
        x = keras.layers.ReLU()(make.normalize(make.convolution(x, shape[-1], 3, reflect=1)))
    x = keras.layers.Add()([inputs, x])
    x = keras.layers.ReLU()(make.normalize(make.upsampling(x, 2 * base_filters, 3)))
    return keras.Model(inputs, x)
