"""`cyclegan-tf study`: can people tell which image is real? A page that asks, and its score."""

import pathlib
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import choice, option
from cyclegan_tf.errors import InputError
from cyclegan_tf.quiet_start import import_tensorflow

Direction = choice("StudyDirection", choices.DIRECTIONS)
Split = choice("StudySplit", choices.SPLITS)


def study(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN [DATA] | ANSWERS…",
            help="A run's folder or another model, and images, both as `evaluate` takes them "
            "(default: the run's own); with --score, files of answers or a folder of them.",
        ),
    ],
    out: Annotated[
        pathlib.Path | None,
        option(
            "Folder to write: of the page, new or empty (default: study, in the run's folder or "
            "beside the file); of a score (default: scores, beside the answers)."
        ),
    ] = None,
    score: Annotated[
        bool, typer.Option("--score", help="Score files of answers instead of writing a page.")
    ] = False,
    direction: Annotated[
        Direction | None, option("A to B, or B to A (default: the model's first one).")
    ] = None,
    trials: Annotated[int, typer.Option(help="Pairs that count.", min=1)] = 40,
    practice: Annotated[
        int, typer.Option(help="Pairs before them, after which the truth is told.", min=0)
    ] = 10,
    milliseconds: Annotated[
        int, typer.Option(help="How long an image is shown.", min=50, max=60_000)
    ] = 1000,
    domain_b: Annotated[
        pathlib.Path | None, option("Folder of domain B, if DATA is that of domain A.")
    ] = None,
    split: Annotated[
        Split, typer.Option(help="Which images of DATA; two folders are taken whole.")
    ] = Split.test,
    paired: Annotated[
        bool,
        typer.Option("--paired", help="Images of one name show one scene: a pair is of one scene."),
    ] = False,
    seed: Annotated[
        int, typer.Option(help="Of the images that are drawn, or of the bootstrap.", min=0)
    ] = 0,
):
    """Ask people which image is real: write a page for it; `--score` reads what it saves."""
    if score:
        from cyclegan_tf.experiments.real_or_fake.report import score_files

        score_files(what, out, seed=seed, log=typer.echo)
        return
    if len(what) > 2:
        raise InputError(
            f"Expected a run and perhaps its images. Received: {', '.join(what)}; give --score to "
            "score files of answers."
        )
    import_tensorflow()
    from cyclegan_tf.experiments.real_or_fake.study import study as write_study

    write_study(
        *what,
        out=out,
        domain_b=domain_b,
        split=split.value,
        paired=paired or None,
        direction=direction and direction.value,
        trials=trials,
        practice=practice,
        milliseconds=milliseconds,
        seed=seed,
        log=typer.echo,
    )
