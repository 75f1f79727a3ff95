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
        paper: its authors, year and number at arxiv.org.
        presets: by name, the differences from the defaults of all options; the first one is the
            default.
        paired: it trains on paired images.
        one_way: it translates in one direction, `--direction`.
        constant_rate: it keeps its learning rate for all epochs, because some of its networks are
            updated in some steps only: their optimizer counts only those, and would read a
            schedule at the wrong step.
        step_cost: time and memory of a step of the first preset's networks at 128 pixels, as
            multiples of CycleGAN's: what `benchmarks/systems.py` measured on one machine.
    """

    build: Callable
    summary: str
    paper: str
    presets: Mapping[str, Mapping]
    paired: bool = False
    one_way: bool = False
    constant_rate: bool = False
    step_cost: tuple[float, float] | None = None
