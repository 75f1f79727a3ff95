"""The model card: `README.md` beside exported files, which says what they are and how good.

It has the form that model hubs read: Markdown after a head in YAML. Each statement is read from
the run that the model comes from, or from the model itself; what neither says is called unknown.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib

from cyclegan_tf import files
from cyclegan_tf.directions import generator_of
from cyclegan_tf.exporting.card_scores import (
    beaten,
    by_direction,
    measures_in,
    scores_of,
    scores_section,
)
from cyclegan_tf.exporting.markdown import plain
from cyclegan_tf.exporting.stored_weights import FRACTION_BITS
from cyclegan_tf.exporting.usage import usage
from cyclegan_tf.networks.generators import size_multiple
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import declared
from cyclegan_tf.runs import summary
from cyclegan_tf.runs.domains import DomainNames, domain_names
from cyclegan_tf.runs.folder import RunFolder, run_of
from cyclegan_tf.runs.logs import finished_rows
from cyclegan_tf.runs.machine import read_machine
from cyclegan_tf.runs.options import RunOptions, is_folder
from cyclegan_tf.runs.pretrained import FOLDER, is_pretrained, model_path
from cyclegan_tf.runs.scores_by_epoch import ScoresFile
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES

FILE = "README.md"
_NEW_FILE = "README.new.md"  # beside one that somebody has edited
_SEAL = "<!-- export replaces this card as long as it is unchanged: sha256 {} -->\n"
_FILL_IN = "not known to this package, fill in"
# Of the models that come with this package.
LICENSE = ("apache-2.0", "License of the model: Apache-2.0, as that of cyclegan_tf.")
_NO_RECIPE = ("evaluate_every", "keep_every", "checkpoint_minutes")  # which teach nothing
_STORED = {
    "float32": "weights are float32",
    "float16": "weights are stored as float16",
    "rounded": f"weights are stored as float16, rounded to {FRACTION_BITS['rounded']} bits",
}
_MEANT = {
    "keras": "for `cyclegan_tf`, which reads it by `cyclegan_tf.load`, and for Keras after "
    "`import cyclegan_tf`",
    "saved_model": "a SavedModel, for TensorFlow and TF Serving",
    "tflite": "for LiteRT, as on phones",
    "onnx": "for onnxruntime and others",
}


@dataclasses.dataclass(frozen=True)
class Origin:
    """The run that a model comes from, as far as it is known.

    Attributes:
        model: path of the model's file; of the run's folder for its last one; `None` if unknown.
        run: `RunFolder`, or `None`.
        options: `RunOptions`, or `None`.
        which: `"last"`, `"best"` or the number of an epoch; `None` if the run is not known.
        names: `DomainNames`.
    """

    model: pathlib.Path | None = None
    run: RunFolder | None = None
    options: RunOptions | None = None
    which: str | int | None = None
    names: DomainNames = dataclasses.field(default_factory=DomainNames)


def origin_of(path):
    """The `Origin` of a model.

    Args:
        path: of a run's folder, or of a model in one, or `pretrained:` and a name; `None` for a
            model of another origin.
    """
    path = None if path is None else model_path(path)
    run = None if path is None else run_of(path)
    which = run and ("last" if path.is_dir() else run.model_of(path))
    options = run.options() if which else None
    if options is None:
        return Origin(path)
    return Origin(path, run, options, which, domain_names(options))


def write_card(out, model, written, run=None, log=None, **facts):
    """Writes the card of exported files to `README.md` in their folder.

    A card that somebody has edited is kept, and so is another `README.md`; then the new one is
    `README.new.md`.

    Args:
        out: the folder.
        model: the system or `Translator` that was exported.
        written: paths in it by kind and direction, as `export` returns them.
        run: path of the run's folder that the model comes from, or of its file there.
        log: called with a line if there is a `README.md` that is kept.
        **facts: further arguments of `card`.

    Returns:
        The path of the card.
    """
    path = pathlib.Path(out) / FILE
    if path.exists() and not _is_unchanged(path):
        kept, path = path, path.with_name(_NEW_FILE)
        if log:
            log(f"{kept} is not as export wrote it and is kept; the new card is {path}.")
    text = card(model, _named(written, pathlib.Path(out)), origin_of(run), **facts)
    files.write_text(path, text + _SEAL.format(_digest(text)))
    return path


def _named(written, out):
    """The paths of files as seen from their folder, with the files themselves."""
    return {
        key: (path, pathlib.Path(path).resolve().relative_to(out.resolve()).as_posix())
        for key, path in written.items()
    }


def _digest(text):
    return hashlib.sha256(text.encode("utf-8", errors="replace")).hexdigest()


def _is_unchanged(path):
    text = path.read_text(encoding="utf-8", errors="replace")
    above, found, digest = text.rpartition(_SEAL.partition("{}")[0])
    return bool(found) and digest == _SEAL.format(_digest(above)).removeprefix(found)


def card(model, written, origin, *, address=".", license=None, weights="float32"):
    """The text of a card.

    Args:
        model: see `write_card`.
        written: paths and names in the folder, `(path, name)` by kind and direction.
        origin: `Origin`.
        address: what `cyclegan_tf.load` takes to load the `.keras` files.
        license: of the model, a short name and a sentence; by default it is unknown, but that of
            this package for its own.
        weights: how the `.keras` files store them.
    """
    directions = list(dict.fromkeys(direction for _, direction in written))
    scored = scores_of(origin)
    if license is None and origin.run and origin.run.path.parent == FOLDER:
        license = LICENSE
    name, sentence = license or ("unknown", f"License of the model: {_FILL_IN}.")
    sections = {
        "What it translates": _translated(model, directions, origin),
        "How to use it": _used(model, written, address, weights),
        "Data": _data(origin),
        "Recipe": _recipe(origin),
        "Scores": scores_section(scored, origin),
        "Limits": _limits(scored, origin),
        "License": [sentence, _license_of_data(origin)],
    }
    parts = [_head(model, origin, name), f"# {_first_large(_title(directions, origin))}"]
    for title, paragraphs in sections.items():
        parts += [f"## {title}", *paragraphs]
    version = importlib.metadata.version("cyclegan-tf")
    parts.append(f"Written by cyclegan_tf {version} from the files of the run.")
    return "\n\n".join(filter(None, parts)) + "\n\n"


def _head(model, origin, license):
    """The front matter. JSON strings are YAML."""
    system = origin.options.system if origin.options else type(model).__name__.lower()
    tags = ["image-to-image", "cyclegan_tf", *([] if system == "translator" else [system])]
    if origin.options:
        tags.append("paired" if SYSTEMS[system].paired else "unpaired")
    lines = [f"license: {json.dumps(license)}", "library_name: keras"]
    lines += ["pipeline_tag: image-to-image", "tags:"]
    return "\n".join(["---", *lines, *(f"- {json.dumps(tag)}" for tag in tags), "---"])


def _title(directions, origin):
    if len(directions) == 1:
        return plain(origin.names.of_direction(directions[0]))
    return plain(f"{origin.names.of('a')} ⇄ {origin.names.of('b')}")


def _first_large(text):
    return text[:1].upper() + text[1:]


def _translated(model, directions, origin):
    height, width, channels = model.image_shape
    size = f"images of {width} × {height} pixels" if height and width else "images"
    known = origin.options is not None or (height and width)
    trained = f"It was trained on {size}, {summary.colors_of(channels)}."
    return [
        "\n".join(_networks(model, directions, origin.names)),
        trained if known else "The size of the images that it was trained on is not known.",
        "In Python with this package, images are uint8 in [0, 255], or floats in [-1, 1]; so are "
        "translations. The networks themselves take and give float32 in [-1, 1]: "
        "`pixel / 127.5 - 1`.",
    ]


def _networks(model, directions, names):
    """What each network takes and gives."""
    for direction in directions:
        network = generator_of(model, direction)
        taken, given = (
            summary.colors_of(shape[-1]) for shape in (network.input_shape, network.output_shape)
        )
        height, width = network.input_shape[1:3]
        sizes = f"images of {width} × {height} pixels only"
        if None in (height, width):
            sizes = f"images of any size; sides that are no multiple of {size_multiple(network)} "
            sizes += "are padded meanwhile"
        count = f"{network.count_params():,} weights"
        domains = plain(names.of_direction(direction))
        yield f"- `{direction}`: {domains}. {count}; from {taken} to {given}; {sizes}."


def _used(model, written, address, weights):
    """A list of the files, and Python for one file of each kind."""
    lines = []
    for (kind, direction), (_, name) in written.items():
        stored = f"; {_STORED[weights]}" if kind == "keras" else ""
        lines.append(f"- `{name}`: {direction}, {_MEANT[kind]}{stored}.")
    paragraphs = ["\n".join(lines)]
    examples = {}
    for (kind, direction), (path, name) in written.items():
        if kind not in examples:
            file = address if kind == "keras" else name
            title, code = usage(kind, direction, path, file, generator_of(model, direction))
            place = "" if is_pretrained(file) else ", run in this folder"
            examples[kind] = f"{title}{place}", code
    for title, code in examples.values():
        paragraphs += [f"{title}:", f"```python\n{code}```"]
    return paragraphs


def _data(origin):
    options = origin.options
    if options is None:
        return ["Which images it was trained on is not known."]
    data = options.data
    if data.source in BUILT_IN_SOURCES:
        found = BUILT_IN_SOURCES[data.source]
        a, b = found.domains
        return [
            f"`{data.source}`: {found.described}, a data set of cyclegan_tf. "
            f"{found.count:,} {a} (A) and {found.count:,} {b} (B) of training, "
            f"{_relation(options)}; those of tests are others."
        ]
    counts = (read_machine(origin.run.machine) or {}).get("images")
    counted = "Their number was not recorded."
    if counts:
        counted = f"{counts['a']:,} images of A and {counts['b']:,} of B, {_relation(options)}."
    return [f"{' and '.join(map(plain, _own_names(data)))}. {counted}"]


def _own_names(data):
    """What the user's images are called, without the folders above: a card is to be shared."""
    if not is_folder(data.source):
        return [data.source]
    return [pathlib.Path(each).name for each in (data.source, data.domain_b) if each]


