"""A web page that translates images on the visitor's own device."""

import importlib.resources
import json
import pathlib

from cyclegan_tf import files
from cyclegan_tf.data import image_files
from cyclegan_tf.directions import direction_of, from_domain, generator_of, number_of, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.exporting import npm
from cyclegan_tf.exporting.tflite.export import export_tflite, sides

_CORE = npm.Package(
    "@litertjs/core",
    "2.5.3",
    "sha512-PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
)
_WASM_UTILS = npm.Package(
    "@litertjs/wasm-utils",
    "2.5.3",
    "sha512-4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
)
# A visitor downloads one of them: for browsers of today, with threads, and for older browsers.
_BUILDS = ("litert_wasm_internal", "litert_wasm_threaded_internal", "litert_wasm_compat_internal")

# The page itself is `export/web/` of the sources; a wheel holds it under this name.
_SOURCES = "cyclegan_tf.web_sources"
_SUFFIXES = (".html", ".css", ".js", ".svg")

_DESCRIPTION_FILE = "models.json"
_NOTICE_FILE = "litert/NOTICE"
_LICENSE_FILE = "litert/LICENSE"
_NOTICE = f"""LiteRT.js {_CORE.version}, Copyright Google LLC, from the npm packages
{_CORE.name} and {_WASM_UTILS.name}.
Licensed under the Apache License 2.0; see the file LICENSE beside this one.
One line is changed: core.js imports wasm-utils.js by its path.
"""


def export_web(
    model,
    out,
    directions=None,
    *,
    image_size=None,
    domains=("A", "B"),
    examples=(None, None),
    quantization="none",
    representative=None,
    run=None,
):
    """Fills a folder with a page that translates images in the browser, for any static server.

    The page, its models and its runtime, LiteRT.js, are in the folder; nothing comes from
    elsewhere, and no image leaves the device. LiteRT.js (12 MB) is downloaded from the npm
    registry once and kept; see `cyclegan_tf.exporting.npm.read`.

    Args:
        model: a system, such as a `CycleGAN`, or a `Translator`.
        out: the folder. It appears complete or not at all. An earlier page there is replaced, if
            nothing else is in the folder.
        directions: `("ab",)`, `("ba",)` or both; all that the model has if `None`.
        image_size: that images are scaled to, a number for squares or `(height, width)`; see
            `export_tflite`.
        domains: what the page calls A and B, such as `("horses", "zebras")`.
        examples: paths of an image of A and one of B for visitors to begin with, or `None`.
        quantization: see `export_tflite`; `"dynamic"` makes the download a quarter as large.
        representative: images that quantizations measure with; see `export_tflite`.
        run: the folder of the run that the model comes from, only for its images: its options
            are not written to files that are published.

    Returns:
        The path of its `index.html`.

    Raises:
        InputError: `out` holds something else, a network does not take and give images of 1, 3
            or 4 channels or of that size, an example cannot be read, a quantization lacks its
            images, or LiteRT.js cannot be had.
        ImportError: `"dynamic"`, `"int8"` or `"auto"` without the extra `litert`.
    """
    out = pathlib.Path(out)
    _refuse_other_folders(out)
    if len(domains) != 2 or len(examples) != 2:
        raise InputError(
            "domains and examples are pairs, one for A and one for B. "
            f"Received: domains={domains!r}, examples={examples!r}"
        )
    directions = tuple(directions or model.generators) or (direction_of(model),)
    channels = {direction: _channels(model, direction) for direction in directions}
    examples = {
        direction: _read_example(examples, direction, channels[direction]["channels"])
        for direction in directions
    }
    of_tflite = {
        "image_size": sides(image_size),
        "quantization": quantization,
        "representative": representative,
        "run": run,
        "with_options": False,
    }
    runtime = _runtime()
    with files.atomic_folder(out) as folder:
        models = [
            {
                **_write_model(model, folder, direction, of_tflite),
                **channels[direction],
                **_write_names(folder, direction, domains, examples[direction]),
            }
            for direction in directions
        ]
        for name, content in {**_page(), **runtime}.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_bytes(content)
        description = {
            "domains": list(domains),
            "models": models,
            "runtime_bytes": {name: len(content) for name, content in runtime.items()},
            "files": sorted([_DESCRIPTION_FILE, *_names_below(folder)]),
        }
        files.write_text(folder / _DESCRIPTION_FILE, json.dumps(description, indent=2) + "\n")
    return out / "index.html"


