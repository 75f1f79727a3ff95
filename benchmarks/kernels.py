"""How fast each layer of the networks is, in each precision; and where a kernel falls off a cliff.

    python benchmarks/kernels.py [--sizes 64 128 256] [--dtypes float32 bfloat16]
                                 [--upsampling explicit] [--json FILE] [--results FOLDER]

One table: each distinct layer of the paper's generator and discriminator at images of 64² (32
filters, as the demo has) and of 128² and 256² (64 filters), batch 1, forward as for a translation
and with gradients as in training: milliseconds, the rate of convolutions, the ratio to float32 and
the rate's ratio to that of the best convolution of the same images. What an empty call takes is
taken off.

Then the cliffs: layers that are slower in half precision than in float32, and convolutions below
a quarter of the best one's rate, if that costs at least 3 % of a training step or of a
translation. The exit status is 1 if there are any. `--upsampling explicit` puts the padding back
that bfloat16 has no kernel for on many processors: a cliff that must be found.
"""

import statistics
import sys
import time

import keras
import machines
import tensorflow as tf
from tables import parser, publish
from train_step import operations_of

from cyclegan_tf import precision
from cyclegan_tf.networks import kernels
from cyclegan_tf.systems.cyclegan import paper_networks

FILTERS = {64: 32, 128: 64, 256: 64}  # by the size of the images
LEAST_COST = 0.03  # of the time of a step or of a translation
LEAST_RATE = 0.25  # of the rate of the best convolution
SLOWER = 1.1  # than in float32; closer ones differ by noise

# Layers are told apart by what changes their kernel.
SETTINGS = ("kernel_size", "strides", "filters", "padding", "activation")


def distinct_layers(network, size):
    """`{key: (layer, input shapes, how often it is there)}` of a network of images of one size."""
    network = keras.models.clone_model(network, input_tensors=keras.Input((size, size, 3)))
    found = {}
    for layer in network.layers:
        if isinstance(layer, keras.layers.InputLayer):
            continue
        shapes = tuple(tuple(x.shape[1:]) for x in keras.tree.flatten(layer.input))
        config = layer.get_config()
        key = (type(layer).__name__, shapes, *(str(config.get(name)) for name in SETTINGS))
        first, shapes, count = found.get(key, (layer, shapes, 0))
        found[key] = (first, shapes, count + 1)
    return found


def ways_of(layer, shapes):
    """Two functions that run a layer once: forward, and with its gradients."""
    arguments = [
        tf.cast(tf.random.stateless_normal((1, *shape), (number, 0)), layer.compute_dtype)
        for number, shape in enumerate(shapes)
    ]
    inputs = arguments if len(arguments) > 1 else arguments[0]

    training = {"training": True} if layer._call_has_training_arg else {}

    @tf.function(autograph=False, jit_compile=False)
    def forward():
        return layer(inputs)

    @tf.function(autograph=False, jit_compile=False)
    def with_gradients():
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            outputs = layer(inputs, **training)
        upstream = tf.ones_like(outputs)  # as dense as any
        gradients = tape.gradient(outputs, [*arguments, *layer.trainable_weights], upstream)
        return outputs, gradients  # else the outputs might not be computed

    return {"forward": forward, "with gradients": with_gradients}


def seconds_of(ways, repeats):
    """The median of each way; they take turns."""
    seconds = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            begin = time.perf_counter()
            way()  # returns when all is computed, on a processor
            if turn:
                seconds[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in seconds.items()}


def measured(size, dtypes, repeats):
    """Rows of all layers of both networks at one size."""
    nothing = tf.function(lambda: tf.zeros(()))
    empty = seconds_of({"empty": nothing}, 10 * repeats)["empty"]
    networks = {}
    for dtype in dtypes:
        with precision.policy(dtype):
            built = paper_networks((size, size, 3), base_filters=FILTERS[size])
        networks[dtype] = {
            "generator": built["generator_ab"],
            "discriminator": built["discriminator_a"],
        }
    rows = []
    for name in ("generator", "discriminator"):
        by_dtype = [distinct_layers(networks[dtype][name], size) for dtype in dtypes]
        for alike in zip(*(found.values() for found in by_dtype), strict=True):
            ways = {
                (dtype, kind): way
                for dtype, (layer, shapes, _) in zip(dtypes, alike)
                for kind, way in ways_of(layer, shapes).items()
            }
            seconds = seconds_of(ways, repeats)
            layer, shapes, count = alike[0]
            for (dtype, kind), value in seconds.items():
                rows.append(
                    {
                        "layer": described(layer, shapes),
                        "image": f"{size}²",
                        "network": name,
                        "count": count,
                        "precision": dtype,
                        "way": kind,
                        "seconds": max(value - empty, 1e-5),
                        "operations": operations_of(layer) * (1 if kind == "forward" else 3),
                    }
                )
    return rows


