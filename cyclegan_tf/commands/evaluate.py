"""`cyclegan-tf evaluate`: scores of a trained model on held-back images."""

import pathlib
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import MODEL_HELP, choice, option
from cyclegan_tf.quiet_start import import_tensorflow

Direction = choice("Direction", choices.DIRECTIONS)
Split = choice("Split", choices.SPLITS)
Resizing = choice("Resizing", choices.INCEPTION_RESIZINGS)


def evaluate(
    model: Annotated[pathlib.Path, typer.Argument(help=MODEL_HELP)],
    data: Annotated[
        str | None,
        typer.Argument(
            help="A folder with testA and testB (or of domain A, see --domain-b), or "
            f"{' or '.join(f'`{name}`' for name in choices.BUILT_IN)} (default: the run's own)."
        ),
    ] = None,
    out: Annotated[
        pathlib.Path | None,
        option(
            "Folder for scores.json and a page; an earlier evaluation is replaced (default: "
            "evaluation, in the run's folder or beside the file)."
        ),
    ] = None,
    domain_b: Annotated[
        pathlib.Path | None, option("Folder of domain B, if DATA is that of domain A.")
    ] = None,
    split: Annotated[
        Split, typer.Option(help="Which images of DATA; two folders are taken whole.")
    ] = Split.test,
    paired: Annotated[
        bool,
        typer.Option(
            "--paired", help="Images of one name show one scene: compare with the true image."
        ),
    ] = False,
    direction: Annotated[
        Direction | None, option("A to B, or B to A (default: all of the model).")
    ] = None,
    metrics: Annotated[
        str | None,
        option("Names of measures, with commas between them (default: all that DATA allows)."),
    ] = None,
    count: Annotated[int, typer.Option(help="Images of each domain at most.", min=1)] = 200,
    image_size: Annotated[
        int | None, option("Side of the images, in pixels (default: that of the training).")
    ] = None,
    inception: Annotated[
        pathlib.Path | None,
        option(
            "The file pt_inception-2015-12-05-6726825d.pth: measure FID and KID. By default "
            "features are those of EfficientNet-Lite0, which the extra features installs."
        ),
    ] = None,
    resizing: Annotated[
        Resizing | None,
        option(
            f"How images are resized for --inception (default: {choices.INCEPTION_RESIZINGS[0]})."
        ),
    ] = None,
    segmenter: Annotated[
        bool,
        typer.Option(
            "--segmenter",
            help="Score photographs made of label maps by a network that finds classes in them. "
            "It is trained on real photographs once, about a minute, and kept. For "
            f"{' and '.join(f'`{name}`' for name in choices.BUILT_IN)}.",
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of what measures draw.", min=0)] = 0,
):
    """Score a model on images that it was not trained on; write a table and a page."""
    import_tensorflow()
    from cyclegan_tf.runs.evaluate_files import evaluate_files

    evaluate_files(
        model,
        data,
        out,
        domain_b=domain_b,
        split=split.value,
        paired=paired or None,
        direction=direction and direction.value,
        measures=metrics and [name.strip() for name in metrics.split(",")],
        count=count,
        image_size=image_size,
        inception=inception,
        resizing=resizing and resizing.value,
        segmenter=segmenter,
        seed=seed,
        log=typer.echo,
    )
