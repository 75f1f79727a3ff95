"""Whether two models, or two runs, are the same to the bit."""

import csv

import keras
import numpy as np
import tensorflow as tf


def all_variables(model):
    optimizers = (model.generator_optimizer, model.discriminator_optimizer)
    variables = [*model.weights, *(v for each in optimizers for v in each.variables)]
    pools = [pool.images.numpy() for pool in (model.pool_a, model.pool_b)]
    return [*(v.numpy() for v in variables), *pools]


def assert_equal(variables, expected):
    """Two of `all_variables`, bit for bit."""
    for ours, theirs in zip(variables, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def log_rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def events(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"tensors": 0}).Reload()
    return [(e.step, tf.make_ndarray(e.tensor_proto)) for e in events.Tensors("epoch_cycle_a")]


def assert_same_models(run, expected):
    """Weights, optimizers and pools of two folders agree bit for bit."""
    models = (keras.saving.load_model(out / "model.keras") for out in (run, expected))
    assert_equal(*map(all_variables, models))


def assert_same_run(run, expected):
    """Models, logs and sample grids of two folders agree bit for bit."""
    assert_same_models(run, expected)
    assert log_rows(run / "log.csv") == log_rows(expected / "log.csv")
    assert events(run / "logs" / "train") == events(expected / "logs" / "train")
    sheets = [sorted((folder / "samples").iterdir()) for folder in (run, expected)]
    assert [p.name for p in sheets[0]] == [p.name for p in sheets[1]]
    for ours, theirs in zip(*sheets):
        assert ours.read_bytes() == theirs.read_bytes()
    assert not list(run.rglob("*.part*"))
