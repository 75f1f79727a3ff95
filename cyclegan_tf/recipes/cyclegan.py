"""CycleGAN as in its paper (Zhu et al. 2017, arXiv 1703.10593), and for small images."""

from typing import Annotated

from cyclegan_tf.choices import FINE_DISCRIMINATORS
from cyclegan_tf.recipes.common import Adversarial, BaseFilters, Blocks, PoolSize, StridedLayers
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe


def build(
    image_shape,
    *,
    base_filters: BaseFilters = 64,
    blocks: Blocks = None,
    strided_layers: StridedLayers = 3,
    fine_discriminators: Annotated[
        str,
        Option(
            "Domains of small images with areas of one color, whose discriminator also judges "
            "16x16 patches and local contrast; the paper has none",
            choices=FINE_DISCRIMINATORS,
        ),
    ] = "none",
    lambda_a: Annotated[float, Option("Weight of the cycle A→B→A", least=0)] = 10.0,
    lambda_b: Annotated[float, Option("Weight of the cycle B→A→B", least=0)] = 10.0,
    lambda_identity: Annotated[
        float, Option("Weight of the identity loss, times λ of the domain", least=0)
    ] = 0.5,
    adversarial: Adversarial = "lsgan",
    pool_size: PoolSize = 50,
    seed=0,
    remat=False,
):
    """The untrained `CycleGAN` with the networks of the paper.

    Raises:
        ValueError: the options do not fit each other or the images.
    """
    from cyclegan_tf.systems.cyclegan import CycleGAN, paper_networks

    networks = paper_networks(
        image_shape,
        base_filters=base_filters,
        blocks=blocks,
        strided_layers=strided_layers,
        fine_discriminators=fine_discriminators,
        seed=seed,
    )
    return CycleGAN(
        **networks,
        image_shape=image_shape,
        lambda_a=lambda_a,
        lambda_b=lambda_b,
        lambda_identity=lambda_identity,
        adversarial=adversarial,
        pool_size=pool_size,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "two generators and two discriminators for unpaired images",
    "Zhu et al. 2017, arXiv 1703.10593",
    presets={
        #         The paper: 256 pixels, 200 epochs.
        "paper":  {},
        #         One domain is label maps: they look like no photograph, so nothing stays as it is.
        "labels": {"lambda_identity": 0.0},
        #         The same for 64 pixels and minutes: small networks, weights averaged over the last
        #         steps, because so short a run oscillates. Against grain: a high learning rate and
        #         a discriminator of label maps that sees it (docs/fidelity.md).
        "demo":   {"lambda_identity": 0.0, "crop_size": 64, "base_filters": 32,
                   "fine_discriminators": "a", "learning_rate": 2e-3, "ema_momentum": 0.997,
                   "epochs": 24, "steps_per_epoch": 100},
    },
)  # fmt: skip
