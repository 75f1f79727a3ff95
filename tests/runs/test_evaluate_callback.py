"""Evaluations during training: what they write, and that training does not notice them."""

import csv
import json
import types

import keras
import numpy as np
import pytest
from two_replicas import two_replicas

import cyclegan_tf
from cyclegan_tf import Adam, Evaluate, HeldOut, InputError, Pix2Pix, data, extractor, load
from cyclegan_tf.keras_internals import seed_states
from cyclegan_tf.pixels import to_uint8
from cyclegan_tf.runs import evaluate_callback
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.train import train
from cyclegan_tf.systems.pix2pix import paper_networks
from cyclegan_tf.training.optimizers import averaged
from tests.tiny import SHAPE, tiny_model, traced_model

TINY = {
    "image_size": 32, "base_filters": 4, "blocks": 1, "strided_layers": 1, "epochs": 2,
    "steps_per_epoch": 2, "decay_epochs": 0, "precision": "float32",
}  # fmt: skip


def _colors():
    """An extractor whose features are the mean colors."""
    return extractor(lambda images: np.asarray(images).mean((1, 2)), name="colors")


def _images(count=8):
    drawn = np.random.default_rng(3).integers(0, 256, (2, count, *SHAPE), dtype=np.uint8)
    return HeldOut(dict(zip("ab", drawn)))


def _scenes():
    return data.scenes(image_size=SHAPE[0], count=4)


def _fit(model, *callbacks, epochs=2):
    return model.fit(
        _scenes(), epochs=epochs, steps_per_epoch=2, verbose=0, callbacks=list(callbacks)
    )


def test_scores_reach_the_logs_the_file_and_the_user(tmp_path):
    said = []
    images = _images()
    callback = Evaluate(images, tmp_path, every=2, extractor=_colors(), log=said.append)
    model = traced_model()
    history = _fit(model, callback, epochs=3).history
    # Epoch 2, and the last one.
    assert said[0] == "Evaluating on 8 held-back images; the first time takes longest."
    assert [line.partition(":")[0] for line in said[1:]] == ["Epoch 2", "Epoch 3"]
    written = json.loads((tmp_path / "evaluations.json").read_text())
    assert [each["epoch"] for each in written["epochs"]] == [2, 3]
    assert written["distance"] == "kernel_colors"
    last = written["epochs"][-1]["directions"]["ba"]["scores"]
    assert history["ba_edge_agreement"] == [
        written["epochs"][n]["directions"]["ba"]["scores"]["edge_agreement"] for n in (0, 1)
    ]
    # What `evaluate` finds in the model that `fit` left.
    again = cyclegan_tf.evaluate(model, images, extractor=_colors()).scores["ba"]
    assert last == {name: pytest.approx(again[name], rel=1e-6) for name in last}
    copied = written["baselines"]["ba"]["copy"]
    assert copied["edge_agreement"] == pytest.approx(1.0)
    assert written["verdict"]["name"] == "early"


