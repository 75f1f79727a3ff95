"""Training that resumes where a `Checkpoints` callback left off, even within an epoch."""

import contextlib
import dataclasses

import keras
import tensorflow as tf

from cyclegan_tf.errors import InputError


@contextlib.contextmanager
def resumed(model, call):
    """Context manager: `fit` called with `call` resumes where its `Checkpoints` left off.

    Args:
        model: a compiled model whose train function is made by `with_skips`.
        call: arguments of `fit` by name; changed in place, so that the data start at the next step
            and the checkpoints are the last callbacks, except those of a `CallbackList`.
    """
    checkpoints = _put_last(call)
    data = call["x"]
    try:
        call.update(_feed(model, call, checkpoints))
        epochs = call.get("epochs", 1)
        done = call.get("initial_epoch", 0) >= epochs
        if checkpoints and done and call.get("verbose", "auto") != 0:
            print(f"Nothing is left to train: {checkpoints[0].folder} is past epoch {epochs}.")
        yield
        if not checkpoints and hasattr(data, "elements"):  # the next `fit` has new elements
            drawn = max(0, epochs - call["initial_epoch"])
            data.epochs_drawn = getattr(data, "epochs_drawn", 0) + drawn
    finally:
        model.calls_to_skip = 0  # else `train_on_batch` would skip its first calls
        for each in checkpoints:
            each.close()


def with_skips(model, train_function):
    """Keras's train function, which first skips `model.calls_to_skip` calls.

    Keras counts the steps of an epoch from its beginning, including those before the checkpoint.
    """

    def skipping(iterator):
        if model.calls_to_skip:
            model.calls_to_skip -= 1
            return model.get_metrics_result()  # an epoch may consist of such steps only
        return train_function(iterator)

    return skipping


def _put_last(call):
    """Moves the checkpoints behind the other callbacks; returns them.

    The files of the others must exist when an epoch is saved as done.
    """
    callbacks = call.get("callbacks")
    in_order = isinstance(callbacks, keras.callbacks.CallbackList)
    callbacks = callbacks.callbacks if in_order else keras.tree.flatten(callbacks or [])
    checkpoints = [each for each in callbacks if hasattr(each, "restore_training")]
    if checkpoints and not in_order:
        call["callbacks"] = [c for c in callbacks if c not in checkpoints] + checkpoints
    return checkpoints


def _feed(model, call, checkpoints):
    """Returns the `fit` arguments that make the data start at the last checkpoint.

    Data sets of `cyclegan_tf.data` are replaced without checkpoints too: a checkpoint must not
    change the training data, and several processes read only their share.
    """
    data, steps = call["x"], call.get("steps_per_epoch")
    elements = getattr(data, "elements", None)
    if not checkpoints and elements is None:
        return {}
    if elements is None:
        steps = _steps_in(data, steps)
    else:
        elements = dataclasses.replace(elements, given_steps=steps or elements.given_steps)
        steps = elements.steps_per_epoch
    begin = epoch = call.get("initial_epoch", 0)
    step = 0
    for each in checkpoints:
        epoch, step = each.restore_training(model, elements) or (epoch, step)
    # If an epoch has fewer steps than are done, its end remains: its logs are not written yet.
    step = min(step, steps)
    model.calls_to_skip = _calls_in(step, steps, model.steps_per_execution)
    if elements is None:
        data = data.repeat().skip(epoch * steps + step)
    else:
        first_epoch = elements.first_epoch or begin  # of the data set, in the epoch `begin`
        if not checkpoints:
            first_epoch += getattr(data, "epochs_drawn", 0)
        data = _distributed(elements, first_epoch + epoch - begin, step, model.distribute_strategy)
    return {"x": data, "initial_epoch": epoch, "steps_per_epoch": steps}


def _calls_in(done, steps, steps_per_execution):
    """The number of train function calls for the steps that are done."""
    if done % steps_per_execution or steps % steps_per_execution:
        raise InputError(
            f"steps_per_execution={steps_per_execution} must divide the {steps} steps of an epoch "
            f"and the {done} of them that were done before; compile with another value."
        )
    return done // steps_per_execution


def _steps_in(data, steps):
    """The steps in an epoch of a data set that is not one of `cyclegan_tf.data`."""
    if not isinstance(data, tf.data.Dataset):
        raise InputError(
            "Training resumes from a checkpoint only with a tf.data.Dataset, because Keras draws "
            f"from arrays in an order of its own. Received: {type(data).__name__}"
        )
    steps = steps or int(data.cardinality())
    if steps < 1:
        raise InputError(
            "The number of batches in this data set is not known; give steps_per_epoch to fit, so "
            "that training can resume from a checkpoint."
        )
    return steps


def _distributed(elements, epoch, step, strategy):
    """`Elements` from a step on; each process reads only its share."""
    if strategy.num_replicas_in_sync == 1:
        return elements.from_step(epoch, step)
    return strategy.distribute_datasets_from_function(
        lambda context: elements.from_step(
            epoch,
            step,
            worker=context.input_pipeline_id,
            workers=context.num_input_pipelines,
            replicas=context.num_replicas_in_sync,
        )
    )
