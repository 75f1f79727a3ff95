"""The Inception network of the Fréchet Inception distance, from the file that pytorch-fid reads.

Szegedy et al. 2016, arXiv 1512.00567, as TensorFlow published it on December 5, 2015 and Heusel et
al. 2017, arXiv 1706.08500, took it for the distance. It differs from other networks of that name in
weights and pooling: a mean over 3x3 positions leaves those outside the image out, and the last
block has a maximum in its place.
"""

import functools

import keras

from cyclegan_tf.networks.published_state import PublishedState
from cyclegan_tf.torch_files import read_state

FILE = "pt_inception-2015-12-05-6726825d.pth"
IMAGE_SIZE = 299
MAPS = ("Mixed_5d", "Mixed_6e", "Mixed_7c")

_CLASSES = 1008  # of the classifier, which the distance does not use


def inception(path, content=None):
    """The network with the weights of a file, which never change.

    Args:
        path: of `pt_inception-2015-12-05-6726825d.pth`, or of another file with arrays of the same
            names and shapes.
        content: the bytes of the file, if they have been read.

    Returns:
        A `keras.Model` from RGB images in [-1, 1], `(batch, 299, 299, 3)`, to a dictionary:
        `features` `(batch, 2048)`, known as pool3, 0 or more; and the maps `Mixed_5d`
        `(batch, 35, 35, 288)`, `Mixed_6e` `(batch, 17, 17, 768)` and `Mixed_7c`
        `(batch, 8, 8, 2048)`, 0 or more.

    Raises:
        InputError: there is no such file, or it holds another network.
    """
    state = PublishedState(read_state(path, content), path, f"{FILE} of pytorch-fid")
    convolve = functools.partial(_convolution, state)
    images = keras.Input((IMAGE_SIZE, IMAGE_SIZE, 3), dtype="float32")
    x = convolve(images, "Conv2d_1a_3x3", 32, (3, 3), strides=2, padding="valid")
    x = convolve(x, "Conv2d_2a_3x3", 32, (3, 3), padding="valid")
    x = convolve(x, "Conv2d_2b_3x3", 64, (3, 3))
    x = _halved(x)
    x = convolve(x, "Conv2d_3b_1x1", 80)
    x = convolve(x, "Conv2d_4a_3x3", 192, (3, 3), padding="valid")
    x = _halved(x)  # (batch, 35, 35, 192)
    outputs = {}
    for name, block, width in _BLOCKS:
        x = block(functools.partial(_part, convolve, name), x, width)
        if name in MAPS:
            outputs[name] = x
    outputs["features"] = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    state.take("fc.weight", (_CLASSES, x.shape[-1]))
    state.take("fc.bias", (_CLASSES,))
    state.check_that_all_is_taken()
    return keras.Model(images, outputs, name="inception")


def _convolution(state, x, name, filters, size=(1, 1), **options):
    x = state.convolution(x, (f"{name}.conv", f"{name}.bn"), filters, size, **options)
    return keras.layers.ReLU(dtype="float32")(x)


def _part(convolve, block, x, name, filters, size=(1, 1), **options):
    """A convolution of a block."""
    return convolve(x, f"{block}.{name}", filters, size, **options)


def _chain(part, x, name, *layers, **options):
    """Convolutions `NAME_1`, `NAME_2`, ..., each with its filters and size; `options` of the last.

    The names count from 1.
    """
    for number, layer in enumerate(layers, 1):
        x = part(x, f"{name}_{number}", *layer, **(options if number == len(layers) else {}))
    return x


def _halved(x):
    return keras.layers.MaxPooling2D(3, 2, dtype="float32")(x)


def _mean(x):
    """Over 3x3 positions; at the borders over those inside the image."""
    return keras.layers.AveragePooling2D(3, 1, "same", dtype="float32")(x)


def _maximum(x):
    return keras.layers.MaxPooling2D(3, 1, "same", dtype="float32")(x)


def _joined(*branches):
    return keras.layers.Concatenate(dtype="float32")(branches)


# Blocks: `part` makes their convolutions. Figures 5 to 7 of the paper. --------------------------


def _squares(part, x, pooled):
    return _joined(
        part(x, "branch1x1", 64),
        _chain(part, x, "branch5x5", (48,), (64, (5, 5))),
        _chain(part, x, "branch3x3dbl", (64,), (96, (3, 3)), (96, (3, 3))),
        part(_mean(x), "branch_pool", pooled),
    )


def _first_reduction(part, x, _):
    return _joined(
        part(x, "branch3x3", 384, (3, 3), strides=2, padding="valid"),
        _chain(
            part, x, "branch3x3dbl", (64,), (96, (3, 3)), (96, (3, 3)), strides=2, padding="valid"
        ),
        _halved(x),
    )


def _rows_and_columns(part, x, width):
    row, column = (1, 7), (7, 1)
    return _joined(
        part(x, "branch1x1", 192),
        _chain(part, x, "branch7x7", (width,), (width, row), (192, column)),
        _chain(
            part,
            x,
            "branch7x7dbl",
            (width,),
            (width, column),
            (width, row),
            (width, column),
            (192, row),
        ),
        part(_mean(x), "branch_pool", 192),
    )


def _second_reduction(part, x, _):
    seven = ((192,), (192, (1, 7)), (192, (7, 1)), (192, (3, 3)))
    return _joined(
        _chain(part, x, "branch3x3", (192,), (320, (3, 3)), strides=2, padding="valid"),
        _chain(part, x, "branch7x7x3", *seven, strides=2, padding="valid"),
        _halved(x),
    )


def _expanded(part, x, pool):
    single = part(x, "branch3x3_1", 384)
    double = _chain(part, x, "branch3x3dbl", (448,), (384, (3, 3)))
    return _joined(
        part(x, "branch1x1", 320),
        part(single, "branch3x3_2a", 384, (1, 3)),
        part(single, "branch3x3_2b", 384, (3, 1)),
        part(double, "branch3x3dbl_3a", 384, (1, 3)),
        part(double, "branch3x3dbl_3b", 384, (3, 1)),
        part(pool(x), "branch_pool", 192),
    )


_BLOCKS = (
    ("Mixed_5b", _squares, 32),
    ("Mixed_5c", _squares, 64),
    ("Mixed_5d", _squares, 64),
    ("Mixed_6a", _first_reduction, None),
    ("Mixed_6b", _rows_and_columns, 128),
    ("Mixed_6c", _rows_and_columns, 160),
    ("Mixed_6d", _rows_and_columns, 160),
    ("Mixed_6e", _rows_and_columns, 192),
    ("Mixed_7a", _second_reduction, None),
    ("Mixed_7b", _expanded, _mean),
    ("Mixed_7c", _expanded, _maximum),
)
