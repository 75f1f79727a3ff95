"""The checksum of a model, and the images it is scored on: its run's, or others that are named."""

from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.errors import InputError
from cyclegan_tf.files import sha256_of
from cyclegan_tf.runs.folder import RunFolder, run_of
from cyclegan_tf.runs.load import generator_files
from cyclegan_tf.runs.options import is_folder, resolve


def image_options(path, model, source=None, domain_b=None, image_size=None, split="test"):
    """The `RunOptions` that name the images: the run's, with what was asked for in their place.

    Args:
        path: the folder of a run, or a `.keras` file.
        model: what `cyclegan_tf.load` made of it.
        source: images as `cyclegan-tf train` takes them; the run's own if `None`.
        domain_b: the folder of domain B, if the source is that of domain A.
        image_size: side of the images in pixels; that of the training if `None`.
        split: `"test"` or `"train"`.

    Raises:
        InputError: nothing says which images, or the run held none back.
    """
    options = _options(path, model, source, domain_b, image_size)
    if source is None and options.data.domain_b is not None and split == "test":
        raise InputError(
            f"{path} was trained on all images of two folders, so none are held back; name two "
            "folders with others, or give --split train to score it on the training images."
        )
    return options


def digest_of(path):
    """The SHA-256 of a model's file; of a folder of generators one by direction."""
    if generators := generator_files(path):
        return {direction: sha256_of(file) for direction, file in generators.items()}
    return sha256_of(RunFolder(path).model if path.is_dir() else path)


def options_of_file(path):
    """The options of a run's folder, or of the run that a file is of; `None` if of none."""
    run = run_of(path)
    return run and run.options()


def _options(path, model, source, domain_b, image_size):
    of_run = options_of_file(path)
    if source is None and of_run is None:
        raise InputError(
            f"{path} does not say which images it was trained on; give a folder with testA and "
            f"testB, or {' or '.join(BUILT_IN)}."
        )
    if source is None and domain_b is not None:
        raise InputError("--domain-b goes with a folder of domain A; give that too.")
    if source is None and image_size is None:
        return of_run
    options = resolve(
        source or of_run.data.source,
        domain_b=domain_b if source else of_run.data.domain_b,
        **_as_in_training(of_run, model, source, image_size),
    )
    if of_run is None or not is_folder(options.data.source):
        return options
    return options.changed(measured_ranges=of_run.data.measured_ranges)


def _as_in_training(of_run, model, source, image_size):
    """How images become those that the model was trained on, as options of `resolve`."""
    height, _, channels = model.image_shape
    own_size = {"image_size": image_size or height}
    if of_run is None:
        return {**own_size, **({"channels": channels} if is_folder(source) else {})}
    same = {"system": of_run.system, "seed": of_run.training.seed}
    if not is_folder(source or of_run.data.source):
        return {**same, "image_size": image_size or of_run.data.crop_size}
    data = of_run.data
    kept = ("preprocess", "channels", "channels_b", "value_range", "value_range_b")
    same |= {name: getattr(data, name) for name in kept}
    if source is None:
        same["side_by_side"] = data.side_by_side
    if image_size is not None:
        return {**same, "image_size": image_size}
    return {**same, "load_size": data.load_size, "crop_size": data.crop_size}
