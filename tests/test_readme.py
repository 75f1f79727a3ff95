"""What the README says is true: its Python runs, its commands parse, its files exist."""

import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import numpy as np
import pytest
import typer

from cyclegan_tf.commands.main import app
from cyclegan_tf.runs.load import load

ROOT = pathlib.Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def _blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def _block_with(word):
    (block,) = [block for block in _blocks("python") if word in block]
    return block


def _run(code, folder):
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    assert (folder / "translator.keras").exists()


@pytest.mark.twin
def test_the_ten_lines_run_with_fewer_steps(tmp_path):
    code = _blocks("python")[0]
    assert len(code.strip().splitlines()) <= 14
    assert "count=100" in code
    _run(code.replace("count=100", "count=2"), tmp_path)


@pytest.mark.slow
def test_the_ten_lines_run_as_they_stand(tmp_path):
    _run(_blocks("python")[0], tmp_path)


def test_what_it_says_of_other_code_runs(tmp_path):
    """On checkpoints of a plain PyTorch version and a file of the real tensorflow-addons."""
    pytest.importorskip("torch")
    from test_torch_weights import write_checkpoints

    (tmp_path / "checkpoints").mkdir()
    write_checkpoints(tmp_path / "checkpoints" / "horse2zebra")
    shutil.copy(ROOT / "tests" / "fixtures" / "tfa_generator.h5", tmp_path / "generator_G.h5")
    code = _block_with("torch_weights").replace("image_size=256", "image_size=32")
    code = code.replace('padding="same"', 'padding="same", base_filters=4, blocks=2')
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    load(tmp_path / "generator_G.keras").translate(np.zeros((9, 9, 3), np.uint8))


def test_what_it_says_of_checkpoints_runs_again(tmp_path):
    code = _block_with("Checkpoints") + "\nprint(model.optimizer.iterations.numpy())"
    for _ in range(2):
        output = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout
        assert output.split()[-1] == "8"
    assert len(list((tmp_path / "runs" / "python").iterdir())) == 1


def _commands():
    lines = "\n".join(_blocks("bash")).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("cyclegan-tf ")]


@pytest.mark.parametrize("line", _commands())
def test_commands_parse(line):
    _, name, *arguments = shlex.split(line, comments=True)
    command = typer.main.get_command(app).commands[name]
    command.make_context(name, arguments)  # raises for what does not exist


def test_every_subcommand_and_make_target_is_shown():
    shown = {line.split()[1] for line in _commands()}
    assert shown == set(typer.main.get_command(app).commands)
    for target in (
        "make demo",
        "make web",
        "make test",
        "make test-matrix",
        "make lint",
        "make bench",
    ):
        assert target in README


def test_links_and_pictures_are_there():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
