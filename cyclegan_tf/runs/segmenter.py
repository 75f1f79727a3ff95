"""A segmenter, by which photographs that were made from label maps are scored.

The paper's measure of labels→photo (arXiv 1703.10593, 5.1.1): a network that was trained on real
photographs and their classes looks for the classes in generated ones. What it finds there is what
one can recognize.
"""

import dataclasses
import functools
import hashlib
import io
import pathlib
import time
import zipfile
import zlib

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.networks import segmenter as networks
from cyclegan_tf.pixels import to_float
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES

_PAIRS = 300  # of a built-in source
_STEPS = 200
_RATE = 3e-3  # of Adam, falling to 0 along a cosine
_MOST_AT_ONCE = 16
_PIXELS_OF_A_STEP = 16 * 64 * 64  # so that a training takes as long for larger images


@dataclasses.dataclass(frozen=True, eq=False)
class Segmenter:
    """A trained network that finds classes in photographs. Made by `segmenter`.

    Attributes:
        network: from images in [-1, 1], whose sides are multiples of 4, to logits.
        classes: their number.
        channels: of the photographs.
        checksum: SHA-256 of all that the weights depend on, in hexadecimal digits.
        trained_on: digests of the photographs.
    """

    network: keras.Model = dataclasses.field(repr=False)
    classes: int
    channels: int
    checksum: str
    trained_on: frozenset = dataclasses.field(repr=False)

    def classes_of(self, photographs):
        """The class of each pixel.

        Args:
            photographs: uint8 `(count, height, width, channels)`.

        Returns:
            int64 `(count, height, width)`.

        Raises:
            ValueError: other images.
        """
        _check_photographs(photographs)
        if photographs.shape[-1] != self.channels:
            raise ValueError(
                f"Expected photographs of {self.channels} channels. Received: {photographs.shape}"
            )
        height, width = photographs.shape[1:3]
        images, at_once = _padded(photographs), _at_once(photographs)
        found = [
            self._find(to_float(images[start : start + at_once])).numpy()
            for start in range(0, len(images), at_once)
        ]
        return np.concatenate(found)[:, :height, :width]

    @functools.cached_property
    def _find(self):
        signature = [tf.TensorSpec((None, None, None, self.channels), tf.float32)]
        return tf.function(
            lambda images: tf.argmax(self.network(images, training=False), -1),
            autograph=False,
            input_signature=signature,
        )

    def check_unseen(self, photographs):
        """Raises an `InputError` if it was trained on one of these photographs."""
        seen = len(self.trained_on & _digests(photographs))
        if seen:
            raise InputError(
                f"The segmenter was trained on {seen} of the photographs to score on, which it "
                "would find too easy; train it on others."
            )


def segmenter(photographs, classes, count, *, steps=_STEPS, seed=0, log=lambda line: None):
    """A segmenter that is trained on photographs of known classes; about a minute on two cores.

    It is kept in the cache folder (`CYCLEGAN_TF_CACHE`, by default `cyclegan_tf` in the user's),
    and trained anew if one of the images, of the classes, the seed or the code is another one.

    Args:
        photographs: uint8 `(count, height, width, channels)`, of the training images.
        classes: integers `(count, height, width)`, the class of each pixel.
        count: of the classes, which are numbered from 0 on.
        steps: of the training, of up to 16 photographs each.
        seed: an integer >= 0, of the initial weights and the order of the photographs.
        log: called with lines for the user.

    Returns:
        A `Segmenter`.

    Raises:
        ValueError: arrays of other shapes or types, or numbers out of range.
    """
    photographs, classes = np.asarray(photographs), np.asarray(classes)
    _check(photographs, classes, count, steps, seed)
    channels = photographs.shape[-1]
    with dtype_policy("float32"):
        network = networks.segmenter_network(channels, count, seed=seed)
    checksum = _checksum(photographs, classes, count, steps, seed)
    path = files.cache_folder() / f"segmenter-{checksum[:16]}.npz"
    if not _read(path, network, log):
        _train(network, photographs, classes, steps, seed, log)
        _keep(path, network, log)
    return Segmenter(network, count, channels, checksum, _digests(photographs))


