"""Trained generators at work: pictures of any size and number format in, the same out."""

import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import InputError
from cyclegan_tf.generators import size_multiple, translate_any_size

# A 64-filter generator needs about 1 kB a pixel while it computes.
_PIXELS_AT_ONCE = 2**21


class Translator:
    """Generators without what trained them: what a generator that stands alone is used through.

    Args:
        generators: fully convolutional models by direction, such as `{"ab": ...}`.
        image_shape: `(height, width, channels)` of the pictures that they were trained on, as
            far as that is known.
    """

    def __init__(self, generators, image_shape):
        self.generators = generators
        self.image_shape = image_shape
        self.discriminators = {}
        self._functions = {}

    def translate(self, images, direction="ab", batch_size=8):
        """Translates pictures of any size.

        Args:
            images: one picture `(height, width, channels)`, a batch `(batch, height, width,
                channels)`, or a list of pictures of different sizes. uint8 in [0, 255] or float
                in [-1, 1].
            direction: `"ab"` or `"ba"`.
            batch_size: pictures that are computed at once, at most; fewer if they are large,
                because memory would run out.

        Returns:
            A NumPy array (a list for a list) of the same size and number format: uint8 for uint8,
            float32 in [-1, 1] for floats. The channels are those of the generator's output.

        Raises:
            InputError: pictures of another rank, type, value range or number of channels, or of
                another size than a generator of fixed size takes.
        """
        if isinstance(images, (list, tuple)):
            return [self.translate(image, direction, batch_size) for image in images]
        if direction not in self.generators:
            raise InputError(
                f"direction must be one of {', '.join(self.generators)}. Received: {direction!r}"
            )
        images = np.asarray(images)
        generator = self.generators[direction]
        _check_pictures(images, generator.input_shape)
        if images.ndim == 3:
            return self.translate(images[None], direction, batch_size)[0]

        whole_numbers = images.dtype == np.uint8
        pixels = images / np.float32(127.5) - 1 if whole_numbers else images.astype(np.float32)
        batch_size = max(1, min(batch_size, _PIXELS_AT_ONCE // (pixels.shape[1] * pixels.shape[2])))
        translated = [
            self._compiled(direction)(pixels[start : start + batch_size]).numpy()
            for start in range(0, len(pixels), batch_size)
        ]
        if not translated:
            return images
        translated = np.concatenate(translated)
        if whole_numbers:
            return np.uint8(np.clip(np.round((translated + 1) * 127.5), 0, 255))
        return translated

    def _compiled(self, direction):
        """One compiled function for each direction, whatever the sizes."""
        if direction not in self._functions:
            generator = self.generators[direction]
            fixed = None not in generator.input_shape[1:3]
            multiple = 1 if fixed else size_multiple(generator)
            self._functions[direction] = tf.function(
                lambda images: translate_any_size(generator, images, multiple),
                autograph=False,
                input_signature=[
                    tf.TensorSpec((None, None, None, generator.input_shape[-1]), tf.float32)
                ],
            )
        return self._functions[direction]


def _check_pictures(images, input_shape):
    if images.ndim not in (3, 4):
        raise InputError(
            "Pictures must have the shape (height, width, channels) or (batch, height, width, "
            f"channels). Received: {images.shape}"
        )
    *size, channels = input_shape[1:]
    if images.shape[-1] != channels:
        raise InputError(
            f"The generator takes pictures of {channels} channels. Received: {images.shape}"
        )
    if 0 in images.shape[-3:]:
        raise InputError(f"Pictures must not be empty. Received: {images.shape}")
    if None not in size and images.shape[-3:-1] != tuple(size):
        raise InputError(
            f"This generator takes pictures of {size[0]} by {size[1]} pixels alone; build it with "
            f"an image_shape of (None, None, {channels}) for any size. Received: {images.shape}"
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise InputError(
            "Pictures must be uint8 in [0, 255] or floats in [-1, 1]. "
            f"Received: {images.dtype.name}"
        )
    if images.dtype.kind == "f" and images.size:
        lowest, highest = float(images.min()), float(images.max())
        if not (lowest >= -1.001 and highest <= 1.001):  # written so that NaN is refused too
            raise InputError(
                "Float pictures must lie in [-1, 1]; divide values from 0 to 255 by 127.5 and "
                f"subtract 1, or pass uint8. Received values from {lowest:g} to {highest:g}."
            )
