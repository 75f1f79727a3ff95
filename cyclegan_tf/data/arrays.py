"""Images in memory as a data set."""

import numpy as np

from cyclegan_tf.data.pipeline import Source, dataset
from cyclegan_tf.errors import InputError
from cyclegan_tf.preprocessing import Preprocessing, by_domain, sizes_from


def arrays(
    images_a,
    images_b,
    *,
    training=True,
    paired=False,
    preprocess="none",
    image_size=None,
    load_size=None,
    crop_size=None,
    flip=True,
    channels=None,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Images from two arrays, or two lists of arrays, of any number of channels.

    Args:
        images_a, images_b: uint8 `(count, height, width, channels)`, or lists of
            `(height, width, channels)`.
        paired: image k of A and image k of B show one scene; see `cyclegan_tf.data.dataset`.
        channels: `(of A, of B)` if they differ. By default those of the images, which must have
            one number in both domains.

    The other arguments are those of `folders`; by default nothing is resized or cropped.

    Raises:
        InputError: images of another type or of other numbers of channels; paired ones that
            differ in number, or in size before the crop.
    """
    load_size, crop_size = sizes_from(image_size, load_size, crop_size, preprocess)
    sources = [_source(images, name) for images, name in ((images_a, "A"), (images_b, "B"))]
    if channels is None:
        channels = _channels(images_a, images_b)
    for name, images, expected in zip("AB", (images_a, images_b), by_domain(channels)):
        if (received := _channels(images)) != expected:
            raise InputError(
                f"The images of domain {name} have {received} channels; expected {expected}, as "
                f"channels={channels} says."
            )
    return dataset(
        *sources,
        Preprocessing(preprocess, load_size, crop_size, flip, channels),
        training=training,
        paired=paired,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def _channels(*domains):
    channels = {image.shape[-1] for images in domains for image in images}
    if len(channels) != 1:
        where = "both domains" if len(domains) > 1 else "a domain"
        raise InputError(
            f"All images of {where} must have one number of channels. Received: {sorted(channels)}"
        )
    return channels.pop()


def _source(images, name):
    if not len(images):
        raise InputError(f"There are no images of domain {name}; expected at least one.")
    for number, image in enumerate(images):
        if getattr(image, "dtype", None) != np.uint8 or image.ndim != 3:
            raise InputError(
                f"Images must be uint8 arrays (height, width, channels). Received for image "
                f"{number} of domain {name}: {getattr(image, 'dtype', type(image).__name__)} "
                f"{getattr(image, 'shape', '')}"
            )
    return Source(f"domain {name}", lambda number, _: images[number], [i.shape[:2] for i in images])
