"""What reports call the domains of a run, instead of A and B alone."""

import dataclasses
import pathlib
import re

from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES

# Names of folders that say nothing but the letter, such as `trainA`.
_LETTER = re.compile(r"(train|test|val|domain)?[ _-]?[ab]", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class DomainNames:
    """The names of both domains; the letters A and B stay beside them.

    Attributes:
        a, b: such as `"label maps"`; `None` for domains that have no name.
    """

    a: str | None = None
    b: str | None = None

    def of(self, domain):
        """`label maps (A)` of `"a"`; `A` if it has no name."""
        name = vars(self)[domain.lower()]
        return f"{name} ({domain.upper()})" if name else domain.upper()

    def of_direction(self, direction):
        """`label maps (A) → photographs (B)` of `"ab"`."""
        return f"{self.of(from_domain(direction))} → {self.of(to_domain(direction))}"

    def within(self, text):
        """A text about A and B, such as the meaning of a loss, with the names."""
        if not self.a:
            return text
        return re.sub(r"(\bimages of )?\b([AB])\b", lambda found: self.of(found[2]), text)


def domain_names(options):
    """The `DomainNames` of a run.

    They are those of built-in images. Two folders give theirs, or those of the folders that they
    are in, if they are `horses/train` and `zebras/train`. Other sources have none.

    Args:
        options: `RunOptions`, or `None`.
    """
    if options is None:
        return DomainNames()
    source, domain_b = options.data.source, options.data.domain_b
    if source in BUILT_IN:
        return DomainNames(*BUILT_IN_SOURCES[source].domains)
    if not domain_b:
        return DomainNames()
    paths = [reversed(pathlib.Path(path).parts) for path in (source, domain_b)]
    names = next((pair for pair in zip(*paths) if pair[0] != pair[1]), None)
    if names is None or any(_LETTER.fullmatch(name) for name in names):
        return DomainNames()
    return DomainNames(*names)
