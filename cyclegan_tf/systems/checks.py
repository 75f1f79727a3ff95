"""Checks of the networks and arguments of a system; each raises a ValueError of one sentence."""

import inspect
import numbers

import keras
import tensorflow as tf

from cyclegan_tf.choices import DIRECTIONS
from cyclegan_tf.keras_internals import computes_impossible_shapes
from cyclegan_tf.networks.generators import size_multiple


def check_image_shape(image_shape):
    """Height, width and channels; height and width may be `None`."""
    if isinstance(image_shape, dict):
        raise ValueError(
            "This system takes images of both domains of one shape; give it alone, such as "
            f"(256, 256, 3). Received: image_shape={image_shape}"
        )
    if len(image_shape) != 3 or image_shape[-1] is None:
        raise ValueError(
            "image_shape must be (height, width, channels) with a known number of channels. "
            f"Received: {image_shape}"
        )
    if not all(
        size is None or (isinstance(size, numbers.Integral) and size > 0) for size in image_shape
    ):
        raise ValueError(
            "Height, width and channels of image_shape must be integers from 1 on; height "
            f"and width may be None. Received: {image_shape}"
        )


def check_weights(**weights):
    """Weights of terms of an objective, by the names of their arguments."""
    for name, weight in weights.items():
        if not 0 <= weight < float("inf"):  # written so that NaN is refused too
            raise ValueError(f"{name} must be a finite number from 0 on. Received: {name}={weight}")


def check_count(least=1, **counts):
    """Numbers of things, by the names of their arguments."""
    for name, count in counts.items():
        if not isinstance(count, numbers.Integral) or isinstance(count, bool) or count < least:
            raise ValueError(
                f"{name} must be an integer from {least} on. Received: {name}={count!r}"
            )


def check_seed(seed):
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**31:
        raise ValueError(f"seed must be an integer from 0 to 2^31 - 1. Received: {seed!r}")


def check_are_two(system, kind, first, second):
    """One network in two places would learn for both."""
    if first is second:
        raise ValueError(
            f"A {system} has two {kind}s, of which each learns its own direction or domain. "
            f"Received '{first.name}' for both; build it twice."
        )


def check_takes(network, image_shape):
    """Functional and built Sequential models know their input shape; others do not."""
    taken = getattr(network, "input_shape", None)
    if taken is None and not network.built:
        raise ValueError(
            f"'{network.name}' has no weights yet; expected a functional model, or a Sequential "
            "one that begins with keras.Input."
        )
    several = isinstance(taken, (list, dict))
    if several or not tf.TensorShape(taken).is_compatible_with((None, *image_shape)):
        raise ValueError(
            f"'{network.name}' takes images of shape {taken if several else taken[1:]}; expected "
            f"image_shape, which is {image_shape}."
        )


def check_makes(generator, from_shape, to_shape):
    """A generator's outputs must have the shape of the domain that it translates to."""
    if getattr(generator, "output_shape", None) is None:
        raise ValueError(
            f"The generator '{generator.name}' does not know the shape of its images; expected a "
            "functional model, or a Sequential one that begins with keras.Input."
        )
    if None in from_shape or None in generator.output_shape[1:3]:
        made = _shape_made(generator, from_shape)
    else:
        made = tuple(generator.output_shape[1:])
    if made != to_shape:
        shape = "no images" if made is None else f"images of shape {made}"
        raise ValueError(
            f"The generator '{generator.name}' makes {shape} from images of shape {from_shape}; "
            f"expected {to_shape}.{_multiples(generator, from_shape)}"
        )


def _shape_made(generator, from_shape):
    """The shape of a generator's images; `None` if it makes none of this shape."""
    try:
        if computes_impossible_shapes():
            run = tf.function(lambda image: generator(image, training=False), autograph=False)
            traced = run.get_concrete_function(tf.TensorSpec((1, *from_shape), tf.float32))
            return tuple(traced.output_shapes[1:])
        # Not `compute_output_shape`, which passes over skip connections that do not fit.
        spec = generator.compute_output_spec(keras.KerasTensor((1, *from_shape)))
        return tuple(spec.shape[1:])
    except ValueError:
        return None


