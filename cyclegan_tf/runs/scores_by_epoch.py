"""What a run's page says of `evaluations.json`: the verdict, alarms, scores of last and best."""

import html
import math

from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.curves import Chart, Curve, place
from cyclegan_tf.runs.evaluations import RULE, Evaluations, read


class ScoresFile:
    """The content of `evaluations.json`; nothing if it is missing or something else.

    Args:
        path: of the file.
    """

    def __init__(self, path):
        try:
            found = read(path)
        except InputError:
            found = Evaluations()
        self._baselines = found.baselines
        self._images = found.protocol.get("images", {})
        self.measures = found.measures
        self.epochs = found.epochs
        self.best = found.best
        self.verdict = found.verdict or {}

    @property
    def counts(self):
        """How many images were scored, in words."""
        counts = [f"{of.get('count')} of {name.upper()}" for name, of in self._images.items()]
        return f"{' and '.join(counts)}" if counts else "images whose number is not known"

    @property
    def directions(self):
        """Of the newest evaluation."""
        return self.epochs[-1].directions if self.epochs else {}

    def columns(self):
        """Their names in `log.csv`."""
        return {f"{direction}_{name}" for direction in self.directions for name in self.measures}

    def score(self, epoch, direction, measure):
        """The score of an epoch and its standard error; `None` for what is unknown."""
        found = next((each.directions for each in self.epochs if each.epoch == epoch), {})
        of = found.get(direction, {"scores": {}, "standard_errors": {}})
        values = of["scores"].get(measure), of["standard_errors"].get(measure)
        return tuple(v if v is not None and math.isfinite(v) else None for v in values)

    def scores(self, direction, measure):
        """The scores of all evaluated epochs."""
        return [self.score(each.epoch, direction, measure)[0] for each in self.epochs]

    def of_copies(self, direction, measure):
        """The score of the input itself, returned as the translation."""
        return self._baselines.get(direction, {}).get("copy", {}).get(measure)


def verdict_section(evaluations):
    """HTML: whether it works, and what to do."""
    verdict = evaluations.verdict
    if not verdict.get("sentence"):
        return ""
    parts = [f"<h2>{html.escape(verdict['sentence'])}</h2>"]
    if verdict.get("advice"):
        parts.append(f"<p>{html.escape(verdict['advice'])}</p>")
    if verdict.get("title"):
        title = html.escape(verdict["title"])
        parts.append(f'<p class="note">docs/working.md has more, under “{title}”.</p>')
    return f'<div class="verdict">{"".join(parts)}</div>'


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
        f"Epoch {entry.epoch}, {html.escape(names.of_direction(direction))}: "
        f"{html.escape(str(alarm.get('sentence', alarm.get('name'))))}"
        for direction, found in entry.directions.items()
        for alarm in found["alarms"]
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
            epochs = [each.epoch for each in evaluations.epochs]
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
    rule = "No epoch is the best one: no distance was measured, or each epoch had an alarm."
    if evaluations.best is not None:
        rule = RULE
    return (
        f"<h2>Scores</h2><p>{html.escape(rule)}</p>{tables}"
        "<p>Copies are the images themselves in the place of their translations. They have the "
        "structure and the edges of the input by definition; their distance is what to beat.</p>"
        f'<div class="charts">{curves}</div>'
    )


def _table(evaluations, direction, names):
    """The scores of a direction: last beside best beside copies."""
    last, best = evaluations.epochs[-1].epoch, evaluations.best
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
    acronyms = {"iou": "IoU", "psnr": "PSNR"}
    return acronyms.get(measure, measure.replace("_", " ").capitalize())
