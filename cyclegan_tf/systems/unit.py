"""UNIT: unpaired translation through a shared latent space (Liu et al. 2017, arXiv 1703.00848)."""

import functools
from types import MappingProxyType
from typing import ClassVar

import keras
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.choices import DIRECTIONS
from cyclegan_tf.choices import UNIT_OBJECTIVES as OBJECTIVES
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.networks import coupled, coupled_2018
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.networks.layer_factory import network_input
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.random_numbers import random_normal
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import System, given_shapes, shapes_by_domain
from cyclegan_tf.systems.checks import (
    check_are_two,
    check_gives_logits,
    check_image_shape,
    check_makes,
    check_seed,
    check_takes,
    check_weights,
)
from cyclegan_tf.training.optimizers import Adam

NETWORKS = (
    "encoder_a",
    "encoder_b",
    "shared_encoder",
    "shared_decoder",
    "decoder_a",
    "decoder_b",
    "discriminator_a",
    "discriminator_b",
)


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class UNIT(System):
    """Two variational autoencoders and two GANs that share their latent space.

    An image of either domain has a code z = E(x) + n, n ~ N(0, 1), from which either domain's
    decoder makes an image. The last layers of the encoders and the first of the decoders are the
    same for both domains. The objective is eq. 7 of the paper, with its hyperparameters: for
    images a of A and b of B, with ab = G_B(z_a) and aba = G_A(z_ab),

        generators       λ0 [CE(D_B(ab), 1) + CE(D_A(ba), 1)]
                         + λ2 [|aa - a| + |bb - b|] + λ4 [|aba - a| + |bab - b|]
                         + λ1 [KL(z_a) + KL(z_b)] + λ3 [KL(z_ab) + KL(z_ba)]
        discriminators   λ0 [CE(D_A(a), 1) + CE(D_A(ba), 0) + CE(D_B(b), 1) + CE(D_B(ab), 0)]

    KL(z) is the mean of z²: of a Gaussian of unit variance, the divergence from N(0, 1) but for a
    factor of ½ and a constant, which the weight takes in. Discriminators are trained first; each
    of both steps draws noise of its own. Images are translated, and evaluated, without noise.

    Left out are the dropout in residual blocks that the authors used for one data set, and the
    networks for domain adaptation. Biases start at 0, as in the other systems; the published ones
    at PyTorch's default.

    ```python
    model = cyclegan_tf.UNIT(image_shape=(256, 256, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("horses", "zebras"), epochs=200)
    zebras = model.translate(horses)
    ```

    Args:
        encoder_a, encoder_b: models from images of a domain to features; see
            `cyclegan_tf.networks.coupled`. A network that is not given is the paper's.
        shared_encoder: a model from features to the mean of the code.
        shared_decoder: a model from codes to features.
        decoder_a, decoder_b: models from features to images of a domain in [-1, 1].
        discriminator_a, discriminator_b: models from images to logits, or to a list of logits of
            several scales, whose losses are added up.
        shared_discriminator: a model from what these give to logits; without it, they give logits.
        image_shape: `(height, width, channels)` of the training images, `{"a": …, "b": …}` if
            the channels of the domains differ. Height and width may be `None`. `translate` takes
            any size.
        lambda_adversarial: λ0.
        lambda_reconstruction: λ2, of an image and itself, encoded and decoded.
        lambda_cycle: λ4, of an image and itself, translated there and back.
        lambda_kl: λ1 and λ3.
        kl_of_mean: the divergence is that of the code's mean, E(x), as in the authors' code of
            2018; else of the code with its noise, as in that of the paper.
        adversarial: `"vanilla"`, the paper's cross-entropy CE, or `"lsgan"`.
        seed: an integer >= 0, of initial weights and noise.
        remat: see `CycleGAN`.

    Raises:
        ValueError: an argument out of range, or networks that do not fit each other.

    `fit` and `evaluate` report, each as weighted in the objective: `d_a`, `d_b`, the
    discriminators; `g_ab`, `g_ba`, the generators against them; `reconstruction_a`,
    `reconstruction_b`; `cycle_a`, `cycle_b`; and `kl_a`, `kl_b`, `kl_ab`, `kl_ba`, of the codes of
    the images and of their translations.
    """

    # The discriminators' step lies before the generators' losses, which a batch computes at once.
    accumulates = False
    # Of the losses that a subclass adds, as `System` takes them.
    further_panels: ClassVar[dict] = {}

    def __init__(
        self,
        encoder_a=None,
        encoder_b=None,
        shared_encoder=None,
        shared_decoder=None,
        decoder_a=None,
        decoder_b=None,
        discriminator_a=None,
        discriminator_b=None,
        shared_discriminator=None,
        *,
        image_shape=(256, 256, 3),
        lambda_adversarial=10.0,
        lambda_reconstruction=100.0,
        lambda_cycle=100.0,
        lambda_kl=0.1,
        kl_of_mean=False,
        adversarial="vanilla",
        seed=0,
        remat=False,
        **kwargs,
    ):
        shapes = shapes_by_domain(image_shape)
        for shape in shapes.values():
            check_image_shape(shape)
        check_weights(
            lambda_adversarial=lambda_adversarial,
            lambda_reconstruction=lambda_reconstruction,
            lambda_cycle=lambda_cycle,
            lambda_kl=lambda_kl,
        )
        check_choice("adversarial", adversarial, OBJECTIVES)
        check_seed(seed)
        given = (
            encoder_a, encoder_b, shared_encoder, shared_decoder, decoder_a, decoder_b,
            discriminator_a, discriminator_b,
        )  # fmt: skip
        networks = dict(zip(NETWORKS, given))
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if None in networks.values():
                built = paper_networks(shapes, seed=seed)
                networks = {name: given or built[name] for name, given in networks.items()}
        if shared_discriminator is not None:
            networks["shared_discriminator"] = shared_discriminator
        _check_parts(networks, shapes)
        _check_whole(networks, _generators(networks), shapes)
        super().__init__(
            networks,
            groups={
                "generator": NETWORKS[:6],
                "discriminator": tuple(name for name in networks if "discriminator" in name),
            },
            loss_panels={
                **_loss_panels(
                    adversarial, lambda_adversarial * len(networks["discriminator_a"].outputs)
                ),
                **self.further_panels,
            },
            image_shapes=shapes,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.has_shared_discriminator = shared_discriminator is not None
        self.lambda_adversarial = lambda_adversarial
        self.lambda_reconstruction = lambda_reconstruction
        self.lambda_cycle = lambda_cycle
        self.lambda_kl = lambda_kl
        self.kl_of_mean = bool(kl_of_mean)
        self.adversarial = adversarial

    @functools.cached_property
    def generators(self):
        """An encoder and a decoder, one after the other, by direction."""
        return _generators(self.networks)

    def default_optimizer(self, group):
        return Adam(1e-4, l2=1e-4)

    def train_step(self, data):
        images = dict(zip("ab", self._images(data)))

        # Discriminators, on translations by noise that is theirs alone.
        codes = self._with_noise(self._means(images, True), "discriminator", training=True)
        fakes = self._translations(codes, training=True)
        d_losses = self._minimize(
            "discriminator", lambda: self._discriminator_losses(images, fakes, training=True)
        )
        g_losses = self._minimize(
            "generator", lambda: self._generator_losses(images, training=True)
        )
        return self._log({**d_losses, **g_losses}, images["a"])

    def test_step(self, data):
        """The same losses without an update and without noise."""
        images = dict(zip("ab", self._images(data)))
        fakes = self._translations(self._means(images, training=False), training=False)
        d_losses = self._discriminator_losses(images, fakes, training=False)
        g_losses = self._generator_losses(images, training=False)
        return self._log({**d_losses, **g_losses}, images["a"])

    def _discriminator_losses(self, images, fakes, training):
        terms = {}
        for domain in "ab":
            logits = self._logits(domain, images[domain], fakes[domain], training=training)
            # Not halved, as CycleGAN's is.
            terms[f"d_{domain}"] = (2 * self.lambda_adversarial) * sum(
                losses.discriminator_adversarial(real, fake, self.adversarial)
                for real, fake in zip(*logits)
            )
        return terms

    def _generator_losses(self, images, training):
        means = self._means(images, training)
        codes = self._with_noise(means, "generator", training)
        features = self._both(self.shared_decoder, codes, training)
        image_aa, fake_a = self._forward_both(self.decoder_a, *features.values(), training)
        fake_b, image_bb = self._forward_both(self.decoder_b, *features.values(), training)
        fakes, reconstructed = {"a": fake_a, "b": fake_b}, {"a": image_aa, "b": image_bb}
        means_of_fakes = self._means(fakes, training)
        codes_of_fakes = self._with_noise(means_of_fakes, "cycle", training)
        cycled = self._translations(codes_of_fakes, training)
        if self.kl_of_mean:
            codes, codes_of_fakes = means, means_of_fakes
        terms = {}
        for source, target in DIRECTIONS:
            (logits,) = self._logits(target, fakes[target], training=training)
            terms |= {
                f"g_{source}{target}": self.lambda_adversarial
                * sum(losses.generator_adversarial(each, self.adversarial) for each in logits),
                f"reconstruction_{source}": self.lambda_reconstruction
                * losses.l1(reconstructed[source], images[source]),
                f"cycle_{source}": self.lambda_cycle * losses.l1(cycled[source], images[source]),
                f"kl_{source}": self.lambda_kl * losses.mean_square(codes[source]),
                f"kl_{source}{target}": self.lambda_kl * losses.mean_square(codes_of_fakes[target]),
            }
        return terms

    # Between images and codes. Each takes and returns a dictionary by domain.

    def _means(self, images, training):
        """The means of the codes of images."""
        encoders = {"a": self.encoder_a, "b": self.encoder_b}
        features = {d: self._forward(encoders[d], images[d], training) for d in "ab"}
        return self._both(self.shared_encoder, features, training)

    def _with_noise(self, means, stream, training):
        """Codes drawn from N(mean, 1); at test they are the means."""
        if not training:
            return means
        return {
            domain: mean + self._noise(f"{stream} {domain}", tf.shape(mean), mean.dtype)
            for domain, mean in means.items()
        }

    def _noise(self, stream, shape, dtype):
        return random_normal(shape, self._seed(stream), dtype)

    def _translations(self, codes, training):
        """Images of each domain, decoded from codes of the other."""
        features = self._both(self.shared_decoder, codes, training)
        return {
            "a": self._forward(self.decoder_a, features["b"], training),
            "b": self._forward(self.decoder_b, features["a"], training),
        }

    def _both(self, network, values, training):
        return dict(zip("ab", self._forward_both(network, values["a"], values["b"], training)))

    def _logits(self, domain, *images, training):
        """For each of the batches of images, the logits of all scales."""
        networks = [self.discriminator_a if domain == "a" else self.discriminator_b]
        networks += [self.shared_discriminator] if self.has_shared_discriminator else []
        outputs = images
        for network in networks:
            if len(outputs) == 2:
                outputs = self._forward_both(network, *outputs, training)
            else:
                outputs = [self._forward(network, each, training) for each in outputs]
        return [tf.nest.flatten(each) for each in outputs]

    def settings(self):
        return {
            **super().settings(),
            "image_shape": given_shapes(self.image_shapes),
            "lambda_adversarial": self.lambda_adversarial,
            "lambda_reconstruction": self.lambda_reconstruction,
            "lambda_cycle": self.lambda_cycle,
            "lambda_kl": self.lambda_kl,
            "kl_of_mean": self.kl_of_mean,
            "adversarial": self.adversarial,
        }


def paper_networks(
    image_shape=(256, 256, 3),
    *,
    base_filters=64,
    blocks=4,
    shared_blocks=1,
    normalization="none",
    strided_layers=6,
    shared_layers=0,
    scales=1,
    seed=0,
):
    """The networks of the paper, for images of any size.

    Args:
        image_shape: of the training images, as in `UNIT`.
        base_filters: filters of the first layer of each.
        blocks: residual blocks of an encoder, and of a decoder.
        shared_blocks: how many of these both domains share: the last of the encoders and the first
            of the decoders; 0 for the paper's ablation.
        normalization: of the strided convolutions; see `cyclegan_tf.networks.coupled.encoder`.
        strided_layers: of the discriminators, 3 to 6 in the paper.
        shared_layers: how many of these, counted from the logits, both discriminators share.
        scales: at which the discriminators see the images; 1 if they share layers.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `UNIT`'s arguments.

    Raises:
        ValueError: more shared blocks or layers than there are, or several scales with shared
            layers.
    """
    _check_shares(blocks, shared_blocks, strided_layers, shared_layers, scales)
    channels = {domain: shape[-1] for domain, shape in shapes_by_domain(image_shape).items()}
    any_size = {domain: (None, None, number) for domain, number in channels.items()}
    seeds = iter(seeds_of(seed, 9))
    own = {"base_filters": base_filters, "blocks": blocks - shared_blocks}
    own["normalization"] = normalization
    inner = 4 * base_filters
    networks = {}
    for name in ("encoder_a", "encoder_b"):
        networks[name] = coupled.encoder(any_size[name[-1]], **own, seed=next(seeds), name=name)
    for name in ("shared_encoder", "shared_decoder"):
        networks[name] = coupled.shared_blocks(inner, shared_blocks, seed=next(seeds), name=name)
    for name in ("decoder_a", "decoder_b"):
        networks[name] = coupled.decoder(channels[name[-1]], **own, seed=next(seeds), name=name)
    judges = {"base_filters": base_filters, "strided_layers": strided_layers - shared_layers}
    judge = coupled.discriminator_front if shared_layers else coupled.discriminator
    if scales > 1:
        judge, judges["scales"] = coupled.multi_scale_discriminator, scales
    for name in ("discriminator_a", "discriminator_b"):
        networks[name] = judge(any_size[name[-1]], **judges, seed=next(seeds), name=name)
    if shared_layers:
        networks["shared_discriminator"] = coupled.discriminator_back(
            networks["discriminator_a"].output_shape[-1],
            strided_layers=shared_layers,
            seed=next(seeds),
            name="shared_discriminator",
        )
    return networks


def networks_of_2018(
    image_shape=(256, 256, 3), *, base_filters=64, blocks=4, strided_layers=4, scales=3, seed=0
):
    """The networks of the authors' rewrite, which share no weights.

    Args:
        image_shape: of the training images, as in `UNIT`.
        base_filters: filters of the first layer of each.
        blocks: residual blocks of an encoder, and of a decoder.
        strided_layers: of the discriminators.
        scales: at which the discriminators see the images.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `UNIT`'s arguments.
    """
    seeds = iter(seeds_of(seed, 6))
    own = {"base_filters": base_filters, "blocks": blocks}
    judges = {"base_filters": base_filters, "strided_layers": strided_layers, "scales": scales}
    networks = {
        name: coupled.shared_blocks(4 * base_filters, 0, name=name)
        for name in ("shared_encoder", "shared_decoder")
    }
    for domain, shape in shapes_by_domain(image_shape).items():
        any_size = (None, None, shape[-1])
        for kind, first, build, settings in (
            ("encoder", any_size, coupled_2018.encoder, own),
            ("decoder", shape[-1], coupled_2018.decoder, own),
            ("discriminator", any_size, coupled_2018.discriminator, judges),
        ):
            name = f"{kind}_{domain}"
            networks[name] = build(first, **settings, seed=next(seeds), name=name)
    return networks


def _check_shares(blocks, shared_blocks, strided_layers, shared_layers, scales):
    for name, part, most in (
        ("shared_blocks", shared_blocks, blocks),
        ("shared_layers", shared_layers, strided_layers - 1),
    ):
        if not 0 <= part <= most:
            raise ValueError(
                f"{name} must be from 0 to {most} here. Received: {name}={part} with "
                f"blocks={blocks}, strided_layers={strided_layers}"
            )
    if shared_layers and scales > 1:
        raise ValueError(
            "Discriminators share layers at one scale only; leave out shared_layers or scales. "
            f"Received: shared_layers={shared_layers}, scales={scales}"
        )


def _generators(networks):
    """The networks that translate: those of a domain, the shared ones, those of the other."""
    generators = {}
    for direction in DIRECTIONS:
        encoder = networks[f"encoder_{from_domain(direction)}"]
        decoder = networks[f"decoder_{to_domain(direction)}"]
        x = inputs = network_input(encoder.input_shape[1:])
        for part in (encoder, networks["shared_encoder"], networks["shared_decoder"], decoder):
            x = part(x)
        generators[direction] = keras.Model(inputs, x, name=f"generator_{direction}")
    return MappingProxyType(generators)


def _check_parts(networks, shapes):
    for kind in ("encoder", "decoder", "discriminator"):
        check_are_two("UNIT", kind, networks[f"{kind}_a"], networks[f"{kind}_b"])
    for name in ("encoder_a", "encoder_b", "discriminator_a", "discriminator_b"):
        check_takes(networks[name], shapes[name[-1]])
    shared = networks.get("shared_discriminator")
    for name in ("discriminator_a", "discriminator_b") if shared else ():
        given = networks[name].output_shape
        if isinstance(given, list) or given[-1] != shared.input_shape[-1]:
            raise ValueError(
                f"The shared discriminator takes {shared.input_shape[-1]} channels, and "
                f"'{networks[name].name}' gives the shape {given}; give discriminators of one "
                "output with as many channels."
            )


def _check_whole(networks, generators, shapes):
    for direction, generator in generators.items():
        check_makes(generator, shapes[from_domain(direction)], shapes[to_domain(direction)])
    for domain, shape in shapes.items():
        check_gives_logits(networks[f"discriminator_{domain}"], shape, several=True)


def _loss_panels(adversarial, weight):
    of_code = meanings.of_divergence
    return {
        "Discriminators": {
            f"d_{d}": meanings.of_discriminator(d, adversarial, 2 * weight) for d in "ab"
        },
        "Generators": {f"g_{d}": meanings.of_generator(d, adversarial, weight) for d in DIRECTIONS},
        "Reconstructions": {f"reconstruction_{d}": meanings.of_reconstruction(d) for d in "ab"},
        "Cycles": {f"cycle_{d}": meanings.of_cycle(d) for d in "ab"},
        "Codes": {
            **{f"kl_{d}": of_code(f"images of {d.upper()}") for d in "ab"},
            **{
                f"kl_{d}": of_code(f"images translated {' → '.join(d.upper())}") for d in DIRECTIONS
            },
        },
    }
