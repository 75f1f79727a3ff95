"""BiGAN and ALI between two domains of images, as the CycleGAN paper compares with them."""

import keras
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.choices import ADVERSARIAL_OBJECTIVES
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.networks.discriminators import patchgan
from cyclegan_tf.networks.generators import resnet_generator
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import System, given_shapes, shapes_by_domain
from cyclegan_tf.systems.checks import (
    check_are_two,
    check_gives_logits,
    check_image_shape,
    check_makes,
    check_seed,
    check_takes,
)
from cyclegan_tf.systems.cyclegan import paper_blocks
from cyclegan_tf.training.replay_pool import ReplayPool


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class BiGAN(System):
    """Two generators and one discriminator of pairs, trained on unpaired images.

    BiGAN (Donahue et al. 2017, arXiv 1605.09782) and ALI (Dumoulin et al. 2017, arXiv 1606.00704)
    learn a generator of images from noise and an encoder back. In the CycleGAN paper (5.1.1) the
    noise is an image of the other domain. With images a of A and b of B, the generators G: A → B
    and E: B → A, and q an older pair from a replay pool, in the least-squares form:

        D minimizes  ½ E[(D(q(a, G(a))) - 1)²] + ½ E[D(q(E(b), b))²]
        G minimizes  E[D(a, G(a))²]
        E minimizes  E[(D(E(b), b) - 1)²]

    D learns to give 1 for the pairs of G and 0 for those of E, and each of the two wants the
    other answer. If D answers 0 everywhere, these are 0.5, 0 and 1. Nothing else ties a
    translation to its image: there is no cycle and no distance.

    The order is that of the paper's code: both translate, D is updated, then G and E, against
    the new D. That code has an optimizer for each of G and E. Here one Adam updates both by the
    sum of their losses, which is the same: neither loss depends on the other's weights, and Adam
    treats each weight on its own. An optimizer that clips gradients by their global norm would
    couple them. Where that code differs otherwise:

    - It halves D's loss only where it prints it; the text (7.1) halves the objective, as here.
      Under Adam this changes next to nothing.
    - It asks for `lambda_A` and `lambda_B` and ignores them; there are none here.
    - Its networks differ from those of the later release in PyTorch, which all systems here have:
      in D's padding, in biases, and in learned scales and offsets of the normalization.

    The original papers' noise, ALI's random encoder and its single step for all networks are not
    part of that comparison, nor of this class. `adversarial="vanilla"` gives their cross-entropy.

    ```python
    model = cyclegan_tf.BiGAN(image_shape=(128, 128, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("horse2zebra", image_size=128), epochs=200)
    ```

    Args:
        generator_ab, generator_ba: G and E, models from images to images in [-1, 1]; CycleGAN's,
            if `None`.
        discriminator: a model from an image of A and one of B, joined along their channels, to
            logits of any shape; the 70x70 PatchGAN, if `None`.
        image_shape: `(height, width, channels)` of the training images, `{"a": …, "b": …}` if
            the channels of the domains differ. Height and width may be `None` if `pool_size` is 0.
        adversarial: `"lsgan"`, `"vanilla"` or `"wgangp"`.
        pool_size: pairs that each of two replay pools holds; 0 for none.
        seed: an integer >= 0, of the initial weights, the pools and the gradient penalty.
        remat: see `CycleGAN`.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report `d`, the discriminator, and `g_ab` and `g_ba`, the generators
    against it.
    """

    accumulates = False  # the discriminator's step lies within the generators'

    def __init__(
        self,
        generator_ab=None,
        generator_ba=None,
        discriminator=None,
        *,
        image_shape=(256, 256, 3),
        adversarial="lsgan",
        pool_size=50,
        seed=0,
        remat=False,
        **kwargs,
    ):
        shapes = shapes_by_domain(image_shape)
        for shape in shapes.values():
            check_image_shape(shape)
        check_choice("adversarial", adversarial, ADVERSARIAL_OBJECTIVES)
        check_seed(seed)
        networks = {
            "generator_ab": generator_ab,
            "generator_ba": generator_ba,
            "discriminator": discriminator,
        }
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if None in networks.values():
                built = paper_networks(shapes, seed=seed)
                networks = {name: given or built[name] for name, given in networks.items()}
            pools = {
                name: ReplayPool(pool_size, _pair_shape(shapes), name=name)
                for name in ("pool_ab", "pool_ba")
            }
        _check_networks(**networks, shapes=shapes)
        super().__init__(
            networks,
            groups={
                "generator": ("generator_ab", "generator_ba"),
                "discriminator": ("discriminator",),
            },
            loss_panels=_loss_panels(adversarial),
            image_shapes=shapes,
            pools=pools,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.adversarial = adversarial
        self.pool_size = pool_size

    def train_step(self, data):
        image_a, image_b = self._images(data)

        def generator_losses():
            of_ab, of_ba = self._pairs(image_a, image_b, training=True)
            # The discriminator's step lies between the translations and their losses.
            shown_ab = self.pool_ab(tf.stop_gradient(of_ab), seed=self._seed("pool_ab"))
            shown_ba = self.pool_ba(tf.stop_gradient(of_ba), seed=self._seed("pool_ba"))
            d_losses = self._minimize(
                "discriminator",
                lambda: self._discriminator_losses(shown_ab, shown_ba, training=True),
            )
            return self._generator_losses(of_ab, of_ba, training=True), d_losses

        g_losses, d_losses = self._minimize("generator", generator_losses)
        return self._log({**g_losses, **d_losses}, image_a)

    def test_step(self, data):
        """The same losses without an update; the discriminator sees the current pairs."""
        pairs = self._pairs(*self._images(data), training=False)
        g_losses = self._generator_losses(*pairs, training=False)
        d_losses = self._discriminator_losses(*pairs, training=False)
        return self._log({**g_losses, **d_losses}, pairs[0])

    def _pairs(self, image_a, image_b, training):
        """(a, G(a)) and (E(b), b), each joined along the channels, A first."""
        fake_b = self._forward(self.generator_ab, image_a, training)
        fake_a = self._forward(self.generator_ba, image_b, training)
        return tf.concat([image_a, fake_b], -1), tf.concat([fake_a, image_b], -1)

    def _generator_losses(self, of_ab, of_ba, training):
        logits = self._forward_both(self.discriminator, of_ab, of_ba, training)
        return {
            name: losses.generator_adversarial(each, self.adversarial, label=label)
            for name, each, label in zip(("g_ab", "g_ba"), logits, (0.0, 1.0))
        }

    def _discriminator_losses(self, of_ab, of_ba, training):
        loss = self._adversarial_loss(self.discriminator, of_ab, of_ba, self.adversarial, training)
        return {"d": loss}

    def settings(self):
        return {
            **super().settings(),
            "image_shape": given_shapes(self.image_shapes),
            "adversarial": self.adversarial,
            "pool_size": self.pool_size,
        }


def paper_networks(
    image_shape=(256, 256, 3), *, base_filters=64, blocks=None, strided_layers=3, seed=0
):
    """CycleGAN's two generators, and its PatchGAN for pairs.

    Args:
        image_shape: of the training images, as in `BiGAN`.
        base_filters: filters of the first layer of each.
        blocks: residual blocks of the generators; 6 below 256 pixels and 9 from there, if `None`.
        strided_layers: of the PatchGAN.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `BiGAN`'s arguments.
    """
    shapes = shapes_by_domain(image_shape)
    blocks = paper_blocks(shapes["a"]) if blocks is None else blocks
    *seeds, discriminator_seed = seeds_of(seed, 3)
    networks = {}
    for direction, own_seed in zip(("ab", "ba"), seeds):
        source, target = (shapes[domain][-1] for domain in direction)
        name = f"generator_{direction}"
        networks[name] = resnet_generator(
            (None, None, source),
            target,
            base_filters=base_filters,
            blocks=blocks,
            seed=own_seed,
            name=name,
        )
    networks["discriminator"] = patchgan(
        (None, None, _pair_shape(shapes)[-1]),
        base_filters=base_filters,
        strided_layers=strided_layers,
        seed=discriminator_seed,
        name="discriminator",
    )
    return networks


def _pair_shape(shapes):
    return (*shapes["a"][:2], shapes["a"][2] + shapes["b"][2])


def _check_networks(generator_ab, generator_ba, discriminator, shapes):
    check_are_two("BiGAN", "generator", generator_ab, generator_ba)
    for generator, source, target in ((generator_ab, "a", "b"), (generator_ba, "b", "a")):
        check_takes(generator, shapes[source])
        check_makes(generator, shapes[source], shapes[target])
    check_takes(discriminator, _pair_shape(shapes))
    check_gives_logits(discriminator, _pair_shape(shapes))


def _loss_panels(adversarial):
    return {
        "Discriminator": {"d": meanings.of_joint_discriminator(adversarial)},
        "Generators": {f"g_{d}": meanings.of_generator(d, adversarial) for d in ("ab", "ba")},
    }
