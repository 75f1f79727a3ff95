"""Generators whose normalization follows the frames of a film, averaged, so that it flickers less.

Instance normalization divides each channel by the statistics of the frame. Something that moves in
one corner changes them, and so the colors of everything else. An exponential moving average over
frames lets them change slowly.
"""

import keras
import tensorflow as tf

from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import is_plain_functional, run_graph
from cyclegan_tf.networks.generators import size_multiple, translate_any_size
from cyclegan_tf.networks.given_statistics import NORMALIZATIONS, normalized, statistics_of


def has_statistics(network):
    """Whether a network, or a model within it, normalizes each image by its own statistics."""
    return any(
        has_statistics(layer)
        if isinstance(layer, keras.Model)
        else isinstance(layer, NORMALIZATIONS)
        for layer in network.layers
    )


class AveragedStatistics:
    """A generator for the frames of a film, one after the other.

    Each mean and each variance m of a normalization, of frame t, is replaced by the average

        a_t = decay * a_(t - 1) + (1 - decay) * m_t,    a_0 = m_0

    A layer that is called twice has two averages.

    Args:
        generator: a functional or Sequential model whose normalizations `has_statistics` finds.
            Models within it are followed if they are such models themselves.
        decay: from 0 up to 1, without 1. With 0 each frame is translated by itself.

    Raises:
        ValueError: a decay out of range.
        InputError: the model, or one within it, computes in a way of its own.
    """

    def __init__(self, generator, decay):
        if not 0 <= decay < 1:
            raise ValueError(f"decay must be from 0 up to 1, without 1. Received: {decay}")
        _check_known(generator)
        self.generator = generator
        self.decay = decay
        self._started = False
        self._averages = []  # variables, in the order of the graph
        self._run = self._compiled()

    def translate(self, image, after_cut=False):
        """The translation of the next frame.

        Args:
            image: `(height, width, channels)`, floats in [-1, 1]; all frames may differ in size.
            after_cut: whether another scene begins, which starts the averages anew.

        Returns:
            float32 in [-1, 1], of the same height and width.
        """
        kept = self.decay if self._started and not after_cut else 0.0
        self._started = True
        return self._run(image[None], tf.constant(kept, tf.float64))[0].numpy()

    def state(self):
        """The averages, a list of arrays, from which `restore` resumes; empty before a frame."""
        return [average.numpy() for average in self._averages] if self._started else []

    def restore(self, state):
        """Resumes from what `state` returned."""
        self._started = bool(state)
        for average, value in zip(self._averages, state, strict=self._started):
            average.assign(value)

    def _compiled(self):
        """The function of a frame and of the decay, traced; it makes the averages' variables."""
        channels, multiple = self.generator.input_shape[-1], size_multiple(self.generator)

        @tf.function(
            autograph=False,
            input_signature=[
                tf.TensorSpec((1, None, None, channels), tf.float32),
                tf.TensorSpec((), tf.float64),
            ],
        )
        def run(images, decay):
            numbers = iter(range(2**31))

            def averaged(layer, x):
                statistics = [
                    self._average(next(numbers), now, tf.cast(decay, now.dtype))
                    for now in statistics_of(layer, x)
                ]
                return normalized(layer, x, *statistics)

            def replaced(operation):
                if isinstance(operation, NORMALIZATIONS):
                    return lambda x: averaged(operation, x)
                if isinstance(operation, keras.Model):
                    return lambda x, **_: run_graph(operation, x, replaced)
                return operation

            return translate_any_size(
                lambda x, training: run_graph(self.generator, x, replaced), images, multiple
            )

        run.get_concrete_function()
        return run

    def _average(self, number, now, decay):
        if number == len(self._averages):
            with tf.init_scope():
                self._averages.append(tf.Variable(tf.zeros((1, *now.shape[1:]), now.dtype)))
        average = self._averages[number]
        # Not a sum of products at the start: what the variable held may be infinite.
        mixed = tf.where(decay > 0, decay * average + (1 - decay) * now, now)
        return average.assign(mixed)


def _check_known(network):
    if not isinstance(network, keras.Sequential) and not is_plain_functional(network):
        raise InputError(
            f"'{network.name}' is a {type(network).__name__} that computes in a way of its own, in "
            "which statistics cannot be averaged; translate each frame by itself, with an average "
            "of 0."
        )
    for layer in network.layers:
        if isinstance(layer, keras.Model):
            _check_known(layer)
