"""The command `train`, its folder, the page, and the commands that use what it wrote."""

import csv
import functools
import json
import pathlib
import re
import shutil
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tiny import TINY, smooth

from cyclegan_tf import (
    CycleGAN,
    InputError,
    SaveModel,
    TrainingDiverged,
    files,
    patchgan,
    pixelgan,
    precision,
    unet_generator,
)
from cyclegan_tf.data import image_files
from cyclegan_tf.exporting.export import export, export_saved_model
from cyclegan_tf.networks.kernels import UPSAMPLING_FORMS
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import options_of, resolve
from cyclegan_tf.runs.sources import source_of
from cyclegan_tf.runs.train import compiled_model, train
from cyclegan_tf.runs.trial import seconds_by_precision
from cyclegan_tf.translation.image_folders import translate


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "tiny"
    train(resolve("scenes", **TINY), out, verbose=0)
    return out


def test_the_folder_holds_what_is_promised_and_nothing_half_written(run):
    names = {path.name for path in run.iterdir() if path.name != ".lock"}
    assert names == {
        "options.json",
        "model.keras",
        "samples",
        "log.csv",
        "logs",
        "machine.json",
        "losses.png",
        "index.html",
        "checkpoints",
    }
    sheets = sorted(path.name for path in (run / "samples").iterdir())
    assert sheets == ["epoch_0001.png", "epoch_0002.png"]


def test_options_are_written_as_resolved(run):
    assert options_of(run) == resolve("scenes", **TINY)
    options = json.loads((run / "options.json").read_text())
    assert (options["version"], options["system"]) == (2, "cyclegan")
    assert options["data"]["crop_size"] == 24
    assert options["training"]["decay_epochs"] == 1
    assert options["model"]["lambda_identity"] == 0.0


