"""Translates image files of any size by tiles, in memory that depends on the tile."""

import contextlib
import dataclasses
import hashlib
import math
import pathlib
import shutil
import time

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data import deep_files, image_files, tiff
from cyclegan_tf.data.deep_image import DeepImage
from cyclegan_tf.directions import channels_of, direction_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.translation.disk_array import DiskArray
from cyclegan_tf.translation.encoding import encoded
from cyclegan_tf.translation.tiles import LEAST_TILE

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
    for name, value in {"--tile": tile, "--window": window}.items():
        if value is not None and value < LEAST_TILE:
            raise InputError(f"{name} takes pixels, from {LEAST_TILE} on. Received: {value}")
    return Tiling(tile, statistics or "global", window, skip_uniform)


def translate_file(model, source, output, direction=None, tiling=Tiling(), log=print):
    """Translates an image file by tiles.

    Killed at any moment and called again it resumes; files in between are in a hidden folder
    beside `output`, and need 64 to 256 bytes for each pixel.

    Args:
        model: a system, or a `Translator`.
        source: an image file. Of TIFF files parts are read at a time; others are decoded as a
            whole, with 3 bytes a pixel.
        output: the file to write: a TIFF file of tiles with smaller levels for viewers, whose
            values have the type of those of the original and which keeps its resolution and its
            color profile; or one of the other formats of images.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        tiling: a `Tiling`.
        log: called with lines for the user, of how far it is.

    Raises:
        InputError: a file that cannot be read, another number of channels than the generator
            takes, values of an unknown range, or too little room on the disk.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    if not model.generators or not hasattr(model, "tiled"):
        raise InputError(
            "Tiles need the layers of the model. A SavedModel, and a model that translates by a "
            "search, has none to offer; translate without tiles, or name the model itself."
        )
    direction = direction_of(model, direction)
    channels = channels_of(model, direction)
    with contextlib.closing(_opened(source, channels[0])) as image:
        _check_image(image, source, channels[0])
        _check_output(output, image.dtype, channels[1])
        _translate_opened(model, image, source, output, direction, tiling, log)


def _translate_opened(model, image, source, output, direction, tiling, log):
    folder = output.with_name(f".{output.name}.tiles")
    is_new = not folder.exists()
    files.make_folder(folder)
    files.remove_unfinished_of(output)
    shape = (*image.shape[:2], model.generators[direction].output_shape[-1])
    with files.locked(folder, f"Another process translates to {output}."):
        try:
            translation = model.tiled(
                direction,
                image.shape[:2],
                folder,
                image=_identity(source, direction, tiling),
                spare=math.ceil(_COPIES * math.prod(shape) * image.dtype.itemsize),
                **dataclasses.asdict(tiling),
            )
        except InputError:
            if is_new:
                shutil.rmtree(folder)
            raise
        result = DiskArray(folder / "result.raw", shape, image.dtype)
        with contextlib.closing(result):
            _translate(translation, image, result, _Teller(source, log))
            _write(output, result, image, folder)
    shutil.rmtree(folder)


def _translate(translation, image, result, tell):
    most = np.iinfo(image.dtype).max

    def read(part):
        return np.float32(image.read(part) * (2 / most) - 1)

    def write(part, values):
        result.write(part, np.round((np.clip(values, -1, 1) + 1) * (most / 2)))

    translation.run(read, write, tell)


class _Teller:
    """Says from time to time how much is done."""

    def __init__(self, source, log):
        self._source, self._log = source, log
        self._told = time.monotonic()

    def __call__(self, fraction):
        if time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._log(f"{self._source}: {fraction:.0%}")


class _DecodedImage:
    """An image in memory, with what a `TiffImage` has.

    Args:
        values: `(height, width, channels)`.
        like: the `DeepImage` that they are of, if they are of one.
    """

    tags = tiff.TiffTags()

    def __init__(self, values, like=None):
        self._values, self.shape, self.dtype = values, values.shape, values.dtype
        self.like = like

    def read(self, part):
        return self._values[slice(*part[0]), slice(*part[1])]

    def close(self):
        pass


def _opened(source, channels):
    if source.suffix.lower() in tiff.SUFFIXES:
        return tiff.TiffImage(source)
    if deep_files.is_deep(source, channels):
        image = deep_files.read(source, channels)
        return _DecodedImage(image.values, image)
    image_files.check_channels(channels)
    return _DecodedImage(image_files.read(source, channels))


def _check_image(image, source, channels):
    if image.shape[2] != channels:
        raise InputError(f"{source} has {image.shape[2]} channels; the model takes {channels}.")
    if image.dtype not in (np.uint8, np.uint16):
        raise InputError(
            f"{source} holds values of {image.dtype.name}, whose range is unknown; save it in 8 or "
            "16 bits."
        )


def _check_output(output, dtype, channels):
    """Raises an InputError, before anything is computed, if a result cannot be written."""
    suffix = output.suffix.lower()
    if suffix in tiff.SUFFIXES:
        tiff.tifffile()
    elif dtype == np.uint8 and suffix in image_files.SUFFIXES:
        image_files.check_channels(channels)
    elif suffix in deep_files.WRITTEN:
        deep_files.check_written(output, channels)
    else:
        raise InputError(
            f"{output} cannot hold {channels} channels of {dtype.name}; give a name that ends in "
            ".tif."
        )


def _identity(source, direction, tiling):
    """Says which image is translated how: an unfinished translation of another one is left."""
    status = source.stat()
    said = f"{source.resolve()} {status.st_size} {status.st_mtime_ns} {direction} {tiling}"
    return hashlib.sha256(said.encode()).hexdigest()


def _write(output, result, image, folder):
    suffix = output.suffix.lower()
    if suffix not in tiff.SUFFIXES:
        whole = result.read(tuple((0, length) for length in result.shape[:2]))
        if result.dtype == np.uint8 and suffix in image_files.SUFFIXES:
            files.write_bytes(output, encoded(whole, suffix))
            return
        like = getattr(image, "like", None) or DeepImage(whole)
        with files.atomic_file(output) as beside:
            deep_files.WRITTEN[suffix].write(beside, whole, like)
        return
    same_colors = image.shape[2] == result.shape[2]
    tags = image.tags if same_colors else dataclasses.replace(image.tags, icc_profile=None)
    with contextlib.ExitStack() as opened:
        levels = [result]
        for number, lengths in enumerate(tiff.pyramid_lengths(result.shape[:2])[1:], 1):
            path, shape = folder / f"level{number}.raw", (*lengths, result.shape[2])
            level = DiskArray(path, shape, result.dtype)
            opened.enter_context(contextlib.closing(level))
            tiff.halve(levels[-1], level)
            levels.append(level)
        tiff.write_pyramid(output, levels, tags)
