"""Extractors: named networks whose features tell how far apart two sets of images are.

A distance means nothing without the network it was taken with, the network's weights, and the way
images were resized; an extractor carries all three, and the names that its distances may have.
"""

import dataclasses
import functools
import hashlib
import re
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf.choices import INCEPTION_RESIZINGS
from cyclegan_tf.errors import InputError
from cyclegan_tf.metrics.resizing import resize_bicubic, resize_for_inception
from cyclegan_tf.networks import efficientnet_lite, inception
from cyclegan_tf.pixels import to_float
from cyclegan_tf.torch_files import content_of, is_of_name

NAMES = ("efficientnet-lite0", "inception-fid", "inception")

_BATCH = 32  # images at a time


@dataclasses.dataclass(frozen=True)
class Extractor:
    """A network that finds features in images. Made by `extractor`.

    Attributes:
        name: of the network and its weights.
        checksum: SHA-256 of the weights in hexadecimal digits; `None` if they are not known.
        image_size: side to which images are resized, in pixels; `None` leaves them.
        resizing: how; `None` if they are not resized.
        distance_names: of the Fréchet and of the kernel distance of its features.
        prepare: from uint8 images to what the network takes.
        find_features: from that to `(count, dimensions)`.
        find_maps: from that to a list of maps; `None` if there are none.
    """

    name: str
    checksum: str | None
    image_size: int | None
    resizing: str | None
    distance_names: tuple[str, str]
    prepare: Callable = dataclasses.field(repr=False)
    find_features: Callable = dataclasses.field(repr=False)
    find_maps: Callable | None = dataclasses.field(repr=False, default=None)

    @property
    def has_maps(self):
        return self.find_maps is not None

    def features(self, images):
        """The features of images.

        Args:
            images: uint8 `(count, height, width, channels)`, RGB or gray; or a list of
                images of one size.

        Returns:
            float32 `(count, dimensions)`.

        Raises:
            ValueError: other images, or the network finds something of another shape.
        """
        batches = [_array(self.find_features(batch)) for batch in self._batches(images)]
        for batch in batches:
            if batch.ndim != 2:
                raise ValueError(
                    f"Expected features (count, dimensions) of {self.name}. Received: {batch.shape}"
                )
        return np.concatenate(batches)

    def maps(self, images):
        """Maps within the network, for measures of structure.

        Args:
            images: as of `features`.

        Returns:
            A list of float32 arrays `(count, height, width, channels)`, one for each depth.

        Raises:
            ValueError: other images, or the network has no maps.
        """
        if not self.has_maps:
            raise ValueError(f"Expected an extractor with maps. Received: {self.name}")
        batches = [self.find_maps(batch) for batch in self._batches(images)]
        return [np.concatenate([_array(each) for each in maps]) for maps in zip(*batches)]

    def _batches(self, images):
        images = _rgb(images)
        for start in range(0, len(images), _BATCH):
            yield self.prepare(images[start : start + _BATCH])


def extractor(which, *, path=None, resizing=None, name=None):
    """An extractor of features.

    Args:
        which: `"efficientnet-lite0"`, EfficientNet-Lite0 with the weights of the extra `features`;
            `"inception-fid"`, the network of FID and KID; `"inception"`, the same with weights of
            another file, whose distances are never called so; or a network of one's own: a Keras
            model or another callable from float32 images in [-1, 1], `(count, height, width, 3)`,
            to `(count, dimensions)`. Images are resized to the square that a Keras model takes.
        path: of the file of weights, for the two of Inception. `"inception-fid"` takes only
            `pt_inception-2015-12-05-6726825d.pth`, which pytorch-fid publishes.
        resizing: for the two of Inception, as in `cyclegan_tf.metrics.resize_for_inception`:
            `"clean"` (also if it is `None`), `"legacy_pytorch"` or `"legacy_tensorflow"`. Each
            gives other distances.
        name: of a network of one's own: small letters, digits, `-` and `_`.

    Returns:
        An `Extractor`. Its distances are `"fid"` and `"kid"` with `"inception-fid"` alone.

    Raises:
        ImportError: the extra `features` is not installed.
        InputError: the file is missing or another one.
        ValueError: there is no such extractor, or an argument does not apply to it.
    """
    inceptions = NAMES[1:]
    if (path is not None) != (which in inceptions):
        raise ValueError(
            f"path is a file of weights, and goes with {' or '.join(inceptions)}. "
            f"Received: {which!r} and path={path!r}"
        )
    if resizing is not None and which not in inceptions:
        raise ValueError(
            f"resizing goes with {' or '.join(inceptions)}. "
            f"Received: {which!r} and resizing={resizing!r}"
        )
    if (name is not None) != callable(which):
        raise ValueError(
            "name goes with a network of one's own, which must have one. "
            f"Received: {which!r} and name={name!r}"
        )
    if which in inceptions:
        resizing = INCEPTION_RESIZINGS[0] if resizing is None else resizing
        return _inception(path, resizing, published=which == "inception-fid")
    if which == "efficientnet-lite0":
        return _efficientnet_lite0()
    if callable(which):
        return _of_ones_own(which, name)
    raise ValueError(
        f"Expected an extractor {', '.join(NAMES)}, or a Keras model. Received: {which!r}"
    )


