"""What every system shares: two optimizers, loss trackers, saving, `translate`."""

import contextlib
import dataclasses
import inspect
from functools import partial

import keras
import numpy as np
import tensorflow as tf

from cyclegan_tf import losses, value_range
from cyclegan_tf.devices import has_accelerator
from cyclegan_tf.errors import InputError
from cyclegan_tf.keras_internals import is_default_strategy, step_counter
from cyclegan_tf.networks.layers import acts_per_picture
from cyclegan_tf.networks.remat import rematerialised
from cyclegan_tf.random_numbers import fold_in
from cyclegan_tf.replicas import of_any_share, process_count, strategy_of
from cyclegan_tf.training.optimizers import Adam
from cyclegan_tf.translation.translator import Translator


class System(keras.Model):
    """A model of two domains that is trained by two optimizers in turn.

    A subclass sets `image_shape`, `seed` and its networks, calls `_finish` at the end of its
    constructor, and writes `train_step` and `test_step` in terms of `_apply` and `_log`.
    """

    # Set by the constructor of each system.
    image_shape: tuple
    seed: int
    remat: bool

    def _finish(self, loss_names):
        """Called when all networks are in place."""
        self._loss_trackers = [keras.metrics.Mean(name=name) for name in loss_names]
        self._translator = Translator(self.generators, self.image_shape)
        self.discriminator_optimizer = None
        self._calls_to_skip = 0
        if self.remat:
            self._check_remat()
        self(keras.Input(self.image_shape))  # so that it is built, for `summary` and `export`

    def _check_remat(self):
        for network in (*self.generators.values(), *self.discriminators.values()):
            if not acts_per_picture(network):
                raise ValueError(
                    f"remat=True runs networks a second time for their gradients; '{network.name}' "
                    "has a layer, such as BatchNormalization or Dropout, that may give something "
                    "else then. Use remat=False, or networks without it."
                )

    @property
    def generators(self):
        """The generators by direction: `{"ab": ..., "ba": ...}`."""
        raise NotImplementedError

    @property
    def discriminators(self):
        """The discriminators by domain: `{"a": ..., "b": ...}`."""
        raise NotImplementedError

    def compile(
        self,
        generator_optimizer=None,
        discriminator_optimizer=None,
        *,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        **others,
    ):
        """Sets the optimizers: one step for all generators, then one for all discriminators.

        Callbacks that change `model.optimizer.learning_rate`, such as `ReduceLROnPlateau`, reach
        the generators alone; give both optimizers a schedule instead, such as
        `ConstantThenLinearDecay`.

        Args:
            generator_optimizer, discriminator_optimizer: two different Keras optimizers or their
                names; the paper's `cyclegan_tf.training.optimizers.Adam` each, if `None`.
            run_eagerly, steps_per_execution: as in `keras.Model.compile`.
            jit_compile: `"auto"` compiles with XLA on a GPU or TPU alone; on CPUs it is slower.

        Optimizers with `gradient_accumulation_steps=n` change the weights at every n-th step, by
        the mean of n gradients: a batch n times as large in the memory of one.

        Raises:
            ValueError: one optimizer for both, gradients accumulated by only one of them or under
                a `tf.distribute` strategy, `use_ema` of the discriminators' optimizer, or an
                optimizer that was made outside the `strategy.scope()` of the model.
        """
        if others:
            raise TypeError(
                f"{type(self).__name__}.compile has no argument {', '.join(others)}: the losses "
                "are its own, and it takes two optimizers, generator_optimizer=… and "
                "discriminator_optimizer=…."
            )
        strategy = self.distribute_strategy
        inside = tf.distribute.get_strategy() is strategy
        with contextlib.nullcontext() if inside else strategy.scope():
            self._compile(
                generator_optimizer,
                discriminator_optimizer,
                run_eagerly=run_eagerly,
                steps_per_execution=steps_per_execution,
                jit_compile=jit_compile,
            )

    def _compile(self, generator_optimizer, discriminator_optimizer, *, jit_compile, **others):
        """`compile` within the scope of the model's strategy, whose replicas share the moments."""
        # "auto" may mean another thing where the model is loaded.
        self._requested_jit_compile = jit_compile
        generator_optimizer = self._prepared(generator_optimizer)
        discriminator_optimizer = self._prepared(discriminator_optimizer)
        if generator_optimizer is discriminator_optimizer:
            raise ValueError(
                "Generators and discriminators need an optimizer each, because an optimizer keeps "
                "state for its own variables. Received the same object twice."
            )
        self._check_strategy(generator_optimizer, discriminator_optimizer)
        self._check_accumulation(generator_optimizer, discriminator_optimizer)
        if getattr(discriminator_optimizer, "inner_optimizer", discriminator_optimizer).use_ema:
            raise ValueError(
                "use_ema has no effect on the discriminators, of which `fit` changes nothing at "
                "its end; give it to the generators' optimizer only."
            )
        if jit_compile == "auto" and not has_accelerator():
            jit_compile = False  # where older releases of Keras would choose True
        super().compile(optimizer=generator_optimizer, jit_compile=jit_compile, **others)
        self.discriminator_optimizer = discriminator_optimizer
        self.generator_optimizer.build(self._trainable_variables_of(self.generators))
        self.discriminator_optimizer.build(self._trainable_variables_of(self.discriminators))

    def _check_strategy(self, *optimizers):
        own = strategy_of(self.weights[0])
        if any(strategy_of(step_counter(each)) is not own for each in optimizers):
            raise ValueError(
                "The model and its optimizers must be made in the same strategy.scope(), or all "
                "without one; make the optimizers, and call compile, where the model is made."
            )

    def _check_accumulation(self, *optimizers):
        optimizers = [getattr(each, "inner_optimizer", each) for each in optimizers]
        steps = {each.gradient_accumulation_steps or 1 for each in optimizers}
        if len(steps) > 1:
            raise ValueError(
                "Both optimizers must accumulate gradients over as many steps. "
                f"Received: gradient_accumulation_steps of {sorted(steps)}"
            )
        strategy = self.distribute_strategy
        if steps != {1} and not is_default_strategy(strategy):
            raise ValueError(
                f"Keras does not accumulate gradients under {type(strategy).__name__}; use a "
                "larger batch_size instead, or no strategy."
            )

    def _prepared(self, optimizer):
        optimizer = Adam() if optimizer is None else keras.optimizers.get(optimizer)
        scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        if self.dtype_policy.name == "mixed_float16" and not scaled:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        return optimizer

    @property
    def generator_optimizer(self):
        """The optimizer of all generators; also `optimizer`, where Keras's callbacks look."""
        return self.optimizer

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {
            "generator_optimizer": keras.saving.serialize_keras_object(self.generator_optimizer),
            "discriminator_optimizer": keras.saving.serialize_keras_object(
                self.discriminator_optimizer
            ),
            "steps_per_execution": self.steps_per_execution,
            "run_eagerly": self.run_eagerly,
            "jit_compile": self._requested_jit_compile,
        }

    def compile_from_config(self, config):
        self.compile(**keras.saving.deserialize_keras_object(config))

    def fit(self, x=None, *args, **kwargs):
        """As `keras.Model.fit`, and goes on where a `cyclegan_tf.Checkpoints` callback left off.

        A data set draws its own order, so that Keras need not shuffle.
        """
        call = dict(inspect.signature(super().fit).bind(x, *args, **kwargs).arguments)
        call.update(self._checked_data(call))
        callbacks = call.get("callbacks")
        in_order = isinstance(callbacks, keras.callbacks.CallbackList)
        callbacks = callbacks.callbacks if in_order else keras.tree.flatten(callbacks or [])
        checkpoints = [each for each in callbacks if hasattr(each, "restore_training")]
        if isinstance(x, tf.data.Dataset):
            call.setdefault("shuffle", False)
        if checkpoints and not in_order:
            # Last, so that what the others write of an epoch is there when it is saved as done.
            call["callbacks"] = [c for c in callbacks if c not in checkpoints] + checkpoints
        try:
            call.update(self._feed(call, checkpoints))
            epochs = call.get("epochs", 1)
            done = call.get("initial_epoch", 0) >= epochs
            if checkpoints and done and call.get("verbose", "auto") != 0:
                print(f"Nothing is left to train: {checkpoints[0].folder} is past epoch {epochs}.")
            with value_range.surfaced():
                return super().fit(**call)
        finally:
            self._calls_to_skip = 0  # else `train_on_batch` would pass over its first calls
            for each in checkpoints:
                each.close()

    def _checked_data(self, call):
        """Arguments of `fit` with which images that cannot be trained on are refused."""
        if call.get("class_weight") is not None:
            raise InputError("class_weight has no meaning here: images are of no class.")
        validation = call.get("validation_data")
        checked = {"x": self._checked(call["x"], call.get("y"))}
        if isinstance(validation, (tuple, list)):
            self._checked(*validation[:2])
        elif validation is not None:
            checked["validation_data"] = self._checked(validation)
        return checked

    def _checked(self, x, y=None):
        """`x`; arrays are checked here, each batch of a data set as it is drawn."""
        if isinstance(x, tf.data.Dataset) and not hasattr(x, "training_pairs"):
            return x.map(self._checked_pair)
        if all(isinstance(images, np.ndarray) and len(images) for images in (x, y)):
            self._pair((x[:1], y[:1]))
            for images in (x, y):
                value_range.check(images.min(), images.max())
        return x

    @tf.autograph.experimental.do_not_convert  # which would wrap the errors in others
    def _checked_pair(self, *element):
        return tuple(map(value_range.asserted, self._pair(element)))

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Like `keras.Model.evaluate`; images that `fit` refuses are refused here too."""
        # Within `fit` Keras has made its iterator over the validation data before.
        data = x if kwargs.get("_use_cached_eval_dataset") else self._checked(x, y)
        with value_range.surfaced():
            return super().evaluate(data, y, *args, **kwargs)

    def _feed(self, call, checkpoints):
        """Arguments of `fit` that make the data begin where the last checkpoint was made.

        Data sets of `cyclegan_tf.data` go this way without checkpoints too: a checkpoint must not
        change what is trained on, and several processes read only their share.
        """
        data, steps = call["x"], call.get("steps_per_epoch")
        pairs = getattr(data, "training_pairs", None)
        if not checkpoints and pairs is None:
            return {}
        if pairs is None:
            steps = _steps_in(data, steps)
        else:
            pairs = dataclasses.replace(pairs, given_steps=steps or pairs.given_steps)
            steps = pairs.steps_per_epoch
        begin = epoch = call.get("initial_epoch", 0)
        step = 0
        for each in checkpoints:
            epoch, step = each.restore_training(self, pairs) or (epoch, step)
        # Of an epoch with fewer steps than are done, the end remains: its logs are still to come.
        step = min(step, steps)
        self._skip_steps(step, steps)
        if pairs is None:
            data = data.repeat().skip(epoch * steps + step)
        else:
            first_epoch = pairs.first_epoch or begin  # of the data set, in the epoch `begin`
            if not checkpoints:  # the next `fit` has new pairs
                end = first_epoch + max(0, call.get("epochs", 1) - begin)
                data.training_pairs = dataclasses.replace(data.training_pairs, first_epoch=end)
            data = _distributed(pairs, first_epoch + epoch - begin, step, self.distribute_strategy)
        return {"x": data, "initial_epoch": epoch, "steps_per_epoch": steps}

    def _skip_steps(self, done, steps):
        """Passes over the first steps of the epoch that begins, without data."""
        if done % self.steps_per_execution or steps % self.steps_per_execution:
            raise InputError(
                f"steps_per_execution={self.steps_per_execution} must divide the {steps} steps of "
                f"an epoch and the {done} of them that were done before; compile with another "
                "value."
            )
        self._calls_to_skip = done // self.steps_per_execution

    def make_train_function(self, force=False):
        """As Keras's, but that steps of an epoch that were done before are passed over."""
        if self.train_function is not None and not force:
            return
        super().make_train_function(force)
        one_call = self.train_function

        def train_function(iterator):
            if self._calls_to_skip:
                self._calls_to_skip -= 1
                return self.get_metrics_result()  # an epoch may consist of such steps only
            return one_call(iterator)

        self.train_function = train_function

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """All is built already; Keras would draw a batch to see, and fails on some strategies."""

    @property
    def trainable_weights(self):
        """Those of the generators come first.

        At the end of `fit` Keras has `optimizer` assign the moving averages of its variables to
        as many of these, in this order.
        """
        first = self._trainable_variables_of(self.generators)
        known = {id(variable) for variable in first}
        return first + [v for v in super().trainable_weights if id(v) not in known]

    @property
    def metrics(self):
        return self._loss_trackers

    def call(self, inputs, training=None):
        """Pictures of domain A to domain B: what `predict` runs. See `translate` for both ways."""
        return of_any_share(partial(self.generators["ab"], training=training), inputs)

    def translate(self, images, direction="ab", batch_size=8):
        """Translates pictures of any size; see `Translator.translate`."""
        return self._translator.translate(images, direction, batch_size)

    def save(self, filepath, *args, **kwargs):
        """Like `keras.Model.save`, to a `.keras` file.

        Raises:
            InputError: an HDF5 file, in which networks whose layers have the same names cannot lie
                side by side.
        """
        if str(filepath).endswith((".h5", ".hdf5")):
            raise InputError(
                f"{filepath} would be an HDF5 file, which cannot hold the networks of a "
                f"{type(self).__name__}; use a name that ends in .keras, or save_weights and one "
                "that ends in .weights.h5."
            )
        return super().save(filepath, *args, **kwargs)

    def _pair(self, data):
        """The two pictures of a training element, checked while the step is traced."""
        image_a, image_b, weights = keras.utils.unpack_x_y_sample_weight(data)
        if weights is not None:
            raise InputError(
                "A training element must be a pair (image_a, image_b); received a third part, "
                "as sample_weight and class_weight make it, which no loss here uses. Leave it out."
            )
        if image_b is None:
            raise InputError(
                "A training element must be a pair (image_a, image_b), as `cyclegan_tf.data` "
                "makes them; received a single tensor."
            )
        # `train_on_batch` hands over NumPy arrays where it runs eagerly.
        image_a, image_b = tf.convert_to_tensor(image_a), tf.convert_to_tensor(image_b)
        for domain, image in (("A", image_a), ("B", image_b)):
            if not image.dtype.is_floating:
                raise InputError(
                    f"Training pictures must be floats in [-1, 1]; those of domain {domain} are "
                    f"{image.dtype.name}. Divide by 127.5 and subtract 1."
                )
            if image.shape.rank not in (None, 4):
                raise InputError(
                    "Training pictures must come in batches, (batch, height, width, channels); "
                    f"those of domain {domain} have shape {tuple(image.shape)}. Use .batch(1)."
                )
            if not tf.TensorShape((None, *self.image_shape)).is_compatible_with(image.shape):
                raise InputError(
                    f"{type(self).__name__} was built for pictures of shape {self.image_shape}; "
                    f"those of domain {domain} have shape {tuple(image.shape[1:])}. Give "
                    "image_shape=… to the constructor or image_size=… to the data set."
                )
        # Where sizes are unknown while it is traced, the check above is made in the graph.
        expected = (None, *self.image_shape)
        return tuple(
            tf.cast(tf.ensure_shape(image, expected), self.variable_dtype)
            for image in (image_a, image_b)
        )

    def _output(self, network, images, training):
        """A network's output. With `remat` its gradient computes the inside a second time."""
        if self.remat and training:
            run = partial(rematerialised, network)
        else:
            run = partial(network, training=training)
        outputs = of_any_share(run, images)
        # The networks here end in float32 anyway; others may end in half precision.
        return tf.cast(outputs, self.variable_dtype)

    def _both(self, network, first, second, training):
        """A network's outputs for two batches, from one call where that gives the same."""
        shapes = [images.shape for images in (first, second)]
        known = all(shape.is_fully_defined() for shape in shapes) and shapes[0][1:] == shapes[1][1:]
        if self.remat or not (known and acts_per_picture(network)):
            return [self._output(network, images, training) for images in (first, second)]
        outputs = self._output(network, tf.concat([first, second], 0), training)
        return tf.split(outputs, [shape[0] for shape in shapes])

    def _random_seed(self, stream):
        """A seed that depends on (seed, stream, step, replica) alone, so that a run resumes."""
        replica = tf.distribute.get_replica_context().replica_id_in_sync_group
        seed = tf.constant([self.seed, stream], tf.int32)
        for number in (step_counter(self.discriminator_optimizer), replica):
            seed = fold_in(seed, number)
        return seed

    def _apply(self, optimizer, tape, objective, networks):
        variables = self._trainable_variables_of(networks)
        optimizer.apply(tape.gradient(objective, variables), variables)

    def _log(self, values, images):
        """Updates the trackers from `{name: loss}` and returns what Keras logs.

        A mean over steps weighs each by its `images`, of which a short last batch has fewer.
        """
        count = tf.shape(images)[0]
        for tracker in self._loss_trackers:
            tracker.update_state(losses.local_value(values[tracker.name]), sample_weight=count)
        results = {tracker.name: tracker.result() for tracker in self._loss_trackers}
        if process_count() > 1:  # where Keras averages over the first axis
            results = {name: tf.reshape(result, (1,)) for name, result in results.items()}
        return results

    @staticmethod
    def _trainable_variables_of(networks):
        return [v for network in networks.values() for v in network.trainable_variables]


def _steps_in(data, steps):
    """The steps in an epoch of a data set that is not one of `cyclegan_tf.data`."""
    if not isinstance(data, tf.data.Dataset):
        raise InputError(
            "Training goes on from a checkpoint with a tf.data.Dataset alone, because Keras draws "
            f"from arrays in an order of its own. Received: {type(data).__name__}"
        )
    steps = steps or int(data.cardinality())
    if steps < 1:
        raise InputError(
            "The number of batches in this data set is not known; give steps_per_epoch to fit, so "
            "that training can go on from a checkpoint."
        )
    return steps


def _distributed(pairs, epoch, step, strategy):
    """`TrainingPairs` from a step on: for each process its own share alone is read."""
    if strategy.num_replicas_in_sync == 1:
        return pairs.endless(epoch, step)
    return strategy.distribute_datasets_from_function(
        lambda context: pairs.endless(
            epoch,
            step,
            worker=context.input_pipeline_id,
            workers=context.num_input_pipelines,
            replicas=context.num_replicas_in_sync,
        )
    )
