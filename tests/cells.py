"""Cells of a grid that count instead of training; processes of their own import them from here."""

import dataclasses
import os
import pathlib
import time

from cyclegan_tf.errors import TrainingDiverged


@dataclasses.dataclass(frozen=True)
class Counting:
    """Adds the squares of the first numbers, slowly, and resumes where it was.

    `journal` is a file that gets a line at each end.
    """

    name: str
    numbers: int
    seconds: float
    journal: pathlib.Path

    def run(self, folder, log):
        state = folder / "state"
        number, total = map(int, state.read_text().split()) if state.exists() else (0, 0)
        log(f"begins at {number}")
        while number < self.numbers:
            time.sleep(self.seconds / self.numbers)
            number, total = number + 1, total + number**2
            beside = folder / f"state.{os.getpid()}"
            beside.write_text(f"{number} {total}")
            beside.replace(state)
        with open(self.journal, "a") as file:
            file.write(f"{self.name}\n")
        return {"total": total}


@dataclasses.dataclass(frozen=True)
class Diverging:
    name: str

    def run(self, folder, log):
        raise TrainingDiverged("The losses are no numbers.")


@dataclasses.dataclass(frozen=True)
class Failing:
    name: str

    def run(self, folder, log):
        raise ValueError("no such thing")
