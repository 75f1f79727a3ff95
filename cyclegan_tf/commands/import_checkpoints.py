"""`cyclegan-tf import`: checkpoints of the reference implementation as Keras models."""

import pathlib
from typing import Annotated

import typer

from cyclegan_tf.commands.parameters import option
from cyclegan_tf.quiet_start import import_tensorflow


def import_checkpoints(
    source: Annotated[
        pathlib.Path,
        typer.Argument(
            help="A generator's .pth file, such as latest_net_G_A.pth, or the folder of a run "
            "with the four of G_A, G_B, D_A and D_B."
        ),
    ],
    out: Annotated[pathlib.Path, typer.Argument(help="The .keras file to write; a new one.")],
    epoch: Annotated[
        str | None, option("For a run: which of its checkpoints (default: latest).")
    ] = None,
    image_size: Annotated[
        int | None,
        option("For a run: side of the training images, in pixels (default: 256)."),
    ] = None,
):
    """Read checkpoints of the official PyTorch CycleGAN (needs the extra torch)."""
    import_tensorflow()
    from cyclegan_tf.interop import torch_weights

    model = torch_weights.import_checkpoints(source, out, epoch, image_size)
    typer.echo(
        f"{out} holds a {type(model).__name__ if source.is_dir() else model.name} of "
        f"{model.count_params():,} parameters, for `translate` and `export`."
    )