def test_logs_are_read_by_other_programs(run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with open(run / "log.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    assert all(value not in ("", "NA") for row in rows for value in row.values())
    events = EventAccumulator(str(run / "logs" / "train"), size_guidance={"tensors": 0}).Reload()
    logged = [tf.make_ndarray(e.tensor_proto) for e in events.Tensors("epoch_cycle_a")]
    np.testing.assert_allclose(logged, [float(row["cycle_a"]) for row in rows], rtol=1e-5)
    shown = [tf.make_ndarray(e.tensor_proto) for e in events.Tensors("samples")]
    for epoch, (_, _, png) in enumerate(shown, 1):  # width, height, PNG
        with Image.open(run / "samples" / f"epoch_{epoch:04d}.png") as sheet:
            np.testing.assert_array_equal(tf.io.decode_png(png), np.asarray(sheet))
    assert len(shown) == 2


def test_the_page_links_to_what_is_there(run):
    page = (run / "index.html").read_text()
    sources = re.findall(r'src="([^"]+)"', page)
    links = [link for link in re.findall(r'href="([^"]+)"', page) if "/" not in link]
    assert {"losses.png", "samples/epoch_0002.png"} == set(sources)
    assert {"model.keras", "log.csv", "losses.png", "options.json", "machine.json"} == set(links)
    assert all((run / link).exists() for link in links)
    for source in sources:
        with Image.open(run / source) as image:
            image.load()


def test_sheets_have_six_columns_and_four_rows(run):
    with Image.open(run / "samples" / "epoch_0002.png") as sheet:
        assert sheet.size == (6 * 134 + 6, 18 + 4 * 134)


def test_a_diverged_epoch_does_not_replace_the_model(tmp_path):
    callback = SaveModel(tmp_path / "model.keras")
    with pytest.raises(TrainingDiverged, match="cycle_a is not finite in epoch 1") as refused:
        callback.on_epoch_end(0, {"cycle_a": float("nan"), "d_a": 0.1})
    assert "keeps" not in str(refused.value)
    (tmp_path / "model.keras").write_text("of epoch 2")
    with pytest.raises(TrainingDiverged, match=r"model\.keras keeps the epoch before"):
        callback.on_epoch_end(2, {"cycle_a": float("nan"), "d_a": 0.1})
    assert (tmp_path / "model.keras").read_text() == "of epoch 2"


def test_the_model_goes_on_from_where_it_was_saved(run):
    model = keras.saving.load_model(run / "model.keras")
    assert int(model.generator_optimizer.iterations) == 6
    assert model.image_shape == (24, 24, 3)


def test_what_translates_and_exports_has_no_optimizers(run):
    model = load(run)
    assert not model.compiled
    assert getattr(model, "optimizer", None) is None
    assert model.discriminator_optimizer is None
    trained = keras.saving.load_model(run / "model.keras")
    for ours, theirs in zip(model.get_weights(), trained.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_of_other_options_is_refused(run):
    for name, flag in (("lambda_a", "--lambda-a"), ("steps_per_epoch", "--steps-per-epoch")):
        with pytest.raises(InputError, match=f"{flag} was .* in this run, now 5; use a new folder"):
            train(resolve("scenes", **{**TINY, name: 5}), run, verbose=0)
    with pytest.raises(InputError, match=r"--steps-per-epoch was .*; --lambda-a was"):
        train(resolve("scenes", **{**TINY, "lambda_a": 5, "steps_per_epoch": 5}), run, verbose=0)


def test_a_run_without_checkpoints_is_never_removed_unasked(run, tmp_path):
    out = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(out / "checkpoints")
    with pytest.raises(InputError, match="a run without checkpoints, which cannot resume"):
        train(resolve("scenes", **TINY), out, verbose=0)
    assert (out / "model.keras").exists()


def test_two_processes_do_not_train_in_one_folder(tmp_path):
    with (
        files.locked(tmp_path / "run", "unused"),
        pytest.raises(InputError, match="Another process is training in"),
    ):
        train(resolve("scenes", **TINY), tmp_path / "run", verbose=0)


def test_a_second_training_in_one_folder_says_nothing_of_the_run(run, tmp_path):
    out = shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(out / "checkpoints")
    (out / "model.keras").unlink()
    said = []
    with files.locked(out, "unused"), pytest.raises(InputError, match="Another process"):
        train(resolve("scenes", **TINY), out, verbose=0, log=said.append)
    assert not said


def test_a_checkpoint_that_another_process_wrote_at_its_end_is_resumed(run, tmp_path, monkeypatch):
    """The other process ends between the start of this one and its lock."""
    locked = files.locked

    def after_the_other(folder, message):
        shutil.copytree(run, folder)
        return locked(folder, message)

    monkeypatch.setattr(files, "locked", after_the_other)
    said = []
    train(resolve("scenes", **TINY), tmp_path / "run", verbose=0, log=said.append)
    assert "is finished" in said[-1]
    for state in (run / "checkpoints").glob("*/state.json"):
        assert (tmp_path / "run" / state.relative_to(run)).read_bytes() == state.read_bytes()


def test_restart_removes_only_what_a_training_writes(run, tmp_path):
    """Of a run of other options, which stands in no restart's way."""
    out = shutil.copytree(run, tmp_path / "run")
    others = [out / name for name in ("export/saved.pb", "web/index.html", "scores.json")]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_text("mine")
    (out / "samples" / "epoch_0009.png").touch()
    (out / "epochs").mkdir()
    (out / "epochs" / "epoch_0009.keras").touch()
    one = resolve("scenes", **{**TINY, "epochs": 1, "lambda_a": 5.0, "keep_every": 1})
    train(one, out, restart=True, verbose=0)
    assert options_of(out) == one
    assert [path.read_text() for path in others] == ["mine"] * 3
    assert [path.name for path in (out / "samples").iterdir()] == ["epoch_0001.png"]
    assert [path.name for path in (out / "epochs").iterdir()] == ["epoch_0001.keras"]


def test_every_other_epoch_is_kept_to_translate_with(run, tmp_path):
    """Smaller than the model, with the weights that it had then."""
    out = shutil.copytree(run, tmp_path / "run")
    options = json.loads((out / "options.json").read_text())
    del options["training"]["keep_every"]  # as versions before wrote it
    (out / "options.json").write_text(json.dumps(options))
    four = resolve("scenes", **{**TINY, "epochs": 4, "keep_every": 2, "ema_momentum": 0.997})
    train(four, out, verbose=0)
    assert [path.name for path in (out / "epochs").iterdir()] == ["epoch_0004.keras"]
    file = out / "epochs" / "epoch_0004.keras"
    assert file.stat().st_size < 0.5 * (out / "model.keras").stat().st_size
    kept = load(file)
    assert not kept.compiled
    assert kept.pool_a.size == 0
    (state,) = (out / "checkpoints").glob("epoch_00004_*")
    then = keras.saving.load_model(state / "model.keras")
    for direction in ("ab", "ba"):
        np.testing.assert_array_equal(
            kept.translate(smooth(), direction), then.translate(smooth(), direction)
        )


def _write_images(root, size=40):
    for part in ("trainA", "trainB"):
        (root / part).mkdir(parents=True)
        Image.fromarray(smooth(size, size)).save(root / part / "x.png")


def test_a_source_is_a_folder_whatever_its_spelling(tmp_path, monkeypatch):
    """With a slash at the end, in full, around a corner; the run of an older version, too."""
    _write_images(tmp_path / "data" / "small")
    monkeypatch.chdir(tmp_path)
    one = {**TINY, "epochs": 1, "steps_per_epoch": 1}
    train(resolve("data/small", **one), "run", verbose=0)
    path = tmp_path / "run" / "options.json"
    written = json.loads(path.read_text())
    assert written["data"]["source"] == str(tmp_path / "data" / "small")
    assert "<h1>run: cyclegan on small</h1>" in (tmp_path / "run" / "index.html").read_text()
    written["data"]["source"] = "data/small"
    path.write_text(json.dumps(written))
    said = []
    train(resolve("data/small/", **one), "run", verbose=0, log=said.append)
    assert "is finished" in said[-1]
    for spelling in (tmp_path / "data" / "small", "./data/../data/small"):
        assert resolve(spelling, **one) == resolve("data/small/", **one)
    with pytest.raises(InputError, match=r"the source was .*small in this run, now .*other;"):
        train(resolve("data/other", **one), "run", verbose=0)


def test_a_run_finds_its_images_from_another_folder(tmp_path, monkeypatch):
    _write_images(tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").mkdir()
    options = resolve("data/trainA", domain_b="data/trainB/", **TINY)
    (tmp_path / "run" / "options.json").write_text(options.as_json())  # as a training does
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for domain in (0, 1):
        source = source_of(options_of(tmp_path / "run"), domain)
        np.testing.assert_array_equal(source.load(0, source.sizes[0]), smooth(40, 40))


@pytest.mark.parametrize("source", ["scenes", "earth", "tfds:cycle_gan/horse2zebra"])
def test_a_second_domain_goes_with_folders_only(source):
    with pytest.raises(InputError, match=r"has both domains. Received: domain_b='odd'"):
        resolve(source, domain_b="odd")


def test_a_source_that_does_not_exist_is_named_with_what_is_possible(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"scene does not exist; .* folder of .*scenes, earth, or tfds:"
    ):
        train(resolve("scene", **TINY), "run", verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("whole", [True, False])
def test_damaged_checkpoints_leave_the_model(whole, run, tmp_path):
    out = shutil.copytree(run, tmp_path / "run")
    for state in (out / "checkpoints").glob("*/state.json"):
        state.write_text("{}")
    if not whole:
        model = bytearray((out / "model.keras").read_bytes())
        model[len(model) // 2] ^= 1
        (out / "model.keras").write_bytes(model)
    with (
        pytest.warns(UserWarning, match="is damaged"),
        pytest.raises(InputError, match=r"All checkpoints .* are damaged") as refused,
    ):
        train(resolve("scenes", **TINY), out, verbose=0)
    assert ("model.keras is intact" in str(refused.value)) == whole


@pytest.mark.parametrize("name", ["logs/mine.txt", "model.keras"])
def test_files_that_are_not_of_a_run_are_never_removed(name, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    for restart in (False, True):
        with pytest.raises(InputError, match="and no run"):
            train(resolve("scenes", **TINY), tmp_path, restart=restart, verbose=0)
    assert path.read_text() == "mine"


def test_a_folder_is_never_replaced_by_a_file(tmp_path):
    (tmp_path / "x.tflite").mkdir()
    (tmp_path / "x.tflite" / "mine").touch()
    with pytest.raises(InputError, match="is a folder"):
        files.write_text(tmp_path / "x.tflite", "text")
    assert (tmp_path / "x.tflite" / "mine").exists()


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_and_the_dtype_policy_of_the_caller_stays(precision, tmp_path):
    options = resolve("scenes", **{**TINY, "epochs": 1, "precision": precision})
    model = train(options, tmp_path / "run", verbose=0)
    assert model.generator_ab.compute_dtype == precision
    assert np.isfinite(model.generator_ab.get_weights()[0]).all()
    assert keras.config.dtype_policy().name == "float32"


def test_presets_and_sizes():
    paper = resolve("x", precision="float32")
    assert (paper.data.load_size, paper.data.crop_size) == (286, 256)
    assert (paper.training.epochs, paper.training.decay_epochs) == (200, 100)
    assert resolve("x", image_size=128).data.load_size == 143
    assert resolve("x", preset="labels").model["lambda_identity"] == 0
    assert resolve("x", preset="demo", lambda_identity=0.5).model["lambda_identity"] == 0.5
    assert resolve("x", preprocess="crop", crop_size=64).data.crop_size == 64


def test_default_options_are_those_of_the_model_and_the_paper():
    model = compiled_model(resolve("x", base_filters=2, precision="float32"), (256, 256, 3))
    config = model.get_config()
    assert (config["lambda_a"], config["lambda_identity"], config["pool_size"]) == (10, 0.5, 50)
    residual = [layer for layer in model.generator_ab.layers if isinstance(layer, keras.layers.Add)]
    assert len(residual) == 9
    np.testing.assert_allclose(model.generator_optimizer.learning_rate, 2e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"preset": "fast"}, "'fast'"),
        ({"preset": "cyclegan"}, "cyclegan is a preset of pix2pix, not of cyclegan, which has"),
        ({"epochs": 0}, "epochs must be at least 1"),
        ({"decay_epochs": 300}, "between 0 and the 200"),
        ({"lambda_a": -1.0}, "lambda_a must be at least 0"),
        ({"lambda_a": float("nan")}, "lambda_a must be a finite number. Received: nan"),
        ({"checkpoint_minutes": float("nan")}, "checkpoint_minutes must be a finite"),
        ({"keep_every": -1}, "keep_every must be at least 0"),
        ({"learning_rate": 0.0}, "learning_rate must be more than 0"),
        ({"learning_rate": float("inf")}, "learning_rate must be a finite number"),
        ({"image_size": 64, "crop_size": 64}, "not both"),
        ({"precision": "float8"}, "'float8'"),
        ({"channels": 1}, "The images of scenes are made in RGB"),
        ({"image_size": 0}, "at least 1"),
        ({"system": "unet"}, "'unet'"),
        ({"kl_weight": 1.0}, "--kl-weight is no option of cyclegan"),
        ({"ema_momentum": 1.0}, "ema_momentum must be less than 1"),
    ],
)
def test_options_that_cannot_work_are_named(options, message):
    with pytest.raises(InputError, match=message):
        resolve("scenes", **options)


def test_each_folder_is_looked_through_once(tmp_path):
    """Without a test split the sample grids show images of the training folders."""
    for part in ("trainA", "trainB"):
        (tmp_path / part).mkdir()
        Image.fromarray(smooth(40, 40)).save(tmp_path / part / "x.png")
    (tmp_path / "trainA" / "bad.png").write_text("no image")
    tiny = {**TINY, "epochs": 1, "steps_per_epoch": 1}
    with pytest.warns(UserWarning, match="1 of 2 images cannot be read") as warned:
        train(resolve(tmp_path, **tiny), tmp_path / "run", verbose=0)
    assert sum("cannot be read" in str(warning.message) for warning in warned) == 1


def test_a_size_that_the_network_does_not_keep_is_refused(tmp_path):
    for part in ("trainA", "trainB"):
        (tmp_path / part).mkdir()
        Image.fromarray(smooth(40, 40)).save(tmp_path / part / "x.png")
    options = resolve(tmp_path, image_size=30, base_filters=2, blocks=1, precision="float32")
    with pytest.raises(InputError, match="multiples of 4"):
        train(options, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_images_of_different_sizes_train_without_a_pool(tmp_path):
    for part, size in (("trainA", (40, 48)), ("trainB", (32, 60))):
        (tmp_path / part).mkdir()
        Image.fromarray(smooth(*size)).save(tmp_path / part / "x.png")
    options = resolve(
        tmp_path,
        preprocess="none",
        pool_size=0,
        base_filters=2,
        blocks=1,
        strided_layers=2,
        epochs=1,
        precision="float32",
    )
    model = train(options, tmp_path / "run", verbose=0)
    assert model.image_shape == (None, None, 3)
    assert load(tmp_path / "run").translate(smooth(33, 21)).shape == (33, 21, 3)


def _cpuinfo(tmp_path, flags):
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")
    return tmp_path / "cpuinfo"


@pytest.mark.parametrize(
    ("flags", "seconds", "expected", "why"),
    [
        ("fma avx512_bf16", (2.1, 1.0), "bfloat16", "2.1 times as fast as float32 on this"),
        (
            "fma avx512_bf16",
            (1.04, 1.0),
            "float32",
            "bfloat16 gains less than 5 %",
        ),
        ("fma amx_bf16", (1.0, 3.0), "float32", "bfloat16 takes 3.0 times as long on this"),
        ("fma avx2", (9.0, 1.0), "float32", "no bfloat16 arithmetic"),
    ],
)
def test_precision_follows_what_was_measured(tmp_path, flags, seconds, expected, why):
    def measure():
        return dict(zip(("float32", "bfloat16"), seconds))

    chosen, reason = precision.choose("auto", measure, _cpuinfo(tmp_path, flags))
    assert chosen == expected
    assert why in reason
    assert precision.choose("bfloat16", None, tmp_path / "missing")[0] == "bfloat16"
    assert precision.choose("auto", measure, tmp_path / "missing")[0] == "float32"


def test_a_kernel_that_is_slow_in_bfloat16_is_noticed(tmp_path, monkeypatch):
    def slow_in_bfloat16(inputs, kernel):
        if inputs.dtype == tf.bfloat16:
            with tf.control_dependencies([tf.py_function(lambda: time.sleep(0.2), [], [])]):
                inputs = tf.identity(inputs)
        return UPSAMPLING_FORMS["portable"](inputs, kernel)

    monkeypatch.setitem(UPSAMPLING_FORMS, "slow", slow_in_bfloat16)
    monkeypatch.setattr("cyclegan_tf.networks.kernels.upsampling_form", lambda dtype: "slow")
    measure = functools.partial(seconds_by_precision.__wrapped__, 4, 32)
    seconds = measure()
    assert seconds["bfloat16"] > 0.2
    chosen, reason = precision.choose("auto", measure, _cpuinfo(tmp_path, "avx512_bf16"))
    assert chosen == "float32"
    assert "times as long on this processor" in reason


def test_memory_for_time_and_accumulated_gradients(tmp_path):
    saving = {**TINY, "remat": True, "gradient_accumulation_steps": 3}
    model = train(resolve("scenes", **saving), tmp_path / "run", verbose=0)
    assert model.remat
    assert int(model.optimizer.iterations) == 2
    with open(tmp_path / "run" / "log.csv", newline="") as file:
        rates = [float(row["learning_rate"]) for row in csv.DictReader(file)]
    np.testing.assert_allclose(rates, [2e-3, 1e-3])  # one epoch constant, one falling
    with pytest.raises(InputError, match="gradient_accumulation_steps must be at least 1"):
        resolve("scenes", **TINY, gradient_accumulation_steps=0)


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([(9, 0), (8, 0)], "bfloat16"),
        ([(8, 6), (7, 5)], "float16"),
        ([(6, 1)], "float32"),
        ([(0, 0)], "float32"),  # not NVIDIA's
    ],
)
def test_precision_follows_the_weakest_gpu(capabilities, expected):
    assert precision._for_gpus(capabilities)[0] == expected


def test_load_says_what_it_cannot_read(tmp_path, run):
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "missing.keras")
    (tmp_path / "begun" / "checkpoints").mkdir(parents=True)
    with pytest.raises(InputError, match="first epoch is not finished"):
        load(tmp_path / "begun")
    (tmp_path / "text.keras").write_text("no model")
    with pytest.raises(InputError, match="not a model that can be read"):
        load(tmp_path / "text.keras")
    whole = (run / "model.keras").read_bytes()
    (tmp_path / "cut.keras").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="can be read"):
        load(tmp_path / "cut.keras")
    flat = [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(10)]
    for other in (
        keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)]),
        keras.Sequential(flat),
        patchgan((64, 64, 3), base_filters=2),
        patchgan(base_filters=2),
    ):
        other.save(tmp_path / "other.keras")
        with pytest.raises(InputError, match="that does not map images to images"):
            load(tmp_path / "other.keras")


