"""What trained a run, and for how long."""

import json

import keras
import numpy as np
import pytest

from cyclegan_tf import processor
from cyclegan_tf.runs.machine import MachineLog, read_machine

XEON = """processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Processor @ 2.70GHz
flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16

processor\t: 1
model name\t: another
"""


@pytest.fixture(scope="module")
def model():
    """That learns a number by three steps in an epoch."""
    inputs = keras.Input((1,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.compile("sgd", "mse", run_eagerly=True)
    model.steps_per_execution = 1
    return model


def _fit(model, path, **epochs):
    x = np.zeros((3, 1), "float32")
    model.fit(x, x, batch_size=1, verbose=0, callbacks=[MachineLog(path)], **epochs)
    return json.loads(path.read_text())


def test_steps_and_seconds_are_added_up(model, tmp_path):
    path = tmp_path / "machine.json"
    once = _fit(model, path, epochs=2)
    assert [(entry["epoch"], entry["steps"]) for entry in once["epochs"]] == [(1, 3), (2, 3)]
    assert all(entry["seconds"] > 0 for entry in once["epochs"])
    assert (once["steps"], once["devices"], once["replicas"]) == (6, ["CPU"], 1)
    assert once["precision"] == "float32"
    again = _fit(model, path, initial_epoch=1, epochs=3)  # resumed from before epoch 2
    assert [entry["steps"] for entry in again["epochs"]] == [3, 3, 3]
    assert again["epochs"][0] == once["epochs"][0]
    assert again["epochs"][1]["seconds"] > once["epochs"][1]["seconds"]
    total = sum(entry["seconds"] for entry in again["epochs"])
    assert again["seconds"] == pytest.approx(total, abs=1e-3)
    later = _fit(model, path, epochs=1)
    assert [entry["steps"] for entry in later["epochs"]] == [3, 0, 0]  # undone again
    assert later["seconds"] > again["seconds"]


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"epochs": [1]}', '{"epochs": [{"epoch": 1}]}']
)
def test_another_file_is_replaced(model, tmp_path, content):
    path = tmp_path / "machine.json"
    path.write_text(content)
    assert read_machine(path) is None
    assert _fit(model, path, epochs=1)["steps"] == 3


def test_a_processor_has_a_name_and_its_arithmetic(tmp_path):
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(XEON)
    assert processor.name(cpuinfo) == "Intel(R) Xeon(R) Processor @ 2.70GHz"
    assert processor.bfloat16_flags(cpuinfo) == ["amx_bf16", "avx512_bf16"]
    assert processor.name(tmp_path / "missing")
    assert processor.bfloat16_flags(tmp_path / "missing") == []
    assert processor.core_count() >= 1
