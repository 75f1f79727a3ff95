"""Loads a trained model from the folder of a run or from a file."""

import importlib
import json
import zipfile
import zlib

import h5py
import keras

from cyclegan_tf.choices import BUILT_IN, DIRECTIONS
from cyclegan_tf.errors import InputError
from cyclegan_tf.networks.generators import size_multiple
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.pretrained import model_path
from cyclegan_tf.translation.exported import ExportedTranslator, is_saved_model
from cyclegan_tf.translation.translator import Translator

# Keras knows the classes of a file once they are registered: the systems, their layers and pools.
for _name in SYSTEMS:
    importlib.import_module(f"cyclegan_tf.systems.{_name}")


def load(path):
    """A model to translate with and to export.

    The optimizers' state, most of a run's file, is not read; `keras.saving.load_model` reads it.

    Args:
        path: a run's folder, a `.keras` or an HDF5 file, a folder that `export` wrote `.keras`
            files to, a SavedModel that it wrote (to translate only), or `"pretrained:earth"` or
            `"pretrained:scenes"`, which come with the package.

    Returns:
        A system, not compiled; for a file that holds only a generator, a `Translator` of
        direction "ab"; for such a folder, one of the directions that it has; for a SavedModel,
        an `ExportedTranslator` of direction "ab".

    Raises:
        InputError: there is none, or it cannot be read: for example, it is damaged or holds
            Python code, which is never run.
    """
    path = model_path(path)
    if generators := generator_files(path):
        return _together(path, generators)
    if path.is_dir() and is_saved_model(path):
        return ExportedTranslator(path)
    folder = RunFolder(path)
    file = folder.model if path.is_dir() else path
    if not file.exists() and folder.checkpoints.is_dir():
        raise InputError(
            f"{path} holds a run whose first epoch is not finished; the same `cyclegan-tf train` "
            "again resumes it."
        )
    if not file.exists():
        raise InputError(f"{file} does not exist; expected a run's folder or a .keras file.")
    model = _read(file)
    if hasattr(model, "translate"):
        return model
    return Translator({"ab": _generator(model, file)}, model.input_shape[1:])


def generator_file(direction):
    """The name of a direction's file in a folder of exports."""
    return f"generator_{direction}.keras"


def generator_files(folder):
    """The files of the generators in a folder of exports, by direction; none in a run's folder."""
    if RunFolder(folder).model.exists():
        return {}
    files = {direction: folder / generator_file(direction) for direction in DIRECTIONS}
    return {direction: file for direction, file in files.items() if file.is_file()}


def _together(folder, files):
    """The `Translator` of the generators of a folder."""
    generators = {each: _generator(_read(file), file) for each, file in files.items()}
    options = RunFolder(folder).options()  # which the pretrained ones have
    if options is not None and options.data.source in BUILT_IN:
        side = options.data.crop_size
        return Translator(generators, (side, side, options.data.channels))
    return Translator(generators, next(iter(generators.values())).input_shape[1:])


def _generator(model, file):
    """The Keras model of a file, which must be a generator."""
    if not _makes_images(model):
        raise InputError(
            f"{file} holds a {type(model).__name__} that does not map images to images; "
            "expected a model that `cyclegan-tf train` or `import` or `CycleGAN.save` wrote, or a "
            "single generator."
        )
    return model


def _read(file):
    """The Keras model of a file, without its optimizers' state."""
    is_hdf5 = file.suffix in (".h5", ".hdf5")
    if not is_hdf5 and not _is_keras_file(file):
        raise InputError(
            f"{file} is not a model that can be read; expected a run's folder or a complete "
            ".keras file, such as its model.keras."
        )
    if is_hdf5:
        _check_code(file)
    else:
        _check_whole(file)
    try:
        return keras.saving.load_model(file, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        if "safe_mode" in str(error):  # not Keras's own message, which advises to run it
            raise InputError(_holds_code(file)) from error
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(f"{file} is not a model that can be read: {reason}") from error


def _is_keras_file(file):
    return file.suffix == ".keras" and zipfile.is_zipfile(file)


def _check_whole(file):
    """Raises an InputError if a checksum of a `.keras` file does not match.

    Keras would try again without checksums, and might read wrong weights.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError):
        damaged = "its table of contents"
    if damaged:
        raise InputError(
            f"{file} is damaged ({damaged} is not as it was written); copy or download it again."
        )


def _check_code(file):
    """Raises an InputError if an HDF5 file has a Lambda layer, whose code Keras 3.10 would run."""

    def classes(part):
        for inner in part if isinstance(part, list) else part.values():
            if isinstance(inner, (list, dict)):
                yield from classes(inner)
        if isinstance(part, dict):
            yield str(part.get("class_name"))

    try:
        with h5py.File(file, "r") as content:
            config = json.loads(content.attrs.get("model_config", "{}"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} is no HDF5 file or is cut short: {error}.") from error
    if any("lambda" in name.lower() for name in classes({"model": config})):
        raise InputError(_holds_code(file))


def _holds_code(file):
    return (
        f"{file} holds Python code (a Lambda layer or the like), which could do anything once it "
        "runs, and was not loaded; expected a model made only of layers."
    )


def _makes_images(model):
    """Whether a network's outputs are images as large as its inputs."""
    taken, given = (getattr(model, f"{end}_shape", None) for end in ("input", "output"))
    if not all(isinstance(shape, tuple) and len(shape) == 4 for shape in (taken, given)):
        return False  # with several inputs or outputs, a list of shapes
    if None not in taken[1:3]:
        return taken[1:3] == given[1:3]
    try:
        return bool(size_multiple(model))
    except ValueError:
        return False