def test_translate_keeps_names_sizes_and_formats(run, tmp_path):
    source = tmp_path / "in"
    (source / "nested").mkdir(parents=True)
    for name, size in (("a.jpg", (30, 41)), ("nested/b.png", (8, 50)), ("c.webp", (24, 24))):
        Image.fromarray(smooth(*size)).save(source / name)
    (source / "bad.jpg").write_text("no image")
    count, outcomes = translate(load(run), source, tmp_path / "out", "ba")
    outcomes = list(outcomes)
    assert count == len(outcomes) == 4
    problems = [o.problem for o in outcomes if o.problem]
    assert len(problems) == 1
    assert "bad.jpg is not an image" in problems[0]
    for name, size in (("a.jpg", (41, 30)), ("nested/b.png", (50, 8)), ("c.webp", (24, 24))):
        with Image.open(tmp_path / "out" / name) as image, Image.open(source / name) as original:
            assert image.size == size
            assert image.format == original.format
    assert {p.name for p in (tmp_path / "out").rglob("*") if p.is_file()} == {
        "a.jpg",
        "b.png",
        "c.webp",
    }


def test_translate_writes_what_the_model_gives(run, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "x.png")
    model = load(run)
    _, outcomes = translate(model, tmp_path / "x.png", tmp_path / "y.png")
    assert [o.problem for o in outcomes] == [None]
    np.testing.assert_array_equal(image_files.read(tmp_path / "y.png"), model.translate(smooth()))


