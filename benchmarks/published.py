"""Our CycleGAN beside the published PyTorch code: trained on the same scenes, scored alike.

    python benchmarks/published.py --checkout FOLDER [--steps 1200] [--seeds 0 1 2] [--demo]

FOLDER is a clone of contrastive-unpaired-translation, with which this was run. Its CycleGAN is that
of pytorch-CycleGAN-and-pix2pix by the same authors, whose options are given too; but of that
repository only the code was read. One table: the mean and the deviation over the seeds of each
score and of the seconds of a step, then each seed. Both have the paper's recipe without identity
loss, in float32, and get the same images in the same order, mirrored alike. What differs is what
they draw: the initial weights and the exchange of the pool. With `--demo` a third way is ours with
the recipe of `cyclegan-tf demo` in as many steps.

Each trained seed is kept as a file in a folder of these settings below `--cells`, and a run that
was stopped goes on with those that are missing. Remove the folder to measure anew.
"""

import json
import pathlib
import statistics

import published_code
import tables

from cyclegan_tf import data, extractor, files
from cyclegan_tf.devices import run_directions_side_by_side
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.machine import read_machine
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.segmenter import segmenter_of
from cyclegan_tf.runs.train import train

EPOCHS = 12  # the learning rate falls in the last half of them
PUBLISHED, OURS, DEMO = "published code", "ours", "ours, recipe of the demo"

# Columns of the table, by direction and measure.
SCORES = {
    ("ba", "per_pixel"): "per pixel",
    ("ba", "per_class"): "per class",
    ("ba", "iou"): "IoU",
    ("ab", "segmented_per_pixel"): "segmented per pixel",
    ("ab", "segmented_per_class"): "segmented per class",
    ("ab", "segmented_iou"): "segmented IoU",
    ("ab", "kernel_efficientnet_lite0"): "kernel distance",
}
SECONDS = "seconds"


def options_of(way, seed, settings):
    """`RunOptions` of a cell; for the published code those that ours has beside it."""
    return resolve(
        "scenes",
        preset="demo" if way == DEMO else "labels",
        image_size=settings.size,
        base_filters=settings.filters,
        epochs=EPOCHS,
        steps_per_epoch=settings.steps // EPOCHS,
        precision="float32",
        evaluate_every=0,
        seed=seed,
    )


def trained(way, options, folder, checkout):
    """`(translator, seconds a step)`; a run of ours is in `folder`, and resumes."""
    if way == PUBLISHED:
        training = options.training
        pairs = data.scenes(
            image_size=options.data.crop_size,
            steps_per_epoch=training.steps_per_epoch,
            seed=training.seed,
        )
        theirs = published_code.options_of(
            options.model["base_filters"], training.epochs, training.decay_epochs
        )
        return published_code.trained(checkout, pairs, theirs, training.seed)
    model = train(options, folder, verbose=0)
    epochs = read_machine(folder / "machine.json")["epochs"]
    return model, statistics.median(each["seconds"] / each["steps"] for each in epochs)


def scores_of(translator, images, segmenter, features):
    """By the names of the columns; without an extractor there is no kernel distance."""
    names = [name for _, name in SCORES if features or not name.startswith("kernel")]
    evaluation = evaluate(
        translator,
        images,
        measures=names,
        extractor=features,
        segmenter=segmenter,
        baselines=False,
    )
    return {
        column: evaluation.scores[direction][name]
        for (direction, name), column in SCORES.items()
        if name in names
    }


def features_or_none():
    """The extractor of the extra `features`, if it is installed."""
    try:
        return extractor("efficientnet-lite0")
    except ImportError as error:
        print(f"There is no kernel distance. {error}")
        return None


