"""Translates images that are too large for memory, tile by tile and without seams."""

import functools
import json
import pathlib
import time

import numpy as np
import tensorflow as tf

from cyclegan_tf import files
from cyclegan_tf.choices import TILE_STATISTICS, check
from cyclegan_tf.errors import InputError
from cyclegan_tf.networks.generators import (
    reflected_indices,
    size_multiple,
    translate_any_size,
)
from cyclegan_tf.translation.digests import digest_of_weights
from cyclegan_tf.translation.layer_by_layer import LayerByLayer, check_room, tiles_of
from cyclegan_tf.translation.phases import halo, local_steps

LEAST_TILE = 32  # pixels
_SECONDS_BETWEEN_SAVES = 20.0
_ONE_COLOR = 0.06  # of values in [-1, 1], between the least and the largest: 8 of 256 levels


class TiledTranslation:
    """The translation of one image by tiles.

    Instance normalization takes the mean and the deviation of each channel over the whole image.
    Networks that see tiles one by one take those of the tile, so that neighbors do not fit
    together. `statistics` says what is done:

    - `"global"`: those of the whole image, computed layer by layer. The result is that of the
      network on the whole image, but for rounding.
    - `"local"`: those of windows as large as the images that the network was trained on, linearly
      interpolated between their centers; the idea of Dense Normalization (Ho et al. 2024, arXiv
      2407.04245). For images much larger than those, whose parts look different.
    - `"tile"`: those of each tile with its surroundings, as it is often done. It has seams.

    Args:
        generator: a functional `keras.Model` of layers that see a part of their input each.
        lengths: rows and columns of the image.
        folder: for files in between; what an unfinished run left there is resumed.
        tile: rows and columns of a tile, in pixels.
        statistics: `"global"`, `"local"` or `"tile"`.
        window: rows and columns of a window of local statistics, in pixels.
        image: a string that says which image it is; another one is not resumed.
        skip_uniform: tiles of one color stay as they are, and do not count in statistics: the glass
            around the tissue of a slide.
        spare: bytes of the disk that the caller needs besides.

    Raises:
        InputError: an argument out of range, a network that cannot be computed by tiles, or too
            little room on the disk.
    """

    def __init__(
        self,
        generator,
        lengths,
        folder,
        *,
        tile=512,
        statistics="global",
        window=None,
        image="",
        skip_uniform=False,
        spare=0,
    ):
        check_tiled(generator, tile, statistics, skip_uniform)
        self._skip_uniform = skip_uniform
        multiple = size_multiple(generator)
        image = f"{image} {digest_of_weights(generator)}"
        alone = statistics == "tile"  # where each tile is reflected, not the image
        self._axes = [_Axis(length, 1 if alone else multiple) for length in lengths]
        padded = tuple(len(axis.indices) for axis in self._axes)
        if alone:
            self._engine = _TileByTile(generator, padded, folder, tile, multiple, image, spare)
        else:
            windows = _windows(lengths, window) if statistics == "local" else (1, 1)
            self._engine = LayerByLayer(
                generator,
                padded,
                folder,
                tile=tile,
                windows=windows,
                image=image,
                spare=spare,
            )

    def run(self, read, write, tell=lambda fraction: None, keep=None, unclipped=None):
        """Translates the image.

        Args:
            read: from spans of rows and of columns, each `(start, stop)`, to that part of the
                image, float `(rows, columns, channels)` in [-1, 1].
            write: takes the spans of a part and its result, float `(rows, columns, channels)` in
                [-1, 1]. Each pixel of the image is in one part. What was written is not written
                again by a run that resumes.
            tell: called after each tile with the fraction of the work that is done.
            keep: takes the spans of a part of one color, which stays as it is; `write` gets what
                `read` gives if `None`.
            unclipped: like `read`, to find those parts, with values that may lie outside [-1, 1];
                `read` if `None`.
        """
        rows, columns = self._axes

        def reflected(read, part):
            (top, above), (left, aside) = rows.read(part[0]), columns.read(part[1])
            return read((top, left))[above][:, aside]

        def keep_inside(part):
            inside = rows.written(part[0])[0], columns.written(part[1])[0]
            if all(start < stop for start, stop in inside):
                keep(inside) if keep else write(inside, read(inside))

        def write_inside(part, values):
            (top, above), (left, aside) = rows.written(part[0]), columns.written(part[1])
            if top[0] < top[1] and left[0] < left[1]:
                write((top, left), values[above, aside])

        read_reflected = functools.partial(reflected, read)
        skipped = frozenset()
        if self._skip_uniform:
            skipped = self._uniform(functools.partial(reflected, unclipped or read))
        for number in skipped:
            keep_inside(self._engine.tiles[number])
        if len(skipped) < len(self._engine.tiles):
            self._engine.run(read_reflected, write_inside, tell, skipped)

    def _uniform(self, read):
        """The numbers of the tiles of one color."""
        tiles = ((number, read(part)) for number, part in enumerate(self._engine.tiles))
        return frozenset(
            number for number, values in tiles if np.ptp(values, (0, 1)).max() <= _ONE_COLOR
        )


