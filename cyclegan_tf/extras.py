"""Optional packages, which extras of this package install, imported when they are used."""

import importlib


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
