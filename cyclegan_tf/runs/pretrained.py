"""Translators that come with the package, by names such as `pretrained:earth`."""

import pathlib

from cyclegan_tf.choices import PRETRAINED
from cyclegan_tf.errors import InputError

FOLDER = pathlib.Path(__file__).parents[1] / "pretrained"


def is_pretrained(model):
    """Whether a model is asked for by such a name, and not by its path."""
    return str(model).startswith(PRETRAINED)


def model_path(model):
    """The path of a model: what is given, or the folder in the package that a name stands for.

    Args:
        model: a path, or `pretrained:` and a name.

    Raises:
        InputError: the package has no translator of this name.
    """
    if not is_pretrained(model):
        return pathlib.Path(model)
    name = str(model).removeprefix(PRETRAINED)
    # What begins with a dot is being written.
    known = sorted(path.name for path in FOLDER.glob("[!.]*") if path.is_dir())
    if name not in known:
        names = " and ".join(f"{PRETRAINED}{each}" for each in known)
        raise InputError(f"{model} is not in this package, which has {names}.")
    return FOLDER / name


def check_out(model, out):
    """Raises an `InputError` if something would be written beside a model of the package."""
    if is_pretrained(model) and not out:
        raise InputError(f"{model} is in the package; say by --out where to write.")