def measured(way, seed, settings, folder):
    """What one cell has found, from its file if there is one."""
    path = _cell(folder, way, seed)
    if path.is_file():
        return json.loads(path.read_text(encoding="utf-8"))
    print(f"{way}, seed {seed}: {settings.steps} steps.", flush=True)
    options = options_of(way, seed, settings)
    translator, seconds = trained(way, options, path.with_suffix(""), settings.checkout)
    segmenter = segmenter_of("scenes", settings.size, print)
    found = scores_of(translator, held_out(options), segmenter, features_or_none())
    found[SECONDS] = seconds
    if way == PUBLISHED:
        found["checkout"] = published_code.commit_of(settings.checkout)
    files.write_text(path, json.dumps(found, indent=2) + "\n")
    return found


def _cell(folder, way, seed):
    return folder / f"{way}, seed {seed}.json"


def check_checkout(settings, folder):
    """Raises an `InputError` if the checkout that is needed is none, or not that of the cells."""
    cells = [_cell(folder, PUBLISHED, seed) for seed in settings.seeds]
    if settings.checkout is not None or not all(path.is_file() for path in cells):
        published_code.check_checkout(settings.checkout)
        commit = published_code.commit_of(settings.checkout)
        for path in filter(pathlib.Path.is_file, cells):
            kept = json.loads(path.read_text(encoding="utf-8"))["checkout"]
            if kept != commit:
                raise InputError(
                    f"{path} was measured with commit {kept} of the published code, and "
                    f"{settings.checkout} is at {commit}; give another folder with --cells."
                )


def rows_of(cells):
    """The table: means ± deviations of the seeds of each way, then each seed.

    Args:
        cells: what was measured, by `(way, seed)`.
    """
    found = next(iter(cells.values()))
    columns = [column for column in (*SCORES.values(), SECONDS) if column in found]
    ways = dict.fromkeys(way for way, _ in cells)
    means = [
        {
            "way": way,
            **{
                column: _spread([cell[column] for (of, _), cell in cells.items() if of == way])
                for column in columns
            },
        }
        for way in ways
    ]
    seeds = [
        {
            "way": f"{way}, seed {seed}",
            **{column: float(f"{cell[column]:.4g}") for column in columns},
        }
        for way in ways
        for (of, seed), cell in cells.items()
        if of == way
    ]
    return [*means, *seeds]


def _spread(values):
    """Mean ± sample deviation; of one value there is no deviation."""
    mean = f"{statistics.mean(values):.3f}"
    return f"{mean} ± {statistics.stdev(values):.3f}" if len(values) > 1 else mean


def parsed(arguments=None):
    parser = tables.parser(__doc__)
    parser.add_argument("--checkout", metavar="FOLDER", help="a clone of the published code")
    parser.add_argument("--steps", type=int, default=1200, help=f"a multiple of {EPOCHS}")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--size", type=int, default=64, help="of the images, in pixels")
    parser.add_argument("--filters", type=int, default=32, help="of the first layers")
    parser.add_argument("--demo", action="store_true", help="also the recipe of the demo")
    parser.add_argument("--cells", default="build/published", metavar="FOLDER")
    settings = parser.parse_args(arguments)
    if settings.steps < EPOCHS or settings.steps % EPOCHS:
        parser.error(f"--steps must be a multiple of {EPOCHS}. Received: {settings.steps}")
    return settings


def main(arguments=None):
    settings = parsed(arguments)
    ways = [PUBLISHED, OURS, *([DEMO] if settings.demo else [])]
    benchmark = f"{tables.sized('published', settings)} {settings.steps} steps"
    folder = pathlib.Path(settings.cells) / benchmark
    run_directions_side_by_side()  # as `cyclegan-tf train` does
    check_checkout(settings, folder)
    cells = {
        (way, seed): measured(way, seed, settings, folder)
        for seed in settings.seeds
        for way in ways
    }
    tables.publish(rows_of(cells), settings, benchmark, "float32")


if __name__ == "__main__":
    try:
        main()
    except (InputError, ImportError) as error:  # PyTorch is an extra
        raise SystemExit(str(error)) from None
