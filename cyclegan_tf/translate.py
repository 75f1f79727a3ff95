"""The verb `translate`: picture files through a trained model."""

import dataclasses
import pathlib

from cyclegan_tf import files
from cyclegan_tf.choices import MAX_MEGAPIXELS
from cyclegan_tf.data import pictures
from cyclegan_tf.errors import InputError
from cyclegan_tf.translator import generator_of

_WITH_ALPHA = (".png", ".webp", ".tif", ".tiff")
_WITH_QUALITY = (".jpg", ".jpeg", ".webp")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one picture: `problem` is None if it was written to `output`."""

    input: pathlib.Path
    output: pathlib.Path
    problem: str | None = None


def translate(model, source, output, direction="ab", max_megapixels=MAX_MEGAPIXELS):
    """Translates a picture, or all pictures below a folder, one after the other.

    The results have the sizes, names and formats of the originals. A picture that cannot be read
    is passed over.

    Args:
        model: a system, such as a `CycleGAN`.
        source: a picture file, or a folder of them at any depth.
        output: a folder; for a single picture also a file name.
        direction: `"ab"` or `"ba"`.
        max_megapixels: larger pictures are passed over, because memory would run out.

    Returns:
        The number of pictures, and an iterator that translates one at a time and yields its
        `Outcome`.

    Raises:
        InputError: there are no such pictures, or `output` would overwrite them.
    """
    source, output = pathlib.Path(source), pathlib.Path(output)
    generator_of(model, direction)
    if not source.exists():
        raise InputError(f"{source} does not exist; expected a picture or a folder of pictures.")
    if source.is_dir():
        if output.exists() and not output.is_dir():
            raise InputError(f"{output} is a file; expected a folder to write pictures to.")
        jobs = [(path, output / path.relative_to(source)) for path in pictures.find(source)]
    elif output.suffix.lower() in pictures.SUFFIXES:
        jobs = [(source, output)]
    elif output.suffix and not output.is_dir():
        raise InputError(
            f"{output} has no ending of a picture; expected a folder or a name that ends in "
            f"{', '.join(pictures.SUFFIXES)}."
        )
    else:
        jobs = [(source, output / source.name)]
    if any(a.resolve() == b.resolve() for a, b in jobs):
        raise InputError(f"{output} would overwrite the originals; choose another place.")
    return len(jobs), (_outcome(model, *job, direction, max_megapixels) for job in jobs)


def _outcome(model, source, output, direction, max_megapixels):
    try:
        height, width = pictures.size(source)
        if height * width > max_megapixels * 1e6:
            raise InputError(
                f"{source} has {width} x {height} pixels, more than the {max_megapixels:g} "
                "megapixels that are allowed; make it smaller or raise --max-megapixels."
            )
        image = pictures.read(source, model.image_shape[-1])
        translated = pictures.encode(model.translate(image, direction))
        suffix = output.suffix.lower()
        if suffix not in _WITH_ALPHA:
            translated = translated.convert("L" if translated.mode == "L" else "RGB")
        with files.written_whole(output) as beside:
            translated.save(beside, **({"quality": 95} if suffix in _WITH_QUALITY else {}))
    except InputError as problem:
        return Outcome(source, output, str(problem))
    return Outcome(source, output)
