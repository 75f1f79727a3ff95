"""A grid of cells, each computed once, by any number of processes and machines.

A cell is an object with a `name` and `run(folder, log)`, which returns JSON values. It is computed
in a process of its own, which holds a lock on the cell's folder as long as it lives: another
process takes another cell, and a cell whose process died is taken by the next one.
"""

import dataclasses
import datetime
import json
import multiprocessing
import os
import pathlib
import pickle
import signal
import sys
import threading
import time
import traceback

from cyclegan_tf import files
from cyclegan_tf.errors import InputError, TrainingDiverged

_CLAIMED = 75  # exit status of a process whose cell is another one's, as EX_TEMPFAIL
_POLL_SECONDS = 0.2
_CLAIMED_SECONDS = 10.0  # until a cell that another process holds is tried again
_SECONDS_TO_SAVE = 120
_TELL_SECONDS = 20.0  # between calls of `changed` without a change


class GridFolder:
    """The files of a grid. Nobody else spells their names.

    Args:
        path: of the folder, which need not exist yet.
    """

    def __init__(self, path):
        self.path = path = pathlib.Path(path)
        self.results = path / "results"
        self.cells = path / "cells"
        self.page = path / "index.html"
        self.tables = path / "tables"

    def cell(self, name):
        """The folder that a cell works in."""
        return self.cells / name

    def result_file(self, name):
        return self.results / f"{name}.json"

    def log(self, name):
        return self.cell(name) / "log.txt"

    def result(self, name):
        """What a cell returned; `None` if it is not done.

        Raises:
            InputError: the file is damaged.
        """
        path = self.result_file(name)
        if not path.exists():
            return None
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise InputError(f"{path} is damaged; remove it to compute the cell again.") from error


@dataclasses.dataclass
class Progress:
    """Where a grid stands, for a page.

    Attributes:
        done: names of finished cells.
        running: name -> when it was started here, seconds since the epoch.
        elsewhere: names of cells that other processes hold.
        failed: name -> a sentence.
        seconds: name -> how long a cell took that was computed here.
        stopped: whether this process ended before all was done.
    """

    done: list = dataclasses.field(default_factory=list)
    running: dict = dataclasses.field(default_factory=dict)
    elsewhere: dict = dataclasses.field(default_factory=dict)
    failed: dict = dataclasses.field(default_factory=dict)
    seconds: dict = dataclasses.field(default_factory=dict)
    stopped: bool = False


def run_cells(cells, out, *, jobs=1, changed=lambda progress: None, log=print):
    """Computes the cells of a grid that are not done yet.

    Killed at any moment and called again, it does the rest: cells resume from where they were, as
    far as their `run` does. Several calls on one folder, on several machines too, share the cells.

    Args:
        cells: a list of cells, in the order to compute them in.
        out: the folder of the grid, on a disk that all processes share.
        jobs: processes at a time.
        changed: called with a `Progress` after each change, and from time to time.
        log: called with lines for the user.

    Returns:
        `{name: result}` of all cells; `{"diverged": sentence}` of a cell whose training diverged.

    Raises:
        InputError: a cell failed, or two have one name. The others were computed.
    """
    grid = GridFolder(out)
    names = [cell.name for cell in cells]
    if len(set(names)) < len(names):
        raise InputError(f"Cells must have different names. Received: {sorted(names)}")
    with _terminated_as_interrupted():
        progress = _Schedule(cells, grid, jobs, changed, log).finished()
    if progress.failed:
        raise InputError(
            f"{len(progress.failed)} of {len(cells)} cells failed, the others are done: "
            + "; ".join(f"{name}: {why}" for name, why in progress.failed.items())
        )
    return {name: grid.result(name) for name in names}