def segmenter_of(source, image_size, log):
    """A `Segmenter` of a built-in source, from scenes or places that are never held back.

    It is the same one for runs of all seeds, so that their scores compare.

    Args:
        source: one of `BUILT_IN_SOURCES`.
        image_size: of the photographs.
        log: as of `segmenter`.
    """
    built_in = BUILT_IN_SOURCES[source]
    images_a, images_b, classes = built_in.pairs(_PAIRS, image_size, split="train")
    photographs = images_b if built_in.domain_of_maps == "a" else images_a
    return segmenter(photographs, classes, len(built_in.colors), log=log)


def _train(network, photographs, classes, steps, seed, log):
    log(
        f"Training a segmenter on {len(photographs)} photographs and their classes, {steps} "
        "steps: about a minute on two cores."
    )
    begin = time.perf_counter()
    at_once = _at_once(photographs)
    photographs, classes = _padded(photographs), _padded(classes)
    schedule = keras.optimizers.schedules.CosineDecay(_RATE, steps)
    network.compile(
        keras.optimizers.Adam(schedule),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        numbers = rng.integers(len(photographs), size=at_once)
        mirrored = slice(None, None, rng.choice([-1, 1]))
        images, truth = (each[numbers][:, :, mirrored] for each in (photographs, classes))
        loss = network.train_on_batch(to_float(images), truth)
    seconds = time.perf_counter() - begin
    log(f"Trained in {seconds:.0f} s; the cross-entropy of the last step is {loss:.3f}.")


def _at_once(images):
    """How many images are computed at once."""
    return int(np.clip(_PIXELS_OF_A_STEP // np.prod(images.shape[1:3]), 1, _MOST_AT_ONCE))


def _padded(images):
    """Images or classes with repeated borders, so that the network takes them."""
    missing = [(0, -side % networks.MULTIPLE) for side in images.shape[1:3]]
    return np.pad(images, [(0, 0), *missing, *[(0, 0)] * (images.ndim - 3)], mode="edge")


def _checksum(photographs, classes, count, steps, seed):
    """Of all that the weights depend on; also of this code and the network's."""
    digest = hashlib.sha256()
    for module in (__file__, networks.__file__):
        digest.update(pathlib.Path(module).read_bytes())
    digest.update(repr((photographs.shape, count, steps, seed)).encode())
    digest.update(np.ascontiguousarray(photographs))
    digest.update(np.ascontiguousarray(classes, np.int64))
    return digest.hexdigest()


def _digests(photographs):
    return frozenset(hashlib.sha256(np.ascontiguousarray(each)).digest() for each in photographs)


def _read(path, network, log):
    """Takes the weights of a file, if there is an intact one; returns whether it did."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    try:
        if zipfile.ZipFile(io.BytesIO(content)).testzip():
            raise ValueError
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            weights = [arrays[str(number)] for number in range(len(network.weights))]
        if [each.shape for each in weights] != [tuple(each.shape) for each in network.weights]:
            raise ValueError
    except (ValueError, KeyError, EOFError, RuntimeError, OSError, zipfile.BadZipFile, zlib.error):
        log(f"{path} is damaged; it is made again.")
        return False
    network.set_weights(weights)
    log(f"The segmenter is that of an earlier training: {path}.")
    return True


def _keep(path, network, log):
    arrays = {str(number): array for number, array in enumerate(network.get_weights())}
    try:
        with files.atomic_file(path) as beside:
            np.savez(beside, **arrays)
    except (OSError, InputError) as error:  # it serves this time
        log(f"The segmenter could not be kept, so the next one is trained too: {error}")


def _check_photographs(photographs):
    if photographs.ndim != 4 or photographs.dtype != np.uint8 or not photographs.size:
        raise ValueError(
            "Expected uint8 photographs (count, height, width, channels), at least one. "
            f"Received: {photographs.dtype} {photographs.shape}"
        )


def _check(photographs, classes, count, steps, seed):
    _check_photographs(photographs)
    if classes.shape != photographs.shape[:3] or classes.dtype.kind not in "iu":
        raise ValueError(
            f"Expected classes as integers {photographs.shape[:3]}, one for each pixel of the "
            f"photographs. Received: {classes.dtype} {classes.shape}"
        )
    if count < 2 or not 0 <= classes.min() <= classes.max() < count:
        raise ValueError(
            "Expected classes from 0 to below count, which is at least 2. "
            f"Received: {classes.min()} to {classes.max()}, count={count}"
        )
    if not isinstance(steps, (int, np.integer)) or steps < 1:
        raise ValueError(f"steps must be an integer, and at least 1. Received: {steps!r}")
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ValueError(f"seed must be an integer, and not negative. Received: {seed!r}")
