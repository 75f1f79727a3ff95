"""Table 1 of the CycleGAN paper: the share of trials in which people are fooled, by system.

Numbers come from people, so the study writes a page for each row and waits for their answers.
"""

import functools
import html
import json

from cyclegan_tf import files
from cyclegan_tf.directions import to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.experiments.real_or_fake.scores import score
from cyclegan_tf.experiments.real_or_fake.study import study
from cyclegan_tf.experiments.study import Study
from cyclegan_tf.experiments.tables import html_table, markdown_table
from cyclegan_tf.experiments.translation_tables import systems_table

NAME = "table1"
_PAGES = "real_or_fake"  # in the folder of the grid
_ANSWERS = "answers"  # in the folder of a page
# Percent fooled on maps, 256 pixels, Zhu et al. 2017, table 1: to photographs, to maps.
_PUBLISHED = {
    "CoGAN": ("0.6 ± 0.5", "0.9 ± 0.5"),
    "BiGAN/ALI": ("2.1 ± 1.0", "1.9 ± 0.9"),
    "SimGAN": ("0.7 ± 0.5", "2.6 ± 1.1"),
    "Feature loss + GAN": ("1.2 ± 0.6", "0.3 ± 0.2"),
    "CycleGAN": ("26.8 ± 2.8", "23.2 ± 3.4"),
}


def real_or_fake_study(setting):
    """The `Study` of table 1; its trainings are those of tables 2 and 3, with the first seed.

    Args:
        setting: a `cyclegan_tf.experiments.translation_tables.Setting`.
    """
    cells, rows = {}, []
    for number, to_maps in enumerate((False, True)):
        of_table, table = systems_table(setting, to_maps=to_maps)
        by_name = {cell.name: cell for cell in of_table}
        for row in table.rows:
            if row.label in _PUBLISHED and not row.baseline:
                name = row.cells[0]
                cells[name] = by_name[name]
                rows.append((row.label, name, row.key, _PUBLISHED[row.label][number]))
    return Study(
        NAME,
        tuple(cells.values()),
        functools.partial(_write, rows, setting),
        functools.partial(_write_pages, rows),
    )


def _write_pages(rows, grid, log):
    """A page for each row that has none yet."""
    for label, name, direction, _ in rows:
        page, result = _page(grid.path, name, direction), grid.result(name)
        if result and "diverged" not in result and not page.exists():
            log(f"Table 1: images of {label}, {direction}.")
            run = grid.cell(name) / "run"
            study(run, out=page, direction=direction, paired=True, log=log)


def _page(folder, name, direction):
    return folder / _PAGES / f"{name}_{direction}"


def _write(rows, setting, results, folder):
    """Writes `table1.md`; returns the section of the page."""
    lines = [["", "translates to", "people", "fooled, %", "paper: fooled, %"]]
    pages = []
    for label, name, direction, published in rows:
        if not results.get(name):
            continue
        page = _page(folder.parent, name, direction)
        maps = to_domain(direction) == setting.images.domain_of_maps
        kind = "label maps" if maps else "photographs"
        lines.append([label, kind, *_answered(page), published])
        if page.exists():
            place = (page / "index.html").relative_to(folder.parent).as_posix()
            pages.append(f'<li><a href="{place}">{html.escape(label)}, to {kind}</a></li>')
    if len(lines) == 1:
        return ""
    title = "Table 1: real or fake"
    note = (
        f"People say which of two images is real. Put the files that the pages save into the "
        f"folder {_ANSWERS} beside each page, in {_PAGES}, and run the command again. The paper's "
        "figures are of aerial photographs and maps, 256 pixels."
    )
    text = f"### {title}\n\n{note}\n\n{markdown_table(lines)}\n"
    files.write_text(folder / f"{NAME}.md", text)
    return f"<h2>{title}</h2><p>{note}</p>{html_table(lines)}<ul>{''.join(pages)}</ul>"


def _answered(page):
    """How many people count, and the share that was fooled; dashes without answers."""
    answers = page / _ANSWERS
    if not answers.is_dir() or not any(answers.glob("*.json")):
        return ["0", "–"]
    try:
        found = score([answers])
    except InputError as error:
        return ["0", str(error)]
    if found.settings.study != json.loads((page / "study.json").read_text())["study"]:
        return ["0", "answers to another page"]
    share = found.share
    return [f"{len(found.counted)}", f"{100 * share.value:.1f} ± {100 * share.deviation:.1f}"]
