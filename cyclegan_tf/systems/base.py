"""The base of every system: networks by name, an optimizer per group, resuming, saving."""

import inspect
import zlib
from functools import partial
from types import MappingProxyType
from typing import ClassVar

import keras
import tensorflow as tf

from cyclegan_tf import losses, value_range
from cyclegan_tf.choices import DIRECTIONS
from cyclegan_tf.directions import direction_of, from_domain, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import step_counter
from cyclegan_tf.networks.layers import acts_per_image
from cyclegan_tf.networks.remat import rematerialize
from cyclegan_tf.random_numbers import fold_in
from cyclegan_tf.replicas import of_any_share, process_count
from cyclegan_tf.systems.checks import check_own_layers, check_seed, check_structure
from cyclegan_tf.systems.elements import checked_call, checked_data, images_of
from cyclegan_tf.systems.grouped import GroupedModel
from cyclegan_tf.training.conditional import apply_if
from cyclegan_tf.training.resume import resumed, with_skips
from cyclegan_tf.translation.translator import Translator


class System(GroupedModel):
    """A method of translation between two domains; a subclass writes its `train_step`.

    A subclass gives its networks to this constructor, its own settings to `settings`, and writes
    `train_step` and `test_step` in terms of `_images`, `_forward`, `_minimize`, `_seed` and `_log`:

    ```python
    @keras.saving.register_keras_serializable(package="mine")
    class OneWayGAN(System):
        def __init__(self, generator_ab, discriminator_b, *, image_shape, **kwargs):
            super().__init__(
                {"generator_ab": generator_ab, "discriminator_b": discriminator_b},
                groups={"generator": ("generator_ab",), "discriminator": ("discriminator_b",)},
                loss_panels={"Adversarial": {"g": "of the generator", "d": "of the other"}},
                image_shapes=image_shape,
                directions=("ab",),
                **kwargs,
            )

        def settings(self):
            return {**super().settings(), "image_shape": self.image_shape}

        def train_step(self, data):
            image_a, image_b = self._images(data)

            def generator_losses():
                fake = self._forward(self.generator_ab, image_a, training=True)
                logits = self._forward(self.discriminator_b, fake, training=True)
                return {"g": losses.generator_adversarial(logits)}, tf.stop_gradient(fake)

            def discriminator_losses():
                logits = self._forward_both(self.discriminator_b, image_b, fake, training=True)
                return {"d": losses.discriminator_adversarial(*logits)}

            g_losses, fake = self._minimize("generator", generator_losses)
            d_losses = self._minimize("discriminator", discriminator_losses)
            return self._log({**g_losses, **d_losses}, image_a)
    ```

    Terms come from `cyclegan_tf.losses`: `generator_adversarial(fake_logits)`,
    `discriminator_adversarial(real_logits, fake_logits)`, which is halved, and `l1(images,
    targets)`. Each is a mean, divided by the number of replicas; `tf.reduce_mean` alone would
    train N replicas with N times the gradient.

    Args:
        networks: models by name; each becomes the attribute of that name, and must be an argument
            of the subclass. `generators` finds them under `generator_ab` and `generator_ba`.
        groups: names of networks by the name of their group. Each group is trained by one
            optimizer, such as `generator_optimizer`. The first group is `"generator"`.
        loss_panels: title of a plot -> name of a loss -> its meaning. The names are those that
            `train_step` gives to `_log`.
        image_shapes: `(height, width, channels)` of the training images by domain, `{"a": …, "b":
            …}`; one tuple for both.
        pools: `ReplayPool`s by name; each becomes the attribute of that name.
        directions: those that it translates in; the first one is what `call` and `predict` do.
        seed: an integer >= 0, of everything random in a step.
        remat: do not store the activations of the networks for their gradients, but recompute
            them.
    """

    # Whether image_a and image_b of a training element must show the same scene.
    paired: ClassVar[bool] = False

    def __init__(
        self,
        networks,
        *,
        groups,
        loss_panels,
        image_shapes,
        pools=None,
        directions=DIRECTIONS,
        seed=0,
        remat=False,
        **kwargs,
    ):
        check_seed(seed)
        check_structure(type(self), networks, groups, loss_panels)
        check_own_layers(networks)
        super().__init__(groups, **kwargs)
        self.directions = tuple(directions)
        self.image_shapes = shapes_by_domain(image_shapes)
        self.seed = int(seed)
        self.remat = bool(remat)
        self.loss_panels = loss_panels
        self._network_names = tuple(networks)
        for name, layer in {**networks, **(pools or {})}.items():
            setattr(self, name, layer)
        self._loss_trackers = [
            keras.metrics.Mean(name=name) for panel in loss_panels.values() for name in panel
        ]
        self._translator = Translator(self.generators, self.image_shape)
        self.calls_to_skip = 0  # of the train function; see `cyclegan_tf.training.resume`
        if self.remat:
            self._check_remat()
        if self.generators:
            self(keras.Input(self.image_shape))  # builds it, for `summary` and `export`
        else:  # what translates without a network has a `call` and a `translate` of its own
            self.built = True

    def _check_remat(self):
        for network in self.networks.values():
            kinds = {type(layer).__name__ for layer in network.layers if not acts_per_image(layer)}
            if kinds:
                raise ValueError(
                    f"remat=True runs networks a second time for their gradients; '{network.name}' "
                    f"has {' and '.join(sorted(kinds))}, which may then give another result. Use "
                    "remat=False, or networks without."
                )

    # Keras saves what it finds in the dictionaries among a model's attributes, but not in these.

    @property
    def networks(self):
        """All networks by name."""
        return MappingProxyType({name: getattr(self, name) for name in self._network_names})

    @property
    def generators(self):
        """The networks that translate, by direction: `{"ab": …}`.

        A subclass overrides this if its networks have other names, or gives `{}` if it translates
        without one; then it overrides `call` and `translate` too.
        """
        names = {each: f"generator_{each}" for each in self.directions}
        missing = [name for name in names.values() if name not in self._network_names]
        if missing:
            raise TypeError(
                f"{type(self).__name__} translates in the directions {', '.join(names)} and has no "
                f"network {missing[0]!r}; give it one, other directions, or override `generators`."
            )
        return MappingProxyType({each: getattr(self, name) for each, name in names.items()})

    @property
    def image_shape(self):
        """`(height, width, channels)` of the images that the first direction takes."""
        return self.image_shapes[from_domain(self.directions[0])]

    @property
    def metrics(self):
        return self._loss_trackers

    # Saving.

    def settings(self):
        """The arguments of the constructor that are no networks; a subclass adds its own.

        One that is left out, such as `image_shape`, has its default when a file is loaded.
        """
        return {"seed": self.seed, "remat": self.remat}

    def get_config(self):
        networks = {
            name: keras.saving.serialize_keras_object(network)
            for name, network in self.networks.items()
        }
        return {**super().get_config(), **networks, **self.settings()}

    @classmethod
    def from_config(cls, config):
        return cls(**keras.saving.deserialize_keras_object(config))

    def save(self, filepath, *args, **kwargs):
        """Like `keras.Model.save`, to a `.keras` file.

        Raises:
            InputError: an HDF5 file, which cannot hold several networks whose layers have the same
                names.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise InputError(
                f"{filepath} would be an HDF5 file, which cannot hold the networks of a "
                f"{type(self).__name__}; use a name that ends in .keras, or save_weights and one "
                "that ends in .weights.h5."
            )
        return super().save(filepath, *args, **kwargs)

    def export(self, *args, **kwargs):
        """Like `keras.Model.export`, of what `call` does; a system without generators refuses.

        `cyclegan_tf.export_saved_model` and the like export a direction of one's choice.
        """
        direction_of(self)
        return super().export(*args, **kwargs)

    # Training, evaluation, translation.

    def fit(self, x=None, *args, **kwargs):
        """Like `keras.Model.fit`, but resumes where a `cyclegan_tf.Checkpoints` left off.

        A data set draws its own order, so Keras need not shuffle.
        """
        call = dict(inspect.signature(super().fit).bind(x, *args, **kwargs).arguments)
        call.update(checked_call(call, self))
        if isinstance(x, tf.data.Dataset):
            call.setdefault("shuffle", False)
        with resumed(self, call), value_range.surfaced():
            return super().fit(**call)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Like `keras.Model.evaluate`; images that `fit` refuses are refused here too."""
        # Within `fit` Keras has already made its iterator over the validation data.
        data = x if kwargs.get("_use_cached_eval_dataset") else checked_data(x, y, self)
        with value_range.surfaced():
            return super().evaluate(data, y, *args, **kwargs)

    def make_train_function(self, force=False):
        """Like Keras's, but steps that were done before a checkpoint are skipped."""
        if self.train_function is None or force:
            super().make_train_function(force)
            self.train_function = with_skips(self, self.train_function)

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """The model is already built; Keras would draw a batch to infer shapes, which fails under
        some strategies.
        """

    def call(self, inputs, training=None):
        """Translates images in the first direction; this is what `predict` runs.

        Use `translate` for either direction.
        """
        generator = self.generators[self.directions[0]]
        return of_any_share(partial(generator, training=training), inputs)

    def translate(self, images, direction=None, batch_size=8, **tiles):
        """Translates images of any size, by tiles if asked; see `Translator.translate`.

        `direction` is the first one of the system, usually `"ab"`, if `None`.
        """
        return self._translator.translate(images, direction, batch_size, **tiles)

    def tiled(self, direction, lengths, folder, **options):
        """The translation of an image of any size, part by part; see `Translator.tiled`."""
        return self._translator.tiled(direction, lengths, folder, **options)

    def sample_columns(self, images):
        """Columns of an image grid: real, translated, and translated back if possible.

        Args:
            images: uint8 images by domain, `{"a": [...], "b": [...]}`, as many of each.

        Returns:
            `(title, images)` of each column, for the first direction, then for the other.
        """
        columns = []
        for there in self.directions:
            shown = images[from_domain(there)]
            translated = self.translate(shown, there)
            source, target = from_domain(there).upper(), to_domain(there).upper()
            columns += [(source, shown), (f"{source} → {target}", translated)]
            if there[::-1] in self.directions:
                back = self.translate(translated, there[::-1])
                columns.append((f"{source} → {target} → {source}", back))
        return columns

    def train_step(self, data):
        """One step of training on `(image_a, image_b)`; returns what `_log` returns."""
        raise NotImplementedError(f"{type(self).__name__} must write its `train_step`.")

    def test_step(self, data):
        """The same losses without an update, for `evaluate` and `validation_data`."""
        raise NotImplementedError(f"{type(self).__name__} must write its `test_step`.")

    # What a `train_step` is made of.

    def _images(self, data):
        """The two images of a training element, checked when the step is traced."""
        return images_of(data, self)

    def _forward(self, network, images, training):
        """A network's output, or outputs, for images or noise `(batch, ...)`.

        With `remat` its activations are recomputed for the gradient.
        """
        if self.remat and training:
            run = partial(rematerialize, network)
        else:
            run = partial(network, training=training)
        outputs = of_any_share(run, images)
        # The networks here end in float32 anyway; others may end in half precision.
        return tf.nest.map_structure(lambda each: tf.cast(each, self.variable_dtype), outputs)

    def _forward_both(self, network, first, second, training):
        """Runs a network on two batches, in one call if that gives the same result."""
        shapes = [images.shape for images in (first, second)]
        known = all(shape.is_fully_defined() for shape in shapes) and shapes[0][1:] == shapes[1][1:]
        if self.remat or not (known and acts_per_image(network)):
            return [self._forward(network, images, training) for images in (first, second)]
        outputs = self._forward(network, tf.concat([first, second], 0), training)
        sizes = [shape[0] for shape in shapes]
        parts = [tf.split(each, sizes) for each in tf.nest.flatten(outputs)]
        return [tf.nest.pack_sequence_as(outputs, each) for each in zip(*parts)]

    def _adversarial_loss(
        self, discriminator, real, fake, objective, training, *, stream="penalty", summed=False
    ):
        """The loss of a discriminator, with the gradient penalty if the objective has one.

        Args:
            real, fake: batches of what it judges.
            objective, summed: as in `losses.discriminator_adversarial`.
            stream: the name by which the penalty draws, unique within a step.
        """
        logits = self._forward_both(discriminator, real, fake, training)
        loss = losses.discriminator_adversarial(*logits, objective, summed=summed)
        if objective == "wgangp":
            loss += losses.gradient_penalty(
                discriminator, real, fake, self._seed(stream), training=training
            )
        return loss

    def _minimize(self, group, compute, when=None):
        """One step of a group's optimizer.

        Args:
            group: whose variables are updated; a tuple of groups for one objective of several.
            compute: called under a gradient tape, without arguments; returns the terms of the
                objective by name, or a tuple that starts with them.
            when: a boolean tensor, the same in all replicas: whether there is a step at all. If
                not, neither gradients nor moments are touched, and `compute` runs for its values.

        Returns:
            What `compute` returned.
        """
        groups = (group,) if isinstance(group, str) else group
        with tf.GradientTape(persistent=len(groups) > 1) as tape:
            computed = compute()
            terms = computed[0] if isinstance(computed, tuple) else computed
            if not isinstance(terms, dict):
                raise TypeError(
                    f"The losses of {' and '.join(groups)} must be a dictionary, or a tuple that "
                    f"starts with one. Received: {type(terms).__name__}"
                )
            objective = sum(terms.values())
            scaled = {each: self.optimizers[each].scale_loss(objective) for each in groups}
        for each in groups:
            variables = self.variables_of(each)
            gradients = partial(tape.gradient, scaled[each], variables)
            if when is None:
                self.optimizers[each].apply(gradients(), variables)
            else:
                apply_if(when, self.optimizers[each], gradients, variables)
        return computed

    def _seed(self, stream):
        """A seed that depends only on (seed, stream, step, replica), so that a run resumes.

        Args:
            stream: the name of what is drawn, unique within a step.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        number = zlib.crc32(stream.encode()) % 2**31
        seed = tf.constant([self.seed, number], tf.int32)
        for number in (self._steps_done(), replica):
            seed = fold_in(seed, number)
        return seed

    def _steps_done(self):
        """The number of training steps before this one, by which `_seed` draws.

        Those of the last group, unless a subclass that does not update it in each step has others.
        """
        return tf.convert_to_tensor(step_counter(list(self.optimizers.values())[-1]))

    def _log(self, values, images):
        """Updates the trackers from `{name: loss}` and returns what Keras logs.

        The names must be those of `loss_panels`, and the losses those of `cyclegan_tf.losses`.
        A mean over steps weights each by its number of `images`: a short last batch has fewer.
        """
        known = {tracker.name for tracker in self._loss_trackers}
        if known != set(values):
            raise ValueError(
                f"{type(self).__name__} logs the losses {', '.join(values)}; its loss_panels have "
                f"{', '.join(sorted(known))}. Both must name the same."
            )
        count = tf.shape(images)[0]
        for tracker in self._loss_trackers:
            tracker.update_state(losses.local_value(values[tracker.name]), sample_weight=count)
        results = {tracker.name: tracker.result() for tracker in self._loss_trackers}
        if process_count() > 1:  # Keras averages over the first axis then
            results = {name: tf.reshape(result, (1,)) for name, result in results.items()}
        return results


def shapes_by_domain(image_shape):
    """`{"a": shape, "b": shape}` of one shape for both domains, or of such a dictionary."""
    if isinstance(image_shape, dict):
        return {domain: tuple(image_shape[domain]) for domain in "ab"}
    return dict.fromkeys("ab", tuple(image_shape))


def given_shapes(shapes):
    """The argument from which `shapes_by_domain` makes these."""
    return shapes["a"] if shapes["a"] == shapes["b"] else shapes
