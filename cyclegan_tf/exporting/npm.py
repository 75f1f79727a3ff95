"""Packages of the npm registry: pinned, verified, kept on disk. Neither npm nor Node is needed."""

import base64
import dataclasses
import hashlib
import http.client
import os
import tarfile
import urllib.request

from cyclegan_tf import files
from cyclegan_tf.errors import InputError

_SECONDS_WITHOUT_A_BYTE = 30


@dataclasses.dataclass(frozen=True)
class Package:
    """One release of a package.

    Attributes:
        name: such as `"@litertjs/core"`.
        version: such as `"2.5.3"`.
        integrity: of its tarball, as `npm view NAME@VERSION dist.integrity` prints it.
    """

    name: str
    version: str
    integrity: str

    @property
    def file_name(self):
        return f"{self.name.split('/')[-1]}-{self.version}.tgz"

    @property
    def url(self):
        # The variable with which npm itself is sent to another registry.
        registry = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org"
        return f"{registry.rstrip('/')}/{self.name}/-/{self.file_name}"


def read(wanted):
    """Files of packages.

    Their tarballs are downloaded once, into the folder that the environment variable
    `CYCLEGAN_TF_CACHE` names (default: `cyclegan_tf` in the user's cache folder).

    Args:
        wanted: paths within each package, such as `{Package(...): ["dist/index.js"]}`.

    Returns:
        The bytes of each file, in a dictionary of lists like `wanted`.

    Raises:
        InputError: tarballs are not in the cache and cannot be downloaded, or what came is not
            the pinned release.
    """
    _download(package for package in wanted if not _is_pinned(package, _cached(package)))
    contents = {}
    for package, names in wanted.items():
        with tarfile.open(_path(package)) as archive:
            contents[package] = [archive.extractfile(f"package/{name}").read() for name in names]
    return contents


def _download(packages):
    """Fills the cache; one error names all that failed, for a download on another machine."""
    failed, reason = [], None
    for package in packages:
        try:
            with urllib.request.urlopen(package.url, timeout=_SECONDS_WITHOUT_A_BYTE) as answer:
                content = answer.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            failed.append(package)
            continue
        if not _is_pinned(package, content):
            raise InputError(
                f"{package.url} is not the pinned {package.name} {package.version}: its checksum "
                f"differs; get that release elsewhere, and put it at {_path(package)}."
            )
        with files.atomic_file(_path(package)) as beside:
            beside.write_bytes(content)
    if failed:
        raise InputError(
            f"{' and '.join(package.url for package in failed)} cannot be downloaded ({reason}); "
            "where there is a network, download this with a browser, and put it into "
            f"{files.cache_folder()}, or into a folder that you name in CYCLEGAN_TF_CACHE."
        )


def _path(package):
    return files.cache_folder() / package.file_name


def _cached(package):
    return _path(package).read_bytes() if _path(package).is_file() else b""


def _is_pinned(package, content):
    algorithm, expected = package.integrity.split("-", 1)
    return base64.b64encode(hashlib.new(algorithm, content).digest()).decode() == expected
