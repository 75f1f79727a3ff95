"""CycleGAN as in its paper (Zhu et al. 2017, arXiv 1703.10593), and for small images."""

from typing import Annotated

from cyclegan_tf.choices import FINE_DISCRIMINATORS, UPSAMPLINGS
from cyclegan_tf.recipes.common import Adversarial, BaseFilters, Blocks, PoolSize, StridedLayers
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe


def build(
    image_shape,
    *,
    base_filters: BaseFilters = 64,
    blocks: Blocks = None,
    upsampling: Annotated[
        str,
        Option(
            "How the generators double the size: `transposed` convolutions, as published, or "
            "convolutions after `nearest` or `blur`, which leave no checkerboard",
            choices=UPSAMPLINGS,
        ),
    ] = "transposed",
    strided_layers: StridedLayers = 3,
    fine_discriminators: Annotated[
        str,
        Option(
            "Domains of small images with areas of one color, whose discriminator also judges "
            "16x16 patches and local contrast; the paper has none",
            choices=FINE_DISCRIMINATORS,
        ),
    ] = "none",
    spectral_normalization: Annotated[
        bool, Option("Divide each kernel of the discriminators by its spectral norm")
    ] = False,
    lambda_a: Annotated[float, Option("Weight of the cycle A→B→A", least=0)] = 10.0,
    lambda_b: Annotated[float, Option("Weight of the cycle B→A→B", least=0)] = 10.0,
    lambda_identity: Annotated[
        float, Option("Weight of the identity loss, times λ of the domain", least=0)
    ] = 0.5,
    absolute_identity: Annotated[
        bool, Option("--lambda-identity is the weight itself, not times λ")
    ] = False,
    lambda_adversarial: Annotated[
        float, Option("Weight of the generators' adversarial losses; 0: no discriminators", least=0)
    ] = 1.0,
    adversarial: Adversarial = "lsgan",
    gradient_penalty: Annotated[
        float,
        Option(
            "Weight of the discriminators' zero-centered gradient penalty, such as 0.01", least=0
        ),
    ] = 0.0,
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
        upsampling=upsampling,
        strided_layers=strided_layers,
        fine_discriminators=fine_discriminators,
        spectral_normalization=spectral_normalization,
        seed=seed,
    )
    return CycleGAN(
        **networks,
        image_shape=image_shape,
        lambda_a=lambda_a,
        lambda_b=lambda_b,
        lambda_identity=lambda_identity,
        absolute_identity=absolute_identity,
        lambda_adversarial=lambda_adversarial,
        adversarial=adversarial,
        gradient_penalty=gradient_penalty,
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
        #         What UVCGANv2 (arXiv 2303.16280) found to help, but for its generator and the head
        #         of its discriminators: see docs/training.md.
        "modern": {"gradient_penalty": 0.01, "spectral_normalization": True, "lambda_a": 5.0,
                   "lambda_b": 5.0, "upsampling": "blur", "learning_rate": 1e-4,
                   "decay_epochs": 0, "ema_momentum": 0.9999},
        #         The same for 64 pixels and minutes: small networks, weights averaged over the last
        #         steps, because so short a run oscillates. Against grain: a high learning rate and
        #         a discriminator of label maps that sees it (docs/fidelity.md).
        "demo":   {"lambda_identity": 0.0, "crop_size": 64, "base_filters": 32,
                   "fine_discriminators": "a", "learning_rate": 2e-3, "ema_momentum": 0.997,
                   "epochs": 24, "steps_per_epoch": 100},
        #         128 pixels and 3,000 steps, for domains whose colors agree. Against a grid over
        #         the images, convolutions that are not transposed.
        "earth":  {"crop_size": 128, "base_filters": 32, "upsampling": "nearest",
                   "learning_rate": 4e-4, "ema_momentum": 0.997, "epochs": 30,
                   "steps_per_epoch": 100},
    },
    step_cost=(1.0, 1.0),
)  # fmt: skip
