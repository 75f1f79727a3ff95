"""Batches of images of one shape, whose results do not depend on who is in a batch."""

import numpy as np

from cyclegan_tf.translation.translator import images_at_once


def translate_alike(model, images, direction=None, batch_size=1):
    """Translates images of the same shape and dtype.

    A network rounds otherwise for other numbers of images. So each batch is filled up to the same
    number, by copies of its last image: which images come together, in which order, and how many
    are left for the last batch, makes no difference to any of them.

    Args:
        model: a system or a `Translator`.
        images: a list of arrays `(height, width, channels)`, as `Translator.translate` takes.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        batch_size: images that are computed at once, fewer if they are large.

    Returns:
        A list of the translated images, as from `Translator.translate`.

    Raises:
        InputError: as `Translator.translate`.
    """
    height, width = images[0].shape[:2]
    together = images_at_once(batch_size, height * width)
    if together == 1:
        return [model.translate(image, direction) for image in images]
    translated = []
    for start in range(0, len(images), together):
        some = images[start : start + together]
        filled = np.stack([*some, *[some[-1]] * (together - len(some))])
        translated.extend(model.translate(filled, direction, together)[: len(some)])
    return translated


def grouped(items, size, shape_of):
    """Groups of items of the same shape, for batches.

    Args:
        items: an iterable.
        size: items of a full group. Others are yielded at the end, or when many items wait.
        shape_of: a function that says the shape of an item; `None` for one by itself.

    Yields:
        Lists of 1 to `size` items, in order if `size` is 1.
    """
    groups = {}
    for item in items:
        shape = shape_of(item)
        if shape is None:
            yield [item]
            continue
        group = groups.setdefault(shape, [])
        group.append(item)
        if len(group) == size:
            yield groups.pop(shape)
        elif sum(map(len, groups.values())) >= _WAITING * size:
            yield groups.pop(next(iter(groups)))  # the oldest
    yield from groups.values()


_WAITING = 4  # groups' worth of items that are held in memory
