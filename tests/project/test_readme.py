"""What a newcomer tries first: the ten lines, and all commands; see also `test_docs.py`."""

import pathlib
import re
import subprocess
import sys

import pytest
import typer
from pages import README, ROOT, blocks, commands

from cyclegan_tf.commands.main import app
from cyclegan_tf.data.scenes import COLORS
from cyclegan_tf.metrics import nearest_class
from cyclegan_tf.systems import meanings


def _run(code, folder):
    subprocess.run([sys.executable, "-c", code], cwd=folder, check=True, capture_output=True)
    assert (folder / "translator.keras").exists()


def _ten_lines():
    _, code = blocks(README, "python")
    return code


def test_three_lines_translate_by_what_comes_with_the_package():
    code, _ = blocks(README, "python")
    assert len([line for line in code.splitlines() if line]) == 3
    found = {}
    exec(code, found)
    classes = nearest_class(found["translated"], COLORS)
    assert (classes == nearest_class(found["label_maps"], COLORS)).mean() > 0.8


def test_the_ten_lines_are_ten():
    lines = [line for line in _ten_lines().splitlines() if line and not line.startswith("#")]
    assert len(lines) == 10


@pytest.mark.twin
def test_the_ten_lines_run_with_fewer_images(tmp_path):
    code, changed = re.subn(r"\bcount=\d+", "count=2", _ten_lines())
    assert changed == 2
    _run(code, tmp_path)


@pytest.mark.slow
def test_the_ten_lines_run_as_they_stand(tmp_path):
    _run(_ten_lines(), tmp_path)


def test_every_subcommand_and_what_make_does_is_shown():
    shown = [command.split() for command in commands(README)]
    assert {words[1] for words in shown if words[0] == "cyclegan-tf"} == set(
        typer.main.get_command(app).commands
    )
    targets = {words[1] for words in shown if words[0] == "make"}
    assert targets == {
        "demo",
        "web",
        "test",
        "test-quick",
        "test-matrix",
        "lint",
        "bench",
        "pretrained",
    }


def test_the_sheet_at_the_top_is_there():
    text = README.read_text()
    assert pathlib.Path(ROOT, "docs/street_scenes.png").exists()
    assert text.index("(docs/street_scenes.png)") < text.index("## ")


def test_losses_are_read_as_on_the_page_of_a_run():
    section = README.read_text().split("## How do I know it works?")[1].split("## ")[0]
    for objective in ("lsgan", "vanilla"):
        for text in (
            meanings.of_discriminator("a", objective),
            meanings.of_generator("ab", objective),
        ):
            (undecided,) = re.findall(r"0\.\d+", text)
            assert undecided in section
