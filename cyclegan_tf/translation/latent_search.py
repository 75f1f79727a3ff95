"""Finds the noise from which a generator makes an image, by gradient descent."""

import tensorflow as tf

from cyclegan_tf.random_numbers import random_normal

_RATE = 0.05  # of Adam, with the usual decays; codes are of size 1
_DECAYS = 0.9, 0.999


class LatentSearch:
    """From images to the codes whose rendering is nearest, by the mean of squared differences.

    The distance has many local minima. So the descent, of Adam's steps, has several starts, which
    a batch computes at once, and the code that ends nearest is kept. Starts are drawn from N(0, 1),
    the same for each image: the result depends on the seed and on nothing else that is random.

    Args:
        render: from codes `(batch, latent)` to images, each of which depends on its own code alone.
        latent: numbers of a code.
        seed: an integer >= 0, of the starts.
        steps: of each descent.
        starts: for each image.
    """

    def __init__(self, render, latent, seed, steps, starts):
        self.render = render
        self.latent = latent
        self.seed = seed
        self.steps = steps
        self.starts = starts

    def __call__(self, images):
        """The codes, `(batch, latent)`, of images `(batch, height, width, channels)`.

        It may be part of a graph.
        """
        count = tf.shape(images)[0]
        drawn = self._starts(images.dtype)
        repeated = tf.repeat(images, self.starts, axis=0)
        codes = self._descended(tf.tile(drawn, [count, 1]), repeated)  # (images x starts, latent)
        distances = tf.reshape(self._distances(codes, repeated), (count, self.starts))
        codes = tf.reshape(codes, (count, self.starts, self.latent))
        return tf.gather(codes, tf.argmin(distances, 1), batch_dims=1)

    def _starts(self, dtype):
        seed = tf.constant([self.seed, 0], tf.int32)
        return random_normal((self.starts, self.latent), seed, dtype)

    def _distances(self, codes, images):
        rendered = tf.cast(self.render(codes), images.dtype)
        return tf.reduce_mean(tf.math.squared_difference(rendered, images), (1, 2, 3))

    def _descended(self, codes, images):
        """Codes after the steps of Adam, each by the gradient of its own distance."""
        first_decay, second_decay = (tf.constant(each, images.dtype) for each in _DECAYS)

        def step(number, codes, first, second):
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(codes)
                distances = self._distances(codes, images)
            gradient = tape.gradient(distances, codes)
            first = first_decay * first + (1 - first_decay) * gradient
            second = second_decay * second + (1 - second_decay) * tf.square(gradient)
            count = tf.cast(number + 1, images.dtype)
            corrected = first / (1 - first_decay**count)
            root = tf.sqrt(second / (1 - second_decay**count))
            codes -= tf.constant(_RATE, codes.dtype) * corrected / (root + 1e-8)
            return number + 1, codes, first, second

        zeros = tf.zeros_like(codes)
        _, codes, _, _ = tf.while_loop(
            lambda number, *_: number < self.steps, step, (tf.constant(0), codes, zeros, zeros)
        )
        return codes
