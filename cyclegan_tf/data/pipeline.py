"""From two sources of images to training elements; each is a pure function of (seed, number)."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from cyclegan_tf.data import image_files
from cyclegan_tf.errors import InputError
from cyclegan_tf.pixels import to_float, to_uint8
from cyclegan_tf.preprocessing import Preprocessing, by_domain

_DOMAIN_A, _DOMAIN_B = range(2)
# Streams of random numbers, and within that of an element.
_DRAW, _ELEMENT = range(2)
_CROP, _FLIP = range(2)


@dataclasses.dataclass(frozen=True)
class Source:
    """A collection of images, loaded by index.

    Attributes:
        name: for messages.
        load: from an index and the `(height, width)` that the pipeline will resize to, to uint8
            pixels `(height, width, channels)`; it may use the size to decode less. With `depth`,
            to float32 in [-1, 1].
        sizes: `(height, width)` of each image.
        names: of each image, if it has one; by these and the sizes a resumed run notices that
            its images have changed.
        depth: `cyclegan_tf.data.deep_sources.Depth` if images have more than 8 bits.
    """

    name: str
    load: Callable[[int, tuple[int, int]], np.ndarray]
    sizes: Sequence[tuple[int, int]]
    names: Sequence[str] = ()
    depth: object = None

    def __len__(self):
        return len(self.sizes)

    def described(self, number):
        """What messages call the image with this number."""
        return f"{self.names[number] if self.names else number} of {self.name}"

    def pixels(self, number, size):
        """What `load` gives, as uint8 in any case and of that size."""
        loaded = image_files.resize(self.load(number, size), *size)
        return loaded if self.depth is None else to_uint8(loaded)

    def subset(self, numbers):
        """A source with only the images of these numbers, in this order."""
        return dataclasses.replace(
            self,
            load=lambda number, size: self.load(numbers[number], size),
            sizes=[self.sizes[number] for number in numbers],
            names=[self.names[number] for number in numbers] if self.names else (),
        )


# No data-dependent control flow here; skipping AutoGraph saves about a second.
_plain = tf.autograph.experimental.do_not_convert


def dataset(
    source_a,
    source_b,
    preprocessing,
    *,
    training,
    paired=False,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Batches of an image of each domain: at random for `fit`, or in order for `evaluate`.

    An epoch has max(|A|, |B|) elements. In training, A runs through a permutation and B is drawn
    independently of it, so that each pass over the data set gives other elements. The second pass
    is the second epoch; reading only the first batch counts as a pass. `fit` of this package's
    systems counts its own epochs instead. Without training, pair k consists of the k-th images,
    with no randomness.

    With `paired`, the two images of a pair show the same scene from edge to edge and share the
    index, the crop and the flip; A runs through the same permutation as without. Before the crop
    the two must have the same size. `"resize_and_crop"` always ensures that, `"scale_width"` and
    `"scale_width_and_crop"` do if the aspect ratios are equal. For `"crop"` the files must have
    the same size, and for `"none"` the same up to the rounding to multiples of 4.

    Args:
        source_a, source_b: the two `Source`s.
        preprocessing: a `Preprocessing`.
        training: draw, crop and flip at random.
        paired: the k-th images of both sources show the same scene.
        batch_size: elements in a batch, over all replicas together; what does not fill a batch at
            the end of an epoch is left out in training.
        steps_per_epoch: batches in an epoch of training, if not the number that fits.
        seed: of everything that is drawn.
        first_epoch: 0-based number of the epoch to begin with.

    Returns:
        A `tf.data.Dataset` of `(image_a, image_b)`, each float32 `(batch, height, width,
        channels)` in [-1, 1], with the number of batches in an epoch as its cardinality. Its
        attribute `paired` is that argument; in training, `elements` holds the same data as
        `Elements`, and without it `counts` is the number of images of A and of B, of which the
        smaller repeats.

    Raises:
        InputError: an argument out of range; images are too small for the crop or differ in size
            in a batch; paired sources differ in number, or the images of a pair in size.
    """
    if batch_size < 1:
        raise InputError(f"batch_size must be at least 1. Received: {batch_size}")
    if not training:
        preprocessing = preprocessing.without_augmentation()
    sources = (source_a, source_b)
    if paired:
        _check_paired(sources, preprocessing)
    shapes = tuple(
        _shape(source, preprocessing, channels, batch_size)
        for source, channels in zip(sources, by_domain(preprocessing.channels))
    )
    if training:
        by_number = Elements(
            sources, shapes, preprocessing, batch_size, steps_per_epoch, seed, first_epoch, paired
        )
        dataset = by_number.epochs()
        dataset.elements = by_number
    else:
        dataset = _in_order(sources, shapes, preprocessing, batch_size)
        dataset.counts = tuple(map(len, sources))
    dataset.paired = paired
    return dataset