def _relation(options):
    return "paired" if SYSTEMS[options.system].paired else "unpaired"


def _license_of_data(origin):
    source = origin.options and origin.options.data.source
    if source in BUILT_IN_SOURCES:
        return f"Images of training: {BUILT_IN_SOURCES[source].license}"
    return f"License of the images of training: {_FILL_IN}."


def _recipe(origin):
    options = origin.options
    if options is None:
        return ["How it was trained is not known."]
    done = _epochs_done(origin.run)
    found = summary.terms(origin.run, options, origin.names, done)
    paper = SYSTEMS[options.system].paper
    changed = summary.said_of_changes(_without_folders(options))
    lines = {
        "System": f"{options.system}, {paper}",
        "Options that differ from the paper's": changed,
        "Preprocessing": _preprocessing(options.data),
        "Epochs": found["Epochs"],
        "These weights": _weights(origin, done),
        "Seed": str(options.training.seed),
    }
    lines |= {
        name: found[name] for name in ("Time", "Processor", "Devices", "Precision") if name in found
    }
    return ["\n".join(f"- {name}: {plain(text)}" for name, text in lines.items())]


def _epochs_done(run):
    """By the log of losses, or where that was not kept by the machine's."""
    if rows := finished_rows(run.log):
        return int(rows[-1]["epoch"]) + 1
    entries = (read_machine(run.machine) or {}).get("epochs", [])
    return max((entry["epoch"] for entry in entries if entry["steps"]), default=0)


