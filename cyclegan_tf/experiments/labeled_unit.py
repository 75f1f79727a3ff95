"""UNIT that also learns classes, from what the discriminators of both domains share.

The domain adaptation of the paper (arXiv 1703.00848, section 4): labels are known in domain A
alone, and the classifier serves both domains.
"""

from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.pixels import to_float
from cyclegan_tf.random_numbers import random_integers
from cyclegan_tf.systems.unit import UNIT, paper_networks

_LAYERS, _SHARED = 4, 2  # strided ones of the discriminators
_STRIDE = 2**_LAYERS
_BLOCKS = 2  # of the encoders and the decoders: small images have small features


def labeled_networks(image_size, classes, *, base_filters, seed):
    """The networks of a `LabeledUNIT`, by the names of its arguments.

    The discriminators have four strided layers, of which they share the last two. The classifier
    is one layer, which sees all features of an image.

    Args:
        image_size: side of the images, in pixels, a multiple of 16.
        classes: their number.
        base_filters: of all networks.
        seed: of the initial weights.
    """
    networks = paper_networks(
        (image_size, image_size, 3),
        base_filters=base_filters,
        blocks=_BLOCKS,
        strided_layers=_LAYERS,
        shared_layers=_SHARED,
        seed=seed,
    )
    shared = networks["shared_discriminator"]
    features = shared.layers[-1].input
    classify = keras.layers.Conv2D(
        classes,
        image_size // _STRIDE,
        # Not as small as those of the discriminators: this is all that the classes depend on.
        kernel_initializer=keras.initializers.GlorotUniform(seed=seed),
        name="classes",
    )
    answers = keras.layers.GlobalAveragePooling2D()(classify(features))
    networks["shared_discriminator"] = keras.Model(
        shared.inputs, [shared.output, answers, features], name=shared.name
    )
    return networks


def class_logits(networks, domain):
    """A model from images of a domain, such as `"a"`, to logits `(batch, classes)`."""
    front, shared = networks[f"discriminator_{domain}"], networks["shared_discriminator"]
    classify = keras.Model(shared.inputs, shared.outputs[1])  # without the layer of the others
    return keras.Model(front.inputs, classify(front.output))


class LabeledUNIT(UNIT):
    """A `UNIT` whose discriminators learn, in their step, the classes of images of A too.

    To the objective of the discriminators it adds λ_class · CE of a batch of labeled images of A,
    and λ_features · E[|features of an image - features of its translation|] in the last layer that
    they share, in both directions.

    Args:
        shared_discriminator: a model to logits, logits of the classes, and features. It and the
            other networks are those of `labeled_networks`.
        labeled: uint8 images of A, all that are drawn from.
        labels: integers, the class of each.
        batch_size: how many are drawn in a step.
        lambda_class, lambda_features: weights.

    The other arguments are those of `UNIT`. `fit` reports `class_a` and `features` besides what
    `UNIT` reports.
    """

    further_panels: ClassVar[dict] = {
        "Classes": {
            "class_a": "cross-entropy of the classes of images of A",
            "features": "distance of the shared features of an image and its translation",
        }
    }

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
        *,
        labeled,
        labels,
        batch_size,
        lambda_class=10.0,
        lambda_features=1.0,
        **others,
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
            **others,
        )
        self.lambda_class = lambda_class
        self.lambda_features = lambda_features
        self.batch_size = batch_size
        self._labeled = tf.constant(np.asarray(labeled))
        self._labels = tf.constant(np.asarray(labels), tf.int64)

    def _discriminator_losses(self, images, fakes, training):
        terms = super()._discriminator_losses(images, fakes, training)
        # By the step, like all that a system draws, so that a training resumes.
        chosen = random_integers((self.batch_size,), self._seed("labeled"), len(self._labels))
        labeled = to_float(tf.gather(self._labeled, chosen))
        ((_, answers, _),) = self._outputs("a", labeled, training=training)
        terms["class_a"] = self.lambda_class * losses.cross_entropy(
            answers, tf.gather(self._labels, chosen)
        )
        features_a, features_ba = self._features("a", images, fakes, training)
        features_b, features_ab = self._features("b", images, fakes, training)
        terms["features"] = self.lambda_features * (
            losses.l1(features_a, features_ab) + losses.l1(features_b, features_ba)
        )
        return terms

    def _features(self, domain, images, fakes, training):
        """Of the images of a domain, and of those that were translated into it."""
        outputs = self._outputs(domain, images[domain], fakes[domain], training=training)
        return [features for _, _, features in outputs]

    def _outputs(self, domain, *images, training):
        """For each of the batches of images: logits, logits of the classes, features."""
        return super()._logits(domain, *images, training=training)

    def _logits(self, domain, *images, training):
        return [each[:1] for each in self._outputs(domain, *images, training=training)]

    def settings(self):
        return {
            **super().settings(),
            "lambda_class": self.lambda_class,
            "lambda_features": self.lambda_features,
            "batch_size": self.batch_size,
        }