def test_translate_guards_originals_and_memory(run, tmp_path):
    Image.fromarray(smooth()).save(tmp_path / "x.png")
    model = load(run)
    with pytest.raises(InputError, match="overwrite the originals"):
        translate(model, tmp_path / "x.png", tmp_path)
    with pytest.raises(InputError, match="missing does not exist"):
        translate(model, tmp_path / "missing", tmp_path / "out")
    with pytest.raises(InputError, match="is a file"):
        translate(model, tmp_path, tmp_path / "x.png")
    _, outcomes = translate(model, tmp_path / "x.png", tmp_path / "out", max_megapixels=1e-6)
    assert "megapixels that are allowed" in next(outcomes).problem
    assert not (tmp_path / "out").exists()


def _tflite(path):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(str(path))


@pytest.fixture(scope="module")
def exports(run, tmp_path_factory):
    return export(load(run), tmp_path_factory.mktemp("exports"), image_size=(24, 36), report=False)


@pytest.mark.parametrize("direction", ["ab", "ba"])
def test_exports_agree_with_keras(run, exports, direction):
    model = load(run)
    image = np.random.default_rng(0).uniform(-1, 1, (1, 24, 36, 3)).astype("float32")
    expected = model.translate(image, direction)

    serve = tf.saved_model.load(str(exports["saved_model", direction]))
    served = serve.signatures["serving_default"](image=tf.constant(image))["translated"]
    np.testing.assert_allclose(served, expected, atol=1e-5)

    runner = _tflite(exports["tflite", direction]).get_signature_runner()
    (output,) = runner(image=image).values()
    np.testing.assert_allclose(output, expected, atol=1e-4)


