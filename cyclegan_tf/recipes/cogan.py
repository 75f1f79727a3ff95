"""CoGAN as in its paper (Liu and Tuzel 2016, arXiv 1606.07536), and a short run."""

from typing import Annotated

from cyclegan_tf.recipes.common import BaseFilters
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe


def build(
    image_shape,
    *,
    base_filters: BaseFilters = 64,
    latent: Annotated[int, Option("Numbers of the noise that images are made from", least=1)] = 100,
    shared_generator_layers: Annotated[
        int | None,
        Option("First layers that both generators share; fixed at 28 pixels", "4", least=1),
    ] = None,
    own_discriminator_layers: Annotated[
        int | None,
        Option("First layers that each discriminator has alone; fixed at 28 pixels", "2", least=1),
    ] = None,
    search_steps: Annotated[
        int, Option("Steps of the search by which an image is translated", least=1)
    ] = 500,
    search_starts: Annotated[
        int, Option("Starts of that search, of which the best end is kept", least=1)
    ] = 4,
    seed=0,
    remat=False,
):
    """The untrained `CoGAN` with networks for the size of the images.

    Raises:
        ValueError: the options do not fit each other or the images.
    """
    from cyclegan_tf.systems.cogan import CoGAN, paper_networks

    networks = paper_networks(
        image_shape,
        latent=latent,
        base_filters=base_filters,
        shared_generator_layers=shared_generator_layers,
        own_discriminator_layers=own_discriminator_layers,
        seed=seed,
    )
    return CoGAN(
        **networks,
        image_shape=image_shape,
        search_steps=search_steps,
        search_starts=search_starts,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "pairs of images from noise, by generators and discriminators that share layers; translates "
    "by a search, slowly, and cannot be exported",
    "Liu and Tuzel 2016, arXiv 1606.07536",
    presets={
        #        The paper's faces: 100,000 steps at one rate. Their L2 was 1e-4, here it is 5e-4.
        "paper": {"crop_size": 128, "batch_size": 128, "epochs": 1000, "steps_per_epoch": 100,
                  "decay_epochs": 0},
        #        Digits and their edges, which are gray: 5,000 steps.
        "edges": {"crop_size": 28, "load_size": 28, "flip": False, "channels": 1, "batch_size": 64,
                  "epochs": 50, "steps_per_epoch": 100, "decay_epochs": 0, "search_steps": 100},
        #        For 64 pixels and minutes: narrow networks, small batches, a higher rate.
        "demo":  {"crop_size": 64, "base_filters": 16, "batch_size": 16,
                  "learning_rate": 1e-3, "search_steps": 100, "search_starts": 2, "epochs": 12,
                  "steps_per_epoch": 100, "decay_epochs": 0},
    },
    step_cost=(0.24, 1.21),
)  # fmt: skip
