"""DualGAN as its paper and its published code have it (Yi et al. 2017, arXiv 1704.02510)."""

from typing import Annotated

from cyclegan_tf.choices import DUALGAN_DISCRIMINATORS, DUALGAN_DISTANCES, DUALGAN_OBJECTIVES
from cyclegan_tf.recipes.common import BaseFilters
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe

_Objective = Annotated[
    str,
    Option(
        "Adversarial objective: `wgan` clips the critics' weights, as in the paper; `wgangp` "
        "penalizes their gradients; `vanilla` is the cross-entropy",
        choices=DUALGAN_OBJECTIVES,
    ),
]
_CriticSteps = Annotated[
    int | None,
    Option("Steps of the critics for each of the generators", "2, and ½ with vanilla", least=1),
]


def build(
    image_shape,
    *,
    base_filters: BaseFilters = 64,
    halvings: Annotated[
        int | None,
        Option("Levels of the U-Nets", "as many as the size allows up to 8", least=2),
    ] = None,
    discriminator: Annotated[
        str,
        Option(
            "`global` gives one logit for an image, `patch` a map", choices=DUALGAN_DISCRIMINATORS
        ),
    ] = "global",
    strided_layers: Annotated[
        int, Option("Strided layers of the discriminators before the logits", least=1)
    ] = 5,
    lambda_a: Annotated[float, Option("Weight of the cycle A→B→A", least=0)] = 500.0,
    lambda_b: Annotated[float, Option("Weight of the cycle B→A→B", least=0)] = 500.0,
    cycle_distance: Annotated[
        str, Option("Distance of the cycles; `l2` is the mean square", choices=DUALGAN_DISTANCES)
    ] = "l1",
    adversarial: _Objective = "wgan",
    critic_steps: _CriticSteps = None,
    clip: Annotated[
        float | None, Option("Largest weight of the critics, with wgan", "0.01", above=0)
    ] = None,
    seed=0,
    remat=False,
):
    """The untrained `DualGAN` with the networks of the published code.

    Raises:
        ValueError: the options do not go together, or not with the images.
    """
    from cyclegan_tf.systems.dualgan import DualGAN, paper_networks

    networks = paper_networks(
        image_shape,
        base_filters=base_filters,
        halvings=halvings,
        discriminator=discriminator,
        strided_layers=strided_layers,
        seed=seed,
    )
    return DualGAN(
        **networks,
        image_shape=image_shape,
        lambda_a=lambda_a,
        lambda_b=lambda_b,
        cycle_distance=cycle_distance,
        adversarial=adversarial,
        critic_steps=critic_steps,
        clip=clip,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "two U-Nets and two Wasserstein critics, for unpaired images",
    "Yi et al. 2017, arXiv 1704.02510",
    presets={
        #         The paper's form: 256 pixels, 50 epochs at one rate, as the published code has.
        "paper": {"learning_rate": 5e-5, "epochs": 50},
        #         What the command of the published code does unasked.
        "code":  {"adversarial": "wgangp", "critic_steps": 1, "learning_rate": 5e-5,
                  "epochs": 50},
        #         The form that its author later found to work better, for 64 pixels and minutes:
        #         small networks, a high rate, and weights averaged over the last steps.
        "demo":  {"adversarial": "vanilla", "crop_size": 64, "base_filters": 32,
                  "learning_rate": 1e-3, "ema_momentum": 0.997, "epochs": 8,
                  "steps_per_epoch": 100},
    },
    constant_rate=True,
    step_cost=(0.26, 1.69),
)  # fmt: skip