class _Schedule:
    """Starts a process for each cell that is neither done nor another one's."""

    def __init__(self, cells, grid, jobs, changed, log):
        self.grid, self.jobs, self.changed, self.log = grid, jobs, changed, log
        self.waiting = list(cells)
        self.processes = {}
        self.progress = Progress()
        self.count = len(cells)

    def finished(self):
        """Runs until all cells are done or failed."""
        try:
            self._drop_done()
            self._tell()
            told = time.monotonic()
            while self.waiting or self.processes:
                self._reap()
                self._start()
                if time.monotonic() - told > _TELL_SECONDS:
                    self._tell()
                    told = time.monotonic()
                time.sleep(_POLL_SECONDS)
        except BaseException:
            self.progress.stopped = True
            raise
        finally:
            self._end()
            self._tell()
        return self.progress

    def _tell(self):
        """Calls `changed`; what goes wrong there does not end trainings."""
        try:
            self.changed(self.progress)
        except Exception as error:
            self.log(f"The page was not written: {error!r}")

    def _drop_done(self):
        """Forgets waiting cells that are done, by whichever process."""
        done = [cell.name for cell in self.waiting if self.grid.result_file(cell.name).exists()]
        for name in done:
            self.progress.elsewhere.pop(name, None)
        self.progress.done += done
        self.waiting = [cell for cell in self.waiting if cell.name not in done]
        return bool(done)

    def _start(self):
        now = time.time()
        news = self._drop_done()
        for cell in list(self.waiting):
            if len(self.processes) >= self.jobs:
                break
            if now - self.progress.elsewhere.get(cell.name, 0) < _CLAIMED_SECONDS:
                continue
            # A fresh process: its peak of memory is that of the cell, and it ends with the cell.
            process = multiprocessing.get_context("spawn").Process(
                target=_compute,
                args=(cell.name, pickle.dumps(cell), self.grid.path, self.jobs),
                name=cell.name,
            )
            process.start()
            self.waiting.remove(cell)
            self.processes[cell.name] = process, cell
            self.progress.running[cell.name] = now
            news = True
        if news:
            self._tell()

    def _reap(self):
        for name, (process, cell) in list(self.processes.items()):
            if process.is_alive():
                continue
            del self.processes[name]
            began = self.progress.running.pop(name)
            self.progress.elsewhere.pop(name, None)
            if process.exitcode == _CLAIMED:
                self.progress.elsewhere[name] = time.time()
                self.waiting.append(cell)
            elif process.exitcode or self.grid.result(name) is None:
                self.progress.failed[name] = self._why(name, process.exitcode)
                self.log(f"{name} failed: {self.progress.failed[name]}")
            else:
                self.progress.done.append(name)
                self.progress.seconds[name] = time.time() - began
                self.log(f"{len(self.progress.done)} of {self.count} cells are done: {name}.")
            self._tell()

    def _why(self, name, status):
        """A sentence about a failure: the last line of the cell's log."""
        if status and status < 0:
            return f"signal {-status} ended it, perhaps for want of memory ({self.grid.log(name)})"
        path = self.grid.log(name)
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"{last or f'it ended with status {status}'} (all of it: {path})"

    def _end(self):
        """Lets what still runs save its state."""
        for process, _ in self.processes.values():
            process.terminate()
        for process, _ in self.processes.values():
            process.join(_SECONDS_TO_SAVE)
        self.progress.running.clear()


class _terminated_as_interrupted:
    """SIGTERM raises SystemExit, so that `finally` runs; only in the main thread."""

    def __enter__(self):
        self._main = threading.current_thread() is threading.main_thread()
        if self._main:
            self._before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))

    def __exit__(self, *_):
        if self._main:
            signal.signal(signal.SIGTERM, self._before)


def _compute(name, pickled, out, jobs):
    """Computes one cell; the body of a process.

    The cell comes pickled, because to read it is to import TensorFlow, whose notes belong in the
    log.
    """
    grid = GridFolder(out)
    folder = grid.cell(name)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        with files.locked(folder, "claimed"):
            if grid.result_file(name).exists():  # another process was faster
                return
            _write_output_to(grid.log(name))
            _prepare(jobs)
            try:
                result = pickle.loads(pickled).run(folder, _said)
            except TrainingDiverged as error:  # which tables tell; it would do so again
                result = {"diverged": str(error)}
            content = json.dumps(result, indent=2, allow_nan=False) + "\n"
            files.write_text(grid.result_file(name), content)
    except InputError as error:
        if str(error) == "claimed":
            sys.exit(_CLAIMED)
        print(error, flush=True)
        sys.exit(2)
    except Exception:
        traceback.print_exc()
        sys.exit(1)


def _end_with_parent():
    """A scheduler that is killed takes its processes along: they save their state and end."""
    multiprocessing.parent_process().join()
    os.kill(os.getpid(), signal.SIGTERM)


def _write_output_to(path):
    """Appends stdout and stderr of this process, those of C++ too, to a file."""
    sys.stdout.flush()
    sys.stderr.flush()
    with open(path, "a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _prepare(jobs):
    """Threads: one for each operator, so that results do not depend on how many jobs there are."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
    os.environ["TF_NUM_INTEROP_THREADS"] = "2" if jobs == 1 else "1"


def _said(line):
    print(f"{datetime.datetime.now():%H:%M:%S} {line}", flush=True)
