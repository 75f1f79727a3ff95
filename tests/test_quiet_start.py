"""In processes of their own: TensorFlow is imported once in each, and crashes end the process."""

import os
import signal
import subprocess
import sys


def _run(code, **environment):
    clean = {name: os.environ[name] for name in os.environ if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**clean, **environment}
    )


def test_python_starts_without_notes_and_stderr_is_as_before_afterwards():
    run = _run(
        "import cyclegan_tf, os, tensorflow as tf; print(int(tf.constant(1) + 1))\n"
        "os.write(2, b'I0000 00:00:1 1 port.cc:153] of the user\\n')"
    )
    assert (run.stdout, run.stderr) == ("2\n", "I0000 00:00:1 1 port.cc:153] of the user\n")


def test_errors_are_seen_and_survive_a_crash():
    run = _run(
        "import os\n"
        "from cyclegan_tf import quiet_start\n"
        "with quiet_start.stderr_without(quiet_start._NOTES):\n"
        "    os.write(2, b'I0000 00:00:1 1 port.cc:153] a note\\n')\n"
        "    os.write(2, b'E0000 00:00:1 1 cuda.cc:1] could not load libcudart\\n')\n"
        "    os.abort()"
    )
    assert run.returncode == -signal.SIGABRT
    assert run.stderr == "E0000 00:00:1 1 cuda.cc:1] could not load libcudart\n"


def test_all_notes_are_there_if_they_are_asked_for():
    asked = _run("import cyclegan_tf", TF_CPP_MIN_LOG_LEVEL="0")
    plain = _run("import tensorflow", TF_CPP_MIN_LOG_LEVEL="0")
    assert "oneDNN" in plain.stderr
    assert "oneDNN" in asked.stderr


def test_an_export_has_no_notes_of_the_converter(tmp_path):
    run = _run(
        "from cyclegan_tf import Translator, export_tflite, resnet_generator\n"
        "network = resnet_generator(base_filters=2, blocks=1)\n"
        f"export_tflite(Translator({{'ab': network}}, (8, 8, 3)), {str(tmp_path / 'x.tflite')!r})"
    )
    assert (run.stdout, run.stderr) == ("", "")
