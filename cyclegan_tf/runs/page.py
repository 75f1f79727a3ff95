"""The page of a run: `index.html`, opened from disk without a server."""

import html

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.runs import curves, scores_by_epoch
from cyclegan_tf.runs.domains import domain_names
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.html_page import document
from cyclegan_tf.runs.logs import finished_rows
from cyclegan_tf.runs.options import declared_options
from cyclegan_tf.runs.summary import facts

_RATE = {"Learning rate": {"learning_rate": "of the optimizers"}}


def write_page(folder, title, panels, section=""):
    """Writes `index.html` and `losses.png` from the files of a run.

    It reads `options.json`, `machine.json`, `log.csv`, `evaluations.json` and `samples/`, as far as
    they exist, and links to what else the folder holds.

    Args:
        folder: of the run.
        title: of the page.
        panels: title of a plot -> name of a loss -> its meaning; a system's `loss_panels`.
        section: HTML to place above the samples.
    """
    folder = RunFolder(folder)
    options = folder.options()
    names = domain_names(options)
    rows = _read_log(folder.log)
    evaluations = scores_by_epoch.ScoresFile(folder.evaluations)
    if rows:
        _plot_losses(_loss_charts(rows, panels), folder.plot)
    panels = {**panels, **_RATE}
    losses = _loss_charts(rows, panels)
    scores = scores_by_epoch.score_charts(evaluations, names)
    done = int(rows[-1]["epoch"]) + 1 if rows else 0
    best = evaluations.best
    parts = (
        scores_by_epoch.verdict_section(evaluations),
        scores_by_epoch.alarms_section(evaluations, names),
        facts(folder, options, names, done),
        section,
        _samples(folder.samples, best, names, options),
        scores_by_epoch.scores_section(evaluations, names, scores),
        _losses(rows, panels, losses, names, evaluations.columns()),
        _links(folder),
        _options(options),
        curves.scripts([*losses, *scores], _marks(done, best)),
    )
    files.write_text(
        folder.page, document(title, "\n".join(filter(None, parts)), style=curves.style())
    )


def _read_log(path):
    # Keras writes "NA" if there is no validation.
    return [
        {name: float(value) for name, value in row.items() if value not in ("", "NA")}
        for row in finished_rows(path)
    ]


def _marks(last, best):
    """Words for the curves by epoch."""
    if best is None:
        return {last: "last"} if last else {}
    return {last: "last", best: "best"} if last != best else {last: "last and best"}


def _links(folder):
    """Links to the existing files of the run, with their purpose."""
    commands = "for <code>cyclegan-tf translate</code> and <code>export</code>"
    serve = html.escape(f"python -m http.server --directory {folder.web}")
    meant = (
        (folder.model, f"the model of the last epoch, {commands}"),
        (folder.best, f"the model of the best epoch, {commands}"),
        (folder.log, "losses and scores of each epoch, from 0"),
        (folder.plot, "the losses as a plot"),
        (folder.evaluations, "the scores and how they were measured"),
        (folder.evaluation / "index.html", "the best and the worst images by each measure"),
        (folder.web / "index.html", f"translates images in the browser: <code>{serve}</code>"),
        (folder.options_file, "the options"),
        (folder.machine, "processor, seconds and steps"),
    )
    found = [
        f'<li><a href="{name}">{name}</a>: {text}</li>'
        for file, text in meant
        if file.exists()
        for name in [file.relative_to(folder.path).as_posix()]
    ]
    if folder.tensorboard.is_dir():
        command = html.escape(f"tensorboard --logdir {folder.tensorboard}")
        found.append(f"<li>TensorBoard: <code>{command}</code></li>")
    return f"<h2>Files</h2><ul>{''.join(found)}</ul>" if found else ""


def _samples(folder, best, names, options):
    """The newest sample grid, and a slider over those of all epochs."""
    grids = {int(path.stem.removeprefix("epoch_")): path for path in folder.glob("epoch_*.png")}
    epochs = sorted(grids)
    if not epochs:
        return ""
    sources = [f"samples/{grids[epoch].name}" for epoch in epochs]
    chosen = {"First": epochs[0], "Best": best, "Last": epochs[-1]} if len(epochs) > 1 else {}
    alt = "Samples of epoch #: real images, their translations, and what comes back"
    letters = f"A are {names.a}, B are {names.b}. " if names.a else ""
    return _SAMPLES.format(
        letters=html.escape(letters + _columns_of(options)),
        last=len(epochs) - 1,
        epoch=epochs[-1],
        source=sources[-1],
        alt=alt.replace("#", str(epochs[-1])),
        buttons="".join(
            f'<button type="button" data-number="{epochs.index(epoch)}">{name}: epoch {epoch}'
            "</button>"
            for name, epoch in chosen.items()
            if epoch in grids
        ),
        plain=" ".join(f'<a href="{s}">{epoch}</a>' for s, epoch in zip(sources, epochs)),
        content=curves.safe_json({"epochs": epochs, "sources": sources, "alt": alt}),
    )


