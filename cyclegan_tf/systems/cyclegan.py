"""CycleGAN: unpaired image-to-image translation (Zhu et al. 2017, arXiv 1703.10593)."""

import keras
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.networks.discriminators import patchgan, two_scale_patchgan
from cyclegan_tf.networks.generators import resnet_generator
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import System
from cyclegan_tf.systems.checks import (
    check_are_two,
    check_gives_logits,
    check_image_shape,
    check_makes,
    check_seed,
    check_takes,
    check_weights,
)
from cyclegan_tf.training.replay_pool import ReplayPool


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class CycleGAN(System):
    """Two generators and two discriminators, trained on unpaired images.

    The objective is eq. 3 of the paper, with the identity loss of 5.2. A training element is a
    pair `(image_a, image_b)` of float images in [-1, 1].

    ```python
    model = cyclegan_tf.CycleGAN(image_shape=(128, 128, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("horse2zebra", image_size=128), epochs=200)
    zebras = model.translate(horses)
    ```

    Args:
        generator_ab, generator_ba: models from images to images in [-1, 1] of the same size;
            the paper's ResNet of 6 blocks below 256 pixels, of 9 from there, if `None`.
        discriminator_a, discriminator_b: models from images of domain A, of B, to logits of
            any shape; the paper's 70x70 PatchGAN, if `None`. Networks are functional models, or
            Sequential ones that begin with `keras.Input`.
        image_shape: `(height, width, channels)` of the training images. Height and width may
            be `None` (any multiple of 4) if `pool_size` is 0. `translate` takes any size.
        lambda_a, lambda_b: weights of the cycles A→B→A and B→A→B.
        lambda_identity: weight of the identity loss, in units of the domain's λ; at 0 it is
            neither computed nor logged.
        adversarial: `"lsgan"`, `"vanilla"` or `"wgangp"`.
        pool_size: images that each replay pool holds; 0 turns the pools off.
        seed: an integer >= 0, of the initial weights, the pools and the gradient penalty.
        remat: gradient checkpointing: recompute the activations of the networks for their
            gradients instead of storing them (except for the gradient penalty, which needs second
            derivatives). See `benchmarks/README.md` for what it saves.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report these losses, weighted as in the objective: `d_a` and `d_b`, the
    discriminators of A and of B; `g_ab` and `g_ba`, the generators against them; `cycle_a` and
    `cycle_b`; `identity_a` and `identity_b`.
    """

    def __init__(
        self,
        generator_ab=None,
        generator_ba=None,
        discriminator_a=None,
        discriminator_b=None,
        *,
        image_shape=(256, 256, 3),
        lambda_a=10.0,
        lambda_b=10.0,
        lambda_identity=0.5,
        adversarial="lsgan",
        pool_size=50,
        seed=0,
        remat=False,
        **kwargs,
    ):
        image_shape = tuple(image_shape)
        check_image_shape(image_shape)
        check_weights(lambda_a=lambda_a, lambda_b=lambda_b, lambda_identity=lambda_identity)
        check_choice("adversarial", adversarial, ADVERSARIAL_OBJECTIVES)
        check_seed(seed)
        networks = {
            "generator_ab": generator_ab,
            "generator_ba": generator_ba,
            "discriminator_a": discriminator_a,
            "discriminator_b": discriminator_b,
        }
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if None in networks.values():
                built = paper_networks(image_shape, seed=seed)
                networks = {name: given or built[name] for name, given in networks.items()}
            pools = {
                name: ReplayPool(pool_size, image_shape, name=name) for name in ("pool_a", "pool_b")
            }
        _check_networks(**networks, image_shape=image_shape)
        super().__init__(
            networks,
            groups={
                "generator": ("generator_ab", "generator_ba"),
                "discriminator": ("discriminator_a", "discriminator_b"),
            },
            loss_panels=_loss_panels(adversarial, lambda_identity),
            image_shapes=image_shape,
            pools=pools,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.lambda_a = lambda_a
        self.lambda_b = lambda_b
        self.lambda_identity = lambda_identity
        self.adversarial = adversarial
        self.pool_size = pool_size

    def train_step(self, data):
        image_a, image_b = self._images(data)

        # Generators: one pass with the old weights, one step for both.
        g_losses, fake_a, fake_b = self._minimize(
            "generator", lambda: self._generator_losses(image_a, image_b, training=True)
        )
        # Discriminators, on the fakes from before that step.
        shown_a = self.pool_a(tf.stop_gradient(fake_a), seed=self._seed("pool_a"))
        shown_b = self.pool_b(tf.stop_gradient(fake_b), seed=self._seed("pool_b"))
        d_losses = self._minimize(
            "discriminator",
            lambda: self._discriminator_losses(image_a, image_b, shown_a, shown_b, training=True),
        )
        return self._log({**g_losses, **d_losses}, image_a)

    def test_step(self, data):
        """The same losses without an update; the discriminators see the current fakes.

        The pools are not used.
        """
        image_a, image_b = self._images(data)
        g_losses, fake_a, fake_b = self._generator_losses(image_a, image_b, training=False)
        d_losses = self._discriminator_losses(image_a, image_b, fake_a, fake_b, training=False)
        return self._log({**g_losses, **d_losses}, image_a)

    def _generator_losses(self, image_a, image_b, training):
        """The terms of eq. 3 that the generators minimize, and their fakes of A and of B."""
        if self.lambda_identity:
            fake_b, same_b = self._forward_both(self.generator_ab, image_a, image_b, training)
            fake_a, same_a = self._forward_both(self.generator_ba, image_b, image_a, training)
        else:
            fake_b = self._forward(self.generator_ab, image_a, training)
            fake_a = self._forward(self.generator_ba, image_b, training)
        cycled_a = self._forward(self.generator_ba, fake_b, training)
        cycled_b = self._forward(self.generator_ab, fake_a, training)
        logits_a = self._forward(self.discriminator_a, fake_a, training)
        logits_b = self._forward(self.discriminator_b, fake_b, training)
        terms = {
            "g_ab": losses.generator_adversarial(logits_b, self.adversarial),
            "g_ba": losses.generator_adversarial(logits_a, self.adversarial),
            "cycle_a": self.lambda_a * losses.l1(cycled_a, image_a),
            "cycle_b": self.lambda_b * losses.l1(cycled_b, image_b),
        }
        if self.lambda_identity:
            weight_a, weight_b = (self.lambda_identity * x for x in (self.lambda_a, self.lambda_b))
            terms["identity_a"] = weight_a * losses.l1(same_a, image_a)
            terms["identity_b"] = weight_b * losses.l1(same_b, image_b)
        return terms, fake_a, fake_b

    def _discriminator_losses(self, image_a, image_b, fake_a, fake_b, training):
        terms = {}
        for name, discriminator, real, fake in (
            ("d_a", self.discriminator_a, image_a, fake_a),
            ("d_b", self.discriminator_b, image_b, fake_b),
        ):
            terms[name] = self._adversarial_loss(
                discriminator, real, fake, self.adversarial, training, stream=f"penalty of {name}"
            )
        return terms

    def settings(self):
        return {
            **super().settings(),
            "image_shape": self.image_shape,
            "lambda_a": self.lambda_a,
            "lambda_b": self.lambda_b,
            "lambda_identity": self.lambda_identity,
            "adversarial": self.adversarial,
            "pool_size": self.pool_size,
        }


def paper_networks(
    image_shape=(256, 256, 3),
    *,
    base_filters=64,
    blocks=None,
    strided_layers=3,
    fine_discriminators="none",
    seed=0,
):
    """The four networks of the paper, for images of any size.

    Args:
        image_shape: of the training images; determines the default number of blocks.
        base_filters: filters of the first layer of each.
        blocks: residual blocks of the generators; 6 below 256 pixels and 9 from there, if `None`.
        strided_layers: of the PatchGANs.
        fine_discriminators: domains whose discriminator is a `two_scale_patchgan`, which the paper
            does not have: `"none"`, `"a"`, `"b"` or `"both"`.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `CycleGAN`'s arguments.
    """
    blocks = paper_blocks(image_shape) if blocks is None else blocks
    any_size = (None, None, image_shape[-1])
    seeds = seeds_of(seed, 4)
    networks = {}
    for name, own_seed in zip(("generator_ab", "generator_ba"), seeds[:2]):
        networks[name] = resnet_generator(
            any_size, base_filters=base_filters, blocks=blocks, seed=own_seed, name=name
        )
    for name, own_seed in zip(("discriminator_a", "discriminator_b"), seeds[2:]):
        fine = fine_discriminators in ("both", name[-1])
        networks[name] = (two_scale_patchgan if fine else patchgan)(
            any_size,
            base_filters=base_filters,
            strided_layers=strided_layers,
            seed=own_seed,
            name=name,
        )
    return networks


def paper_blocks(image_shape):
    """The paper's number of residual blocks: 6 below 256 pixels and 9 from there."""
    sizes = [size for size in image_shape[:2] if size is not None]
    return 6 if sizes and max(sizes) < 256 else 9


def _check_networks(generator_ab, generator_ba, discriminator_a, discriminator_b, image_shape):
    check_are_two("CycleGAN", "generator", generator_ab, generator_ba)
    check_are_two("CycleGAN", "discriminator", discriminator_a, discriminator_b)
    for network in (generator_ab, generator_ba, discriminator_a, discriminator_b):
        check_takes(network, image_shape)
    for generator in (generator_ab, generator_ba):
        check_makes(generator, image_shape, image_shape)
    for discriminator in (discriminator_a, discriminator_b):
        check_gives_logits(discriminator, image_shape)


def _loss_panels(adversarial, lambda_identity):
    panels = {
        "Discriminators": {f"d_{d}": meanings.of_discriminator(d, adversarial) for d in "ab"},
        "Generators": {f"g_{d}": meanings.of_generator(d, adversarial) for d in ("ab", "ba")},
        "Cycles": {f"cycle_{d}": meanings.of_cycle(d) for d in "ab"},
    }
    if lambda_identity:
        panels["Identity"] = {f"identity_{d}": meanings.of_identity(d) for d in "ab"}
    return panels
