"""What does not work, and why: the limits of the CycleGAN paper (section 6), each trained.

Nothing is said of a training but what it showed: sentences count the trainings in which a failure
was seen, and the alarms that were raised in these.
"""

import collections
import functools
import html
import shutil

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.experiments.failure_cell import SHEET, FailureCell
from cyclegan_tf.experiments.failures import FAILURES
from cyclegan_tf.experiments.grid import GridFolder
from cyclegan_tf.experiments.study import Study, scored
from cyclegan_tf.experiments.tables import html_table, markdown_table

_NAME = "failures"
_TITLE = "What does not work"


def failure_study(setting):
    """The `Study`, which writes `failures.md`, sheets and a section of the page.

    Args:
        setting: a `cyclegan_tf.experiments.translation_tables.Setting`, of which seeds and steps
            count; the images are made, and small.
    """
    cells = tuple(
        FailureCell(
            name=_cell_name(failure, variant, seed),
            draw=variant.draw,
            score=failure.score,
            size=failure.size,
            seed=seed,
            steps=setting.steps,
            options=variant.options,
        )
        for failure in FAILURES
        for variant in failure.variants
        for seed in setting.seeds
    )
    return Study(_NAME, cells, functools.partial(_write, setting))


def _cell_name(failure, variant, seed):
    return f"failure_{failure.name}_{variant.name}_{seed}"


def _write(setting, results, folder):
    """Writes the files; a section of the page, empty without results."""
    sections = [
        section
        for failure in FAILURES
        if (section := _section(failure, setting, results, folder)) is not None
    ]
    if not sections:
        return ""
    sizes = " or ".join(map(str, sorted({failure.size for failure in FAILURES})))
    note = (
        f"Section 6 of the CycleGAN paper, on made images of {sizes} pixels: CycleGAN, "
        f"{setting.steps:,} steps each."
    )
    text = [f"### {_TITLE}", note]
    page = [f"<h2>{_TITLE}</h2><p>{html.escape(note)}</p>"]
    for title, sentences, lines, sheets in sections:
        text += [f"#### {title}", " ".join(sentences), markdown_table(lines)]
        text += [f"{label}:\n\n![{label}]({file})" for label, file in sheets]
        page.append(
            f"<h3>{html.escape(title)}</h3><p>{html.escape(' '.join(sentences))}</p>"
            f"{html_table(lines)}"
        )
        page += [
            f'<figure><img src="{folder.name}/{file}" alt="{html.escape(label)}">'
            f"<figcaption>{html.escape(label)}</figcaption></figure>"
            for label, file in sheets
        ]
    files.write_text(folder / f"{_NAME}.md", "\n\n".join(text) + "\n")
    return "".join(page)


def _section(failure, setting, results, folder):
    """Title, sentences, lines of a table, and `(label, file)` of sheets; `None` without results."""
    lines, sheets = [], []
    sentences = [failure.why, f"It counts as seen if {failure.seen_if}."]
    for variant in failure.variants:
        names = [_cell_name(failure, variant, seed) for seed in setting.seeds]
        found = {name: result for name in names if (result := scored(results, name))}
        if not found:
            continue
        sentences += _said(failure, variant, list(found.values()))
        lines += _lines(variant, list(found.values()))
        first = next(iter(found))
        file = f"{first}.png"
        sheet = GridFolder(folder.parent).cell(first) / SHEET
        if sheet.exists():
            with files.atomic_file(folder / file) as path:
                shutil.copyfile(sheet, path)
            sheets.append((variant.label.capitalize(), file))
    if not lines:
        return None
    return failure.title, sentences, [["", "", "scores", "alarms"], *lines], sheets


def _said(failure, variant, found):
    """Sentences on the trainings of a variant."""
    seen = [each for each in found if failure.seen(_scores(each))]
    yield (
        f"{variant.label.capitalize()}: seen in {len(seen)} of {len(found)} training"
        f"{'s' * (len(found) > 1)}."
    )
    if not seen:
        return
    raised = collections.defaultdict(list)
    for each in seen:
        sentences = {name: text for of in each.values() for name, text in of["alarms"].items()}
        for name, text in sentences.items():
            raised[name].append(text)
    for name, texts in sorted(raised.items()):
        yield f"The alarm {name} was raised in {len(texts)} of these. {texts[0]}"
    if not raised:
        yield f"No alarm noticed it. {failure.found_by}"


def _scores(result):
    return {direction: of["scores"] for direction, of in result.items()}


def _lines(variant, found):
    """A line of a table for each direction: means of all scores, and how often alarms were."""
    for direction in found[0]:
        of = [each[direction] for each in found]
        scores = {name: [each["scores"][name] for each in of] for name in of[0]["scores"]}
        raised = collections.Counter(name for each in of for name in each["alarms"])
        yield [
            variant.label,
            f"{direction[0].upper()} → {direction[1].upper()}",
            "; ".join(
                f"{name.replace('_', ' ')} {np.mean(values):.2f}"
                + (f" ({min(values):.2f}–{max(values):.2f})" if len(values) > 1 else "")
                for name, values in scores.items()
            ),
            ", ".join(f"{name} ({n} of {len(of)})" for name, n in sorted(raised.items())) or "none",
        ]
