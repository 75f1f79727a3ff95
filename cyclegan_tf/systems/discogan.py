"""DiscoGAN: unpaired translation with reconstruction (Kim et al. 2017, arXiv 1703.05192)."""

import keras
import tensorflow as tf

from cyclegan_tf import losses
from cyclegan_tf.choices import DIRECTIONS, DISCOGAN_FORMS
from cyclegan_tf.choices import check as check_choice
from cyclegan_tf.keras_internals import step_counter
from cyclegan_tf.networks.encoder_decoder import (
    check_sizes,
    encoder_decoder,
    encoder_discriminator,
)
from cyclegan_tf.networks.initializers import seeds_of
from cyclegan_tf.precision import dtype_policy
from cyclegan_tf.systems import meanings
from cyclegan_tf.systems.base import System, given_shapes, shapes_by_domain
from cyclegan_tf.systems.checks import (
    check_count,
    check_image_shape,
    check_seed,
    check_two_way,
)
from cyclegan_tf.training.optimizers import Adam

_PERIOD = 3  # the discriminators learn in every third step, the generators in the others
_DEFAULTS = {"reconstruction_share": 0.5, "starting_share": 0.01, "curriculum_steps": 10_000}


@keras.saving.register_keras_serializable(package="cyclegan_tf")
class DiscoGAN(System):
    """Two generators, which reconstruct each other's images, and two discriminators.

    For images a of A and b of B, ab = G_AB(a), aba = G_BA(ab), and CE the cross-entropy, with the
    mean over a batch:

        D_A, D_B minimize    ½ [CE(D_B(b), 1) + CE(D_B(ab), 0)] + ½ [CE(D_A(a), 1) + CE(D_A(ba), 0)]
        G_AB, G_BA minimize  CE(D_B(ab), 1) + d(aba, a) + CE(D_A(ba), 1) + d(bab, b)

    d is the mean squared difference. If a discriminator cannot tell, its CE terms are ln 2 = 0.69
    each. The authors' code (github.com/SKTBrain/DiscoGAN) differs from the paper. `form="code"` has
    its objective, which weighs the terms of each direction:

        (1 - r) [0.1 CE(D_B(ab), 1) + 0.9 FM(b, ab)] + r d(aba, a)

    FM(b, ab) is the squared difference between the mean features of both batches in D_B: a mean
    over each map, summed over the convolutions but the first and the last. r is the starting share
    for some steps, 10,000 by default, and then the reconstruction share.

    Both forms follow the code in the order: in each step all networks run once, and from the first
    step on every third updates both discriminators, each other step both generators. Neither form
    has a replay pool. The number of the step is what the optimizers have counted together, so
    models that are compiled anew begin anew. An optimizer does not see the others' steps: give it
    no learning rate that depends on the step.

    Decided here:

    - Published images lie in [0, 1], those here in [-1, 1]. Networks convert (see
      `cyclegan_tf.networks.encoder_decoder`), and d is that of images in [0, 1]: a quarter of the
      mean squared difference of those in [-1, 1]. All losses are as published.
    - The published networks use the statistics of the batch at test too. Here a translation must
      not depend on the other images, so the networks of `paper_networks` use moving averages of
      the training, which are of translated images as well, or the statistics of each image.
    - Optimizers add L2 of 1e-5, as in the code. The paper is said to have 1e-4, and batches of
      200 images; this was not verified.
    - Initial weights are N(0, 0.02), as in the other systems; the code had PyTorch's of 2017.

    Left out are the code's ablations of one direction.

    Batch normalization and FM need large batches, such as 64. With several replicas both take
    the statistics of each replica's share, and of a short last batch those of its few images.

    ```python
    model = cyclegan_tf.DiscoGAN(image_shape=(64, 64, 3))
    model.compile()
    model.fit(cyclegan_tf.data.folders("bags", "shoes", image_size=64, batch_size=64), epochs=200)
    ```

    Args:
        generator_ab, generator_ba: models from images to images in [-1, 1]; the paper's, if
            `None`.
        discriminator_a, discriminator_b: models from images to logits of any shape, or to a list of
            logits and of features, which the form `"code"` needs; the paper's, if `None`.
        image_shape: `(height, width, channels)` of the training images, `{"a": …, "b": …}` if
            the channels of the domains differ. Height and width may be `None`.
        form: `"paper"` or `"code"`, see above.
        reconstruction_share: r of the form `"code"` after the first steps, from 0 to 1; 0.5 if
            `None`. The code's task of angles has 0.9 throughout.
        starting_share: r in the first steps; 0.01 if `None`.
        curriculum_steps: how many these are; 10,000 if `None`.
        seed: an integer >= 0, of the initial weights.
        remat: see `CycleGAN`; not with batch normalization.

    Raises:
        ValueError: an argument out of range, or networks that do not fit; the message names it.

    `fit` and `evaluate` report, without the weights of the form, which change: `d_a`, `d_b`, the
    discriminators; `g_ab`, `g_ba`, the generators against them; `cycle_a`, `cycle_b`, the
    reconstructions; and in the form `"code"` `features_ab`, `features_ba`, FM.
    """

    # One pass of all networks serves both groups, of which one is updated.
    accumulates = False
    constant_rate = True  # each group is used in some steps only

    def __init__(
        self,
        generator_ab=None,
        generator_ba=None,
        discriminator_a=None,
        discriminator_b=None,
        *,
        image_shape=(64, 64, 3),
        form="paper",
        reconstruction_share=None,
        starting_share=None,
        curriculum_steps=None,
        seed=0,
        remat=False,
        **kwargs,
    ):
        shapes = shapes_by_domain(image_shape)
        for shape in shapes.values():
            check_image_shape(shape)
        check_choice("form", form, DISCOGAN_FORMS)
        check_seed(seed)
        curriculum = _curriculum(
            form,
            reconstruction_share=reconstruction_share,
            starting_share=starting_share,
            curriculum_steps=curriculum_steps,
        )
        networks = {
            "generator_ab": generator_ab,
            "generator_ba": generator_ba,
            "discriminator_a": discriminator_a,
            "discriminator_b": discriminator_b,
        }
        with dtype_policy(keras.dtype_policies.get(kwargs.get("dtype"))):
            if None in networks.values():
                built = paper_networks(shapes, seed=seed)
                networks = {name: each or built[name] for name, each in networks.items()}
        _check_networks(networks, shapes, form)
        super().__init__(
            networks,
            groups={
                "generator": ("generator_ab", "generator_ba"),
                "discriminator": ("discriminator_a", "discriminator_b"),
            },
            loss_panels=_loss_panels(form),
            image_shapes=shapes,
            seed=seed,
            remat=remat,
            **kwargs,
        )
        self.form = form
        self.reconstruction_share = curriculum["reconstruction_share"]
        self.starting_share = curriculum["starting_share"]
        self.curriculum_steps = curriculum["curriculum_steps"]

    def default_optimizer(self, group):
        return Adam(l2=1e-5)

    def train_step(self, data):
        images = dict(zip("ab", self._images(data)))
        step = self._steps_done()
        of_discriminators = tf.equal(step % _PERIOD, 0)

        def generator_losses():
            fakes, cycled = self._translations(images, training=True)
            # Within the generators' losses, so that one pass serves both groups.
            d_losses, features, logits = self._minimize(
                "discriminator",
                lambda: self._discriminator_losses(images, fakes, training=True),
                when=of_discriminators,
            )
            g_losses = self._generator_losses(images, cycled, features, logits)
            return self._weighted(g_losses, step), {**d_losses, **g_losses}

        _, values = self._minimize(
            "generator", generator_losses, when=tf.logical_not(of_discriminators)
        )
        return self._log(values, images["a"])

    def _steps_done(self):
        """Each step is counted by the one optimizer that is used in it."""
        return sum(tf.convert_to_tensor(step_counter(each)) for each in self.optimizers.values())

    def test_step(self, data):
        """The same losses without an update."""
        images = dict(zip("ab", self._images(data)))
        fakes, cycled = self._translations(images, training=False)
        d_losses, *judged = self._discriminator_losses(images, fakes, training=False)
        return self._log(
            {**d_losses, **self._generator_losses(images, cycled, *judged)}, images["a"]
        )

    def _translations(self, images, training):
        """By domain: images translated to it, and its own translated there and back."""
        fakes = {
            "a": self._forward(self.generator_ba, images["b"], training),
            "b": self._forward(self.generator_ab, images["a"], training),
        }
        cycled = {
            "a": self._forward(self.generator_ba, fakes["b"], training),
            "b": self._forward(self.generator_ab, fakes["a"], training),
        }
        return fakes, cycled

    def _discriminator_losses(self, images, fakes, training):
        """The losses; by domain the features of real and translated images, and logits of these."""
        terms, features, logits = {}, {}, {}
        for domain in "ab":
            network = self.networks[f"discriminator_{domain}"]
            real, fake = (
                tf.nest.flatten(self._forward(network, each[domain], training))
                for each in (images, fakes)
            )
            terms[f"d_{domain}"] = losses.discriminator_adversarial(real[0], fake[0], "vanilla")
            features[domain], logits[domain] = (real[1:], fake[1:]), fake[0]
        return terms, features, logits

    def _generator_losses(self, images, cycled, features, logits):
        """The losses without weights."""
        values = {}
        for source, target in DIRECTIONS:
            direction = source + target
            values[f"g_{direction}"] = losses.generator_adversarial(logits[target], "vanilla")
            if self.form == "code":
                values[f"features_{direction}"] = losses.feature_matching(*features[target])
            # Of images in [0, 1].
            values[f"cycle_{source}"] = losses.mean_square((cycled[source] - images[source]) / 2.0)
        return values

    def _weighted(self, values, step):
        """The terms of the generators' objective, in which the weights of the code change."""
        if self.form == "paper":
            return values
        dtype = values["cycle_a"].dtype
        start, end = (
            tf.constant(share, dtype) for share in (self.starting_share, self.reconstruction_share)
        )
        share = tf.where(step < self.curriculum_steps, start, end)
        weights = {"g": 0.1 * (1.0 - share), "features": 0.9 * (1.0 - share), "cycle": share}
        return {name: weights[name.split("_")[0]] * value for name, value in values.items()}

    def settings(self):
        return {
            **super().settings(),
            "image_shape": given_shapes(self.image_shapes),
            "form": self.form,
            "reconstruction_share": self.reconstruction_share,
            "starting_share": self.starting_share,
            "curriculum_steps": self.curriculum_steps,
        }


