"""What every system promises, tried on each of the table."""

import csv
import json
import os
from functools import cache, partial

import keras
import numpy as np
import onnxruntime
import pytest
import tensorflow as tf
from tiny import StopAfter, Stopped
from two_replicas import two_replicas
from typer.testing import CliRunner

from conformance.table import (
    BALANCED,
    BY_SEARCH,
    FORMS,
    SIZE,
    STEPS,
    TINY,
    assert_same,
    build,
    images,
    scenes,
    state,
    without_noise,
)
from cyclegan_tf import (
    Adam,
    Checkpoints,
    ConstantThenLinearDecay,
    export_keras,
    export_onnx,
    export_saved_model,
    export_tflite,
    export_web,
    load,
    torch_weights,
)
from cyclegan_tf.choices import KINDS
from cyclegan_tf.commands.main import app
from cyclegan_tf.errors import InputError
from cyclegan_tf.exporting.export import export
from cyclegan_tf.exporting.tflite.interpreter import translated
from cyclegan_tf.networks.layers import acts_per_image
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import declared
from cyclegan_tf.runs.options import options_of, resolve

_NOTHING_TO_EXPORT = r"^A \w+ has no network that translates, and none to export\.$"

of_each_system = pytest.mark.parametrize("system", TINY)
of_each_line = pytest.mark.parametrize("system", [*TINY, *FORMS])


def test_each_system_has_a_line():
    assert list(TINY) == list(SYSTEMS)


@cache
def _trained(system):
    """A model after a step of each group, the first losses, and the weights before and after.

    Who trains it on asks nothing of it but that it has been trained.
    """
    model = build(system, noise=False, run_eagerly=True)
    before = [np.array(v) for v in model.trainable_weights]
    losses = _first_losses(model, system)
    return model, losses, before, [np.array(v) for v in model.trainable_weights]


def _first_losses(model, system):
    """The losses of the first step of as many as it takes to update all networks."""
    losses = [
        model.train_on_batch(*images(), return_dict=True) for _ in range(STEPS.get(system, 1))
    ]
    return losses[0]


@of_each_line
def test_evaluates_by_the_names_of_its_losses(system):
    model, *_ = _trained(system)
    named = [name for panel in model.loss_panels.values() for name in panel]
    evaluated = model.evaluate(scenes(system), return_dict=True, verbose=0)
    assert sorted(evaluated) == sorted(named)
    assert np.isfinite(list(evaluated.values())).all()


@of_each_system
def test_takes_a_schedule_unless_its_rate_is_constant(system):
    model = build(system)
    rate = ConstantThenLinearDecay(1e-3, 2, 2, steps_per_epoch=3)
    optimizers = {f"{group}_optimizer": Adam(rate) for group in model.groups}
    if SYSTEMS[system].constant_rate:
        with pytest.raises(ValueError, match="give a learning rate that is a number"):
            model.compile(**optimizers)
    else:
        model.compile(**optimizers)
    assert model.constant_rate == SYSTEMS[system].constant_rate


@of_each_line
def test_trains_all_of_its_weights_and_no_other(system):
    """Each group's step changes its own variables; what no group trains stays."""
    model, _, before, after = _trained(system)
    for variable, old, new in zip(model.trainable_weights, before, after, strict=True):
        # Offsets before an instance normalization have no gradient, and there are none here.
        assert np.any(new != old), variable.path
    trained = [id(v) for group in model.groups for v in model.variables_of(group)]
    assert len(trained) == len(set(trained)) == len(model.trainable_weights)


@of_each_line
def test_saves_and_loads_bit_for_bit(system, tmp_path):
    model, *_ = _trained(system)
    for seed in (1, 2):  # which fill the pools
        model.train_on_batch(*images(seed=seed))
    model.reset_metrics()
    model.save(tmp_path / "model.keras")
    loaded = without_noise(keras.saving.load_model(tmp_path / "model.keras"))
    assert_same(state(model), state(loaded))
    assert loaded.settings() == model.settings()
    for each in (model, loaded):
        each.train_on_batch(*images(seed=3))
    assert_same(state(model), state(loaded))
    for direction in model.directions:
        first, second = (each.translate(images()[0], direction) for each in (model, loaded))
        np.testing.assert_array_equal(first, second)


