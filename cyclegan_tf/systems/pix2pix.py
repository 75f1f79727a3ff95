"""Pix2pix: image-to-image translation learned from pairs (Isola et al. 2017, arXiv 1611.07004)."""

import keras

from cyclegan_tf import losses
from cyclegan_tf.choices import PAIRED_GENERATORS
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.networks.discriminators import patchgan
from cyclegan_tf.networks.generators import resnet_generator, unet_generator
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.checks import check_weights
from cyclegan_tf.systems.cyclegan import paper_blocks
from cyclegan_tf.systems.one_way import OneWay


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class Pix2Pix(OneWay):
    """A generator and a discriminator of pairs, trained on paired images.

    The objective is eq. 4 of the paper: a conditional GAN and an L1 distance to the true image. A
    training element is `(image_a, image_b)`, float images in [-1, 1] that show the same scene.

    ```python
    model = cyclegan_tf.Pix2Pix(image_shape=(128, 128, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("facades", image_size=128, paired=True), epochs=200)
    facades = model.translate(label_maps)
    ```

    Args:
        generator: a model from images of one domain to images of the other in [-1, 1]; the
            paper's U-Net, with dropout at test too, if `None`.
        discriminator: a model from both images, joined along their channels, to logits of any
            shape: first the one that is translated, then the true or the translated one. The
            paper's 70x70 PatchGAN if `None`. Both networks are functional models, or Sequential
            ones that begin with `keras.Input`.
        direction: `"ab"` translates images of A to B, `"ba"` images of B to A.
        image_shape: `(height, width, channels)` of the training images, `{"a": …, "b": …}` if
            the channels of the domains differ. Height and width may be `None` if `pool_size` is
            0. `translate` takes any size.
        lambda_l1: weight of the L1 distance.
        adversarial: `"vanilla"`, `"lsgan"` or `"wgangp"`.
        pool_size: pairs that a replay pool holds, as in the CycleGAN paper's variant; 0 for none.
        seed: an integer >= 0, of all that is drawn: initial weights, pool and gradient penalty. The
            networks that are built here draw their dropout by it too.
        remat: see `CycleGAN`. Not for the paper's U-Net, which has dropout and batch
            normalization.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report, each as weighted in the objective: `d`, the discriminator; `g`,
    the generator against it; and `l1`, the distance to the true image.
    """

    paired = True
    judges_pairs = True

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        direction="ab",
        image_shape=(256, 256, 3),
        lambda_l1=100.0,
        adversarial="vanilla",
        pool_size=0,
        seed=0,
        remat=False,
        **kwargs,
    ):
        check_weights(lambda_l1=lambda_l1)
        super().__init__(
            generator,
            discriminator,
            build=lambda source, target, seed: paper_networks(source, target[2], seed=seed),
            panels=_loss_panels,
            direction=direction,
            image_shape=image_shape,
            adversarial=adversarial,
            pool_size=pool_size,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.lambda_l1 = lambda_l1

    def _generator_losses(self, source, target, fake, training):
        logits = self._forward(self.discriminator, self._judged(source, fake), training)
        return {
            "g": losses.generator_adversarial(logits, self.adversarial),
            "l1": self.lambda_l1 * losses.l1(fake, target),
        }

    def _discriminator_losses(self, real, fake, training):
        loss = self._adversarial_loss(self.discriminator, real, fake, self.adversarial, training)
        return {"d": loss}

    def sample_columns(self, images):
        """Columns of a grid to look at: the image, its translation and the true image."""
        source, target = self.direction
        translated = self.translate(images[source])
        return [
            (source.upper(), images[source]),
            (f"{source.upper()} → {target.upper()}", translated),
            (f"{target.upper()}, true", images[target]),
        ]

    def settings(self):
        return {**super().settings(), "lambda_l1": self.lambda_l1}


def paper_networks(
    image_shape=(256, 256, 3),
    output_channels=None,
    *,
    generator="unet",
    base_filters=64,
    halvings=None,
    dropout=0.5,
    blocks=None,
    strided_layers=3,
    seed=0,
):
    """Both networks of the paper (6.1), or those that the CycleGAN paper compares with (5.1).

    Args:
        image_shape: of the images that are translated.
        output_channels: of the images that are made; as many as come in, if `None`.
        generator: `"unet"`, with batch normalization in both networks, or `"resnet"`, CycleGAN's
            generator, with instance normalization.
        base_filters: of the first layer of each.
        halvings: of the U-Net: as many as the size allows up to 8, if `None`.
        dropout: rate in the U-Net's three innermost levels on the way up, at test too.
        blocks: of the ResNet; 6 below 256 pixels and 9 from there, if `None`.
        strided_layers: of the PatchGAN.
        seed: of the initial weights.

    Returns:
        `{"generator": …, "discriminator": …}`.
    """
    check_choice("generator", generator, PAIRED_GENERATORS)
    any_size = (None, None, image_shape[-1])
    output_channels = output_channels or image_shape[-1]
    seeds = seeds_of(seed, 2)
    common = {"output_channels": output_channels, "base_filters": base_filters, "seed": seeds[0]}
    if generator == "unet":
        normalization = "test_batch"
        translator = unet_generator(
            any_size,
            halvings=paper_halvings(image_shape) if halvings is None else halvings,
            dropout=dropout,
            dropout_levels=3,
            dropout_at_test=True,
            normalization=normalization,
            name="generator",
            **common,
        )
    else:
        normalization = "instance"
        blocks = paper_blocks(image_shape) if blocks is None else blocks
        translator = resnet_generator(any_size, blocks=blocks, name="generator", **common)
    discriminator = patchgan(
        (None, None, image_shape[-1] + output_channels),
        base_filters=base_filters,
        strided_layers=strided_layers,
        normalization=normalization,
        seed=seeds[1],
        name="discriminator",
    )
    return {"generator": translator, "discriminator": discriminator}


def paper_halvings(image_shape):
    """How often a U-Net halves images: 8 times at 256 pixels, 7 at 128, 6 at 64.

    Raises:
        ValueError: the size can be halved fewer than 5 times, the least of the reference.
    """
    sizes = [size for size in image_shape[:2] if size is not None]
    halvings = max(n for n in range(9) if not any(size % 2**n for size in sizes))
    if halvings < 5:
        raise ValueError(
            "A U-Net halves its images at least 5 times, so height and width must be multiples of "
            f"32, such as 128 or 256; or give halvings. Received: {' x '.join(map(str, sizes))}"
        )
    return halvings


def _loss_panels(direction, adversarial):
    return {
        "Discriminator": {"d": meanings.of_pair_discriminator(direction, adversarial)},
        "Generator": {"g": meanings.of_generator(direction, adversarial)},
        "Distance": {"l1": meanings.of_distance(direction)},
    }
