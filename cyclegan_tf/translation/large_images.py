"""Translates image files of any size by tiles, in memory that depends on the tile."""

import contextlib
import dataclasses
import functools
import hashlib
import math
import pathlib
import shutil
import time

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data import deep_files, image_files, tiff_pyramid
from cyclegan_tf.data.deep_image import no_data_of, with_no_data
from cyclegan_tf.data.tiff_layout import tifffile
from cyclegan_tf.directions import channels_of, direction_of
from cyclegan_tf.errors import DamagedError, InputError
from cyclegan_tf.intensity_range import OfType, ValueRange, is_missing
from cyclegan_tf.translation.deep_translation import (
    Ranges,
    channels_that_decide,
    note_of,
    of_same_colors,
)
from cyclegan_tf.translation.disk_array import DiskArray
from cyclegan_tf.translation.encoding import encoded
from cyclegan_tf.translation.image_parts import ImageParts
from cyclegan_tf.translation.tiles import LEAST_TILE, check_tiled

_SECONDS_BETWEEN_LINES = 30.0
_COPIES = 2.4  # of the result: itself, its levels, and the file


@dataclasses.dataclass(frozen=True)
class Tiling:
    """How images are translated by tiles; see `cyclegan_tf.translation.tiles.TiledTranslation`.

    Attributes:
        tile: rows and columns of a tile, in pixels.
        statistics: `"global"`, `"local"` or `"tile"`.
        window: rows and columns of the windows of local statistics; those of the images that the
            model was trained on if `None`.
        skip_uniform: tiles of one color are not computed, but stay as they are: the glass around
            the tissue of a slide. They do not count in global statistics.
    """

    tile: int = 512
    statistics: str = "global"
    window: int | None = None
    skip_uniform: bool = False


def tiling_of(tile, statistics=None, window=None, skip_uniform=False, max_megapixels=None):
    """The `Tiling` that options ask for; `None` without tiles.

    Raises:
        InputError: some are given that mean nothing with, or without, tiles.
    """
    if tile is not None and max_megapixels is not None:
        raise InputError("Tiles have no limit of --max-megapixels; give one of the two.")
    if tile is None and (statistics or window is not None or skip_uniform):
        raise InputError(
            "--statistics, --window and --skip-uniform are for tiles; give --tile too, such as "
            "--tile 512."
        )
    if tile is None:
        return None
    if window is not None and statistics != "local":
        raise InputError("--window is for local statistics; add --statistics local.")
    for name, value in {"--tile": tile, "--window": window}.items():
        if value is not None and value < LEAST_TILE:
            raise InputError(f"{name} takes pixels, from {LEAST_TILE} on. Received: {value}")
    return Tiling(tile, statistics or "global", window, skip_uniform)


