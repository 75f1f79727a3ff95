"""Image files: finding them in a folder, checking them, and reading their pixels."""

import contextlib
import dataclasses
import functools
import io
import os
import pathlib
import stat
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageCms, ImageOps

from cyclegan_tf import files
from cyclegan_tf.data.deep_image import QUARTER_TURNS
from cyclegan_tf.errors import InputError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}

# Above this Pillow suspects a file made to exhaust memory; 16,384 x 10,922 pixels, for example.
MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 2**27)

_ORIENTATION = 0x0112  # of EXIF

# An image decoded at reduced scale keeps this many pixels for each of the final ones.
_LEAST_LEFT = 4

# sRGB profiles differ from each other by this much, in steps of 1/255.
_ROUNDING_OF_A_PROFILE = 2

# Files that file managers write beside the user's, in lower case; others begin with "._".
_OF_SYSTEMS = (".ds_store", "thumbs.db", "desktop.ini")

# What the last bytes of a complete file of each format hold.
_ENDINGS = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b"\x3b"}


def colors(channels):
    """Name of a channel layout in exported files, which keep the British "grey"."""
    return {1: "grey", 3: "RGB", 4: "RGBA"}.get(channels, f"{channels} channels")


@dataclasses.dataclass(frozen=True)
class Found:
    """The contents of a folder and its subfolders.

    Attributes:
        paths: of the files with an image suffix, sorted.
        problems: an `InputError` for each folder that cannot be opened, by its path.
        others: paths of the other files, except those that operating systems write.
    """

    paths: list[pathlib.Path]
    problems: dict[pathlib.Path, InputError]
    others: list[pathlib.Path]

    def passed_over(self):
        """A sentence about the files with other names; `None` if there are none."""
        if len(self.others) == 1:
            return f"1 file is skipped because of its name: {self.others[0]}."
        if self.others:
            return (
                f"{len(self.others)} files are skipped because of their names, such as "
                f"{self.others[0]}."
            )


def find(folder, left_out=None, suffixes=SUFFIXES):
    """All image files below a folder, at any depth.

    Linked folders are followed. Each folder counts once, however many links lead to it.

    Args:
        folder: a path.
        left_out: a folder to skip.
        suffixes: of images, in lower case.

    Returns:
        `Found`, with at least one path.

    Raises:
        InputError: there is no such folder, or it has no image.
    """
    folder = pathlib.Path(folder)
    if not files.is_folder(folder, "a folder of images"):
        raise InputError(f"{folder} is a file; expected a folder of images.")
    errors, paths, others = [], [], []
    for parent, names in _folders(folder, left_out, errors.append):
        for name in names:
            named_as_image = name.lower().endswith(suffixes) and not name.startswith(".")
            if named_as_image:
                paths.append(pathlib.Path(parent, name))
            elif not (name.lower() in _OF_SYSTEMS or name.startswith("._")):
                others.append(pathlib.Path(parent, name))
    problems = {
        pathlib.Path(error.filename): files.unreadable(error.filename, error) for error in errors
    }
    if not paths and problems:
        raise next(iter(problems.values()))
    if not paths:
        raise InputError(
            f"{folder} holds no images; expected files that end in {', '.join(suffixes)}."
        )
    return Found(sorted(paths), problems, sorted(others))


def _folders(folder, left_out, onerror):
    """The paths of a folder and those below, each with the names of its files.

    Links are followed last, so that a folder keeps its own path if it has one in here.
    """
    seen = set() if left_out is None else {os.path.realpath(left_out)}
    starts = [folder]
    while starts:
        links = []
        for start in starts:
            for parent, folders, names in os.walk(start, onerror=onerror):
                place = os.path.realpath(parent)
                if place in seen:
                    folders.clear()
                    continue
                seen.add(place)
                below = [os.path.join(parent, name) for name in sorted(folders)]
                links += [path for path in below if os.path.islink(path)]
                yield parent, names
        starts = links


