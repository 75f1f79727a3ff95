"""CycleGAN: unpaired image-to-image translation (Zhu et al. 2017, arXiv 1703.10593)."""

import numbers

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES, check
from cyclegan_tf.networks.discriminators import patchgan, two_scale_patchgan
from cyclegan_tf.networks.generators import resnet_generator
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.systems.base import System
from cyclegan_tf.training.replay_pool import ReplayPool

# Streams of random numbers; see `System._random_seed`.
_POOL_A, _POOL_B, _PENALTY_A, _PENALTY_B = range(4)


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class CycleGAN(System):
    """Two generators and two discriminators, trained on pictures that show no common scene.

    The objective is eq. 3 of the paper, with the identity loss of 5.2. A training element is a
    pair `(image_a, image_b)` of float pictures in [-1, 1].

    ```python
    model = cyclegan_tf.CycleGAN(image_shape=(128, 128, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("horse2zebra", image_size=128), epochs=200)
    zebras = model.translate(horses)
    ```

    Args:
        generator_ab, generator_ba: models from pictures to pictures in [-1, 1] of the same size;
            the paper's ResNet of 6 blocks below 256 pixels, of 9 from there, if `None`.
        discriminator_a, discriminator_b: models from pictures of domain A, of B, to logits of
            any shape; the paper's 70x70 PatchGAN, if `None`. Networks are functional models, or
            Sequential ones that begin with `keras.Input`.
        image_shape: `(height, width, channels)` of the training pictures. Height and width may
            be `None` (any multiple of 4) where `pool_size` is 0. `translate` takes any size.
        lambda_a, lambda_b: weights of the cycles A→B→A and B→A→B.
        lambda_identity: weight of the identity loss, in units of the domain's λ; at 0 it is
            neither computed nor logged.
        adversarial: `"lsgan"`, `"vanilla"` or `"wgangp"`.
        pool_size: pictures that each replay pool holds; 0 turns the pools off.
        seed: a whole number >= 0, of the initial weights, the pools and the gradient penalty.
        remat: rematerialise: keep nothing of the inside of the networks for their gradients, and
            compute it again (but for the gradient penalty, which needs second derivatives). See
            `benchmarks/README.md` for what it saves.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report, each as weighted in the objective: `d_a` and `d_b`, the
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
        super().__init__(**kwargs)
        image_shape = tuple(image_shape)
        _check_arguments(image_shape, lambda_a, lambda_b, lambda_identity, adversarial, seed)
        self.image_shape = image_shape
        self.lambda_a = lambda_a
        self.lambda_b = lambda_b
        self.lambda_identity = lambda_identity
        self.adversarial = adversarial
        self.pool_size = pool_size
        self.seed = int(seed)
        self.remat = bool(remat)

        networks = {
            "generator_ab": generator_ab,
            "generator_ba": generator_ba,
            "discriminator_a": discriminator_a,
            "discriminator_b": discriminator_b,
        }
        if None in networks.values():
            with dtype_policy(self.dtype_policy):
                built = paper_networks(image_shape, seed=seed)
            networks = {name: given or built[name] for name, given in networks.items()}
        _check_are_two("generator", networks["generator_ab"], networks["generator_ba"])
        _check_are_two("discriminator", networks["discriminator_a"], networks["discriminator_b"])
        self.generator_ab = networks["generator_ab"]
        self.generator_ba = networks["generator_ba"]
        self.discriminator_a = networks["discriminator_a"]
        self.discriminator_b = networks["discriminator_b"]
        for network in networks.values():
            _check_takes(network, image_shape)
        for generator in self.generators.values():
            _check_keeps_size(generator, image_shape)
        for discriminator in self.discriminators.values():
            _check_gives_logits(discriminator, image_shape)
        with dtype_policy(self.dtype_policy):
            self.pool_a = ReplayPool(pool_size, image_shape, name="pool_a")
            self.pool_b = ReplayPool(pool_size, image_shape, name="pool_b")

        names = ["d_a", "g_ab", "cycle_a", "identity_a", "d_b", "g_ba", "cycle_b", "identity_b"]
        if not lambda_identity:
            names = [name for name in names if not name.startswith("identity")]
        self._finish(names)

    @property
    def generators(self):
        return {"ab": self.generator_ab, "ba": self.generator_ba}

    @property
    def discriminators(self):
        return {"a": self.discriminator_a, "b": self.discriminator_b}

    def train_step(self, data):
        image_a, image_b = self._pair(data)

        # Generators: one pass with the old weights, one step for both.
        with tf.GradientTape() as tape:
            g_losses, fake_a, fake_b = self._generator_losses(image_a, image_b, training=True)
            objective = self.generator_optimizer.scale_loss(sum(g_losses.values()))
        self._apply(self.generator_optimizer, tape, objective, self.generators)

        # Discriminators, on the fakes from before that step.
        shown_a = self.pool_a(tf.stop_gradient(fake_a), seed=self._random_seed(_POOL_A))
        shown_b = self.pool_b(tf.stop_gradient(fake_b), seed=self._random_seed(_POOL_B))
        with tf.GradientTape() as tape:
            d_losses = self._discriminator_losses(image_a, image_b, shown_a, shown_b, training=True)
            objective = self.discriminator_optimizer.scale_loss(sum(d_losses.values()))
        self._apply(self.discriminator_optimizer, tape, objective, self.discriminators)

        return self._log({**g_losses, **d_losses}, image_a)

    def test_step(self, data):
        """The same losses without learning; the discriminators see the latest fakes."""
        image_a, image_b = self._pair(data)
        g_losses, fake_a, fake_b = self._generator_losses(image_a, image_b, training=False)
        d_losses = self._discriminator_losses(image_a, image_b, fake_a, fake_b, training=False)
        return self._log({**g_losses, **d_losses}, image_a)

    def _generator_losses(self, image_a, image_b, training):
        """The terms of eq. 3 that the generators minimise, and their pictures of A and of B."""
        if self.lambda_identity:
            fake_b, same_b = self._both(self.generator_ab, image_a, image_b, training)
            fake_a, same_a = self._both(self.generator_ba, image_b, image_a, training)
        else:
            fake_b = self._output(self.generator_ab, image_a, training)
            fake_a = self._output(self.generator_ba, image_b, training)
        cycled_a = self._output(self.generator_ba, fake_b, training)
        cycled_b = self._output(self.generator_ab, fake_a, training)
        logits_a = self._output(self.discriminator_a, fake_a, training)
        logits_b = self._output(self.discriminator_b, fake_b, training)
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
        for name, discriminator, real, fake, stream in (
            ("d_a", self.discriminator_a, image_a, fake_a, _PENALTY_A),
            ("d_b", self.discriminator_b, image_b, fake_b, _PENALTY_B),
        ):
            logits = self._both(discriminator, real, fake, training)
            terms[name] = losses.discriminator_adversarial(*logits, self.adversarial)
            if self.adversarial == "wgangp":
                seed = self._random_seed(stream)
                terms[name] += losses.gradient_penalty(discriminator, real, fake, seed)
        return terms

    def get_config(self):
        networks = ("generator_ab", "generator_ba", "discriminator_a", "discriminator_b")
        return {
            **super().get_config(),
            **{n: keras.saving.serialize_keras_object(getattr(self, n)) for n in networks},
            "image_shape": self.image_shape,
            "lambda_a": self.lambda_a,
            "lambda_b": self.lambda_b,
            "lambda_identity": self.lambda_identity,
            "adversarial": self.adversarial,
            "pool_size": self.pool_size,
            "seed": self.seed,
            "remat": self.remat,
        }

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))


def paper_networks(
    image_shape=(256, 256, 3),
    *,
    base_filters=64,
    blocks=None,
    strided_layers=3,
    fine_discriminators="none",
    seed=0,
):
    """The four networks of the paper, for pictures of any size.

    Args:
        image_shape: of the training pictures; chooses the number of blocks.
        base_filters: of the first layer of each.
        blocks: residual blocks of the generators; 6 below 256 pixels and 9 from there, if `None`.
        strided_layers: of the PatchGANs.
        fine_discriminators: domains whose discriminator is a `two_scale_patchgan`, which the paper
            does not have: `"none"`, `"a"`, `"b"` or `"both"`.
        seed: of the initial weights.

    Returns:
        A dictionary of models by the names of `CycleGAN`'s arguments.
    """
    blocks = paper_blocks(image_shape) if blocks is None else blocks
    any_size = (None, None, image_shape[-1])
    seeds = [int(s) for s in np.random.SeedSequence(seed).generate_state(4)]
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


def _check_are_two(kind, first, second):
    if first is second:
        raise ValueError(
            f"A CycleGAN has two {kind}s, of which each learns its own direction or domain. "
            f"Received '{first.name}' for both; build it twice."
        )


def _check_takes(network, image_shape):
    """Functional models and built Sequential ones know the shape that they take; others do not."""
    taken = getattr(network, "input_shape", None)
    if taken is None and not network.built:
        raise ValueError(
            f"'{network.name}' has no weights yet; expected a functional model, or a Sequential "
            "one that begins with keras.Input."
        )
    several = isinstance(taken, (list, dict))
    if several or not tf.TensorShape(taken).is_compatible_with((None, *image_shape)):
        raise ValueError(
            f"'{network.name}' takes images of shape {taken if several else taken[1:]}; expected "
            f"image_shape, which is {image_shape}."
        )


def _check_keeps_size(generator, image_shape):
    """A cycle can be compared with its beginning only where the sizes agree."""
    if getattr(generator, "output_shape", None) is None:
        raise ValueError(
            f"The generator '{generator.name}' does not know the shape of its images; expected a "
            "functional model, or a Sequential one that begins with keras.Input."
        )
    if None in image_shape or None in generator.output_shape[1:3]:
        output = generator.compute_output_shape((1, *image_shape))
    else:
        output = generator.output_shape
    if tuple(output[1:]) != image_shape:
        raise ValueError(
            f"The generator '{generator.name}' makes pictures of shape {tuple(output[1:])} of "
            f"pictures of shape {image_shape}; expected the same shape. The paper's networks need "
            "heights and widths that are multiples of 4."
        )


def _check_gives_logits(discriminator, image_shape):
    """Small pictures may leave a PatchGAN nothing to judge."""
    try:
        rows, columns = discriminator.compute_output_shape((1, *image_shape))[1:3]
        fits = all(size is None or size > 0 for size in (rows, columns))
    except NotImplementedError as error:
        raise ValueError(
            f"The discriminator '{discriminator.name}' does not know the shape of its logits; "
            "expected a functional or Sequential model, or one with compute_output_shape."
        ) from error
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"The discriminator '{discriminator.name}' gives no logits for pictures of shape "
            f"{image_shape}, which are too small for it; use larger pictures or fewer strided "
            "layers (a PatchGAN of n needs at least 3 x 2^n pixels)."
        )


def _check_arguments(image_shape, lambda_a, lambda_b, lambda_identity, adversarial, seed):
    if len(image_shape) != 3 or image_shape[-1] is None:
        raise ValueError(
            "image_shape must be (height, width, channels) with a known number of channels. "
            f"Received: {image_shape}"
        )
    if not all(
        size is None or (isinstance(size, numbers.Integral) and size > 0) for size in image_shape
    ):
        raise ValueError(
            "Height, width and channels of image_shape must be whole numbers from 1 on; height "
            f"and width may be None. Received: {image_shape}"
        )
    for name, weight in (
        ("lambda_a", lambda_a),
        ("lambda_b", lambda_b),
        ("lambda_identity", lambda_identity),
    ):
        if not weight >= 0:
            raise ValueError(f"{name} must not be negative. Received: {name}={weight}")
    check("adversarial", adversarial, ADVERSARIAL_OBJECTIVES)
    if not isinstance(seed, numbers.Integral) or not 0 <= seed < 2**31:
        raise ValueError(f"seed must be a whole number from 0 to 2^31 - 1. Received: {seed!r}")