def translate_file(model, source, output, direction=None, tiling=Tiling(), log=print, ranges=None):
    """Translates an image file by tiles.

    Killed at any moment and called again it resumes; files in between are in a hidden folder
    beside `output`, and need 64 to 256 bytes for each pixel.

    Args:
        model: a system, or a `Translator`.
        source: an image file. Of TIFF files parts are read at a time; others are decoded as a
            whole.
        output: the file to write: a TIFF file of tiles with smaller levels for viewers, whose
            values have the type of those of the original and which keeps its resolution and its
            color profile; or one of the other formats of images.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        tiling: a `Tiling`.
        log: called with lines for the user, of how far it is.
        ranges: `Ranges` of images that keep their depth; by default that of their dtype.

    Returns:
        What the user may miss in the result, in a sentence; `None` if nothing.

    Raises:
        InputError: a file that cannot be read, another number of channels than the generator
            takes, values of an unknown range, or too little room on the disk.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    check_tiles(model, direction, tiling)
    direction = direction_of(model, direction)
    channels = channels_of(model, direction)
    with ImageParts(source, channels[0], channels_that_decide(channels)) as image:
        plan = _Plan.of(image, output, channels[1], ranges or Ranges())
        _translate_planned(model, plan, direction, tiling, log)
    return plan.note


def check_tiles(model, direction, tiling):
    """Raises an `InputError` for a model and a `Tiling` by which no image can be computed."""
    if not model.generators or not hasattr(model, "tiled"):
        raise InputError(
            "Tiles need the layers of the model. A SavedModel, and a model that translates by a "
            "search, has none to offer; translate without tiles, or name the model itself."
        )
    if tiling.statistics == "local" and tiling.window is None and None in _sides(model):
        raise InputError(
            "Local statistics need the size of the images that the model was trained on, which is "
            "not known of this one; give it by --window (window in Python), in pixels."
        )
    generator = model.generators[direction_of(model, direction)]
    check_tiled(generator, tiling.tile, tiling.statistics, tiling.skip_uniform)


def _sides(model):
    """Rows and columns of the images that a model was trained on, or `None`."""
    return (model.image_shape or (None, None))[:2]


def sampled_file(source, channels, deep_for):
    """Some pixels of an image file that is read by parts; see `intensity_range.sampled`."""
    with ImageParts(source, channels, deep_for) as image:
        return image.sampled()


@dataclasses.dataclass(frozen=True, eq=False)
class _Plan:
    """How the values of an image become those of a network, and where results go.

    Attributes:
        image: an `ImageParts`.
        output: the path of the result.
        channels: of the result.
        inputs, outputs: a `ValueRange` each.
        dtype: of the result.
        note: what the user may miss in the result, or `None`.
    """

    image: ImageParts
    output: pathlib.Path
    channels: int
    inputs: ValueRange
    outputs: ValueRange
    dtype: np.dtype
    note: str | None

    @classmethod
    def of(cls, image, output, channels, ranges):
        """The plan for an image.

        Raises:
            InputError: before anything is computed, if its values have no range or a result
                cannot be written.
        """
        suffix = output.suffix.lower()
        if output.is_dir():
            raise InputError(f"{output} is a folder; give the name of a file.")
        if suffix not in {*image_files.SUFFIXES, *deep_files.WRITTEN}:
            raise InputError(f"{output} is not written; {_other_name(channels)}")
        if not image.is_deep:
            ranges = Ranges()
        inputs, outputs, dtype = ranges.of(image, image.path, channels)
        if suffix in tiff_pyramid.SUFFIXES:
            tifffile()
        elif dtype == np.uint8 and suffix in image_files.SUFFIXES:
            image_files.check_channels(channels)
        elif suffix in deep_files.WRITTEN:
            deep_files.check_written(output, channels)
            outputs, dtype = deep_files.written_as(output, outputs, dtype)
        else:
            raise InputError(
                f"{output} cannot hold {channels} channels of {dtype.name}; {_other_name(channels)}"
            )
        # Of a type, all values are in its range.
        of_type = isinstance(ranges.inputs, OfType) and image.usual_range is None
        outside = 0 if of_type else inputs.share_outside(image.sampled())
        several = image.described.several
        note = note_of(image.path, inputs, outside, several, outputs, dtype)
        return cls(image, output, channels, inputs, outputs, dtype, note)

    @property
    def shape(self):
        return (*self.image.shape[:2], self.channels)

    @property
    def bytes(self):
        """Of the result."""
        return math.prod(self.shape) * self.dtype.itemsize

    def identity(self, direction, tiling):
        """Says which image is translated how: what is unfinished of another one is left."""
        source = self.image.path
        status = source.stat()
        said = (source.resolve(), status.st_size, status.st_mtime_ns, direction, tiling)
        # A range by its parts, whose representations are exact.
        ranges = (dataclasses.astuple(each) for each in (self.inputs, self.outputs))
        said = " ".join(map(str, (*said, *ranges, self.dtype)))
        return hashlib.sha256(said.encode()).hexdigest()

    @property
    def no_data(self):
        """The value of results that stands for none, or `None`."""
        return no_data_of(self.dtype, self.image.no_data)

    def read(self, part, clip=True):
        """A part of the image as the network sees it."""
        return self.inputs.to_floats(self.image.read(part), self.image.no_data, clip)

    def to_values(self, part, images):
        """What the network makes of a part, as values of the result."""
        values = self.outputs.to_values(images, self.dtype)
        if self.no_data is None:
            return values
        missing = is_missing(self.image.read(part), self.image.no_data)
        return with_no_data(values, missing.all(-1, keepdims=True), self.no_data)

    def kept(self, part):
        """A part of the image that is not translated, as values of the result."""
        if self.inputs == self.outputs and self.dtype == self.image.dtype:
            return self.image.read(part)
        return self.to_values(part, self.read(part))


def _other_name(channels):
    """What to do about an output that no file can be."""
    names = ".tif, .png or .npy" if channels <= 4 else ".tif or .npy"
    return f"give a name that ends in {names}."


def _translate_planned(model, plan, direction, tiling, log):
    folder = plan.output.with_name(f".{plan.output.name}.tiles")
    is_new = not folder.exists()
    files.make_folder(folder)
    files.remove_unfinished_of(plan.output)
    with files.locked(folder, f"Another process translates to {plan.output}."):
        try:
            translation = model.tiled(
                direction,
                plan.shape[:2],
                folder,
                image=plan.identity(direction, tiling),
                spare=math.ceil(_COPIES * plan.bytes),
                **dataclasses.asdict(tiling),
            )
        except InputError:
            if is_new:
                shutil.rmtree(folder)
            raise
        try:
            _run(translation, plan, folder, log)
        except DamagedError as error:
            damage = error
        except BaseException as error:
            if not isinstance(error, Exception):  # such as Ctrl-C
                log(f"\n{plan.image.path} is unfinished; the same command resumes.")
            raise
        else:
            damage = None
    shutil.rmtree(folder)
    if damage:  # of which nothing resumes
        raise damage


def _run(translation, plan, folder, log):
    result = DiskArray(folder / "result.raw", plan.shape, plan.dtype)
    with contextlib.closing(result):
        translation.run(
            plan.read,
            lambda part, values: result.write(part, plan.to_values(part, values)),
            _Teller(plan.image.path, log),
            keep=lambda part: result.write(part, plan.kept(part)),
            unclipped=functools.partial(plan.read, clip=False),
        )
        _write(plan, result, folder)


class _Teller:
    """Says from time to time how much is done."""

    def __init__(self, source, log):
        self._source, self._log = source, log
        self._told = time.monotonic()

    def __call__(self, fraction):
        if time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._log(f"{self._source}: {fraction:.0%}")


def _write(plan, result, folder):
    output, suffix = plan.output, plan.output.suffix.lower()
    like = of_same_colors(plan.image.described, plan.channels)
    if suffix in tiff_pyramid.SUFFIXES:
        tags = dataclasses.replace(
            plan.image.tags,
            icc_profile=like.profile,
            color=like.color,
            alpha=like.alpha,
            no_data=plan.no_data,
        )
        _write_pyramid(output, result, tags, folder)
        return
    like = dataclasses.replace(like, no_data=plan.no_data)
    whole = result.read(tuple((0, length) for length in result.shape[:2]))
    if result.dtype == np.uint8 and suffix in image_files.SUFFIXES:
        files.write_bytes(output, encoded(whole, suffix))
        return
    with files.atomic_file(output) as beside:
        deep_files.WRITTEN[suffix].write(beside, whole, like)


def _write_pyramid(output, result, tags, folder):
    with contextlib.ExitStack() as opened:
        levels = [result]
        for number, lengths in enumerate(tiff_pyramid.lengths_of_levels(result.shape[:2])[1:], 1):
            path, shape = folder / f"level{number}.raw", (*lengths, result.shape[2])
            level = DiskArray(path, shape, result.dtype)
            opened.enter_context(contextlib.closing(level))
            tiff_pyramid.halve(levels[-1], level, tags.no_data)
            levels.append(level)
        tiff_pyramid.write_pyramid(output, levels, tags)
