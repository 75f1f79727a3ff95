"""Translates images at their depth: in and out of the range of values that a network sees."""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from cyclegan_tf import intensity_range
from cyclegan_tf.data import deep_files, deep_image, image_files
from cyclegan_tf.errors import InputError
from cyclegan_tf.intensity_range import OfType, ValueRange

_LEAST_SHARE = 1e-4  # that is told with its digits
_FEW_LEVELS = 32


@dataclasses.dataclass(frozen=True)
class Ranges:
    """How values become those of a network, and its results values again.

    Attributes:
        inputs: a rule of `cyclegan_tf.intensity_range`.
        outputs: the `ValueRange` of results; `None` for that of each input.
        dtype: of results; `None` for that of each input.
        given: whether they were asked for. If no image or no result can have them, that is told.
    """

    inputs: object = dataclasses.field(default_factory=OfType)
    outputs: ValueRange | None = None
    dtype: np.dtype | None = None
    given: bool = False

    def __str__(self):
        """The rules, whatever images they are for."""
        return f"{self.inputs} to {self.outputs or 'the same'}"

    def of(self, image, name, channels):
        """The ranges of an image and of its result, and the dtype of the result.

        Args:
            image: a `DeepImage`, or an `ImageParts`.
            name: of the image, for messages.
            channels: of the result.

        Raises:
            InputError: the values have no range, or the range is for other channels or goes
                beyond the dtype of results.
        """
        inputs = self.inputs.of(image, name)
        outputs = self.outputs or inputs
        if len(outputs.low) not in (1, channels):
            raise InputError(
                f"{name} has a range of values for each of {len(outputs.low)} channels, and its "
                f"translation has {channels}; give --output-range LOW:HIGH."
            )
        dtype = self.dtype or image.dtype
        if self.outputs and self.given:  # one of a training may go beyond, as windows of DICOM do
            self.outputs.check_dtype(dtype, name)
        return inputs, outputs, dtype

    @property
    def needs_folder(self):
        """Whether `measured` has something to measure."""
        return intensity_range.is_of_folder(self.inputs)

    def measured(self, paths, channels, log, sample=None):
        """The same, with the range of a rule that is about all images of a folder.

        Args:
            paths: of the folder's deep images.
            channels: that the network takes.
            log: called with a line that says the range.
            sample: as for `deep_files.measured`.
        """
        if not (paths and self.needs_folder):
            return self
        found, count = deep_files.measured(self.inputs, paths, channels, sample)
        log(f"Range of values, measured on {count} of the images: {found}.")
        return dataclasses.replace(self, inputs=found)


@dataclasses.dataclass(frozen=True, eq=False)
class Unwritten:
    """A translation that is not written yet.

    Attributes:
        write: called with a path, writes it.
        note: what the user may miss in it, in a sentence; `None` if nothing.
    """

    write: Callable
    note: str | None


def translate_deep(model, source, output, direction, channels, ranges):
    """Translates a file at its depth.

    Args:
        model: a system, or a `Translator`.
        source: path of a file for which `deep_files.is_deep`.
        output: path that will be written to, whose suffix is one of `deep_files.WRITTEN`.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        channels: those that the network takes, and those that it makes.
        ranges: `Ranges`.

    Returns:
        `Unwritten`.

    Raises:
        InputError: the file cannot be read, or its values, channels or format do not fit.
    """
    deep_files.check_written(output, channels[1])
    image = deep_files.read(source, channels[0], channels_that_decide(channels))
    inputs, outputs, dtype = ranges.of(image, source, channels[1])
    translated = model.translate(inputs.to_floats(image.values, image.no_data), direction)
    write = functools.partial(
        deep_files.write,
        images=translated,
        outputs=outputs,
        dtype=dtype,
        like=of_same_colors(image, channels[1]),
        missing=intensity_range.is_missing(image.values, image.no_data).all(-1, keepdims=True),
    )
    outside = inputs.share_outside(image.values, image.no_data)
    hint = _hint(image) if ranges == Ranges() else None
    written = deep_files.written_as(output, outputs, dtype)
    note = note_of(source, inputs, outside, image.several, *written, hint)
    return Unwritten(write, note)


def _hint(image):
    """A sentence for integers that use so little of their type that the network sees black."""
    limit = deep_image.top_of(image.dtype)
    missing = intensity_range.is_missing(image.values, image.no_data)
    top = image.values.max(initial=0, where=~missing)
    if image.usual_range is not None or image.dtype.kind != "u" or not 0 < top < limit / 8:
        return None
    bits = int(top).bit_length()
    return (
        f"Its values reach {top} of {limit}, which is dark; if it has {bits} bits, give "
        f"--value-range 0:{2**bits - 1}."
    )


def keeps_depth(source, output, channels):
    """Whether a file is translated at its depth.

    Args:
        source: its path.
        output: of the result, whose suffix says the format.
        channels: those that the network takes, and those that it makes.

    Raises:
        InputError: it must be, or must not, and the format cannot hold the result.
    """
    suffix = output.suffix.lower()
    deep = deep_files.is_deep(source, channels_that_decide(channels))
    if deep and suffix in deep_files.WRITTEN:
        return True
    if suffix not in image_files.SUFFIXES:
        raise InputError(
            f"{source} has 8 bits, and is not written as {suffix}; choose .png or .tif."
        )
    if not deep and channels_that_decide(channels) not in image_files.CHANNELS:
        raise InputError(
            f"{source} has no {channels_that_decide(channels)} channels, which only TIFF, .npy and "
            "DICOM files can have."
        )
    if deep and source.suffix.lower() not in image_files.SUFFIXES:
        raise InputError(
            f"{source} is not written as {suffix}; choose {', '.join(deep_files.WRITTEN)}."
        )
    return False


def channels_that_decide(channels):
    """Of the channels of a network's input and output, those for which files are deep."""
    return next((each for each in channels if each not in (1, 3, 4)), channels[0])


def of_same_colors(image, channels):
    """The image, without its profile if that is of other colors than the result's."""
    profile = image.profile
    space = {1: b"GRAY", 3: b"RGB "}.get(channels - image.alpha)
    if profile and profile[16:20] != space:
        profile = None
    color = image.color or (channels == 3 and image.channels != 3)
    return dataclasses.replace(image, profile=profile, color=color)


def note_of(source, inputs, outside, several, outputs, dtype, hint=None):
    """What the user may miss in a translation, in a sentence; `None` if nothing.

    Args:
        source: path of the image.
        inputs: its `ValueRange`.
        outside: the share of its values that are not in it.
        several: whether it has more frames or pages than the one that is translated.
        outputs: the `ValueRange` of the result.
        dtype: of the result.
        hint: another sentence, or `None`.
    """
    notes = [hint] if hint else []
    if outside:
        share = f"{outside:.2%}" if outside >= _LEAST_SHARE else f"less than {_LEAST_SHARE:.2%}"
        notes.append(f"{share} of its values lie outside {inputs} and were clipped.")
    if several:
        notes.append("It has several frames or pages, of which the first is translated.")
    levels = 1 + max(high - low for low, high in zip(outputs.low, outputs.high))
    if dtype.kind in "iu" and levels < _FEW_LEVELS:
        notes.append(f"The result is {dtype.name}, which has {levels:.0f} levels in {outputs}.")
    return f"{source}: {' '.join(notes)}" if notes else None
