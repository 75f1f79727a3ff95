"""Directions of translation: "ab" from domain A to domain B, "ba" back."""

from cyclegan_tf.choices import check
from cyclegan_tf.errors import InputError


def from_domain(direction):
    """The domain, `"a"` or `"b"`, whose images a direction takes."""
    return direction[0]


def to_domain(direction):
    """The domain, `"a"` or `"b"`, whose images a direction makes."""
    return direction[1]


def number_of(domain):
    """The position of a domain in a training element: 0 for `"a"`, 1 for `"b"`."""
    return "ab".index(domain)


def direction_of(model, direction=None):
    """A direction of a `Translator` or a system; its first one, mostly `"ab"`, if `None`.

    Raises:
        InputError: the model does not translate in this direction, or not by a network.
    """
    if not model.generators:
        raise InputError(
            f"A {type(model).__name__} has no network that translates, and none to export."
        )
    first, *others = model.generators
    if direction is None:
        return first
    if not others and direction != first:
        raise InputError(
            f"The model translates in the direction {first} only; leave direction out. "
            f"Received: {direction!r}"
        )
    check("direction", direction, model.generators)
    return direction


def generator_of(model, direction=None):
    """The generator of a `Translator` or a system for one direction; see `direction_of`."""
    return model.generators[direction_of(model, direction)]