def test_saved_model_takes_any_size_and_batch(run, exports):
    serve = tf.saved_model.load(str(exports["saved_model", "ab"])).signatures["serving_default"]
    image = np.random.default_rng(0).uniform(-1, 1, (2, 37, 18, 3)).astype("float32")
    np.testing.assert_allclose(
        serve(image=tf.constant(image))["translated"], load(run).translate(image), atol=1e-5
    )


def test_a_network_of_fixed_size_is_exported_at_that_size(tmp_path):
    shape = (16, 16, 4)
    networks = [unet_generator(shape, base_filters=2, halvings=2, seed=n) for n in (1, 2)]
    model = CycleGAN(*networks, pixelgan(shape), pixelgan(shape), image_shape=shape, pool_size=0)
    paths = export(model, tmp_path, directions=["ab"], report=False)
    image = np.random.default_rng(0).uniform(-1, 1, (1, *shape)).astype("float32")
    serve = tf.saved_model.load(str(paths["saved_model", "ab"])).signatures["serving_default"]
    (output,) = _tflite(paths["tflite", "ab"]).get_signature_runner()(image=image).values()
    for given in (serve(image=tf.constant(image))["translated"], output):
        np.testing.assert_allclose(given, model.translate(image), atol=1e-5)
    with pytest.raises(InputError, match="only images of 16 x 16"):
        export(model, tmp_path, image_size=(32, 32))

    # Four channels, to a format that has no alpha.
    Image.fromarray(np.full(shape, 200, np.uint8)).save(tmp_path / "x.png")
    _, outcomes = translate(model, tmp_path / "x.png", tmp_path / "y.jpg")
    assert [outcome.problem for outcome in outcomes] == [None]


