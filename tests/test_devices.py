"""How threads are shared out; each case in a process that has not computed yet."""

import os
import subprocess
import sys

import pytest

CASES = [
    ("", 2, {}, "True 1 2"),
    ("", 8, {}, "False 0 0"),
    ("", 2, {"TF_NUM_INTRAOP_THREADS": "2"}, "False 0 0"),
    ("tf.config.threading.set_intra_op_parallelism_threads(3)", 2, {}, "False 3 0"),
    ("tf.constant(1.0)", 2, {}, "False 0 0"),
]

# TensorFlow is imported once, and each case has a copy of the process.
CODE = """
import os, sys, tensorflow as tf
from cyclegan_tf.devices import run_directions_side_by_side
threading = tf.config.threading
for number, (before, cores, environment, _) in enumerate({cases}):
    if not os.fork():
        os.environ.update(environment)
        exec(before)
        side_by_side = run_directions_side_by_side(cores=cores)
        threads = threading.get_intra_op_parallelism_threads()
        print(number, side_by_side, threads, threading.get_inter_op_parallelism_threads())
        sys.stdout.flush()
        tf.constant(1.0)
        os._exit(0)
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="copies of a process")
def test_threads_are_shared_out_unless_they_are_already():
    own = {name: value for name, value in os.environ.items() if not name.startswith("TF_NUM_")}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(cases=CASES)], env=own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    expected = [f"{number} {case[-1]}" for number, case in enumerate(CASES)]
    assert done.stdout.splitlines() == expected, done.stderr
