"""Several processes train as one: real ones, on this machine."""

import errno
import io
import json
import os
import pathlib
import signal
import subprocess
import time
import zipfile

import h5py
import numpy as np
import pytest
import yaml
from same_runs import assert_same_models, log_rows
from tiny import COMMAND, TINY, cyclegan_tf, options

from cyclegan_tf import InputError
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.train import train
from cyclegan_tf.training import strategies
from cyclegan_tf.training.checkpoints import newest_state
from cyclegan_tf.training.launch import launch

# Pools of 2, so that they are full, and exchange, within these steps. Two ways to add are compared
# in float32: at a higher rate Adam makes more of the last digits of gradients that are nearly zero.
MANIFEST = pathlib.Path(__file__).parents[2] / "deploy" / "kubernetes.yaml"
SIZES = {
    "epochs": 2,
    "steps_per_epoch": 6,
    "pool_size": 2,
    "learning_rate": 1e-4,
}
# The last epoch is evaluated: by the first process alone, which must not wait for the other.
RUN = options(**SIZES, precision="float32", checkpoint_minutes=0, evaluate_every=2)


def _launch(out):
    command = [*COMMAND, "launch", "--workers", "2", "--", "train", "scenes", "--out", str(out)]
    return subprocess.Popen(
        [*command, *RUN], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def _finish(process):
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    return output


@pytest.fixture(scope="module")
def two_workers(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "workers"
    output = _finish(_launch(out))
    assert "2 machines, 2 replicas" in output
    return out


def test_two_processes_train_as_two_replicas_of_one(two_workers, tmp_path):
    """Weights, pools of each replica and epoch logs."""
    mirrored = train(
        resolve("scenes", **{**TINY, **SIZES, "strategy": "mirrored"}), tmp_path / "run", verbose=0
    )
    workers = load(two_workers)
    for ours, theirs in zip(workers.get_weights(), mirrored.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
    for ours, theirs in zip(
        log_rows(two_workers / "log.csv"), log_rows(tmp_path / "run" / "log.csv")
    ):
        for name, value in theirs.items():
            np.testing.assert_allclose(float(ours[name]), float(value), rtol=1e-4)
    assert (two_workers / "best.keras").exists()
    expected = [*mirrored.pool_a.images.values, *mirrored.pool_b.images.values]
    assert not np.array_equal(*expected[:2])  # each replica's own fakes
    for ours, theirs in zip(_pools(two_workers), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def _pools(out):
    """The images in the saved pools: those of A by replica, then those of B."""
    with zipfile.ZipFile(out / "model.keras") as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    found = {}
    with h5py.File(content) as file:
        file.visititems(
            lambda name, item: found.update({name: item[()]}) if "/pictures_" in name else None
        )
    return [found[name] for name in sorted(found)]


@pytest.mark.slow
def test_a_killed_worker_is_started_again_and_the_weights_stay(two_workers, tmp_path):
    out = tmp_path / "run"
    process = _launch(out)
    while not list((out / "checkpoints").glob("epoch_*_0000000[4-9]")):  # in an epoch's middle
        assert process.poll() is None
        time.sleep(0.01)
    children = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(children) == 2
    os.kill(int(children[1]), signal.SIGKILL)
    output = _finish(process)
    assert "all are started again" in output
    assert "Resuming the run" in output
    assert_same_models(out, two_workers)
    assert log_rows(out / "log.csv") == log_rows(two_workers / "log.csv")
    assert newest_state(out / "checkpoints")["epoch"] == 2


def test_launch_says_what_it_needs(here):
    assert "launch needs a command" in here("launch").refused()
    for command in (["translate", "x", "y", "z"], ["launch", "--", "train"], ["--out", "x"]):
        assert "Only `train` runs on several machines" in here("launch", "--", *command).refused()
    failed = cyclegan_tf("launch", "--workers", "1", "--", "train", "missing", "--out", "x")
    assert failed.returncode == 2


def test_training_that_diverges_is_not_started_again(tmp_path):
    """Nor by Kubernetes: it would diverge at the same step."""
    diverging = options(learning_rate="1e30")
    command = ["launch", "--workers", "1", "--", "train", "scenes", "--out", tmp_path / "run"]
    failed = cyclegan_tf(*command, *diverging)
    assert failed.returncode == 3
    assert "started again" not in failed.stdout
    _, job = yaml.safe_load_all(MANIFEST.read_text())
    (rule,) = job["spec"]["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2, 3])


def test_where_one_process_cannot_start_the_others_end(monkeypatch, tmp_path):
    """The second one fails as on a machine that has no room for another process."""
    started = []

    def start(*arguments, real=subprocess.Popen, **settings):
        if started:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        started.append(real(*arguments, **settings))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(BlockingIOError):
        launch(["train", "scenes", "--out", str(tmp_path / "x")])
    assert started[0].returncode in (-signal.SIGTERM, -signal.SIGKILL)


def test_strategies_say_what_is_missing(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert strategies.choose("auto")[1] == "one CPU"
    assert strategies.choose("mirrored")[1] == "2 CPUs"
    with pytest.raises(InputError, match="needs the environment variable TF_CONFIG"):
        strategies.choose("multi-worker")
    with pytest.raises(InputError, match="No TPU was found"):
        strategies.choose("tpu")
    with pytest.raises(InputError, match="'gpu'"):
        strategies.choose("gpu")
    monkeypatch.setenv("TF_CONFIG", "no JSON")
    with pytest.raises(InputError, match="is not JSON of a cluster"):
        strategies.choose("auto")


def test_the_manifest_tells_each_pod_its_place(tmp_path):
    """The pods' own shell script, with a command in the place of cyclegan-tf that prints."""
    service, job = yaml.safe_load_all(MANIFEST.read_text())
    pod = job["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert job["spec"]["completionMode"] == "Indexed"
    assert pod["subdomain"] == service["metadata"]["name"]
    fake = tmp_path / "cyclegan-tf"
    fake.write_text('#!/bin/sh\nprintf "%s\\n" "$TF_CONFIG" "$*"\n')
    fake.chmod(0o755)
    environment = {each["name"]: str(each["value"]) for each in container["env"]}
    assert environment["WORKERS"] == str(job["spec"]["completions"])
    output = subprocess.run(
        container["command"],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "JOB_COMPLETION_INDEX": "1",
            **environment,
        },
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    config, arguments = output.splitlines()
    name, domain = job["metadata"]["name"], service["metadata"]["name"]
    assert json.loads(config) == {
        "cluster": {"worker": [f"{name}-{index}.{domain}:2222" for index in range(2)]},
        "task": {"type": "worker", "index": 1},
    }
    assert arguments.startswith("train ")
    assert "--strategy multi-worker" in arguments
