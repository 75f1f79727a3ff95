"""`cyclegan-tf style`: a photograph in the style of paintings, without training."""

import pathlib
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import choice, option
from cyclegan_tf.quiet_start import import_tensorflow

StyleSetting = choice("StyleSetting", choices.STYLE_SETTINGS)


def style(
    content: Annotated[pathlib.Path, typer.Argument(help="The photograph.")],
    paintings: Annotated[
        pathlib.Path, typer.Argument(help="A painting, or a folder of them, whose mean is taken.")
    ],
    out: Annotated[
        pathlib.Path, typer.Argument(help="The image to write or to replace, such as out.png.")
    ],
    setting: Annotated[
        StyleSetting, typer.Option(help="Which published code's weights and start.")
    ] = StyleSetting[choices.STYLE_SETTINGS[0]],
    image_size: Annotated[
        int,
        typer.Option(
            help="Side in pixels: the shorter one, in the setting johnson the longer one."
        ),
    ] = 512,
    features: Annotated[
        str,
        typer.Option(
            help="Weights of VGG: `hed`, which the extra features installs, or a file of VGG-16 "
            "or VGG-19 of keras.applications."
        ),
    ] = "hed",
    evaluations: Annotated[
        int | None, option("Steps, roughly (default: 500, in the setting johnson 1000).")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the noise that `johnson` starts from.")] = 0,
):
    """Repaint a photograph in the style of paintings (needs the extra features)."""
    import_tensorflow()
    from cyclegan_tf.experiments.neural_style import style_files

    style_files(
        content,
        paintings,
        out,
        setting=setting.value,
        image_size=image_size,
        features=features,
        evaluations=evaluations,
        seed=seed,
        log=typer.echo,
    )
