"""How much memory a training step takes, with and without `remat`, beside PyTorch.

    python benchmarks/memory.py [--size 256 --filters 64]

One table: the peak of the resident memory of a separate process that made two steps, less what
it had before the first. What `remat` costs in time is in the table of `train_step.py`.
"""

import argparse
import json
import resource
import subprocess
import sys

import tables

WAYS = ("ours", "ours, remat", "PyTorch, float32")


def peak():
    """MiB, on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def measured(way, size, filters):
    """In this process: MiB of the steps alone."""
    from cyclegan_tf.systems.cyclegan import paper_blocks

    if way.startswith("ours"):
        from train_step import our_step

        before, step = peak(), our_step(size, filters, "float32", remat="remat" in way)
    else:
        from torch_step import TorchStep

        before, step = peak(), TorchStep(size, filters, paper_blocks((size, size, 3)))
    step()
    step()
    return {"MiB": round(peak() - before)}


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=256, help="of the images, in pixels")
    parser.add_argument("--filters", type=int, default=64, help="of the first layers")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # for one process
    arguments = parser.parse_args()
    size, filters = arguments.size, arguments.filters
    if arguments.way:
        print(json.dumps(measured(arguments.way, size, filters)))
        return
    rows = []
    for way in WAYS:
        command = [sys.executable, __file__, "--size", str(size), "--filters", str(filters)]
        done = subprocess.run([*command, "--way", way], capture_output=True, text=True)
        if done.returncode and "No module named 'torch'" in done.stderr:
            continue
        done.check_returncode()
        rows.append({"step": way, **json.loads(done.stdout.splitlines()[-1])})
    for row in rows:
        row["of ours"] = round(row["MiB"] / rows[0]["MiB"], 2)
    tables.publish(rows, arguments, tables.sized("memory", arguments), "float32")


if __name__ == "__main__":
    main()
