"""How long a training step takes: ours, the usual Keras code's and PyTorch's, side by side.

    python benchmarks/train_step.py [--size 256 --filters 64] [--steps 5]

One table: median seconds a step of each way, interleaved in one run, as ratios to ours in the
precision that this machine takes by default. "limit" is what the arithmetic alone would take: the
operations of the step's convolutions at the highest rate that one such convolution reaches here.
It and the usual Keras code have the threads that TensorFlow takes by itself, in separate
processes; ours have those that `cyclegan-tf train` gives them.
"""

import functools
import time

import keras
import tables
import tensorflow as tf
from usual_keras import UsualCycleGAN
from worker import Worker

from cyclegan_tf import CycleGAN, precision
from cyclegan_tf.devices import run_directions_side_by_side
from cyclegan_tf.runs.trial import seconds_by_precision
from cyclegan_tf.systems.cyclegan import paper_blocks, paper_networks


def our_step(size, filters, number_format, lambda_identity=0.5, remat=False):
    with precision.policy(number_format):
        networks = paper_networks((size, size, 3), base_filters=filters)
        model = CycleGAN(
            **networks,
            image_shape=(size, size, 3),
            lambda_identity=lambda_identity,
            remat=remat,
        )
    model.compile()
    return keras_step(model, size)


def usual_step(size, filters, number_format):
    with precision.policy(number_format):
        model = UsualCycleGAN(filters, paper_blocks((size, size, 3)))
    model.compile()
    return keras_step(model, size)


def keras_step(model, size):
    images = tf.random.stateless_uniform((2, 1, size, size, 3), (0, 0), -1, 1)
    pairs = iter(tf.data.Dataset.from_tensors((images[0], images[1])).repeat())
    model.make_train_function()
    return lambda: keras.tree.map_structure(lambda x: x.numpy(), model.train_function(pairs))


def limit(size, filters, number_format, lambda_identity=0.5):
    """Seconds that the convolutions of a step take at the machine's best rate."""
    dtype = tf.bfloat16 if number_format == "bfloat16" else tf.float32
    x = tf.cast(tf.random.stateless_normal((1, 64, 64, 256), (0, 0)), dtype)
    kernel = tf.cast(tf.random.stateless_normal((3, 3, 256, 256), (0, 0)), dtype)
    convolve = tf.function(lambda: tf.nn.conv2d(x, kernel, 1, "SAME"), jit_compile=False)
    convolve()
    seconds = []
    for _ in range(10):
        begin = time.perf_counter()
        convolve().numpy()
        seconds.append(time.perf_counter() - begin)
    rate = 2 * 64 * 64 * 9 * 256 * 256 / min(seconds)
    networks = paper_networks((size, size, 3), base_filters=filters)
    generator = operations(networks["generator_ab"], size)
    discriminator = operations(networks["discriminator_a"], size)
    # A call costs its operations once forward, once for the input and once for the kernels, but
    # the kernels of discriminators have no part in the generators' step, nor the first image's
    # gradient in any.
    calls = 2 * (3 if lambda_identity else 2)
    return (3 * calls * generator + 2 * 2 * discriminator + 3 * 4 * discriminator) / rate


def operations(network, size):
    """Of the convolutions of one call on one image."""
    model = keras.models.clone_model(network, input_tensors=keras.Input((size, size, 3)))
    return sum(operations_of(layer) for layer in model.layers)


def operations_of(layer):
    """Of a convolution, forward; 0 of any other layer."""
    if isinstance(layer, keras.layers.Conv2DTranspose):
        _, rows, columns, _ = layer.input.shape
    elif isinstance(layer, keras.layers.Conv2D):
        _, rows, columns, _ = layer.output.shape
    else:
        return 0
    return 2 * rows * columns * int(tf.size(layer.kernel))


def limit_step(size, filters, number_format):
    """For a `Worker`, whose threads are those that TensorFlow takes by itself."""
    return lambda: limit(size, filters, number_format)


def auto_precision(size, filters):
    """What `cyclegan-tf train` takes for such a run."""
    measure = functools.partial(seconds_by_precision, filters, size)
    return precision.choose("auto", measure)[0]


def torch_steps(size, filters, blocks):
    """PyTorch's two ways, if it is installed."""
    try:
        from torch_step import TorchStep
    except ImportError:
        return {}
    return {
        "PyTorch, float32": TorchStep(size, filters, blocks),
        "PyTorch, bfloat16, channels last": TorchStep(size, filters, blocks, bfloat16=True),
    }


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=256, help="of the images, in pixels")
    parser.add_argument("--filters", type=int, default=64, help="of the first layers")
    parser.add_argument("--steps", type=int, default=5, help="of each way, after one to warm up")
    parser.add_argument("--only", default="", help="ways whose names hold this")
    arguments = parser.parse_args()
    if arguments.only and arguments.results:
        parser.error("--only measures a part of the table; --results keeps complete ones")
    size, filters = arguments.size, arguments.filters
    run_directions_side_by_side()  # as `cyclegan-tf train` does
    chosen = auto_precision(size, filters)
    others = [
        Worker("train_step", way, size, filters, chosen)
        for way in ("usual_step", "our_step", "limit_step")
    ]
    ways = {
        f"ours, {chosen}": our_step(size, filters, chosen),
        **({} if chosen == "float32" else {"ours, float32": our_step(size, filters, "float32")}),
        f"ours, {chosen}, identity 0": our_step(size, filters, chosen, lambda_identity=0.0),
        f"ours, {chosen}, remat": our_step(size, filters, chosen, remat=True),
        f"usual Keras code, {chosen}": others[0],
        f"ours with TensorFlow's threads, {chosen}": others[1],
        f"usual Keras code with our threads, {chosen}": usual_step(size, filters, chosen),
        **torch_steps(size, filters, paper_blocks((size, size, 3))),
    }
    ways = {name: way for name, way in ways.items() if arguments.only in name}
    seconds = tables.interleaved(ways, arguments.steps)
    seconds["limit of the arithmetic"] = others[2]()
    for other in others:
        other.close()
    benchmark = tables.sized("train_step", arguments)
    tables.publish(tables.with_ratios(seconds), arguments, benchmark, chosen)


if __name__ == "__main__":
    main()