class _Axis:
    """Rows, or columns, of an image and of what the network gets: reflected at the border."""

    def __init__(self, length, multiple):
        indices, before = reflected_indices(tf.constant(length), multiple)
        self.length, self.indices, self.before = length, indices.numpy(), int(before)

    def read(self, span):
        """The span of the image that a span of the network's input needs, and its order there."""
        wanted = self.indices[slice(*span)]
        start, stop = int(wanted.min()), int(wanted.max()) + 1
        return (start, stop), wanted - start

    def written(self, span):
        """The span of the image that a span of the output is, and the slice of that which it is."""
        start, stop = (min(max(at - self.before, 0), self.length) for at in span)
        first = start + self.before - span[0]
        return (start, stop), slice(first, first + stop - start)


class _TileByTile:
    """Each tile by itself, with the surroundings that have an influence on it."""

    def __init__(self, generator, lengths, folder, tile, multiple, image, spare):
        self._generator, self._multiple = generator, multiple
        self._lengths, self._halo = lengths, halo(generator)
        self.tiles = list(tiles_of(lengths, tile))
        self._state_file = pathlib.Path(folder) / "state.json"
        files.make_folder(self._state_file.parent)
        check_room(self._state_file.parent, lengths, spare)
        self._state = {"image": image, "lengths": list(lengths), "tile": tile}

    def run(self, read, write, tell, skipped):
        saved = time.monotonic()
        for number in range(self._resumed(), len(self.tiles)):
            if number in skipped:
                continue
            tile = self.tiles[number]
            around = tuple(
                (max(start - self._halo, 0), min(stop + self._halo, length))
                for (start, stop), length in zip(tile, self._lengths)
            )
            outputs = translate_any_size(
                self._generator, tf.constant(read(around)[np.newaxis]), self._multiple
            )
            rows, columns = (
                slice(span[0] - start, span[1] - start) for span, (start, _) in zip(tile, around)
            )
            write(tile, outputs[0, rows, columns].numpy())
            tell((number + 1) / len(self.tiles))
            if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                files.write_text(self._state_file, json.dumps({**self._state, "done": number + 1}))
                saved = time.monotonic()

    def _resumed(self):
        if self._state_file.exists():
            state = json.loads(self._state_file.read_text())
            done = state.pop("done")
            if state == self._state:
                return done
        for file in self._state_file.parent.glob("state.*"):  # of statistics of another kind too
            file.unlink()
        return 0


def _windows(lengths, window):
    """How many windows there are along rows and columns, each about as large as `window`."""
    if window is None:
        raise InputError(
            "Local statistics need the size of the images that the model was trained on, which is "
            "not known of this one; give window, in pixels."
        )
    sides = (window, window) if isinstance(window, int) else tuple(window)
    if min(sides) < LEAST_TILE:
        raise InputError(f"window must be at least {LEAST_TILE} pixels. Received: {window}")
    return tuple(max(1, round(length / side)) for length, side in zip(lengths, sides))


def check_tiled(generator, tile, statistics, skip_uniform=False):
    """Raises an `InputError` for arguments of `TiledTranslation` that fit no image."""
    check("statistics", statistics, TILE_STATISTICS)
    if not isinstance(tile, int) or tile < LEAST_TILE:
        raise InputError(f"tile must be an integer from {LEAST_TILE} on. Received: {tile}")
    if skip_uniform and generator.input_shape[-1] != generator.output_shape[-1]:
        raise InputError(
            "Tiles of one color can stay as they are only where results have as many channels "
            f"as images. Received: {generator.input_shape[-1]} in, "
            f"{generator.output_shape[-1]} out"
        )
    local_steps(generator)
    if statistics == "tile" and tile < (margin := halo(generator)):
        raise InputError(
            f"A tile of {tile} pixels is smaller than the {margin} pixels on each side of "
            f"it that '{generator.name}' needs; choose at least {margin}, or other "
            "statistics, which need no surroundings."
        )