def test_the_best_epoch_is_kept_and_translates_as_it_did(tmp_path):
    class Translations(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            made.append(self.model.translate(images.images["a"], "ab"))

    made, images = [], _images()
    callback = Evaluate(images, tmp_path, every=1, extractor=_colors(), log=lambda line: None)
    model = traced_model()
    _fit(model, callback, Translations(), epochs=3)
    best = callback.evaluations.best
    kept = load(tmp_path / "best.keras").translate(images.images["a"], "ab")
    np.testing.assert_array_equal(kept, made[best - 1])
    assert not np.array_equal(made[0], made[2])


def test_training_does_not_notice(tmp_path):
    """The same weights, whether or not networks with dropout at test were evaluated."""
    ends = []
    for callbacks in ([], [Evaluate(_images(), every=1, extractor=_colors(), log=str)]):
        networks = paper_networks(SHAPE, 3, base_filters=2, halvings=3, strided_layers=1, seed=1)
        model = Pix2Pix(**networks, image_shape=SHAPE)
        model.compile()
        states = [state.numpy().tolist() for state in seed_states(model)]
        pairs = data.scenes(image_size=SHAPE[0], count=4, paired=True)
        model.fit(pairs, epochs=2, steps_per_epoch=2, verbose=0, callbacks=callbacks)
        assert [state.numpy().tolist() for state in seed_states(model)] != states
        ends.append(model.get_weights())
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_averages_are_scored_and_saved_and_the_weights_train_on(tmp_path):
    """With a momentum near 1 averages are the weights of the first step, long afterwards."""

    class Translations(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            made.append(self.model.translate(images.images["a"], "ab"))

        def on_epoch_end(self, epoch, logs=None):
            after.append(self.model.translate(images.images["a"], "ab"))

    made, after, images = [], [], _images()
    model = tiny_model(compiled=False)
    model.compile(generator_optimizer=Adam(0.01, use_ema=True, ema_momentum=1 - 1e-7))
    evaluate = Evaluate(images, tmp_path, every=1, extractor=_colors(), log=lambda line: None)
    _fit(model, evaluate, Translations(), epochs=1)
    kept = load(tmp_path / "best.keras").translate(images.images["a"], "ab")
    np.testing.assert_allclose(kept.astype(float), made[0], atol=1)
    np.testing.assert_array_equal(after[0], made[-1])
    assert np.abs(made[-1].astype(float) - made[0]).max() > 2


def test_an_evaluation_that_is_interrupted_leaves_the_weights():
    model = tiny_model(compiled=False)
    model.compile(generator_optimizer=Adam(0.01, use_ema=True, ema_momentum=0.9))
    _fit(model, epochs=1)
    before = model.get_weights()
    with pytest.raises(KeyboardInterrupt), averaged(model):
        raise KeyboardInterrupt
    for ours, theirs in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_another_run_in_the_folder_begins_anew(tmp_path):
    def evaluate():
        return Evaluate(_images(), tmp_path, every=1, extractor=_colors(), log=lambda line: None)

    _fit(traced_model(), evaluate(), epochs=3)
    again = evaluate()
    _fit(traced_model(), again, epochs=1)
    assert [each.epoch for each in again.evaluations.epochs] == [1]
    assert again.evaluations.best == 1
    written = json.loads((tmp_path / "evaluations.json").read_text())
    assert [each["epoch"] for each in written["epochs"]] == [1]


def test_scores_of_other_images_do_not_stand_beside_each_other(tmp_path):
    model = traced_model()
    quiet = {"every": 1, "extractor": _colors(), "log": lambda line: None}
    _fit(model, Evaluate(_images(8), tmp_path, **quiet), epochs=1)
    other = Evaluate(_images(6), tmp_path, **quiet)
    model.fit(_scenes(), initial_epoch=1, epochs=2, steps_per_epoch=2, verbose=0, callbacks=[other])
    assert [each.epoch for each in other.evaluations.epochs] == [2]
    assert other.evaluations.protocol["images"]["a"]["count"] == 6


def test_an_evaluation_is_left_if_the_process_must_end(tmp_path):
    callback = Evaluate(
        _images(), tmp_path, every=1, extractor=_colors(), give_up=lambda: True, log=print
    )
    _fit(traced_model(), callback, epochs=1)
    assert callback.evaluations.epochs == []
    assert not (tmp_path / "evaluations.json").exists()


def test_an_evaluation_that_was_left_is_done_when_the_run_goes_on(tmp_path):
    model, quiet = traced_model(), {"every": 1, "extractor": _colors(), "log": lambda line: None}
    left = Evaluate(_images(), tmp_path, give_up=lambda: True, **quiet)
    _fit(model, left, epochs=1)
    expected = cyclegan_tf.evaluate(model, _images(), extractor=_colors()).scores["ba"]
    resumed = Evaluate(_images(), tmp_path, **quiet)
    rest = {"initial_epoch": 1, "epochs": 2, "steps_per_epoch": 2, "verbose": 0}
    model.fit(_scenes(), callbacks=[resumed], **rest)
    assert [each.epoch for each in resumed.evaluations.epochs] == [1, 2]
    found = resumed.evaluations.epochs[0].directions["ba"]["scores"]
    assert found == {name: pytest.approx(expected[name], rel=1e-6) for name in found}
    # What was done is not done again.
    again = Evaluate(_images(), tmp_path, **quiet)
    model.fit(_scenes(), callbacks=[again], **{**rest, "initial_epoch": 2, "epochs": 3})
    assert [each.epoch for each in again.evaluations.epochs] == [1, 2, 3]


def test_two_replicas(tmp_path):
    with two_replicas().scope():
        model = tiny_model(compiled=False)
        optimizer = Adam(use_ema=True, ema_momentum=0.5)
        model.compile(optimizer, keras.optimizers.Adam())
    callback = Evaluate(_images(), tmp_path, every=1, extractor=_colors(), log=lambda line: None)
    model.fit(
        data.scenes(image_size=SHAPE[0], count=4, batch_size=2),
        epochs=2,
        steps_per_epoch=1,
        verbose=0,
        callbacks=[callback],
    )
    assert len(callback.evaluations.epochs) == 2
    assert (tmp_path / "best.keras").exists()


def test_by_default_only_a_share_of_the_time_is_taken(monkeypatch):
    """By a clock of its own: a step takes a second, and an evaluation six."""
    now = [0.0]

    def pass_time(seconds):
        now[0] += seconds

    class Steps(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            pass_time(1)

    monkeypatch.setattr(
        evaluate_callback, "time", types.SimpleNamespace(perf_counter=lambda: now[0])
    )

    def features(images):
        pass_time(3)  # of the outputs of each of two directions
        return np.asarray(images).mean((1, 2))

    callback = Evaluate(
        _images(4), share=0.4, extractor=extractor(features, name="slow"), log=lambda line: None
    )
    _fit(traced_model(), Steps(), callback, epochs=60)
    done = callback.evaluations
    assert done.training_seconds == 120
    assert done.evaluation_seconds <= 0.4 * 120
    assert done.epochs[-1].epoch == 60
    assert 1 < len(done.epochs) < 10


def test_a_run_goes_on_without_images_that_can_be_scored(tmp_path):
    said = []
    callback = Evaluate(lambda: _raise(), every=1, log=said.append)
    _fit(traced_model(), callback)
    assert said == ["Epochs are not evaluated: There are none."]


def _raise():
    raise InputError("There are none.")


def test_train_evaluates_and_a_resumed_run_has_the_same_scores(tmp_path, monkeypatch):
    # Instead of the default one, which takes ten seconds.
    monkeypatch.setattr(evaluate_callback, "extractor_of", lambda name: _colors())
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(resolve("scenes", evaluate_every=1, **TINY), whole, verbose=0, log=lambda line: None)
    for epochs in (1, 2):
        options = resolve("scenes", evaluate_every=1, **{**TINY, "epochs": epochs})
        train(options, parts, verbose=0, log=lambda line: None)
    epochs = [_scores(out) for out in (whole, parts)]
    assert epochs[0] == epochs[1]
    logs = [(out / "log.csv").read_text() for out in (whole, parts)]
    assert logs[0] == logs[1]
    *_, last = csv.DictReader(logs[0].splitlines())
    assert 0 <= float(last["ba_per_pixel"]) <= 1
    assert (whole / "best.keras").exists()
    best = [load(out / "best.keras").get_weights() for out in (whole, parts)]
    for ours, theirs in zip(*best, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def _scores(out):
    content = json.loads((out / "evaluations.json").read_text())
    return [(each["epoch"], each["directions"]) for each in content["epochs"]], content["best"]


def test_a_run_that_asks_for_none_is_not_evaluated(tmp_path):
    one = resolve("scenes", evaluate_every=0, **{**TINY, "epochs": 1})
    train(one, tmp_path, verbose=0, log=lambda line: None)
    assert not (tmp_path / "evaluations.json").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"every": 0}, ValueError, r"every must be .* Received: 0"),
        ({"share": 3}, ValueError, r"share must be between 0 and 1\. Received: 3"),
        ({"extractor": "efficientnet-lite0"}, InputError, r"extractor must be one of .*: str"),
    ],
)
def test_bad_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        Evaluate(_images(), **arguments)


def test_a_discriminator_that_wins_is_named():
    """Its generators do not learn, and translations of dark images stay far from bright ones."""
    drawn = np.random.default_rng(1).uniform(-0.1, 0.1, (2, 8, *SHAPE)).astype(np.float32)
    dark, bright = drawn[0] - 0.8, drawn[1] + 0.8
    dark, bright = to_uint8(dark), to_uint8(bright)
    said = []
    model = tiny_model(compiled=False)
    model.compile(keras.optimizers.SGD(1e-9), keras.optimizers.Adam(0.01))
    callback = Evaluate(
        HeldOut({"a": dark, "b": bright}), every=4, extractor=_colors(), log=said.append
    )
    model.fit(data.arrays(dark, bright), epochs=12, verbose=0, callbacks=[callback])
    assert callback.evaluations.verdict["name"] == "discriminator_won", said
