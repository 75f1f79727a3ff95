"""The command `translate`: runs image files through a trained model."""

import contextlib
import functools
import math
import os
import pathlib
import re

from cyclegan_tf import files
from cyclegan_tf.choices import MAX_MEGAPIXELS
from cyclegan_tf.data import deep_files, dicom, image_files
from cyclegan_tf.directions import channels_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.translation.conveyor import Conveyor, Outcome
from cyclegan_tf.translation.deep_translation import Ranges, channels_that_decide
from cyclegan_tf.translation.large_images import check_tiles, sampled_file, translate_file

# Of memory: a generator of 64 filters and 9 blocks in float32 takes 1,550 to 1,580 on a CPU.
_BYTES_A_PIXEL = 1700


def translate(
    model,
    source,
    output,
    direction=None,
    max_megapixels=None,
    log=print,
    tiling=None,
    ranges=None,
):
    """Translates an image, or all images below a folder.

    Files are read and written in threads while the network computes. Each image is computed by
    itself, so that its result does not depend on the others.

    The results have the sizes, names and formats of the originals, and colors in sRGB; metadata
    is not kept. Files of more than 8 bits, of floats or of other channels keep their depth, their
    profile and their resolution; those of DICOM become TIFF files. Unreadable images are skipped.
    So is the output folder if it is inside the input folder, so that results are not translated
    again.

    Args:
        model: a system, such as a `CycleGAN`.
        source: an image file, or a folder of them at any depth.
        output: a folder; for a single image also a file name.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        max_megapixels: larger images are skipped; by default those that a 64-filter generator
            would lack memory for, and all above 12.
        log: called with lines for the user.
        tiling: a `cyclegan_tf.translation.large_images.Tiling`, to compute images of any size by
            tiles; TIFF files then keep the type of their values, their resolution and their color
            profile.
        ranges: `Ranges` of images that keep their depth; by default that of their dtype.

    Returns:
        The number of images, and a generator that translates them in order and yields the
        `Outcome` of each, after one for each folder that cannot be opened.

    Raises:
        InputError: there are no such images, `output` would overwrite them or, from the iterator,
            cannot be written to; or image files cannot have as many channels as the generator.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    if tiling is not None:
        check_tiles(model, direction, tiling)
    channels = channels_of(model, direction)
    fit = fits(channels, max_megapixels)
    if files.is_folder(source, "an image or a folder of images"):
        jobs, problems = jobs_of_folder(source, output, log)
    else:
        jobs, problems = [_job_of_file(source, output)], []
        _check_apart(jobs, output)
    ranges = ranges_of_jobs(ranges, jobs, channels, tiling, log)
    conveyor = Conveyor(model, direction, fit, ranges=ranges)

    def outcomes():
        yield from problems
        if tiling is None:
            yield from conveyor.outcomes(jobs)
        else:
            yield from outcomes_by_tiles(model, jobs, direction, tiling, log, ranges)

    return len(jobs), outcomes()


def ranges_of_jobs(ranges, jobs, channels, tiling, log):
    """The ranges of values to translate files with.

    Args:
        ranges: `Ranges`, of which those of all images together are measured; or `None`.
        jobs: pairs of an image and the path of its result.
        channels: those that the network takes, and those that it makes.
        tiling: a `Tiling` or `None`.
        log: called with lines for the user.

    Raises:
        InputError: none of the files can have such channels.
    """
    ranges = ranges or Ranges()
    decides = channels_that_decide(channels)
    if decides in image_files.CHANNELS and not (ranges.needs_folder or ranges.given):
        return ranges  # without a look at each file
    deep = [source for source, _ in jobs if deep_files.is_deep(source, decides)]
    if not deep:
        image_files.check_channels(decides)
        if ranges.given:
            log("All images have 8 bits, from 0 to 255; the range of values is for others.")
    sample = functools.partial(sampled_file, channels=channels[0], deep_for=decides)
    return ranges.measured(deep, channels[0], log, sample if tiling is not None else None)


def fits(channels, max_megapixels=None):
    """The check of an image's size: `check_fits` with the memory that is free now.

    Args:
        channels: those that the network takes, and those that it makes.
        max_megapixels: the limit, if there is one.

    Raises:
        InputError: the limit is not above 0.
    """
    check_limit(max_megapixels)
    return functools.partial(
        check_fits,
        max_megapixels=max_megapixels,
        memory=_free_memory(),
        channels=channels_that_decide(channels),
    )


def check_limit(max_megapixels):
    """Raises an InputError for a limit that is not above 0."""
    if max_megapixels is not None and not max_megapixels > 0:  # NaN too
        raise InputError(f"max_megapixels must be above 0. Received: {max_megapixels:g}")


def jobs_of_folder(source, output, log):
    """Pairs of an image and the path of its result; and outcomes of unreadable folders.

    Raises:
        InputError: there are no images, or results cannot be written to `output`.
    """
    if output.exists() and not output.is_dir():
        raise InputError(f"{output} is a file; expected a folder to write images to.")
    places = [pathlib.Path(os.path.realpath(path)) for path in (source, output)]
    if places[0] == places[1]:
        raise InputError(f"{output} would overwrite the originals; choose another place.")
    found = image_files.find(source, output, deep_files.SUFFIXES)
    if places[0] in places[1].parents and output.is_dir():
        log(f"{output} is where the results go, and what it holds already is not translated.")
    if found.others:
        log(found.passed_over())
    problems = [
        Outcome(path, output / path.relative_to(source), str(problem))
        for path, problem in found.problems.items()
    ]
    jobs = [(path, output / _named(path.relative_to(source))) for path in found.paths]
    _check_apart(jobs, output)
    return jobs, problems


def _named(path):
    """The name of a result: that of the original, but DICOM files are not written."""
    return path.with_name(f"{path.name}.tif") if path.suffix.lower() in dicom.SUFFIXES else path


def _check_apart(jobs, output):
    originals, results = ({os.path.realpath(path) for path in paths} for paths in zip(*jobs))
    if originals & results:
        raise InputError(f"{output} would overwrite the originals; choose another place.")


def _job_of_file(source, output):
    written = (*image_files.SUFFIXES, *deep_files.WRITTEN)
    if output.suffix.lower() in written and not output.is_dir():
        return source, output
    if output.suffix and not output.is_dir():
        raise InputError(
            f"{output} has no ending of an image; expected a folder or a name that ends in "
            f"{', '.join(dict.fromkeys(written))}."
        )
    return source, output / _named(pathlib.Path(source.name))


def outcomes_by_tiles(model, jobs, direction, tiling, log, ranges, keep=False):
    """Yields the outcomes of jobs, one by one; with `keep`, results that are there stay."""
    for source, output in jobs:
        if keep and output.is_file():
            yield Outcome(source, output, there=True)
            continue
        try:
            note = translate_file(model, source, output, direction, tiling, log, ranges)
        except InputError as problem:
            yield Outcome(source, output, str(problem))
        else:
            yield Outcome(source, output, note=note)


def check_fits(file, max_megapixels=None, memory=math.inf, channels=3):
    """Raises an InputError for an image that is too large to translate.

    Args:
        file: the path of the image, or the bytes of an encoded one.
        max_megapixels: the limit; if `None`, as many as fit into `memory`, 12 at most.
        memory: free bytes.
        channels: that are wanted of it.
    """
    encoded = isinstance(file, bytes)
    size = image_files.size(file) if encoded else deep_files.size(file, channels)
    _check_size(file, *size, max_megapixels, memory)


def check_frames_fit(path, height, width, max_megapixels=None):
    """Raises an InputError for a film whose frames are too large, as `check_fits` for images."""
    _check_size(path, height, width, max_megapixels, _free_memory())


def _check_size(path, height, width, max_megapixels, memory):
    fits = memory / _BYTES_A_PIXEL / 1e6
    allowed = max_megapixels or min(fits, MAX_MEGAPIXELS)
    if height * width <= allowed * 1e6:
        return
    why = "are allowed"
    if allowed == fits:
        why = f"fit into {memory / 1e9:.1f} GB of free memory with the paper's network in float32"
    name = "The image" if isinstance(path, bytes) else path
    raise InputError(
        f"{name} has {width} x {height} pixels ({height * width / 1e6:.3g} million), more than the "
        f"{allowed:.3g} megapixels that {why}; translate it by tiles, by --tile 512, or allow more "
        "by --max-megapixels."
    )


def _free_memory():
    """Bytes that this process can still allocate; infinite if the system does not say."""
    free = [math.inf]
    with contextlib.suppress(OSError, AttributeError):
        meminfo = pathlib.Path("/proc/meminfo").read_text()
        free.append(1024 * int(re.search(r"MemAvailable: +(\d+) kB", meminfo)[1]))
    with contextlib.suppress(OSError, ValueError):  # of a container
        group = pathlib.Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        used = int((group / "memory.stat").read_text().split()[1])  # without what files cache
        free.append(limit - used)
    with contextlib.suppress(OSError, ImportError):  # of a batch system, or `ulimit -v`
        import resource  # not on Windows

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
            free.append(limit - pages * resource.getpagesize())
    return max(0, min(free))