def test_tflite_has_builtin_operators_alone(exports):
    details = _tflite(exports["tflite", "ab"])._get_ops_details()
    names = {detail["op_name"] for detail in details}
    assert "CONV_2D" in names
    assert not [name for name in names if name.startswith(("Flex", "Custom", "CUSTOM"))]


def test_a_second_export_makes_version_2_and_none_is_half_written(run, tmp_path):
    model = load(run)
    assert export_saved_model(model, tmp_path).name == "1"
    assert export_saved_model(model, tmp_path).name == "2"
    assert sorted(p.name for p in (tmp_path / "generator_ab").iterdir()) == ["1", "2"]


def test_a_model_trained_in_bfloat16_is_exported_in_float32(tmp_path):
    keras.config.set_dtype_policy("mixed_bfloat16")
    model = compiled_model(resolve("scenes", **TINY), (24, 24, 3))
    paths = export(model, tmp_path, directions=["ab"], report=False)
    keras.config.set_dtype_policy("float32")
    twin = compiled_model(resolve("scenes", **TINY), (24, 24, 3))
    twin.generator_ab.set_weights(model.generator_ab.get_weights())
    image = np.random.default_rng(0).uniform(-1, 1, (1, 24, 24, 3)).astype("float32")
    (output,) = _tflite(paths["tflite", "ab"]).get_signature_runner()(image=image).values()
    np.testing.assert_allclose(output, twin.translate(image), atol=1e-5)


