"""UNIT that also learns classes, from what the discriminators of both domains share.

The domain adaptation of the paper (arXiv 1703.00848, section 4): labels are known in domain A
alone, and the classifier serves both domains.
"""

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.pixels import to_float
from cyclegan_tf.random_numbers import random_integers
from cyclegan_tf.systems.unit import UNIT, paper_networks

_LAYERS, _SHARED = 4, 2  # strided ones of the discriminators
_STRIDE = 2**_LAYERS


def shared_networks(image_size, classes, *, base_filters, seed):
    """The networks of a `LabeledUNIT`, by the names of its arguments.

    The discriminators have four strided layers, of which they share the last two. The classifier
    has one layer.

    Args:
        image_size: side of the images, in pixels, a multiple of 16.
        classes: their number.
        base_filters: of all networks.
        seed: of the initial weights.
    """
    networks = paper_networks(
        (image_size, image_size, 3),
        base_filters=base_filters,
        strided_layers=_LAYERS,
        shared_layers=_SHARED,
        seed=seed,
    )
    features = last_features(networks["shared_discriminator"])
    side = image_size // _STRIDE
    inputs = keras.Input((side, side, features.output_shape[-1]))
    # Not as small as those of the discriminators: this is all that the classes depend on at first.
    make = keras.layers.Dense(
        classes, kernel_initializer=keras.initializers.GlorotUniform(seed=seed), name="classes"
    )
    networks["classifier"] = keras.Model(
        inputs, make(keras.layers.Flatten()(inputs)), name="classifier"
    )
    return networks


def last_features(shared_discriminator):
    """A model of the same layers up to the features that the logits are made of."""
    return keras.Model(shared_discriminator.inputs, shared_discriminator.layers[-1].input)


def class_logits(networks, domain):
    """A model from images of a domain, such as `"a"`, to logits of their classes."""
    front = networks[f"discriminator_{domain}"]
    side = _STRIDE * networks["classifier"].input_shape[1]
    images = keras.Input((side, side, front.input_shape[-1]))
    features = last_features(networks["shared_discriminator"])(front(images))
    return keras.Model(images, networks["classifier"](features))


class LabeledUNIT(UNIT):
    """A `UNIT` whose discriminators learn, in their step, the classes of images of A too.

    To the objective of the discriminators it adds λ_class · CE of a batch of labeled images of A,
    and λ_features · E[|features of an image - features of its translation|] in the last layer that
    they share, in both directions.

    Args:
        shared_discriminator: a model whose last layer makes the logits.
        classifier: a model from the input of that layer to logits of the classes.
        labeled: uint8 images of A, all that are drawn from.
        labels: integers, the class of each.
        batch_size: how many are drawn in a step.
        lambda_class, lambda_features: weights.

    The other arguments are those of `UNIT`.

    `fit` reports `class_a` and `features` besides what `UNIT` reports.
    """

    def __init__(
        self,
        encoder_a,
        encoder_b,
        shared_encoder,
        shared_decoder,
        decoder_a,
        decoder_b,
        discriminator_a,
        discriminator_b,
        shared_discriminator,
        classifier,
        *,
        labeled,
        labels,
        batch_size,
        lambda_class=10.0,
        lambda_features=1.0,
        **arguments,
    ):
        super().__init__(
            encoder_a,
            encoder_b,
            shared_encoder,
            shared_decoder,
            decoder_a,
            decoder_b,
            discriminator_a,
            discriminator_b,
            shared_discriminator,
            **arguments,
        )
        self.classifier = classifier
        self._network_names = (*self._network_names, "classifier")
        self.groups = {
            **self.groups,
            "discriminator": (*self.groups["discriminator"], "classifier"),
        }
        self.loss_panels = {
            **self.loss_panels,
            "Classes": {
                "class_a": "cross-entropy of the classes of images of A",
                "features": "distance of the shared features of an image and its translation",
            },
        }
        self._loss_trackers += [keras.metrics.Mean(name=name) for name in ("class_a", "features")]
        self.lambda_class = lambda_class
        self.lambda_features = lambda_features
        self.batch_size = batch_size
        self._labeled = tf.constant(np.asarray(labeled))
        self._labels = tf.constant(np.asarray(labels), tf.int64)

    def _discriminator_losses(self, images, fakes, training):
        terms = super()._discriminator_losses(images, fakes, training)
        # By the step, like all that a system draws, so that a training resumes.
        count = len(self._labels)
        chosen = random_integers((self.batch_size,), self._seed("labeled"), count)
        labeled = to_float(tf.gather(self._labeled, chosen))
        logits = self._forward(class_logits(self.networks, "a"), labeled, training)
        terms["class_a"] = self.lambda_class * losses.cross_entropy(
            logits, tf.gather(self._labels, chosen)
        )
        features = last_features(self.shared_discriminator)
        here, there = (
            [features(network(of[domain], training=training), training=training)
             for network, domain in ((self.discriminator_a, "a"), (self.discriminator_b, "b"))]
            for of in (images, {"a": fakes["a"], "b": fakes["b"]})
        )  # fmt: skip
        terms["features"] = self.lambda_features * (
            losses.l1(here[0], there[1]) + losses.l1(here[1], there[0])
        )
        return terms

    def settings(self):
        return {
            **super().settings(),
            "lambda_class": self.lambda_class,
            "lambda_features": self.lambda_features,
            "batch_size": self.batch_size,
        }
