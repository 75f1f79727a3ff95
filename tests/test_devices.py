"""How threads are distributed; each case in a process that has not computed yet."""

import os
import subprocess
import sys

import pytest

CODE = """
import tensorflow as tf
from cyclegan_tf.devices import run_directions_side_by_side
{before}
print(run_directions_side_by_side(cores={cores}))
threading = tf.config.threading
print(threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads())
tf.constant(1.0)
"""


@pytest.mark.parametrize(
    ("before", "cores", "environment", "expected"),
    [
        ("", 2, {}, "True 1 2"),
        ("", 8, {}, "False 0 0"),
        ("", 2, {"TF_NUM_INTRAOP_THREADS": "2"}, "False 0 0"),
        ("tf.config.threading.set_intra_op_parallelism_threads(3)", 2, {}, "False 3 0"),
        ("tf.constant(1.0)", 2, {}, "False 0 0"),
    ],
)
def test_threads_are_shared_out_unless_they_are_already(before, cores, environment, expected):
    own = {name: value for name, value in os.environ.items() if not name.startswith("TF_NUM_")}
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(before=before, cores=cores)],
        env={**own, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == expected.split()
