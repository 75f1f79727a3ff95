"""Feature loss + GAN, a baseline of the CycleGAN paper (5.1.1)."""

from typing import Annotated

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
    base_filters: BaseFilters = 64,
    blocks: Blocks = None,
    strided_layers: StridedLayers = 3,
    features: Annotated[
        str,
        Option(
            "Weights of VGG: `hed`, which the extra features installs, or a file of VGG-16 of "
            "keras.applications",
            names=("hed",),
        ),
    ] = "hed",
    feature_layer: Annotated[str, Option("Layer of VGG that is compared")] = "relu4_2",
    feature_size: Annotated[
        int, Option("Side of the images that VGG sees, in pixels", least=1)
    ] = 224,
    lambda_content: Annotated[
        float,
        Option("Weight of the distance between features of image and translation", least=0),
    ] = 10.0,
    weak_gradient: Annotated[
        bool, Option("Divide the gradient of that distance by 16,256, as the published code does")
    ] = False,
    adversarial: Adversarial = "lsgan",
    pool_size: PoolSize = 50,
    seed=0,
    remat=False,
):
    """The untrained `FeatureGAN` with CycleGAN's networks.

    Raises:
        ValueError: the options do not go together, or not with the images.
    """
    from cyclegan_tf.systems.base import shapes_by_domain
    from cyclegan_tf.systems.featuregan import FeatureGAN
    from cyclegan_tf.systems.simgan import paper_networks

    networks = paper_networks(
        shapes_by_domain(image_shape)[direction[0]],
        base_filters=base_filters,
        blocks=blocks,
        strided_layers=strided_layers,
        seed=seed,
    )
    return FeatureGAN(
        **networks,
        direction=direction,
        image_shape=image_shape,
        features=features,
        feature_layer=feature_layer,
        feature_size=feature_size,
        lambda_content=lambda_content,
        weak_gradient=weak_gradient,
        adversarial=adversarial,
        pool_size=pool_size,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "a generator and a discriminator for unpaired images, which keeps the features of its input",
    "a baseline of Zhu et al. 2017, arXiv 1703.10593",
    presets={
        #          The CycleGAN paper's: its networks, 256 pixels, 200 epochs.
        "paper":   {},
        #          The gradient that its published code had.
        "weak":    {"weak_gradient": True},
        #          The first for 64 pixels and minutes, with hed's features. At the weight of 10 the
        #          images hardly change; relu4_2 has 8 by 8 positions here, too few to keep cars.
        "demo":    {"crop_size": 64, "base_filters": 32, "feature_size": 64,
                    "feature_layer": "relu3_3", "lambda_content": 0.5,
                    "epochs": 12, "steps_per_epoch": 100},
    },
    one_way=True,
    step_cost=(0.42, 0.45),
)  # fmt: skip