def _refuse_other_folders(out):
    """Raises an InputError if the page would replace anything but an earlier page."""
    files.check_folder(out)
    known = _names_of_page(out)
    folder = out.resolve()
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    other = next((name for name in names if name not in known), None)
    if other is not None:
        raise InputError(
            f"{out} holds {other}, which the models.json of an earlier page there does not list "
            "and a new page would remove; choose another folder, and copy the page from there."
        )


def _names_of_page(folder):
    """The files and folders that a page lists as its own; none if there is no page."""
    try:
        description = json.loads((folder / _DESCRIPTION_FILE).read_text(encoding="utf-8"))
        paths = [pathlib.PurePosixPath(name) for name in description["files"]]
    except (OSError, ValueError, LookupError, TypeError):
        return set()
    return {str(name) for path in paths for name in (path, *path.parents)}


def _names_below(folder):
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()]


def _channels(model, direction):
    """Channels of a generator's inputs and outputs, in the page's terms."""
    generator = generator_of(model, direction)
    channels = {
        "channels": generator.input_shape[-1],
        "output_channels": generator.output_shape[-1],
    }
    if not set(channels.values()) <= set(image_files.CHANNELS):
        raise InputError(
            "A web page has images of 1, 3 or 4 channels. Received: a generator "
            f"{direction} from {channels['channels']} to {channels['output_channels']} channels"
        )
    return channels


def _read_example(examples, direction, channels):
    path = examples[number_of(from_domain(direction))]
    return None if path is None else image_files.read(path, channels)


def _write_model(model, folder, direction, of_tflite):
    """Writes a .tflite; returns what the page has to know to run it."""
    path = folder / f"generator_{direction}.tflite"
    export_tflite(model, path, direction, report=False, **of_tflite)
    return {
        "direction": direction,
        "file": path.name,
        "bytes": path.stat().st_size,
        "size": list(of_tflite["image_size"] or model.image_shape[:2]),
    }


def _write_names(folder, direction, domains, example):
    """Writes the example for a direction; returns what visitors see of it."""
    source, target = (domains[number_of(of(direction))] for of in (from_domain, to_domain))
    names = {"label": f"{source} → {target}"}
    if example is not None:
        names["example"] = f"example_{from_domain(direction)}.png"
        image_files.to_pillow(example).save(folder / names["example"])
    return names


def _page():
    """The files of the page: their bytes by name."""
    sources = importlib.resources.files(_SOURCES).iterdir()
    return {file.name: file.read_bytes() for file in sources if file.name.endswith(_SUFFIXES)}


def _runtime():
    """LiteRT.js: bytes by path within the page's folder.

    Its modules are used as they are, without a bundler. One of them imports the other by its
    package name, which a browser cannot resolve. An import map does not reach the worker that
    the page computes in, so the name becomes a path.
    """
    names = [f"{build}.{suffix}" for build in _BUILDS for suffix in ("js", "wasm")]
    wanted = [f"wasm/{name}" for name in names]
    read = npm.read({_CORE: ["dist/index.js", *wanted], _WASM_UTILS: ["dist/index.js"]})
    core, *builds = read[_CORE]
    (utils,) = read[_WASM_UTILS]
    bare = f'"{_WASM_UTILS.name}"'.encode()
    assert core.count(bare) == 1
    return {
        "litert/core.js": core.replace(bare, b'"./wasm-utils.js"'),
        "litert/wasm-utils.js": utils,
        _NOTICE_FILE: _NOTICE.encode(),
        # Also of this project; the npm packages name it and hold no copy.
        _LICENSE_FILE: (importlib.resources.files(_SOURCES) / "LICENSE").read_bytes(),
        **{f"litert/{name}": content for name, content in zip(names, builds)},
    }