@of_each_line
def test_resumes_bit_for_bit_within_an_epoch(system, tmp_path):
    def fit(model, folder, *callbacks):
        checkpoints = Checkpoints(tmp_path / folder, minutes=0)
        model.fit(scenes(system), epochs=1, verbose=0, callbacks=[checkpoints, *callbacks])
        return state(model)

    unbroken, broken, resumed = (build(system, run_eagerly=True) for _ in range(3))
    expected = fit(unbroken, "unbroken")
    with pytest.raises(Stopped):
        fit(broken, "broken", StopAfter(4))
    assert_same(fit(resumed, "broken"), expected)


@of_each_line
def test_two_replicas_train_as_one_device(system):
    alone = build(system, noise=False, by_replica=False, run_eagerly=True)
    with two_replicas().scope():
        shared = build(system, noise=False, by_replica=False, run_eagerly=True)
    first, second = images(count=2)
    # Statistics of a batch are those of each replica's share: equal for equal images alone.
    if not all(map(acts_per_image, alone.networks.values())):
        first, second = (np.repeat(each[:1], 2, 0) for each in (first, second))
    batches = tf.data.Dataset.from_tensor_slices((first, second)).batch(2)
    logs = [each.fit(batches, epochs=2, verbose=0).history for each in (alone, shared)]
    for name, values in logs[0].items():
        np.testing.assert_allclose(logs[1][name], values, rtol=2e-4, err_msg=name)
    for ours, theirs in zip(alone.trainable_weights, shared.trainable_weights):
        # Adam's first steps are of one size whatever the gradient: 2e-4 each.
        np.testing.assert_allclose(ours, theirs, atol=4e-5, err_msg=ours.path)


@of_each_line
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_gives_nearly_the_same_losses(system, policy):
    _, expected, *_ = _trained(system)
    keras.config.set_dtype_policy(policy)
    model = build(system, noise=False, run_eagerly=True)
    optimizers = {f"{group}_optimizer": Adam() for group in model.groups}
    if policy == "mixed_float16":  # the default scale is so large that the first steps overflow
        optimizers = {
            group: keras.optimizers.LossScaleOptimizer(each, initial_scale=2.0**4)
            for group, each in optimizers.items()
        }
    model.compile(**optimizers, run_eagerly=True)
    before = [np.array(v) for v in model.trainable_weights]
    losses = _first_losses(model, system)
    for name, value in expected.items():
        assert losses[name] == pytest.approx(value, rel=2**-5, abs=2**-7), name
    for variable, value in zip(model.trainable_weights, before):
        assert variable.dtype == "float32"
        # Adam's first step, whatever the gradient is, if it is no underflow.
        change = np.abs(np.array(variable) - value).max()
        assert change < 2e-3, variable.path
        assert change > 1e-5 or (system in BALANCED and variable.shape == (1,)), variable.path


@of_each_system
def test_each_direction_is_exported_to_what_other_runtimes_read(system, tmp_path):
    model = build(system, noise=False)
    if system in BY_SEARCH:
        _assert_every_export_is_refused(model, tmp_path)
        return
    assert set(model.generators) == set(model.directions)
    image = images()[0]
    export(model, tmp_path, model.directions, kinds=("saved_model", "tflite", "onnx", "keras"))
    for direction in model.directions:
        expected = model.translate(image, direction)
        name = tmp_path / f"generator_{direction}"
        served = tf.saved_model.load(name / "1").signatures["serving_default"]
        session = onnxruntime.InferenceSession(f"{name}.onnx")
        outputs = {
            "SavedModel": served(image=tf.constant(image))["translated"],
            "TFLite": translated(name.with_suffix(".tflite").read_bytes(), image),
            "ONNX": session.run(["translated"], {"image": image})[0],
            "Keras": load(name.with_suffix(".keras")).translate(image),
        }
        for kind, output in outputs.items():
            np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4, err_msg=kind)


