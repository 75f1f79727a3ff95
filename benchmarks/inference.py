"""How long an image takes a trained generator: ours, the usual Keras code's and PyTorch's.

    python benchmarks/inference.py [--size 256 --filters 64] [--repeats 10]

One table: median seconds an image of each way, interleaved in one run.
"""

import pathlib
import tempfile

import numpy as np
import tables
import tensorflow as tf
import usual_keras
from train_step import auto_precision

from cyclegan_tf import export_saved_model, precision, resnet_generator
from cyclegan_tf.systems.cyclegan import paper_blocks
from cyclegan_tf.translation.translator import Translator


def translator(filters, blocks, number_format):
    with precision.policy(number_format):
        generator = resnet_generator(base_filters=filters, blocks=blocks, seed=0)
    return Translator({"ab": generator}, (None, None, 3))


def saved_model(model, number_format):
    """What a server runs; loaded again from disk."""
    with tempfile.TemporaryDirectory() as folder:
        path = export_saved_model(model, pathlib.Path(folder), precision=number_format)
        loaded = tf.saved_model.load(str(path))
    serve = loaded.signatures["serving_default"]
    serve.loaded = loaded  # which owns the weights
    return serve


def usual(filters, blocks, number_format):
    with precision.policy(number_format):
        model = usual_keras.generator(filters, blocks)
    return tf.function(lambda image: model(image, training=False))


def torch_ways(size, filters, blocks):
    try:
        import torch
        from torch_step import generator
    except ImportError:
        return {}
    image = torch.rand(1, 3, size, size) * 2 - 1
    network = generator(filters, blocks).eval()

    def in_float32():
        with torch.inference_mode():
            return network(image)

    faster = generator(filters, blocks).eval().to(memory_format=torch.channels_last)

    def in_bfloat16():
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return faster(image.to(memory_format=torch.channels_last))

    return {"PyTorch, float32": in_float32, "PyTorch, bfloat16, channels last": in_bfloat16}


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=256, help="of the image, in pixels")
    parser.add_argument("--filters", type=int, default=64, help="of the first layer")
    parser.add_argument("--repeats", type=int, default=10, help="images, after one to warm up")
    arguments = parser.parse_args()
    size, filters = arguments.size, arguments.filters
    blocks = paper_blocks((size, size, 3))
    chosen = auto_precision(size, filters)
    image = np.random.default_rng(0).uniform(-1, 1, (1, size, size, 3)).astype("float32")
    model, plain = translator(filters, blocks, chosen), usual(filters, blocks, chosen)
    serve, tensor = saved_model(model, chosen), tf.constant(image)
    seconds = tables.interleaved(
        {
            f"ours, translate, {chosen}": lambda: model.translate(image),
            f"ours, SavedModel, {chosen}": lambda: serve(image=tensor)["translated"].numpy(),
            f"usual Keras code, {chosen}": lambda: plain(tensor).numpy(),
            **torch_ways(size, filters, blocks),
        },
        arguments.repeats,
    )
    benchmark = tables.sized("inference", arguments)
    tables.publish(tables.with_ratios(seconds), arguments, benchmark, chosen)


if __name__ == "__main__":
    main()