def described(layer, shapes):
    (rows, columns, channels), *_ = shapes
    kernel = getattr(layer, "kernel_size", None)
    stride = getattr(layer, "strides", (1,))[0]
    return (
        type(layer).__name__
        + (f" {kernel[0]}x{kernel[1]}" if kernel else "")
        + (f" / {stride}" if stride > 1 else "")
        + f", {rows} x {columns} x {channels}"
        + (f" → {layer.filters}" if kernel else "")
    )


def with_ratios(rows):
    """Adds to each row its ratios to float32 and to the best convolution of its precision."""
    in_float32 = {
        (row["layer"], row["image"], row["network"], row["way"]): row["seconds"]
        for row in rows
        if row["precision"] == "float32"
    }
    best = {}
    for row in rows:
        row["rate"] = row["operations"] / row["seconds"]
        key = row["image"], row["precision"], row["way"]
        best[key] = max(best.get(key, 0), row["rate"])
    for row in rows:
        same = in_float32.get((row["layer"], row["image"], row["network"], row["way"]))
        row["to float32"] = row["seconds"] / same if same else None
        row["to the best"] = row["rate"] / best[row["image"], row["precision"], row["way"]]
    return rows


def cliffs_of(rows):
    """Sentences, one for each cliff; see the top of this file. Marks the rows, too."""
    totals = {}
    for row in rows:
        if _counts(row):
            key = row["image"], row["precision"], row["way"]
            totals[key] = totals.get(key, 0) + row["count"] * row["seconds"]
    found = []
    for row in rows:
        row["cliff"] = False
        if not _counts(row):
            continue
        share = row["count"] * row["seconds"] / totals[row["image"], row["precision"], row["way"]]
        reasons = []
        slower = row["to float32"] or 1
        if slower > SLOWER and share * (1 - 1 / slower) > LEAST_COST:
            reasons.append(f"{slower:.1f} times as long as in float32")
        slow = row["operations"] and row["to the best"] < LEAST_RATE
        if slow and share * (1 - row["to the best"] / LEAST_RATE) > LEAST_COST:
            reasons.append(f"at {row['to the best']:.2f} of the best convolution's rate")
        if reasons:
            row["cliff"] = True
            found.append(
                f"{row['layer']} ({row['image']}, {row['network']}, {row['precision']}, "
                f"{row['way']}): {' and '.join(reasons)}; {share:.0%} of the time"
            )
    return found


def _counts(row):
    """A step calls all networks equally often; a translation takes only a generator."""
    return row["way"] == "with gradients" or row["network"] == "generator"


def printed(row):
    return {
        "layer": row["layer"],
        "image": row["image"],
        "network": f"{row['count']} in a {row['network']}",
        "precision": row["precision"],
        "way": row["way"],
        "ms": round(1e3 * row["seconds"], 3),
        "GFLOP/s": round(row["rate"] / 1e9) or "",
        "to float32": "" if row["to float32"] is None else round(row["to float32"], 2),
        "to the best": round(row["to the best"], 2) if row["operations"] else "",
        "cliff": row["cliff"],
    }


def dtypes_here():
    """The precisions to train in on this machine: float32, and half precision if it has any."""
    if tf.config.list_physical_devices("GPU"):
        return ["float32", "bfloat16", "float16"]
    half = machines.describe()["arithmetic"] in ("AMX", "AVX512-BF16")
    return ["float32", "bfloat16"] if half else ["float32"]


def main():
    arguments = parser(__doc__)
    arguments.add_argument("--sizes", type=int, nargs="+", default=list(FILTERS), choices=FILTERS)
    arguments.add_argument("--dtypes", nargs="+", default=dtypes_here(), choices=precision.POLICIES)
    arguments.add_argument("--upsampling", choices=kernels.UPSAMPLING_FORMS, help="only this form")
    arguments.add_argument("--repeats", type=int, default=7, help="of each way, after one more")
    arguments = arguments.parse_args()
    if arguments.upsampling:
        kernels.upsampling_form = lambda dtype: arguments.upsampling
    rows = []
    for size in arguments.sizes:
        rows += measured(size, arguments.dtypes, arguments.repeats)
    cliffs = cliffs_of(with_ratios(rows))
    publish([printed(row) for row in rows], arguments, "kernels")
    print(f"\nCliffs: {len(cliffs) or 'none'}")
    print("\n".join(cliffs))
    sys.exit(bool(cliffs))


if __name__ == "__main__":
    main()