def _multiples(generator, shape):
    """What sizes a network needs, if these are others."""
    multiple = size_multiple(generator)
    if any(size is not None and size % multiple for size in shape[:2]):
        return f" Its heights and widths must be multiples of {multiple}."
    return ""


def check_gives_logits(discriminator, image_shape, several=False):
    """Images that are too small leave a PatchGAN without logits; some systems take `several`."""
    if len(getattr(discriminator, "outputs", ())) > 1 and not several:
        raise ValueError(
            f"The discriminator '{discriminator.name}' gives {len(discriminator.outputs)} outputs; "
            "this system takes one of a single output."
        )
    try:
        shapes = discriminator.compute_output_shape((1, *image_shape))
        shapes = shapes if isinstance(shapes, list) else [shapes]
        fits = all(size is None or size > 0 for logits in shapes for size in logits)
    except NotImplementedError as error:
        raise ValueError(
            f"The discriminator '{discriminator.name}' does not know the shape of its logits; "
            "expected a functional or Sequential model, or one with compute_output_shape."
        ) from error
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"The discriminator '{discriminator.name}' gives no logits for images of shape "
            f"{image_shape}, which are too small for it; use larger images or fewer strided "
            "layers (a PatchGAN of n needs at least 3 x 2^n pixels)."
        )


def check_two_way(system, networks, shapes, several_outputs=False):
    """Two generators and two discriminators, by the names of a system's arguments.

    Args:
        system: its name.
        shapes: of images, by domain.
        several_outputs: whether discriminators may give other maps after their logits.
    """
    for kind, first, second in (
        ("generator", "generator_ab", "generator_ba"),
        ("discriminator", "discriminator_a", "discriminator_b"),
    ):
        check_are_two(system, kind, networks[first], networks[second])
    for source, target in DIRECTIONS:
        generator = networks[f"generator_{source}{target}"]
        check_takes(generator, shapes[source])
        check_makes(generator, shapes[source], shapes[target])
    for domain in "ab":
        discriminator = networks[f"discriminator_{domain}"]
        check_takes(discriminator, shapes[domain])
        check_gives_logits(discriminator, shapes[domain], several=several_outputs)


def check_structure(system, networks, groups, loss_panels):
    """What a subclass of `System` gives to its constructor; raises a TypeError for its author."""
    name = system.__name__
    if next(iter(groups), None) != "generator":
        raise TypeError(f"The first of the groups of {name} must be 'generator'.")
    for group, members in groups.items():
        if isinstance(members, str):
            raise TypeError(f"The group {group} of {name} must be a tuple of names of networks.")
        if unknown := [member for member in members if member not in networks]:
            raise TypeError(f"The group {group} of {name} has no network {unknown[0]!r}.")
    arguments = inspect.signature(system.__init__).parameters
    if unknown := [network for network in networks if network not in arguments]:
        raise TypeError(
            f"{name} has a network {unknown[0]!r}, which must be an argument of its constructor, "
            "so that it can be loaded from a file."
        )
    if not all(isinstance(panel, dict) for panel in loss_panels.values()):
        raise TypeError(f"A panel of {name} must be a dictionary of losses and their meanings.")


def check_own_layers(networks):
    """Two networks with one layer could be trained, and not be loaded again from a file."""
    owners = {}
    for name, network in networks.items():
        for layer in _layers_with_weights(network):
            other = owners.setdefault(id(layer), name)
            if other != name:
                raise ValueError(
                    f"The networks {other} and {name} share the layer '{layer.name}', so that they "
                    "could not be loaded from a file; give what is shared as a network of its own."
                )


def _layers_with_weights(network):
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            yield from _layers_with_weights(layer)
        elif layer.weights:
            yield layer
