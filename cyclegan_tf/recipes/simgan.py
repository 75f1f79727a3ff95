"""SimGAN as the CycleGAN paper compares with it (5.1.1), and its own form (arXiv 1612.07828)."""

from typing import Annotated

from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES, SIMGAN_FORMS
from cyclegan_tf.recipes.common import BaseFilters, Direction
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe

_Form = Annotated[
    str,
    Option(
        "Networks and losses: `cyclegan` as the CycleGAN paper ran it, `simgan` is SimGAN's own",
        choices=SIMGAN_FORMS,
    ),
]
_Blocks = Annotated[
    int | None,
    Option(
        "Residual blocks of the generator",
        "6 below 256 pixels, 9 from there; 4 in SimGAN's own form",
        least=1,
    ),
]
_StridedLayers = Annotated[
    int | None, Option("Strided layers of the PatchGAN; 3 see 70x70 patches", "3", least=1)
]
_WeightOfL1 = Annotated[
    float | None,
    Option(
        "Weight of the L1 distance between an image and its translation",
        "10; 0.5 in SimGAN's own form",
        least=0,
    ),
]
_Adversarial = Annotated[
    str | None,
    Option(
        "Adversarial objective",
        "lsgan; vanilla in SimGAN's own form",
        choices=ADVERSARIAL_OBJECTIVES,
    ),
]
_PoolSize = Annotated[
    int | None,
    Option(
        "Earlier translations kept for the discriminator; SimGAN's own form needs many batches, "
        "and must be given how many images these are",
        "50",
        least=0,
    ),
]


def build(
    image_shape,
    *,
    direction: Direction = "ab",
    form: _Form = "cyclegan",
    base_filters: BaseFilters = 64,
    blocks: _Blocks = None,
    strided_layers: _StridedLayers = None,
    lambda_l1: _WeightOfL1 = None,
    adversarial: _Adversarial = None,
    pool_size: _PoolSize = None,
    seed=0,
    remat=False,
):
    """The untrained `SimGAN` with CycleGAN's networks or SimGAN's own.

    Raises:
        ValueError: the options do not go together, or not with the images.
    """
    from cyclegan_tf.systems.base import shapes_by_domain
    from cyclegan_tf.systems.simgan import SimGAN, paper_networks

    networks = paper_networks(
        shapes_by_domain(image_shape)[direction[0]],
        form=form,
        base_filters=base_filters,
        blocks=blocks,
        strided_layers=strided_layers,
        seed=seed,
    )
    return SimGAN(
        **networks,
        direction=direction,
        image_shape=image_shape,
        form=form,
        lambda_l1=lambda_l1,
        adversarial=adversarial,
        pool_size=pool_size,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "a generator and a discriminator for unpaired images, which stays near its input",
    "Shrivastava et al. 2017, arXiv 1612.07828",
    presets={
        #          The CycleGAN paper's: its networks, 256 pixels, 200 epochs.
        "paper":   {},
        #          SimGAN's own: 10,000 steps of 512 small images at one rate. The paper gives no
        #          weight and no size of the buffer; these are a reimplementation's.
        "refiner": {"form": "simgan", "pool_size": 25_600, "crop_size": 55, "batch_size": 512,
                    "learning_rate": 1e-3, "epochs": 100, "steps_per_epoch": 100,
                    "decay_epochs": 0},
        #          The first for 64 pixels and minutes. At CycleGAN's demo's rate of 2e-3 the images
        #          stay as they are.
        "demo":    {"crop_size": 64, "base_filters": 32, "epochs": 12, "steps_per_epoch": 100},
    },
    one_way=True,
    step_cost=(0.26, 0.36),
)  # fmt: skip
