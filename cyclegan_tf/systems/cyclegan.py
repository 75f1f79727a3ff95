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
from cyclegan_tf.systems.base import System, shapes_by_domain
from cyclegan_tf.systems.checks import (
    check_image_shape,
    check_seed,
    check_two_way,
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
        lambda_a, lambda_b: weights of the cycles A→B→A and B→A→B. A term of weight 0 is neither
            computed nor logged, here and below.
        lambda_identity: weight of the identity loss, in units of the domain's λ.
        absolute_identity: `lambda_identity` is the weight itself, whatever λ is.
        lambda_adversarial: weight of the generators' adversarial terms; with 0 there are no
            discriminators to train, which is the paper's "cycle alone" (5.1.4). They and the
            pools are there all the same, and what is said of them has no effect.
        adversarial: `"lsgan"`, `"vanilla"` or `"wgangp"`.
        gradient_penalty: weight of `losses.zero_centered_penalty` for the discriminators, which
            the paper does not have; 0.01 in UVCGANv2. `"wgangp"` has one of its own.
        pool_size: images that each replay pool holds; 0 turns the pools off.
        seed: an integer >= 0, of the initial weights, the pools and the gradient penalty.
        remat: gradient checkpointing: recompute the activations of the networks for their
            gradients instead of storing them (except for the gradient penalty, which needs second
            derivatives). Not for networks whose second pass may differ from the first: with batch
            or spectral normalization, or dropout. See `benchmarks/README.md` for what it saves.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report these losses, weighted as in the objective: `d_a` and `d_b`, the
    discriminators of A and of B; `g_ab` and `g_ba`, the generators against them; `cycle_a` and
    `cycle_b`; `identity_a` and `identity_b`; and `penalty_a` and `penalty_b` of the discriminators.
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
        absolute_identity=False,
        lambda_adversarial=1.0,
        adversarial="lsgan",
        gradient_penalty=0.0,
        pool_size=50,
        seed=0,
        remat=False,
        **kwargs,
    ):
        check_image_shape(image_shape)
        image_shape = tuple(image_shape)
        check_choice("adversarial", adversarial, ADVERSARIAL_OBJECTIVES)
        check_weights(
            lambda_a=lambda_a,
            lambda_b=lambda_b,
            lambda_identity=lambda_identity,
            lambda_adversarial=lambda_adversarial,
            gradient_penalty=gradient_penalty,
        )
        _check_terms(lambda_a, lambda_b, lambda_adversarial, adversarial, gradient_penalty)
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
        check_two_way("CycleGAN", networks, shapes_by_domain(image_shape))
        super().__init__(
            networks,
            groups={
                "generator": ("generator_ab", "generator_ba"),
                "discriminator": ("discriminator_a", "discriminator_b"),
            },
            loss_panels=_loss_panels(
                adversarial if lambda_adversarial else None,
                (lambda_a, lambda_b),
                _identity_weights(lambda_a, lambda_b, lambda_identity, absolute_identity),
                gradient_penalty,
                lambda_adversarial,
            ),
            image_shapes=image_shape,
            pools=pools,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.lambda_a = lambda_a
        self.lambda_b = lambda_b
        self.lambda_identity = lambda_identity
        self.absolute_identity = bool(absolute_identity)
        self.lambda_adversarial = lambda_adversarial
        self.adversarial = adversarial
        self.gradient_penalty = gradient_penalty
        self.pool_size = pool_size

    def train_step(self, data):
        image_a, image_b = self._images(data)

        # Generators: one pass with the old weights, one step for both.
        g_losses, fake_a, fake_b = self._minimize(
            "generator", lambda: self._generator_losses(image_a, image_b, training=True)
        )
        if not self.lambda_adversarial:
            return self._log(g_losses, image_a)
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
        terms, fake_a, fake_b = self._generator_losses(image_a, image_b, training=False)
        if self.lambda_adversarial:
            terms |= self._discriminator_losses(image_a, image_b, fake_a, fake_b, training=False)
        return self._log(terms, image_a)

    def _generator_losses(self, image_a, image_b, training):
        """The terms of eq. 3 that the generators minimize, and their fakes of A and of B."""
        weight_a, weight_b = self._identity_weights
        fake_b, same_b = self._fake_and_same("ab", image_a, image_b, weight_b, training)
        fake_a, same_a = self._fake_and_same("ba", image_b, image_a, weight_a, training)
        terms = {}
        if self.lambda_adversarial:
            logits_a = self._forward(self.discriminator_a, fake_a, training)
            logits_b = self._forward(self.discriminator_b, fake_b, training)
            for name, logits in (("g_ab", logits_b), ("g_ba", logits_a)):
                loss = losses.generator_adversarial(logits, self.adversarial)
                terms[name] = self.lambda_adversarial * loss
        if self.lambda_a:
            cycled_a = self._forward(self.generator_ba, fake_b, training)
            terms["cycle_a"] = self.lambda_a * losses.l1(cycled_a, image_a)
        if self.lambda_b:
            cycled_b = self._forward(self.generator_ab, fake_a, training)
            terms["cycle_b"] = self.lambda_b * losses.l1(cycled_b, image_b)
        if weight_a:
            terms["identity_a"] = weight_a * losses.l1(same_a, image_a)
        if weight_b:
            terms["identity_b"] = weight_b * losses.l1(same_b, image_b)
        return terms, fake_a, fake_b

    def _fake_and_same(self, direction, source, target, weight, training):
        """A translation, and that of an image of the target domain, which should not change."""
        generator = self.generators[direction]
        if weight:
            return self._forward_both(generator, source, target, training)
        return self._forward(generator, source, training), None

    def _discriminator_losses(self, image_a, image_b, fake_a, fake_b, training):
        terms = {}
        for domain, discriminator, real, fake in (
            ("a", self.discriminator_a, image_a, fake_a),
            ("b", self.discriminator_b, image_b, fake_b),
        ):
            stream = f"penalty of d_{domain}"
            terms[f"d_{domain}"] = self._adversarial_loss(
                discriminator, real, fake, self.adversarial, training, stream=stream
            )
            if self.gradient_penalty:
                penalty = losses.zero_centered_penalty(
                    discriminator, real, fake, self._seed(stream), training
                )
                terms[f"penalty_{domain}"] = self.gradient_penalty * penalty
        return terms

    @property
    def _identity_weights(self):
        return _identity_weights(
            self.lambda_a, self.lambda_b, self.lambda_identity, self.absolute_identity
        )

    def settings(self):
        return {
            **super().settings(),
            "image_shape": self.image_shape,
            "lambda_a": self.lambda_a,
            "lambda_b": self.lambda_b,
            "lambda_identity": self.lambda_identity,
            "absolute_identity": self.absolute_identity,
            "lambda_adversarial": self.lambda_adversarial,
            "adversarial": self.adversarial,
            "gradient_penalty": self.gradient_penalty,
            "pool_size": self.pool_size,
        }


def paper_networks(
    image_shape=(256, 256, 3),
    *,
    base_filters=64,
    blocks=None,
    upsampling="transposed",
    strided_layers=3,
    fine_discriminators="none",
    spectral_normalization=False,
    seed=0,
):
    """The four networks of the paper, for images of any size.

    Args:
        image_shape: of the training images; determines the default number of blocks.
        base_filters: filters of the first layer of each.
        blocks: residual blocks of the generators; 6 below 256 pixels and 9 from there, if `None`.
        upsampling: of the generators; see `resnet_generator`.
        strided_layers: of the PatchGANs.
        fine_discriminators: domains whose discriminator is a `two_scale_patchgan`, which the paper
            does not have: `"none"`, `"a"`, `"b"` or `"both"`.
        spectral_normalization: of the discriminators; the paper has none. See `SpectralConv2D`.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `CycleGAN`'s arguments.
    """
    check_image_shape(image_shape)
    blocks = paper_blocks(image_shape) if blocks is None else blocks
    any_size = (None, None, image_shape[-1])
    seeds = seeds_of(seed, 4)
    networks = {}
    for name, own_seed in zip(("generator_ab", "generator_ba"), seeds[:2]):
        networks[name] = resnet_generator(
            any_size,
            base_filters=base_filters,
            blocks=blocks,
            upsampling=upsampling,
            seed=own_seed,
            name=name,
        )
    for name, own_seed in zip(("discriminator_a", "discriminator_b"), seeds[2:]):
        fine = fine_discriminators in ("both", name[-1])
        networks[name] = (two_scale_patchgan if fine else patchgan)(
            any_size,
            base_filters=base_filters,
            strided_layers=strided_layers,
            spectral_normalization=spectral_normalization,
            seed=own_seed,
            name=name,
        )
    return networks


def paper_blocks(image_shape):
    """The paper's number of residual blocks: 6 below 256 pixels and 9 from there."""
    sizes = [size for size in image_shape[:2] if size is not None]
    return 6 if sizes and max(sizes) < 256 else 9


def _check_terms(lambda_a, lambda_b, lambda_adversarial, adversarial, gradient_penalty):
    if not (lambda_a or lambda_b or lambda_adversarial):
        raise ValueError(
            "Nothing would be learned: one of lambda_a, lambda_b and lambda_adversarial must "
            "be more than 0."
        )
    if gradient_penalty and (adversarial == "wgangp" or not lambda_adversarial):
        raise ValueError(
            "gradient_penalty is for discriminators that are trained, with lsgan or vanilla; "
            f"leave it at 0. Received: gradient_penalty={gradient_penalty}, "
            f"adversarial={adversarial!r}, lambda_adversarial={lambda_adversarial}"
        )


def _identity_weights(lambda_a, lambda_b, lambda_identity, absolute):
    """Of the identity terms of A and of B."""
    scales = (1.0, 1.0) if absolute else (lambda_a, lambda_b)
    return tuple(lambda_identity * scale for scale in scales)


def _loss_panels(adversarial, cycles, identities, gradient_penalty, lambda_adversarial):
    """Of the terms that have a weight; of cycles and identities those of A and B are given.

    Without adversarial terms `adversarial` is `None`.
    """
    panels = {}
    if adversarial:
        panels["Discriminators"] = {
            f"d_{d}": meanings.of_discriminator(d, adversarial) for d in "ab"
        }
        panels["Generators"] = {
            f"g_{d}": meanings.of_generator(d, adversarial, lambda_adversarial)
            for d in ("ab", "ba")
        }
    panels["Cycles"] = {f"cycle_{d}": meanings.of_cycle(d) for d, w in zip("ab", cycles) if w}
    panels["Identity"] = {
        f"identity_{d}": meanings.of_identity(d) for d, w in zip("ab", identities) if w
    }
    if gradient_penalty:
        panels["Gradient penalties"] = {f"penalty_{d}": meanings.of_penalty(d) for d in "ab"}
    return {title: panel for title, panel in panels.items() if panel}
