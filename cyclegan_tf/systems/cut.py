"""CUT: unpaired translation in one direction by contrasting patches (Park et al. 2020)."""

import functools
from types import MappingProxyType

import keras
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES, DIRECTIONS
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.directions import number_of
from cyclegan_tf.networks.discriminators import patchgan
from cyclegan_tf.networks.generators import resnet_generator
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.networks.patch_features import maps_of, patch_features
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.random_numbers import fold_in, random_integers
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import System, shapes_by_domain
from cyclegan_tf.systems.checks import (
    check_gives_logits,
    check_image_shape,
    check_makes,
    check_seed,
    check_takes,
    check_weights,
)
from cyclegan_tf.systems.cyclegan import paper_blocks

NCE_LAYERS = (0, 4, 8, 12, 16)


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class CUT(System):
    """A generator, a discriminator and features of patches, trained on unpaired images.

    The objective is eq. 5 of the paper (Park et al. 2020, arXiv 2007.15651): a GAN, and PatchNCE
    instead of a way back: a patch of the translation must have more in common with the patch of
    the original at its place than with others of that image. A training element is a pair
    `(image_a, image_b)` of float images in [-1, 1].

    ```python
    model = cyclegan_tf.CUT(image_shape=(128, 128, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("horse2zebra", image_size=128), epochs=400)
    zebras = model.translate(horses)
    ```

    FastCUT is `CUT(nce_identity=False, lambda_nce=10.0, flip_equivariance=True)`.

    Args:
        generator: a model from images to images in [-1, 1] of the same size and channels; the
            paper's, CycleGAN's ResNet with blurs instead of strides, if `None`.
        discriminator: a model from images to logits of any shape; the paper's PatchGAN, which
            blurs too, if `None`. Networks are functional models, or Sequential ones that begin
            with `keras.Input`.
        features: a model from a list of patches `(batch, patches, channels)`, one for each of
            `nce_layers`, to a list of as many features of length 1; the paper's if `None`.
        direction: `"ab"` translates images of A to B, `"ba"` images of B to A.
        image_shape: `(height, width, channels)` of the training images of both domains; height and
            width may be `None`. `translate` takes any size.
        lambda_nce: weight of PatchNCE.
        nce_identity: half of PatchNCE is of images that are of the target domain already, which
            are to stay as they are.
        flip_equivariance: in half of the steps the generator gets a mirrored image, whose
            features are mirrored back before they are compared.
        nce_layers: the layers of the generator whose outputs are compared, by number or by name;
            see `cyclegan_tf.networks.patch_features.maps_of`.
        patches: positions drawn from each map; all of it if it has fewer.
        temperature: τ of PatchNCE.
        adversarial: `"lsgan"`, `"vanilla"` or `"wgangp"`.
        seed: an integer >= 0, of the initial weights, the positions, the flips and the gradient
            penalty.
        remat: see `CycleGAN`.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report, each as weighted in the objective: `d`, the discriminator; `g`,
    the generator against it; `nce`, PatchNCE; and `nce_identity`, that of the target domain.
    """

    accumulates = False  # the discriminator's step lies within the generator's

    def __init__(
        self,
        generator=None,
        discriminator=None,
        features=None,
        *,
        direction="ab",
        image_shape=(256, 256, 3),
        lambda_nce=1.0,
        nce_identity=True,
        flip_equivariance=False,
        nce_layers=NCE_LAYERS,
        patches=256,
        temperature=0.07,
        adversarial="lsgan",
        seed=0,
        remat=False,
        **kwargs,
    ):
        check_choice("direction", direction, DIRECTIONS)
        image_shape = _shape_of_both(image_shape)
        check_weights(lambda_nce=lambda_nce)
        check_choice("adversarial", adversarial, ADVERSARIAL_OBJECTIVES)
        check_seed(seed)
        _check_contrast(nce_layers, patches, temperature)
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if generator is None or discriminator is None:
                built = paper_networks(image_shape, seed=seed)
                generator = generator or built["generator"]
                discriminator = discriminator or built["discriminator"]
            _check_translation(generator, discriminator, image_shape)
            maps = maps_of(generator, nce_layers)
            features = features or paper_features(generator, nce_layers, seed=seed)
        _check_features(features, maps)
        super().__init__(
            {"generator": generator, "discriminator": discriminator, "features": features},
            directions=(direction,),
            groups={
                "generator": ("generator",),
                "discriminator": ("discriminator",),
                "feature": ("features",),
            },
            loss_panels=_loss_panels(direction, adversarial, nce_identity),
            image_shapes=image_shape,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.lambda_nce = lambda_nce
        self.nce_identity = bool(nce_identity)
        self.flip_equivariance = bool(flip_equivariance)
        self.nce_layers = tuple(nce_layers)
        self.patches = int(patches)
        self.temperature = temperature
        self.adversarial = adversarial

    @property
    def direction(self):
        """`"ab"` or `"ba"`."""
        return self.directions[0]

    @property
    def generators(self):
        return MappingProxyType({self.direction: self.generator})

    @functools.cached_property
    def _encoders(self):
        """Models to the maps of `nce_layers`, and to the translation and the maps."""
        images, image = self.generator.inputs[0], self.generator.outputs[0]
        maps = maps_of(self.generator, self.nce_layers)
        models = {"encode": keras.Model(images, maps), "both": keras.Model(images, [image, *maps])}
        return MappingProxyType(models)  # in which Keras does not look for layers to save

    def train_step(self, data):
        source, target = self._source_and_target(data)
        flipped = drawn_flip(self._seed("flip")) if self.flip_equivariance else None

        def generator_losses():
            pairs = self._translations(source, target, flipped, training=True)
            # The discriminator's step lies between the translation and the generator's losses.
            fake = tf.stop_gradient(pairs["nce"][0])
            d_losses = self._minimize(
                "discriminator", lambda: self._discriminator_losses(target, fake, training=True)
            )
            return self._generator_losses(pairs, flipped, training=True), d_losses

        g_losses, d_losses = self._minimize(("generator", "feature"), generator_losses)
        return self._log({**g_losses, **d_losses}, source)

    def test_step(self, data):
        """The same losses without an update; nothing is flipped."""
        source, target = self._source_and_target(data)
        pairs = self._translations(source, target, None, training=False)
        g_losses = self._generator_losses(pairs, None, training=False)
        d_losses = self._discriminator_losses(target, pairs["nce"][0], training=False)
        return self._log({**g_losses, **d_losses}, source)

    def _source_and_target(self, data):
        images = self._images(data)
        return tuple(images[number_of(domain)] for domain in self.direction)

    def _translations(self, source, target, flipped, training):
        """Images that the generator makes, each with the maps of its original, by their loss."""
        originals = {"nce": source}
        if self.nce_identity:
            originals["nce_identity"] = target
        pairs = {}
        for name, images in originals.items():
            if flipped is None:
                made, *maps = self._forward(self._encoders["both"], images, training)
            else:  # the maps of a mirrored image are not the mirrored maps
                made = self._forward(self.generator, mirrored(images, flipped), training)
                maps = self._encode(images, training)
            pairs[name] = made, maps
        return pairs

    def _encode(self, images, training):
        """The maps of `nce_layers`."""
        return tf.nest.flatten(self._forward(self._encoders["encode"], images, training))

    def _generator_losses(self, pairs, flipped, training):
        """The terms that generator and features minimize."""
        logits = self._forward(self.discriminator, pairs["nce"][0], training)
        terms = {"g": losses.generator_adversarial(logits, self.adversarial)}
        for name, (made, original_maps) in pairs.items():
            maps = self._encode(made, training)
            if flipped is not None:
                maps = [mirrored(each, flipped) for each in maps]
            loss = self._patch_nce(maps, original_maps, self._seed(name), training)
            terms[name] = self.lambda_nce / len(pairs) * loss
        return terms

    def _patch_nce(self, maps, original_maps, seed, training):
        """The mean over the layers, at the same positions of both."""
        positions = drawn_positions(maps, self.patches, seed)
        queries, keys = (
            tf.nest.flatten(self.features(patches_at(each, positions), training=training))
            for each in (maps, original_maps)
        )
        # The keys are constants: the features learn by the queries only.
        terms = [
            losses.patch_nce(query, tf.stop_gradient(key), self.temperature)
            for query, key in zip(queries, keys)
        ]
        return sum(terms) / len(terms)

    def _discriminator_losses(self, target, fake, training):
        loss = self._adversarial_loss(self.discriminator, target, fake, self.adversarial, training)
        return {"d": loss}

    def settings(self):
        return {
            **super().settings(),
            "direction": self.direction,
            "image_shape": self.image_shape,
            "lambda_nce": self.lambda_nce,
            "nce_identity": self.nce_identity,
            "flip_equivariance": self.flip_equivariance,
            "nce_layers": self.nce_layers,
            "patches": self.patches,
            "temperature": self.temperature,
            "adversarial": self.adversarial,
        }


def drawn_flip(seed):
    """Whether this step mirrors its images: a boolean tensor, true in half of the steps."""
    return random_integers((), seed, 2) == 1


def drawn_positions(maps, patches, seed):
    """Different positions in each map, the same for all images of the batch.

    Args:
        maps: tensors of shape `(batch, height, width, channels)`.
        patches: how many; all positions, in any order, if a map has fewer.
        seed: int32 tensor of shape (2,).

    Returns:
        int32 tensors of shape `(patches,)`, indices into height · width, row by row.
    """
    positions = []
    for number, each in enumerate(maps):
        _, height, width, _ = keras.ops.shape(each)
        drawn = random_integers((height * width,), fold_in(seed, number), 2**31 - 1)
        positions.append(tf.math.top_k(drawn, tf.minimum(patches, height * width)).indices)
    return positions


def patches_at(maps, positions):
    """The channels of each map at its positions, `(batch, patches, channels)`."""
    patches = []
    for each, at in zip(maps, positions):
        batch, height, width, channels = keras.ops.shape(each)
        row_by_row = tf.reshape(each, (batch, height * width, channels))
        patches.append(tf.gather(row_by_row, at, axis=1))
    return patches


def mirrored(images, flipped):
    """Images or maps, left and right exchanged if `flipped`."""
    return tf.where(flipped, tf.reverse(images, [2]), images)


def paper_networks(
    image_shape=(256, 256, 3), *, base_filters=64, blocks=None, strided_layers=3, seed=0
):
    """The generator and the discriminator of the paper.

    Args:
        image_shape: of the training images.
        base_filters: filters of the first layer of each.
        blocks: residual blocks; 6 below 256 pixels and 9 from there, if `None`; see
            `paper_layers`.
        strided_layers: of the PatchGAN.
        seed: of the initial weights, Xavier's of gain 0.02.

    Returns:
        `{"generator": …, "discriminator": …}`.
    """
    image_shape = _shape_of_both(image_shape)
    any_size = (None, None, image_shape[-1])
    seeds = seeds_of(seed, 3)  # the third is of the features
    common = {"base_filters": base_filters, "initialization": "xavier"}
    generator = resnet_generator(
        any_size,
        blocks=paper_blocks(image_shape) if blocks is None else blocks,
        downsampling="blur",
        upsampling="blur",
        seed=seeds[0],
        name="generator",
        **common,
    )
    discriminator = patchgan(
        any_size,
        strided_layers=strided_layers,
        antialias=True,
        seed=seeds[1],
        name="discriminator",
        **common,
    )
    return {"generator": generator, "discriminator": discriminator}


def paper_layers(generator):
    """The numbers of the paper's layers: 12 and 16 are the first residual block and the fifth.

    Of fewer than five blocks it is the last; the number 16 would be a layer of the decoder.
    """
    blocks = sum(isinstance(layer, keras.layers.Add) for layer in generator.layers)
    return tuple(dict.fromkeys((*NCE_LAYERS[:-1], min(NCE_LAYERS[-1], 11 + blocks))))


def paper_features(generator, nce_layers=NCE_LAYERS, *, width=256, seed=0):
    """The paper's features of patches in the layers of a generator."""
    channels = [each.shape[-1] for each in maps_of(generator, nce_layers)]
    return patch_features(channels, width=width, seed=seeds_of(seed, 3)[2], name="features")


def _shape_of_both(image_shape):
    """The one shape of images of both domains; PatchNCE encodes translations too."""
    shapes = shapes_by_domain(image_shape)
    if shapes["a"] != shapes["b"]:
        raise ValueError(
            "CUT's generator encodes images and their translations, to compare both, so images of "
            "both domains must have the same height, width and channels. "
            f"Received: image_shape={image_shape}"
        )
    check_image_shape(shapes["a"])
    return shapes["a"]


def _check_translation(generator, discriminator, image_shape):
    check_takes(generator, image_shape)
    check_makes(generator, image_shape, image_shape)
    check_takes(discriminator, image_shape)
    check_gives_logits(discriminator, image_shape)


def _check_features(features, maps):
    channels = [each.shape[-1] for each in maps]
    taken = [tensor.shape[-1] for tensor in features.inputs]
    if taken != channels or len(features.outputs) != len(channels):
        raise ValueError(
            f"'{features.name}' takes patches of {taken} channels and gives "
            f"{len(features.outputs)} outputs; expected those of the layers of nce_layers, "
            f"{channels}, and an output for each."
        )


def _check_contrast(nce_layers, patches, temperature):
    if not isinstance(nce_layers, (tuple, list)) or not nce_layers:
        raise ValueError(
            f"nce_layers must be a tuple of one or more layers. Received: {nce_layers!r}"
        )
    if patches < 2:
        raise ValueError(
            "patches must be at least 2, since each is told from the others. "
            f"Received: patches={patches}"
        )
    if not 0 < temperature < float("inf"):
        raise ValueError(
            f"temperature must be a finite number above 0. Received: temperature={temperature}"
        )


def _loss_panels(direction, adversarial, nce_identity):
    source, target = direction
    patches = {"nce": meanings.of_patches(source, target)}
    if nce_identity:
        patches["nce_identity"] = meanings.of_patches(target, target)
    return {
        "Discriminator": {"d": meanings.of_discriminator(target, adversarial)},
        "Generator": {"g": meanings.of_generator(direction, adversarial)},
        "Patches": patches,
    }
