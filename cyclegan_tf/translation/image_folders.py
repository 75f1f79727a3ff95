"""The command `translate`: runs image files through a trained model."""

import contextlib
import functools
import math
import os
import pathlib
import re

from cyclegan_tf import files
from cyclegan_tf.choices import MAX_MEGAPIXELS
from cyclegan_tf.data import image_files
from cyclegan_tf.directions import channels_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.translation.conveyor import Conveyor, Outcome
from cyclegan_tf.translation.large_images import translate_file

# Of memory: a generator of 64 filters and 9 blocks in float32 takes 1,550 to 1,580 on a CPU.
_BYTES_A_PIXEL = 1700


def translate(model, source, output, direction=None, max_megapixels=None, log=print, tiling=None):
    """Translates an image, or all images below a folder.

    Files are read and written in threads while the network computes. Each image is computed by
    itself, so that its result does not depend on the others.

    The results have the sizes, names and formats of the originals, and colors in sRGB; metadata
    is not kept. Unreadable images are skipped. So is the output folder if it is inside the input
    folder, so that results are not translated again.

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

    Returns:
        The number of images, and a generator that translates them in order and yields the
        `Outcome` of each, after one for each folder that cannot be opened.

    Raises:
        InputError: there are no such images, `output` would overwrite them or, from the iterator,
            cannot be written to; or image files cannot have as many channels as the generator.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    for channels in channels_of(model, direction):
        image_files.check_channels(channels)
    conveyor = Conveyor(model, direction, fits(max_megapixels))
    if files.is_folder(source, "an image or a folder of images"):
        jobs, problems = jobs_of_folder(source, output, log)
    else:
        jobs, problems = [_job_of_file(source, output)], []
        _check_apart(jobs, output)

    def outcomes():
        yield from problems
        if tiling is None:
            yield from conveyor.outcomes(jobs)
        else:
            yield from outcomes_by_tiles(model, jobs, direction, tiling, log)

    return len(jobs), outcomes()


def fits(max_megapixels=None):
    """The check of an image's size: `check_fits` with the memory that is free now.

    Raises:
        InputError: the limit is not above 0.
    """
    if max_megapixels is not None and not max_megapixels > 0:  # NaN too
        raise InputError(f"max_megapixels must be above 0. Received: {max_megapixels:g}")
    return functools.partial(check_fits, max_megapixels=max_megapixels, memory=_free_memory())


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
    found = image_files.find(source, left_out=output)
    if places[0] in places[1].parents and output.is_dir():
        log(f"{output} is where the results go, and what it holds already is not translated.")
    if found.others:
        log(found.passed_over())
    problems = [
        Outcome(path, output / path.relative_to(source), str(problem))
        for path, problem in found.problems.items()
    ]
    jobs = [(path, output / path.relative_to(source)) for path in found.paths]
    _check_apart(jobs, output)
    return jobs, problems


def _check_apart(jobs, output):
    originals, results = ({os.path.realpath(path) for path in paths} for paths in zip(*jobs))
    if originals & results:
        raise InputError(f"{output} would overwrite the originals; choose another place.")


def _job_of_file(source, output):
    if output.suffix.lower() in image_files.SUFFIXES and not output.is_dir():
        return source, output
    if output.suffix and not output.is_dir():
        raise InputError(
            f"{output} has no ending of an image; expected a folder or a name that ends in "
            f"{', '.join(image_files.SUFFIXES)}."
        )
    return source, output / source.name


def outcomes_by_tiles(model, jobs, direction, tiling, log, keep=False):
    """Yields the outcomes of jobs, one by one; with `keep`, results that are there stay."""
    for source, output in jobs:
        if keep and output.is_file():
            yield Outcome(source, output, there=True)
        else:
            yield _outcome_by_tiles(model, source, output, direction, tiling, log)


def _outcome_by_tiles(model, source, output, direction, tiling, log):
    try:
        translate_file(model, source, output, direction, tiling, log)
    except InputError as problem:
        return Outcome(source, output, str(problem))
    return Outcome(source, output)


def check_fits(file, max_megapixels=None, memory=math.inf):
    """Raises an InputError for an image that is too large to translate.

    Args:
        file: the path of the image, or the bytes of an encoded one.
        max_megapixels: the limit; if `None`, as many as fit into `memory`, 12 at most.
        memory: free bytes.
    """
    height, width = image_files.size(file)
    fits = memory / _BYTES_A_PIXEL / 1e6
    allowed = max_megapixels or min(fits, MAX_MEGAPIXELS)
    if height * width <= allowed * 1e6:
        return
    why = "are allowed"
    if allowed == fits:
        why = f"fit into {memory / 1e9:.1f} GB of free memory with the paper's network in float32"
    name = "The image" if isinstance(file, bytes) else file
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
