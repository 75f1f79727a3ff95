"""Where the time of a training step goes: the share of each kind of operator.

    python benchmarks/time_by_operator.py [--size 256 --filters 64]

One table, from TensorFlow's own profiler: the time that operators take in a step, added up (several
run at once), and their part of all. A transposed convolution is the gradient of a convolution's
input, and counts as such; its own gradient counts as a convolution. "The rest" is what else is
computed value by value: activations, losses, the normalization of small images.
"""

import collections
import pathlib
import re
import tempfile

import tables
import tensorflow as tf
from train_step import auto_precision, our_step

from cyclegan_tf.devices import run_directions_side_by_side

# The first that fits the name of an operator; on processors TensorFlow runs oneDNN's, _MklNative….
KINDS = {
    "gradients of kernels": "Conv2DBackpropFilter",
    "gradients of inputs": "Conv2DBackpropInput",
    "convolutions": "Conv2D",
    "fused normalization": "BatchNorm",
    "padding": "Pad",  # and the gradient of reflection; that of zeros is a Slice
    "casts": "Cast",
    "optimizers": "ResourceApply",
    "additions of gradients": "AddN",
    "the rest": "",
}


def operator_seconds(step, steps):
    """Seconds a step of each operator, by its name, however many run at once."""
    # What the profiler writes; TensorFlow has no public reader of it.
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            for _ in range(steps):
                step()
        (path,) = pathlib.Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(path.read_bytes())
    seconds = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                # "layer/Conv2D:_MklNativeConv2D"; "ExecutorState::Process" and others hold several.
                name = plane.event_metadata[event.metadata_id].name
                if found := re.fullmatch(r"[^\s:]+:([_A-Z]\w*)", name):
                    seconds[found[1]] += event.duration_ps / 1e12 / steps
    return seconds


def rows_of(seconds):
    """By kind of operator, the longest first."""
    of_kinds = dict.fromkeys(KINDS, 0.0)
    for name, value in seconds.items():
        of_kinds[next(kind for kind, part in KINDS.items() if re.search(part, name))] += value
    total = sum(of_kinds.values())
    return [
        {"operators": kind, "seconds": round(value, 4), "part": f"{value / total:.1%}"}
        for kind, value in sorted(of_kinds.items(), key=lambda item: -item[1])
        if value
    ] + [{"operators": "all", "seconds": round(total, 4), "part": "100.0%"}]


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=256, help="of the images, in pixels")
    parser.add_argument("--filters", type=int, default=64, help="of the first layers")
    parser.add_argument("--steps", type=int, default=3, help="after two to warm up")
    arguments = parser.parse_args()
    run_directions_side_by_side()  # as `cyclegan-tf train` does
    chosen = auto_precision(arguments.size, arguments.filters)
    step = our_step(arguments.size, arguments.filters, chosen)
    for _ in range(2):
        step()
    rows = rows_of(operator_seconds(step, arguments.steps))
    tables.publish(rows, arguments, tables.sized("time_by_operator", arguments), chosen)


if __name__ == "__main__":
    main()
