"""The command `reproduce`: the papers' comparisons on images of one's own, in tables."""

import functools
import importlib.metadata
import json
import pathlib
import re
import shlex

from cyclegan_tf import files
from cyclegan_tf.choices import BUILT_IN, STUDIES, check
from cyclegan_tf.errors import InputError
from cyclegan_tf.experiments.adaptation import adaptation_study
from cyclegan_tf.experiments.failure_study import failure_study
from cyclegan_tf.experiments.grid import GridFolder, Progress, run_cells
from cyclegan_tf.experiments.grid_page import write_grid_page
from cyclegan_tf.experiments.labeled_source import labeled_source
from cyclegan_tf.experiments.paintings_source import paintings_source
from cyclegan_tf.experiments.real_or_fake.table import real_or_fake_study
from cyclegan_tf.experiments.study import Study
from cyclegan_tf.experiments.style_study import style_study
from cyclegan_tf.experiments.tables import write_table
from cyclegan_tf.experiments.training_cell import EPOCHS
from cyclegan_tf.experiments.translation_tables import (
    Setting,
    ablation_table,
    systems_table,
    unit_table,
)

_ALL = "all"  # of those that share images
_STYLE = "style"
_MEANT = {
    "table2": functools.partial(systems_table, to_maps=False),
    "table3": functools.partial(systems_table, to_maps=True),
    "table4": functools.partial(ablation_table, to_maps=False),
    "table5": functools.partial(ablation_table, to_maps=True),
    "unit": unit_table,
}
# Which are no tables of scores.
_STUDIES = {
    "table1": real_or_fake_study,
    "adaptation": adaptation_study,
    "failures": failure_study,
    "style": style_study,
}
_OWN_IMAGES = ("adaptation", "failures", _STYLE)  # which need no label maps
# A try of everything within minutes, whose numbers say little.
_QUICK = {"steps": 4 * EPOCHS, "base_filters": 8, "count": 16, "searched": 4, "evaluations": 2}
_SIZES, _SIZE = {"scenes": 64}, 128


