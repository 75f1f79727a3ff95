"""Interrupted training resumes as if nothing had happened: bit for bit, whatever stopped it."""

import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from same_runs import all_variables, assert_equal, assert_same_models, assert_same_run, log_rows
from tiny import (
    COMMAND,
    SHAPE,
    TINY,
    StopAfter,
    Stopped,
    options,
    refused,
    small_disk,
    tiny_model,
    tiny_pairs,
    traced_model,
)
from two_replicas import two_replicas

from cyclegan_tf import (
    Adam,
    Checkpoints,
    CycleGAN,
    InputError,
    TrainingDiverged,
    data,
    patchgan,
    resnet_generator,
    unet_generator,
)
from cyclegan_tf.commands.main import main
from cyclegan_tf.networks.layers import Conv2D
from cyclegan_tf.runs.logs import RunLog
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.train import train
from cyclegan_tf.training.checkpoints import newest_state


def _unpaired():
    images = np.random.default_rng(0).integers(0, 255, (2, 3, *SHAPE), dtype=np.uint8)
    return data.arrays(*images)


def _eager(**arguments):
    """Without tracing, which takes longer than few steps."""
    model = tiny_model(compiled=False, **arguments)
    model.compile(run_eagerly=True)
    return model


def _fit(folder, make=traced_model, pairs=_unpaired, stop_after=None, minutes=0, **arguments):
    """The variables at the end and the history; or nothing, if it is stopped after that step."""
    model, arguments = make(), {"epochs": 2, **arguments}
    callbacks = [Checkpoints(folder, minutes=minutes)]
    if stop_after:
        callbacks.append(StopAfter(stop_after))
        with pytest.raises(Stopped):
            model.fit(pairs(), verbose=0, callbacks=callbacks, **arguments)
        return None
    history = model.fit(pairs(), verbose=0, callbacks=callbacks, **arguments)
    return all_variables(model), history.history


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    return _fit(tmp_path_factory.mktemp("unbroken"))


def test_the_shared_model_is_a_new_one_each_time():
    """Whatever was done to it: else these tests would find what they left behind."""
    traced_model().fit(_unpaired(), verbose=0)
    model = traced_model()
    assert_equal(all_variables(model), all_variables(tiny_model()))
    assert [int(pool.count) for pool in (model.pool_a, model.pool_b)] == [0, 0]


def test_fit_goes_on_to_the_bit(unbroken, tmp_path):
    """Stopped in the middle of an epoch, after its last step and in the next one."""
    for step in (2, 3, 5):
        _fit(tmp_path, stop_after=step)
    model, history = _fit(tmp_path)
    expected, expected_history = unbroken
    assert_equal(model, expected)
    for name, values in expected_history.items():
        assert values[-1] == history[name][-1], name


def test_a_checkpoint_with_the_convolutions_of_keras_resumes(tmp_path):
    """As versions before `layers.Conv2D` wrote them: the classes have one name and one function."""

    def of_keras(layer):
        made_by = keras.layers.Conv2D if isinstance(layer, Conv2D) else type(layer)
        return made_by.from_config(layer.get_config())

    def as_before():
        model = tiny_model(compiled=False)
        networks = model.networks.values()
        before = [keras.models.clone_model(each, clone_function=of_keras) for each in networks]
        for network, older in zip(networks, before):
            older.set_weights(network.get_weights())
            assert not any(type(layer) is Conv2D for layer in older.layers)
        model = CycleGAN(*before, image_shape=SHAPE, pool_size=3)
        model.compile(run_eagerly=True)
        return model

    _fit(tmp_path, make=as_before, stop_after=2)
    assert _fit(tmp_path) is not None


def test_two_checkpoints_are_kept_and_the_last_is_of_the_end(tmp_path, capsys):
    _fit(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "epoch_00001_00000002",
        "epoch_00002_00000000",
    ]
    state = newest_state(tmp_path)
    assert (state["epoch"], state["pairs"]) == (2, 0)
    traced_model().fit(_unpaired(), epochs=2, callbacks=[Checkpoints(tmp_path)])
    assert "Nothing is left to train" in capsys.readouterr().out