def _check_paired(sources, preprocessing):
    """Raises an InputError if images with the same number cannot be a pair."""
    source_a, source_b = sources
    if len(source_a) != len(source_b):
        raise InputError(
            "Paired data need an image of B for each image of A. Received: "
            f"{len(source_a)} of {source_a.name}, {len(source_b)} of {source_b.name}"
        )
    for number, (size_a, size_b) in enumerate(zip(source_a.sizes, source_b.sizes)):
        if preprocessing.resized(size_a) != preprocessing.resized(size_b):
            raise InputError(
                f"Image {source_a.described(number)} has {size_a[1]} x {size_a[0]} pixels and "
                f"image {source_b.described(number)} has {size_b[1]} x {size_b[0]}; expected the "
                f"images of a pair to have one size after preprocess={preprocessing.mode!r}, "
                "before a crop. Resize one of them or use 'resize_and_crop'."
            )


def _in_order(sources, shapes, preprocessing, batch_size):
    counts = [len(source) for source in sources]

    @_plain
    def element(k):
        return tuple(
            _image(source, k % count, preprocessing, shape)
            for source, count, shape in zip(sources, counts, shapes)
        )

    numbers = tf.data.Dataset.range(max(counts))
    dataset = numbers.map(element, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    return _prefetched(dataset.batch(batch_size))


def _prefetched(dataset):
    """Makes batches ahead, on all cores but without tf.data's autotuning.

    Whoever frees an iterator waits for the thread of that, which sleeps for up to a minute.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.prefetch(2).with_options(options)


@dataclasses.dataclass(frozen=True)
class Elements:
    """Training elements by number, so that training can start anywhere and be distributed.

    Element k is a pure function of (seed, k). Step s of epoch e is made of `batch_size` of them,
    from number `e * elements_per_epoch + s * batch_size` on; e and s are 0-based.

    Attributes:
        sources: the `Source`s of A and B.
        shapes: `(height, width, channels)` of a training image of each; `None` for what varies.
        preprocessing: a `Preprocessing`.
        batch_size: elements in a step.
        given_steps: steps in an epoch; `None` for as many as the larger domain fills.
        seed: of everything that is drawn.
        first_epoch: that `epochs` and `fit` begin with; if it is 0, `fit` begins with its
            `initial_epoch`.
        paired: the two images of a pair share the index, the crop and the flip.
    """

    sources: tuple
    shapes: tuple
    preprocessing: Preprocessing
    batch_size: int
    given_steps: int | None
    seed: int
    first_epoch: int = 0
    paired: bool = False

    def __post_init__(self):
        if self.given_steps is not None and self.given_steps < 1:
            raise InputError(f"steps_per_epoch must be at least 1. Received: {self.given_steps}")
        if not self.steps_per_epoch:
            raise InputError(
                f"A batch of {self.batch_size} needs as many images; there are {self._count}."
            )

    @property
    def _count(self):
        return max(map(len, self.sources))

    @property
    def steps_per_epoch(self):
        return self.given_steps or self._count // self.batch_size

    @property
    def elements_per_epoch(self):
        return self.given_steps * self.batch_size if self.given_steps else self._count

    def fingerprint(self):
        """What pair k depends on, as JSON values: the images as their number and a checksum.

        Images with the same name and size are considered equal.
        """
        preprocessing = dataclasses.asdict(self.preprocessing)
        fingerprint = {
            # Compared with what was read from JSON, which has only lists.
            "preprocessing": json.loads(json.dumps(preprocessing)),
            "seed": self.seed,
            "first_epoch": self.first_epoch,
            "paired": self.paired,
        }
        for domain, source in zip("AB", self.sources):
            images = json.dumps([list(source.names), np.asarray(source.sizes).tolist()])
            fingerprint[f"number of images of domain {domain}"] = len(source)
            fingerprint[f"checksum of names and sizes of domain {domain}"] = hashlib.sha256(
                images.encode()
            ).hexdigest()
        return fingerprint

    def epochs(self):
        """A data set of which each pass is an epoch, beginning with `first_epoch`."""
        epoch = tf.Variable(self.first_epoch, dtype=tf.int64, trainable=False, name="epoch")
        steps = self.steps_per_epoch

        @_plain
        def this_epoch(_):
            following = epoch.assign_add(1)
            return tf.data.Dataset.range((following - 1) * steps, following * steps)

        numbers = tf.data.Dataset.from_tensors(0).flat_map(this_epoch)
        dataset = self._batches(numbers).apply(tf.data.experimental.assert_cardinality(steps))
        dataset = _prefetched(dataset)
        dataset.epoch = epoch  # a data set does not keep captured variables alive
        return dataset

    def from_step(self, first_epoch=0, first_step=0, *, worker=0, workers=1, replicas=1):
        """The batches from a step on, without end; or a worker's share of each.

        Args:
            first_epoch, first_step: of the first batch, 0-based.
            worker, workers: this worker's number, and how many share each step equally.
            replicas: of all workers together; a batch is what one of them takes in a step.
        """
        steps = self.steps_per_epoch
        numbers = tf.data.Dataset.range(first_epoch * steps + first_step, tf.int64.max)
        return _prefetched(self._batches(numbers, worker, workers, replicas))

    def _batches(self, numbers, worker=0, workers=1, replicas=1):
        """Batches of the steps with the given numbers, counted from the beginning of training."""
        if self.batch_size % replicas:
            raise InputError(
                f"A batch of {self.batch_size} images cannot be shared by {replicas} replicas; "
                "make batch_size a multiple of their number."
            )
        share = self.batch_size // workers

        @_plain
        def element_numbers(step):
            epoch, step = step // self.steps_per_epoch, step % self.steps_per_epoch
            first = epoch * self.elements_per_epoch + step * self.batch_size + worker * share
            return tf.data.Dataset.range(first, first + share)

        elements = numbers.flat_map(element_numbers).map(
            self._element, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
        )
        return elements.batch(self.batch_size // replicas, drop_remainder=True)

    @_plain
    def _element(self, k):
        drawn = _draw(k, *map(len, self.sources), self.seed)
        streams = (_DOMAIN_A, _DOMAIN_B)
        if self.paired:  # B follows A in everything random
            drawn, streams = drawn[:1] * 2, streams[:1] * 2
        return tuple(
            _image(source, index, self.preprocessing, shape, _key(self.seed, _ELEMENT, stream, k))
            for source, index, shape, stream in zip(self.sources, drawn, self.shapes, streams)
        )


def _key(seed, *numbers):
    key = tf.constant([seed % 2**31, 0], tf.int32)
    for number in numbers:
        key = tf.random.experimental.stateless_fold_in(key, tf.cast(number, tf.int32))
    return key


def _draw(k, count_a, count_b, seed):
    """The numbers of the two images of training pair k."""
    # A: another permutation for each run through it. B: with replacement.
    key = _key(seed, _DRAW, _DOMAIN_A, k // count_a)
    index_a = tf.random.experimental.index_shuffle(k % count_a, key, count_a - 1)
    index_b = tf.random.stateless_uniform(
        (), _key(seed, _DRAW, _DOMAIN_B, k), maxval=count_b, dtype=tf.int64
    )
    return index_a, index_b


def _image(source, index, preprocessing, shape, key=None):
    """Loads, resizes, crops, flips and scales one image; randomly if `key` is given."""

    def load(number):
        size = preprocessing.resized(source.sizes[number])
        return image_files.resize(source.load(int(number), size), *size)

    dtype = tf.uint8 if source.depth is None else tf.float32
    image = tf.numpy_function(load, [index], dtype, stateful=False)
    image.set_shape((None, None, shape[-1]))
    if preprocessing.crops:
        image = _crop(image, preprocessing.crop_size, key)
    if preprocessing.flip:
        mirror = tf.random.stateless_uniform((), _fold(key, _FLIP)) < 0.5
        image = tf.where(mirror, image[:, ::-1], image)
    image.set_shape(shape)
    return to_float(image) if source.depth is None else image


def _crop(image, size, key):
    room = tf.shape(image)[:2] - size
    if key is not None:
        share = tf.random.stateless_uniform((2,), _fold(key, _CROP))
        corner = tf.cast(tf.floor(share * tf.cast(room + 1, tf.float32)), tf.int32)
    else:
        corner = room // 2
    return image[corner[0] : corner[0] + size, corner[1] : corner[1] + size]


def _fold(key, stream):
    return tf.random.experimental.stateless_fold_in(key, stream)


def _shape(source, preprocessing, channels, batch_size):
    """The final static shape of a source's images; raises an InputError if there is none."""
    if preprocessing.crops:
        for number, size in enumerate(source.sizes):
            if min(preprocessing.resized(size)) < preprocessing.crop_size:
                raise InputError(
                    f"Image {source.described(number)} has {size[1]} x {size[0]} pixels, too few "
                    f"for a crop of {preprocessing.crop_size} with "
                    f"preprocess={preprocessing.mode!r}; make crop_size smaller or use "
                    "'resize_and_crop'."
                )
    finals = {preprocessing.final(size) for size in source.sizes}
    if len(finals) == 1:
        return *finals.pop(), channels
    if batch_size > 1:
        raise InputError(
            f"The images of {source.name} have different sizes, so that a batch can hold only "
            f"one with preprocess={preprocessing.mode!r}; use 'resize_and_crop' or a batch_size "
            f"of 1. Received: batch_size={batch_size}"
        )
    return None, None, channels
