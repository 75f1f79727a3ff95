"""Models whose networks are trained in groups, by one optimizer each."""

import contextlib
from typing import ClassVar

import keras
import tensorflow as tf

from cyclegan_tf.devices import has_accelerator
from cyclegan_tf.keras_internals import has_schedule, is_default_strategy, step_counter
from cyclegan_tf.replicas import strategy_of
from cyclegan_tf.training.optimizers import Adam


class GroupedModel(keras.Model):
    """A `keras.Model` with an optimizer for each group of its networks.

    Attributes:
        groups: names of networks by the name of their group; the first group is `"generator"`,
            whose optimizer is `optimizer`, as Keras's callbacks know it.
        accumulates: whether n steps with accumulated gradients are one of a batch n times as
            large.
        constant_rate: whether the optimizers must have rates that stay as they are, because some
            are used in some steps only and would read a schedule at another step.
    """

    accumulates: ClassVar[bool] = True
    constant_rate: ClassVar[bool] = False

    def __init__(self, groups, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups
        for group in groups:
            if group != "generator":
                setattr(self, f"{group}_optimizer", None)

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
        if self.constant_rate and any(map(has_schedule, plain.values())):
            raise ValueError(
                f"{type(self).__name__} updates some networks in some steps only, whose optimizer "
                "would read a schedule at another step; give a learning rate that is a number."
            )
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
        if steps != {1} and not self.accumulates:
            raise ValueError(
                f"{type(self).__name__} updates its groups of networks one after another within a "
                "step, so gradients cannot be added up over steps; use a larger batch_size instead."
            )
        strategy = self.distribute_strategy
        if steps != {1} and not is_default_strategy(strategy):
            raise ValueError(
                f"Keras does not accumulate gradients under {type(strategy).__name__}; use a "
                "larger batch_size instead, or no strategy."
            )

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
