"""Pix2pix as its paper has it (Isola et al. 2017, arXiv 1611.07004), and the CycleGAN paper."""

from typing import Annotated

from cyclegan_tf.choices import PAIRED_GENERATORS
from cyclegan_tf.recipes.common import (
    Adversarial,
    BaseFilters,
    Blocks,
    Direction,
    PoolSize,
    StridedLayers,
)
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe


def build(
    image_shape,
    *,
    direction: Direction = "ab",
    generator: Annotated[
        str,
        Option("`unet` is the paper's, `resnet` CycleGAN's", choices=PAIRED_GENERATORS),
    ] = "unet",
    base_filters: BaseFilters = 64,
    halvings: Annotated[
        int | None,
        Option("Levels of the U-Net", "as many as the size allows up to 8", least=2),
    ] = None,
    dropout: Annotated[
        float | None, Option("Rate of the U-Net's noise, at test too", "0.5", least=0, below=1)
    ] = None,
    blocks: Blocks = None,
    strided_layers: StridedLayers = 3,
    lambda_l1: Annotated[float, Option("Weight of the L1 distance", least=0)] = 100.0,
    adversarial: Adversarial = "vanilla",
    pool_size: PoolSize = 0,
    seed=0,
    remat=False,
):
    """The untrained `Pix2Pix` with the networks of the paper.

    Raises:
        ValueError: the options do not go together, or not with the images.
    """
    _check_of_generator(generator, halvings=halvings, dropout=dropout, blocks=blocks)
    from cyclegan_tf.systems.base import shapes_by_domain
    from cyclegan_tf.systems.pix2pix import Pix2Pix, paper_networks

    shapes = shapes_by_domain(image_shape)
    if generator == "unet" and None in shapes["a"]:
        raise ValueError(
            "The U-Net needs images of one size; use another preprocess, such as resize_and_crop, "
            "or the generator resnet."
        )
    source, target = direction
    networks = paper_networks(
        shapes[source],
        shapes[target][-1],
        generator=generator,
        base_filters=base_filters,
        halvings=halvings,
        dropout=0.5 if dropout is None else dropout,
        blocks=blocks,
        strided_layers=strided_layers,
        seed=seed,
    )
    return Pix2Pix(
        **networks,
        direction=direction,
        image_shape=image_shape,
        lambda_l1=lambda_l1,
        adversarial=adversarial,
        pool_size=pool_size,
        seed=seed,
        remat=remat,
    )


def _check_of_generator(generator, **given):
    """Refuses options of the other generator, which would have no effect."""
    others = {"unet": ("blocks",), "resnet": ("halvings", "dropout")}[generator]
    for name in others:
        if given[name] is not None:
            raise ValueError(f"{name} is not for the generator {generator}; leave it out.")


RECIPE = Recipe(
    build,
    "a generator and a discriminator of pairs, for paired images",
    "Isola et al. 2017, arXiv 1611.07004",
    presets={
        #           The paper: 200 epochs at one rate.
        "paper":    {"decay_epochs": 0},
        #           What the CycleGAN paper compares with (5.1): its own networks and objective.
        "cyclegan": {"generator": "resnet", "adversarial": "lsgan", "lambda_l1": 10.0,
                     "pool_size": 50},
        #           The paper's for 64 pixels and minutes: narrow networks, a higher rate.
        "demo":     {"crop_size": 64, "base_filters": 32, "learning_rate": 1e-3, "epochs": 12,
                     "steps_per_epoch": 100},
    },
    paired=True,
    one_way=True,
    step_cost=(0.21, 0.63),
)  # fmt: skip