def _assert_every_export_is_refused(model, tmp_path):
    """By one sentence, before anything is written, whether or not a direction is named."""
    assert not model.generators
    for direction in (None, *model.directions):
        directions = direction and (direction,)
        for refused in (
            *(partial(export, model, tmp_path, directions, kinds=(kind,)) for kind in KINDS),
            partial(export_saved_model, model, tmp_path, direction),
            partial(export_tflite, model, tmp_path / "x.tflite", direction),
            partial(export_onnx, model, tmp_path / "x.onnx", direction),
            partial(model.export, tmp_path / "keras"),
            partial(export_keras, model, tmp_path / "x.keras", direction),
            partial(export_web, model, tmp_path / "site", directions),
            partial(torch_weights.save_networks, model, tmp_path, directions or ("ab",)),
        ):
            with pytest.raises(InputError, match=_NOTHING_TO_EXPORT):
                refused()
    assert not os.listdir(tmp_path)


def _flags(options):
    for name, value in options.items():
        yield from (f"--{name.replace('_', '-')}", str(value))


def _check_log(run, epochs):
    """Every loss of the system is in the log of a run, and finite."""
    model = keras.saving.load_model(run / "model.keras", compile=False)
    rows = list(csv.DictReader((run / "log.csv").read_text().splitlines()))
    assert len(rows) == epochs
    for row in rows:
        logged = [float(row[name]) for panel in model.loss_panels.values() for name in panel]
        assert np.isfinite(logged).all()


@of_each_system
def test_trains_and_resumes_by_command(system, tmp_path):
    flags = {
        "system": system,
        "image_size": SIZE,
        "steps_per_epoch": 2,
        "precision": "float32",
        **TINY[system],
    }

    def run(epochs):
        arguments = ["train", "scenes", "--out", str(tmp_path / "run")]
        given = _flags({**flags, "epochs": epochs, "decay_epochs": 0})
        result = CliRunner().invoke(app, [*arguments, *given], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    assert "Done." in run(epochs=1)
    assert "in epoch 2" in run(epochs=2)
    names = set(os.listdir(tmp_path / "run"))
    assert names > {"model.keras", "samples", "log.csv", "index.html", "options.json", "losses.png"}
    assert options_of(tmp_path / "run").system == system
    _check_log(tmp_path / "run", epochs=2)
    model = load(tmp_path / "run")
    for direction in model.directions:
        assert model.translate(images()[0], direction).shape == (1, SIZE, SIZE, 3)


@of_each_system
def test_its_options_are_written_and_read_again(system, tmp_path):
    options = resolve("scenes", system=system, image_size=SIZE, **TINY[system])
    (tmp_path / "options.json").write_text(options.as_json())
    assert options_of(tmp_path) == options
    assert json.loads(options.as_json())["model"].keys() == declared(SYSTEMS[system].build).keys()
    for preset in SYSTEMS[system].presets:
        resolve("scenes", system=system, preset=preset)


@of_each_system
def test_bad_input_gets_its_sentence(system):
    for name, one in declared(SYSTEMS[system].build).items():
        for value in (
            *((one.option.least - 1,) if one.option.least is not None else ()),
            *(("nothing of the kind",) if one.option.choices else ()),
        ):
            with pytest.raises(InputError, match=rf"^{name} must be .* Received: "):
                resolve("scenes", system=system, **{name: value})
    model = build(system)
    first, second = images()
    for bad, sentence in (
        (first[..., :2], "was built for images of shape"),
        (first * 127, r"\[-1, 1\]"),
        ((first * 127).astype(np.int32), "must be floats"),
    ):
        with pytest.raises(InputError, match=sentence):
            model.fit(bad, second, batch_size=1, verbose=0)
    with pytest.raises(InputError, match=r"direction must be one of|in the direction [ab]{2} only"):
        model.translate(first, "backwards")
