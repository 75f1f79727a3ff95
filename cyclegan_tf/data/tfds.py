"""Two splits of a TensorFlow Datasets data set."""

import contextlib
import os
import pathlib

import numpy as np
from PIL import Image

from cyclegan_tf.data import image_files
from cyclegan_tf.data.pipeline import Source, dataset
from cyclegan_tf.errors import InputError
from cyclegan_tf.extras import required
from cyclegan_tf.preprocessing import Preprocessing, by_domain, sizes_from

# TFDS makes 10 tries, doubling the pause: 3.5 minutes without a network. 5 tries take 6 seconds.
_TRIES = 5


def from_tfds(
    name,
    a=None,
    b=None,
    *,
    split="train",
    training=None,
    data_dir=None,
    preprocess="resize_and_crop",
    image_size=None,
    load_size=None,
    crop_size=None,
    flip=True,
    channels=3,
    batch_size=1,
    steps_per_epoch=None,
    seed=0,
    first_epoch=0,
):
    """Unpaired images from two splits of a TFDS data set, downloaded if necessary.

    The encoded images are held in memory (111 MB for horse2zebra).

    Args:
        name: of a data set with an image feature, such as `"cycle_gan/horse2zebra"`.
        a, b: TFDS split expressions of domains A and B, such as `"train[:50%]"`. By default
            those of the `cycle_gan` data sets, `<split>A` and `<split>B`.
        split: as in `folders`.
        data_dir: where TFDS keeps its data sets; its own default if `None`.

    The other arguments and the result are those of `folders`.

    Raises:
        InputError: the data set, a split or a download is missing.
        ImportError: tensorflow-datasets is not installed.
    """
    load_size, crop_size = sizes_from(image_size, load_size, crop_size, preprocess)
    preprocessing = Preprocessing(preprocess, load_size, crop_size, flip, channels)
    return dataset(
        *tfds_sources(name, a, b, split, data_dir, channels),
        preprocessing,
        training=split == "train" if training is None else training,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        seed=seed,
        first_epoch=first_epoch,
    )


def tfds_sources(name, a=None, b=None, split="train", data_dir=None, channels=3):
    """The two `Source`s of `from_tfds`."""
    channels = by_domain(channels)
    for number in channels:
        image_files.check_channels(number)
    builder = _prepared(name, data_dir)
    parts = (a or f"{split}A", b or f"{split}B")
    return [_source(builder, part, number) for part, number in zip(parts, channels)]


def labeled_images(name, split, count, image_size, data_dir=None):
    """Images in memory and their classes, of a TFDS data set such as `"mnist"`.

    Args:
        name: of a data set with one image feature and the feature `label`.
        split: TFDS split expression.
        count: the first ones, or all if there are fewer.
        image_size: side of the squares that the images become, in pixels.
        data_dir: where TFDS keeps its data sets; its own default if `None`.

    Returns:
        `(images, labels)`: uint8 `(count, image_size, image_size, 3)` and int64 `(count,)`.

    Raises:
        InputError: the data set or the split is missing, or it has no labels.
        ImportError: tensorflow-datasets is not installed.
    """
    builder = _prepared(name, data_dir)
    if "label" not in builder.info.features:
        raise InputError(f"{name} has no feature `label`.")
    examples, key = _examples(builder, split, count)
    size = (image_size, image_size)
    images = [image_files.read(example[key].numpy(), 3) for example in examples]
    images = [Image.fromarray(image).resize(size, Image.Resampling.BICUBIC) for image in images]
    labels = [int(example["label"]) for example in examples]
    return np.stack([np.asarray(image) for image in images]), np.array(labels)


def is_laid_down(name, data_dir=None):
    """Whether TFDS has a data set on the disk, so that it would not be downloaded."""
    root = data_dir or os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")
    if not (pathlib.Path(root).expanduser() / name).exists():
        return False  # without the seconds that an import takes
    return _import_tfds().builder(name, data_dir=data_dir).is_prepared()


def _import_tfds():
    tensorflow_datasets = required("tensorflow_datasets", "tfds", "from_tfds needs")
    if not hasattr(tensorflow_datasets, "builder"):  # it logs its own import errors and continues
        raise ImportError(
            "tensorflow-datasets is installed but does not import. Beside TensorFlow 2.19 it needs "
            "an older tensorflow-metadata: pip install 'tensorflow-metadata<1.18'"
        )
    return tensorflow_datasets


def _prepared(name, data_dir):
    tfds = _import_tfds()
    try:
        builder = tfds.builder(name, data_dir=data_dir)
    except (tfds.core.DatasetNotFoundError, tfds.core.registered.DatasetNotFoundError) as error:
        raise InputError(f"TFDS knows no data set {name!r}: {_first_line(error)}") from error
    except ValueError as error:  # an unknown configuration
        raise InputError(f"TFDS cannot load {name!r}: {_first_line(error)}") from error
    from tensorflow_datasets.core.download import util as download_errors
    from tensorflow_datasets.core.download.download_manager import NonMatchingChecksumError

    try:
        with _fewer_tries():
            builder.download_and_prepare()
    except (OSError, download_errors.DownloadError, NonMatchingChecksumError) as error:
        # TFDS looks into this folder before it downloads.
        manual = pathlib.Path(builder._data_dir_root).expanduser() / "downloads" / "manual"
        urls = ", ".join(sorted(u for u in builder.url_infos if _config(builder) in u))
        raise InputError(
            f"TFDS could not download {name} ({_first_line(error)}). On a machine that is "
            f"connected download {urls or 'its files'}, put it into {manual} and run this again."
        ) from error
    return builder


@contextlib.contextmanager
def _fewer_tries():
    """Context manager: TFDS gives up sooner, in its own download code, which knows proxies."""
    from tensorflow_datasets.core.download import downloader

    tries = getattr(downloader, "MAX_RETRIES", _TRIES)
    downloader.MAX_RETRIES = min(tries, _TRIES)
    try:
        yield
    finally:
        downloader.MAX_RETRIES = tries


def _config(builder):
    return builder.builder_config.name if builder.builder_config else ""


def _source(builder, split, channels):
    examples, key = _examples(builder, split)
    encoded = [example[key].numpy() for example in examples]
    return Source(
        f"{builder.name} {split}",
        lambda number, size: image_files.read(encoded[number], channels, size),
        [image_files.size(image) for image in encoded],
    )


def _examples(builder, split, count=-1):
    """The first examples of a split, or all, and the name of their feature of encoded images."""
    tfds = _import_tfds()
    keys = [key for key, f in builder.info.features.items() if isinstance(f, tfds.features.Image)]
    if len(keys) != 1:
        raise InputError(
            f"{builder.name} must have one image feature; it has {len(keys)}: {', '.join(keys)}."
        )
    try:
        examples = builder.as_dataset(split=split, decoders={keys[0]: tfds.decode.SkipDecoding()})
    except ValueError as error:
        raise InputError(
            f"{builder.name} has no split {split!r}; it has {', '.join(builder.info.splits)}."
        ) from error
    examples = list(examples.take(count))
    if not examples:
        raise InputError(f"The split {split!r} of {builder.name} holds no images.")
    return examples, keys[0]


def _first_line(error):
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else repr(error)
