"""The page of a run: `index.html`, opened from disk without a server."""

import csv
import html
import pathlib

import numpy as np

from cyclegan_tf import files


def write_page(folder, title, section=""):
    """Writes `index.html` and `losses.png` from the `log.csv` and `samples/` of a run.

    Args:
        folder: of the run.
        title: of the page.
        section: HTML to stand above the losses.
    """
    folder = pathlib.Path(folder)
    rows = _read_log(folder / "log.csv")
    if rows:
        _plot_losses(rows, folder / "losses.png")
    sheets = sorted((folder / "samples").glob("epoch_*.png"), reverse=True)
    figures = "\n".join(
        f"<figure><figcaption>{_caption(sheet)}</figcaption>"
        f'<img loading="lazy" src="samples/{sheet.name}" alt="{_caption(sheet)}"></figure>'
        for sheet in sheets
    )
    files.write_text(
        folder / "index.html",
        _PAGE.format(
            title=html.escape(title), section=section, table=_table(rows), figures=figures
        ),
    )


def _caption(sheet):
    return f"Epoch {int(sheet.stem.removeprefix('epoch_'))}"


def _read_log(path):
    if not path.exists():
        return []
    with open(path, newline="", encoding="utf-8") as file:
        # Keras writes "NA" where there is no validation.
        return [
            {name: float(value) for name, value in row.items() if value not in ("", "NA")}
            for row in csv.DictReader(file)
        ]


def _table(rows):
    if not rows:
        return ""
    names = [name for name in rows[-1] if name != "epoch"]
    cells = "".join(f"<tr><th>{n}</th><td>{rows[-1][n]:.4g}</td></tr>" for n in names)
    return f"<table><caption>Last epoch</caption>{cells}</table>"


def _plot_losses(rows, path):
    """Three panels: discriminators, generators against them, cycle and identity."""
    from matplotlib.figure import Figure  # here, because few commands draw

    figure = Figure(figsize=(12, 3.2), layout="constrained")
    panels = (("d_",), ("g_",), ("cycle_", "identity_"))
    epochs = [row["epoch"] + 1 for row in rows]
    for axes, prefixes, title in zip(
        figure.subplots(1, 3), panels, ("Discriminators", "Generators", "Cycle and identity")
    ):
        for name in (n for n in rows[-1] if n.removeprefix("val_").startswith(prefixes)):
            values = [row.get(name, np.nan) for row in rows]
            style = "--" if name.startswith("val_") else "-"
            axes.plot(epochs, values, style, marker=".", label=name)
        axes.set(title=title, xlabel="epoch")
        if axes.get_ylim()[0] > 0:  # the objectives of WGAN-GP may be negative
            axes.set_ylim(bottom=0)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
        axes.legend(fontsize="small")
    with files.written_whole(path) as beside:
        figure.savefig(beside, dpi=100)


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
  body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #222; }}
  img {{ max-width: 100%; height: auto; }}
  figure {{ margin: 1.5rem 0; }}
  figcaption, caption {{ font-weight: 600; text-align: left; }}
  table {{ border-collapse: collapse; margin: 1rem 0; }}
  th, td {{ text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid #ddd; font-variant-numeric: tabular-nums; }}
  th {{ font-weight: 400; }}
</style>
<h1>{title}</h1>
{section}
<h2>Losses</h2>
<p><img src="losses.png" alt="The losses by epoch"></p>
{table}
<h2>Samples</h2>
<p>Each row: a picture of domain A, translated to B, and back; a picture of B, translated to A, and back.</p>
{figures}
</html>
"""
