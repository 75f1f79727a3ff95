"""CUT and FastCUT as their paper has them (Park et al. 2020, arXiv 2007.15651), and a short run."""

from typing import Annotated

from cyclegan_tf.recipes.common import Adversarial, BaseFilters, Blocks, Direction, StridedLayers
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe


def build(
    image_shape,
    *,
    direction: Direction = "ab",
    base_filters: BaseFilters = 64,
    blocks: Blocks = None,
    strided_layers: StridedLayers = 3,
    feature_width: Annotated[int, Option("Width of the features of patches", least=1)] = 256,
    lambda_nce: Annotated[float, Option("Weight of PatchNCE", least=0)] = 1.0,
    nce_identity: Annotated[
        bool, Option("Half of PatchNCE is of images that are of the target domain already")
    ] = True,
    flip_equivariance: Annotated[
        bool, Option("Mirror the generator's images in half of the steps, as FastCUT does")
    ] = False,
    patches: Annotated[int, Option("Patches that PatchNCE compares in each layer", least=2)] = 256,
    temperature: Annotated[float, Option("Temperature τ of PatchNCE", above=0)] = 0.07,
    adversarial: Adversarial = "lsgan",
    seed=0,
    remat=False,
):
    """The untrained `CUT` with the networks of the paper.

    Raises:
        ValueError: the options do not fit each other or the images.
    """
    from cyclegan_tf.systems.cut import CUT, paper_features, paper_layers, paper_networks

    networks = paper_networks(
        image_shape,
        base_filters=base_filters,
        blocks=blocks,
        strided_layers=strided_layers,
        seed=seed,
    )
    layers = paper_layers(networks["generator"])
    features = paper_features(networks["generator"], layers, width=feature_width, seed=seed)
    return CUT(
        **networks,
        features=features,
        nce_layers=layers,
        direction=direction,
        image_shape=image_shape,
        lambda_nce=lambda_nce,
        nce_identity=nce_identity,
        flip_equivariance=flip_equivariance,
        patches=patches,
        temperature=temperature,
        adversarial=adversarial,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "a generator that contrasts patches and a discriminator, for unpaired images, one direction",
    "Park et al. 2020, arXiv 2007.15651",
    presets={
        #          CUT: 200 epochs at one rate, then 200 in which it falls.
        "paper":   {"epochs": 400},
        #          FastCUT: 150 and 50.
        "fastcut": {"lambda_nce": 10.0, "nce_identity": False, "flip_equivariance": True,
                    "epochs": 200, "decay_epochs": 50},
        #          For 64 pixels and minutes. The built-in label maps look like no photograph, but
        #          a photograph may stay one: the identity term is of photographs only.
        "demo":    {"crop_size": 64, "base_filters": 32, "learning_rate": 1e-3,
                    "ema_momentum": 0.997, "epochs": 24, "steps_per_epoch": 100},
    },
    one_way=True,
    step_cost=(0.83, 1.18),
)  # fmt: skip
