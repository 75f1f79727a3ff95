"""Parts of the outputs of layers, computed from the parts of their inputs that they need.

A large image is computed in parts without seams only if each layer gets just the rows and columns
that it would see in the whole image, and treats the border of the image, and no other, as a border.

A span is `(start, stop)`, along rows or columns.
"""

import keras
import tensorflow as tf
from keras import layers

from cyclegan_tf.networks.given_statistics import NORMALIZATIONS
from cyclegan_tf.networks.layers import (
    ACTIVATIONS,
    Conv2D,
    LeakyReLU,
    ReflectionPadding2D,
    UpsamplingConvolution2D,
)
from cyclegan_tf.networks.resampling import BlurDownsampling2D, BlurUpsampling2D


class _Pointwise:
    """Each value depends on those at its place: activations, sums, given statistics."""

    @staticmethod
    def length(layer, axis, length):
        return length

    @staticmethod
    def needed(layer, axis, length, span):
        return span

    @staticmethod
    def compute(layer, x, lengths, inner, outer):
        return layer(x)


class _Convolution:
    """With zeros around the image if its padding is "same"."""

    @staticmethod
    def length(layer, axis, length):
        size, stride = layer.kernel_size[axis], layer.strides[axis]
        return -(-length // stride) if layer.padding == "same" else (length - size) // stride + 1

    @staticmethod
    def _before(layer, axis, length):
        if layer.padding == "valid":
            return 0
        size, stride = layer.kernel_size[axis], layer.strides[axis]
        return max((-(-length // stride) - 1) * stride + size - length, 0) // 2

    @classmethod
    def _wanted(cls, layer, axis, length, span):
        """With rows that lie beyond the image."""
        first = span[0] * layer.strides[axis] - cls._before(layer, axis, length)
        count = (span[1] - span[0] - 1) * layer.strides[axis] + layer.kernel_size[axis]
        return first, first + count

    @classmethod
    def needed(cls, layer, axis, length, span):
        return _inside(cls._wanted(layer, axis, length, span), length)

    @classmethod
    def compute(cls, layer, x, lengths, inner, outer):
        if layer.padding == "valid":
            return layer(x)
        wanted = [cls._wanted(layer, axis, lengths[axis], outer[axis]) for axis in (0, 1)]
        x = tf.pad(x, _sides(wanted, inner))
        x = tf.cast(x, layer.compute_dtype)
        outputs = keras.ops.conv(x, layer.kernel, layer.strides, "valid")
        if layer.use_bias:
            outputs = outputs + tf.cast(layer.bias, outputs.dtype)
        return layer.activation(outputs)


class _Padding:
    """Zeros, or the image reflected."""

    @staticmethod
    def _of(layer, axis):
        padding = layer.padding
        return (padding, padding) if isinstance(padding, int) else padding[axis]

    @classmethod
    def length(cls, layer, axis, length):
        return length + sum(cls._of(layer, axis))

    @classmethod
    def _wanted(cls, layer, axis, span):
        before = cls._of(layer, axis)[0]
        return span[0] - before, span[1] - before

    @classmethod
    def needed(cls, layer, axis, length, span):
        start, stop = cls._wanted(layer, axis, span)
        if isinstance(layer, ReflectionPadding2D):  # whose rows beyond the border come from inside
            start, stop = min(start, 2 * (length - 1) - stop + 1), max(stop, 1 - start)
        return _inside((start, stop), length)

    @classmethod
    def compute(cls, layer, x, lengths, inner, outer):
        wanted = [cls._wanted(layer, axis, outer[axis]) for axis in (0, 1)]
        mode = "REFLECT" if isinstance(layer, ReflectionPadding2D) else "CONSTANT"
        x = tf.pad(x, _sides(wanted, inner), mode)
        starts = [min(w[0], i[0]) for w, i in zip(wanted, inner)]
        return _cut(x, starts, wanted)


class _Resampling:
    """The layer itself on a part that is larger, of which the outer rows are left out."""

    # The border of a part is a border of the image, or too far away to be seen.
    @classmethod
    def compute(cls, layer, x, lengths, inner, outer):
        return _cut(layer(x), [cls.first(layer, span[0]) for span in inner], outer)


class _Doubling(_Resampling):
    """Twice as many rows: of those at `i` it makes the rows `2 i` and `2 i + 1`."""

    before, after = 0, 0  # whether they depend on the rows before and after it

    @staticmethod
    def length(layer, axis, length):
        return 2 * length

    @staticmethod
    def first(layer, start):
        return 2 * start

    @classmethod
    def needed(cls, layer, axis, length, span):
        start, stop = (span[0] - cls.before) // 2, (span[1] - 1 + cls.after) // 2 + 1
        return _inside((start, stop), length)


class _Transposed(_Doubling):
    """The second row depends on the next one too."""

    after = 1


class _LinearDoubling(_Doubling):
    """The first row depends on the row before, the second on the row after."""

    before, after = 1, 1


class _Halving(_Resampling):
    @staticmethod
    def length(layer, axis, length):
        return (length + 1) // 2

    @staticmethod
    def first(layer, start):
        return start // 2

    @staticmethod
    def needed(layer, axis, length, span):
        margin = len(layer.taps)
        return _inside((2 * (span[0] - margin), 2 * (span[1] + margin)), length)


_RULES = {
    **dict.fromkeys(
        (
            layers.Activation,
            layers.Add,
            layers.BatchNormalization,
            layers.Dropout,
            layers.Identity,
            layers.LeakyReLU,
            layers.ReLU,
            LeakyReLU,
            *NORMALIZATIONS,
        ),
        _Pointwise,
    ),
    **dict.fromkeys((layers.Conv2D, Conv2D), _Convolution),
    **dict.fromkeys((layers.ZeroPadding2D, ReflectionPadding2D), _Padding),
    layers.UpSampling2D: _Doubling,
    UpsamplingConvolution2D: _Transposed,
    BlurUpsampling2D: _LinearDoubling,
    BlurDownsampling2D: _Halving,
}


def is_local(layer):
    """Whether a part of a layer's output can be computed from a part of its input.

    Normalizations are counted as local: given their statistics, they are.
    """
    if isinstance(layer, layers.Conv2D) and (
        layer.data_format != "channels_last" or layer.dilation_rate != (1, 1)
    ):
        return False
    if isinstance(layer, layers.UpSampling2D) and (
        tuple(layer.size) != (2, 2) or layer.interpolation != "nearest"
    ):
        return False
    if getattr(layer, "activation", None) not in ACTIVATIONS:
        return False
    return type(layer) in _RULES


def output_lengths(layer, lengths):
    """Rows and columns of the output of a layer for an input of `lengths`."""
    return tuple(_RULES[type(layer)].length(layer, axis, lengths[axis]) for axis in (0, 1))


def needed_part(layer, lengths, part):
    """The part of an input that a part of the output needs.

    Args:
        layer: for which `is_local` holds.
        lengths: rows and columns of the whole input.
        part: the spans of rows and columns of the output.

    Returns:
        The spans of rows and columns, within the input.
    """
    rule = _RULES[type(layer)]
    return tuple(rule.needed(layer, axis, lengths[axis], part[axis]) for axis in (0, 1))


def compute_part(layer, x, lengths, part):
    """A part of the output of a layer.

    Args:
        layer: for which `is_local` holds, but no normalization of `given_statistics`.
        x: the part of its input that `needed_part` says, `(batch, rows, columns, channels)`; a
            list of them for a layer of several inputs.
        lengths: rows and columns of the whole input.
        part: the spans of rows and columns of the output.

    Returns:
        `(batch, rows, columns, channels)`, equal to that part of the output for the whole input.
    """
    inner = needed_part(layer, lengths, part)
    return _RULES[type(layer)].compute(layer, x, lengths, inner, part)


def _inside(span, length):
    return max(span[0], 0), min(span[1], length)


def _sides(wanted, inner):
    """Paddings that make the part `inner` reach as far as `wanted`."""
    return (
        (0, 0),
        *((max(i[0] - w[0], 0), max(w[1] - i[1], 0)) for w, i in zip(wanted, inner)),
        (0, 0),
    )


def _cut(x, starts, part):
    """The part of `x`, whose first row and column are at `starts`."""
    (top, bottom), (left, right) = (
        (span[0] - start, span[1] - start) for span, start in zip(part, starts)
    )
    return x[:, top:bottom, left:right]
