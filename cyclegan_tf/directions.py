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
    return direction_among(model.generators, direction)


def direction_among(directions, direction=None):
    """A direction, which must be one of these; the first one if `None`.

    Raises:
        InputError: it is none of them.
    """
    first, *others = directions
    if direction is None:
        return first
    if not others and direction != first:
        raise InputError(
            f"The model translates in the direction {first} only; leave direction out. "
            f"Received: {direction!r}"
        )
    check("direction", direction, directions)
    return direction


def generator_of(model, direction=None):
    """The generator of a `Translator` or a system for one direction; see `direction_of`."""
    return model.generators[direction_of(model, direction)]


def channels_of(model, direction=None):
    """The channels of the images that a `Translator` or a system takes, and of those it makes.

    Other than `direction_of`, this also knows systems that translate without a network.
    """
    if model.generators:
        generator = generator_of(model, direction)
        return generator.input_shape[-1], generator.output_shape[-1]
    domains = direction_among(model.directions, direction)
    return tuple(model.image_shapes[domain][-1] for domain in domains)
