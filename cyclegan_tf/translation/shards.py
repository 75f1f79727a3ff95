"""Many images by many processes: each translates its share of a folder, and can be run again."""

import contextlib
import dataclasses
import hashlib
import itertools
import os
import pathlib
import re
import signal
import sys
import threading

from cyclegan_tf import files
from cyclegan_tf.directions import channels_of, direction_among
from cyclegan_tf.errors import InputError
from cyclegan_tf.translation.conveyor import Conveyor
from cyclegan_tf.translation.digests import digest_of_weights
from cyclegan_tf.translation.image_folders import (
    fits,
    jobs_of_folder,
    outcomes_by_tiles,
    ranges_of_jobs,
)
from cyclegan_tf.translation.large_images import check_tiles
from cyclegan_tf.translation.shard_report import ShardReport

REPORTS = "shards"  # in the folder of the results


@dataclasses.dataclass(frozen=True)
class Shard:
    """One share of many files.

    A file belongs to the same shard whatever other files there are: what decides is a hash of its
    path, not its position. So files can be added while shards are at work.

    Attributes:
        number: from 1 on.
        count: of all shards.
    """

    number: int
    count: int

    @classmethod
    def of(cls, text):
        """The shard that a text such as `"1/4"` names.

        Raises:
            InputError: it names none.
        """
        match = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text, re.ASCII)
        shard = cls(int(match[1]), int(match[2])) if match else None
        if shard is None or not 1 <= shard.number <= shard.count:
            raise InputError(
                "--shards takes a number and how many there are, from 1/4 to 4/4 for four; add 1 "
                f"to an index that counts from 0. Received: {text!r}"
            )
        return shard

    def has(self, path):
        """Whether a path, relative to the folder of all images, is in this share."""
        digest = hashlib.blake2b(os.fsencode(path.as_posix()), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1

    def __str__(self):
        return f"{self.number}-of-{self.count}"


def translate_shard(
    model,
    source,
    output,
    shard,
    direction=None,
    *,
    max_megapixels=None,
    tiling=None,
    ranges=None,
    batch_size=1,
    overwrite=False,
    dead_letters=None,
    log=print,
):
    """Translates one share of the images below a folder, as `image_folders.translate` would.

    Results that are there already are left as they are: each appears complete or not at all. So
    the same call again, after whatever ended the first, does what is left. Failed images are
    tried again.

    Beside the results, `shards/1-of-4/` gets `report.json` and `failed.jsonl`; see `ShardReport`.

    Args:
        model: a system or a `Translator`.
        source: a folder of images at any depth.
        output: a folder, the same for all shards.
        shard: a `Shard`.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        max_megapixels, tiling, ranges: as for `image_folders.translate`.
        batch_size: images of one size that are computed at once; see `translate_alike`. Results
            depend on this number, by a rounding, but not on the number of shards. 1 with tiles.
        overwrite: whether results that are there are computed anew.
        dead_letters: a folder for copies of the images that failed; `None` for no copies.
        log: called with lines for the user.

    Returns:
        The number of images in this share, and a generator that yields the `Outcome` of each, and
        one for each folder of this share that cannot be opened. It has to be closed.

    Raises:
        InputError: as `image_folders.translate`; the share has results of another model,
            direction or range; `source` is no folder, `dead_letters` is inside
            it, batches and tiles are asked for, or, from the generator, another process works on
            this shard.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    dead_letters = dead_letters and pathlib.Path(dead_letters)
    _check(source, tiling, batch_size, dead_letters)
    if tiling is not None:
        check_tiles(model, direction, tiling)
    channels, keep = channels_of(model, direction), not overwrite
    fit = fits(channels, max_megapixels)
    jobs, problems = jobs_of_folder(source, output, log)
    asked = str(ranges) if ranges else None
    # Of all images, so that all shards have the same.
    ranges = ranges_of_jobs(ranges, jobs, channels, tiling, log)
    conveyor = Conveyor(model, direction, fit, batch_size, keep, ranges)
    own = [job for job in jobs if shard.has(job[0].relative_to(source))]
    problems = [each for each in problems if shard.has(each.input.relative_to(source))]
    direction = direction_among(model.generators or model.directions, direction)
    network = model.generators.get(direction) if model.generators else None
    facts = {
        # Of its weights; those of a SavedModel are not known.
        "model": network and digest_of_weights(network)[:16],
        "shard": shard.number,
        "shards": shard.count,
        "input": str(source),
        "output": str(output),
        "direction": direction,
        "range": asked,
        "batch_size": batch_size,
    }
    report = ShardReport(output / REPORTS / str(shard), source, facts, len(own) + len(problems))
    if not overwrite:
        report.check_same(["model", "direction", "range"])

    def outcomes():
        with files.locked(report.folder, f"Another process works on shard {shard} of {output}."):
            own_results, results = ({result for _, result in some} for some in (own, jobs))
            files.remove_unfinished_below(output, own_results, results - own_results)
            if tiling is None:
                own_outcomes = conveyor.outcomes(own)
            else:
                own_outcomes = outcomes_by_tiles(model, own, direction, tiling, log, ranges, keep)
            with ended_by_sigterm(), report, contextlib.closing(own_outcomes) as done:
                for outcome in itertools.chain(problems, done):
                    if outcome.problem and dead_letters:
                        _copy(outcome.input, dead_letters / outcome.input.relative_to(source))
                    report.add(outcome)
                    yield outcome

    return len(own), outcomes()


def options_of_shards(shards, batch_size=None, overwrite=False, dead_letters=None):
    """The options of `translate_shard` that are given; none without a shard.

    Raises:
        InputError: some are given without a shard.
    """
    given = {
        "batch_size": batch_size,
        "overwrite": overwrite or None,
        "dead_letters": dead_letters,
    }
    given = {name: value for name, value in given.items() if value is not None}
    if given and shards is None:
        names = " and ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{names} would be for shards; add --shards 1/1 for all images in one.")
    return given


def _check(source, tiling, batch_size, dead_letters):
    if batch_size < 1:
        raise InputError(f"batch_size must be 1 or more. Received: {batch_size}")
    if tiling is not None and batch_size > 1:
        raise InputError(
            f"Images are translated by tiles one after the other, not {batch_size} at once; leave "
            "the tiles or the batch size out."
        )
    if not files.is_folder(source, "a folder of images"):
        raise InputError(f"{source} is a file; expected a folder of images to take a share of.")
    if dead_letters:
        place, images = (pathlib.Path(os.path.realpath(path)) for path in (dead_letters, source))
        if place == images or images in place.parents:  # which would be translated next time
            raise InputError(
                f"{dead_letters} is in the folder of the images, {source}; choose another one."
            )


def _copy(original, place):
    """Copies an image that failed, if it can be read at all."""
    try:
        content = original.read_bytes() if original.is_file() else None
    except OSError:
        return
    if content is not None:
        files.write_bytes(place, content)


@contextlib.contextmanager
def ended_by_sigterm():
    """At SIGTERM an exception ends this process, so that what is open is closed."""
    of_main = threading.current_thread() is threading.main_thread()
    # Of a handler that C code installed, Python knows nothing and could not give it back.
    if not of_main or signal.getsignal(signal.SIGTERM) is None:
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
