"""Packages of the npm registry: verified, kept, and a sentence if there is no network."""

import base64
import dataclasses
import functools
import hashlib
import http.server
import io
import tarfile
import threading

import pytest
from browsers import QuietHandler

from cyclegan_tf import InputError
from cyclegan_tf.exporting import npm


def _tarball(content=b"export default 1;"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/dist/index.js")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return file.getvalue()


@pytest.fixture
def package():
    digest = hashlib.sha512(_TARBALL).digest()
    return npm.Package("@some/thing", "1.2.3", "sha512-" + base64.b64encode(digest).decode())


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """The folder of a registry on this machine, which serves one package."""
    folder = tmp_path / "registry"
    (folder / "@some" / "thing" / "-").mkdir(parents=True)
    (folder / "@some" / "thing" / "-" / "thing-1.2.3.tgz").write_bytes(_TARBALL)
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("CYCLEGAN_TF_CACHE", str(tmp_path / "cache"))
        yield folder / "@some" / "thing" / "-" / "thing-1.2.3.tgz"
        server.shutdown()


_TARBALL = _tarball()


def _read(package):
    ((content,),) = npm.read({package: ["dist/index.js"]}).values()
    return content


def test_downloads_once(package, registry):
    for _ in range(2):
        assert _read(package) == b"export default 1;"
        registry.unlink(missing_ok=True)


def test_a_damaged_copy_is_replaced(package, registry, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing-1.2.3.tgz").write_bytes(_TARBALL[:-9])
    assert _read(package) == b"export default 1;"
    assert (tmp_path / "cache" / "thing-1.2.3.tgz").read_bytes() == _TARBALL


def test_another_content_is_refused_and_not_kept(package, registry, tmp_path):
    registry.write_bytes(_tarball(b"export default 2;"))
    with pytest.raises(InputError, match=r"not the pinned @some/thing 1\.2\.3"):
        _read(package)
    assert not (tmp_path / "cache").exists()


def test_without_a_network_the_sentence_names_the_files_and_their_place(
    package, tmp_path, monkeypatch
):
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", "http://127.0.0.1:9")
    monkeypatch.setenv("CYCLEGAN_TF_CACHE", str(tmp_path / "cache"))
    other = dataclasses.replace(package, name="other", version="4.5.6")
    with pytest.raises(InputError) as error:
        npm.read({package: ["dist/index.js"], other: ["dist/index.js"]})
    for part in (
        "http://127.0.0.1:9/@some/thing/-/thing-1.2.3.tgz and ",
        "http://127.0.0.1:9/other/-/other-4.5.6.tgz cannot be downloaded",
        f"put it into {tmp_path / 'cache'}",
    ):
        assert part in str(error.value)
    # And what it says helps.
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "thing-1.2.3.tgz").write_bytes(_TARBALL)
    assert _read(package) == b"export default 1;"