@functools.cache  # to make and to trace it takes seconds, and nothing changes it
def _efficientnet_lite0():
    network = efficientnet_lite.efficientnet_lite0()
    side = efficientnet_lite.IMAGE_SIZE
    return Extractor(
        "efficientnet-lite0",
        efficientnet_lite.PACKAGED["sha256"],
        side,
        "bicubic",
        _distance_names("efficientnet-lite0"),
        functools.partial(resize_bicubic, side=side),
        _outputs(network, "features"),
        _outputs(network, efficientnet_lite.MAPS),
    )


def _inception(path, resizing, published):
    if resizing not in INCEPTION_RESIZINGS:
        raise ValueError(
            f"resizing must be one of {', '.join(INCEPTION_RESIZINGS)}. Received: {resizing!r}"
        )
    content = content_of(path)  # once, so that the checksum is that of the weights
    digest = hashlib.sha256(content).hexdigest()
    if published and not is_of_name(digest, inception.FILE):
        raise InputError(
            f"{path} is not {inception.FILE} of pytorch-fid, without which a distance is no FID: "
            f"its SHA-256 begins with {digest[:8]}; give that file, or use the extractor "
            "'inception', whose distances have another name."
        )
    network = inception.inception(path, content)
    name = "inception-fid" if published else f"inception-{digest[:8]}"
    return Extractor(
        name,
        digest,
        inception.IMAGE_SIZE,
        resizing,
        ("fid", "kid") if published else _distance_names(name),
        functools.partial(_prepare_for_inception, resizing=resizing),
        _outputs(network, "features"),
        _outputs(network, inception.MAPS),
    )


def _prepare_for_inception(images, resizing):
    """pytorch-fid maps 255 to 1; TensorFlow's graph, and clean-fid with it, to less than 1."""
    images = resize_for_inception(images, resizing)
    if resizing == "legacy_pytorch":
        return images / np.float32(127.5) - 1
    return (images - 128) / np.float32(128)


def _of_ones_own(network, name):
    if not re.fullmatch("[a-z0-9_-]+", name) or name in NAMES:
        raise ValueError(
            "name must consist of small letters, digits, - and _, and be none of "
            f"{', '.join(NAMES)}. Received: {name!r}"
        )
    side, checksum = None, None
    if isinstance(network, keras.Model):
        side, checksum = _side_of(network), _checksum_of(network)
        network = functools.partial(network, training=False)
    return Extractor(
        name,
        checksum,
        side,
        side and "bicubic",
        _distance_names(name),
        functools.partial(_prepare, side=side),
        network,
    )


def _prepare(images, side):
    """To [-1, 1]."""
    return to_float(images if side is None else resize_bicubic(images, side))


def _side_of(model):
    """The side of the images that a Keras model takes; `None` if they may have any size."""
    shape = getattr(model, "input_shape", (None,) * 4)  # none before the first call
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[1] != shape[2]:
        raise ValueError(f"Expected a model of square images, or of any size. Received: {shape}")
    return shape[1]


def _checksum_of(model):
    if not model.built:
        return None
    digest = hashlib.sha256()
    for array in model.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def distance_names(which):
    """The `distance_names` of an extractor by its name, without making it."""
    return ("fid", "kid") if which == "inception-fid" else _distance_names(which)


def _distance_names(name):
    name = name.replace("-", "_")
    return f"frechet_{name}", f"kernel_{name}"


def _outputs(network, names):
    """A function of the outputs of these names, compiled once for any count of images."""
    outputs = network.output
    wanted = outputs[names] if isinstance(names, str) else [outputs[name] for name in names]
    part = keras.Model(network.input, wanted)
    return tf.function(part, input_signature=[tf.TensorSpec(network.input_shape)])


def _array(tensor):
    return np.asarray(tensor, np.float32)


def _rgb(images):
    """uint8 images with three channels, checked."""
    sizes = list(dict.fromkeys(np.shape(image) for image in images))
    if len(sizes) > 1:
        raise ValueError(f"Expected images of one size. Received: {sizes[0]} and {sizes[1]}")
    images = np.asarray(images)
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or not images.size:
        raise ValueError(
            "Expected images (count, height, width, channels), of 1 or 3 channels. "
            f"Received: {images.shape}"
        )
    if images.dtype != np.uint8:
        raise ValueError(
            "Expected uint8 images; cyclegan_tf.pixels.to_uint8 makes them from [-1, 1]. "
            f"Received: {images.dtype}"
        )
    return np.broadcast_to(images, (*images.shape[:3], 3))
