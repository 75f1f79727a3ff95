"""The real TFDS builder of `cycle_gan`, on an archive of the true layout in its manual folder."""

import hashlib
import io
import socket
import time
import zipfile

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from tiny import smooth

from cyclegan_tf import InputError, data

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

URL = "https://efrosgans.eecs.berkeley.edu/cyclegan/datasets/horse2zebra.zip"


def _archive(path, tmp_path):
    with zipfile.ZipFile(path, "w") as archive:
        for part, count in (("trainA", 4), ("trainB", 3), ("testA", 2), ("testB", 2)):
            for number in range(count):
                file = tmp_path / "x.jpg"
                Image.fromarray(smooth(40, 40, seed=number)).save(file)
                archive.write(file, f"horse2zebra/{part}/{number}.jpg")


@pytest.fixture
def data_dir(tmp_path, monkeypatch):
    """Where the builder finds its download, with the checksum of our small archive registered."""
    from tensorflow_datasets.core.download import checksums

    manual = tmp_path / "tfds" / "downloads" / "manual"
    manual.mkdir(parents=True)
    archive = manual / "horse2zebra.zip"
    _archive(archive, tmp_path)
    content = archive.read_bytes()
    info = checksums.UrlInfo(
        size=len(content),
        checksum=hashlib.sha256(content).hexdigest(),
        filename="horse2zebra.zip",
    )
    builder = type(tfds.builder("cycle_gan/horse2zebra", data_dir=tmp_path / "tfds"))
    monkeypatch.setattr(builder, "url_infos", {URL: info})
    return tmp_path / "tfds"


def test_runs_the_builder_and_gives_pairs(data_dir):
    dataset = data.from_tfds("cycle_gan/horse2zebra", data_dir=data_dir, image_size=16)
    assert len(dataset) == 4
    image_a, image_b = next(iter(dataset))
    assert image_a.shape == image_b.shape == (1, 16, 16, 3)
    assert -1 <= float(np.min(image_a)) < float(np.max(image_a)) <= 1


def test_takes_any_two_splits(data_dir):
    dataset = data.from_tfds(
        "cycle_gan/horse2zebra",
        "testA",
        "trainB[:50%]",
        data_dir=data_dir,
        image_size=16,
        training=False,
    )
    assert len(dataset) == 2


def test_unknown_names_and_splits_get_a_sentence(data_dir):
    with pytest.raises(InputError, match="knows no data set 'no_such_thing'"):
        data.from_tfds("no_such_thing", data_dir=data_dir)
    with pytest.raises(InputError, match="cannot load"):
        data.from_tfds("cycle_gan/no_such_thing", data_dir=data_dir)
    with pytest.raises(InputError, match="has no split 'valA'"):
        data.from_tfds("cycle_gan/horse2zebra", split="val", data_dir=data_dir)


def _refused():
    import requests

    raise requests.exceptions.ConnectionError("no route to host")


def _not_found():
    import requests

    response = requests.Response()
    response.status_code, response.url, response.raw = 404, URL, io.BytesIO()
    return response


def test_offline_it_does_not_take_minutes_to_say_so(tmp_path, monkeypatch):
    """The way out is a port where nobody listens, whatever the network of this machine."""
    with socket.socket() as unused:
        unused.bind(("localhost", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://localhost:{unused.getsockname()[1]}")
        begin = time.monotonic()
        with pytest.raises(InputError, match=r"download .*horse2zebra\.zip, put it into .*manual"):
            data.from_tfds("cycle_gan/horse2zebra", data_dir=tmp_path / "tfds")
    assert time.monotonic() - begin < 60


@pytest.mark.parametrize("answer", [_refused, _not_found])
def test_offline_says_what_to_download_and_where_to_put_it(answer, tmp_path, monkeypatch):
    import requests

    monkeypatch.setattr(requests.Session, "request", lambda *_, **__: answer())
    with pytest.raises(InputError, match=r"download .*horse2zebra\.zip, put it into .*manual"):
        data.from_tfds("cycle_gan/horse2zebra", data_dir=tmp_path / "tfds")
