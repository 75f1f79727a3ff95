"""Tables over the results of a grid: Markdown, CSV and a plot, beside published figures."""

import csv
import dataclasses
import html
import io

import numpy as np

from cyclegan_tf import files

_HEADS = {
    "per_pixel": "per pixel",
    "per_class": "per class",
    "iou": "class IoU",
    "kernel": "kernel distance",
    "psnr": "PSNR, dB",
    "source_accuracy": "accuracy on the source",
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A row of a table.

    Attributes:
        label: its first column.
        cells: names of the cells that are averaged, one for each seed; or a baseline's.
        key: which of their scores, such as a direction.
        paper: published figures by measure; empty if there are none.
        baseline: of `results[cell]["baselines"][key]`, its name; scores of the model if empty.
    """

    label: str
    cells: tuple[str, ...]
    key: str
    paper: dict = dataclasses.field(default_factory=dict)
    baseline: str = ""


@dataclasses.dataclass(frozen=True)
class Table:
    """A table, of which the results need not all be there.

    Attributes:
        name: a file name.
        title: a line.
        measures: names of scores, the columns.
        rows: `Row`s.
        note: sentences below the title, Markdown.
        compared_by: the measure of the plot, and of the comparison of orders.
    """

    name: str
    title: str
    measures: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""
    compared_by: str = "iou"

    @property
    def cells(self):
        """The names of all cells, without repetition."""
        return list(dict.fromkeys(name for row in self.rows for name in row.cells))


@dataclasses.dataclass(frozen=True)
class Filled:
    """A row with its numbers.

    Attributes:
        row: the `Row`.
        scores: `{"last": {measure: [a value for each seed]}, "best": …}`.
        costs: `{"steps": [...], "seconds": [...], …}`.
        diverged: how many seeds diverged.
    """

    row: Row
    scores: dict
    costs: dict
    diverged: int = 0

    def mean(self, measure, which="last"):
        """The mean over seeds; `None` without one."""
        values = self.scores.get(which, {}).get(measure, [])
        return float(np.mean(values)) if values else None

    def deviation(self, measure, which="last"):
        """The standard deviation over seeds, with n - 1; `None` below two seeds."""
        values = self.scores.get(which, {}).get(measure, [])
        return float(np.std(values, ddof=1)) if len(values) > 1 else None


def filled(table, results):
    """The rows of a table that have results, as `Filled`.

    Args:
        table: a `Table`.
        results: `{name of a cell: result}`; cells may be missing.
    """
    rows = []
    for row in table.rows:
        found = [results[name] for name in row.cells if results.get(name)]
        diverged = sum("diverged" in each for each in found)
        found = [each for each in found if "diverged" not in each]
        if not found and not diverged:
            continue
        if row.baseline:
            parts = {"last": [each["baselines"][row.key].get(row.baseline, {}) for each in found]}
            costs = {}
        else:
            parts = {
                which: [each["scores"][which][row.key] for each in found if which in each["scores"]]
                for which in ("last", "best")
            }
            costs = _costs(found)
        scores = {which: _by_measure(of, table.measures) for which, of in parts.items()}
        rows.append(Filled(row, scores, costs, diverged))
    return rows


def _by_measure(parts, measures):
    by_name = {
        name: [part[name] for part in parts if part.get(name) is not None] for name in measures
    }
    return {name: values for name, values in by_name.items() if values}


def _costs(found):
    names = dict.fromkeys(name for each in found for name in each["cost"])
    return {name: [each["cost"][name] for each in found if name in each["cost"]] for name in names}


def as_markdown(table, rows):
    """The table as Markdown: scores of the last and of the best epoch, the paper's, and costs."""
    parts = [f"### {table.title}", table.note, *map(markdown_table, _grids(table, rows))]
    parts.append("\n".join(f"- {sentence}" for sentence in other_orders(table, rows)))
    return "\n\n".join(part for part in parts if part) + "\n"


def as_html(table, rows):
    """The same as HTML."""
    sentences = "".join(f"<li>{html.escape(each)}</li>" for each in other_orders(table, rows))
    note = html.escape(table.note.replace("`", ""))
    grids = "".join(map(html_table, _grids(table, rows)))
    return f"<h2>{html.escape(table.title)}</h2><p>{note}</p>{grids}<ul>{sentences}</ul>"


def html_table(lines):
    """Lines of text by column as a table, HTML; the first one has the heads."""
    return f'<div class="wide"><table>{"".join(map(_html_line, lines))}</table></div>'


def _html_line(line):
    first, *others = map(html.escape, line)
    return f'<tr><th scope="row">{first}</th>{"".join(f"<td>{each}</td>" for each in others)}</tr>'


def _grids(table, rows):
    """The scores and the costs, each as lines of text by column, of which the first has heads."""
    return [lines for lines in (_score_lines(table, rows), _cost_lines(rows)) if len(lines) > 1]


def _score_lines(table, rows):
    heads = [_HEADS.get(name, name) for name in table.measures]
    best = any(each.scores.get("best") for each in rows)
    paper = any(each.row.paper for each in rows)
    head = ["", "seeds", *(f"{name}, last" for name in heads)]
    head += [f"{name}, best" for name in heads] * best
    head += ["paper: " + " / ".join(_HEADS.get(name, name) for name in _of_paper(rows))] * paper
    lines = [head]
    for each in rows:
        count = max([len(values) for values in each.scores["last"].values()], default=0)
        line = [each.row.label, f"{count or ''}"]
        line += [_said(each, name, "last") for name in table.measures]
        line += [_said(each, name, "best") for name in table.measures] * best
        line += [" / ".join(f"{value:g}" for value in each.row.paper.values()) or "–"] * paper
        lines.append(line)
    return lines


def _cost_lines(rows):
    lines = [["", "steps", "images of each domain", "seconds", "parameters", "peak memory, GiB"]]
    for each in rows:
        if each.costs:
            mean = {name: np.mean(values) for name, values in each.costs.items()}
            lines.append(
                [
                    each.row.label,
                    *(f"{mean[name]:,.0f}" for name in ("steps", "images", "seconds")),
                    f"{mean['parameters'] / 1e6:.2f} M",
                    f"{mean['peak_memory_gib']:.2f}",
                ]
            )
    return lines


def markdown_table(lines):
    """The same as Markdown."""
    head, *others = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join((head, "|---" * len(lines[0]) + "|", *others))


def _of_paper(rows):
    return list(dict.fromkeys(name for each in rows for name in each.row.paper))


def _said(row, measure, which):
    """A mean and its deviation, such as "0.812 ± 0.010"."""
    mean, deviation = row.mean(measure, which), row.deviation(measure, which)
    if mean is None:
        return "diverged" if row.diverged and which == "last" else "–"
    said = f"{mean:.3f}" if deviation is None else f"{mean:.3f} ± {deviation:.3f}"
    if which == "last":
        return f"{said}, {row.diverged} diverged" if row.diverged else said
    count, of = (len(row.scores[each].get(measure, [])) for each in ("best", "last"))
    return said if count == of else f"{said}, {count} of {of} seeds"


def other_orders(table, rows):
    """Sentences on pairs of rows whose order differs from the paper's by more than deviations.

    The difference must be larger than both deviations over seeds, so with one seed any counts.
    """
    by = table.compared_by
    known = [each for each in rows if by in each.row.paper and each.mean(by) is not None]
    for number, first in enumerate(known):
        for second in known[number + 1 :]:
            name = _HEADS.get(by, by)
            ours = first.mean(by) - second.mean(by)
            theirs = first.row.paper[by] - second.row.paper[by]
            noise = max(first.deviation(by) or 0.0, second.deviation(by) or 0.0)
            if ours * theirs < 0 and abs(ours) > noise:
                ahead, behind = (first, second) if theirs > 0 else (second, first)
                yield (
                    f"{ahead.row.label} is ahead of {behind.row.label} in the paper "
                    f"({ahead.row.paper[by]:g} and {behind.row.paper[by]:g} {name}), and "
                    f"behind it here ({ahead.mean(by):.3f} and {behind.mean(by):.3f})."
                )


def as_csv(table, rows):
    """The table as CSV: a line for each row, epoch and measure."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", "epoch", "measure", "seeds", "mean", "deviation", "paper"])
    for each in rows:
        for which in ("last", "best"):
            for name, values in each.scores.get(which, {}).items():
                deviation = each.deviation(name, which)
                writer.writerow(
                    [
                        each.row.label,
                        which,
                        name,
                        len(values),
                        f"{np.mean(values):.6f}",
                        "" if deviation is None else f"{deviation:.6f}",
                        each.row.paper.get(name, ""),
                    ]
                )
    return text.getvalue()


def plot(table, rows, path):
    """Writes the table as bars, with the deviation over seeds and the paper's figures, as PNG."""
    from matplotlib.figure import Figure  # here, because few commands draw

    by = table.compared_by
    shown = [each for each in rows if each.mean(by) is not None]
    if not shown:
        return
    figure = Figure(figsize=(7.0, 0.9 + 0.34 * len(shown)), layout="constrained")
    axes = figure.add_subplot(title=table.title, xlabel=_HEADS.get(by, by))
    places = range(len(shown))
    errors = [each.deviation(by) or 0.0 for each in shown]
    colors = ["#bbbbbb" if each.row.baseline else "#4477aa" for each in shown]
    axes.barh(places, [each.mean(by) for each in shown], xerr=errors, color=colors, height=0.6)
    for place, each in zip(places, shown):
        for value in each.scores["last"][by]:
            axes.plot(value, place, ".", color="black", markersize=4)
    published = [(each.row.paper[by], n) for n, each in enumerate(shown) if by in each.row.paper]
    if published:
        axes.plot(*zip(*published), "d", color="#cc3311", label="paper", markersize=6)
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))
    axes.set_yticks(places, [each.row.label for each in shown])
    axes.invert_yaxis()
    axes.grid(axis="x", alpha=0.3)
    with files.atomic_file(path) as beside:
        figure.savefig(beside, dpi=100)


def write_table(table, results, folder):
    """Writes `NAME.md`, `NAME.csv` and `NAME.png`, as far as there are results.

    Returns:
        The table as HTML; empty without results.
    """
    rows = filled(table, results)
    if not rows:
        return ""
    files.write_text(folder / f"{table.name}.md", as_markdown(table, rows))
    files.write_text(folder / f"{table.name}.csv", as_csv(table, rows))
    plot(table, rows, folder / f"{table.name}.png")
    return as_html(table, rows)
