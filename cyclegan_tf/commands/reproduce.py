"""`cyclegan-tf reproduce`: the papers' tables on images of one's own."""

import pathlib
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import choice, option
from cyclegan_tf.quiet_start import import_tensorflow

Study = choice("Study", (*choices.STUDIES, "all"))


def reproduce(
    studies: Annotated[
        list[Study], typer.Argument(help="What is compared; several, or `all`.", metavar="STUDY…")
    ],
    out: Annotated[
        pathlib.Path | None,
        option("Folder for trainings, tables and a page (default: runs/reproduce_ and the name)."),
    ] = None,
    data: Annotated[
        str,
        typer.Option(
            help=f"{' or '.join(f'`{name}`' for name in choices.BUILT_IN)}, or a folder with "
            "trainA, trainB, testA and testB, in which images of one name are a pair, and "
            "classes.json."
        ),
    ] = choices.SCENES,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick",
            help="Few steps of small networks, to try it out: the numbers say little.",
        ),
    ] = False,
    seeds: Annotated[int, typer.Option(help="Trainings that each row is the mean of.", min=1)] = 3,
    steps: Annotated[int | None, option("Steps of each training (default: 1200).", min=1)] = None,
    image_size: Annotated[
        int | None, option("Side of the images, in pixels (default: 64 of scenes, else 128).")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Trainings at a time.", min=1)] = 1,
):
    """Train and score what the papers compare, and write their tables.

    Start it again to resume, or on another machine that shares the folder to go faster.
    """
    import_tensorflow()
    from cyclegan_tf.experiments.reproduce import reproduce as run

    run(
        [study.value for study in studies],
        out,
        data=data,
        quick=quick,
        seeds=seeds,
        steps=steps,
        image_size=image_size,
        jobs=jobs,
        log=typer.echo,
    )
