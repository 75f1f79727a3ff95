"""The logs of a run, without the training that fills them."""

import csv

import keras

from cyclegan_tf.runs.logs import RunLog


def _rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_finished_run_is_left_alone(tmp_path, monkeypatch):
    """No epoch is left, so that no file is opened; Keras 3.10 closes one without asking."""

    def of_keras_3_10(log, logs=None):
        log.csv_file.close()
        log.writer = None

    monkeypatch.setattr(keras.callbacks.CSVLogger, "on_train_end", of_keras_3_10)
    (tmp_path / "log.csv").write_text("epoch,d_a\n0,0.5\n")
    log = RunLog(tmp_path / "log.csv")
    log.on_train_begin()
    log.on_train_end()
    assert _rows(tmp_path / "log.csv") == [{"epoch": "0", "d_a": "0.5"}]
