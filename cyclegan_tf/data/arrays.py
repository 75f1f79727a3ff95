"""Pictures in memory as a data set."""

import numpy as np

from cyclegan_tf.data.pipeline import Source, pairs
from cyclegan_tf.errors import InputError
from cyclegan_tf.preprocessing import Preprocessing, sizes_from


def arrays(
    images_a,
    images_b,
    *,
    training=True,
    preprocess="none",
    image_size=None,
    load_size=None,
    crop_size=None,
    flip=True,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Unpaired pictures from two arrays, or two lists of arrays, of any number of channels.

    Args:
        images_a, images_b: uint8 `(count, height, width, channels)`, or lists of
            `(height, width, channels)`.

    The other arguments are those of `folders`; by default nothing is resized or cropped.

    Raises:
        InputError: pictures of another type, or of different numbers of channels.
    """
    load_size, crop_size = sizes_from(image_size, load_size, crop_size, preprocess)
    sources = [_source(images, name) for images, name in ((images_a, "A"), (images_b, "B"))]
    channels = {image.shape[-1] for images in (images_a, images_b) for image in images}
    if len(channels) != 1:
        raise InputError(
            "All pictures of both domains must have one number of channels. "
            f"Received: {sorted(channels)}"
        )
    return pairs(
        *sources,
        Preprocessing(preprocess, load_size, crop_size, flip, channels.pop()),
        training=training,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def _source(images, name):
    if not len(images):
        raise InputError(f"There are no pictures of domain {name}; expected at least one.")
    for number, image in enumerate(images):
        if getattr(image, "dtype", None) != np.uint8 or image.ndim != 3:
            raise InputError(
                f"Pictures must be uint8 arrays (height, width, channels). Received for picture "
                f"{number} of domain {name}: {getattr(image, 'dtype', type(image).__name__)} "
                f"{getattr(image, 'shape', '')}"
            )
    return Source(f"domain {name}", lambda number, _: images[number], [i.shape[:2] for i in images])
