"""`cyclegan-tf translate`: an image or a folder of images."""

import contextlib
import functools
import pathlib
import sys
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import MODEL_HELP, choice, option
from cyclegan_tf.quiet_start import import_tensorflow

Direction = choice("Direction", choices.DIRECTIONS)
Statistics = choice("Statistics", choices.TILE_STATISTICS)


def translate(
    model: Annotated[pathlib.Path, typer.Argument(help=MODEL_HELP)],
    input: Annotated[pathlib.Path, typer.Argument(help="An image or a folder of images.")],
    output: Annotated[
        pathlib.Path, typer.Argument(help="Folder to write to, or a file for a single image.")
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
        bool, option("With --tile, leave tiles of one color as they are.")
    ] = False,
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
        bool, option("Compute results anew that are there already.", "Many images")
    ] = False,
    dead_letters: Annotated[
        pathlib.Path | None, option("Folder for copies of images that failed.", "Many images")
    ] = None,
):
    """Translate images; the results keep sizes, names and formats."""
    import_tensorflow()
    from cyclegan_tf.runs.load import load
    from cyclegan_tf.translation.image_folders import translate as translate_files
    from cyclegan_tf.translation.large_images import Tiling
    from cyclegan_tf.translation.shards import REPORTS, Shard, options_of_shards, translate_shard

    of_shards = options_of_shards(shards, batch_size, overwrite, dead_letters)
    shard = shards and Shard.of(shards)
    start = functools.partial(translate_shard, shard=shard) if shard else translate_files
    tiling = tile and Tiling(
        tile, statistics.value if statistics else "global", window, skip_uniform
    )
    count, outcomes = start(
        load(model),
        input,
        output,
        direction=direction and direction.value,
        max_megapixels=max_megapixels,
        log=_say_aside,
        tiling=tiling,
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


def _say_aside(line):
    typer.echo(line, err=True)
