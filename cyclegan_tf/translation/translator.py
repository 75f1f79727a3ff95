"""Translates images of any size and dtype with trained generators."""

import tempfile
import threading

import numpy as np
import tensorflow as tf

from cyclegan_tf import pixels, value_range
from cyclegan_tf.devices import has_accelerator
from cyclegan_tf.directions import direction_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.networks.generators import size_multiple, translate_any_size
from cyclegan_tf.translation.tiles import TiledTranslation

# A 64-filter generator needs about 1.6 kB per pixel while it computes.
_PIXELS_AT_ONCE = 2**21
# On a CPU a larger image keeps all cores busy, and by itself it uses the fused normalization.
PIXELS_OF_A_SMALL_IMAGE = 2**13

_COMPILING = threading.Lock()  # of several threads that translate, the first one compiles


class Translator:
    """Generators without their training state; also the interface to a single generator.

    Args:
        generators: fully convolutional models by direction, such as `{"ab": ...}`.
        image_shape: `(height, width, channels)` of the images that they were trained on, as
            far as that is known.
    """

    def __init__(self, generators, image_shape):
        self.generators = generators
        self.image_shape = image_shape
        self._functions = {}

    def translate(
        self,
        images,
        direction=None,
        batch_size=8,
        *,
        tile=None,
        statistics="global",
        window=None,
    ):
        """Translates images of any size.

        Args:
            images: one image `(height, width, channels)`, a batch `(batch, height, width,
                channels)`, or a list of images of different sizes. uint8 in [0, 255] or float
                in [-1, 1].
            direction: `"ab"` or `"ba"`; the first one of the model if `None`.
            batch_size: maximum number of images that are computed at once, also of a list if
                they have the same size. Fewer if they are large, because memory would run out,
                and one at a time on a CPU, which is faster there.
            tile: rows and columns of tiles, in pixels, at least 32: memory then depends on these
                and hardly on the image. Files of 64 to 256 bytes a pixel are made meanwhile. If
                `None`, each image is computed as a whole.
            statistics: of normalizations, if there are tiles: `"global"`, of the whole image, as
                without tiles; `"local"`, of windows; or `"tile"`. See
                `cyclegan_tf.translation.tiles.TiledTranslation`.
            window: rows and columns of the windows of local statistics, in pixels; those of the
                images that the model was trained on if `None`.

        Returns:
            A NumPy array (a list for a list) of the same size and kind: uint8 for uint8, float32
            in [-1, 1] for floats. The channels are those of the generator's output.

        Raises:
            InputError: images of another rank, type, value range or number of channels, or of
                another size than a generator of fixed size takes; or a generator, such as a U-Net,
                that cannot be computed by tiles.
        """
        direction = direction_of(self, direction)
        if tile is not None:
            by = {"tile": tile, "statistics": statistics, "window": window}
            return self._translate_by_tiles(images, direction, **by)
        if isinstance(images, (list, tuple)):
            return self._translate_list(images, direction, batch_size)
        images = np.asarray(images)
        check_images(images, self.generators[direction].input_shape)
        if images.ndim == 3:
            return self._translate_batch(images[None], direction, 1)[0]
        return self._translate_batch(images, direction, batch_size)

    def tiled(self, direction, lengths, folder, *, window=None, **options):
        """The `TiledTranslation` of an image of `lengths`; its options are given by name."""
        if window is None and None not in (self.image_shape or (None,))[:2]:
            window = tuple(self.image_shape[:2])
        return TiledTranslation(
            self.generators[direction], lengths, folder, window=window, **options
        )

    def _translate_by_tiles(self, images, direction, **options):
        """One image, or each image of a batch or a list."""
        if isinstance(images, (list, tuple)):
            return [self._translate_by_tiles(image, direction, **options) for image in images]
        images = np.asarray(images)
        generator = self.generators[direction]
        check_images(images, generator.input_shape)
        if images.ndim == 4:
            translated = [self._translate_by_tiles(image, direction, **options) for image in images]
            return np.stack(translated) if translated else images
        in_uint8 = images.dtype == np.uint8
        shape = (*images.shape[:2], generator.output_shape[-1])
        translated = np.empty(shape, np.uint8 if in_uint8 else np.float32)

        def read(part):
            values = images[slice(*part[0]), slice(*part[1])]
            return pixels.to_float(values) if in_uint8 else values.astype(np.float32)

        def write(part, values):
            at = slice(*part[0]), slice(*part[1])
            translated[at] = pixels.to_uint8(values) if in_uint8 else values

        with tempfile.TemporaryDirectory() as folder:
            self.tiled(direction, images.shape[:2], folder, **options).run(read, write)
        return translated

    def _translate_list(self, images, direction, batch_size):
        """Translates images of the same size and dtype together; keeps the order of the list."""
        images = [np.asarray(image) for image in images]
        alike = {}
        for number, image in enumerate(images):
            check_images(image, self.generators[direction].input_shape)
            alike.setdefault((image.shape, image.dtype), []).append(number)
        translated = [None] * len(images)
        for (shape, _), numbers in alike.items():
            together = images_at_once(batch_size, shape[-3] * shape[-2]) if len(shape) == 3 else 1
            for start in range(0, len(numbers), together):
                some = numbers[start : start + together]
                if len(shape) == 3:
                    batch = np.stack([images[number] for number in some])
                    results = self._translate_batch(batch, direction, together)
                else:
                    results = [self._translate_batch(images[some[0]], direction, batch_size)]
                for number, result in zip(some, results):
                    translated[number] = result
        return translated

    def _translate_batch(self, images, direction, batch_size):
        if not len(images):
            return images
        batch_size = images_at_once(batch_size, images.shape[1] * images.shape[2])
        compiled = self._compiled(direction, 1 if batch_size == 1 else None)
        translated = []
        for start in range(0, len(images), batch_size):
            some = images[start : start + batch_size]
            if images.dtype == np.uint8:
                outputs = compiled(pixels.to_float(some)).numpy()
                translated.append(pixels.to_uint8(outputs))
            else:
                translated.append(compiled(some.astype(np.float32)).numpy())
        return np.concatenate(translated)

    def _compiled(self, direction, count):
        """One compiled function per direction, for all sizes, and one for batches."""
        generator = self.generators[direction]
        with _COMPILING:
            of, compiled = self._functions.get((direction, count), (None, None))
            if of is not generator:  # another one may have taken its place
                channels, multiple = generator.input_shape[-1], size_multiple(generator)
                compiled = tf.function(
                    lambda images: translate_any_size(generator, images, multiple),
                    autograph=False,
                    input_signature=[tf.TensorSpec((count, None, None, channels), tf.float32)],
                )
                self._functions[direction, count] = generator, compiled
        return compiled


