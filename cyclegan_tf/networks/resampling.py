"""Halving and doubling the size of images without aliasing: layers without weights. Any size.

A strided convolution drops pixels, and what it shows then depends on which ones. Here the image is
blurred first (Zhang 2019, arXiv 1904.11486).
"""

import keras
import numpy as np
import tensorflow as tf

BORDERS = ("reflect", "replicate", "uncounted")


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class BlurDownsampling2D(keras.layers.Layer):
    """Blurs each channel and keeps every second row and column, beginning with the first.

    `BlurDownsampling2D()` is that of CUT; `BlurDownsampling2D((1, 1, 1), "uncounted")` is average
    pooling of 3x3 pixels with a stride of 2 and one row of padding that does not count.

    Args:
        taps: weights of neighbors along an axis, at least two; divided by their sum. The kernel is
            their outer product. With an odd number of them the middle one is of the pixel itself.
        border: what lies beyond it. `"reflect"`: the rows before the outermost one, mirrored;
            `"replicate"`: the outermost one; `"uncounted"`: nothing, so that a mean is taken of
            fewer pixels.

    Input shape: `(batch, height, width, channels)`; output shape: `(batch, ceil(height / 2),
    ceil(width / 2), channels)`.

    Raises:
        ValueError: an argument out of range.
    """

    def __init__(self, taps=(1, 2, 1), border="reflect", **kwargs):
        super().__init__(**kwargs)
        if len(taps) < 2 or min(taps) < 0 or not sum(taps):
            raise ValueError(f"taps must be two or more weights from 0 on. Received: taps={taps}")
        if border not in BORDERS:
            raise ValueError(
                f"border must be one of {', '.join(BORDERS)}. Received: border={border!r}"
            )
        self.taps = tuple(taps)
        self.border = border
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        # In float32 at least: TensorFlow's gradient in bfloat16 takes twice as long on processors.
        x = tf.cast(inputs, tf.float64 if self.compute_dtype == "float64" else tf.float32)
        blurred = self._blurred(x)
        if self.border == "uncounted":
            blurred = blurred / self._blurred(tf.ones_like(x[:1, :, :, :1]))
        return tf.cast(blurred, self.compute_dtype)

    def _blurred(self, x):
        x = self._padded(x)
        taps = np.array(self.taps) / sum(self.taps)
        kernel = np.tile(np.outer(taps, taps)[:, :, np.newaxis, np.newaxis], (1, 1, x.shape[-1], 1))
        return tf.nn.depthwise_conv2d(x, tf.constant(kernel, x.dtype), (1, 2, 2, 1), "VALID")

    def _padded(self, x):
        last = len(self.taps) - 1
        sides = (last // 2, last - last // 2)
        if self.border != "replicate":
            mode = "REFLECT" if self.border == "reflect" else "CONSTANT"
            return tf.pad(x, ((0, 0), sides, sides, (0, 0)), mode)
        for row in range(max(sides)):  # one at a time: of more, this mode would mirror
            one = [int(row < side) for side in sides]
            x = tf.pad(x, ((0, 0), one, one, (0, 0)), "SYMMETRIC")
        return x

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height and (height + 1) // 2, width and (width + 1) // 2, channels

    def get_config(self):
        return {**super().get_config(), "taps": self.taps, "border": self.border}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class BlurUpsampling2D(keras.layers.Layer):
    """Doubles height and width, then blurs by the taps 1, 3, 3, 1; the outermost row repeats.

    Zeros between all pixels and these taps, divided by 4, make `(x[i - 1] + 3 x[i]) / 4` and
    `(3 x[i] + x[i + 1]) / 4` of each pixel along an axis: it is linear interpolation, for which
    TensorFlow has a kernel that takes a third of the time.

    Input shape: `(batch, height, width, channels)`; output shape: `(batch, 2 * height, 2 * width,
    channels)`.
    """

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.input_spec = keras.layers.InputSpec(ndim=4)

    def call(self, inputs):
        if inputs.dtype == tf.float64:  # of which the kernel gives float32
            return _doubled(_doubled(inputs, 1), 2)
        sizes = self._sizes(inputs)
        # In float32: XLA has no gradient of it in half precision.
        outputs = tf.image.resize(tf.cast(inputs, tf.float32), sizes, "bilinear")
        outputs = tf.ensure_shape(outputs, self.compute_output_shape(inputs.shape))
        return tf.cast(outputs, inputs.dtype)

    def _sizes(self, inputs):
        if None in inputs.shape[1:3]:
            return 2 * tf.shape(inputs)[1:3]
        return [2 * size for size in inputs.shape[1:3]]

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        return batch, height and 2 * height, width and 2 * width, channels


def _doubled(x, axis):
    """`x` with twice as many rows (axis 1) or columns (axis 2), by the formula."""
    count = tf.shape(x)[axis]
    positions = tf.range(count)
    before = tf.gather(x, tf.maximum(positions - 1, 0), axis=axis)
    after = tf.gather(x, tf.minimum(positions + 1, count - 1), axis=axis)
    pairs = tf.stack([(before + 3 * x) / 4, (3 * x + after) / 4], axis + 1)
    shape = tf.concat([tf.shape(x)[:axis], [2 * count], tf.shape(x)[axis + 1 :]], 0)
    return tf.reshape(pairs, shape)


def resize_aligned(images, height, width):
    """Bilinear, with the corner pixels of the old image where those of the new one are.

    TensorFlow's own `align_corners` is left from version 1, and gives float32 whatever it takes.

    Args:
        images: float `(batch, rows, columns, channels)`.
        height, width: integers.
    """
    before = tf.shape(images)
    down = _tents(height, before[1], images.dtype)
    across = _tents(width, before[2], images.dtype)
    return tf.einsum("yr,brsc,xs->byxc", down, images, across, optimize="optimal")


def _tents(count, before, dtype):
    """Weights `(count, before)` of the old positions along an axis for each new one."""
    spacing = tf.cast(before - 1, dtype) / max(count - 1, 1)
    positions = tf.range(count, dtype=dtype) * spacing
    distances = tf.abs(positions[:, tf.newaxis] - tf.range(before, dtype=dtype))
    return tf.nn.relu(1.0 - distances)
