"""UNIT as in its paper (Liu et al. 2017, arXiv 1703.00848), and as its authors rewrote it."""

from typing import Annotated

from cyclegan_tf.choices import UNIT_NORMALIZATIONS, UNIT_OBJECTIVES, UNIT_VARIANTS
from cyclegan_tf.recipes.common import BaseFilters
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe


def build(
    image_shape,
    *,
    variant: Annotated[
        str,
        Option(
            "Networks: `paper`, or `2018` of the authors' rewrite, which share no weights",
            choices=UNIT_VARIANTS,
        ),
    ] = "paper",
    base_filters: BaseFilters = 64,
    blocks: Annotated[int, Option("Residual blocks of each encoder and decoder", least=1)] = 4,
    shared_blocks: Annotated[
        int | None,
        Option("How many of these both domains share; 0 for none", "1; none in 2018", least=0),
    ] = None,
    normalization: Annotated[
        str | None,
        Option(
            "Of the strided convolutions: `none` for LeakyReLU alone, `instance` for instance "
            "normalization and ReLU",
            "none; instance in 2018",
            choices=UNIT_NORMALIZATIONS,
        ),
    ] = None,
    strided_layers: Annotated[
        int | None, Option("Strided layers of the discriminators", "6; 4 in 2018", least=1)
    ] = None,
    shared_layers: Annotated[
        int | None,
        Option("How many of these both discriminators share", "0", least=0),
    ] = None,
    scales: Annotated[
        int | None,
        Option("Scales at which the discriminators see images", "1; 3 in 2018", least=1),
    ] = None,
    lambda_adversarial: Annotated[
        float, Option("Weight of the adversarial losses", least=0)
    ] = 10.0,
    lambda_reconstruction: Annotated[
        float, Option("Weight of the distance of an image to itself, decoded", least=0)
    ] = 100.0,
    lambda_cycle: Annotated[
        float, Option("Weight of the distance of an image to itself, there and back", least=0)
    ] = 100.0,
    lambda_kl: Annotated[
        float, Option("Weight of the divergence of the codes from N(0, 1)", least=0)
    ] = 0.1,
    kl_of_mean: Annotated[
        bool, Option("The divergence is that of the codes without their noise")
    ] = False,
    adversarial: Annotated[
        str, Option("Adversarial objective", choices=UNIT_OBJECTIVES)
    ] = "vanilla",
    seed=0,
    remat=False,
):
    """The untrained `UNIT` with the networks of a variant.

    Raises:
        ValueError: the options do not fit each other or the images.
    """
    from cyclegan_tf.systems.unit import UNIT, networks_of_2018, paper_networks

    of_paper = {
        "shared_blocks": shared_blocks,
        "normalization": normalization,
        "shared_layers": shared_layers,
    }
    given = {"strided_layers": strided_layers, "scales": scales}
    if variant == "2018":
        for name, value in of_paper.items():
            if value is not None:
                raise ValueError(f"{name} is not for the variant 2018; leave it out.")
        make = networks_of_2018
    else:
        given |= of_paper
        make = paper_networks
    networks = make(
        image_shape,
        base_filters=base_filters,
        blocks=blocks,
        **{name: value for name, value in given.items() if value is not None},
        seed=seed,
    )
    return UNIT(
        **networks,
        image_shape=image_shape,
        lambda_adversarial=lambda_adversarial,
        lambda_reconstruction=lambda_reconstruction,
        lambda_cycle=lambda_cycle,
        lambda_kl=lambda_kl,
        kl_of_mean=kl_of_mean,
        adversarial=adversarial,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "two variational autoencoders with a shared latent space, for unpaired images",
    "Liu et al. 2017, arXiv 1703.00848",
    presets={
        #        The paper: one rate to the end.
        "paper": {"learning_rate": 1e-4, "decay_epochs": 0},
        #        The rewrite of 2018. Its rate halves every 100,000 steps; here it stays.
        "2018":  {"variant": "2018", "adversarial": "lsgan", "lambda_adversarial": 1.0,
                  "lambda_reconstruction": 10.0, "lambda_cycle": 10.0, "lambda_kl": 0.01,
                  "kl_of_mean": True, "learning_rate": 1e-4, "decay_epochs": 0},
        #        For 64 pixels and minutes: small networks, a higher rate, averaged weights.
        "demo":  {"crop_size": 64, "base_filters": 32, "strided_layers": 4,
                  "learning_rate": 5e-4, "ema_momentum": 0.997, "epochs": 24,
                  "steps_per_epoch": 100},
    },
    step_cost=(1.36, 2.3),
)  # fmt: skip
