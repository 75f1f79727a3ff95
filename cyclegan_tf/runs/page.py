"""The page of a run: `index.html`, opened from disk without a server."""

import csv
import html
import json

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.html_page import document
from cyclegan_tf.runs.options import declared_options


def write_page(folder, title, panels, section=""):
    """Writes `index.html` and `losses.png` from the files of a run.

    It reads `options.json`, `log.csv` and `samples/`, as far as they exist.

    Args:
        folder: of the run.
        title: of the page.
        panels: title of a plot -> name of a loss -> its meaning; a system's `loss_panels`.
        section: HTML to place above the samples.
    """
    folder = RunFolder(folder)
    options = folder.options()
    rows = _read_log(folder.log)
    if rows:
        _plot_losses(rows, panels, folder.plot)
    files.write_text(
        folder.page,
        document(
            title,
            "\n".join(
                (
                    _summary(options, rows),
                    _links(folder),
                    section,
                    _samples(folder.samples),
                    "<h2>Losses</h2>",
                    _losses(rows, panels),
                    _options(options),
                )
            ),
        ),
    )


def _read_log(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        # Keras writes "NA" if there is no validation.
        return [
            {name: float(value) for name, value in row.items() if value not in ("", "NA")}
            for row in csv.DictReader(file)
            if None not in row and None not in row.values()  # else it is incomplete
        ]


def _summary(options, rows):
    """What was trained, and how far, in two sentences."""
    if options is None:
        return ""
    data = options.data
    domains = " and ".join(
        f"<b>{html.escape(folder)}</b>" for folder in (data.source, data.domain_b) if folder
    )
    if direction := options.model.get("direction"):
        domains += f", from {from_domain(direction).upper()} to {to_domain(direction).upper()},"
    done = int(rows[-1]["epoch"]) + 1 if rows else 0
    return (
        f"<p>A {options.system} trained on {domains} at {data.crop_size} x {data.crop_size} "
        f"pixels. Epoch {done} of {options.training.epochs} is done.</p>"
    )


def _links(folder):
    """Links to the existing files of the run, with their purpose."""
    meant = (
        (
            folder.model,
            "the model, for <code>cyclegan-tf translate</code> and <code>export</code>",
        ),
        (folder.log, "the losses of each epoch"),
        (folder.options_file, "the options"),
    )
    found = [
        f'<li><a href="{file.name}">{file.name}</a>: {text}</li>'
        for file, text in meant
        if file.exists()
    ]
    if folder.tensorboard.is_dir():
        command = html.escape(f"tensorboard --logdir {folder.tensorboard}")
        found.append(f"<li>TensorBoard: <code>{command}</code></li>")
    return f"<ul>{''.join(found)}</ul>" if found else ""


def _samples(folder):
    """The newest sample grid, and a slider over those of all epochs."""
    grids = sorted(folder.glob("epoch_*.png"))
    if not grids:
        return ""
    epochs = [int(grid.stem.removeprefix("epoch_")) for grid in grids]
    sources = json.dumps([f"samples/{grid.name}" for grid in grids])
    plain = " ".join(
        f'<a href="samples/{grid.name}">{epoch}</a>' for grid, epoch in zip(grids, epochs)
    )
    return _SAMPLES.format(
        last=len(grids) - 1,
        epoch=epochs[-1],
        source=f"samples/{grids[-1].name}",
        sources=sources,
        epochs=epochs,
        plain=plain,
    )


def _losses(rows, panels):
    if not rows:
        return ""
    meanings = {name: text for panel in panels.values() for name, text in panel.items()}
    meanings["learning_rate"] = "of the optimizers"
    cells = "".join(
        f"<tr><th>{html.escape(name)}</th><td>{value:.4g}</td>"
        f"<td>{html.escape(meanings.get(name.removeprefix('val_'), ''))}</td></tr>"
        for name, value in rows[-1].items()
        if name != "epoch"
    )
    return (
        '<p><img src="losses.png" alt="The losses by epoch"></p>'
        "<div class=wide><table><caption>Last epoch</caption>"
        f"<tr><td></td><td>value</td><td>meaning</td></tr>{cells}</table></div>"
        "<p>Losses say little about the images; look at the samples.</p>"
    )


def _options(options):
    if options is None:
        return ""
    known = declared_options(options.system)
    rows = "".join(
        f"<tr><th>{html.escape(name)}</th>"
        f"<td>{html.escape(known[name].said(value) if name in known else value)}</td></tr>"
        for name, value in options.values().items()
    )
    return f"<details><summary>Options</summary><table>{rows}</table></details>"


def _plot_losses(rows, panels, path):
    """A plot for each panel, of the losses that were logged."""
    from matplotlib.figure import Figure  # here, because few commands draw

    logged = {
        title: [name for name in rows[-1] if name.removeprefix("val_") in panel]
        for title, panel in panels.items()
    }
    logged = {title: names for title, names in logged.items() if names}
    figure = Figure(figsize=(4.4 * max(len(logged), 1), 3.6), layout="constrained")
    epochs = [row["epoch"] + 1 for row in rows]
    for number, (title, names) in enumerate(logged.items(), 1):
        axes = figure.add_subplot(1, len(logged), number, title=title, xlabel="epoch")
        for name in names:
            values = [row.get(name, np.nan) for row in rows]
            style = "--" if name.startswith("val_") else "-"
            axes.plot(epochs, values, style, marker=".", label=name)
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
<p class="wide"><img id="sheet" src="{source}" alt="Samples of the epoch chosen"></p>
<p>Each row shows images of one number. A → B is an image of A translated to B; A → B → A is one translated there and back; "true" is the true image of a pair; "generated" are pairs made from noise, "nearest" is the nearest image that could be made so.</p>
<noscript><p>All epochs: {plain}</p></noscript>
<script>
  const sources = {sources}, epochs = {epochs};
  document.getElementById("slider").oninput = event => {{
    document.getElementById("sheet").src = sources[event.target.value];
    document.getElementById("epoch").value = epochs[event.target.value];
  }};
</script>"""