def test_a_saved_model_in_bfloat16_is_close_and_takes_batches(run, tmp_path):
    model = load(run)
    path = export_saved_model(model, tmp_path / "g", precision="bfloat16")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    image = np.random.default_rng(0).uniform(-1, 1, (3, 24, 20, 3)).astype("float32")
    expected = model.translate(image)
    for batch in (image, image[:1]):  # a single image takes another path
        given = serve(image=tf.constant(batch))["translated"]
        assert given.dtype == tf.float32
        difference = np.abs(given - expected[: len(batch)])
        assert 0 < difference.max() < 0.02 * np.ptp(expected)


def test_export_says_what_it_cannot_do(run, tmp_path):
    with pytest.raises(InputError, match="'int4'"):
        export(load(run), tmp_path, precision="int4")
    with pytest.raises(InputError, match="multiples of 4"):
        export(load(run), tmp_path, image_size=(30, 30))
    for size in ((0, 0), (-4, 8)):
        with pytest.raises(InputError, match="at least 8 pixels"):
            export(load(run), tmp_path, image_size=size)
    with pytest.raises(InputError, match="'both'"):
        export(load(run), tmp_path, directions=["both"])


def test_interrupted_writing_leaves_what_was_there(tmp_path):
    target = tmp_path / "x.txt"
    files.write_text(target, "old")

    def interrupted():
        with files.atomic_file(target) as beside:
            beside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert target.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["x.txt"]


@pytest.mark.parametrize("place", ["serving", "mobile"])
def test_the_scripts_of_the_export_folder_give_what_keras_gives(place, run, exports, tmp_path):
    root = pathlib.Path(__file__).parents[2]
    model = exports["saved_model" if place == "serving" else "tflite", "ab"]
    Image.fromarray(smooth(24, 36)).save(tmp_path / "x.png")
    subprocess.run(
        [
            sys.executable,
            root / "export" / place / "translate.py",
            model,
            tmp_path / "x.png",
            tmp_path / "y.png",
        ],
        check=True,
    )
    expected = load(run).translate(smooth(24, 36)).astype(int)
    assert np.abs(image_files.read(tmp_path / "y.png") - expected).max() <= 1