def _columns_of(options):
    """What is said of columns that only some systems have."""
    if options is None:
        return ""
    said = {
        "cogan": "Pairs that are generated are made from noise; a nearest image is the nearest one "
        "that can be made so. ",
        "pix2pix": "A true image is the other one of its pair. ",
    }
    return said.get(options.system, "")


def _columns(rows):
    """The columns of the log, except the epoch."""
    return [name for name in dict.fromkeys(name for row in rows for name in row) if name != "epoch"]


def _loss_charts(rows, panels):
    """A `Chart` for each panel, of the losses that were logged, and of validation's dashed."""
    charts, logged = [], _columns(rows)
    epochs = [int(row["epoch"]) + 1 for row in rows]
    for number, (title, panel) in enumerate(panels.items()):
        found = [
            curves.Curve(name, [row.get(name) for row in rows], color, name.startswith("val_"))
            for color, loss in enumerate(panel)
            for name in (loss, f"val_{loss}")
            if name in logged
        ]
        if found:
            charts.append(curves.Chart(f"losses_{number}", title, epochs, found, from_zero=True))
    return charts


def _losses(rows, panels, charts, names, scores):
    """The curves of the losses, each with what it should do."""
    if not rows:
        return ""
    by_title = {chart.title: chart for chart in charts}
    sections = [
        f"<section><h3>{html.escape(title)}</h3>{curves.place(by_title[title])}"
        f"{_meanings([c.name for c in by_title[title].curves], rows, panel, names)}</section>"
        for title, panel in panels.items()
        if title in by_title
    ]
    in_charts = {curve.name for chart in charts for curve in chart.curves}
    others = [name for name in _columns(rows) if name not in in_charts | scores]
    if others:
        sections.append(f"<section><h3>Others</h3>{_meanings(others, rows, {}, names)}</section>")
    return (
        "<h2>Losses</h2>"
        "<p>Losses say little about the images, because networks work against each other; look at "
        "the samples.</p><p>Drag over a curve to enlarge a part, double-click to see all of it, and "
        "click a name to hide its curve. The arrow keys move along the curve that Tab has chosen.</p>"
        f'<div class="charts">{"".join(sections)}</div>'
        '<noscript><p><img src="losses.png" alt="The losses by epoch"></p></noscript>'
    )


def _meanings(columns, rows, meanings, names):
    """A table of losses: the newest value, and what it is and should do."""
    lines = []
    for name in columns:
        value = next(row[name] for row in reversed(rows) if name in row)
        meaning = names.within(meanings.get(name.removeprefix("val_"), ""))
        if name.startswith("val_"):
            meaning = f"the same of validation: {meaning}"
        lines.append(
            f'<tr><th scope="row">{html.escape(name)}<span class="note">{html.escape(meaning)}'
            f"</span></th><td>{value:.4g}</td></tr>"
        )
    return f'<table class="meanings">{"".join(lines)}</table>'


def _options(options):
    if options is None:
        return ""
    known = declared_options(options.system)
    rows = "".join(
        f'<tr><th scope="row">{html.escape(name)}</th>'
        f"<td>{html.escape(known[name].said(value) if name in known else str(value))}</td></tr>"
        for name, value in options.values().items()
        if name in known or value is not None  # the source, and ranges that training found
    )
    return (
        "<h2>Options</h2><details><summary>All options</summary>"
        f'<div class="wide"><table>{rows}</table></div></details>'
    )


def _plot_losses(charts, path):
    """A plot of each chart, side by side."""
    from matplotlib.figure import Figure  # here, because few commands draw

    figure = Figure(figsize=(4.4 * max(len(charts), 1), 3.6), layout="constrained")
    for number, chart in enumerate(charts, 1):
        axes = figure.add_subplot(1, len(charts), number, title=chart.title, xlabel="epoch")
        for curve in chart.curves:
            values = [np.nan if value is None else value for value in curve.values]
            style = "--" if curve.dashed else "-"
            axes.plot(chart.epochs, values, style, marker=".", label=curve.name)
        if axes.get_ylim()[0] > 0:  # the objectives of WGAN-GP may be negative
            axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend()
    with files.atomic_file(path) as beside:
        figure.savefig(beside, dpi=100)


_SAMPLES = """<h2>Samples</h2>
<p><label>Epoch <output id="epoch">{epoch}</output>
<input id="slider" type="range" min="0" max="{last}" value="{last}"></label></p>
<p class="steps">{buttons}</p>
<div class="sheet" tabindex="0" role="region" aria-label="Samples"><img id="sheet" src="{source}" alt="{alt}"></div>
<p>{letters}Each row shows images of one number. A → B is an image of A translated to B; A → B → A is one translated there and back.</p>
<noscript><p>All epochs: {plain}</p></noscript>
<script type="application/json" id="sheets">{content}</script>"""