def paper_networks(
    image_shape=(64, 64, 3),
    *,
    base_filters=64,
    halvings=4,
    bottleneck=0,
    normalization="batch",
    seed=0,
):
    """The networks of the authors' code.

    Args:
        image_shape: of the training images, as in `DiscoGAN`.
        base_filters, halvings, bottleneck, normalization: as in
            `cyclegan_tf.networks.encoder_decoder`.
        seed: of the initial weights.

    Returns:
        A dictionary of models, by the names of `DiscoGAN`'s arguments.

    Raises:
        ValueError: images that do not fit, or a bottleneck that would be the same for all images.
    """
    shapes = shapes_by_domain(image_shape)
    for shape in shapes.values():
        check_sizes(shape, halvings)
        if bottleneck and normalization == "test_batch":
            _check_statistics(shape, halvings)
    common = {"base_filters": base_filters, "halvings": halvings, "normalization": normalization}
    seeds = iter(seeds_of(seed, 4))
    networks = {}
    for source, target in DIRECTIONS:
        networks[f"generator_{source}{target}"] = encoder_decoder(
            (None, None, shapes[source][-1]),
            shapes[target][-1],
            bottleneck=bottleneck,
            seed=next(seeds),
            name=f"generator_{source}{target}",
            **common,
        )
    for domain in "ab":
        networks[f"discriminator_{domain}"] = encoder_discriminator(
            (None, None, shapes[domain][-1]),
            seed=next(seeds),
            name=f"discriminator_{domain}",
            **common,
        )
    return networks


