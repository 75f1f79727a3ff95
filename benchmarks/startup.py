"""How long the command line and the package take to start, each time in a new process.

    python benchmarks/startup.py [--repeats 5] [--json FILE]

One table: median seconds of each way, interleaved, beside a Python that does nothing.
"""

import argparse
import pathlib
import subprocess
import sys

from tables import interleaved, print_table, with_ratios

COMMAND = str(pathlib.Path(sys.executable).with_name("cyclegan-tf"))
WAYS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "cyclegan-tf --help": [COMMAND, "--help"],
    "cyclegan-tf train --help": [COMMAND, "train", "--help"],
    "python -c 'import cyclegan_tf'": [sys.executable, "-c", "import cyclegan_tf"],
    "python -c 'import tensorflow'": [sys.executable, "-c", "import tensorflow"],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="processes of each way")
    parser.add_argument("--json", help="also write the rows to this file")
    arguments = parser.parse_args()
    ways = {
        name: lambda command=command: subprocess.run(command, capture_output=True, check=True)
        for name, command in WAYS.items()
    }
    print_table(with_ratios(interleaved(ways, arguments.repeats)), arguments.json, "Start")


if __name__ == "__main__":
    main()
