"""Checks of the networks and arguments of a system; each raises a ValueError of one sentence."""

import numbers

import tensorflow as tf


def check_image_shape(image_shape):
    """Height, width and channels; height and width may be `None`."""
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
        output = generator.compute_output_shape((1, *from_shape))
    else:
        output = generator.output_shape
    if tuple(output[1:]) != to_shape:
        raise ValueError(
            f"The generator '{generator.name}' makes images of shape {tuple(output[1:])} from "
            f"images of shape {from_shape}; expected {to_shape}. The paper's networks need "
            "heights and widths that are multiples of 4."
        )


def check_gives_logits(discriminator, image_shape):
    """Images that are too small leave a PatchGAN without logits."""
    try:
        logits = discriminator.compute_output_shape((1, *image_shape))[1:]
        fits = all(size is None or size > 0 for size in logits)
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