def readable(paths, size_or_problem=None):
    """The readable ones of `paths`, and their sizes.

    Unreadable ones are left out with one warning that names them.

    Args:
        paths: of image files.
        size_or_problem: from a path to the size of the image, or to the InputError that says why
            it cannot be read; if not as `read` reads.

    Returns:
        A list of paths and a list of `(height, width)`.

    Raises:
        InputError: none of them can be read.
    """
    with warnings.catch_warnings(), ThreadPoolExecutor() as pool:
        warnings.simplefilter("ignore")  # Pillow's, of odd metadata and of large sizes
        sizes = list(pool.map(size_or_problem or size_or_problem_of, paths))
    problems = [problem for problem in sizes if isinstance(problem, InputError)]
    if len(problems) == len(paths):
        if len(paths) == 1:
            raise problems[0]
        raise InputError(f"None of the {len(paths)} images can be read. The first: {problems[0]}")
    if problems:
        shown = " ".join(str(problem) for problem in problems[:5])
        more = f" And {len(problems) - 5} more." if len(problems) > 5 else ""
        warnings.warn(
            f"{len(problems)} of {len(paths)} images cannot be read and are left out. "
            f"{shown}{more}",
            stacklevel=2,
        )
    kept = [(p, s) for p, s in zip(paths, sizes) if not isinstance(s, InputError)]
    return [path for path, _ in kept], [size for _, size in kept]


def read(file, channels=3, resized_to=None):
    """The pixels of an image, uint8 `(height, width, channels)`, upright.

    The camera's orientation tag is applied, colors of an embedded ICC profile become those of
    sRGB, 16-bit values are scaled to 8 bits, palettes are looked up, and with fewer than 4
    channels transparent pixels are drawn on white. For an animation the first frame is used.
    Metadata is not kept.

    Args:
        file: a path, or the bytes of an encoded image.
        channels: 1 (gray), 3 (RGB) or 4 (RGBA).
        resized_to: `(height, width)` that the image will be resized to. A JPEG with many more
            pixels is decoded at 1/2, 1/4 or 1/8 of its size, in a fraction of the time. After
            `resize` it differs by less than 1/255 (mean over the image).

    Raises:
        InputError: the file cannot be read; the message names it.
    """
    check_channels(channels)
    with _opened(file) as image:
        if resized_to is not None and image.format == "JPEG":
            _reduce(image, resized_to)
        profile = image.info.get("icc_profile")
        image = _of_8_bits(ImageOps.exif_transpose(image), file)
        if profile:
            image = _in_srgb(image, profile)
        pixels = np.asarray(_converted(image, channels))
    return pixels.reshape(*pixels.shape[:2], channels)


def check_channels(channels):
    """Raises an InputError for a number of channels that image files cannot have."""
    if channels not in CHANNELS:
        raise InputError(
            f"Image files of 8 bits have 1, 3 or 4 channels, not {channels}; for others use TIFF "
            "or .npy files, or arrays by cyclegan_tf.data.arrays."
        )


def size(file):
    """`(height, width)` of an image as `read` would return it, from its header if possible."""
    with _opened(file) as image:
        if image.format == "TIFF" or (image.format == "PNG" and "exif" in image.info):
            # Releases of Pillow differ in what the header of these says.
            return ImageOps.exif_transpose(image).size[::-1]
        # Asking a PNG for its tags would decode it.
        turned = image.format != "PNG" and image.getexif().get(_ORIENTATION) in QUARTER_TURNS
        return (image.width, image.height) if turned else (image.height, image.width)


def resize(pixels, height, width):
    """Bicubic and antialiased, as the reference implementation resizes.

    uint8 in and out, or float32 in [-1, 1] in and out: what the filter overshoots is clipped.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    if pixels.shape[-1] == 3 and pixels.dtype == np.uint8:
        image = Image.fromarray(pixels)
        return np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
    resized = [
        Image.fromarray(np.ascontiguousarray(channel)).resize(
            (width, height), Image.Resampling.BICUBIC
        )
        for channel in np.moveaxis(pixels, -1, 0)
    ]
    resized = np.stack(resized, axis=-1)
    return resized if pixels.dtype == np.uint8 else np.clip(resized, -1, 1)


def is_animated(file):
    """Whether there are more frames, or pages, than the first, which `read` takes."""
    with _opened(file) as image:
        # The other parts of an MPO, which cameras name .jpg, are previews and depth maps.
        return image.format != "MPO" and getattr(image, "is_animated", False)


def format_of(suffix):
    """Pillow's name of the format that files of a suffix have: `"JPEG"` for `".jpg"`."""
    Image.init()
    return Image.EXTENSION[suffix.lower()]


