"""Makes the translators that come with the package: trains, scores, writes files and cards.

`make pretrained` runs it. Each translator is a folder: a `.keras` file of each direction with
rounded weights, the card, and those files of the run that say how it was made.
"""

import argparse
import pathlib
import shutil

from cyclegan_tf import files
from cyclegan_tf.choices import EARTH, PRETRAINED, SCENES
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.exporting.card import LICENSE, write_card
from cyclegan_tf.exporting.export import export
from cyclegan_tf.runs.domains import domain_names
from cyclegan_tf.runs.evaluate_files import evaluate_files
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.pretrained import FOLDER
from cyclegan_tf.runs.sheets import image_grid
from cyclegan_tf.runs.train import train

# By the name of the data set.
OPTIONS = {
    SCENES: {"preset": "demo", "base_filters": 24, "evaluate_every": 6},
    EARTH: {"preset": "earth"},
}
WEIGHTS = "rounded"
LARGEST = 5_000_000  # bytes of a folder
_COMPARED = ("psnr", "per_pixel", "iou")  # to see what rounding the weights costs
_STORED = "evaluation_stored"  # in the folder of the run: of the files


def make(
    name, runs="runs/pretrained", out=FOLDER, *, count=100, measures=None, log=print, **changes
):
    """Trains one translator and writes its folder; a run that was stopped goes on.

    Args:
        name: of a data set in `OPTIONS`, and of the translator.
        runs: the folder of the runs; this one is `runs/name`.
        out: where the translator becomes a folder `name`; an earlier one is replaced.
        count: test images to score.
        measures: names of measures; all of them if `None`.
        log: called with lines for the user.
        **changes: options of the run in the place of those in `OPTIONS`.

    Returns:
        The scores by direction, `{"run": …, "stored": …}`: a few of the run's own weights, and all
        of the files'.
    """
    run = pathlib.Path(runs) / name
    train(resolve(name, **{**OPTIONS[name], **changes}), run, log=log)
    return pack(name, run, out, count=count, measures=measures, log=log)


def pack(name, run, out=FOLDER, *, count=100, measures=None, log=print):
    """Writes the folder of a translator of a finished run; see `make`."""
    run, folder = pathlib.Path(run), pathlib.Path(out) / name
    model = load(run)
    evaluated = {"count": count, "log": log}
    scores = {"run": evaluate_files(run, measures=_COMPARED, **evaluated).scores}
    evaluated["measures"] = measures
    files.remove_unfinished_of(folder)
    with files.atomic_folder(folder) as beside:
        scores["stored"] = _write(beside, model, run, name, evaluated)
        size = sum(path.stat().st_size for path in beside.rglob("*") if path.is_file())
    log(f"{folder}: {size:,} bytes, of {LARGEST:,} at most.")
    for direction, of in scores["run"].items():
        for measure, value in of.items():
            stored = scores["stored"][direction][measure]
            log(f"{direction} {measure}: {value:.6g} of the run, {stored:.6g} as stored")
    with files.atomic_file(run / "sheet.png") as path:
        sheet(load(folder), RunFolder(run).options()).save(path)
    return scores


def _write(folder, model, run, name, evaluated):
    """Fills the folder of a translator; returns the scores of its files."""
    written = export(model, folder, kinds=("keras",), weights=WEIGHTS, run=run)
    of_run, own = RunFolder(run), RunFolder(folder)
    for source, target in (
        (of_run.options_file, own.options_file),
        (of_run.machine, own.machine),
        (of_run.evaluations, own.evaluations),
    ):
        if source.exists():
            shutil.copy(source, target)
    scored = evaluate_files(folder, out=of_run.path / _STORED, **evaluated)
    own.evaluation.mkdir()
    shutil.copy(of_run.path / _STORED / "scores.json", own.evaluation)
    write_card(
        folder,
        model,
        written,
        folder,
        weights=WEIGHTS,
        address=f"{PRETRAINED}{name}",
        license=LICENSE,
    )
    return scored.scores


def sheet(model, options, rows=6):
    """A grid of test images, their translations and the truth, in both directions."""
    images = held_out(options, count=rows).images
    names = domain_names(options)
    columns, titles = [], []
    for direction in model.generators:
        given, wanted = from_domain(direction), to_domain(direction)
        columns += [images[given], model.translate(images[given], direction), images[wanted]]
        titles += [names.of(given), f"→ {names.of(wanted)}", "truth"]
    return image_grid(columns, titles, cell=192)  # room for the titles


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(OPTIONS), metavar="NAME")
    parser.add_argument("--runs", default="runs/pretrained", help="folder of the runs")
    parser.add_argument("--out", default=FOLDER, help="folder of the translators")
    arguments = parser.parse_args()
    for name in arguments.names:
        make(name, arguments.runs, arguments.out)


if __name__ == "__main__":
    main()
