"""Procedural street scenes: label maps as domain A, "photographs" as domain B.

The built-in data set: any number, any size, no download, with ground truth.
"""

import dataclasses
import functools

import numpy as np

from cyclegan_tf.data.built_in import built_in, checked_size
from cyclegan_tf.data.pipeline import Source

CLASSES = ("sky", "building", "tree", "road", "sidewalk", "car")
# Those of Cityscapes.
COLORS = np.array(
    [
        (70, 130, 180),
        (70, 70, 70),
        (107, 142, 35),
        (128, 64, 128),
        (244, 35, 232),
        (0, 0, 142),
    ],
    np.uint8,
)
_SKY, _BUILDING, _TREE, _ROAD, _SIDEWALK, _CAR = range(len(CLASSES))

_CACHE_BYTES = 2**28  # for each domain


def scenes(
    count=1000,
    image_size=64,
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
    """Label maps (domain A) and photographs (domain B), of different scenes or paired.

    Args:
        count: scenes in each domain.
        image_size: a number for squares or `(height, width)`, multiples of 4, at least 16 pixels.
        split: `"train"` or `"test"`; these have no scene in common.
        training: draw and flip at random, for `fit`. By default for the split "train".
        paired: the photographs show the scenes of the label maps. By default they show other
            scenes, so that no scene of a training data set is in both domains.
        flip: mirror half of the training images, left to right.
        batch_size: pairs in a batch, over all replicas together.
        steps_per_epoch: batches in an epoch of training; by default as many as the larger domain
            fills.
        seed: of the scenes and of everything that is drawn.
        first_epoch: 0-based number of the epoch to begin with.

    Returns:
        A `tf.data.Dataset` of `(image_a, image_b)`, float32 in [-1, 1].

    Raises:
        InputError: an argument out of range.
    """
    return built_in(
        scene_sources,
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


def scene_sources(count=1000, image_size=64, split="train", seed=0, paired=False):
    """The two `Source`s of `scenes`."""
    size = checked_size("scenes", count, image_size, split, seed)
    first = _first(split)
    first_of_b = first if paired else first + count

    # Rendering takes longer than reading a file, so what fits is kept.
    @functools.lru_cache(maxsize=_CACHE_BYTES // (3 * size[0] * size[1]))
    def label_map(number):
        return COLORS[render(first + number, size, seed)[1]]

    @functools.lru_cache(maxsize=_CACHE_BYTES // (3 * size[0] * size[1]))
    def photograph(number):
        return render(first_of_b + number, size, seed)[0]

    return [
        Source("the scenes of domain A", lambda number, _: label_map(number), [size] * count),
        Source("the scenes of domain B", lambda number, _: photograph(number), [size] * count),
    ]


def scene_pairs(count=100, image_size=64, *, split="test", seed=0, skip=0, style=None):
    """Scenes with ground truth, for scoring.

    Args:
        count, image_size, split, seed: as of `scenes`.
        skip: how many scenes of the split are left out before the first one.
        style: as of `render`.

    Returns:
        `(label_maps, photographs, classes)`: uint8 `(count, height, width, 3)` twice, and uint8
        `(count, height, width)`, indices into `CLASSES`, all three of the same scenes.
    """
    size = checked_size("scenes", count, image_size, split, seed)
    first = _first(split) + skip
    rendered = [render(first + number, size, seed, style=style) for number in range(count)]
    photographs, classes = (np.stack(part) for part in zip(*rendered))
    return COLORS[classes], photographs, classes


def render(number, size, seed=0, cars=True, style=None):
    """Scene `number`: a photograph `(height, width, 3)` and its classes `(height, width)`.

    Args:
        number, seed: integers, not negative.
        size: `(height, width)` in pixels.
        cars: whether there are cars; without them trees may be other ones.
        style: a subclass of `Scene` that paints the same scene in another way.
    """
    return (style or Scene)(np.random.default_rng([seed, number]), size).finished(cars)


def _first(split):
    """Scenes of domain A, of domain B and of each split come from disjoint ranges."""
    return 1_000_000_000 if split == "test" else 0


@dataclasses.dataclass(frozen=True)
class _Wall:
    """The plane of the houses on one side, as arrays `(height, width)`.

    `level` is the height above the horizon and `along` the distance along the street, in lengths
    that perspective does not change; `light` is a factor.
    """

    level: np.ndarray
    along: np.ndarray
    depth: np.ndarray
    light: float


class Scene:
    """A street seen along its middle, painted from the back to the front as a photograph.

    Lengths are in units of the image's height, so that x runs from 0 to `width / height`;
    y runs downwards. `depth` is 0 at the camera and 1 at the horizon.
    """

    def __init__(self, rng, size):
        self.rng = rng
        height, width = size
        self.right = width / height
        self.pixel = 1 / height
        self.y, self.x = np.meshgrid(
            (np.arange(height) + 0.5) / height,
            (np.arange(width) + 0.5) / height,
            indexing="ij",
        )
        self.horizon = rng.uniform(0.42, 0.52)
        self.vanishing = self.right * rng.uniform(0.4, 0.6)
        self.color = np.zeros((height, width, 3))
        self.depth = np.ones((height, width))
        self.classes = np.zeros((height, width), np.uint8)
        self.sun = rng.choice([-1.0, 1.0])  # the side of the street that lies in the light

    def finished(self, cars=True):
        self._sky()
        self._ground()
        for side in (-1, 1):
            self._buildings(side)
        objects = [(d, self._tree) for d in self.rng.uniform(0.1, 0.75, self.rng.integers(2, 6))]
        if cars:
            count = self.rng.integers(1, 4)
            objects += [(d, self._car) for d in self.rng.uniform(0.05, 0.65, count)]
        for depth, draw in sorted(objects, key=lambda each: -each[0]):
            draw(depth)
        return self._exposed(), self.classes

    def _paint(self, where, what, color, depth):
        """Colors are in [0, 1], of shape (3,) or (height, width, 3)."""
        np.copyto(self.color, color, where=where[..., None])
        np.copyto(self.classes, what, where=where)
        np.copyto(self.depth, depth, where=where)

    def _noise(self, cells, octaves=1):
        """Smooth noise in [0, 1]: `cells` bumps to the height of the image, and finer ones."""
        total = weight = 0.0
        for octave in range(octaves):
            n = cells * 2**octave
            grid = self.rng.random((n + 2, int(n * self.right) + 3))
            row, column = self.y[:, :1] * n, self.x[0] * n
            i, j = row[:, 0].astype(int), column.astype(int)
            u, v = row - i[:, None], column - j
            lines = grid[i] * (1 - u) + grid[i + 1] * u
            total = total + (lines[:, j] * (1 - v) + lines[:, j + 1] * v) * 0.5**octave
            weight += 0.5**octave
        return total / weight

    def _sky(self):
        rng = self.rng
        height = np.clip(self.y / self.horizon, 0, 1)[..., None]
        zenith = np.array([0.25, 0.5, 0.85]) + rng.uniform(-0.08, 0.08, 3)
        low = np.array([0.75, 0.85, 0.95]) + rng.uniform(-0.08, 0.05, 3)
        sky = zenith * (1 - height) + low * height
        clouds = np.clip((self._noise(4, 3) - rng.uniform(0.45, 0.7)) * 4, 0, 1)[..., None]
        self.haze = low
        self._paint(self.y >= 0, _SKY, sky * (1 - clouds) + 0.95 * clouds, 1.0)

    def _ground(self):
        rng = self.rng
        below = self.y > self.horizon
        nearness = np.clip((self.y - self.horizon) / (1 - self.horizon), 1e-3, 1)
        across = (self.x - self.vanishing) / nearness  # as if seen at the lower border
        depth = 1 - nearness

        shade = rng.uniform(0.6, 0.75) * np.array([1.0, 0.95, 0.88])
        joints = (np.mod(across, 0.12) < 0.015) | (np.mod(0.4 / nearness, 0.5) < 0.07)
        paving = shade * (1 - 0.18 * joints + 0.1 * self._noise(24))[..., None]
        self._paint(below, _SIDEWALK, paving, depth)

        self.kerb = rng.uniform(0.32, 0.45) * max(self.right, 0.8)
        gray = rng.uniform(0.25, 0.38)
        asphalt = (gray + 0.12 * (self._noise(40) - 0.5))[..., None] * np.array([1.0, 1.0, 1.05])
        dashes = (np.abs(across) < 0.025) & (np.mod(0.5 / nearness, 1.0) < 0.5)
        edges = np.abs(np.abs(across) - 0.92 * self.kerb) < 0.014
        asphalt = np.where((dashes | edges)[..., None], 0.85, asphalt)
        self._paint(below & (np.abs(across) < self.kerb), _ROAD, asphalt, depth)

    def _ground_line(self, depth):
        """Where something at `depth` stands, and how large a length of 1 is there."""
        scale = 1 - depth
        return self.horizon + scale * (1 - self.horizon), scale

    def _buildings(self, side):
        """A wall of houses along the sidewalk, in perspective."""
        rng = self.rng
        setback = self.kerb + rng.uniform(0.2, 0.3)
        scale = side * (self.x - self.vanishing) / setback  # of a length of 1, at the wall
        seen = scale > 0.03
        scale = np.maximum(scale, 0.03)
        wall = _Wall(
            level=(self.horizon - self.y) / scale,
            along=1 / scale,
            depth=np.clip(1 - scale, 0, 1),
            light=1.1 if side == self.sun else 0.8,
        )
        begin = 0.03
        while begin < scale.max():
            end = begin * rng.uniform(1.5, 2.2)
            house = seen & (scale >= begin) & (scale < end) & (wall.level > self.horizon - 1)
            rng.choice([self._brick, self._glass, self._plastered, self._concrete])(house, wall)
            begin = end

    def _facade(self, house, wall, height, color):
        color = np.clip(color * wall.light, 0, 1)
        self._paint(house & (wall.level < height), _BUILDING, color, wall.depth)

    def _windows(self, house, wall, height, storey, share, glass):
        row = np.mod(wall.level - height, storey) / storey
        column = np.mod(wall.along * 2.5, 1)
        half = share / 2
        panes = (np.abs(column - 0.5) < half) & (np.abs(row - 0.5) < half)
        # Far away they are smaller than a pixel.
        near = wall.along * self.pixel < 0.12 * storey
        where = house & near & panes & (wall.level < height)
        np.copyto(self.color, glass, where=where[..., None])

    def _brick(self, house, wall):
        height = self.rng.uniform(0.4, 0.8)
        color = np.array([0.58, 0.3, 0.24]) + self.rng.uniform(-0.08, 0.08, 3)
        courses = 0.92 + 0.08 * (np.mod(wall.level, 0.03) > 0.01)
        color = color * (courses * (0.9 + 0.2 * self._noise(32)))[..., None]
        self._facade(house, wall, height, color)
        self._windows(house, wall, height, 0.2, 0.5, (0.3, 0.25, 0.26))

    def _glass(self, house, wall):
        height = self.rng.uniform(0.7, 1.1)
        color = np.array([0.36, 0.44, 0.5]) + self.rng.uniform(-0.05, 0.05, 3)
        color = color * (0.8 + 0.4 * self._noise(6))[..., None]
        self._facade(house, wall, height, color)
        self._windows(house, wall, height, 0.14, 0.75, (0.28, 0.36, 0.44))

    def _concrete(self, house, wall):
        height = self.rng.uniform(0.35, 0.9)
        color = self.rng.uniform(0.48, 0.62) * np.array([1.0, 0.94, 0.84])
        color = color * (0.9 + 0.2 * self._noise(16))[..., None]
        self._facade(house, wall, height, color)
        self._windows(house, wall, height, 0.18, 0.6, (0.33, 0.33, 0.34))

    def _plastered(self, house, wall):
        """A small house under a tiled roof."""
        height = self.rng.uniform(0.3, 0.5)
        tiles = np.array([0.5, 0.24, 0.18]) * (0.85 + 0.3 * self._noise(32))[..., None]
        self._facade(house, wall, height + 0.14, tiles)
        color = np.array([0.8, 0.7, 0.52]) + self.rng.uniform(-0.1, 0.05, 3)
        color = color * (0.95 + 0.1 * self._noise(24))[..., None]
        self._facade(house, wall, height, color)
        self._windows(house, wall, height, 0.22, 0.45, (0.4, 0.33, 0.28))

    def _tree(self, depth):
        rng = self.rng
        foot, scale = self._ground_line(depth)
        side = rng.choice([-1, 1])
        middle = self.vanishing + side * (self.kerb + rng.uniform(0.08, 0.2)) * scale
        radius, tall = rng.uniform(0.2, 0.3) * scale, rng.uniform(0.45, 0.65) * scale
        trunk = (np.abs(self.x - middle) < 0.035 * scale) & (self.y < foot) & (self.y > foot - tall)
        self._paint(trunk, _TREE, (0.3, 0.21, 0.14), depth)
        leaves = np.array([0.2, 0.42, 0.14]) + rng.uniform(-0.06, 0.06, 3)
        leaves = leaves * (0.6 + 0.8 * self._noise(28, 2))[..., None]
        narrow = rng.choice([0.7, 1.0])  # a poplar or a lime
        away = np.hypot((self.x - middle) / narrow, self.y - (foot - tall))
        crown = away < radius * (0.8 + 0.4 * self._noise(14))
        shade = np.clip(0.95 - 0.35 * (self.y - (foot - tall)) / radius, 0.6, 1.3)
        self._paint(crown, _TREE, leaves * shade[..., None], depth)

    def _car(self, depth):
        rng = self.rng
        foot, scale = self._ground_line(depth)
        lane = rng.choice([-1, 1]) * self.kerb * rng.uniform(0.4, 0.62)
        middle = self.vanishing + lane * scale
        half, tall = 0.17 * scale, rng.uniform(0.2, 0.26) * scale
        x, y = (self.x - middle) / half, (foot - self.y) / tall  # y upwards, body in [-1, 1]
        paint = np.array(_CAR_PAINTS[rng.integers(len(_CAR_PAINTS))]) + rng.uniform(-0.05, 0.05, 3)
        body = (np.abs(x) < 1) & (y > 0.12) & (y < 0.62)
        cabin = (np.abs(x) < 0.85 - 0.35 * (y - 0.6)) & (y >= 0.62) & (y < 1)
        wheels = (np.abs(np.abs(x) - 0.75) < 0.17) & (y > 0) & (y < 0.3)
        self._paint(wheels, _CAR, (0.06, 0.06, 0.07), depth)
        self._paint(body | cabin, _CAR, paint * (0.8 + 0.3 * y)[..., None], depth)
        self.color[cabin & (np.abs(x) < 0.68) & (y < 0.92)] = (0.12, 0.14, 0.18)
        self.color[body & (np.abs(np.abs(x) - 0.8) < 0.12) & (y > 0.4)] = (0.95, 0.92, 0.75)

    def _exposed(self):
        """Haze, light and the camera's noise."""
        rng = self.rng
        haze = (rng.uniform(0.0, 0.45) * np.clip(self.depth, 0, 1) ** 2)[..., None]
        haze = np.where((self.classes == _SKY)[..., None], 0, haze)
        color = self.color * (1 - haze) + self.haze * haze
        tint = rng.uniform(0.85, 1.1) * (1 + rng.uniform(-0.06, 0.06, 3))
        color = color * tint + rng.normal(0, 0.015, color.shape)
        return np.uint8(np.clip(color, 0, 1) * 255)


_CAR_PAINTS = ((0.8, 0.1, 0.1), (0.95, 0.95, 0.95), (0.1, 0.2, 0.7), (0.95, 0.75, 0.1))
