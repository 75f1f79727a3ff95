"""Several processes of one run on this machine, as several machines would train it."""

import json
import os
import signal
import socket
import subprocess
import sys
import time

from cyclegan_tf.errors import InputError

_SECONDS_TO_SAVE = 120
_STOPPED = (-signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT)
_FINAL = (0, 2, 3)  # statuses of success, of bad input and of divergence: no restart would help


def launch(arguments, workers=2, restarts=3, log=print):
    """Runs `cyclegan-tf train` in each of several processes, one cluster.

    TF_CONFIG tells each its index, so `train` uses the strategy "multi-worker". When one dies,
    the others cannot continue; all are restarted, and training resumes from its checkpoint.

    Args:
        arguments: such as `["train", "scenes", "--out", "runs/x"]`.
        workers: number of processes; the output of the first is shown, and errors of the others.
        restarts: maximum number of restarts.
        log: called with lines for the user.

    Returns:
        The exit status: 0 when all went well, else that of a process that failed.

    Raises:
        InputError: an argument out of range, or a command other than `train`.
    """
    if workers < 1 or restarts < 0 or not arguments:
        raise InputError(
            "launch needs a command, workers of at least 1 and restarts of at least 0, as in "
            f"`cyclegan-tf launch --workers 2 -- train scenes --out runs/x`. Received: {workers} "
            f"workers, {restarts} restarts and the command {' '.join(arguments)!r}"
        )
    if arguments[0] != "train":
        raise InputError(
            "Only `train` runs on several machines, as in `cyclegan-tf launch --workers 2 -- "
            f"train scenes --out runs/x`. Received: the command {' '.join(arguments)!r}"
        )
    before = signal.signal(signal.SIGTERM, _leave)
    try:
        for left in range(restarts, -1, -1):
            status = _run_together(arguments, workers)
            if status in _FINAL or not left:
                break
            log(f"A worker ended with status {status}; all are started again ({left} tries left).")
            arguments = [each for each in arguments if each != "--restart"]  # resumes instead
    finally:
        signal.signal(signal.SIGTERM, before)
    return status


def _leave(number, _):
    sys.exit(128 + number)


def _run_together(arguments, workers):
    """One attempt: 0 if all processes succeed, else the status of the first that fails."""
    addresses = _free_addresses(workers)
    processes = []
    patience = 0  # processes that wait for one that did not start have nothing to save
    try:
        for number in range(workers):
            processes.append(_start(arguments, addresses, number))
        patience = _SECONDS_TO_SAVE
        while True:
            statuses = [process.poll() for process in processes]
            failed = [status for status in statuses if status]
            if failed:
                if failed[0] not in _STOPPED:
                    patience = 0  # processes that wait for a dead one hang in TensorFlow
                return failed[0]
            if None not in statuses:
                return 0
            time.sleep(0.1)
    finally:
        _end(processes, patience)


def _start(arguments, addresses, number):
    task = {"type": "worker", "index": number}
    config = json.dumps({"cluster": {"worker": addresses}, "task": task})
    return subprocess.Popen(
        [sys.executable, "-m", "cyclegan_tf", *arguments],
        env={**os.environ, "TF_CONFIG": config},
        stdout=None if number == 0 else subprocess.DEVNULL,
    )


def _end(processes, patience):
    """Asks processes to end, and kills them after a few seconds."""
    deadline = time.monotonic() + patience
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_addresses(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("localhost", 0))
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses
