"""CoGAN: pairs of images from noise, by generators that share layers (arXiv 1606.07536)."""

from functools import partial

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import losses, pixels
from cyclegan_tf.directions import from_domain, number_of, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.networks import tied
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.random_numbers import random_normal
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import System
from cyclegan_tf.systems.checks import (
    check_are_two,
    check_count,
    check_image_shape,
    check_seed,
    check_takes,
)
from cyclegan_tf.training.optimizers import Adam
from cyclegan_tf.translation.latent_search import LatentSearch
from cyclegan_tf.translation.translator import Translator

NETWORKS = (
    "shared_generator",
    "generator_a",
    "generator_b",
    "discriminator_a",
    "discriminator_b",
    "shared_discriminator",
)
_AT_ONCE = 64  # pairs that `generate` computes
_MADE, _REAL = 0, 1  # the classes of the discriminators


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class CoGAN(System):
    """Two GANs from the same noise that share layers, trained on unpaired images.

    Liu and Tuzel 2016 (arXiv 1606.07536). From noise z ~ N(0, 1) the generators make an image of
    each domain, G_A(z) and G_B(z). Their first layers are the same, so both show one scene; only
    the last ones belong to a domain. Discriminators D_A and D_B share their last layers, and give
    two logits: "made" and "real". With images a of A and b of B, and CE the softmax cross-entropy,

        D minimizes  CE([D_A(a), D_B(b)], real) + CE([D_A(G_A(z)), D_B(G_B(z))], made)
        G minimizes  CE([D_A(G_A(z')), D_B(G_B(z'))], real)

    each a mean over the 2N images of both domains, and nothing halved. D is updated first, and G
    against the new D with noise of its own. If D cannot tell, each of the three terms is 0.69.

    **It is no translator.** An image is translated by searching for the noise from which the
    generator of its domain makes nearly the same image, and rendering it in the other domain: the
    method of the paper (section 4) and of the comparison in the CycleGAN paper (5.1.1). No code
    for it was published. Here `search_steps` steps of Adam from each of `search_starts` starts
    minimize the mean square of the difference; see `LatentSearch`. This is slow, a thousand
    times the work of a network that translates, and approximate: what the generators cannot make
    is not found, and shapes of the original are often lost. There is nothing to export.

    Sources: the paper, and `mingyuliutw/CoGAN`. At 28 pixels networks, losses and steps are those
    of its PyTorch code for digits and their edges. What is decided here:

    - That code has images in [0, 1], this package in [-1, 1]. At 28 pixels the generators bring
      their images to [-1, 1] at the end, and the discriminators back at the beginning; all between
      is the published arithmetic. At other sizes the generators end in tanh, as for faces.
    - The code for faces is a template with one branch. Its layers are shared here from the noise
      to 32x32 and, in the discriminators, from the third layer on. Their batch normalization and
      dropout are left out, and all biases and PReLUs are those of the code for digits.
    - Noise is N(0, 1) at all sizes; for faces it was uniform from -1 to 1.
    - L2 is that of digits, 5e-4, and so are the initial weights; for faces it was 1e-4, and the
      initial weights were MSRA's.
    - Batches are normalized by their own statistics in training, and by moving averages when
      images are generated, searched for or evaluated, so that none depends on the others.

    The losses of classes, for adaptation between sets of digits, are left out.

    ```python
    model = cyclegan_tf.CoGAN(image_shape=(64, 64, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("horses", "zebras", image_size=64, batch_size=64))
    horses, zebras = model.generate(16)
    ```

    Args:
        shared_generator: a model from noise `(batch, latent)` to features; see
            `cyclegan_tf.networks.tied`. A network that is not given is that of `paper_networks`.
        generator_a, generator_b: models from these to images of a domain in [-1, 1].
        discriminator_a, discriminator_b: models from images of a domain to features.
        shared_discriminator: a model from these to two logits.
        image_shape: `(height, width, channels)` of the training images: squares of 28 pixels, or
            of a power of two from 16 to 256. Only images of this size can be translated.
        search_steps: of each descent in `translate`.
        search_starts: from how many codes it begins for each image.
        seed: an integer >= 0, of the initial weights, the noise, and the starts of searches.
        remat: not possible with batch normalization, which all of these generators have.

    Raises:
        ValueError: an argument out of range, or networks that do not fit each other.

    `fit` and `evaluate` report `d_real` and `d_made`, whose sum the discriminators minimize, and
    `g`, the generators against them.
    """

    # The discriminators' step lies before the generators' losses, which a batch computes at once.
    accumulates = False

    def __init__(
        self,
        shared_generator=None,
        generator_a=None,
        generator_b=None,
        discriminator_a=None,
        discriminator_b=None,
        shared_discriminator=None,
        *,
        image_shape=(64, 64, 3),
        search_steps=500,
        search_starts=4,
        seed=0,
        remat=False,
        **kwargs,
    ):
        check_image_shape(image_shape)
        check_count(search_steps=search_steps, search_starts=search_starts)
        check_seed(seed)
        given = (
            shared_generator, generator_a, generator_b,
            discriminator_a, discriminator_b, shared_discriminator,
        )  # fmt: skip
        networks = dict(zip(NETWORKS, given))
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if None in networks.values():
                built = paper_networks(image_shape, seed=seed)
                networks = {name: each or built[name] for name, each in networks.items()}
        _check_networks(networks, tuple(image_shape))
        super().__init__(
            networks,
            groups={"generator": NETWORKS[:3], "discriminator": NETWORKS[3:]},
            loss_panels=_loss_panels(),
            image_shapes=image_shape,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self._search = int(search_steps), int(search_starts)
        self._translator = Translator(
            {direction: _Inverted(self, direction) for direction in self.directions},
            self.image_shape,
        )
        self._compiled_pair = self._compiled(
            partial(self._pair, training=False), (self.latent,), self.variable_dtype
        )
        # Shared by all that search: tracing a search takes seconds.
        self._nearest_to = {
            domain: self._compiled(partial(self._nearest, domain=domain), self.image_shape)
            for domain in "ab"
        }

    @property
    def generators(self):
        """None: there is no network that takes an image of one domain to the other."""
        return {}

    @property
    def latent(self):
        """Numbers of the noise from which a pair is made."""
        return self.shared_generator.input_shape[-1]

    @property
    def search_steps(self):
        """Of each descent in `translate`; fixed, because it is part of a graph."""
        return self._search[0]

    @property
    def search_starts(self):
        """From how many codes a search begins; fixed too."""
        return self._search[1]

    def default_optimizer(self, group):
        return Adam(2e-4, l2=5e-4)

    def train_step(self, data):
        images = self._images(data)
        made = self._pair(self._noise("discriminator", images[0]), training=True)
        d_losses = self._minimize(
            "discriminator", lambda: self._discriminator_losses(images, made, training=True)
        )
        noise = self._noise("generator", images[0])
        g_losses = self._minimize("generator", lambda: self._generator_losses(noise, training=True))
        return self._log({**d_losses, **g_losses}, images[0])

    def test_step(self, data):
        """The same losses without an update, by the moving averages; the noise is always one."""
        images = self._images(data)
        noise = self._noise("evaluation", images[0])
        made = self._pair(noise, training=False)
        d_losses = self._discriminator_losses(images, made, training=False)
        return self._log({**d_losses, **self._generator_losses(noise, training=False)}, images[0])

    def _discriminator_losses(self, images, made, training):
        return {
            "d_real": losses.class_cross_entropy(self._logits(images, training), _REAL),
            "d_made": losses.class_cross_entropy(self._logits(made, training), _MADE),
        }

    def _generator_losses(self, noise, training):
        logits = self._logits(self._pair(noise, training), training)
        return {"g": losses.class_cross_entropy(logits, _REAL)}

    def _noise(self, stream, images):
        """Codes, one for each of the images."""
        shape = (tf.shape(images)[0], self.latent)
        return random_normal(shape, self._seed(stream), images.dtype)

    def _pair(self, codes, training):
        """An image of A and one of B for each code."""
        features = self._forward(self.shared_generator, codes, training)
        return tuple(
            self._forward(generator, features, training)
            for generator in (self.generator_a, self.generator_b)
        )

    def _logits(self, images, training):
        """Those of images of A, then of B: `(2N, 2)`."""
        discriminators = (self.discriminator_a, self.discriminator_b)
        features = [
            self._forward(discriminator, each, training)
            for discriminator, each in zip(discriminators, images)
        ]
        return self._forward(self.shared_discriminator, tf.concat(features, 0), training)

    # Images from noise, and back.

    def generate(self, count=1, seed=0):
        """Pairs of images that show the same scene in both domains.

        Args:
            count: of pairs.
            seed: an integer >= 0; the same one gives the same pairs.

        Returns:
            Images of A and images of B, uint8 arrays `(count, height, width, channels)`.
        """
        check_count(count=count)
        check_seed(seed)
        codes = random_normal((count, self.latent), tf.constant([seed, 1]), self.variable_dtype)
        pairs = [
            [pixels.to_uint8(each.numpy()) for each in self._compiled_pair(codes[n : n + _AT_ONCE])]
            for n in range(0, count, _AT_ONCE)
        ]
        return tuple(np.concatenate(images) for images in zip(*pairs))

    def translate(self, images, direction=None, batch_size=8):
        """Searches for images among those that can be generated; slow and approximate.

        The same image gives the same result. `cyclegan-tf translate` shows its progress from image
        to image, as does `predict`.

        Args:
            images: as in `Translator.translate`, of the size of the training images.
            direction: `"ab"` or `"ba"`; `"ab"` if `None`.
            batch_size: images that are searched for at once, with all starts of each.

        Returns:
            As `Translator.translate`.

        Raises:
            InputError: images of another size; see also `Translator.translate`.
        """
        for each in images if isinstance(images, (list, tuple)) else [images]:
            self._check_size(np.shape(each))
        return self._translator.translate(images, direction, batch_size)

    def call(self, inputs, training=None):
        """Translates images of A to B by a search; this is what `predict` runs."""
        self._check_size(inputs.shape)
        return self._translator.generators[self.directions[0]](inputs)

    def _check_size(self, shape):
        height, width, _ = self.image_shape
        if len(shape) in (3, 4) and tuple(shape[-3:-1]) not in ((height, width), (None, None)):
            raise InputError(
                f"A {type(self).__name__} finds only images of the size that it generates; scale "
                f"them to {height} by {width} pixels first. Received: {tuple(shape)}"
            )

    @staticmethod
    def _compiled(function, shape, dtype="float32"):
        signature = [tf.TensorSpec((None, *shape), dtype)]
        return tf.function(function, autograph=False, input_signature=signature)

    def _nearest(self, images, domain):
        """The pair whose image of a domain is nearest to each of the images."""

        def render(codes):
            return self._pair(codes, training=False)[number_of(domain)]

        search = LatentSearch(render, self.latent, self.seed, self.search_steps, self.search_starts)
        return self._pair(search(tf.cast(images, self.variable_dtype)), training=False)

    def sample_columns(self, images):
        """Columns of an image grid: generated pairs; images, the nearest found, and translations.

        See `System.sample_columns`.
        """
        generated = self.generate(len(images["a"]), self.seed)
        columns = [("A, generated", generated[0]), ("B, generated", generated[1])]
        for direction in self.directions:
            source, target = from_domain(direction), to_domain(direction)
            shown = images[source]
            pair = self._nearest_to[source](pixels.to_float(np.stack(shown)))
            found = dict(zip("ab", (pixels.to_uint8(each.numpy()) for each in pair)))
            columns += [
                (source.upper(), shown),
                (f"{source.upper()}, nearest", found[source]),
                (f"{source.upper()} → {target.upper()}", found[target]),
            ]
        return columns

    def settings(self):
        return {
            **super().settings(),
            "image_shape": self.image_shape,
            "search_steps": self.search_steps,
            "search_starts": self.search_starts,
        }


class _Inverted:
    """One direction of a CoGAN as the `Translator` knows a generator: images in, images out."""

    def __init__(self, system, direction):
        self.system = system
        self.source, self.target = from_domain(direction), to_domain(direction)
        self.input_shape = self.output_shape = (None, *system.image_shape)

    def __call__(self, images, training=False):
        images = tf.ensure_shape(tf.cast(images, tf.float32), self.input_shape)
        return self.system._nearest_to[self.source](images)[number_of(self.target)]


def paper_networks(
    image_shape=(64, 64, 3),
    *,
    latent=100,
    base_filters=64,
    shared_generator_layers=None,
    own_discriminator_layers=None,
    seed=0,
):
    """The published networks at 28 pixels; at other sizes those of the template for faces.

    Args:
        image_shape: of the training images, as in `CoGAN`.
        latent: numbers of the noise.
        base_filters: of the generators' features at 64x64; they have twice as many at half the
            size, down to 4x4. The published discriminators at 28 pixels go with 64.
        shared_generator_layers: how many both generators share, counted from the noise; 4, up to
            32x32, if `None`.
        own_discriminator_layers: how many of each discriminator are its own, counted from the
            image; 2 if `None`. At 28 pixels both numbers are fixed.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `CoGAN`'s arguments.

    Raises:
        ValueError: an image size or a number of layers that there is not.
    """
    _check_known_size(image_shape)
    check_count(latent=latent, base_filters=base_filters)
    layers = {
        "shared_generator_layers": shared_generator_layers,
        "own_discriminator_layers": own_discriminator_layers,
    }
    if image_shape[0] == tied.DIGITS:
        for name, value in layers.items():
            if value is not None:
                raise ValueError(
                    f"{name} is fixed at 28 pixels, where the networks are the published ones; "
                    f"leave it out. Received: {name}={value}"
                )
        return _networks_of_digits(image_shape, latent, base_filters, seed)
    return _networks_of_faces(image_shape, latent, base_filters, **layers, seed=seed)


def _networks_of_digits(image_shape, latent, base_filters, seed):
    def widths(*published):
        return [max(1, width * base_filters // 64) for width in published]

    first, *others = widths(20, 50, 500)
    return _assembled(
        partial(tied.shared_generator, latent, widths=widths(1024, 512, 256, 128), kernel=3),
        partial(tied.digit_generator, channels=image_shape[-1]),
        partial(tied.digit_discriminator, image_shape, filters=first),
        partial(tied.shared_digit_discriminator, widths=others),
        seed,
    )


def _networks_of_faces(
    image_shape,
    latent,
    base_filters,
    shared_generator_layers,
    own_discriminator_layers,
    seed,
):
    halvings = image_shape[0].bit_length() - 1
    widths = [max(1, 16 * base_filters // 2**n) for n in range(halvings - 1)]  # from 4x4 on
    # Half as many filters at the same size, and down to 2x2.
    judges = [max(1, base_filters // 2) * 2**n for n in range(halvings - 1)]
    shared = min(4, len(widths)) if shared_generator_layers is None else shared_generator_layers
    own = 2 if own_discriminator_layers is None else own_discriminator_layers
    for name, value, most in (
        ("shared_generator_layers", shared, len(widths)),
        ("own_discriminator_layers", own, len(judges)),
    ):
        if not 1 <= value <= most:
            raise ValueError(
                f"{name} must be from 1 to {most} for images of {image_shape[0]} pixels. "
                f"Received: {name}={value}"
            )
    return _assembled(
        partial(tied.shared_generator, latent, widths=widths[:shared]),
        partial(tied.own_generator, channels=image_shape[-1], widths=widths[shared:]),
        partial(tied.own_discriminator, image_shape, widths=judges[:own]),
        partial(
            tied.shared_discriminator,
            widths=judges[own:],
            last_width=2 * judges[-1],
            layers_before=own,
        ),
        seed,
    )


def _assembled(shared_generator, own_generator, own_discriminator, shared_discriminator, seed):
    """The networks that these functions build, each from the shape of the features before it."""
    given = [{"seed": each, "name": name} for each, name in zip(seeds_of(seed, 6), NETWORKS)]
    first = shared_generator(**given[0])
    generators = [own_generator(first.output_shape[1:], **each) for each in given[1:3]]
    discriminators = [own_discriminator(**each) for each in given[3:5]]
    last = shared_discriminator(discriminators[0].output_shape[1:], **given[5])
    return dict(zip(NETWORKS, [first, *generators, *discriminators, last]))


def _check_known_size(image_shape):
    check_image_shape(image_shape)
    height, width, _ = image_shape
    known = (tied.DIGITS, 16, 32, 64, 128, 256)
    if height != width or height not in known:
        raise ValueError(
            "CoGAN has networks for square images of 28, 16, 32, 64, 128 or 256 pixels; choose one "
            f"of these sizes, and preprocess images to it. Received: image_shape={image_shape}"
        )


def _check_networks(networks, image_shape):
    for kind in ("generator", "discriminator"):
        check_are_two("CoGAN", kind, networks[f"{kind}_a"], networks[f"{kind}_b"])
    first, last = networks["shared_generator"], networks["shared_discriminator"]
    if None in image_shape:
        raise ValueError(
            "CoGAN generates images of one size; image_shape must have a height and a width. "
            f"Received: {image_shape}"
        )
    for domain in "ab":
        generator, judge = networks[f"generator_{domain}"], networks[f"discriminator_{domain}"]
        for before, after in ((first, generator), (judge, last)):
            if before.output_shape[1:] != after.input_shape[1:]:
                raise ValueError(
                    f"'{before.name}' gives the shape {before.output_shape[1:]}, and "
                    f"'{after.name}' takes {after.input_shape[1:]}; give networks that fit."
                )
        if generator.output_shape[1:] != image_shape:
            raise ValueError(
                f"The generator '{generator.name}' makes images of shape "
                f"{generator.output_shape[1:]}; expected image_shape, which is {image_shape}."
            )
        check_takes(judge, image_shape)
    if len(first.input_shape) != 2 or last.output_shape[1:] != (2,):
        raise ValueError(
            "A CoGAN begins with noise (batch, latent) and ends with two logits (batch, 2). "
            f"Received: networks from {first.input_shape} and to {last.output_shape}"
        )


def _loss_panels():
    return {
        "Discriminators": {
            "d_real": meanings.of_class("real images"),
            "d_made": meanings.of_class("generated ones"),
        },
        "Generators": {"g": meanings.of_pair_generator()},
    }
