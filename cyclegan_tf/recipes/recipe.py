"""A recipe: what a paper specifies besides the class of its system."""

import dataclasses
from collections.abc import Callable, Mapping


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How a system is built and trained.

    Recipes are read to print help, so their files import TensorFlow only when they build.

    Attributes:
        build: `build(image_shape, *, seed, remat, …) -> System`. Its other keyword arguments are
            the options of the system, declared as `cyclegan_tf.recipes.option` says.
        summary: what the system is, in a line, for the command line.
        presets: by name, the differences from the defaults of all options; the first one is the
            default.
        paired: it trains on paired images.
    """

    build: Callable
    summary: str
    presets: Mapping[str, Mapping]
    paired: bool = False
