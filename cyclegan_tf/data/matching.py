"""Paired images in two folders, matched by name."""

import pathlib
import warnings

from cyclegan_tf.errors import InputError

_SHOWN = 5  # paths in one message


def matched(source_a, source_b):
    """Two sources of the images that have a counterpart in the other one, in the same order.

    Counterparts have the same name: the path relative to the folder, without the suffix.
    Images without one are left out with a warning that names them.

    Args:
        source_a, source_b: `Source`s of folders.

    Raises:
        InputError: two images of a folder have the same name, or no image has a counterpart.
    """
    sources = (source_a, source_b)
    numbers_a, numbers_b = map(numbers_by_stem, sources)
    stems = [stem for stem in numbers_a if stem in numbers_b]
    if not stems:
        raise InputError(
            f"No image of {source_a.name} has the name of an image of {source_b.name}, such as "
            f"{_path(source_a, 0)} and {_path(source_b, 0)}; expected paired images to have the "
            "same names, whatever the suffix. Rename them, or take them as unpaired."
        )
    alone = [_path(source_a, numbers_a[stem]) for stem in numbers_a if stem not in numbers_b]
    alone += [_path(source_b, numbers_b[stem]) for stem in numbers_b if stem not in numbers_a]
    if alone:
        more = f" and {len(alone) - _SHOWN} more" if len(alone) > _SHOWN else ""
        warnings.warn(
            "Images are left out because the other folder has none of the same name that can be "
            f"read: {', '.join(alone[:_SHOWN])}{more}.",
            stacklevel=2,
        )
    return [
        source.subset([numbers[stem] for stem in stems])
        for source, numbers in zip(sources, (numbers_a, numbers_b))
    ]


def numbers_by_stem(source):
    """The numbers of the images of a source by their names without suffix.

    Raises:
        InputError: two images have the same name.
    """
    numbers = {}
    for number, name in enumerate(source.names):
        stem = str(pathlib.PurePosixPath(name).with_suffix(""))
        if stem in numbers:
            raise InputError(
                f"{_path(source, numbers[stem])} and {_path(source, number)} have the same name "
                "but for the suffix; expected one image of each name, as paired images are found "
                "by it. Rename or remove one of them."
            )
        numbers[stem] = number
    return numbers


def _path(source, number):
    return str(pathlib.Path(source.name, source.names[number]))
