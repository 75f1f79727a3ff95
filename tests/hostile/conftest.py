import shutil

import pytest
from hostile import TINY
from PIL import Image
from tiny import smooth

from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.options import resolve
from cyclegan_tf.runs.train import train


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    """The folder of a tiny trained run; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("hostile") / "run"
    train(resolve("scenes", **TINY), out, verbose=0)
    return out


@pytest.fixture(scope="session")
def model(run):
    return load(run)


@pytest.fixture
def own_run(run, tmp_path):
    return shutil.copytree(run, tmp_path / "own_run")


@pytest.fixture
def photos(tmp_path):
    """A folder of two images."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(2):
        Image.fromarray(smooth(seed=number)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def domains(tmp_path):
    """A folder of `trainA` and `trainB`, of two images each."""
    folder = tmp_path / "domains"
    for part in ("trainA", "trainB"):
        (folder / part).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(smooth(40, 50, seed=number)).save(folder / part / f"{number}.png")
    return folder
