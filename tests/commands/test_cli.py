"""The command line in processes of its own: exit statuses, sentences, no traceback."""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
from importlib import metadata

import numpy as np
import pytest
import typer
from PIL import Image
from tiny import COMMAND, cyclegan_tf, options, refused, small_disk, smooth
from typer.testing import CliRunner

from cyclegan_tf import InputError
from cyclegan_tf.commands import main
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import declared
from cyclegan_tf.runs.load import load


def test_version_names_what_it_runs_on():
    printed = cyclegan_tf("--version").stdout
    for name in ("cyclegan-tf", "tensorflow", "keras"):
        assert f"{name} {metadata.version(name)}" in printed


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Two domains of real image files, with a text file and a cut JPEG among them."""
    root = tmp_path_factory.mktemp("images")
    for part in ("trainA", "trainB"):
        (root / part).mkdir()
        for number in range(2):
            Image.fromarray(smooth(40, 50, seed=number)).save(root / part / f"{number}.jpg")
    (root / "trainA" / "text.jpg").write_text("no image")
    cut = root / "trainB" / "cut.jpg"
    Image.fromarray(smooth(200, 200)).save(cut)
    cut.write_bytes(cut.read_bytes()[:2000])
    return root


@pytest.fixture(scope="module")
def run(root, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    result = cyclegan_tf("train", root, "--out", out, *options(precision="float32"))
    assert result.returncode == 0, result.stderr
    assert "1 of 3 images cannot be read" in result.stderr
    assert "cut.jpg" in result.stderr
    assert "Precision: float32 (as asked for)." in result.stdout
    assert "images of A, " in result.stdout
    return out


def test_train_then_translate_then_export(here, run, root, tmp_path):
    result = cyclegan_tf("translate", run, root / "trainA", tmp_path / "out", "--direction", "ab")
    assert result.returncode == 1  # the text file
    assert "2 of 3 images translated" in result.stdout
    assert "text.jpg is not an image" in result.stderr
    with Image.open(tmp_path / "out" / "0.jpg") as image:
        assert image.size == (50, 40)

    result = here("export", run, tmp_path / "export", "--direction", "ba")
    assert result.status == 0, result.errors
    assert (tmp_path / "export" / "generator_ba" / "1" / "saved_model.pb").exists()
    assert (tmp_path / "export" / "generator_ba.tflite").stat().st_size > 1000
    assert not (tmp_path / "export" / "generator_ab.tflite").exists()

    phone = tmp_path / "phone"
    result = here("export", run, phone, "--tflite", "--quantization", "dynamic")
    assert result.status == 0, result.errors
    assert "dB to Keras" in result.output
    names = {
        f"generator_{d}{end}"
        for d in ("ab", "ba")
        for end in (".tflite", ".report.json", ".report.png")
    }
    assert {path.name for path in phone.iterdir()} == {"README.md", *names}
    report = json.loads((phone / "generator_ba.report.json").read_text())
    assert report["psnr_to_keras"]["tested_on"].startswith("the training data of the run")


def test_small_keras_files_serve_as_the_run_does(here, run, tmp_path):
    result = here("export", run, tmp_path / "small", "--keras", "--direction", "ba")
    assert result.status == 0, result.errors
    small = tmp_path / "small" / "generator_ba.keras"
    assert result.output.split() == [str(small)]
    assert small.stat().st_size < (run / "model.keras").stat().st_size / 4
    np.testing.assert_array_equal(
        load(small).translate(smooth()), load(run).translate(smooth(), "ba")
    )


def test_images_that_no_tflite_holds(here, run, tmp_path):
    arguments = ["--tflite", "--direction", "ab", "--image-size", 100_000]
    assert (
        "larger than a tensor of a .tflite" in here("export", run, tmp_path, *arguments).refused()
    )
    assert not list(tmp_path.iterdir())


def test_translate_says_what_it_passes_over(here, run, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    frames = [Image.new("RGB", (24, 24), color) for color in ("red", "blue")]
    frames[0].save(folder / "a.gif", save_all=True, append_images=frames[1:])
    (folder / "b.heic").touch()
    result = here("translate", run, folder, folder / "out")
    assert result.status == 0, result.errors
    assert f"1 of 1 images translated to {folder / 'out'}." in result.output
    assert "1 file is skipped because of its name" in result.errors
    assert "a.gif has several frames" in result.errors
    (folder / "self.png").symlink_to("self.png")
    result = here("translate", run, folder, folder / "out")
    assert result.status == 1, result.errors
    assert "1 of 2 images translated" in result.output
    assert "self.png cannot be read: Too many levels of symbolic links." in result.errors
    assert "what it holds already is not translated" in result.errors


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="a folder that nobody can write to")
def test_a_place_that_cannot_be_written_to_gets_a_sentence(here, run, root):
    assert (
        "/proc/x cannot be made"
        in here("translate", run, root / "trainA" / "0.jpg", "/proc/x/o.png").refused()
    )


def test_export_of_a_web_page(here, run, tmp_path):
    names = ["--domains", "day", "night", "--direction", "ba"]
    result = here("export", run, "--web", tmp_path / "site", *names)
    assert result.status == 0, result.errors
    assert result.output.split() == [str(tmp_path / "site" / "index.html")]
    assert (
        "night → day"
        in json.loads((tmp_path / "site" / "models.json").read_text())["models"][0]["label"]
    )
    assert "A folder to write to is missing" in here("export", run).refused()
    (tmp_path / "file").touch()
    assert (
        "file is a file; expected a folder"
        in here("export", run, tmp_path / "file" / "x").refused()
    )


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--torch", "--onnx"], "export twice"),
        (["--torch", "--quantization", "int8"], "--quantization is for tflite and web; this "),
        (["--onnx", "--any-size"], "--any-size is for tflite; this command writes onnx"),
        (["--tflite", "--precision", "bfloat16"], "--precision is for keras and saved_model; this"),
        (["--domains", "day", "night"], "--domains is for web; this command writes saved_model"),
        (["--onnx", "--web", "site"], "A folder to write to is missing"),
        (["--representative", str(pathlib.Path(__file__).parent)], "say which generator takes"),
        (["--representative", "horses"], "horses does not exist"),
    ],
)
def test_exports_that_do_not_go_together(run, tmp_path, monkeypatch, options, sentence):
    out = [] if "--web" in options else [str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["cyclegan-tf", "export", str(run), *out, *options])
    with pytest.raises(InputError, match=sentence):
        main.app()
    assert not list(tmp_path.iterdir())


def test_sources_that_cannot_serve(here, root, run, tmp_path):
    (tmp_path / "empty" / "trainA").mkdir(parents=True)
    (tmp_path / "empty" / "trainB").mkdir()
    out = ["--out", tmp_path / "out"]
    assert "does not exist" in here("train", tmp_path / "missing", *out).refused()
    assert "holds no images" in here("train", tmp_path / "empty", *out).refused()
    assert (
        "--lambda-a was 10.0 in this run, now 5.0; use a new folder or --restart"
        in here("train", root, "--out", run, *options(lambda_a=5)).refused()
    )
    assert not (tmp_path / "out").exists()


def test_models_that_cannot_serve(here, root, tmp_path):
    (tmp_path / "text.keras").write_text("no model")
    assert (
        "text.keras is not a model"
        in here("translate", tmp_path / "text.keras", root, tmp_path / "out").refused()
    )
    assert "does not exist" in here("export", tmp_path / "missing", tmp_path / "out").refused()


def test_options_that_typer_refuses():
    result = cyclegan_tf("train", "scenes", "--out", "x", "--epochs", "many")
    assert result.returncode == 2
    assert "Traceback" not in result.stderr


def test_help_says_defaults_and_units():
    text = cyclegan_tf("train", "--help", env={**os.environ, "COLUMNS": "200"}).stdout
    for part in ("--lambda-identity", "default: 0.5", "in pixels", "--steps-per-epoch", "--seed"):
        assert part in text


def test_help_says_the_defaults_of_the_usual_preset():
    """Of pix2pix's, one rate in all epochs."""
    wide = {**os.environ, "COLUMNS": "300"}
    for system, default in (("cyclegan", "half of --epochs"), ("pix2pix", "0")):
        text = cyclegan_tf("train", "--system", system, "--help", env=wide).stdout
        assert f"in which the rate falls (default: {default})" in text


