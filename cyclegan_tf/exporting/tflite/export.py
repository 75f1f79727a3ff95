"""`export_tflite`: one generator as one file, with its facts inside and a report beside it."""

import importlib.metadata
import json
import numbers
import pathlib
import warnings

from cyclegan_tf import files
from cyclegan_tf.choices import QUANTIZATIONS, check
from cyclegan_tf.data.image_files import colors
from cyclegan_tf.directions import direction_of, generator_of
from cyclegan_tf.errors import InputError
from cyclegan_tf.exporting.tflite import interpreter, metadata
from cyclegan_tf.exporting.tflite.conversion import INPUT, OUTPUT, SIGNATURE
from cyclegan_tf.exporting.tflite.quantization import (
    CHOSEN_BY_IMAGES,
    NEED_OWN_IMAGES,
    Material,
    quantized,
)
from cyclegan_tf.exporting.tflite.quantizer import check_installed
from cyclegan_tf.exporting.tflite.report import contents, grid, measured, summary
from cyclegan_tf.exporting.tflite.representative import representative_images
from cyclegan_tf.networks.generators import size_multiple
from cyclegan_tf.networks.noise import draws_noise, without_noise
from cyclegan_tf.precision import in_precision
from cyclegan_tf.runs.options import is_folder, options_of

_SIDE = 256  # of the report's images, if neither the file nor the model has a size
_MOST_BYTES = 2**31  # of a tensor, whose size is a signed 32-bit integer


def export_tflite(
    model,
    path,
    direction=None,
    *,
    image_size=None,
    any_size=False,
    quantization="none",
    representative=None,
    run=None,
    with_options=True,
    report=True,
    log=None,
):
    """Writes one generator as a .tflite of builtin operators.

    Input `image` and output `translated` of its signature are float32 `(1, height, width,
    channels)` in [-1, 1], whatever the arithmetic inside. The file holds what a caller must know,
    as JSON (`cyclegan_tf.tflite.metadata.read`). Beside `x.tflite`, `x.report.json` has its size,
    its speed and its agreement with Keras, and `x.report.png` shows examples.

    Args:
        model: a system, such as a `CycleGAN`, or a `Translator`.
        path: of the file.
        direction: `"ab"` or `"ba"`; the first one of the model if `None`.
        quantization: `"none"`, `"float16"`, `"dynamic"`, `"int8"` or `"auto"`; see
            `cyclegan_tf.exporting.tflite.quantization`.
        representative: images of the domain that is translated, to measure ranges and agreement
            with Keras: a folder, the folder of a run for its training data, `"scenes"`, `"earth"`,
            or uint8 images `(height, width, channels)`. By default those of `run`; but scenes if
            they are a TFDS data set and only the report or the choice of `"dynamic"` needs them.
        image_size: a number for squares or `(height, width)`, multiples of what the network needs
            (4 for a ResNet); that of the training images if `None`.
        any_size: let callers resize the input. Slower, and not for every runtime.
        run: the folder of the run that the model comes from.
        with_options: put the options of the run into the file.
        report: measure, and write the report and its image grid; needs the extra `litert`.
        log: called with lines for the user.

    Returns:
        `path`.

    A network that draws noise, such as the U-Net of pix2pix, draws in the file as well: each call
    gives another image. Its report is about the same network without noise.

    Raises:
        InputError: the size is unknown or not one that the network keeps, there is no such
            direction or quantization, or the quantization needs images and has none.
        ImportError: `"dynamic"`, `"int8"` or `"auto"` without the extra `litert`.
    """
    path = pathlib.Path(path)
    direction = direction_of(model, direction)
    image_size = sides(image_size)
    size = checked_size(model, direction, image_size, any_size)
    _check(quantization, any_size)
    if quantization in CHOSEN_BY_IMAGES:
        check_installed()
    options = options_of(pathlib.Path(run)) if run else None
    report = report and _can_report()
    network = in_precision(generator_of(model, direction), "float32")
    images = None
    if report or quantization in CHOSEN_BY_IMAGES:
        at = tuple(side or _SIDE for side in image_size or model.image_shape[:2])
        channels = network.input_shape[-1]
        images = representative_images(
            representative, options, direction, at, channels, quantization in NEED_OWN_IMAGES
        )
        _check_own(images, quantization, options)
    # Noise would be measured as an error of the file: recipes are chosen, and reported on, without.
    drawing = draws_noise(network)
    material = Material(without_noise(network) if drawing else network, size, images)
    result = quantized(quantization, material)
    made = result.recipe.make(Material(network, size, images)) if drawing else result.model

    told = options if with_options else None
    facts = _facts(direction, network, size, quantization, result.recipe, told)
    content = metadata.with_facts(made, facts)
    with files.atomic_file(path) as beside:
        beside.write_bytes(content)
        for old in _report_paths(path):  # it is about the file that is replaced
            old.unlink(missing_ok=True)
    if report:
        _write_report(path, quantization, result, made, material, log or (lambda line: None))
    return path


