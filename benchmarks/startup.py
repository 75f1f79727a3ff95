"""How long the command line and the package take to start, each time in a new process.

    python benchmarks/startup.py [--repeats 5] [--json FILE]

One table: median seconds of each way, interleaved, beside a Python that does nothing.
"""

import pathlib
import subprocess
import sys

import tables

COMMAND = str(pathlib.Path(sys.executable).with_name("cyclegan-tf"))
WAYS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "cyclegan-tf --help": [COMMAND, "--help"],
    "cyclegan-tf train --help": [COMMAND, "train", "--help"],
    "python -c 'import cyclegan_tf'": [sys.executable, "-c", "import cyclegan_tf"],
    "python -c 'import tensorflow'": [sys.executable, "-c", "import tensorflow"],
}


def main():
    parser = tables.parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="processes of each way")
    arguments = parser.parse_args()
    ways = {
        name: lambda command=command: subprocess.run(command, capture_output=True, check=True)
        for name, command in WAYS.items()
    }
    rows = tables.with_ratios(tables.interleaved(ways, arguments.repeats))
    tables.publish(rows, arguments, "startup")


if __name__ == "__main__":
    main()
