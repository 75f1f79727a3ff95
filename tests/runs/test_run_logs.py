"""The logs of a run, without the training that fills them."""

import csv

import keras

from cyclegan_tf.runs.logs import RunLog


def _log(path):
    log = RunLog(path)
    log.set_model(keras.Sequential())
    log.model.compile(keras.optimizers.SGD(0.25))
    log.on_train_begin()
    return log


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_finished_run_is_left_alone(tmp_path):
    """No epoch is left."""
    (tmp_path / "log.csv").write_text("epoch,d_a\n0,0.5\n")
    log = _log(tmp_path / "log.csv")
    log.on_train_end()
    assert _rows(tmp_path / "log.csv") == [{"epoch": "0", "d_a": "0.5"}]


def test_rows_of_repeated_epochs_are_replaced_and_missing_values_are_na(tmp_path):
    (tmp_path / "log.csv").write_text("epoch,d_a,learning_rate\n0,0.5,0.25\n1,0.4,0.25\n2,0.")
    log = _log(tmp_path / "log.csv")
    for epoch, losses in ((1, {"d_a": 0.75}), (2, {"d_a": 1.5, "d_b": 2.0})):
        log.on_epoch_begin(epoch)
        log.on_epoch_end(epoch, losses)
    assert (tmp_path / "log.csv").read_text() == (
        "epoch,d_a,learning_rate,d_b\n0,0.5,0.25,NA\n1,0.75,0.25,NA\n2,1.5,0.25,2.0\n"
    )


def test_the_file_is_whole_after_each_epoch(tmp_path):
    log = _log(tmp_path / "log.csv")
    for epoch in range(3):
        log.on_epoch_begin(epoch)
        log.on_epoch_end(epoch, {"d_a": 1.0})
        assert len(_rows(tmp_path / "log.csv")) == epoch + 1
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]
