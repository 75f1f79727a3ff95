"""DualGAN: two generators tied by the way back, with a Wasserstein GAN (arXiv 1704.02510)."""

import keras
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.choices import DIRECTIONS, DUALGAN_DISTANCES, DUALGAN_OBJECTIVES
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.keras_internals import step_counter
from cyclegan_tf.networks.dual import dual_discriminator, dual_generator
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import System, given_shapes, shapes_by_domain
from cyclegan_tf.systems.checks import (
    check_count,
    check_image_shape,
    check_seed,
    check_two_way,
    check_weights,
)
from cyclegan_tf.systems.pix2pix import paper_halvings
from cyclegan_tf.training.optimizers import RMSprop
from cyclegan_tf.training.weight_clipping import clip_weights


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class DualGAN(System):
    """Two generators and two discriminators, trained on unpaired images.

    Yi et al. (2017, arXiv 1704.02510) found CycleGAN's idea at the same time. With images a of A
    and b of B, the generators G: A → B and F: B → A, and the critics D_A and D_B:

        D_A and D_B minimize  E[D_B(G(a))] - E[D_B(b)] + E[D_A(F(b))] - E[D_A(a)]
        G and F minimize      - E[D_B(G(a))] - E[D_A(F(b))]
                              + λ_A E[|F(G(a)) - a|] + λ_B E[|G(F(b)) - b|]

    Nothing is halved. Expectations are means, over pixels and channels too. Critics that answer 0
    have losses of 0. The forms of the published code, github.com/duxingren14/DualGAN:

    - `adversarial="wgan"`, the paper's: after each step all weights of the critics, biases and
      scales of the normalization among them, are clipped to [-`clip`, `clip`].
    - `"wgangp"`, that code's default: nothing is clipped, and the critics also minimize 10
      E[(‖∇D‖ - 1)²] at random points between real images and translations.
    - `"vanilla"`, `classic` in that code, which its author later found to work better: the
      cross-entropy of Goodfellow et al., 2.8 for both discriminators together if they answer 0.
      The generators take two steps in each step of the discriminators.

    In each step the critics are updated first, then the generators, against the new critics and
    on the same images. With `critic_steps` n the generators learn in every n-th step only. As in
    that code, whose counter is 2 at first, the first of these is the step n - 1, or the first if n
    is 1 or 2.

    The published penalty has another gradient: TensorFlow 1 took the mean within the variance of
    the normalization for a constant. Here it is the true one. Beside that, the published code
    adds 1e-8 under the root of ‖∇D‖, against 1e-12 here, and has biases before normalizations,
    which cancel them. Its option of dropout, off by default, is left out.

    ```python
    model = cyclegan_tf.DualGAN(image_shape=(256, 256, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("sketches", "photos", flip=False), epochs=50)
    ```

    Args:
        generator_ab, generator_ba: G and F, models from images to images in [-1, 1]; the paper's
            U-Nets, if `None`.
        discriminator_a, discriminator_b: models from images of domain A, of B, to logits of any
            shape; the paper's, with one logit for an image, if `None`.
        image_shape: `(height, width, channels)` of the training images, `{"a": …, "b": …}` if
            the channels of the domains differ.
        lambda_a, lambda_b: weights of the cycles A→B→A and B→A→B.
        cycle_distance: `"l1"`, or `"l2"` for the mean square.
        adversarial: `"wgan"`, `"wgangp"` or `"vanilla"`.
        critic_steps: steps of the critics for each of the generators, 2 if `None`. The paper has
            2 to 4, which is not verified here; the command of the published code has 1. Not for
            `"vanilla"`.
        clip: the largest weight of the critics, 0.01 if `None`; for `"wgan"` only.
        seed: an integer >= 0, of the initial weights and the gradient penalty.
        remat: see `CycleGAN`.

    `compile` takes optimizers whose learning rate is a number, because those of the generators do
    not count all steps.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report, each as weighted in the objective: `d_a` and `d_b`, the
    discriminators; `g_ab` and `g_ba`, the generators against them, in `"vanilla"` before the
    second of their steps; and `cycle_a` and `cycle_b`.
    """

    accumulates = False  # the generators learn in other steps than the discriminators
    constant_rate = True  # each group is used in some steps only

    def __init__(
        self,
        generator_ab=None,
        generator_ba=None,
        discriminator_a=None,
        discriminator_b=None,
        *,
        image_shape=(256, 256, 3),
        lambda_a=500.0,
        lambda_b=500.0,
        cycle_distance="l1",
        adversarial="wgan",
        critic_steps=None,
        clip=None,
        seed=0,
        remat=False,
        **kwargs,
    ):
        shapes = shapes_by_domain(image_shape)
        for shape in shapes.values():
            check_image_shape(shape)
        check_weights(lambda_a=lambda_a, lambda_b=lambda_b)
        check_choice("cycle_distance", cycle_distance, DUALGAN_DISTANCES)
        check_choice("adversarial", adversarial, DUALGAN_OBJECTIVES)
        _check_of_form(adversarial, critic_steps, clip)
        check_seed(seed)
        networks = {
            "generator_ab": generator_ab,
            "generator_ba": generator_ba,
            "discriminator_a": discriminator_a,
            "discriminator_b": discriminator_b,
        }
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if None in networks.values():
                built = paper_networks(shapes, seed=seed)
                networks = {name: given or built[name] for name, given in networks.items()}
        check_two_way("DualGAN", networks, shapes)
        super().__init__(
            networks,
            # The discriminators last: they are updated in each step, which `_seed` counts.
            groups={
                "generator": ("generator_ab", "generator_ba"),
                "discriminator": ("discriminator_a", "discriminator_b"),
            },
            loss_panels=_loss_panels(adversarial),
            image_shapes=shapes,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.lambda_a = lambda_a
        self.lambda_b = lambda_b
        self.cycle_distance = cycle_distance
        self.adversarial = adversarial
        self.critic_steps = critic_steps
        self.clip = clip

    def default_optimizer(self, group):
        return RMSprop()

    def train_step(self, data):
        images = dict(zip("ab", self._images(data)))
        generators_learn = self._generators_learn()  # asked before the critics' step

        # Critics.
        fakes = self._translations(images, training=True)
        d_losses = self._minimize(
            "discriminator", lambda: self._discriminator_losses(images, fakes, training=True)
        )
        if self.adversarial == "wgan":
            clip_weights(self.variables_of("discriminator"), self.clip or 0.01)

        # Generators, against the new critics.
        for _ in range(2 if self.adversarial == "vanilla" else 1):
            g_losses = self._minimize(
                "generator",
                lambda: self._generator_losses(images, training=True),
                when=generators_learn,
            )
        return self._log({**d_losses, **g_losses}, images["a"])

    def test_step(self, data):
        """The same losses without an update."""
        images = dict(zip("ab", self._images(data)))
        fakes = self._translations(images, training=False)
        d_losses = self._discriminator_losses(images, fakes, training=False)
        g_losses = self._generator_losses(images, training=False)
        return self._log({**d_losses, **g_losses}, images["a"])

    def _generators_learn(self):
        """Whether they do in this step: a tensor, or `None` if in each."""
        every = 1 if self.adversarial == "vanilla" else self.critic_steps or 2
        if every == 1:
            return None
        published_counter = step_counter(self.discriminator_optimizer) + 2
        return tf.equal(published_counter % every, 0)

    def _translations(self, images, training):
        """Images of each domain, made from those of the other."""
        return {
            "a": self._forward(self.generator_ba, images["b"], training),
            "b": self._forward(self.generator_ab, images["a"], training),
        }

    def _discriminator_losses(self, images, fakes, training):
        discriminators = {"a": self.discriminator_a, "b": self.discriminator_b}
        return {
            # Not halved, as CycleGAN's is.
            f"d_{domain}": 2.0
            * self._adversarial_loss(
                discriminators[domain],
                images[domain],
                fakes[domain],
                self.adversarial,
                training,
                stream=f"penalty of d_{domain}",
            )
            for domain in "ab"
        }

    def _generator_losses(self, images, training):
        fakes = self._translations(images, training)
        cycled = self._translations(fakes, training)
        logits_a = self._forward(self.discriminator_a, fakes["a"], training)
        logits_b = self._forward(self.discriminator_b, fakes["b"], training)
        return {
            "g_ab": losses.generator_adversarial(logits_b, self.adversarial),
            "g_ba": losses.generator_adversarial(logits_a, self.adversarial),
            "cycle_a": self.lambda_a * self._distance(cycled["a"], images["a"]),
            "cycle_b": self.lambda_b * self._distance(cycled["b"], images["b"]),
        }

    def _distance(self, images, targets):
        if self.cycle_distance == "l1":
            return losses.l1(images, targets)
        return losses.mean_square(images - targets)

    def settings(self):
        return {
            **super().settings(),
            "image_shape": given_shapes(self.image_shapes),
            "lambda_a": self.lambda_a,
            "lambda_b": self.lambda_b,
            "cycle_distance": self.cycle_distance,
            "adversarial": self.adversarial,
            "critic_steps": self.critic_steps,
            "clip": self.clip,
        }


def paper_networks(
    image_shape=(256, 256, 3),
    *,
    base_filters=64,
    halvings=None,
    discriminator="global",
    strided_layers=5,
    seed=0,
):
    """The four networks of the published code; generators take any size that fits.

    Args:
        image_shape: of the training images, as in `DualGAN`.
        base_filters: filters of the first layer of each.
        halvings: of the U-Nets: as many as the size allows up to 8, if `None`.
        discriminator: `"global"` or `"patch"`; see `cyclegan_tf.networks.dual`.
        strided_layers: of the discriminators, before the logits.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `DualGAN`'s arguments.
    """
    shapes = shapes_by_domain(image_shape)
    seeds = iter(seeds_of(seed, 4))
    networks = {}
    for source, target in DIRECTIONS:
        name = f"generator_{source}{target}"
        networks[name] = dual_generator(
            (None, None, shapes[source][-1]),
            shapes[target][-1],
            base_filters=base_filters,
            halvings=paper_halvings(shapes[source]) if halvings is None else halvings,
            seed=next(seeds),
            name=name,
        )
    for domain in "ab":
        name = f"discriminator_{domain}"
        networks[name] = dual_discriminator(
            shapes[domain],
            discriminator,
            base_filters=base_filters,
            strided_layers=strided_layers,
            seed=next(seeds),
            name=name,
        )
    return networks


def _check_of_form(adversarial, critic_steps, clip):
    """Refuses what is out of range, or would have no effect."""
    for name, value, forms in (
        ("critic_steps", critic_steps, ("wgan", "wgangp")),
        ("clip", clip, ("wgan",)),
    ):
        if value is not None and adversarial not in forms:
            raise ValueError(
                f"{name} is for {' and '.join(forms)} only; leave it out. "
                f"Received: {name}={value} with adversarial={adversarial!r}"
            )
    if critic_steps is not None:
        check_count(critic_steps=critic_steps)
    if clip is not None and not 0 < clip < float("inf"):  # written so that NaN is refused too
        raise ValueError(f"clip must be a finite number above 0. Received: clip={clip}")


def _loss_panels(adversarial):
    return {
        "Discriminators": {f"d_{d}": meanings.of_discriminator(d, adversarial, 2) for d in "ab"},
        "Generators": {f"g_{d}": meanings.of_generator(d, adversarial) for d in DIRECTIONS},
        "Cycles": {f"cycle_{d}": meanings.of_cycle(d) for d in "ab"},
    }
