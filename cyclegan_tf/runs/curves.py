"""Curves on a page, drawn in the browser by uPlot, which stands in the page itself.

uPlot 1.6.32 (MIT license) is in `browser/` as npm has it: a page opens from disk and offline.
"""

import dataclasses
import html
import importlib.resources
import json
import math

_UPLOT = "uPlot.iife.min.js"


@dataclasses.dataclass(frozen=True)
class Curve:
    """One line of a chart.

    Attributes:
        name: in the legend.
        values: a number or `None` for each epoch of the chart.
        color: number of the color; two curves may share one.
        dashed: whether the line is.
    """

    name: str
    values: list
    color: int
    dashed: bool = False


@dataclasses.dataclass(frozen=True)
class Chart:
    """Curves over the epochs.

    Attributes:
        key: unique on the page; letters, digits and underscores.
        title: read aloud in the place of the image.
        epochs: from 1, rising.
        curves: `Curve`s.
        from_zero: the axis includes 0.
    """

    key: str
    title: str
    epochs: list
    curves: list
    from_zero: bool = False


def place(chart):
    """The element of the page that `scripts` draws a chart in."""
    title = html.escape(f"{chart.title}, by epoch. The arrow keys move along the curves.")
    return (
        f'<div class="chart" id="chart_{chart.key}" role="group" tabindex="0" '
        f'aria-label="{title}"></div>'
    )


def scripts(charts, marks):
    """The scripts of a page and what they draw.

    Args:
        charts: all `Chart`s of the page.
        marks: words by epoch, such as `{12: "best"}`: lines across each chart.
    """
    content = {
        "charts": [
            {**dataclasses.asdict(chart), "curves": [_as_json(c) for c in chart.curves]}
            for chart in charts
        ],
        "marks": [{"epoch": epoch, "text": text} for epoch, text in sorted(marks.items())],
        "first": min((chart.epochs[0] for chart in charts), default=1),
        "last": max((chart.epochs[-1] for chart in charts), default=1),
    }
    parts = [f'<script type="application/json" id="curves">{safe_json(content)}</script>']
    if charts:
        parts.append(f"<script>/*\n{_read('uPlot.LICENSE')}*/\n{_read(_UPLOT)}</script>")
    parts.append(f"<script>{_read('run.js')}</script>")
    return "\n".join(parts)


def style():
    """The style sheets of a page with curves."""
    return _read("uPlot.min.css") + _read("run.css")


def safe_json(content):
    """JSON that ends no script, whatever names of files it holds."""
    return json.dumps(content, allow_nan=False).replace("<", "\\u003c")


def _as_json(curve):
    # Neither NaN nor infinity is JSON.
    known = [v if v is not None and math.isfinite(v) else None for v in curve.values]
    return {**vars(curve), "values": known}


def _read(name):
    file = importlib.resources.files("cyclegan_tf.runs").joinpath("browser", name)
    return file.read_text(encoding="utf-8")
