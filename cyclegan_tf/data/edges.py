"""Edges as domain A, the photographs that they were found in as domain B.

That is the order of pix2pix (Isola et al. 2017, arXiv 1611.07004) and of its data sets
edges2shoes and edges2handbags: from a drawing to a photograph. Finding edges takes about as long
as a step of training, so they are found once and written to a folder.
"""

import hashlib
import json
import os
import pathlib
import warnings

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data import image_files
from cyclegan_tf.data.folders import folder, folders
from cyclegan_tf.data.matching import numbers_by_stem
from cyclegan_tf.errors import InputError
from cyclegan_tf.pixels import to_float
from cyclegan_tf.preprocessing import sizes_from

RECORD = "edges.json"  # what the folder was made of
SMALLEST = 16  # side of training images, in pixels, as of the built-in ones


def edges(
    photographs,
    out,
    detector,
    *,
    split="train",
    training=None,
    paired=False,
    image_size=256,
    test_share=0.1,
    flip=True,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Edges (domain A) and photographs (domain B), unpaired or paired.

    The first call writes them to a folder, see `write_edges`; a further one reads that.

    Args:
        photographs: a folder of images, including subfolders.
        out: the folder of edges and photographs, written if there is none yet.
        detector: finds edges; `cyclegan_tf.HED()`, or a function like it.
        split: `"train"` or `"test"`; these have no photograph in common.
        training: draw, crop and flip at random, for `fit`. By default for the split "train".
        paired: the edges are those of the photograph. By default the two are drawn independently
            of each other, from the same photographs.
        image_size: side of the training images in pixels, crops as in `cyclegan_tf.data.folders`.
        test_share: the part of the photographs that the split "test" has.
        flip: mirror half of the training images, left to right.
        batch_size: pairs in a batch, over all replicas together.
        steps_per_epoch: batches in an epoch of training; by default as many as there are
            photographs for.
        seed: of everything that is drawn.
        first_epoch: 0-based number of the epoch to begin with.

    Returns:
        A `tf.data.Dataset` of `(image_a, image_b)`, float32 in [-1, 1].

    Raises:
        InputError: as `write_edges`, or there is no photograph in the split.
    """
    return folders(
        write_edges(photographs, out, detector, image_size=image_size, test_share=test_share),
        split=split,
        training=training,
        paired=paired,
        image_size=image_size,
        flip=flip,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def write_edges(
    photographs, out, detector, *, image_size=256, test_share=0.1, log=lambda line: None
):
    """Writes edges and their photographs under equal names, as `cyclegan_tf.data.folders` reads.

    `trainA` and `testA` hold edges, dark lines on white, and `trainB` and `testB` the photographs,
    all as PNG. A photograph is made smaller until its shorter side is the `load_size` of
    `image_size`, 286 pixels for 256, because HED finds other edges at other sizes; none is
    enlarged. Which photographs are for tests depends on their names only.

    The folder appears when it is complete. If it was written before, from the same photographs in
    the same way, nothing is done.

    Args:
        photographs: a folder of images, including subfolders.
        out: the folder to write, which is new or empty.
        detector: from float32 `(1, height, width, 3)` in [-1, 1] to the likelihood of an edge,
            `(1, height, width, 1)` from 0 to 1; `cyclegan_tf.HED()`, for example.
        image_size: side of the training images in pixels.
        test_share: the part of the photographs that is for tests, from 0 to below 1.
        log: called with lines for the user.

    Returns:
        The path of the folder.

    Raises:
        InputError: there are no readable photographs, two have the same name except for the
            suffix, `out` holds something else, or an argument is out of range.
    """
    out = pathlib.Path(out)
    if not isinstance(image_size, int) or image_size < SMALLEST:
        raise InputError(
            f"image_size of edges must be an integer of at least {SMALLEST} pixels. "
            f"Received: {image_size}"
        )
    if not 0 <= test_share < 1:  # NaN too
        raise InputError(f"test_share must be from 0 to below 1. Received: {test_share}")
    before = _record_of(out)
    source = folder(photographs, left_out=out)
    record = {
        "detector": getattr(detector, "__name__", type(detector).__name__),
        "image_size": image_size,
        "test_share": test_share,
        "photographs": _digest(source),
    }
    if before:
        _check_same(out, before, record)
        log(f"{out} holds the edges of these photographs already.")
        return out
    stems = numbers_by_stem(source)
    tests = _for_tests(stems, test_share)
    written = 0
    with files.atomic_folder(out) as beside:
        for count, (stem, number) in enumerate(stems.items(), start=1):
            split = "test" if stem in tests else "train"
            written += _write_pair(source, number, detector, image_size, beside, split, stem)
            if count % max(1, len(stems) // 10) == 0:
                log(f"{count} of {len(stems)} photographs")
        if not written:
            raise InputError(f"None of the photographs of {photographs} can be read to its end.")
        if not tests:
            log("No photograph is kept for tests: there are too few for --test-share.")
        (beside / RECORD).write_text(json.dumps(record, indent=2) + "\n")
    return out


def _write_pair(source, number, detector, image_size, out, split, stem):
    """Writes a photograph and its edges; says whether it could be read."""
    size = _size_in_folder(source.sizes[number], image_size)
    try:
        photograph = source.pixels(number, size)
    except InputError as problem:
        warnings.warn(f"{problem} It is left out.", stacklevel=3)
        return False
    found = np.asarray(detector(to_float(photograph)[np.newaxis]))[0]
    drawn = np.uint8(np.round(255 * (1 - found)))
    for domain, pixels in (("A", drawn), ("B", photograph)):
        path = out / f"{split}{domain}" / f"{stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        image_files.to_pillow(pixels).save(path)
    return True


def _size_in_folder(size, image_size):
    """`(height, width)` of a photograph of `size`, its shorter side no longer than needed."""
    load_size, _ = sizes_from(image_size, None, None, "resize_and_crop")
    scale = min(1.0, load_size / min(size))
    return tuple(round(side * scale) for side in size)


def _for_tests(stems, share):
    """The names that are for tests: by a checksum, so that new photographs move few others."""
    in_order = sorted(stems, key=lambda stem: hashlib.sha256(os.fsencode(stem)).digest())
    return set(in_order[: min(round(share * len(stems)), len(stems) - 1)])


def _digest(source):
    """By which a folder of photographs is known again: their names and sizes."""
    listed = json.dumps([sorted(zip(source.names, map(list, source.sizes)))])
    return hashlib.sha256(listed.encode()).hexdigest()


def _record_of(out):
    """What the folder was made of; `None` if there is nothing in it.

    Raises:
        InputError: it holds something else, or is a file.
    """
    files.check_folder(out)
    if not out.is_dir() or not any(out.iterdir()):
        return None
    try:
        return dict(json.loads((out / RECORD).read_text()))
    except (OSError, TypeError, ValueError):
        raise InputError(
            f"{out} holds other files than edges; choose a folder that is new or empty."
        ) from None


def _check_same(out, before, record):
    """Raises an InputError if a folder was made of something else than it would be now."""
    changed = [name.replace("_", " ") for name in record if before.get(name) != record[name]]
    if changed:
        raise InputError(
            f"{out} holds edges of another kind: {', '.join(changed)} changed. Choose another "
            "folder, or remove this one."
        )
