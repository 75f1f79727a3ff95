"""The two images of a training element, checked before they are trained on."""

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import value_range
from cyclegan_tf.errors import InputError


def images_of(element, system):
    """The images of domain A and of domain B, checked when the step is traced.

    Args:
        element: `(image_a, image_b)`, each float `(batch, height, width, channels)` in [-1, 1].
        system: its `image_shapes` are the expected ones.

    Returns:
        Both, in the dtype of the system's variables.

    Raises:
        InputError: they have another type or shape, or there is a third part.
    """
    image_a, image_b, weights = keras.utils.unpack_x_y_sample_weight(element)
    if weights is not None:
        raise InputError(
            "A training element must be a pair (image_a, image_b); received a third part, "
            "as sample_weight and class_weight make it, which no loss here uses. Leave it out."
        )
    if image_b is None:
        raise InputError(
            "A training element must be a pair (image_a, image_b), as `cyclegan_tf.data` "
            "makes them; received a single tensor."
        )
    return tuple(
        # `train_on_batch` passes NumPy arrays if it runs eagerly.
        _checked_image(tf.convert_to_tensor(image), domain, system)
        for domain, image in (("a", image_a), ("b", image_b))
    )


def _checked_image(image, domain, system):
    shape, name = system.image_shapes[domain], domain.upper()
    if not image.dtype.is_floating:
        raise InputError(
            f"Training images must be floats in [-1, 1]; those of domain {name} are "
            f"{image.dtype.name}. Divide by 127.5 and subtract 1."
        )
    if image.shape.rank not in (None, 4):
        raise InputError(
            "Training images must come in batches, (batch, height, width, channels); "
            f"those of domain {name} have shape {tuple(image.shape)}. Use .batch(1)."
        )
    if not tf.TensorShape((None, *shape)).is_compatible_with(image.shape):
        raise InputError(
            f"{type(system).__name__} was built for images of shape {shape} in domain {name}; "
            f"received images of shape {tuple(image.shape[1:])}. Give image_shape=… to the "
            "constructor or image_size=… to the data set."
        )
    # If sizes are unknown during tracing, the check above runs in the graph.
    return tf.cast(tf.ensure_shape(image, (None, *shape)), system.variable_dtype)


def checked_call(call, system):
    """Arguments of `fit`, changed so that unsuitable images are refused."""
    if call.get("class_weight") is not None:
        raise InputError("class_weight has no meaning here: images are of no class.")
    validation = call.get("validation_data")
    checked = {"x": checked_data(call["x"], call.get("y"), system)}
    if isinstance(validation, (tuple, list)):
        image_a, image_b, _ = keras.utils.unpack_x_y_sample_weight(tuple(validation))
        checked_data(image_a, image_b, system)
    elif validation is not None:
        checked["validation_data"] = checked_data(validation, None, system)
    return checked


def checked_data(x, y, system):
    """`x`; arrays are checked here, batches of a `tf.data.Dataset` when they are drawn."""
    if system.paired and getattr(x, "paired", None) is False:
        raise InputError(
            f"A {type(system).__name__} trains on paired images; give paired=True to the data set."
        )
    if isinstance(x, tf.data.Dataset) and not hasattr(x, "elements"):

        @tf.autograph.experimental.do_not_convert  # which would wrap the errors in others
        def checked(*element):
            return tuple(map(value_range.asserted, images_of(element, system)))

        return x.map(checked)
    if all(isinstance(images, np.ndarray) and len(images) for images in (x, y)):
        images_of((x[:1], y[:1]), system)
        for images in (x, y):
            value_range.check(images.min(), images.max())
    return x
