"""How long from the start of the process until the first training step is done.

    python benchmarks/first_step.py [--size 256 --filters 64] [--repeats 3]

One table: median seconds of each way, each time in a new process, interleaved.
"""

import subprocess
import sys

import tables

WAYS = {
    # As `cyclegan-tf train` begins: threads, the trial of precisions, then the step.
    "ours": (
        "from train_step import auto_precision, our_step, run_directions_side_by_side;"
        "run_directions_side_by_side();"
        "our_step({size}, {filters}, auto_precision({size}, {filters}))()"
    ),
    "usual Keras code": (
        "from train_step import usual_step; usual_step({size}, {filters}, {chosen!r})()"
    ),
    "PyTorch, float32": (
        "from torch_step import TorchStep; TorchStep({size}, {filters}, 6 + 3 * ({size} > 255))()"
    ),
}


def process(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=sys.path[0])


def main():
    from train_step import auto_precision

    parser = tables.parser(__doc__)
    parser.add_argument("--size", type=int, default=256, help="of the images, in pixels")
    parser.add_argument("--filters", type=int, default=64, help="of the first layers")
    parser.add_argument("--repeats", type=int, default=3, help="processes of each way")
    arguments = parser.parse_args()
    chosen = auto_precision(arguments.size, arguments.filters)
    settings = {"size": arguments.size, "filters": arguments.filters, "chosen": chosen}
    ways = {name: code.format(**settings) for name, code in WAYS.items()}
    if process("import torch").returncode:
        del ways["PyTorch, float32"]
    seconds = tables.interleaved(
        {name: lambda code=code: process(code).check_returncode() for name, code in ways.items()},
        arguments.repeats,
    )
    benchmark = tables.sized("first_step", arguments)
    tables.publish(tables.with_ratios(seconds), arguments, benchmark, chosen)


if __name__ == "__main__":
    main()
