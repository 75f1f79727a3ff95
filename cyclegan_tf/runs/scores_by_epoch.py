"""What a run's page says of `evaluations.json`: the verdict, alarms, scores of last and best."""

import contextlib
import html
import json
import math

from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.runs.curves import Chart, Curve, place


class ScoresFile:
    """The content of `evaluations.json`, also if it is missing or lacks something.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        self._content = _read(path)
        self.measures = self._content.get("measures", {})
        self.epochs = self._content.get("epochs", [])
        self.best = self._content.get("best")
        self.rule = self._content.get("rule", "")
        self.verdict = self._content.get("verdict") or {}

    @property
    def directions(self):
        """Of the newest evaluation."""
        return self.epochs[-1]["directions"] if self.epochs else {}

    def columns(self):
        """Their names in `log.csv`."""
        return {f"{direction}_{name}" for direction in self.directions for name in self.measures}

    def score(self, epoch, direction, measure):
        """The score of an epoch and its standard error; `None` for what is unknown."""
        entry = next((each for each in self.epochs if each["epoch"] == epoch), {})
        of = entry.get("directions", {}).get(direction, {})
        values = of.get("scores", {}).get(measure), of.get("standard_errors", {}).get(measure)
        return tuple(v if v is not None and math.isfinite(v) else None for v in values)

    def scores(self, direction, measure):
        """The scores of all evaluated epochs."""
        return [self.score(entry["epoch"], direction, measure)[0] for entry in self.epochs]

    def of_copies(self, direction, measure):
        """The score of the input itself, returned as the translation."""
        baselines = self._content.get("baselines", {}).get(direction, {})
        return baselines.get("copy", {}).get(measure)


def verdict_section(evaluations):
    """HTML: whether it works, and what to do."""
    verdict = evaluations.verdict
    if not verdict.get("sentence"):
        return ""
    parts = [f"<h2>{html.escape(verdict['sentence'])}</h2>"]
    if verdict.get("advice"):
        parts.append(f"<p>{html.escape(verdict['advice'])}</p>")
    if page := verdict.get("page"):
        parts.append(f"<p>More: {_link(page)}</p>")
    return f'<div class="verdict">{"".join(parts)}</div>'


def _link(page):
    # Whatever else the file holds, such as a script, is text.
    text = html.escape(page)
    return f'<a href="{text}">{text}</a>' if page.startswith("https://") else f"<code>{text}</code>"


def alarms_section(evaluations, names):
    """HTML: the alarms of the newest evaluation in words, and behind a click those before."""
    newest, *earlier = [_alarms_of(entry, names) for entry in reversed(evaluations.epochs)] or [[]]
    shown = "".join(f'<p class="alarm">{text}</p>' for text in newest)
    before = [f"<li>{text}</li>" for texts in earlier for text in texts]
    if before:
        shown += (
            f"<details><summary>Alarms of earlier epochs: {len(before)}</summary>"
            f"<ul>{''.join(before)}</ul></details>"
        )
    return shown


def _alarms_of(entry, names):
    return [
        f"Epoch {entry['epoch']}, {html.escape(names.of_direction(direction))}: "
        f"{html.escape(str(alarm.get('sentence', alarm.get('name'))))}"
        for direction, found in entry["directions"].items()
        for alarm in found.get("alarms", [])
    ]


def score_charts(evaluations, names):
    """A `Chart` for each measure with a score: a curve for each direction, a line for copies."""
    charts = []
    for number, (measure, about) in enumerate(evaluations.measures.items()):
        curves = []
        for color, direction in enumerate(evaluations.directions):
            scores = evaluations.scores(direction, measure)
            if all(score is None for score in scores):
                continue
            title = _short_title(direction, names)
            curves.append(Curve(title, scores, color))
            copies = evaluations.of_copies(direction, measure)
            if copies is not None:
                curves.append(Curve(f"{title}, copied", [copies] * len(scores), color, True))
        if curves:
            title = f"{_in_words(measure)} ({about.get('best', '')} is good)"
            epochs = [entry["epoch"] for entry in evaluations.epochs]
            charts.append(Chart(f"score_{number}", title, epochs, curves))
    return charts


def scores_section(evaluations, names, charts):
    """HTML: tables of the last and the best epoch, then the curves."""
    if not evaluations.epochs:
        return ""
    tables = "".join(_table(evaluations, direction, names) for direction in evaluations.directions)
    curves = "".join(
        f"<section><h3>{html.escape(chart.title)}</h3>{place(chart)}</section>" for chart in charts
    )
    rule = f"<p>{html.escape(evaluations.rule)}</p>" if evaluations.rule else ""
    return (
        f"<h2>Scores</h2>{rule}{tables}"
        "<p>Copies are the images themselves in the place of their translations.</p>"
        f'<div class="charts">{curves}</div>'
    )


def _table(evaluations, direction, names):
    """The scores of a direction: last beside best beside copies."""
    last, best = evaluations.epochs[-1]["epoch"], evaluations.best
    columns = {f"last: epoch {last}": last}
    if best is not None:
        columns[f"best: epoch {best}"] = best
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("", *columns, "copies"))
    rows = []
    for measure, about in evaluations.measures.items():
        scores = [evaluations.score(epoch, direction, measure) for epoch in columns.values()]
        scores.append((evaluations.of_copies(direction, measure), None))
        if any(score is not None for score, _ in scores):
            cells = "".join(f"<td>{_said(*score)}</td>" for score in scores)
            rows.append(f"{_measure_head(measure, about)}{cells}")
    title = html.escape(names.of_direction(direction))
    return (
        f"<h3>{title}</h3>"
        f'<div class="wide" tabindex="0" role="region" aria-label="Scores, {title}">'
        f'<table class="scores"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table></div>"
    )


def _measure_head(measure, about):
    good = f"; {about['best']} is good" if about.get("best") else ""
    note = html.escape(f"{about.get('meaning', '')}{good}")
    return f'<th scope="row">{html.escape(measure)}<span class="note">{note}</span></th>'


def _said(score, error):
    if score is None:
        return "no number"
    return f"{score:.4g}" + ("" if error is None else f" ± {error:.2g}")


def _short_title(direction, names):
    """`to photographs`; `A → B` if the domains have no names."""
    domain = to_domain(direction)
    name = vars(names)[domain]
    return f"to {name}" if name else f"{from_domain(direction).upper()} → {domain.upper()}"


def _in_words(measure):
    return measure.replace("_", " ").capitalize()


def _read(path):
    """The content of the file; empty if there is none, or none that can be read."""
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}
