"""The command `export`: trained generators as SavedModel, TFLite, ONNX and small Keras files."""

import numbers
import pathlib

import tensorflow as tf

from cyclegan_tf import files
from cyclegan_tf.choices import KINDS, POLICIES, STORED_WEIGHTS, USUAL_KINDS, check
from cyclegan_tf.directions import direction_of, generator_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.exporting import warmup
from cyclegan_tf.exporting.card import write_card
from cyclegan_tf.exporting.onnx import export_onnx
from cyclegan_tf.exporting.quiet import quiet
from cyclegan_tf.exporting.signatures import signatures
from cyclegan_tf.exporting.stored_weights import store_weights
from cyclegan_tf.exporting.tflite.export import checked_size, export_tflite
from cyclegan_tf.precision import in_precision
from cyclegan_tf.runs.load import generator_file
from cyclegan_tf.runs.pretrained import model_path


def export(
    model,
    out,
    directions=None,
    *,
    image_size=None,
    precision="float32",
    weights="float32",
    kinds=USUAL_KINDS,
    run=None,
    log=None,
    **of_tflite,
):
    """Writes a SavedModel and a .tflite of each direction, or other kinds, and a model card.

    Export from one thread at a time: converter output is silenced by redirecting the standard
    output of the whole process.

    Args:
        model: a system, such as a `CycleGAN`.
        out: a folder. Each direction becomes `generator_ab/<version>/`, `generator_ab.tflite`,
            `generator_ab.onnx` and `generator_ab.keras`. The card is `README.md`; one that
            somebody has edited is kept, and the new one is `README.new.md`.
        directions: `("ab",)`, `("ba",)` or both; all of the model if `None`.
        image_size: of the .tflite, a number for squares or `(height, width)`; that of the
            training images if `None`.
        precision: of the SavedModel and the .keras file; see `export_saved_model`.
        weights: of the .keras file; see `export_keras`.
        kinds: any of `"saved_model"`, `"tflite"`, `"onnx"` and `"keras"`.
        run: the folder of the run that the model comes from, or the model's file there: the card
            says what the run's files say. The images of a folder serve the .tflite too.
        log: called with lines for the user.
        **of_tflite: further arguments of `export_tflite`, if that is among the kinds.

    Returns:
        The paths written, by kind and direction: `{("saved_model", "ab"): ..., ...}`.

    Raises:
        InputError: no such kind, direction or precision, or arguments of `export_tflite`
            without that kind; see also `export_tflite` and `export_keras`. Nothing is written
            then.
    """
    out = pathlib.Path(out)
    if unknown := set(kinds) - set(KINDS):
        raise InputError(f"kinds are {', '.join(KINDS)}. Received: {', '.join(sorted(unknown))}")
    if of_tflite and "tflite" not in kinds:
        raise InputError(
            f"{', '.join(of_tflite)} would be for the kind tflite; leave it out, or add that kind. "
            f"Received: kinds {', '.join(kinds)}"
        )
    files.check_folder(out)
    directions = tuple(model.generators) if directions is None else directions
    if "tflite" in kinds:
        is_folder = run is not None and model_path(run).is_dir()
        of_tflite |= {"run": model_path(run) if is_folder else None, "log": log}
    for direction in directions or (None,):  # before anything is written
        direction_of(model, direction)
        if "tflite" in kinds:
            checked_size(model, direction, image_size, of_tflite.get("any_size", False))
        if "keras" in kinds:
            _check_keras_path(out / generator_file(direction))
    written = {}
    for direction in directions:
        name = f"generator_{direction}"
        if "tflite" in kinds:
            written["tflite", direction] = export_tflite(
                model, out / f"{name}.tflite", direction, image_size=image_size, **of_tflite
            )
        if "onnx" in kinds:
            written["onnx", direction] = export_onnx(model, out / f"{name}.onnx", direction)
        if "keras" in kinds:
            written["keras", direction] = export_keras(
                model,
                out / generator_file(direction),
                direction,
                precision=precision,
                weights=weights,
            )
    # Last, because a server loads a new version at once: no export may fail afterwards.
    for direction in directions if "saved_model" in kinds else ():
        written["saved_model", direction] = export_saved_model(
            model, out, direction, precision=precision
        )
    if written:
        write_card(out, model, written, run, log, weights=weights)
    return written


