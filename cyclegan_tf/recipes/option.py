"""An option of a run: its name, type, default, meaning and range, declared once."""

import dataclasses
import inspect
import math
import typing

from cyclegan_tf.choices import check
from cyclegan_tf.errors import InputError


@dataclasses.dataclass(frozen=True)
class Option:
    """What a signature does not say about an option; part of its `Annotated` type.

    Attributes:
        help: its meaning in a few words, for the command line.
        default_help: the meaning of `None`.
        least: its smallest value.
        below: its values must be less than this.
        above: its values must be more than this.
        choices: all of its values.
        names: values of a path that are names, and no paths; `None` if the option is no path.
        may_change: whether it may change when a run resumes, because it sets how long, how fast
            and how often a run saves, not what it learns.
    """

    help: str
    default_help: str | None = None
    least: float | None = None
    below: float | None = None
    above: float | None = None
    choices: tuple | None = None
    names: tuple | None = None
    may_change: bool = False

    def check(self, name, value):
        """Raises an `InputError` that names the option if it cannot have this value."""
        if value is None:
            return
        if self.choices is not None:
            check(name, value, self.choices)
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"{name} must be a finite number. Received: {value}")
        for fits, range_ in (
            (self.least is None or value >= self.least, f"at least {self.least}"),
            (self.below is None or value < self.below, f"less than {self.below}"),
            (self.above is None or value > self.above, f"more than {self.above}"),
        ):
            if not fits:
                raise InputError(f"{name} must be {range_}. Received: {value}")


@dataclasses.dataclass(frozen=True)
class Declared:
    """An `Option` with its name, its Python type and its default."""

    name: str
    type: type
    default: object
    option: Option

    @property
    def flag(self):
        """Its name on the command line."""
        return f"--{self.name.replace('_', '-')}"

    def said(self, value):
        """A value in words; what `None` means is declared."""
        if value is None:
            return self.option.default_help
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:g}" if isinstance(value, float) else str(value)

    def check(self, value):
        """Raises an `InputError` that names the option if it cannot have this value."""
        kinds = typing.get_args(self.type) or (self.type,)
        if float in kinds:
            kinds = (*kinds, int)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            names = " or ".join(kind.__name__ for kind in kinds).replace("NoneType", "None")
            raise InputError(f"{self.name} must be {names}. Received: {value!r}")
        self.option.check(self.name, value)


def declared(target):
    """The options that a function or a dataclass takes, by name, in their order.

    They are the parameters whose type is `Annotated[…, Option(…)]`.
    """
    hints = typing.get_type_hints(target, include_extras=True)
    options = {}
    for name, parameter in inspect.signature(target).parameters.items():
        for extra in getattr(hints.get(name), "__metadata__", ()):
            if isinstance(extra, Option):
                kind = typing.get_args(hints[name])[0]
                options[name] = Declared(name, kind, parameter.default, extra)
    return options