def _without_folders(options):
    """The options of training that differ from the paper's; of files only the names."""
    of_system = declared(SYSTEMS[options.system].build)
    return {
        name: pathlib.Path(value).name
        if name in of_system and of_system[name].option.names is not None
        else value
        for name, value in summary.changed(options).items()
        if name not in _NO_RECIPE
    }


def _preprocessing(data):
    if data.source in BUILT_IN_SOURCES:
        return f"images are made at {data.crop_size} pixels" + ", mirrored at random" * data.flip
    return f"{data.preprocess}, load size {data.load_size}, crop size {data.crop_size}" + (
        ", mirrored at random" * data.flip
    )


def _weights(origin, done):
    """Of which epoch the exported weights are."""
    if origin.which == "best":
        best = ScoresFile(origin.run.evaluations).best
        text = "of the best epoch" + (f", {best}" if best else "")
    elif origin.which == "last":
        text = "of the last epoch" + (f", {done}" if done else "")
    else:
        text = f"of epoch {origin.which}"
    momentum = origin.options.training.ema_momentum
    return text + (f"; a moving average with momentum {momentum:g}" if momentum else "")


def _limits(scored, origin):
    known = "on the images named above only" if origin.options else "on images that are not known"
    lines = [
        f"It was trained {known}. How it translates others, or other sizes, was not measured.",
        "A translation is made up to look like the other domain. It is no measurement, and may "
        "show what is not there.",
    ]
    if origin.options and not SYSTEMS[origin.options.system].paired:
        lines.append(
            "In the CycleGAN paper colors and textures translated well, and changes of shape "
            "mostly failed."
        )
    for direction, found in by_direction(scored or {}).items():
        if better := list(beaten(found, measures_in(scored["protocol"]))):
            lines.append(f"`{direction}`: {'; '.join(better)}.")
    if not scored:
        lines.append("How good these very weights are was not measured.")
    return ["\n".join(f"- {line}" for line in lines)]