def test_a_finished_training_is_only_loaded(unbroken, tmp_path):
    _fit(tmp_path)
    model, history = _fit(tmp_path)
    assert history == {}
    assert_equal(model, unbroken[0])


def test_other_data_sets_go_on_too(tmp_path):
    _fit(tmp_path / "broken", pairs=lambda: tiny_pairs(count=3), stop_after=5)
    model, _ = _fit(tmp_path / "broken", pairs=lambda: tiny_pairs(count=3))
    expected, _ = _fit(tmp_path / "unbroken", pairs=lambda: tiny_pairs(count=3))
    assert_equal(model, expected)


def test_data_that_cannot_be_found_again_are_refused(tmp_path):
    images = np.zeros((2, 2, *SHAPE), np.float32)
    with pytest.raises(InputError, match=r"only with a tf\.data\.Dataset"):
        _eager().fit(*images, callbacks=[Checkpoints(tmp_path)])
    unknown = tiny_pairs().filter(lambda a, b: True)
    with pytest.raises(InputError, match="give steps_per_epoch"):
        _eager().fit(unknown, callbacks=[Checkpoints(tmp_path)])


def test_another_size_of_batch_in_the_middle_of_an_epoch(tmp_path):
    """As many steps in an epoch: the third one follows; as many pairs: the third one follows."""

    def pairs(batch_size, steps_per_epoch=None):
        images = np.zeros((2, 8, *SHAPE), np.uint8)
        return data.arrays(*images, batch_size=batch_size, steps_per_epoch=steps_per_epoch)

    _fit(tmp_path, pairs=lambda: pairs(2), stop_after=3, epochs=1)  # two steps are saved
    model = _eager()
    for unpaired, expected in ((pairs(1), (0, 4)), (pairs(1, 4), (0, 2)), (pairs(4), (0, 1))):
        assert Checkpoints(tmp_path).restore_training(model, unpaired.elements) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_checkpoint_is_on_the_disk_before_its_name(tmp_path, monkeypatch):
    """Both files are synchronized after their last byte, and only then the folder is renamed."""
    synchronized, renamed = {}, []
    fsync, replace = os.fsync, os.replace

    def watched_fsync(descriptor):
        path = pathlib.Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        synchronized[path] = path.read_bytes()
        fsync(descriptor)

    def watched_replace(source, target):
        held = {path: path.read_bytes() for path in pathlib.Path(source).glob("*")}
        assert {path: synchronized.get(path) for path in held} == held
        renamed.extend(path.name for path in held)
        replace(source, target)

    monkeypatch.setattr(os, "fsync", watched_fsync)
    monkeypatch.setattr(os, "replace", watched_replace)
    _fit(tmp_path, epochs=1, minutes=10)
    assert sorted(renamed) == ["model.keras", "state.json"]


def test_a_signal_that_belongs_to_the_host_is_left_to_it(tmp_path, monkeypatch):
    """Of a handler that C code installed, Python knows nothing and could not give it back."""
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(signal, "getsignal", lambda number: None)

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.during = signal.signal(signal.SIGTERM, before)

    watch = Watch()
    traced_model().fit(_unpaired(), verbose=0, callbacks=[watch, Checkpoints(tmp_path)])
    assert watch.during == before


@pytest.mark.parametrize("minutes", [0, 1000])  # in a step, and at the end of the epoch
def test_training_that_diverges_is_not_saved(minutes, tmp_path):
    model = _eager()
    model.generator_ab.set_weights([w * np.nan for w in model.generator_ab.get_weights()])
    with pytest.raises(TrainingDiverged, match="is not finite in epoch 1"):
        model.fit(tiny_pairs(count=2), verbose=0, callbacks=[Checkpoints(tmp_path, minutes)])
    assert not list(tmp_path.iterdir())


