"""TIFF files of tiles with smaller levels below the image, for viewers: pyramids.

By `tifffile`, of the extra `tiff`.
"""

import dataclasses

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data.deep_image import QUARTER_TURNS, with_no_data
from cyclegan_tf.data.tiff_layout import extra_tags, tifffile
from cyclegan_tf.intensity_range import as_type, is_missing

SUFFIXES = (".tif", ".tiff")
_UNITS = (1, 2, 3)
_TILE = 512  # pixels of a tile that is written
_LEAST_LEVEL = 512  # pixels of the smallest level of a pyramid, along its longer side


@dataclasses.dataclass(frozen=True)
class TiffTags:
    """What a TIFF file says about its pixels, for the file that is made of it.

    Attributes:
        icc_profile: bytes of the color profile, or `None`.
        resolution: pixels per unit along x and y, as pairs of integers, or `None`.
        unit: of the resolution, as TIFF numbers it: 1 none, 2 inches, 3 centimeters.
        color: whether three or four channels begin with red, green and blue.
        alpha: whether the fourth is opacity.
        no_data, georeference: as of a `DeepImage`.
    """

    icc_profile: bytes | None = None
    resolution: tuple | None = None
    unit: int = 1
    color: bool = True
    alpha: bool = True
    no_data: float | None = None
    georeference: tuple = ()


def tags_of(layout):
    """The `TiffTags` of the upright image of a `Layout`."""
    page, tags = layout.page, layout.page.tags
    resolution = tuple(tags[name].value for name in ("XResolution", "YResolution") if name in tags)
    unit = tags["ResolutionUnit"].value if "ResolutionUnit" in tags else 2  # inches by default
    if layout.orientation in QUARTER_TURNS:
        resolution = resolution[::-1]
    if len(resolution) < 2 or not all(map(all, resolution)) or unit not in _UNITS:
        resolution, unit = None, 1
    return TiffTags(page.iccprofile, resolution, int(unit), georeference=layout.georeference)


def write_pyramid(path, levels, tags=TiffTags()):
    """Writes a BigTIFF or TIFF of tiles, with smaller levels below the image as `SubIFDs`.

    Args:
        path: of the file, which is replaced at the end.
        levels: objects with `shape`, `dtype` and `read(part)`, the largest first.
        tags: a `TiffTags`.
    """
    largest, channels = levels[0], levels[0].shape[2]
    color = tags.color and channels in (3, 4)
    size = sum(np.prod(level.shape) for level in levels) * largest.dtype.itemsize
    options = {
        "photometric": "rgb" if color else "minisblack",
        "compression": "zlib",
        "predictor": largest.dtype.kind in "iu" and largest.dtype.itemsize <= 4,
        "tile": (_TILE, _TILE),
        "metadata": None,
        "planarconfig": "contig",
    }
    if color and channels == 4:
        options["extrasamples"] = ["unassalpha" if tags.alpha else "unspecified"]
    first = {
        "subifds": len(levels) - 1,
        "iccprofile": tags.icc_profile,
        "extratags": extra_tags(tags.georeference, tags.no_data),
    }
    if tags.resolution:
        first |= {"resolution": tags.resolution, "resolutionunit": tags.unit}
    with (
        files.atomic_file(path) as beside,
        tifffile().TiffWriter(beside, bigtiff=size > 2**31) as writer,
    ):
        for number, level in enumerate(levels):
            writer.write(
                _tiles(level),
                shape=level.shape if level.shape[2] > 1 else level.shape[:2],
                dtype=level.dtype,
                **({"subfiletype": 1} if number else first),
                **options,
            )


def lengths_of_levels(lengths):
    """Rows and columns of each level, each half as large as the one before, rounded up."""
    found = [tuple(lengths)]
    while max(found[-1]) > _LEAST_LEVEL:
        found.append(tuple(-(-length // 2) for length in found[-1]))
    return found


def halve(larger, smaller, no_data=None):
    """Fills a level of a pyramid with the means of two by two pixels of the level above.

    Args:
        larger: has `shape` and `read(part)`.
        smaller: has `shape`, `dtype` and `write(part, values)`.
        no_data: the value that stands for none and does not count; where all four have it, the
            mean has it too.
    """
    for part in _parts(smaller):
        above = tuple(
            (2 * start, min(2 * stop, length)) for (start, stop), length in zip(part, larger.shape)
        )
        values = larger.read(above)
        precise = larger.dtype.itemsize > (4 if larger.dtype.kind == "f" else 2)
        values = values.astype(np.float64 if precise else np.float32)
        odd = [(0, length % 2) for length in values.shape[:2]]
        values = np.pad(values, (*odd, (0, 0)), "edge")
        there = ~is_missing(values, no_data)
        count = _of_two_by_two(there.astype(values.dtype))
        means = _of_two_by_two(np.where(there, values, 0)) / np.maximum(count, 1)
        smaller.write(part, with_no_data(as_type(means, smaller.dtype), count == 0, no_data))


def _of_two_by_two(values):
    """Sums of two by two places."""
    rows = values[::2] + values[1::2]
    return rows[:, ::2] + rows[:, 1::2]


def _tiles(level):
    for part in _parts(level):
        yield level.read(part)  # with its channel: of a column alone tifffile takes it for that


def _parts(level):
    """The spans of rows and columns of each tile of a level, row by row."""
    rows, columns, _ = level.shape
    for top in range(0, rows, _TILE):
        for left in range(0, columns, _TILE):
            yield (top, min(top + _TILE, rows)), (left, min(left + _TILE, columns))
