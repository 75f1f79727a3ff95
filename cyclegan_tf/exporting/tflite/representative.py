"""Images like those that a network will get, to measure ranges and to test it."""

import contextlib
import dataclasses
import pathlib

import numpy as np

from cyclegan_tf.data import image_files
from cyclegan_tf.data.folders import folder
from cyclegan_tf.directions import from_domain, number_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.pixels import to_float
from cyclegan_tf.runs.options import options_of
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES, is_of_tfds, source_of

CALIBRATION, TEST = 16, 8  # images, at most


@dataclasses.dataclass(frozen=True)
class Representative:
    """Float32 images `(count, height, width, channels)` in [-1, 1].

    Attributes:
        calibration: those that recipes are made and chosen with.
        test: those that the report uses; others, if there are enough.
        source: where they come from, for the report.
        lacking: why they are not of the model's own domain, if they are not.
    """

    calibration: np.ndarray
    test: np.ndarray
    source: str
    lacking: str | None = None


def representative_images(given, options, direction, size, channels, needed=True):
    """The images to measure a network with.

    Args:
        given: a folder of images, one of the layout `trainA trainB testA testB` (of which the
            domain's own is taken), the folder of a run for those that it was trained on,
            a name in `cyclegan_tf.choices.BUILT_IN`, or uint8 images `(height, width, channels)`
            in a list or an array; `None` for those of `options`.
        options: of the run that the network comes from, or `None`. Without them and without
            `given`, or if the run's images are gone, procedural scenes are used.
        direction: `"ab"` for images of domain A, `"ba"` for those of B.
        size: `(height, width)` that they are resized to.
        channels: of the network's input.
        needed: the quantization needs images of the domain. If not, no TFDS data set is
            downloaded and loaded: without `given`, scenes are used instead.

    Returns:
        A `Representative`.

    Raises:
        InputError: the given images do not exist or have another number of channels.
    """
    domain = number_of(from_domain(direction))
    if given is None and options is None:
        return _of_built_in("scenes", domain, size, channels, "none were given")
    if given is None and not needed and is_of_tfds(options):
        reason = (
            f"those of {options.data.source} are loaded only for the quantizations int8 and auto"
        )
        return _of_built_in("scenes", domain, size, channels, reason)
    if given is None:
        try:
            return _of_run(options, domain, size, "the training data of the run")
        except (InputError, ImportError) as problem:
            return _of_built_in("scenes", domain, size, channels, str(problem))
    if isinstance(given, str) and given in BUILT_IN_SOURCES:
        return _of_built_in(given, domain, size, channels)
    if isinstance(given, (str, pathlib.Path)):
        path = pathlib.Path(given)
        if (options := options_of(path)) is not None:
            return _of_run(options, domain, size, f"the training data of the run in {path.name}")
        path = _own_folder(path, domain)
        return _split(_loaded(folder(path, channels), CALIBRATION + TEST, size), str(path))
    return _split(_of_arrays(given, channels, size), "images given as arrays")


def _own_folder(root, domain):
    """The folder of a domain if a data set has one for each; else the folder itself."""
    for split in ("train", "test"):
        own, other = (root / f"{split}{letter}" for letter in ("AB", "BA")[domain])
        if own.is_dir():
            return own
        if other.is_dir():
            raise InputError(
                f"{root} holds {other.name} but no {own.name}, whose images the network "
                "translates; give the folder of those."
            )
    return root


def _of_run(options, domain, size, name):
    training = source_of(options, domain)
    if not options.data.domain_b:
        with contextlib.suppress(InputError):  # no test split
            test = source_of(options, domain, "test")
            return Representative(
                _loaded(training, CALIBRATION, size),
                _loaded(test, TEST, size),
                f"{name}; tested on its test split",
            )
    return _split(_loaded(training, CALIBRATION + TEST, size), name)


def _of_built_in(name, domain, size, channels, lacking=None):
    built_in = BUILT_IN_SOURCES[name]
    made = tuple(max(16, -(-side // 4) * 4) for side in size)
    if built_in.largest is not None:
        made = tuple(min(side, built_in.largest) for side in made)
    images = [
        _as_channels(_loaded(built_in.sources(count, made, split)[domain], count, size), channels)
        for count, split in ((CALIBRATION, "train"), (TEST, "test"))
    ]
    described = built_in.described
    if lacking:
        described += f" instead of images of the model's own domain: {lacking.rstrip('.')}"
    return Representative(*images, described, lacking)


def _of_arrays(images, channels, size):
    images = list(images)[: CALIBRATION + TEST]
    for image in images:
        shape = getattr(image, "shape", ())
        if getattr(image, "dtype", None) != np.uint8 or len(shape) != 3 or shape[-1] != channels:
            raise InputError(
                f"Representative images must be uint8 arrays (height, width, {channels}). "
                f"Received: {getattr(image, 'dtype', type(image).__name__)} {shape}"
            )
    if not images:
        raise InputError("There are no representative images; expected at least one.")
    return _floats([image_files.resize(image, *size) for image in images])


def _loaded(source, count, size):
    """This many images of a source, evenly spread."""
    numbers = np.unique(
        np.linspace(0, len(source) - 1, min(count, len(source))).round().astype(int)
    )
    return _floats([source.pixels(int(n), size) for n in numbers])


def _split(images, name):
    """Every fifth image is for the test; of fewer than five, all serve for both."""
    if len(images) < 5:
        return Representative(images, images, f"{name}; tested on the same")
    test = np.arange(len(images)) % 5 == 4
    return Representative(images[~test], images[test][:TEST], name)


def _as_channels(images, channels):
    return np.concatenate([images] * -(-channels // 3), axis=-1)[..., :channels]


def _floats(images):
    return to_float(np.stack(images))
