"""The base of every system: networks by name, an optimizer per group, resuming, saving."""

import contextlib
import inspect
import zlib
from functools import partial
from typing import ClassVar

import keras
import tensorflow as tf

from cyclegan_tf import losses, value_range
from cyclegan_tf.choices import DIRECTIONS
from cyclegan_tf.devices import has_accelerator
from cyclegan_tf.directions import from_domain, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import is_default_strategy, step_counter
from cyclegan_tf.networks.layers import acts_per_image
from cyclegan_tf.networks.remat import rematerialize
from cyclegan_tf.random_numbers import fold_in
from cyclegan_tf.replicas import of_any_share, process_count, strategy_of
from cyclegan_tf.systems.checks import check_seed
from cyclegan_tf.systems.elements import checked_call, checked_data, images_of
from cyclegan_tf.training.optimizers import Adam
from cyclegan_tf.training.resume import resumed, with_skips
from cyclegan_tf.translation.translator import Translator


class System(keras.Model):
    """A method of translation between two domains; a subclass writes its `train_step`.

    A subclass gives its networks to this constructor, its own settings to `settings`, and writes
    `train_step` and `test_step` in terms of `_images`, `_forward`, `_minimize`, `_seed` and `_log`.

    Args:
        networks: models by name; each becomes the attribute of that name, and must be an argument
            of the subclass. `generators` finds them under `generator_ab` and `generator_ba`.
        groups: names of networks by the name of their group. Each group is trained by one
            optimizer, such as `generator_optimizer`. The first group is `"generator"`.
        loss_panels: title of a plot -> name of a loss -> its meaning, in the order of the logs.
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
        super().__init__(**kwargs)
        self.directions = tuple(directions)
        self.image_shapes = shapes_by_domain(image_shapes)
        self.seed = int(seed)
        self.remat = bool(remat)
        self.loss_panels = loss_panels
        self.groups = groups
        self._network_names = tuple(networks)
        for name, layer in {**networks, **(pools or {})}.items():
            setattr(self, name, layer)
        for group in groups:
            if group != "generator":  # that one is `optimizer`, set by Keras
                setattr(self, f"{group}_optimizer", None)
        self._loss_trackers = [
            keras.metrics.Mean(name=name) for panel in loss_panels.values() for name in panel
        ]
        self._translator = Translator(self.generators, self.image_shape)
        self.calls_to_skip = 0  # of the train function; see `cyclegan_tf.training.resume`
        if self.remat:
            self._check_remat()
        self(keras.Input(self.image_shape))  # builds it, for `summary` and `export`

    def _check_remat(self):
        for network in self.networks.values():
            if not acts_per_image(network):
                raise ValueError(
                    f"remat=True runs networks a second time for their gradients; '{network.name}' "
                    "has a layer, such as BatchNormalization or Dropout, that may then give "
                    "another result. Use remat=False, or networks without it."
                )

    @property
    def networks(self):
        """All networks by name."""
        return {name: getattr(self, name) for name in self._network_names}

    @property
    def generators(self):
        """The networks that translate, by direction: `{"ab": …}`. A subclass may override it."""
        return {each: getattr(self, f"generator_{each}") for each in self.directions}

    @property
    def image_shape(self):
        """`(height, width, channels)` of the images that the first direction takes."""
        return self.image_shapes[from_domain(self.directions[0])]

    def variables_of(self, group):
        """The trainable variables of a group of networks, each once."""
        variables = [
            variable
            for name in self.groups[group]
            for variable in getattr(self, name).trainable_variables
        ]
        return list({id(variable): variable for variable in variables}.values())

    @property
    def trainable_weights(self):
        """The trainable variables; those of the generators come first.

        At the end of `fit` Keras has `optimizer` assign the moving averages of its variables to
        the first of these, in this order.
        """
        first = self.variables_of("generator")
        known = {id(variable) for variable in first}
        return first + [v for v in super().trainable_weights if id(v) not in known]

    @property
    def metrics(self):
        return self._loss_trackers

    # Optimizers.

    def default_optimizer(self, group):
        """The optimizer of a group in the paper."""
        return Adam()

    @property
    def optimizers(self):
        """The optimizers of a compiled system, by group."""
        return {group: getattr(self, f"{group}_optimizer") for group in self.groups}

    @property
    def generator_optimizer(self):
        """The optimizer of all generators; also `optimizer`, which Keras's callbacks use."""
        return self.optimizer

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        *,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        **optimizers,
    ):
        """Sets the optimizers, one for each group of networks.

        Callbacks that change `model.optimizer.learning_rate`, such as `ReduceLROnPlateau`, reach
        only the generators; give all optimizers a schedule instead, such as
        `ConstantThenLinearDecay`.

        Args:
            generator_optimizer, discriminator_optimizer: different Keras optimizers or their
                names; those of the paper, such as `cyclegan_tf.Adam`, if `None`.
            run_eagerly, steps_per_execution: as in `keras.Model.compile`.
            jit_compile: `"auto"` compiles with XLA only on a GPU or TPU; on CPUs it is slower.
            **optimizers: those of further groups, such as `feature_optimizer`.

        Optimizers with `gradient_accumulation_steps=n` update the weights at every n-th step, with
        the mean of n gradients: a batch n times as large in the memory of one.

        Raises:
            ValueError: one optimizer for two groups, gradients accumulated by only one of them or
                under a `tf.distribute` strategy, `use_ema` for a group other than the generators,
                or an optimizer that was created outside the `strategy.scope()` of the model.
            TypeError: an argument that is not the optimizer of any group.
        """
        given = {
            "generator_optimizer": generator_optimizer,
            "discriminator_optimizer": discriminator_optimizer,
            **optimizers,
        }
        expected = [f"{group}_optimizer" for group in self.groups]
        others = [name for name in given if name not in expected and given[name] is not None]
        if others:
            raise TypeError(
                f"{type(self).__name__}.compile has no argument {', '.join(others)}: the losses "
                f"are its own, and it takes {' and '.join(f'{name}=…' for name in expected)}."
            )
        strategy = self.distribute_strategy
        inside = tf.distribute.get_strategy() is strategy
        with contextlib.nullcontext() if inside else strategy.scope():
            self._compile(
                {group: given.get(f"{group}_optimizer") for group in self.groups},
                run_eagerly=run_eagerly,
                steps_per_execution=steps_per_execution,
                jit_compile=jit_compile,
            )

    def _compile(self, optimizers, *, jit_compile, **others):
        """`compile` within the scope of the model's strategy, whose replicas share the moments."""
        # "auto" may mean something else on the machine that loads the model.
        self._requested_jit_compile = jit_compile
        optimizers = {group: self._prepared(group, each) for group, each in optimizers.items()}
        self._check_optimizers(optimizers)
        if jit_compile == "auto" and not has_accelerator():
            jit_compile = False  # older releases of Keras would choose True
        super().compile(optimizer=optimizers["generator"], jit_compile=jit_compile, **others)
        for group, optimizer in optimizers.items():
            if group != "generator":
                setattr(self, f"{group}_optimizer", optimizer)
            optimizer.build(self.variables_of(group))

    def _prepared(self, group, optimizer):
        given = optimizer is not None
        optimizer = keras.optimizers.get(optimizer) if given else self.default_optimizer(group)
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.name == "mixed_float16" and not scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    def _check_optimizers(self, optimizers):
        if len({id(each) for each in optimizers.values()}) < len(optimizers):
            raise ValueError(
                f"{' and '.join(f'{group}s' for group in optimizers).capitalize()} need an "
                "optimizer each, because an optimizer keeps state for its own variables. Received "
                "the same object twice."
            )
        own = strategy_of(self.weights[0])
        if any(strategy_of(step_counter(each)) is not own for each in optimizers.values()):
            raise ValueError(
                "The model and its optimizers must be made in the same strategy.scope(), or all "
                "without one; make the optimizers, and call compile, where the model is made."
            )
        plain = {g: getattr(each, "inner_optimizer", each) for g, each in optimizers.items()}
        self._check_accumulation(plain.values())
        averaged = [group for group in plain if plain[group].use_ema and group != "generator"]
        if averaged:
            raise ValueError(
                f"use_ema has no effect on the {averaged[0]}s, of which `fit` changes nothing at "
                "its end; give it to the generators' optimizer only."
            )

    def _check_accumulation(self, optimizers):
        steps = {each.gradient_accumulation_steps or 1 for each in optimizers}
        if len(steps) > 1:
            raise ValueError(
                "All optimizers must accumulate gradients over as many steps. "
                f"Received: gradient_accumulation_steps of {sorted(steps)}"
            )
        strategy = self.distribute_strategy
        if steps != {1} and not is_default_strategy(strategy):
            raise ValueError(
                f"Keras does not accumulate gradients under {type(strategy).__name__}; use a "
                "larger batch_size instead, or no strategy."
            )

    # Saving.

    def settings(self):
        """The arguments of the constructor that are plain values; a subclass adds its own."""
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

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {
            **{
                f"{group}_optimizer": keras.saving.serialize_keras_object(optimizer)
                for group, optimizer in self.optimizers.items()
            },
            "steps_per_execution": self.steps_per_execution,
            "run_eagerly": self.run_eagerly,
            "jit_compile": self._requested_jit_compile,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

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

    def translate(self, images, direction=None, batch_size=8):
        """Translates images of any size; see `Translator.translate`.

        `direction` is the first one of the system, usually `"ab"`, if `None`.
        """
        return self._translator.translate(images, direction, batch_size)

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

    # What a `train_step` is made of.

    def _images(self, data):
        """The two images of a training element, checked when the step is traced."""
        return images_of(data, self)

    def _forward(self, network, images, training):
        """A network's output. With `remat` its activations are recomputed for the gradient."""
        if self.remat and training:
            run = partial(rematerialize, network)
        else:
            run = partial(network, training=training)
        outputs = of_any_share(run, images)
        # The networks here end in float32 anyway; others may end in half precision.
        return tf.cast(outputs, self.variable_dtype)

    def _forward_both(self, network, first, second, training):
        """Runs a network on two batches, in one call if that gives the same result."""
        shapes = [images.shape for images in (first, second)]
        known = all(shape.is_fully_defined() for shape in shapes) and shapes[0][1:] == shapes[1][1:]
        if self.remat or not (known and acts_per_image(network)):
            return [self._forward(network, images, training) for images in (first, second)]
        outputs = self._forward(network, tf.concat([first, second], 0), training)
        return tf.split(outputs, [shape[0] for shape in shapes])

    def _minimize(self, group, compute):
        """One step of a group's optimizer.

        Args:
            group: whose variables are updated.
            compute: called under a gradient tape, without arguments; returns the terms of the
                objective by name, or a tuple that starts with them.

        Returns:
            What `compute` returned.
        """
        optimizer = self.optimizers[group]
        with tf.GradientTape() as tape:
            computed = compute()
            terms = computed if isinstance(computed, dict) else computed[0]
            objective = optimizer.scale_loss(sum(terms.values()))
        variables = self.variables_of(group)
        optimizer.apply(tape.gradient(objective, variables), variables)
        return computed

    def _seed(self, stream):
        """A seed that depends only on (seed, stream, step, replica), so that a run resumes.

        Args:
            stream: the name of what is drawn, unique within a step.
        """
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        number = zlib.crc32(stream.encode()) % 2**31
        seed = tf.constant([self.seed, number], tf.int32)
        steps = step_counter(list(self.optimizers.values())[-1])
        for number in (steps, replica):
            seed = fold_in(seed, number)
        return seed

    def _log(self, values, images):
        """Updates the trackers from `{name: loss}` and returns what Keras logs.

        A mean over steps weights each by its number of `images`: a short last batch has fewer.
        """
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
