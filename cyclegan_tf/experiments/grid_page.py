"""The live page of a grid: what is done, what runs, how long the rest takes, and the tables."""

import html
import time

from cyclegan_tf import files
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.html_page import document
from cyclegan_tf.runs.logs import finished_rows

_RELOAD_SECONDS = 20
_RELOAD = f'<meta http-equiv="refresh" content="{_RELOAD_SECONDS}">'


def write_grid_page(grid, title, cells, progress, jobs, sections):
    """Writes `index.html` of a grid.

    Args:
        grid: its `GridFolder`.
        title: of the page.
        cells: all of the grid.
        progress: a `cyclegan_tf.experiments.grid.Progress`.
        jobs: processes at a time.
        sections: HTML of the results so far.
    """
    open_cells = len(cells) - len(progress.done) - len(progress.failed)
    body = [
        _RELOAD if open_cells and not progress.stopped else "",
        f"<p><progress max={len(cells)} value={len(progress.done)}></progress> "
        f"{len(progress.done)} of {len(cells)} trainings are done. {_left(progress, cells, jobs)}"
        "</p>",
        _running(grid, progress),
        _failed(progress),
        *sections,
    ]
    files.write_text(grid.page, document(title, "\n".join(filter(None, body))))


def _left(progress, cells, jobs):
    """A sentence on the time that is left, as far as finished cells tell."""
    left = len(cells) - len(progress.done) - len(progress.failed)
    if not left:
        return "Nothing is left to do."
    if progress.stopped:
        return "It was stopped; the same command resumes."
    if not progress.seconds:
        return "The time left is known when the first one is done."
    mean = sum(progress.seconds.values()) / len(progress.seconds)
    spent = sum(min(time.time() - began, mean) for began in progress.running.values())
    minutes = max(left * mean - spent, 0) / jobs / 60
    return f"About {minutes:.0f} minutes are left, if the others take as long as those before."


def _running(grid, progress):
    lines = [
        f'<tr><th scope="row">{html.escape(name)}</th><td>{_stage(grid, name)}</td>'
        f"<td>{(time.time() - began) / 60:.0f} minutes</td></tr>"
        for name, began in progress.running.items()
    ]
    lines += [
        f'<tr><th scope="row">{html.escape(name)}</th><td>in another process</td><td></td></tr>'
        for name in progress.elsewhere
        if name not in progress.running
    ]
    return f"<h2>Now</h2><table>{''.join(lines)}</table>" if lines else ""


def _stage(grid, name):
    """Which epoch a training is in; its page is linked."""
    run = RunFolder(grid.cell(name) / "run")
    options = run.options()
    if options is None:
        return "preparing"
    epoch = len(finished_rows(run.log)) + 1
    epochs = options.training.epochs
    stage = "scoring" if epoch > epochs else f"epoch {epoch} of {epochs}"
    place = html.escape(run.page.relative_to(grid.path).as_posix())
    return f'<a href="{place}">{stage}</a>' if run.page.exists() else stage


def _failed(progress):
    lines = [
        f"<li>{html.escape(name)}: {html.escape(why)}</li>" for name, why in progress.failed.items()
    ]
    return f'<h2>Failed</h2><ul class="alarm">{"".join(lines)}</ul>' if lines else ""
