"""`cyclegan-tf translate`: an image, a folder of images, or a film."""

import contextlib
import functools
import pathlib
import sys
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import MODEL_HELP, choice, option
from cyclegan_tf.errors import InputError
from cyclegan_tf.quiet_start import import_tensorflow

Direction = choice("Direction", choices.DIRECTIONS)
Statistics = choice("Statistics", choices.TILE_STATISTICS)


def translate(
    model: Annotated[pathlib.Path, typer.Argument(help=MODEL_HELP)],
    input: Annotated[pathlib.Path, typer.Argument(help="An image, a folder of images, or a film.")],
    output: Annotated[
        pathlib.Path, typer.Argument(help="Folder to write to, or a file for one image or film.")
    ],
    direction: Annotated[
        Direction | None, option("A to B, or B to A (default: ab, or the only one of the model).")
    ] = None,
    max_megapixels: Annotated[
        float | None,
        option(
            "Larger images are skipped, in millions of pixels (default: what fits into "
            f"memory, {choices.MAX_MEGAPIXELS:g} at most).",
        ),
    ] = None,
    tile: Annotated[
        int | None,
        option(
            "Compute images by tiles of so many pixels, in memory that does not depend on their "
            "size. TIFF files keep their depth, resolution and color profile."
        ),
    ] = None,
    statistics: Annotated[
        Statistics | None,
        option(
            "With --tile, what normalizations look at: the whole image, as without tiles; windows "
            "of the size of training images; or each tile, which leaves seams (default: "
            "global)."
        ),
    ] = None,
    window: Annotated[
        int | None,
        option("Pixels of a window (default: the size of the images of the training)."),
    ] = None,
    skip_uniform: Annotated[
        bool,
        typer.Option("--skip-uniform", help="With --tile, leave tiles of one color as they are."),
    ] = False,
    average_statistics: Annotated[
        float,
        typer.Option(
            help="Of a film, against flicker: how much of the statistics' average over frames is "
            "kept at each frame; 0 to translate each by itself."
        ),
    ] = choices.AVERAGE_STATISTICS,
    value_range: Annotated[
        str | None,
        option(
            "Which values of images of more than 8 bits become -1 and 1: LOW:HIGH, percentiles "
            "such as 0.1%:99.9% of all images, or 0.1%:99.9%/image of each (default: as in the "
            "training; all of the type; a DICOM's window).",
        ),
    ] = None,
    output_range: Annotated[
        str | None,
        option("Values of the results, LOW:HIGH (default: as in the training; as of the inputs)."),
    ] = None,
    shards: Annotated[
        str | None,
        option(
            "One share of a folder, such as 1/4 to 4/4 for four processes. Results that are there "
            "already are kept; a report goes to shards/ in the output.",
            "Many images",
        ),
    ] = None,
    batch_size: Annotated[
        int | None, option("Images of one size computed at once (default: 1).", "Many images")
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Compute results anew that are there already.",
            rich_help_panel="Many images",
        ),
    ] = False,
    dead_letters: Annotated[
        pathlib.Path | None, option("Folder for copies of images that failed.", "Many images")
    ] = None,
):
    """Translate images or a film; the results keep sizes, names and formats."""
    import_tensorflow()
    from cyclegan_tf.data.films import is_film
    from cyclegan_tf.files import is_folder
    from cyclegan_tf.runs.load import load
    from cyclegan_tf.runs.ranges import ranges_for
    from cyclegan_tf.translation.image_folders import translate as translate_files
    from cyclegan_tf.translation.large_images import tiling_of
    from cyclegan_tf.translation.shards import REPORTS, Shard, options_of_shards, translate_shard

    tiling = tiling_of(tile, statistics and statistics.value, window, skip_uniform, max_megapixels)
    of_shards = options_of_shards(shards, batch_size, overwrite, dead_letters)
    shard = shards and Shard.of(shards)
    loaded = load(model)
    direction = direction and direction.value
    if is_film(input) and not is_folder(input, "a film"):
        _check_of_film(tile=tile, shards=shards, value_range=value_range, output_range=output_range)
        _translate_film(loaded, input, output, direction, average_statistics, max_megapixels)
        return
    start = functools.partial(translate_shard, shard=shard) if shard else translate_files
    count, outcomes = start(
        loaded,
        input,
        output,
        direction=direction,
        max_megapixels=max_megapixels,
        log=_say_aside,
        tiling=tiling,
        ranges=ranges_for(model, loaded, direction, value_range, output_range),
        **of_shards,
    )
    translated, there, failed, outcome = 0, 0, 0, None
    with (
        contextlib.closing(outcomes),
        typer.progressbar(outcomes, length=count, label="Translating", file=sys.stderr) as bar,
    ):
        for outcome in bar:
            failed += outcome.problem is not None
            there += outcome.there
            translated += outcome.problem is None and not outcome.there
            # Those of a shard are in its list.
            if (line := outcome.problem or outcome.note) and not shard:
                _say_aside(f"\n{line}")
    where = outcome.output if count == 1 and not input.is_dir() else output
    typer.echo(f"{translated} of {count} images translated to {where}.")
    if shard:
        report = output / REPORTS / str(shard)
        typer.echo(f"{there} were there already, {failed} failed: see {report}.")
    if failed:
        raise typer.Exit(1)


def _check_of_film(**options):
    for name, value in options.items():
        if value is not None:
            name = name.replace("_", "-")
            raise InputError(f"--{name} is for images; leave it out to translate a film.")


def _translate_film(loaded, input, *arguments):
    from cyclegan_tf.translation.films import FilmTranslation

    work = FilmTranslation(loaded, input, *arguments, log=_say_aside)
    with typer.progressbar(
        work.frames(), length=work.film.count, label="Translating", file=sys.stderr
    ) as bar:
        done = sum(1 for _ in bar)
    typer.echo(f"{done} frames translated to {work.output}.")
    for line in work.summary():
        typer.echo(line)


def _say_aside(line):
    typer.echo(line, err=True)
