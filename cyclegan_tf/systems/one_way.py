"""What systems have in common that translate in one direction by a GAN."""

from types import MappingProxyType
from typing import ClassVar

import keras
import tensorflow as tf

from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES, DIRECTIONS
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.directions import from_domain, number_of, to_domain
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.systems.base import System, given_shapes, shapes_by_domain
from cyclegan_tf.systems.checks import (
    check_gives_logits,
    check_image_shape,
    check_makes,
    check_seed,
    check_takes,
)
from cyclegan_tf.training.replay_pool import ReplayPool


class OneWay(System):
    """A generator and a discriminator, of one direction; a subclass writes the losses of both.

    In a step the generator translates, the discriminator is updated, and then the generator,
    against the new discriminator.

    Args:
        generator, discriminator: models; those that `build` makes, if `None`.
        build: `build(source, target, seed)` gives both by name, for the image shapes of the
            domain that is translated and of the other.
        panels: `panels(direction, adversarial)` gives the `loss_panels`.
        direction, image_shape, adversarial, pool_size, seed: as in `Pix2Pix`.
        half_history: as in `ReplayPool`.
    """

    accumulates = False  # the discriminator's step lies within the generator's

    # Whether the discriminator judges a translation beside its image, joined along the channels.
    judges_pairs: ClassVar[bool] = False

    def __init__(
        self,
        generator,
        discriminator,
        *,
        build,
        panels,
        direction,
        image_shape,
        adversarial,
        pool_size,
        seed,
        half_history=False,
        **kwargs,
    ):
        check_choice("direction", direction, DIRECTIONS)
        check_choice("adversarial", adversarial, ADVERSARIAL_OBJECTIVES)
        shapes = shapes_by_domain(image_shape)
        for shape in shapes.values():
            check_image_shape(shape)
        check_seed(seed)
        source, target = shapes[from_domain(direction)], shapes[to_domain(direction)]
        judged = (*source[:2], source[2] + target[2]) if self.judges_pairs else target
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if generator is None or discriminator is None:
                built = build(source, target, seed)
                generator = generator or built["generator"]
                discriminator = discriminator or built["discriminator"]
            pool = ReplayPool(pool_size, judged, half_history=half_history, name="pool")
        check_takes(generator, source)
        check_makes(generator, source, target)
        check_takes(discriminator, judged)
        check_gives_logits(discriminator, judged)
        super().__init__(
            {"generator": generator, "discriminator": discriminator},
            directions=(direction,),
            groups={"generator": ("generator",), "discriminator": ("discriminator",)},
            loss_panels=panels(direction, adversarial),
            image_shapes=shapes,
            pools={"pool": pool},
            seed=seed,
            **kwargs,
        )
        self.adversarial = adversarial
        self.pool_size = pool_size

    @property
    def direction(self):
        """`"ab"` or `"ba"`."""
        return self.directions[0]

    @property
    def generators(self):
        return MappingProxyType({self.direction: self.generator})

    def train_step(self, data):
        source, target = self._source_and_target(data)

        def generator_losses():
            fake = self._forward(self.generator, source, training=True)
            # The discriminator's step lies between the translation and the generator's losses.
            shown = self.pool(tf.stop_gradient(self._judged(source, fake)), seed=self._seed("pool"))
            real = self._judged(source, target)
            d_losses = self._minimize(
                "discriminator", lambda: self._discriminator_losses(real, shown, training=True)
            )
            return self._generator_losses(source, target, fake, training=True), d_losses

        g_losses, d_losses = self._minimize("generator", generator_losses)
        return self._log({**g_losses, **d_losses}, source)

    def test_step(self, data):
        """The same losses without an update; the discriminator sees the current fakes."""
        source, target = self._source_and_target(data)
        fake = self._forward(self.generator, source, training=False)
        real, shown = self._judged(source, target), self._judged(source, fake)
        g_losses = self._generator_losses(source, target, fake, training=False)
        d_losses = self._discriminator_losses(real, shown, training=False)
        return self._log({**g_losses, **d_losses}, source)

    def _source_and_target(self, data):
        images = self._images(data)
        return tuple(images[number_of(domain)] for domain in self.direction)

    def _judged(self, source, image):
        """What the discriminator is shown of an image that is, or might be, made from another."""
        return tf.concat([source, image], -1) if self.judges_pairs else image

    def _generator_losses(self, source, target, fake, training):
        """The terms that the generator minimizes, by name."""
        raise NotImplementedError(f"{type(self).__name__} must write its `_generator_losses`.")

    def _discriminator_losses(self, real, fake, training):
        """The terms that the discriminator minimizes, by name, from what it is shown."""
        raise NotImplementedError(f"{type(self).__name__} must write its `_discriminator_losses`.")

    def settings(self):
        return {
            **super().settings(),
            "direction": self.direction,
            "image_shape": given_shapes(self.image_shapes),
            "adversarial": self.adversarial,
            "pool_size": self.pool_size,
        }