def test_a_training_that_another_callback_stops_goes_on_there(tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch == 1

    traced_model().fit(_unpaired(), epochs=2, verbose=0, callbacks=[Stop(), Checkpoints(tmp_path)])
    state = newest_state(tmp_path)
    assert (state["epoch"], state["pairs"]) == (0, 2)


def test_a_stop_in_steps_that_are_passed_over_leaves_the_checkpoint(unbroken, tmp_path):
    """Stopped after two of three steps; then by another callback in the first, done before."""

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = True

    _fit(tmp_path, stop_after=3)  # two steps are saved
    before = sorted(path.name for path in tmp_path.iterdir())
    traced_model().fit(
        _unpaired(), epochs=2, verbose=0, callbacks=[Stop(), Checkpoints(tmp_path, minutes=0)]
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    model, _ = _fit(tmp_path)
    assert_equal(model, unbroken[0])


def test_data_do_not_depend_on_the_callback(tmp_path):
    """Epochs longer than the data set, from a later epoch on, after a look at a batch."""

    def trained(callbacks, **arguments):
        images = np.random.default_rng(0).integers(0, 255, (2, 3, *SHAPE), dtype=np.uint8)
        dataset = data.arrays(*images, first_epoch=arguments.pop("first_epoch", 0))
        next(iter(dataset))
        model = traced_model()
        model.fit(dataset, epochs=2, verbose=0, callbacks=callbacks, **arguments)
        return all_variables(model), int(model.optimizer.iterations)

    for number, arguments in enumerate(
        ({"steps_per_epoch": 5}, {"first_epoch": 7}, {"initial_epoch": 1})
    ):
        without, done = trained([], **arguments)
        assert_equal(trained([Checkpoints(tmp_path / str(number))], **arguments)[0], without)
        steps = 2 * arguments.get("steps_per_epoch", 3) // (1 + arguments.get("initial_epoch", 0))
        assert done == steps


def test_a_second_fit_without_checkpoints_has_new_pairs():
    """One epoch and one epoch are two epochs."""
    model = traced_model()
    model.fit(_unpaired(), epochs=2, verbose=0)
    in_one, model, dataset = all_variables(model), traced_model(), _unpaired()
    for _ in range(2):
        model.fit(dataset, verbose=0)
    assert_equal(all_variables(model), in_one)


def test_a_look_by_another_fit_does_not_change_what_a_checkpoint_is_of(unbroken, tmp_path):
    dataset = _unpaired()
    traced_model().fit(dataset, verbose=0)
    traced_model().fit(dataset, epochs=1, verbose=0, callbacks=[Checkpoints(tmp_path)])
    resumed = traced_model()
    resumed.fit(_unpaired(), epochs=2, verbose=0, callbacks=[Checkpoints(tmp_path)])
    assert_equal(all_variables(resumed), unbroken[0])


def test_nothing_is_passed_over_after_fit(tmp_path, capsys):
    """A checkpoint of the middle of the second epoch, for a run of one epoch."""
    _fit(tmp_path, stop_after=6)  # five steps are saved
    model = traced_model()
    model.fit(_unpaired(), epochs=1, callbacks=[Checkpoints(tmp_path)])
    assert f"Nothing is left to train: {tmp_path} is past epoch 1." in capsys.readouterr().out
    images = np.zeros((1, *SHAPE), np.float32)
    model.train_on_batch(images, images)
    assert int(model.optimizer.iterations) == 6


def test_steps_per_execution_must_divide_the_epoch(tmp_path):
    model = tiny_model(compiled=False)
    model.compile(steps_per_execution=2)
    with pytest.raises(InputError, match="must divide the 3 steps"):
        model.fit(_unpaired(), verbose=0, callbacks=Checkpoints(tmp_path))


def test_steps_per_epoch_and_steps_per_execution(tmp_path):
    def make():
        return traced_model(steps_per_execution=2)

    _fit(tmp_path / "broken", make, stop_after=4, steps_per_epoch=4)
    model, _ = _fit(tmp_path / "broken", make, steps_per_epoch=4)
    expected, _ = _fit(tmp_path / "unbroken", make, steps_per_epoch=4)
    assert_equal(model, expected)


def test_random_layers_go_on(tmp_path):

    def make():
        sizes = {"base_filters": 2, "halvings": 3, "dropout": 0.5, "dropout_levels": 1}
        generators = [unet_generator(SHAPE, **sizes, seed=n) for n in (1, 2)]
        discriminators = [patchgan(base_filters=2, strided_layers=1, seed=n) for n in (3, 4)]
        model = CycleGAN(*generators, *discriminators, image_shape=SHAPE, pool_size=2)
        model.compile(run_eagerly=True)
        return model

    def pairs():
        return tiny_pairs(count=3)

    assert any("seed_generator" in v.path for v in make().non_trainable_variables)
    _fit(tmp_path / "broken", make, pairs, stop_after=5)
    model, _ = _fit(tmp_path / "broken", make, pairs)
    expected, _ = _fit(tmp_path / "unbroken", make, pairs)
    assert_equal(model, expected)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_goes_on(policy, tmp_path):
    keras.config.set_dtype_policy(policy)
    first = traced_model().generator_ab.get_weights()[0]
    _fit(tmp_path / "broken", stop_after=5)
    model, _ = _fit(tmp_path / "broken")
    expected, _ = _fit(tmp_path / "unbroken")
    assert_equal(model, expected)
    assert not any(np.array_equal(first, value) for value in model)


def test_two_replicas_go_on_with_a_pool_each(tmp_path):
    with two_replicas().scope():
        unbroken, resumed = (_eager() for _ in range(2))

    def pairs():
        images = np.random.default_rng(0).integers(0, 255, (2, 6, *SHAPE), dtype=np.uint8)
        return data.arrays(*images, batch_size=2)

    class Keep(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            kept = sorted(tmp_path.glob("unbroken/epoch_00001_*"))
            if kept:  # of the middle of the second epoch, from which the other goes on
                shutil.copytree(kept[-1], tmp_path / "broken" / kept[-1].name, dirs_exist_ok=True)

    callbacks = [Checkpoints(tmp_path / "unbroken", minutes=0), Keep()]
    expected_history = unbroken.fit(pairs(), epochs=2, verbose=0, callbacks=callbacks).history
    assert newest_state(tmp_path / "broken")["pairs"] > 0
    callbacks = [Checkpoints(tmp_path / "broken", minutes=0)]
    history = resumed.fit(pairs(), epochs=2, verbose=0, callbacks=callbacks).history
    first, second = resumed.pool_a.images.values
    assert not np.array_equal(first, second)
    for ours, theirs in zip((first, second), unbroken.pool_a.images.values, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for ours, theirs in zip(resumed.get_weights(), unbroken.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert history["cycle_a"][-1] == expected_history["cycle_a"][-1]


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """Two checkpoints, of the third and the fourth step, and a training stopped in the fifth."""
    folder = tmp_path_factory.mktemp("stopped")
    _fit(folder, stop_after=5)
    return folder


def _damage(path, how):
    content = bytearray(path.read_bytes())
    if how == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif how == "bit":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()


@pytest.mark.parametrize("file", ["model.keras", "state.json"])
@pytest.mark.parametrize("how", ["cut", "bit", "missing"])
def test_a_damaged_checkpoint_is_reported_and_the_one_before_used(file, how, stopped, tmp_path):
    folder = shutil.copytree(stopped, tmp_path / "copy")
    assert newest_state(folder)["pairs"] == 1
    _damage(folder / "epoch_00001_00000001" / file, how)
    with pytest.warns(UserWarning, match="epoch_00001_00000001 is damaged and is not used"):
        state = newest_state(folder)
    assert (state["epoch"], state["pairs"]) == (1, 0)
    _damage(folder / "epoch_00001_00000000" / file, how)
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(InputError, match=r"All checkpoints in .* are damaged"),
    ):
        newest_state(folder)


def test_training_goes_on_from_the_one_before(stopped, unbroken, tmp_path):
    folder = shutil.copytree(stopped, tmp_path / "copy")
    _damage(folder / "epoch_00001_00000001" / "model.keras", "bit")
    with pytest.warns(UserWarning, match="is damaged"):
        model, _ = _fit(folder)
    assert_equal(model, unbroken[0])
    assert len(list(folder.iterdir())) == 2


def test_a_checkpoint_of_another_model_is_refused(stopped):
    networks = [unet_generator(SHAPE, base_filters=2, halvings=3, seed=n) for n in (1, 2)]
    others = [_eager(lambda_identity=0.0), _eager(pool_size=2)]
    # The same shapes, but other layers: they would be filed under other names.
    sizes = {"base_filters": 4, "blocks": 1, "padding": "same"}
    similar = [resnet_generator(**sizes, seed=n) for n in (1, 2)]
    similar += [patchgan(base_filters=4, strided_layers=1, seed=n) for n in (3, 4)]
    for others_networks in (networks, similar):
        others.append(CycleGAN(*others_networks, image_shape=SHAPE, pool_size=3))
        others[-1].compile()
    for model in others:
        with pytest.raises(InputError, match="is not a checkpoint of this model"):
            Checkpoints(stopped).restore_training(model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lambda_a": 5.0}, "lambda_a was 10.0, now 5.0"),
        ({"adversarial": "vanilla"}, "adversarial was 'lsgan', now 'vanilla'"),
        ({"seed": 1, "lambda_b": 2.0}, "seed was 0, now 1; lambda_b was 10.0, now 2.0"),
        ({"image_shape": (64, 64, 3), "pool_size": 0}, "image_shape was .32, 32, 3., now .64, 64"),
        ({"dtype": "mixed_bfloat16"}, "dtype was 'float32', now 'mixed_bfloat16'"),
    ],
)
def test_a_checkpoint_of_another_objective_is_refused_by_name(arguments, message, stopped):
    with pytest.raises(InputError, match=f"is not a checkpoint of this model: .*{message}"):
        Checkpoints(stopped).restore_training(_eager(**arguments))


def test_a_checkpoint_of_another_setting_of_a_layer_or_an_optimizer_is_refused(tmp_path):
    def generator(dropout):
        layers = [keras.layers.Dropout(dropout), keras.layers.Conv2D(3, 3, padding="same")]
        return keras.Sequential([keras.Input(SHAPE), *layers])

    def make(dropout=0.5, **settings):
        generators = [generator(dropout) for _ in "ab"]
        discriminators = [patchgan(base_filters=2, strided_layers=1, seed=n) for n in (3, 4)]
        model = CycleGAN(*generators, *discriminators, image_shape=SHAPE, pool_size=2)
        model.compile(Adam(**settings), run_eagerly=True)
        return model

    _fit(tmp_path, make, epochs=1)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(InputError, match=r"generator_ab\.layers\[\d+\]\.rate was 0.5, now 0.25"):
        checkpoints.restore_training(make(dropout=0.25))
    with pytest.raises(InputError, match=r"generator_optimizer\.beta_1 was 0.5, now 0.9"):
        checkpoints.restore_training(make(beta_1=0.9))
    assert checkpoints.restore_training(make(learning_rate=1e-5)) == (1, 0)


def test_remat_and_the_learning_rate_may_change(stopped):
    model = tiny_model(compiled=False, remat=True)
    model.compile(Adam(1e-5), Adam(1e-5))
    assert Checkpoints(stopped).restore_training(model) == (1, 1)


def _as_written_before(folder):
    """Takes out of a checkpoint what versions before did not write."""
    for path in folder.glob("epoch_*/state.json"):
        state = json.loads(path.read_text())
        del state["state_sha256"], state["data"], state["model"]["settings"]
        state["notes"] = None
        text = json.dumps(state, sort_keys=True)
        state["state_sha256"] = hashlib.sha256(text.encode()).hexdigest()
        path.write_text(json.dumps(state))


def test_a_checkpoint_of_before_its_settings_were_written_resumes(stopped, unbroken, tmp_path):
    folder = shutil.copytree(stopped, tmp_path / "copy")
    _as_written_before(folder)
    model, _ = _fit(folder)
    assert_equal(model, unbroken[0])


def _write_images(root, numbers="0123", size=24):
    for part in ("trainA", "trainB"):
        (root / part).mkdir(parents=True, exist_ok=True)
        for number in numbers:
            pixels = np.random.default_rng(int(number)).integers(0, 255, (size, size, 3), np.uint8)
            tf.io.write_file(str(root / part / f"{number}.png"), tf.io.encode_png(pixels))


def test_other_images_are_refused_by_domain(tmp_path):
    def pairs(**arguments):
        sizes = {"preprocess": "none", "flip": False, **arguments}
        return data.folders(tmp_path, **sizes)

    def restored(**arguments):
        allow = arguments.pop("allow_other_data", False)
        checkpoints = Checkpoints(tmp_path / "run", allow_other_data=allow)
        return checkpoints.restore_training(model, pairs(**arguments).elements)

    _write_images(tmp_path, size=32)
    _fit(tmp_path / "run", pairs=pairs, stop_after=4)
    model = _eager()
    assert restored() == (0, 3)
    assert restored(batch_size=2) == (0, 1)
    with pytest.raises(InputError, match=r"preprocessing\.flip was False, now True; seed was 0"):
        restored(flip=True, seed=1)
    (tmp_path / "trainA" / "3.png").rename(tmp_path / "trainA" / "4.png")
    with pytest.raises(InputError, match=r"other training data: checksum of .* domain A was"):
        restored()
    (tmp_path / "trainA" / "4.png").unlink()
    with pytest.raises(InputError, match=r"number of images of domain A was 4, now 3; .*--allow-"):
        restored()
    assert restored(allow_other_data=True) == (0, 3)
    _write_images(tmp_path, numbers="3", size=32)
    assert restored() == (0, 3)


def test_more_epochs_go_on_with_a_finished_run(tmp_path):
    tiny = resolve("scenes", **{**TINY, "epochs": 3, "decay_epochs": 0})
    train(tiny, tmp_path / "unbroken", verbose=0)
    short = resolve("scenes", **{**TINY, "epochs": 2, "decay_epochs": 0})
    train(short, tmp_path / "run", verbose=0)
    said = []
    train(short, tmp_path / "run", verbose=0, log=said.append)
    assert "is finished" in said[-1]
    train(tiny, tmp_path / "run", verbose=0)
    # The weights' averages, which the shorter run ended with, are not gone on from.
    assert_same_models(tmp_path / "run", tmp_path / "unbroken")
    assert log_rows(tmp_path / "run" / "log.csv") == log_rows(tmp_path / "unbroken" / "log.csv")


def test_another_batch_size_goes_on_at_the_same_pair_and_rate(tmp_path):
    """Two epochs of 8 pairs, then two in which a step takes two of them."""
    _write_images(tmp_path, "01234567")
    tiny = {**TINY, "preset": "labels", "steps_per_epoch": None, "decay_epochs": 3}
    train(resolve(tmp_path, **{**tiny, "epochs": 3}), tmp_path / "run", verbose=0)
    train(resolve(tmp_path, **{**tiny, "epochs": 4, "batch_size": 2}), tmp_path / "run", verbose=0)
    assert newest_state(tmp_path / "run" / "checkpoints")["iterations"] == 3 * 8 + 4
    last = log_rows(tmp_path / "run" / "log.csv")[-1]
    np.testing.assert_allclose(float(last["learning_rate"]), 2e-4 / 4, rtol=1e-6)


def test_other_images_go_on_if_they_are_allowed(tmp_path):
    """Four images, then three: the rate falls with the epochs as they are then."""
    _write_images(tmp_path, "0123")
    tiny = {**TINY, "preset": "labels", "steps_per_epoch": None, "decay_epochs": 3}
    three, four = (resolve(tmp_path, **{**tiny, "epochs": epochs}) for epochs in (3, 4))
    train(three, tmp_path / "run", verbose=0)
    for part in ("trainA", "trainB"):
        (tmp_path / part / "3.png").unlink()
    with pytest.raises(InputError, match=r"domain A was 4, now 3"):
        train(four, tmp_path / "run", verbose=0)
    train(four, tmp_path / "run", allow_other_data=True, verbose=0)
    assert newest_state(tmp_path / "run" / "checkpoints")["iterations"] == 3 * 4 + 3
    rates = [float(row["learning_rate"]) for row in log_rows(tmp_path / "run" / "log.csv")]
    np.testing.assert_allclose(rates, [1.5e-4, 1e-4, 0.5e-4, 0.5e-4], rtol=1e-6)


def test_an_epoch_of_steps_that_are_passed_over_has_its_logs(tmp_path):
    """Eight of nine pairs are done when four steps of two pairs become an epoch."""
    images = np.random.default_rng(0).integers(0, 255, (2, 9, *SHAPE), dtype=np.uint8)

    def pairs(batch_size):
        return lambda: data.arrays(*images, batch_size=batch_size)

    _fit(tmp_path, pairs=pairs(1), stop_after=9)
    whole = newest_state(tmp_path)
    assert (whole["epoch"], whole["pairs"]) == (0, 8)
    log = RunLog(tmp_path / "log.csv")
    checkpoints = Checkpoints(tmp_path, minutes=0)
    history = (
        traced_model().fit(pairs(2)(), epochs=2, verbose=0, callbacks=[log, checkpoints]).history
    )
    rows = log_rows(tmp_path / "log.csv")
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for name, (total, count) in whole["trackers"].items():
        np.testing.assert_allclose(history[name][0], total[0] / count[0], rtol=1e-6)
        np.testing.assert_allclose(float(rows[0][name]), total[0] / count[0], rtol=1e-6)
    assert all(np.isfinite(float(rows[1][name])) for name in whole["trackers"])


# In processes of their own, killed.

STEPS = 20
RUN = options(epochs=3, steps_per_epoch=STEPS, precision="float32", checkpoint_minutes=0)


def _command(out):
    return [*COMMAND, "train", "scenes", "--out", str(out), *RUN]


def _start(out):
    """The command in a process that need not import TensorFlow first, which takes the longest."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["cyclegan_tf.commands.main"])
    process = context.Process(target=_run_command, args=(_command(out)[len(COMMAND) :],))
    process.start()
    return process


def _finish(out):
    """The command, which has to end well."""
    process = _start(out)
    process.join()
    assert process.exitcode == 0


def _run_command(arguments):
    sys.argv = ["cyclegan-tf", *arguments]
    with open(os.devnull, "w") as sys.stdout:
        main()


def _killed(out, rng):
    """Starts the run, and kills it soon after it has made a step; whether it was killed."""
    before = set((out / "checkpoints").glob("epoch_*"))
    process = _start(out)
    while process.is_alive() and set((out / "checkpoints").glob("epoch_*")) == before:
        time.sleep(0.005)
    time.sleep(rng.uniform(0, 0.6))
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _run_killed(out, kills, seed=0):
    rng = random.Random(seed)
    killed = sum(_killed(out, rng) for _ in range(kills))
    _finish(out)
    return killed


@pytest.fixture(scope="module")
def unbroken_run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "unbroken"
    _finish(out)
    return out


@pytest.mark.twin
def test_a_run_killed_twice_ends_as_the_unbroken_one(unbroken_run, tmp_path):
    assert _run_killed(tmp_path / "run", kills=2) == 2
    assert_same_run(tmp_path / "run", unbroken_run)


@pytest.mark.slow
def test_a_run_killed_12_times_ends_as_the_unbroken_one(unbroken_run, tmp_path):
    assert _run_killed(tmp_path / "run", kills=12, seed=1) > 6
    assert_same_run(tmp_path / "run", unbroken_run)


def test_a_machine_that_is_taken_away_leaves_a_checkpoint(unbroken_run, tmp_path):
    """SIGTERM: the step is finished and saved, and the process ends by the signal."""
    out = tmp_path / "run"
    command = [*_command(out)[:-1], "10"]  # minutes, so that none is due
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            if "Epoch 2/3" in line:
                process.send_signal(signal.SIGTERM)
    assert process.returncode == -signal.SIGTERM
    assert newest_state(out / "checkpoints")["iterations"] >= STEPS
    _finish(out)
    assert_same_run(out, unbroken_run)


def test_a_full_disk_leaves_the_checkpoint_before_and_the_run_goes_on(unbroken_run, tmp_path):
    """There is room for one checkpoint and a half."""
    checkpoint = newest_state(unbroken_run / "checkpoints")["path"]
    size = sum(file.stat().st_size for file in checkpoint.iterdir())
    disk = tmp_path / "disk"
    if not small_disk(disk, str(10 * size)):
        pytest.skip("needs the right to mount a small disk")
    try:
        (disk / "other").write_bytes(bytes(shutil.disk_usage(disk).free - 3 * size // 2))
        sentence = refused("train", "scenes", "--out", disk / "run", *RUN)
        assert "cannot be written" in sentence
        assert newest_state(disk / "run" / "checkpoints")["iterations"] >= 1
        (disk / "other").unlink()
        _finish(disk / "run")
        assert_same_run(disk / "run", unbroken_run)
    finally:
        subprocess.run(["umount", disk], check=True)
