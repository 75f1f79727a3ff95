"""What wandb and MLflow hold of a run, read back from the files that they write without a server.

Most tests call the callbacks of a run as `fit` does, without the training.
"""

import json
import pathlib
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from tiny import TINY

from cyclegan_tf import InputError
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.logs import RunLog
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.trackers import trackers
from cyclegan_tf.runs.train import train

_BLOCK = 2**15


@pytest.fixture(autouse=True)
def without_servers(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", str(tmp_path / "mlruns"))
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    for name in ("WANDB_PROJECT", "WANDB_NAME", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"):
        monkeypatch.delenv(name, raising=False)
    yield
    if wandb := sys.modules.get("wandb"):
        wandb.teardown()  # else it keeps what the environment was


def _wandb_records(path):
    """The records of a `.wandb` file: a log as that of LevelDB, of protocol buffers."""
    from wandb.proto.wandb_internal_pb2 import Record

    content, at, parts = path.read_bytes(), 7, b""
    while at + 7 <= len(content):
        if _BLOCK - at % _BLOCK < 7:
            at += _BLOCK - at % _BLOCK
            continue
        length = int.from_bytes(content[at + 4 : at + 6], "little")
        kind = content[at + 6]  # whole, first part, middle part, last part
        parts += content[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield Record.FromString(parts)
            parts = b""


def _wandb_run(folder):
    """`(name, project, configuration, values by epoch, files of samples)`, of all its parts."""
    sys.modules["wandb"].teardown()  # as a process does at its end: all is in the files then
    values, samples, configuration = {}, [], {}
    for path in sorted(folder.glob("wandb/offline-run-*/*.wandb")):
        for record in _wandb_records(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                run = record.run
                for item in run.config.update:
                    configuration[item.key] = json.loads(item.value_json)
            elif kind == "history":
                row = {
                    ".".join(item.nested_key) or item.key: json.loads(item.value_json)
                    for item in record.history.item
                }
                step = record.history.step.num
                assert step not in values
                if "samples.path" in row:
                    samples.append(path.parent / "files" / row["samples.path"])
                values[step] = {n: v for n, v in row.items() if n[0] != "_" and "." not in n}
    return run.display_name, run.project, configuration, values, samples


def _mlflow_run(folder):
    """The same of MLflow, and the status of the run."""
    from mlflow import MlflowClient

    client = MlflowClient(str(folder / "mlruns"))
    experiment = client.get_experiment_by_name("cyclegan-tf")
    (run,) = client.search_runs([experiment.experiment_id])
    values = {}
    for name in run.data.metrics:
        for metric in client.get_metric_history(run.info.run_id, name):
            assert name not in values.setdefault(metric.step, {})
            values[metric.step][name] = metric.value
    paths = [each.path for each in client.list_artifacts(run.info.run_id, "samples")]
    samples = [pathlib.Path(run.info.artifact_uri) / path for path in sorted(paths)]
    described = (run.info.run_name, experiment.name, run.data.params, values, samples)
    return *described, run.info.status


def _options(**changed):
    return resolve("scenes", **{**TINY, **changed})


def _fit(folder, epochs, first, last, name="mlflow"):
    """Calls the callbacks of a run for some epochs, from `first` to before `last`."""
    folder = RunFolder(folder)
    model = keras.Sequential()
    model.compile(keras.optimizers.SGD(0.25))
    callbacks = [RunLog(folder.log), *trackers([name], folder, _options(epochs=epochs))]
    for callback in callbacks:
        callback.set_model(model)
        callback.set_params({"epochs": epochs})
        callback.on_train_begin()
    for epoch in range(first, last):
        _epoch(callbacks, epoch)
    return callbacks


def _epoch(callbacks, epoch):
    for callback in callbacks:
        callback.on_epoch_begin(epoch)
    _draw(callbacks[1].folder, epoch + 1)
    logs = {"d_a": 0.5 + epoch}
    for callback in callbacks:
        callback.on_epoch_end(epoch, logs)


def _draw(folder, epoch, color="red"):
    folder.samples.mkdir(exist_ok=True)
    Image.new("RGB", (4, epoch), color).save(folder.samples / f"epoch_{epoch:04d}.png")


def _end(callbacks):
    for callback in callbacks:
        callback.on_train_end()


def _heights(samples):
    heights = []
    for path in samples:
        with Image.open(path) as image:
            heights.append(image.height)
    return heights


READERS = {"wandb": _wandb_run, "mlflow": _mlflow_run}
each_tracker = pytest.mark.parametrize("name", list(READERS))


@each_tracker
def test_each_epoch_has_its_values_and_samples(name, tmp_path):
    pytest.importorskip(name)
    run = tmp_path / "horses"
    run.mkdir()
    _end(_fit(run, 2, 0, 2, name))
    shown, project, configuration, values, samples = READERS[name](tmp_path)[:5]
    assert (shown, project) == ("horses", "cyclegan-tf")
    assert {each: str(configuration[each]) for each in ("system", "source", "epochs")} == {
        "system": "cyclegan",
        "source": "scenes",
        "epochs": "2",
    }
    assert values == {
        epoch: {"epoch": epoch, "d_a": epoch - 0.5, "learning_rate": 0.25} for epoch in (1, 2)
    }
    assert _heights(samples) == [1, 2]


@each_tracker
def test_a_resumed_run_goes_on_there_and_repeats_no_epoch(name, tmp_path):
    """It was killed after epoch 2, and its checkpoint is of epoch 1; then it gets more epochs."""
    pytest.importorskip(name)
    run = tmp_path / "horses"
    run.mkdir()
    killed = _fit(run, 3, 0, 2, name)
    killed[1].close()  # as the end of its process does
    first = json.loads((run / "trackers.json").read_text())[name]["run"]
    _end(_fit(run, 3, 1, 3, name))
    _end(_fit(run, 4, 3, 4, name))
    _end(_fit(run, 4, 4, 4, name))
    kept = json.loads((run / "trackers.json").read_text())
    assert kept == {name: {"run": first, "logged": 4}}
    values, samples = READERS[name](tmp_path)[3:5]
    assert {epoch: each["d_a"] for epoch, each in values.items()} == {
        1: 0.5,
        2: 1.5,
        3: 2.5,
        4: 3.5,
    }
    assert sorted(_heights(samples)) == [1, 2, 3, 4]


def test_epochs_before_a_tracker_was_asked_for_are_logged_too(tmp_path):
    pytest.importorskip("mlflow")
    (tmp_path / "log.csv").write_text("epoch,d_a,ab_iou\n0,3.0,NA\n1,2.0,0.25\n")
    _draw(RunFolder(tmp_path), 2)
    _end(_fit(tmp_path, 2, 2, 2))  # the run is finished
    *_, values, samples, status = _mlflow_run(tmp_path)
    assert values == {1: {"epoch": 1, "d_a": 3.0}, 2: {"epoch": 2, "d_a": 2.0, "ab_iou": 0.25}}
    assert _heights(samples) == [2]
    assert status == "FINISHED"


@each_tracker
def test_samples_that_are_drawn_again_at_the_end_replace_those_of_the_last_epoch(name, tmp_path):
    pytest.importorskip(name)
    callbacks = _fit(tmp_path, 1, 0, 1, name)
    _draw(RunFolder(tmp_path), 1, "blue")
    _end(callbacks)
    (path,) = READERS[name](tmp_path)[4]
    with Image.open(path) as image:
        assert image.getpixel((0, 0)) == (0, 0, 255)


def test_training_goes_on_without_a_connection_and_logs_later(tmp_path):
    """The folder of the store becomes a file, and is put back."""
    pytest.importorskip("mlflow")
    callbacks = _fit(tmp_path, 4, 0, 1)
    store = tmp_path / "mlruns"
    store.rename(tmp_path / "away")
    store.write_text("")
    with pytest.warns(UserWarning, match="mlflow does not take what is logged, and training goes"):
        _epoch(callbacks, 1)
    store.unlink()
    (tmp_path / "away").rename(store)
    _epoch(callbacks, 2)
    _end(callbacks)
    *_, values, _, status = _mlflow_run(tmp_path)
    assert [values[epoch]["d_a"] for epoch in (1, 2, 3)] == [0.5, 1.5, 2.5]
    assert status == "KILLED"


def test_what_a_tracker_refuses_is_said(tmp_path, monkeypatch):
    pytest.importorskip("mlflow")
    (tmp_path / "trackers.json").write_text('{"mlflow": {"run": "0123", "logged": 2}}')
    with pytest.raises(InputError, match=r"MLflow begins no run in .*0123.*MLFLOW_TRACKING_URI"):
        _fit(tmp_path, 3, 2, 3)
    (tmp_path / "trackers.json").write_text("[1")
    with pytest.raises(InputError, match=r"trackers\.json does not hold the runs of trackers"):
        _fit(tmp_path, 3, 2, 3)


def test_wandb_without_a_login_is_said(tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(InputError, match=r"wandb begins no run: .* WANDB_MODE=offline\."):
        _fit(tmp_path, 1, 0, 1, "wandb")
    assert wandb.run is None


def test_a_run_logs_where_it_is_asked_to_and_forgets_it_with_restart(tmp_path):
    pytest.importorskip("wandb")
    pytest.importorskip("mlflow")
    out = tmp_path / "run"
    options = _options(system="pix2pix", generator="resnet", epochs=1, steps_per_epoch=1)
    train(options, out, verbose=0, log_to=["wandb", "mlflow"], log=str)
    shown, *_, wandb_values, wandb_samples = _wandb_run(tmp_path)
    *_, mlflow_values, mlflow_samples, status = _mlflow_run(tmp_path)
    assert (shown, status) == ("run", "FINISHED")
    assert {"d", "g", "l1", "learning_rate"} <= set(wandb_values[1])
    for epoch, values in wandb_values.items():
        assert values.keys() == mlflow_values[epoch].keys()
        np.testing.assert_allclose(
            list(values.values()), [mlflow_values[epoch][each] for each in values]
        )
    grid = (out / "samples" / "epoch_0001.png").read_bytes()
    assert [path.read_bytes() for path in (*wandb_samples, *mlflow_samples)] == [grid, grid]
    RunFolder(out).remove()
    assert not (out / "trackers.json").exists()


@each_tracker
def test_a_missing_package_is_named_with_its_extra(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(
        ImportError, match=rf"--log {name} needs {name}: pip install 'cyclegan-tf\[{name}\]'"
    ):
        train(_options(), tmp_path / "run", log_to=[name], log=str)
    assert not (tmp_path / "run").exists()


def test_another_tracker_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"log must be one of wandb, mlflow\. Received: 'neptune'"):
        train(_options(), tmp_path / "run", log_to=["neptune"], log=str)