def test_names_of_other_systems_are_explained():
    for arguments, sentence in (
        (("--system", "unet"), "system must be one of cyclegan, pix2pix"),
        (("--system", "pix2pix", "--preset", "labels"), "labels is a preset of cyclegan, not of "),
        (("--preset", "fast"), "preset must be one of paper, labels"),
    ):
        result = cyclegan_tf("train", "scenes", "--out", "x", *arguments)
        assert result.returncode == 2
        assert result.stderr.startswith(f"cyclegan-tf: {sentence}")


@pytest.fixture
def script(tmp_path):
    """What pip installs as `cyclegan-tf`; Python says the name of each module that it imports."""
    path = tmp_path / "cyclegan-tf"
    path.write_text("from cyclegan_tf.commands.main import main\nmain()")
    return [sys.executable, "-X", "importtime", path]


def imported(command):
    """The packages that a command imports, and its exit status."""
    result = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.split("|")[-1].strip().partition(".")[0] for line in lines}, result.returncode


HEAVY = {"tensorflow", "keras", "matplotlib", "PIL", "numpy"}


@pytest.mark.parametrize("command", ["", *typer.main.get_command(main.app).commands])
def test_help_waits_for_nothing_heavy(command, script):
    packages, status = imported([*script, *command.split(), "--help"])
    assert status == 0
    assert "cyclegan_tf" in packages
    assert not packages & HEAVY