def sides(image_size):
    """`(height, width)` of an image size, which may be one number for both, or `None`.

    Raises:
        InputError: it is neither.
    """
    if image_size is None:
        return None
    both = image_size if isinstance(image_size, (tuple, list)) else (image_size, image_size)
    if len(both) != 2 or not all(isinstance(side, numbers.Integral) for side in both):
        raise InputError(
            f"image_size must be an integer of pixels or (height, width). Received: {image_size!r}"
        )
    return tuple(map(int, both))


def checked_size(model, direction, image_size=None, any_size=False):
    """Height and width of a .tflite of a model's generator, `(None, None)` for any.

    Raises:
        InputError: they are unknown, or not sizes that the network keeps.
    """
    generator = generator_of(model, direction)
    height, width = sides(image_size) or model.image_shape[:2]
    own = generator.input_shape[1:3]
    if any_size and None not in own:
        raise InputError(f"The network takes only images of {own[0]} x {own[1]}, not any size.")
    if any_size and image_size is None:
        return None, None
    if height is None or width is None:
        raise InputError(
            "A .tflite has a fixed size, and the model has none; give one, such as --image-size "
            "256 (from Python: image_size=(256, 256))."
        )
    if None not in own and (height, width) != tuple(own):
        raise InputError(
            f"The network takes only images of {own[0]} x {own[1]}. Received: {height} x {width}"
        )
    multiple = size_multiple(generator)
    if min(height, width) < 8 or height % multiple or width % multiple:
        raise InputError(
            f"The sizes of a .tflite of this network must be multiples of {multiple} and at least "
            f"8 pixels. Received: {height} x {width}"
        )
    channels = max(generator.input_shape[-1], generator.output_shape[-1])
    if 4 * height * width * channels >= _MOST_BYTES:
        raise InputError(
            f"An image of {height} x {width} pixels is larger than a tensor of a .tflite can be; "
            "give a smaller --image-size and translate large images in parts."
        )
    return (None, None) if any_size else (height, width)


def _check(quantization, any_size):
    check("quantization", quantization, QUANTIZATIONS)
    if any_size and quantization in NEED_OWN_IMAGES:
        raise InputError(
            f"The quantization {quantization} is measured for one size; leave any_size out, or "
            "take none, float16 or dynamic."
        )


def _check_own(images, quantization, options):
    if quantization in NEED_OWN_IMAGES and images.lacking:
        or_run = "" if options else "; or export a run's folder, which knows its own"
        raise InputError(
            f"The quantization {quantization} needs images like those that will be translated "
            f"({images.lacking.rstrip('.')}); give a folder of them: --representative FOLDER, in "
            f"Python representative=…{or_run}."
        )


def _can_report():
    if interpreter.is_installed():
        return True
    warnings.warn(
        "No report is written beside the .tflite: that needs LiteRT, pip install "
        "'cyclegan-tf[litert]'.",
        stacklevel=3,
    )
    return False


def _facts(direction, network, size, quantization, recipe, options):
    """What a caller must know, and the origin of the network; see `export/mobile/README.md`."""
    channels, output_channels = network.input_shape[-1], network.output_shape[-1]
    sizes = f"any multiples of {size_multiple(network)} from 8 on" if None in size else "fixed"
    tensor = {"dtype": "float32", "range": [-1, 1], "layout": "NHWC"}
    return {
        "made_by": f"cyclegan_tf {importlib.metadata.version('cyclegan-tf')}",
        "direction": direction,
        "signature": SIGNATURE,
        "input": {"name": INPUT, "shape": [1, *size, channels], **tensor},
        "output": {"name": OUTPUT, "shape": [1, *size, output_channels], **tensor},
        "sizes": sizes,
        "size_multiple": size_multiple(network),
        "channels": colors(channels),
        "output_channels": colors(output_channels),
        "pixel_to_value": "pixel / 127.5 - 1",
        "value_to_pixel": "round((value + 1) * 127.5), cut to 0 ... 255",
        "quantization": quantization,
        "draws_noise": draws_noise(network),
        "recipe": {"name": recipe.name, "arithmetic": recipe.arithmetic},
        "training": options and _public(options),
    }


def _public(options):
    """Options of a run, without the folders of its images: the file may be shared."""
    public = {"system": options.system, **options.values()}
    del public["domain_b"]
    if is_folder(options.data.source):
        del public["source"]
    return public


def _report_paths(path):
    return path.with_suffix(".report.json"), path.with_suffix(".report.png")


def _write_report(path, quantization, result, made, material, log):
    expected = material.expected(material.images.test)
    found, outputs = measured(result.model, material.float_model, material.images, expected)
    found = {
        "file": path.name,
        "quantization": quantization,
        "recipe": result.recipe.name,
        "arithmetic": result.recipe.arithmetic,
        "tried": result.tried,
        "size_bytes": path.stat().st_size,
        "noise": "none" if made is result.model else "drawn by the file, not in this report",
        **found,
        **contents(made),
    }
    path_of_text, path_of_grid = _report_paths(path)
    files.write_text(path_of_text, json.dumps(found, indent=2) + "\n")
    with files.atomic_file(path_of_grid) as beside:
        grid(material.images, expected, outputs).save(beside)
    log(f"{path.name}: {summary(found)}")
