"""What the built-in data sets share: their arguments, and how sources become a data set."""

import numpy as np

from cyclegan_tf.choices import SPLITS, check
from cyclegan_tf.data.pipeline import dataset
from cyclegan_tf.errors import InputError
from cyclegan_tf.preprocessing import Preprocessing


def built_in(
    sources, count, image_size, *, split, training, paired, flip, seed, batch_size, **others
):
    """A data set of images that are made at the size that is asked for.

    Args:
        sources: from `(count, image_size, split, seed, paired)` to the `Source`s of A and B.

    The other arguments are those of `cyclegan_tf.data.scenes`, which is such a data set.
    """
    return dataset(
        *sources(count, image_size, split, seed, paired),
        Preprocessing("none", flip=flip),
        training=split == "train" if training is None else training,
        paired=paired,
        batch_size=batch_size,
        seed=seed,
        **others,
    )


def checked_size(name, count, image_size, split, seed, most=None):
    """`(height, width)` of the images of a built-in data set, whose arguments are checked.

    Args:
        name: of the data set, for messages.
        most: the largest side, in pixels; `None` if there is none.

    Raises:
        InputError: one of the arguments is out of range.
    """
    size = tuple(image_size) if isinstance(image_size, (list, tuple)) else (image_size, image_size)
    if len(size) != 2 or any(side < 16 or side % 4 for side in size):
        raise InputError(
            f"image_size of {name} must be multiples of 4 and at least 16 pixels. "
            f"Received: {image_size}"
        )
    if most is not None and max(size) > most:
        raise InputError(
            f"image_size of {name} must be at most {most} pixels. Received: {image_size}"
        )
    if count < 1:
        raise InputError(f"count must be at least 1. Received: {count}")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError(f"seed must be an integer, and not negative. Received: {seed!r}")
    check("split", split, SPLITS)
    return size
