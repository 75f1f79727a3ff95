"""A way that runs in a separate process, because TensorFlow's threads are set once a process.

    python benchmarks/worker.py MODULE FUNCTION ARGUMENTS

Makes a way, `FUNCTION(*ARGUMENTS)` of a module of this folder, ARGUMENTS being JSON; then runs it
once for each line that comes in, and says what it returned as JSON.
"""

import importlib
import json
import pathlib
import subprocess
import sys


class Worker:
    """A way like any other to its caller; it waits for the process."""

    def __init__(self, module, function, *arguments):
        self._process = subprocess.Popen(
            [sys.executable, __file__, module, function, json.dumps(arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=pathlib.Path(__file__).parent,
        )

    def __call__(self):
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        while line := self._process.stdout.readline():
            if line.startswith("{"):
                return json.loads(line)["result"]
        raise RuntimeError(f"{self._process.args} ended with {self._process.wait()}")

    def close(self):
        self._process.stdin.close()
        self._process.wait()


def main():
    module, function, arguments = sys.argv[1:]
    way = getattr(importlib.import_module(module), function)(*json.loads(arguments))
    for _ in sys.stdin:
        result = way()
        print(json.dumps({"result": result if isinstance(result, float) else None}), flush=True)


if __name__ == "__main__":
    main()