def _check_statistics(shape, halvings):
    """One number a channel, normalized by its own statistics, is the same for all images."""
    if None in shape[:2] or min(shape[:2]) == 4 * 2**halvings:
        raise ValueError(
            "At the smallest size a bottleneck has one number in each channel, which an image "
            "cannot normalize by its own statistics, as test_batch does at test; use the "
            f"normalization batch, or larger images of known size. Received: image_shape={shape}"
        )


def _curriculum(form, **given):
    """The shares of reconstruction by name, which the form "code" has; `None` in the other."""
    for name, value in given.items():
        if value is not None and form == "paper":
            raise ValueError(
                f"{name} is not for the form paper, whose terms all have the weight 1; leave it "
                "out, or use the form code."
            )
    if form == "paper":
        return given
    values = {name: _DEFAULTS[name] if value is None else value for name, value in given.items()}
    for name in ("reconstruction_share", "starting_share"):
        if not 0 <= values[name] <= 1:
            raise ValueError(f"{name} must lie between 0 and 1. Received: {name}={values[name]}")
    check_count(least=0, curriculum_steps=values["curriculum_steps"])
    return values


def _check_networks(networks, shapes, form):
    check_two_way("DiscoGAN", networks, shapes, several_outputs=True)
    for discriminator in (networks["discriminator_a"], networks["discriminator_b"]):
        if form == "code" and len(getattr(discriminator, "outputs", ())) < 2:
            raise ValueError(
                "The form code compares features inside the discriminators; expected models with "
                f"a list of outputs, logits and then features. '{discriminator.name}' gives logits "
                "alone; use the form paper, or another network."
            )


def _loss_panels(form):
    panels = {
        "Discriminators": {f"d_{d}": meanings.of_discriminator(d, "vanilla") for d in "ab"},
        "Generators": {f"g_{d}": meanings.of_generator(d, "vanilla") for d in DIRECTIONS},
        "Reconstruction": {f"cycle_{d}": meanings.of_cycle(d) for d in "ab"},
    }
    if form == "code":
        panels["Features"] = {f"features_{d}": meanings.of_judged_features(d) for d in DIRECTIONS}
    return panels
