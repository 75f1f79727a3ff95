"""Means and variances of the windows of a large image, taken part by part."""

import itertools

import numpy as np
import tensorflow as tf

from cyclegan_tf.networks.layer_normalization import ImageLayerNormalization


class WindowMoments:
    """Adds up the mean and the variance of each channel in each window of a tensor.

    Parts are merged by Chan's formula (Chan et al. 1979, "Updating formulae and a pairwise
    algorithm for computing sample variances"), in float64, so that nothing is lost where the mean
    is large.

    Args:
        windows: how many there are along rows and along columns, of equal size.
        lengths: rows and columns of the tensor.
        channels: of the tensor.
    """

    def __init__(self, windows, lengths, channels):
        self._borders = [_borders(count, length) for count, length in zip(windows, lengths)]
        self.count = np.zeros((*windows, 1))
        self.mean = np.zeros((*windows, channels))
        self.squares = np.zeros((*windows, channels))  # of what is left without the mean

    def add(self, x, part):
        """Adds a part of the tensor.

        Args:
            x: `(1, rows, columns, channels)`.
            part: the spans of its rows and columns, each as `(start, stop)`.
        """
        if x.dtype not in (tf.float32, tf.float64):
            x = tf.cast(x, tf.float32)
        rows, columns = (_pieces(span, each) for span, each in zip(part, self._borders))
        for row, (top, bottom) in rows:
            for column, (left, right) in columns:
                values = x[0, top:bottom, left:right]
                mean = tf.reduce_mean(values, (0, 1))
                squares = tf.reduce_sum(tf.square(values - mean), (0, 1))
                count = (bottom - top) * (right - left)
                self._merge((row, column), count, np.float64(mean), np.float64(squares))

    def _merge(self, window, count, mean, squares):
        before = self.count[window]
        total = before + count
        difference = mean - self.mean[window]
        self.mean[window] += difference * count / total
        self.squares[window] += squares + difference**2 * before * count / total
        self.count[window] = total

    def statistics(self, layer):
        """Mean and variance by which a layer normalizes: `(windows, windows, channels)`, or 1."""
        if not isinstance(layer, ImageLayerNormalization):
            return self._filled(self.mean, self.squares / np.maximum(self.count, 1))
        # Of all channels together, the variance divided by one less.
        mean = self.mean.mean(-1, keepdims=True)
        squares = self.squares + self.count * (self.mean - mean) ** 2
        number = np.maximum(self.count, 1) * self.mean.shape[-1]
        return self._filled(mean, squares.sum(-1, keepdims=True) / np.maximum(number - 1, 1))

    def _filled(self, mean, variance):
        """Those of windows of which nothing was added: the means of the others."""
        there = self.count[..., 0] > 0
        if there.all() or not there.any():
            return mean, variance
        return tuple(
            np.where(there[..., None], each, each[there].mean(0)) for each in (mean, variance)
        )

    def state(self):
        """The sums so far, as arrays by name."""
        return {"count": self.count, "mean": self.mean, "squares": self.squares}

    def restore(self, state):
        """Resumes from the sums of `state`."""
        for name in self.state():
            setattr(self, name, np.array(state[name]))


def statistics_at(statistics, lengths, part):
    """Mean and variance at each place of a part, between those of the nearest windows.

    Between the centers of windows the mean and the deviation are interpolated linearly along both
    axes; beyond the outermost centers they stay as they are.

    Args:
        statistics: mean and variance, `(windows, windows, channels)`.
        lengths: rows and columns of the whole tensor.
        part: the spans of rows and columns.

    Returns:
        Mean and variance, `(1, rows, columns, channels)`; `(1, 1, 1, channels)` of a single window.
    """
    mean, variance = statistics
    if mean.shape[:2] == (1, 1):
        return mean[np.newaxis], variance[np.newaxis]
    weights = [
        _weights(count, length, span) for count, length, span in zip(mean.shape, lengths, part)
    ]
    mean, deviation = (
        tf.einsum("yr,rsc,xs->yxc", weights[0], values, weights[1], optimize="optimal")
        for values in (mean, np.sqrt(variance))
    )
    return mean[tf.newaxis], tf.square(deviation)[tf.newaxis]


def _weights(windows, length, span):
    """The weight of each window in each row of a span; those of a row add up to 1."""
    position = (np.arange(*span) + 0.5) / length * windows - 0.5
    return np.maximum(0, 1 - np.abs(np.clip(position, 0, windows - 1)[:, None] - range(windows)))


def _borders(windows, length):
    return [number * length // windows for number in range(windows + 1)]


def _pieces(span, borders):
    """The windows that a span meets, each with its rows, counted from the start of the span."""
    start, stop = span
    pieces = []
    for window, (first, last) in enumerate(itertools.pairwise(borders)):
        if max(start, first) < min(stop, last):
            pieces.append((window, (max(start, first) - start, min(stop, last) - start)))
    return pieces
