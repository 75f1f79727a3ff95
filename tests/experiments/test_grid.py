"""Cells are computed once, by several processes, and killed ones resume."""

import json
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
from cells import Counting, Diverging, Failing

from cyclegan_tf import InputError
from cyclegan_tf.experiments.grid import GridFolder, run_cells
from cyclegan_tf.experiments.grid_page import write_grid_page

TESTS = pathlib.Path(__file__).parents[1]
COUNT, NUMBERS = 6, 12
# The sum of the squares below a number: n (n - 1) (2 n - 1) / 6.
TOTAL = NUMBERS * (NUMBERS - 1) * (2 * NUMBERS - 1) // 6

# Named as the command, so that the processes do without TensorFlow.
DRIVER = f"""
import pathlib, sys
sys.path.insert(0, {str(TESTS)!r})
from cells import Counting
from cyclegan_tf.experiments.grid import run_cells
if __name__ == "__main__":
    out, seconds = pathlib.Path(sys.argv[1]), float(sys.argv[2])
    journal = out.with_name("journal")
    cells = [Counting(f"cell{{n}}", {NUMBERS}, seconds, journal) for n in range({COUNT})]
    run_cells(cells, out, jobs=2)
"""


@pytest.fixture
def started(tmp_path):
    """Starts a grid of `COUNT` cells in a process of its own."""
    driver = tmp_path / "cyclegan-tf"
    driver.write_text(DRIVER)
    processes = []

    def start(seconds):
        command = [sys.executable, driver, tmp_path / "grid", str(seconds)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def _results(tmp_path):
    return {
        path.stem: json.loads(path.read_text())
        for path in (tmp_path / "grid" / "results").glob("*.json")
    }


def test_a_grid_that_is_killed_five_times_has_the_results_of_the_unbroken_one(started, tmp_path):
    moments = random.Random(0)
    for _ in range(5):
        process = started(seconds=1.0)
        time.sleep(moments.uniform(0.4, 1.6))
        process.kill()
        process.wait()
    process = started(seconds=1.0)
    assert process.wait(timeout=60) == 0
    expected = {f"cell{number}": {"total": TOTAL} for number in range(COUNT)}
    assert _results(tmp_path) == expected
    journal = (tmp_path / "journal").read_text().split()
    assert set(journal) == set(expected)
    logs = [GridFolder(tmp_path / "grid").log(name).read_text() for name in expected]
    assert any("begins at 0" not in log.splitlines()[-1] for log in logs)  # one resumed


def test_two_processes_share_the_cells(started, tmp_path):
    processes = [started(seconds=0.5) for _ in range(2)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert len(_results(tmp_path)) == COUNT
    journal = (tmp_path / "journal").read_text().split()
    assert sorted(journal) == sorted(set(journal))  # none was computed twice
    assert all("cells are done" in text for text in said)  # both computed some


def test_processes_of_a_killed_grid_end_with_it(started, tmp_path):
    process = started(seconds=60.0)
    state = GridFolder(tmp_path / "grid").cell("cell0") / "log.txt"
    while not state.exists():
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    again = started(seconds=60.0)  # takes the cells over, which it could not if they were locked
    while state.read_text().count("begins at") < 2:
        assert again.poll() is None
        time.sleep(0.05)


def test_a_cell_that_fails_is_named_and_the_others_are_done(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["cyclegan-tf"])  # its processes do without TensorFlow
    good = Counting("good", NUMBERS, 0.0, tmp_path / "journal")
    cells = [Failing("bad"), Diverging("wild"), good]
    changes, said = [], []
    with pytest.raises(InputError, match=r"1 of 3 cells failed.*bad: ValueError: no such thing"):
        run_cells(
            cells,
            tmp_path / "grid",
            changed=lambda progress: changes.append(list(progress.done)),
            log=said.append,
        )
    assert GridFolder(tmp_path / "grid").result("good") == {"total": TOTAL}
    diverged = {"diverged": "The losses are no numbers."}
    assert GridFolder(tmp_path / "grid").result("wild") == diverged
    assert changes[0] == []
    assert changes[-1] == ["wild", "good"]
    assert "2 of 3 cells are done: good." in said


def test_a_grid_that_is_interrupted_says_so(tmp_path):
    cells = [Counting("cell", NUMBERS, 5.0, tmp_path / "journal")]
    pages = []

    def changed(progress):
        write_grid_page(GridFolder(tmp_path), "Grid", cells, progress, 1, [])
        pages.append((tmp_path / "index.html").read_text())
        if len(progress.running) == len(pages) - 1 == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_cells(cells, tmp_path, changed=changed)
    assert "<h2>Now</h2>" in pages[-2]
    assert "<h2>Now</h2>" not in pages[-1]
    assert "refresh" not in pages[-1]
    assert "0 of 1 trainings are done. It was stopped; the same command resumes." in pages[-1]


def test_cells_need_names_of_their_own(tmp_path):
    cells = [Failing("a"), Failing("a")]
    with pytest.raises(InputError, match="different names"):
        run_cells(cells, tmp_path / "grid")


def test_a_damaged_result_is_named(tmp_path):
    grid = GridFolder(tmp_path)
    grid.results.mkdir()
    grid.result_file("a").write_text("{")
    with pytest.raises(InputError, match=r"a\.json is damaged; remove it"):
        grid.result("a")