def reproduce(
    names,
    out=None,
    *,
    data="scenes",
    quick=False,
    seeds=3,
    steps=None,
    image_size=None,
    jobs=1,
    log=print,
):
    """Trains what the papers compare, scores it, and writes tables and a page.

    Killed at any moment and called again with the same arguments it does the rest, and the tables
    are the same. Several processes and machines may share the folder.

    Args:
        names: of studies, of `cyclegan_tf.choices.STUDIES`; `"all"` stands for all but
            style.
        out: the folder to write; by default `runs/reproduce_` and the name of the images.
        data: `"scenes"`, `"earth"`, or a folder with trainA, trainB, testA, testB and
            `classes.json`; see `cyclegan_tf.experiments.labeled_source.labeled_source`. For style
            a folder of photographs and paintings; see
            `cyclegan_tf.experiments.paintings_source.paintings_source`.
        quick: few steps of small networks on small images, to try it out.
        seeds: how many trainings each row is the mean of.
        steps: of each training; 1,200 by default, rounded up to a multiple of 12.
        image_size: side of the images, in pixels; 64 by default for scenes, else 128.
        jobs: trainings at a time.
        log: called with lines for the user.

    Returns:
        `{name of a cell: result}`.

    Raises:
        InputError: an argument out of range, images that do not serve, a folder of another study,
            or a cell that failed.
    """
    names = _chosen(names)
    _check_counts(seeds=seeds, jobs=jobs, **({} if steps is None else {"steps": steps}))
    size = image_size or (64 if quick else _SIZES.get(data, _SIZE))  # 64 is DiscoGAN's least
    images = _source(names, data, size)
    changes = {} if steps is None else {"steps": EPOCHS * -(-steps // EPOCHS)}
    settings = {**(_QUICK if quick else {}), **changes}
    setting = Setting(images, seeds=tuple(range(seeds)), **settings)
    title = data if data in BUILT_IN else pathlib.Path(data).resolve().name
    out = out or pathlib.Path("runs") / f"reproduce_{title}{'_quick' if quick else ''}"
    grid = GridFolder(out)
    _check_folder(grid, setting)
    studies = [study_of(name, setting) for name in names]
    cells = list({cell.name: cell for study in studies for cell in study.cells}.values())
    log(
        f"{len(cells)} {'training' if len(cells) == 1 else 'trainings'} of {setting.steps:,} steps "
        f"at {size} pixels, {jobs} at a time. "
        f"Open {grid.page}, which is kept up to date."
    )
    changed = functools.partial(_write_page, grid, title, studies, cells, jobs)
    results = run_cells(cells, grid.path, jobs=jobs, changed=changed, log=log)
    report = grid.path / "report.md"
    files.write_text(report, _report(grid, names, setting, quick, results))
    for study in studies:
        if study.finish is not None:
            study.finish(grid, log)
            changed(Progress(done=list(results)))
            files.write_text(report, _report(grid, names, setting, quick, results))
    log(f"Done: open {grid.page}; {report} has all tables as Markdown.")
    return results


def study_of(name, setting):
    """The `Study` of a name and a `Setting`."""
    if name in _STUDIES:
        return _STUDIES[name](setting)
    cells, table = _MEANT[name](setting)
    return Study(name, tuple(cells), functools.partial(write_table, table))


def _chosen(names):
    """The names of studies, in the order of the papers, each once."""
    for name in names:
        check("the study", name, (*STUDIES, _ALL))
    of_all = [name for name in STUDIES if name != _STYLE] if _ALL in names else []
    return [name for name in STUDIES if name in names or name in of_all]


def _source(names, data, size):
    """The images of the studies; some studies make theirs, whatever the others are."""
    if _STYLE not in names:
        return labeled_source(data, size)
    if others := [name for name in names if name not in _OWN_IMAGES]:
        raise InputError(
            f"The study {_STYLE} takes photographs and paintings, and {', '.join(others)} label "
            f"maps: name {_STYLE} alone, with a folder of its own for --data."
        )
    return paintings_source(data, size)


def _check_counts(**counts):
    for name, value in counts.items():
        if value < 1:
            raise InputError(f"{name} must be at least 1. Received: {value}")


def _check_folder(grid, setting):
    """Writes the setting into a new folder; results of another one are not mixed with these."""
    mine = {
        "source": setting.images.source,
        "image_size": setting.images.image_size,
        "steps": setting.steps,
        "base_filters": setting.base_filters,
        "count": setting.count,
        "searched": setting.searched,
    }
    path = grid.path / "setting.json"
    if not path.exists():
        # What a killed process left of the file itself begins with a dot.
        if any(not each.name.startswith(".") for each in grid.path.glob("*")):
            raise InputError(
                f"{grid.path} holds something else than a study; choose a folder that is new or "
                "empty."
            )
        files.write_text(path, json.dumps(mine, indent=2) + "\n")
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
        different = [name for name in mine if there[name] != mine[name]]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{path} is damaged; choose another folder.") from error
    if different:
        raise InputError(
            f"{grid.path} holds a study with "
            + ", ".join(f"{name} {there[name]}, now {mine[name]}" for name in different)
            + "; choose another folder."
        )


def _report(grid, names, setting, quick, results):
    """All tables as Markdown, with what made them."""
    processors = sorted({each["machine"] for each in results.values() if each.get("machine")})
    packages = ("cyclegan-tf", "tensorflow", "keras")
    versions = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    options = {
        "data": setting.images.source,
        "seeds": len(setting.seeds),
        "steps": setting.steps,
        "image-size": setting.images.image_size,
    }
    given = [f"--{name} {shlex.quote(str(value))}" for name, value in options.items()]
    given += ["--quick"] * quick
    parts = [
        f"```bash\n{' '.join(('cyclegan-tf reproduce', *names, *given))}\n```",
        f"{', '.join([*processors, *versions])}.",
    ]
    for name in names:
        table = grid.tables / f"{name}.md"
        if table.exists():  # whose links are relative to its own folder
            text = table.read_text(encoding="utf-8")
            parts.append(re.sub(r"\]\((?=[^)]+\.png\))", f"]({grid.tables.name}/", text))
        if name in _MEANT and table.with_suffix(".png").exists():
            parts.append(f"![The table as bars]({grid.tables.name}/{name}.png)")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _write_page(grid, title, studies, cells, jobs, progress):
    """Writes the tables, so far, and the page."""
    results = {cell.name: grid.result(cell.name) for cell in cells}
    sections = [study.write(results, grid.tables) for study in studies]
    write_grid_page(grid, f"Reproduction: {title}", cells, progress, jobs, sections)