def to_pillow(pixels):
    """A Pillow image of uint8 pixels `(height, width, 1, 3 or 4)`.

    Raises:
        InputError: there is another number of channels.
    """
    check_channels(pixels.shape[-1])
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


# What Pillow's decoders raise for damaged files.
_DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    struct.error,
    zlib.error,
)


@contextlib.contextmanager
def _opened(file):
    """Opens an image; any error from Pillow becomes an InputError."""
    name = "The image" if isinstance(file, bytes) else str(file)
    try:
        if not isinstance(file, bytes) and not stat.S_ISREG(os.stat(file).st_mode):
            # Opening a pipe would wait for its other end.
            raise InputError(f"{name} is not a regular file; expected an image.")
        with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
            if image.width * image.height > MAX_PIXELS:
                raise InputError(
                    f"{name} has {image.width} x {image.height} pixels, more than the "
                    f"{MAX_PIXELS / 1e6:.0f} million that are read; make it smaller."
                )
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{name} does not exist; expected an image.") from None
    except Image.UnidentifiedImageError:
        raise InputError(f"{name} is not an image that can be read, whatever its name.") from None
    except Image.DecompressionBombError as error:
        raise InputError(f"{name} is too large to be read: {error}") from None
    except _DECODER_ERRORS as error:
        if getattr(error, "errno", None):  # of the system, not of Pillow
            raise files.unreadable(name, error) from None
        raise InputError(f"{name} is damaged and cannot be read: {error}.") from None


def _reduce(image, resized_to):
    """Decodes a JPEG at reduced scale if enough resolution remains."""
    # On each side, whatever the orientation tag.
    least = _LEAST_LEFT * max(resized_to)
    for scale in (8, 4, 2):
        # A side that is not a multiple would be rounded up, which shifts the image.
        if min(image.size) >= scale * least and not (image.width % scale or image.height % scale):
            image.draft(None, (image.width // scale, image.height // scale))
            return


def _of_8_bits(image, file):
    """The image with plain 8-bit values: no palette, no other dtype."""
    if image.mode in ("I;16", "I;16B", "I;16L", "I;16N", "I"):
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray(np.uint8(np.clip((values + 128) // 257, 0, 255)))
    if image.mode == "F":
        raise InputError(
            f"{file} holds floating-point values of unknown range; save it in 8 or 16 bits."
        )
    if image.mode in ("LA", "PA", "La", "RGBa") or "transparency" in image.info:
        return image.convert("RGBA")
    if image.mode in ("1", "P"):
        return image.convert("L" if image.mode == "1" else "RGB")
    return image


def _in_srgb(image, profile):
    """The image in sRGB; unchanged if the profile is broken or of another color space."""
    transform = _transform_to_srgb(image.mode, profile)
    return image if transform is None else transform.apply(image)


@functools.lru_cache(maxsize=32)
def _transform_to_srgb(mode, profile):
    """The transform from an ICC profile to sRGB; `None` if there is none or none is needed."""
    into = "RGBA" if mode == "RGBA" else "RGB"
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            into,
        )
    except (ImageCms.PyCMSError, OSError):
        return None
    if mode not in ("RGB", "RGBA"):
        return transform
    # Most photographs have an sRGB profile already: their values are not rounded again.
    levels = np.uint8(np.arange(0, 256, 15))
    colors = Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3))
    moved = np.int16(transform.apply(colors.convert(mode)).convert("RGB")) - np.asarray(colors)
    return transform if np.abs(moved).max() > _ROUNDING_OF_A_PROFILE else None


def _converted(image, channels):
    if image.mode == "RGBA" and channels < 4:
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(CHANNELS[channels])


def size_or_problem_of(path):
    """The size of an image, or the InputError that says why it cannot be read."""
    try:
        found = size(path)
        if not _looks_complete(path):
            read(path)  # decides: some good files carry other data after their end
        return found
    except InputError as problem:
        return problem


def _looks_complete(path):
    """Whether the file ends as its format requires: finds truncated files without decoding them."""
    with Image.open(path) as image:
        ending = _ENDINGS.get(image.format)
    if ending is None:
        return False
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 16))
        return ending in file.read()
