"""Options that several systems have."""

from typing import Annotated

from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES, DIRECTIONS
from cyclegan_tf.recipes.option import Option

Adversarial = Annotated[str, Option("Adversarial objective", choices=ADVERSARIAL_OBJECTIVES)]
BaseFilters = Annotated[int, Option("Filters of the first layer of each network", least=1)]
Blocks = Annotated[
    int | None,
    Option("Residual blocks of a ResNet generator", "6 below 256 pixels, 9 from there", least=1),
]
Direction = Annotated[
    str, Option("`ab` translates images of A to B, `ba` of B to A", choices=DIRECTIONS)
]
PoolSize = Annotated[int, Option("Earlier translations kept for the discriminators", least=0)]
StridedLayers = Annotated[
    int, Option("Strided layers of the discriminators; 3 see 70x70 patches", least=1)
]
