"""`cyclegan-tf translate`: an image or a folder of images."""

import pathlib
import sys
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import MODEL_HELP, choice, option
from cyclegan_tf.quiet_start import import_tensorflow

Direction = choice("Direction", choices.DIRECTIONS)


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
):
    """Translate images; the results keep sizes, names and formats."""
    import_tensorflow()
    from cyclegan_tf.runs.load import load
    from cyclegan_tf.translation.image_folders import translate as translate_files

    loaded = load(model)
    count, outcomes = translate_files(
        loaded, input, output, direction and direction.value, max_megapixels, log=_say_aside
    )
    translated, failed, outcome = 0, False, None
    with typer.progressbar(outcomes, length=count, label="Translating", file=sys.stderr) as bar:
        for outcome in bar:
            translated += outcome.problem is None
            failed |= outcome.problem is not None
            if line := outcome.problem or outcome.note:
                _say_aside(f"\n{line}")
    where = outcome.output if count == 1 and not input.is_dir() else output
    typer.echo(f"{translated} of {count} images translated to {where}.")
    if failed:
        raise typer.Exit(1)


def _say_aside(line):
    typer.echo(line, err=True)