@pytest.mark.parametrize(
    "arguments",
    [
        ["train", "scenes", "--out", "x", "--epochs", "many"],
        ["train", "scenes", "--out", "x", "--epochs", "0"],
        ["export", "x", "y", "--onnx", "--any-size"],
        ["launch"],
    ],
)
def test_wrong_options_are_refused_before_anything_heavy(arguments, script):
    packages, status = imported([*script, *arguments])
    assert status == 2
    assert not packages & HEAVY


def test_every_system_is_listed_with_its_paper_and_presets():
    result = CliRunner().invoke(main.app, ["systems"])
    assert result.exit_code == 0
    text, basis = result.output.strip().split("\n\n")
    assert "128 pixels" in basis
    blocks = re.split(r"\n(?=\w)", text)
    assert [block.split(":")[0] for block in blocks] == list(SYSTEMS)
    for block, recipe in zip(blocks, SYSTEMS.values()):
        assert re.search(r"published   .* 20\d\d, arXiv \d{4}\.\d{5}\n", block)
        assert f"presets     {', '.join(recipe.presets)}" in block
    assert "images      paired" in blocks[1]
    assert "one way, --direction" in blocks[1]
    assert "images      unpaired" in blocks[0]
    assert "both ways" in blocks[0]


def test_a_system_of_one_way_has_an_option_for_it():
    for recipe in SYSTEMS.values():
        assert recipe.one_way == ("direction" in declared(recipe.build))


def test_python_m_is_the_command_line_too():
    module = [sys.executable, "-X", "importtime", "-m", "cyclegan_tf"]
    packages, status = imported([*module, "--help"])
    assert status == 0
    assert not packages & HEAVY


def test_the_command_line_has_the_public_names_when_asked_for(tmp_path):
    script = tmp_path / "cyclegan-tf"
    script.write_text(
        "import cyclegan_tf, sys\n"
        "assert 'keras' not in sys.modules\n"
        "print(cyclegan_tf.data.folders.__name__, cyclegan_tf.CycleGAN.__name__)"
    )
    output = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=True
    ).stdout
    assert output.split()[-2:] == ["folders", "CycleGAN"]


def test_interruption_while_tensorflow_is_imported(script):
    process = subprocess.Popen(
        [*script, "demo"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    for line in process.stderr:  # until the import has begun
        if line.rpartition("|")[2].strip().startswith("tensorflow."):
            break
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in errors
    assert "Traceback" not in errors


def test_interruption_leaves_whole_files_and_status_130(here, root, tmp_path):
    process = subprocess.Popen(
        [*COMMAND, "train", str(root), "--out", tmp_path / "run", *options(epochs=1000)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 300
    while not (tmp_path / "run" / "index.html").exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Interrupted" in errors
    assert "Traceback" not in errors
    assert not list((tmp_path / "run").rglob("*.part*"))
    result = here("translate", tmp_path / "run", root / "trainA" / "0.jpg", tmp_path / "out")
    assert result.status == 0, result.errors


def test_a_full_disk_gets_a_sentence_and_leaves_no_half_file(tmp_path):
    """On a real small disk where this process may mount one, else under a limit on file sizes."""
    disk, settings = tmp_path / "disk", {}
    mounted = small_disk(disk)
    if not mounted:
        import resource

        settings["preexec_fn"] = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16))
    arguments = ["train", "scenes", "--out", disk / "run", *options()]
    try:
        assert "cannot be written" in refused(*arguments, **settings)
        assert not list(disk.rglob("*.part*"))
        assert not list(disk.rglob("model.keras"))
    finally:
        if mounted:
            subprocess.run(["umount", disk], check=True)


def test_training_that_diverges_has_a_status_of_its_own(here, tmp_path):
    """After which neither `launch` nor Kubernetes tries again."""
    result = here("train", "scenes", "--out", tmp_path / "run", *options(learning_rate="1e30"))
    assert result.status == 3
    assert "is not finite in epoch 1: training has diverged." in result.errors
    assert not (tmp_path / "run" / "model.keras").exists()
