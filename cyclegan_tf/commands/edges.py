"""`cyclegan-tf edges`: a data set of edges and photographs, from photographs."""

import pathlib
from typing import Annotated

import typer

from cyclegan_tf.quiet_start import import_tensorflow


def edges(
    photographs: Annotated[
        pathlib.Path, typer.Argument(help="A folder of images, with those in its subfolders.")
    ],
    out: Annotated[
        pathlib.Path,
        typer.Option(
            help="Folder to write: trainA and testA hold edges, trainB and testB photographs."
        ),
    ],
    image_size: Annotated[
        int, typer.Option(help="The --image-size that will be trained, in pixels.")
    ] = 256,
    test_share: Annotated[
        float, typer.Option(help="Part of the photographs that is kept for tests.")
    ] = 0.1,
):
    """Find the edges in photographs, for `train` to draw photographs from (needs the extra edges).

    Edges are found by HED (Xie and Tu 2015). `train OUT` takes edges and photographs as unpaired,
    `train OUT --system pix2pix` as pairs.
    """
    import_tensorflow()
    from cyclegan_tf.data import write_edges
    from cyclegan_tf.networks.hed import HED

    write_edges(
        photographs, out, HED(), image_size=image_size, test_share=test_share, log=typer.echo
    )
    typer.echo(
        f"Done. Train with: cyclegan-tf train {out} --preset labels --image-size {image_size} "
        "--out RUN, or on pairs with --system pix2pix in place of the preset."
    )
