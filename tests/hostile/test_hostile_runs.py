"""Folders of runs that were spoilt, and trainings that are interrupted at a bad moment."""

import json
import shutil
import signal
import subprocess
import sys

import keras
import pytest
from hostile import TINY, command, options, unfinished, untouched
from same_runs import assert_same_run
from tiny import Ended

from cyclegan_tf import InputError, files
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.train import train
from cyclegan_tf.training.checkpoints import newest_state

# What tests of the parts show already.
ELSEWHERE = {
    "checkpoint flipped or truncated, two there": (
        "test_a_damaged_checkpoint_is_reported_and_the_one_before_used"
    ),
    "its training": "test_training_goes_on_from_the_one_before",
    "the only checkpoint flipped or truncated": "test_damaged_checkpoints_leave_the_model",
    "options.json with another λ": "test_a_run_of_other_options_is_refused",
    "resume with data/small/ or the absolute path": (
        "test_a_source_is_a_folder_whatever_its_spelling"
    ),
    "export of a run from another folder": "test_a_run_finds_its_images_from_another_folder",
    "two trainings into one folder": "test_two_processes_do_not_train_in_one_folder",
    "SIGKILL at 5 moments": "test_a_run_killed_12_times_ends_as_the_unbroken_one",
    "SIGTERM": "test_a_machine_that_is_taken_away_leaves_a_checkpoint",
    "Ctrl-C while TensorFlow is imported": "test_interruption_while_tensorflow_is_imported",
}


def _with(folder, section, **changes):
    path = folder / "options.json"
    options = json.loads(path.read_text())
    options[section] |= changes
    path.write_text(json.dumps(options))


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda out: (out / "options.json").write_text("{"), "does not hold the options of a run"),
        (lambda out: (out / "options.json").write_text("[1]"), "does not hold the options of a r"),
        (lambda out: _with(out, "training", foo=1), "does not hold the options of a run"),
        (lambda out: _with(out, "model", foo=1), "does not hold the options of a run"),
        (
            lambda out: _with(out, "model", lambda_a=99.0),
            "--lambda-a was 99.0 in this run, now 10.0",
        ),
        (lambda out: (out / "options.json").unlink(), "and no run; choose a folder that is new"),
        (lambda out: shutil.rmtree(out / "checkpoints"), "a run without checkpoints"),
    ],
    ids=[
        "no JSON",
        "a list",
        "another key",
        "another key of the model",
        "another λ",
        "no options",
        "no checkpoints",
    ],
)
def test_a_spoilt_run_is_refused_and_kept(spoil, sentence, own_run, here):
    spoil(own_run)
    with untouched(own_run):
        assert sentence in here("train", "scenes", "--out", own_run, *options(epochs=2)).refused()


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_model_that_is_gone_is_written_again(epochs, own_run, here):
    """By a run that is finished, too."""
    (own_run / "model.keras").unlink()
    ended = here("train", "scenes", "--out", own_run, *options(epochs=epochs))
    assert ended.status == 0
    model = keras.saving.load_model(own_run / "model.keras")
    assert int(model.generator_optimizer.iterations) == 2 * epochs


def test_restart_while_another_process_trains(own_run):
    with (
        files.locked(own_run, "unused"),
        untouched(own_run),
        pytest.raises(InputError, match="Another process is training in"),
    ):
        train(resolve("scenes", **TINY), own_run, restart=True, verbose=0)


def _started(*arguments, **settings):
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


def _ended(process):
    output, errors = process.communicate(timeout=60)
    # What shells call the end by a signal that nobody answered.
    status = 128 - process.returncode if process.returncode < 0 else process.returncode
    return Ended(status, output, errors).well()


def test_ctrl_c_before_the_command_line_is_there(tmp_path):
    """After the first module of the package, typer is imported, which takes some tenths."""
    process = _started("-X", "importtime", "-m", "cyclegan_tf", "train", "scenes", "--out", "x")
    for line in process.stderr:
        if line.rpartition("|")[2].strip() == "cyclegan_tf":
            break
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=60)
    assert process.returncode in (-signal.SIGINT, 130)
    said = [line for line in errors.splitlines() if not line.startswith("import time:")]
    assert len(said) <= 2, errors
    assert not output


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.2, 0.5, 1, 2, 3, 5])
def test_ctrl_c_at_any_moment_of_the_start(seconds, tmp_path):
    process = _started("-m", "cyclegan_tf", "train", "scenes", "--out", tmp_path / "run")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(seconds)
    process.send_signal(signal.SIGINT)
    assert _ended(process).status == 130
    assert not unfinished(tmp_path)


def test_ctrl_c_after_the_last_word(own_run):
    """The run is finished, the process not yet."""
    process = _started("-u", "-m", "cyclegan_tf", "train", "scenes", "--out", own_run, *options())
    for line in process.stdout:
        if line.startswith("Done."):
            break
    process.send_signal(signal.SIGINT)
    assert _ended(process).status in (0, 130)


@pytest.mark.slow
def test_ctrl_c_twice_loses_nothing(tmp_path):
    """The second time while the first one is answered."""
    of_run = options(epochs=3, steps_per_epoch=20, checkpoint_minutes=10)
    arguments = ("train", "scenes", "--out")
    assert command(*arguments, tmp_path / "unbroken", *of_run).status == 0
    process = _started("-u", "-m", "cyclegan_tf", *arguments, tmp_path / "run", *of_run)
    text = ""
    while "/20" not in text.partition("Epoch 2/3")[2]:
        text += process.stdout.read(1)
        assert process.poll() is None
    for _ in range(2):
        process.send_signal(signal.SIGINT)
    assert _ended(process).status == 130
    assert newest_state(tmp_path / "run" / "checkpoints")["epoch"] >= 1
    assert not unfinished(tmp_path / "run")
    assert command(*arguments, tmp_path / "run", *of_run).status == 0
    assert_same_run(tmp_path / "run", tmp_path / "unbroken")
