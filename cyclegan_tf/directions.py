"""Directions of translation: "ab" from domain A to domain B, "ba" back."""

from cyclegan_tf.choices import check


def from_domain(direction):
    """The domain, `"a"` or `"b"`, whose images a direction takes."""
    return direction[0]


def to_domain(direction):
    """The domain, `"a"` or `"b"`, whose images a direction makes."""
    return direction[1]


def number_of(domain):
    """The position of a domain in a training element: 0 for `"a"`, 1 for `"b"`."""
    return "ab".index(domain)


def generator_of(model, direction):
    """The generator of a `Translator`, or of a system, for one direction.

    Raises:
        InputError: there is none for this direction.
    """
    check("direction", direction, model.generators)
    return model.generators[direction]
