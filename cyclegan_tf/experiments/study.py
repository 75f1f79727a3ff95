"""A study: cells to compute, and what is written of their results."""

import dataclasses
from collections.abc import Callable


def scored(results, name):
    """The result of a cell; `None` if it is not there, or if its training diverged."""
    result = results.get(name)
    return None if result is None or "diverged" in result else result


@dataclasses.dataclass(frozen=True)
class Study:
    """One target of `cyclegan-tf reproduce`.

    Attributes:
        name: such as `"table2"`.
        cells: as `cyclegan_tf.experiments.grid.run_cells` takes them; studies share cells of one
            name.
        write: `(results, folder)`, with `{name of a cell: result}`, of which some may be missing:
            writes files into the folder and returns a section of the page as HTML, whose links
            are relative to the folder above, where the page is.
        finish: `(grid, log)`, with the `GridFolder`, called when all cells are done: what needs
            their models.
    """

    name: str
    cells: tuple
    write: Callable
    finish: Callable | None = None