def export_keras(model, path, direction=None, *, precision="float32", weights="float32"):
    """Writes only one generator as a `.keras` file, a tenth of what `model.save` writes.

    It has no optimizers and no discriminator. `cyclegan_tf.load`, `cyclegan-tf translate` and
    `export` read it as a model of direction "ab", whichever it was. `keras.saving.load_model`
    reads it as a Keras model, after `import cyclegan_tf`.

    Args:
        model: a system, such as a `CycleGAN`, or a `Translator`.
        path: of the file, a name that ends in `.keras` and is new.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        precision: `"float32"`, or `"bfloat16"` or `"float16"` for the arithmetic inside, on
            weights in float32.
        weights: how the file stores them: `"float32"`; `"float16"` for less than half the size;
            or `"rounded"`, float16 with 5 bits of fraction, for 30 %. Keras reads them as float32.
            `docs/export.md` has what that changes.

    Returns:
        `path`.

    Raises:
        InputError: no such direction, precision or weights, no `.keras` name, or the file exists
            already.
    """
    check("precision", precision, POLICIES)
    check("weights", weights, STORED_WEIGHTS)
    path = pathlib.Path(path)
    _check_keras_path(path)
    generator = in_precision(generator_of(model, direction), precision)
    with files.atomic_file(path) as beside:
        generator.save(beside)
        if weights != "float32":
            store_weights(beside, weights)
    return path


def _check_keras_path(path):
    if path.suffix != ".keras":
        raise InputError(f"A model is written to a name that ends in .keras. Received: {path}")
    if path.exists():
        raise InputError(f"{path} is there already; choose another name or folder.")


def export_saved_model(model, path, direction=None, *, version=None, precision="float32"):
    """Writes one generator as a SavedModel.

    Its signatures take images of any size (of its own, if the network has one) as float32,
    as uint8 or as the bytes of encoded files; see `cyclegan_tf.exporting.signatures.signatures`.

    Args:
        model: a system.
        path: the folder of the models: this one becomes `generator_ab/<version>/` in it, with the
            requests that TF Serving warms it up with.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        version: number of the version's folder, 1 or more; the next one if `None`. The folder
            appears complete or not at all.
        precision: `"float32"`, or `"bfloat16"` or `"float16"` for the arithmetic inside, on
            servers that multiply in it faster; images stay float32.

    Returns:
        The path of the version.

    Raises:
        InputError: no such direction or precision, or the version exists already.
    """
    check("precision", precision, POLICIES)
    direction = direction_of(model, direction)
    generator = in_precision(generator_of(model, direction), precision)
    name = f"generator_{direction}"
    target = _version_folder(pathlib.Path(path) / name, version)
    module = tf.Module()
    module.weights = [weight.value for weight in generator.weights]
    functions = signatures(generator)
    requests = warmup.gray_requests(functions, *_usual_size(model, generator))
    # Unfinished folders are not named by a number, so that no server loads them.
    with files.atomic_file(target) as beside, quiet():
        tf.saved_model.save(module, str(beside), signatures=functions)
        warmup.write_requests(beside / warmup.FILE, requests, name)
    return target


def _usual_size(model, generator):
    """Height, width and channels of the images that a server will usually get."""
    height, width, channels = generator.input_shape[1:]
    return height or model.image_shape[0] or 256, width or model.image_shape[1] or 256, channels


def _version_folder(path, version):
    """The folder of a new version; TF Serving loads the highest number."""
    if version is None:
        version = 1 + max((int(p.name) for p in path.glob("*") if p.name.isdecimal()), default=0)
    if not isinstance(version, numbers.Integral) or version < 1:
        raise InputError(f"version must be an integer of 1 or more. Received: {version!r}")
    target = path / str(version)
    if target.exists():
        raise InputError(f"{target} is there already; give another version, or None.")
    return target
