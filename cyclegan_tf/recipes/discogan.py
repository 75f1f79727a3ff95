"""DiscoGAN as in its paper (Kim et al. 2017, arXiv 1703.05192), and as in its authors' code."""

from typing import Annotated

from cyclegan_tf.choices import DISCOGAN_FORMS, DISCOGAN_NORMALIZATIONS
from cyclegan_tf.recipes.common import BaseFilters
from cyclegan_tf.recipes.option import Option
from cyclegan_tf.recipes.recipe import Recipe

_Share = Annotated[
    float | None,
    Option("Share of the reconstruction in the form code", "0.5 in the form code", least=0),
]
_StartingShare = Annotated[
    float | None, Option("The same in the first steps", "0.01 in the form code", least=0)
]
_CurriculumSteps = Annotated[
    int | None, Option("How many steps these are", "10000 in the form code", least=0)
]


def build(
    image_shape,
    *,
    form: Annotated[
        str,
        Option(
            "Objective: `paper`, or `code` of its authors, with feature matching and shares of "
            "the reconstruction that change",
            choices=DISCOGAN_FORMS,
        ),
    ] = "paper",
    base_filters: BaseFilters = 64,
    halvings: Annotated[
        int, Option("Strided convolutions of each network; 4 suit 64 pixels", least=2)
    ] = 4,
    bottleneck: Annotated[
        int,
        Option("Channels between encoder and decoder, such as 100; 0 for none", least=0),
    ] = 0,
    normalization: Annotated[
        str,
        Option(
            "Statistics of batch normalization at test: `batch` for moving averages of the "
            "training, `test_batch` for those of each image",
            choices=DISCOGAN_NORMALIZATIONS,
        ),
    ] = "batch",
    reconstruction_share: _Share = None,
    starting_share: _StartingShare = None,
    curriculum_steps: _CurriculumSteps = None,
    seed=0,
    remat=False,
):
    """The untrained `DiscoGAN` with the networks of the authors' code.

    Raises:
        ValueError: the options do not fit each other or the images.
    """
    from cyclegan_tf.systems.discogan import DiscoGAN, paper_networks

    networks = paper_networks(
        image_shape,
        base_filters=base_filters,
        halvings=halvings,
        bottleneck=bottleneck,
        normalization=normalization,
        seed=seed,
    )
    return DiscoGAN(
        **networks,
        image_shape=image_shape,
        form=form,
        reconstruction_share=reconstruction_share,
        starting_share=starting_share,
        curriculum_steps=curriculum_steps,
        seed=seed,
        remat=remat,
    )


RECIPE = Recipe(
    build,
    "two generators that reconstruct each other's images, for unpaired images of 64 pixels",
    "Kim et al. 2017, arXiv 1703.05192",
    presets={
        #        The paper's objective, with the code's batches. The paper gives no epochs.
        "paper": {"crop_size": 64, "flip": False, "batch_size": 64},
        #        The authors' code: up to 5000 epochs.
        "code":  {"form": "code", "crop_size": 64, "flip": False, "batch_size": 64},
        #        The same for minutes: small batches, a higher rate, an earlier change of shares.
        "demo":  {"form": "code", "crop_size": 64, "base_filters": 32, "batch_size": 8,
                  "learning_rate": 1e-3, "curriculum_steps": 300, "epochs": 12,
                  "steps_per_epoch": 100},
    },
    constant_rate=True,
    step_cost=(0.11, 0.66),
)  # fmt: skip
