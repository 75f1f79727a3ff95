"""BiGAN/ALI as the CycleGAN paper compares with it (arXiv 1703.10593, 5.1.1)."""

from cyclegan_tf.recipes.common import Adversarial, BaseFilters, Blocks, PoolSize, StridedLayers
from cyclegan_tf.recipes.recipe import Recipe


def build(
    image_shape,
    *,
    base_filters: BaseFilters = 64,
    blocks: Blocks = None,
    strided_layers: StridedLayers = 3,
    adversarial: Adversarial = "lsgan",
    pool_size: PoolSize = 50,
    seed=0,
    remat=False,
):
    """The untrained `BiGAN` with CycleGAN's networks.

    Raises:
        ValueError: the options do not fit each other or the images.
    """
    from cyclegan_tf.systems.bigan import BiGAN, paper_networks

    networks = paper_networks(
        image_shape,
        base_filters=base_filters,
        blocks=blocks,
        strided_layers=strided_layers,
        seed=seed,
    )
    return BiGAN(
        **networks,
        image_shape=image_shape,
        adversarial=adversarial,
        pool_size=pool_size,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "two generators and one discriminator of pairs, for unpaired images, without a cycle",
    "Donahue et al. 2017, arXiv 1605.09782",
    presets={
        #        The CycleGAN paper's: its networks, 256 pixels, 200 epochs.
        "paper": {},
        #        The same for 64 pixels and minutes; rate and average against grain, as CycleGAN's.
        "demo":  {"crop_size": 64, "base_filters": 32, "learning_rate": 2e-3,
                  "ema_momentum": 0.997, "epochs": 12, "steps_per_epoch": 100},
    },
    step_cost=(0.38, 0.52),
)  # fmt: skip