def images_at_once(most, pixels):
    """The number of images with this many pixels that are computed at once, `most` at most."""
    if pixels > PIXELS_OF_A_SMALL_IMAGE and not has_accelerator():
        return 1
    return max(1, min(most, _PIXELS_AT_ONCE // pixels))


def check_images(images, input_shape):
    """Raises an InputError for images that a generator of this `input_shape` does not take."""
    if images.ndim not in (3, 4):
        raise InputError(
            "Images must have the shape (height, width, channels) or (batch, height, width, "
            f"channels). Received: {images.shape}"
        )
    *size, channels = input_shape[1:]
    if images.shape[-1] != channels:
        raise InputError(
            f"The generator takes images of {channels} channels. Received: {images.shape}"
        )
    if 0 in images.shape[-3:]:
        raise InputError(f"Images must not be empty. Received: {images.shape}")
    if None not in size and images.shape[-3:-1] != tuple(size):
        raise InputError(
            f"This generator takes only images of {size[0]} by {size[1]} pixels; build it with "
            f"an image_shape of (None, None, {channels}) for any size. Received: {images.shape}"
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise InputError(
            f"Images must be uint8 in [0, 255] or floats in [-1, 1]. Received: {images.dtype.name}"
        )
    if images.dtype.kind == "f" and images.size:
        value_range.check(float(images.min()), float(images.max()))
