"""SimGAN: unpaired translation that stays near its input (arXiv 1612.07828)."""

import keras

from cyclegan_tf import losses
from cyclegan_tf.choices import SIMGAN_FORMS
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.networks.discriminators import local_discriminator, patchgan
from cyclegan_tf.networks.generators import refiner, resnet_generator
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import shapes_by_domain
from cyclegan_tf.systems.checks import check_weights
from cyclegan_tf.systems.cyclegan import paper_blocks
from cyclegan_tf.systems.one_way import OneWay

# What is not given, by form. How many images SimGAN's pool needs depends on the size of a batch.
_DEFAULTS = {
    "cyclegan": {"lambda_l1": 10.0, "adversarial": "lsgan", "pool_size": 50},
    "simgan": {"lambda_l1": 0.5, "adversarial": "vanilla", "pool_size": None},
}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class SimGAN(OneWay):
    """A generator and a discriminator of one direction, trained on unpaired images.

    Shrivastava et al. (2017, arXiv 1612.07828) refine synthetic images. The CycleGAN paper
    (5.1.1) compares with the same idea in its own networks, `form="cyclegan"`. With images x and
    y of the two domains, and q an older image from a replay pool, in the least-squares form:

        D minimizes  ½ E[(D(y) - 1)²] + ½ E[D(q(G(x)))²]
        G minimizes  E[(D(G(x)) - 1)²] + λ E[|G(x) - x|]

    The last is a mean over pixels and channels, and λ is 10. If D answers 0 everywhere, D has a
    loss of 0.5 and G a first term of 1. D is updated first, then G, against the new D. The
    paper's code differs, and the mathematics or the text is followed here:

    - It takes G's adversarial gradient through the activations of D's last pass: that of the
      image from the pool, with the weights before D's update. Here D judges G(x) anew.
    - Its learning rate stays as it is for all epochs, against the text; `decay_epochs=0` of the
      recipe does that.
    - It halves D's loss only where it prints it; the text (7.1) halves the objective.
    - It uses least squares whatever it is asked for.

    `form="simgan"` is SimGAN's own objective, with adversarial `"vanilla"`: the cross-entropy of
    each local patch and |R(x) - x|, both summed over an image, means over the batch, nothing
    halved; of the images that D sees as refined, one half are from the step and one half from
    the pool, so that a batch of one image never has older ones. The optimizer is SGD at 1e-3.
    This is written from accounts of the paper and two reimplementations, which differ. Not
    verified: λ (the paper gives none; one of them has 0.5), how the pool's images are replaced
    (here each stored image that is shown, by the new one that it stands in for), the ReLUs of D,
    the initial weights, and the paddings. Left out: training R by its L1 distance, and D alone,
    beforehand, and several steps of R (2 or 50, by version of the paper) for each of D.

    ```python
    model = cyclegan_tf.SimGAN(image_shape=(128, 128, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("summer2winter", image_size=128), epochs=200)
    ```

    Args:
        generator: a model from images to images in [-1, 1] of the same shape; if `None`,
            CycleGAN's, or SimGAN's refiner.
        discriminator: a model from images to logits of any shape; if `None`, the 70x70 PatchGAN,
            or SimGAN's.
        direction: `"ab"` translates images of A to B, `"ba"` images of B to A.
        image_shape: `(height, width, channels)` of the training images of both domains. Height
            and width may be `None` if `pool_size` is 0. `translate` takes any size.
        form: `"cyclegan"` or `"simgan"`, see above.
        lambda_l1: weight of the distance to the input; 10 if `None`, and 0.5 in SimGAN's own form.
        adversarial: `"lsgan"`, `"vanilla"` or `"wgangp"`; if `None`, `"lsgan"`, and `"vanilla"` in
            SimGAN's own form, which has no other.
        pool_size: images that the replay pool holds; 0 for none; 50 if `None`. SimGAN's own form
            must be given it: one of the reimplementations has 50 batches.
        seed: an integer >= 0, of the initial weights, the pool and the gradient penalty.
        remat: see `CycleGAN`.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report, each as weighted in the objective: `d`, the discriminator; `g`,
    the generator against it; and `l1`, the distance to the input.
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        direction="ab",
        image_shape=(256, 256, 3),
        form="cyclegan",
        lambda_l1=None,
        adversarial=None,
        pool_size=None,
        seed=0,
        remat=False,
        **kwargs,
    ):
        check_choice("form", form, SIMGAN_FORMS)
        _check_same_shape(image_shape)
        lambda_l1, adversarial, pool_size = _of_form(
            form, lambda_l1=lambda_l1, adversarial=adversarial, pool_size=pool_size
        )
        own = form == "simgan"
        super().__init__(
            generator,
            discriminator,
            build=lambda source, target, seed: paper_networks(source, form=form, seed=seed),
            # A sum over patches has no usual value.
            panels=lambda direction, name: _loss_panels(direction, None if own else name),
            direction=direction,
            image_shape=image_shape,
            adversarial=adversarial,
            pool_size=pool_size,
            half_history=own,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.form = form
        self.lambda_l1 = lambda_l1
        self._summed = own

    def default_optimizer(self, group):
        return keras.optimizers.SGD(1e-3) if self._summed else super().default_optimizer(group)

    def _generator_losses(self, source, target, fake, training):
        logits = self._forward(self.discriminator, fake, training)
        return {
            "g": losses.generator_adversarial(logits, self.adversarial, summed=self._summed),
            "l1": self.lambda_l1 * losses.l1(fake, source, summed=self._summed),
        }

    def _discriminator_losses(self, real, fake, training):
        loss = self._adversarial_loss(
            self.discriminator, real, fake, self.adversarial, training, summed=self._summed
        )
        return {"d": 2.0 * loss if self._summed else loss}  # not halved in SimGAN's own form

    def settings(self):
        return {**super().settings(), "form": self.form, "lambda_l1": self.lambda_l1}


def paper_networks(
    image_shape=(256, 256, 3),
    *,
    form="cyclegan",
    base_filters=64,
    blocks=None,
    strided_layers=None,
    seed=0,
):
    """The networks of the CycleGAN paper, or SimGAN's own.

    Args:
        image_shape: of the training images.
        form: `"cyclegan"` or `"simgan"`.
        base_filters: filters of the first layer of each; see `local_discriminator`.
        blocks: residual blocks of the generator; if `None`, 6 below 256 pixels and 9 from there,
            and 4 in SimGAN's own.
        strided_layers: of the PatchGAN, which SimGAN's own is not; 3 if `None`.
        seed: of the initial weights.

    Returns:
        `{"generator": …, "discriminator": …}`.
    """
    check_choice("form", form, SIMGAN_FORMS)
    any_size = (None, None, image_shape[-1])
    seeds = seeds_of(seed, 2)
    generator = {"base_filters": base_filters, "seed": seeds[0], "name": "generator"}
    discriminator = {"base_filters": base_filters, "seed": seeds[1], "name": "discriminator"}
    if form == "simgan":
        if strided_layers is not None:
            raise ValueError("strided_layers is not for the form simgan; leave it out.")
        return {
            "generator": refiner(any_size, blocks=4 if blocks is None else blocks, **generator),
            "discriminator": local_discriminator(any_size, **discriminator),
        }
    blocks = paper_blocks(image_shape) if blocks is None else blocks
    strided_layers = 3 if strided_layers is None else strided_layers
    return {
        "generator": resnet_generator(any_size, blocks=blocks, **generator),
        "discriminator": patchgan(any_size, strided_layers=strided_layers, **discriminator),
    }


def _of_form(form, **given):
    """What was given, and else the form's, checked."""
    values = {
        name: _DEFAULTS[form][name] if value is None else value for name, value in given.items()
    }
    check_weights(lambda_l1=values["lambda_l1"])
    if form == "simgan" and values["adversarial"] != "vanilla":
        raise ValueError(
            "The form simgan has a cross-entropy; expected adversarial='vanilla'. "
            f"Received: {values['adversarial']!r}"
        )
    if values["pool_size"] is None:
        raise ValueError(
            "The form simgan shows its discriminator images of many batches; give pool_size, such "
            "as 50 times the size of a batch, or 0 for none."
        )
    return values.values()


def _check_same_shape(image_shape):
    shapes = shapes_by_domain(image_shape)
    if shapes["a"] != shapes["b"]:
        raise ValueError(
            "SimGAN compares each image with its translation, so images of both domains must have "
            f"the same height, width and channels. Received: image_shape={image_shape}"
        )


def _loss_panels(direction, adversarial):
    return {
        "Discriminator": {"d": meanings.of_discriminator(direction[1], adversarial)},
        "Generator": {"g": meanings.of_generator(direction, adversarial)},
        "Distance": {"l1": meanings.of_change(direction)},
    }
