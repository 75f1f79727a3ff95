"""Image files through a network: reading, computing and writing at the same time."""

import contextlib
import dataclasses
import pathlib
import threading
from concurrent.futures import CancelledError

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data import image_files
from cyclegan_tf.directions import channels_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.translation.batches import grouped, translate_alike
from cyclegan_tf.translation.deep_translation import Ranges, keeps_depth, translate_deep
from cyclegan_tf.translation.encoding import encoded
from cyclegan_tf.translation.threads import in_threads
from cyclegan_tf.translation.translator import PIXELS_OF_A_SMALL_IMAGE


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of one image, or of a folder that cannot be opened.

    Attributes:
        input: its path.
        output: where the result is, or would be.
        problem: why there is no result; `None` if there is one.
        note: what the user may miss in the result; usually `None`.
        there: whether the result was there already, and was left as it is.
    """

    input: pathlib.Path
    output: pathlib.Path
    problem: str | None = None
    note: str | None = None
    there: bool = False


@dataclasses.dataclass(frozen=True)
class _Deep:
    """A file that is translated at its depth, by itself."""

    input: pathlib.Path
    output: pathlib.Path


@dataclasses.dataclass(frozen=True)
class _Read:
    """An image of 8 bits to translate."""

    input: pathlib.Path
    output: pathlib.Path
    image: np.ndarray
    note: str | None


class Conveyor:
    """Translates image files. Threads read and write them while the network computes.

    Args:
        model: a system or a `Translator`.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        check: called with the path of each image; an `InputError` says why it is not translated.
        batch_size: as in `translate_alike`: images of one size are computed together.
        keep: whether results that are there already are left as they are.
        ranges: `Ranges` of images that keep their depth; by default that of their dtype.
    """

    def __init__(self, model, direction, check, batch_size=1, keep=False, ranges=None):
        self.model = model
        self.direction = direction
        self.check = check
        self.batch_size = batch_size
        self.keep = keep
        self.ranges = ranges or Ranges()
        self._channels = channels_of(model, direction)
        self._large = threading.Lock()
        self._leaving = threading.Event()

    def outcomes(self, jobs):
        """Yields the `Outcome` of each job, a pair of an image's path and that of its result.

        They are in order if `batch_size` is 1.

        Raises:
            InputError: a result cannot be written.
            OSError: likewise, for a reason that the system gives.
        """
        self._leaving.clear()
        groups = grouped(in_threads(self._read, jobs), self.batch_size, _shape)
        for outcomes in in_threads(self._finished, groups, self._leaving):
            yield from outcomes

    def _read(self, job):
        """What is to be translated; or the `Outcome` if that is nothing."""
        source, output = job
        if self.keep and output.is_file():
            return Outcome(source, output, there=True)
        try:
            self.check(source)
            if keeps_depth(source, output, self._channels):
                return _Deep(source, output)
            image = image_files.read(source, self._channels[0])
            moves = image_files.is_animated(source)
        except InputError as problem:
            return Outcome(source, output, str(problem))
        note = f"{source} has several frames, of which the first is translated." if moves else None
        return _Read(source, output, image, note)

    def _finished(self, group):
        """The outcomes of a group, whose results are written."""
        if isinstance(group[0], Outcome):
            return group
        if isinstance(group[0], _Deep):
            return [self._of_deep(group[0])]
        try:
            results = self._translated([each.image for each in group])
        except InputError as problem:
            return [Outcome(each.input, each.output, str(problem)) for each in group]
        return [self._written(each, result) for each, result in zip(group, results)]

    def _of_deep(self, deep):
        arguments = self.model, deep.input, deep.output, self.direction, self._channels
        try:
            with self._alone():
                result = translate_deep(*arguments, self.ranges)
        except InputError as problem:
            return Outcome(deep.input, deep.output, str(problem))
        with files.atomic_file(deep.output) as beside:
            result.write(beside)
        return Outcome(deep.input, deep.output, note=result.note)

    @contextlib.contextmanager
    def _alone(self):
        """For a large image, which keeps all cores busy and needs the memory that there is."""
        with self._large:
            if self._leaving.is_set():  # while it waited for the one before
                raise CancelledError
            yield

    def _translated(self, images):
        pixels = images[0].shape[0] * images[0].shape[1] * len(images)
        is_large = pixels > PIXELS_OF_A_SMALL_IMAGE
        with self._alone() if is_large else contextlib.nullcontext():
            return translate_alike(self.model, images, self.direction, self.batch_size)

    def _written(self, read, pixels):
        try:
            content = encoded(pixels, read.output.suffix)
        except InputError as problem:
            return Outcome(read.input, read.output, str(problem))
        files.write_bytes(read.output, content)
        return Outcome(read.input, read.output, note=read.note)


def _shape(read):
    return None if not isinstance(read, _Read) else (read.image.shape, read.image.dtype)
