"""Runs a network on an image of any size, part by part, with statistics of the whole image."""

import contextlib
import hashlib
import json
import math
import pathlib
import shutil
import time

import numpy as np
import tensorflow as tf

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.networks.given_statistics import NORMALIZATIONS, normalized
from cyclegan_tf.networks.parts import compute_part, needed_part
from cyclegan_tf.translation.disk_array import DiskArray
from cyclegan_tf.translation.phases import Phases, around, halo
from cyclegan_tf.translation.window_statistics import WindowMoments, statistics_at

_SECONDS_BETWEEN_SAVES = 20.0


class LayerByLayer:
    """Computes a network in phases: each ends where statistics of the whole image are needed.

    In each phase all tiles of the image are computed, one after the other, from what the phase
    before left in files. So each layer is computed once or twice, and memory depends on the tile.
    The result is that of the network on the whole image, but for rounding: a layer gets the rows
    and columns around a tile that it needs, and statistics are added up over tiles.

    Args:
        network: a functional `keras.Model` from one image to one image.
        lengths: rows and columns of the image, which the network must take as they are.
        folder: where files are kept in between. One that an unfinished run of the same network on
            the same image left is resumed.
        tile: rows and columns of a tile, in pixels of the image.
        windows: over how many windows, along rows and along columns, statistics are taken.
            `(1, 1)`: over the whole image. Of several windows they are interpolated; see
            `cyclegan_tf.translation.window_statistics.statistics_at`.
        image: a string that says which image and which network it is; another is not resumed.
        spare: bytes of the disk that the caller needs besides.

    Raises:
        InputError: the network has a layer that sees more than a part of its input, or the disk
            has too little room.
    """

    def __init__(self, network, lengths, folder, *, tile=512, windows=(1, 1), image="", spare=0):
        self.network, self.lengths, self.tile, self.windows = network, lengths, tile, windows
        self.folder = pathlib.Path(folder)
        self.dtype = np.dtype("float64" if network.compute_dtype == "float64" else "float32")
        self._plan = Phases(network, lengths)
        self.tiles = list(tiles_of(lengths, tile))
        self._statistics = {}
        self._arrays = {}
        self._fingerprint = self._digest(image)
        files.make_folder(self.folder)
        values = self._plan.most_kept() * math.prod(lengths)
        check_room(self.folder, lengths, values * self.dtype.itemsize + spare)

    def run(self, read, write, tell=lambda fraction: None, skipped=frozenset()):
        """Computes the image.

        Args:
            read: from spans of rows and columns to that part of the image, float `(rows, columns,
                channels)` in [-1, 1].
            write: takes the spans of a part and its result, float `(rows, columns, channels)` in
                [-1, 1]. What it writes must survive the process: after a resumption, parts that
                were written are not written again.
            tell: called after each tile with the fraction of the work that is done.
            skipped: numbers of tiles that are not written and do not count in statistics.
        """
        phase, first, moments = self._resumed()
        tiles = [(number, number not in skipped) for number in self._to_compute(skipped)]
        with contextlib.closing(self):
            for number in range(phase, len(self._plan.phases)):
                for done in self._run_phase(number, tiles, first, moments, read, write):
                    tell((number + done / len(tiles)) / len(self._plan.phases))
                first, moments = 0, None

    def close(self):
        """Closes the files, which stay for a resumption."""
        for array in self._arrays.values():
            array.close()

    def _to_compute(self, skipped):
        """The tiles that are not skipped, and those around them on which they depend."""
        if not skipped:
            return range(len(self.tiles))
        rows, columns = (-(-length // self.tile) for length in self.lengths)
        wanted = np.ones((rows, columns), bool)
        wanted.flat[list(skipped)] = False
        reach = -(-halo(self.network) // self.tile)
        padded = np.pad(wanted, reach)
        views = np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1,) * 2)
        return np.flatnonzero(views.any((2, 3))).tolist()

    def _run_phase(self, number, tiles, first, moments, read, write):
        """Computes a phase from the tile at `first` on; yields how many tiles are done."""
        phase = self._plan.phases[number]
        saved, last = time.monotonic(), phase.normalization is None
        moments = None if last else moments or self._moments(phase)
        for at in range(first, len(tiles)):
            self._run_tile(phase, *tiles[at], moments, read, write)
            yield at + 1
            if time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                self._save(number, at + 1, moments)
                saved = time.monotonic()
        if not last:
            layer = self._plan.step_of(phase.normalization).layer
            self._statistics[phase.normalization] = moments.statistics(layer)
            self._save(number + 1, 0, None)
            for tensor in phase.sources - phase.kept - {0}:
                self._arrays.pop(tensor).remove()

    def _run_tile(self, phase, number, counts, moments, read, write):
        kept = phase.kept - phase.sources
        tile = self.tiles[number]
        parts = {each: self._part_of(each, tile) for each in kept | {phase.target}}
        values = self._computed(parts, phase.sources, read)
        if counts and moments is not None:
            moments.add(values[phase.target], parts[phase.target])
        elif counts:
            write(parts[phase.target], values[phase.target][0].numpy())
        for each in kept:
            array = self._array(each, values[each].dtype.as_numpy_dtype)
            array.write(parts[each], values[each][0].numpy())

    def _part_of(self, tensor, tile):
        """The part of a tensor that belongs to a tile: each place of it belongs to one."""
        return tuple(
            tuple(at * own // whole for at in span)
            for span, own, whole in zip(tile, self._plan.lengths[tensor], self.lengths)
        )

    def _computed(self, parts, sources, read):
        """The values of parts of tensors, computed from those that are kept.

        Args:
            parts: spans of rows and columns, by the number of the tensor.
            sources: numbers of the tensors to start from.
            read: from spans to that part of the image.

        Returns:
            `(1, rows, columns, channels)` by the number of the tensor.
        """
        needed, last_use = self._needed(parts, sources)
        values = {}
        for tensor in sorted(needed):
            if tensor in sources:
                part = (self._arrays[tensor].read if tensor else read)(needed[tensor])
                values[tensor] = tf.constant(part[np.newaxis])
            else:
                values[tensor] = self._step(tensor, needed, values)
                for each in set(self._plan.step_of(tensor).inputs):
                    if last_use[each] == tensor and each not in parts:
                        del values[each]
        return {
            tensor: _cut(values[tensor], needed[tensor], part) for tensor, part in parts.items()
        }

    def _needed(self, parts, sources):
        """The part of each tensor on the way, and the last tensor that takes it."""
        needed, last_use = dict(parts), {}
        for tensor in range(max(parts), 0, -1):
            if tensor not in needed or tensor in sources:
                continue
            step = self._plan.step_of(tensor)
            for each in step.inputs:
                part = needed_part(step.layer, self._plan.lengths[each], needed[tensor])
                needed[each] = around(needed[each], part) if each in needed else part
                last_use.setdefault(each, tensor)
        return needed, last_use

    def _step(self, tensor, needed, values):
        step, part = self._plan.step_of(tensor), needed[tensor]
        lengths = self._plan.lengths[step.inputs[0]]
        wanted = needed_part(step.layer, lengths, part)
        inputs = [_cut(values[each], needed[each], wanted) for each in step.inputs]
        if isinstance(step.layer, NORMALIZATIONS):
            statistics = statistics_at(self._statistics[tensor], lengths, part)
            return normalized(step.layer, inputs[0], *statistics)
        return compute_part(step.layer, inputs if len(inputs) > 1 else inputs[0], lengths, part)

    def _moments(self, phase):
        target = phase.target
        return WindowMoments(self.windows, self._plan.lengths[target], self._plan.channels[target])

    def _array(self, tensor, dtype):
        if tensor not in self._arrays:
            shape = (*self._plan.lengths[tensor], self._plan.channels[tensor])
            self._arrays[tensor] = DiskArray(self.folder / f"{tensor}.values", shape, dtype)
        return self._arrays[tensor]

    def _digest(self, image):
        digest = hashlib.sha256(json.dumps([self.lengths, self.tile, self.windows, image]).encode())
        return digest.hexdigest()

    def _save(self, phase, tile, moments):
        """Saves where the run stands."""
        state = {"phase": phase, "tile": tile, "fingerprint": self._fingerprint}
        state |= {f"dtype {number}": each.dtype.name for number, each in self._arrays.items()}
        for number, (mean, variance) in self._statistics.items():
            state |= {f"mean {number}": mean, f"variance {number}": variance}
        if moments is not None:
            state |= {f"moments {name}": value for name, value in moments.state().items()}
        before = self._state_files()
        # Not over the last one: to replace a file may wait for the disk.
        number = _number_of(before[-1]) + 1 if before else 0
        with files.atomic_file(self.folder / f"state.{number}.npz") as beside:
            np.savez(beside, **state)
        for file in before:
            file.unlink()

    def _state_files(self):
        """Several if the last run was killed between two lines of `_save`; the newest is last."""
        return sorted(self.folder.glob("state.*.npz"), key=_number_of)

    def _resumed(self):
        """The phase, the tile and the moments to go on from."""
        saved = self._state_files()
        if not saved:
            self._clear()
            return 0, 0, None
        with np.load(saved[-1]) as state:
            if state["fingerprint"] != self._fingerprint:
                self._clear()
                return 0, 0, None
            names = {name: name.split(" ") for name in state.files}
            of = {
                kind: {
                    int(tail[0]): state[name]
                    for name, (head, *tail) in names.items()
                    if head == kind
                }
                for kind in ("mean", "variance", "dtype")
            }
            moments = {
                tail[0]: state[name] for name, (head, *tail) in names.items() if head == "moments"
            }
            phase, tile = int(state["phase"]), int(state["tile"])
        self._statistics = {each: (mean, of["variance"][each]) for each, mean in of["mean"].items()}
        for tensor, dtype in of["dtype"].items():
            self._array(tensor, str(dtype))
        if not moments:
            return phase, tile, None
        restored = self._moments(self._plan.phases[phase])
        restored.restore(moments)
        return phase, tile, restored

    def _clear(self):
        for file in (*self.folder.glob("*.values"), *self.folder.glob("state.*")):
            file.unlink()


def _number_of(path):
    return int(path.suffixes[0][1:])


def check_room(folder, lengths, wanted):
    """Raises an InputError if the disk of a folder has too little room.

    Args:
        folder: whose files count as if they were not there, because they will be written again.
        lengths: rows and columns of the image.
        wanted: bytes.
    """
    there = sum(512 * getattr(each.stat(), "st_blocks", 0) for each in folder.iterdir())
    free = shutil.disk_usage(folder).free + there
    if wanted > free:
        raise InputError(
            f"{folder} needs {wanted / 1e9:.1f} GB for an image of {lengths[1]} x {lengths[0]} "
            f"pixels while it is translated; the disk has {free / 1e9:.1f} GB. Make room there, or "
            "write to another disk."
        )


def tiles_of(lengths, tile):
    """The spans of all tiles, row by row; the last ones may be smaller."""
    rows, columns = (
        [(start, min(start + tile, length)) for start in range(0, length, tile)]
        for length in lengths
    )
    return ((row, column) for row in rows for column in columns)


def _cut(values, place, part):
    """The spans `part` of values whose spans are `place`."""
    if place == part:
        return values
    (top, bottom), (left, right) = (
        (span[0] - at[0], span[1] - at[0]) for span, at in zip(part, place)
    )
    return values[:, top:bottom, left:right]
