"""The command line: one thin function per subcommand."""

import enum
import errno
import importlib.metadata
import pathlib
import platform
import re
import signal
import sys
import warnings
from typing import Annotated

import typer

# Nothing here imports TensorFlow, which would delay help and error messages by seconds: each
# command imports what it needs.
from cyclegan_tf import choices
from cyclegan_tf.commands.train import check_flags, system_asked, train_command
from cyclegan_tf.errors import InputError
from cyclegan_tf.quiet_start import import_tensorflow
from cyclegan_tf.runs.options import options_of

app = typer.Typer(
    help="Unpaired image-to-image translation: two folders of images in, a translator out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted):
    if wanted:
        names = ("cyclegan-tf", "tensorflow", "keras")
        versions = [f"{name} {importlib.metadata.version(name)}" for name in names]
        typer.echo(", ".join((*versions, f"python {platform.python_version()}")))
        raise typer.Exit


@app.callback()
def _options_of_all_commands(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print versions."),
    ] = False,
):
    pass


def _choice(name, values):
    return enum.StrEnum(name, {value: value for value in values})


NumberFormat = _choice("NumberFormat", choices.POLICIES)
Direction = _choice("Direction", choices.DIRECTIONS)
Directions = _choice("Directions", (*choices.DIRECTIONS, "both"))
Quantization = _choice("Quantization", choices.QUANTIZATIONS)

app.command("train")(train_command(system_asked(sys.argv)))


def _option(panel, text):
    return typer.Option(help=text, rich_help_panel=panel, show_default=False)


@app.command()
def translate(
    model: Annotated[pathlib.Path, typer.Argument(help="A run's folder or a .keras file.")],
    input: Annotated[pathlib.Path, typer.Argument(help="An image or a folder of images.")],
    output: Annotated[
        pathlib.Path, typer.Argument(help="Folder to write to, or a file for a single image.")
    ],
    direction: Annotated[Direction, typer.Option(help="A to B or B to A.")] = Direction.ab,
    max_megapixels: Annotated[
        float | None,
        _option(
            None,
            "Larger images are skipped, in millions of pixels (default: what fits into "
            f"memory, {choices.MAX_MEGAPIXELS:g} at most).",
        ),
    ] = None,
):
    """Translate images; the results keep sizes, names and formats."""
    import_tensorflow()
    from cyclegan_tf.runs.load import load
    from cyclegan_tf.translation.image_folders import translate as translate_files

    loaded = load(model)
    count, outcomes = translate_files(
        loaded, input, output, direction.value, max_megapixels, log=_say_aside
    )
    translated, failed, outcome = 0, False, None
    with typer.progressbar(outcomes, length=count, label="Translating", file=sys.stderr) as bar:
        for outcome in bar:
            translated += outcome.problem is None
            failed |= outcome.problem is not None
            if line := outcome.problem or outcome.note:
                _say_aside(f"\n{line}")
    where = outcome.output if count == 1 and not input.is_dir() else output
    typer.echo(f"{translated} of {count} images translated to {where}.")
    if failed:
        raise typer.Exit(1)


def _say_aside(line):
    typer.echo(line, err=True)


@app.command()
def export(
    model: Annotated[pathlib.Path, typer.Argument(help="A run's folder or a .keras file.")],
    out: Annotated[
        pathlib.Path | None,
        typer.Argument(help="Folder to write to; with --web it can be left out."),
    ] = None,
    direction: Annotated[Directions, typer.Option(help="Which generators.")] = Directions.both,
    image_size: Annotated[
        int | None,
        _option(
            None, "Side of the .tflite's images, in pixels (default: that of the training images)."
        ),
    ] = None,
    web: Annotated[
        pathlib.Path | None,
        _option(None, "Folder to fill with a web page that translates on the visitor's device."),
    ] = None,
    domains: Annotated[
        tuple[str, str] | None,
        _option(None, "What that page calls the two domains, such as: horses zebras."),
    ] = None,
    examples: Annotated[
        tuple[pathlib.Path, pathlib.Path] | None,
        _option(None, "An image of each domain that visitors of the page can begin with."),
    ] = None,
    precision: Annotated[
        NumberFormat | None,
        _option(
            None,
            "Precision of the SavedModel and .keras: bfloat16 is for servers that have it in hardware "
            "(default: float32).",
        ),
    ] = None,
    tflite: Annotated[
        bool, typer.Option("--tflite", help="Write only the .tflite, with its report.")
    ] = False,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="Write only an .onnx (needs the extra onnx).")
    ] = False,
    keras: Annotated[
        bool,
        typer.Option(
            "--keras",
            help="Write only a .keras of each generator, a tenth of the run's model.keras, for "
            "`translate`, `export` and Keras.",
        ),
    ] = False,
    quantization: Annotated[
        Quantization | None,
        _option(
            None,
            "Quantization of the .tflite: `dynamic` has int8 weights, a quarter of the size, and is for "
            "phones; `int8` is for NPUs; `auto` takes the smallest that looks right "
            "(all three need the extra litert) (default: none).",
        ),
    ] = None,
    representative: Annotated[
        str | None,
        _option(
            None,
            "Images to measure the .tflite and to choose its quantization with: a folder or "
            "`scenes` (default: the run's own).",
        ),
    ] = None,
    any_size: Annotated[
        bool, typer.Option("--any-size", help="A .tflite whose input callers may resize.")
    ] = False,
    torch: Annotated[
        bool,
        typer.Option(
            "--torch",
            help="Write checkpoints of the official PyTorch CycleGAN instead (needs the extra torch).",
        ),
    ] = False,
):
    """Write a SavedModel (any size) and a .tflite (one size) of each direction, or what is named.

    Beside each .tflite are a report (size, speed, agreement with Keras) and an image grid.
    """
    given = {name: value for name, value in locals().items() if value}
    made = _kinds_to_export(given)

    import_tensorflow()
    from cyclegan_tf.runs.load import load

    loaded = load(model)
    directions = (direction.value,) if direction != Directions.both else tuple(loaded.generators)
    if len(directions) > 1 and representative is not None:
        _check_of_both_domains(representative)
    of_tflite = {
        "quantization": quantization.value if quantization else "none",
        "representative": representative,
        "run": model if model.is_dir() else None,
    }
    paths = []
    if torch:
        from cyclegan_tf.interop import torch_weights

        paths = torch_weights.save_networks(loaded, out, directions)
    elif out:
        from cyclegan_tf.exporting.export import export as export_model

        paths = export_model(
            loaded,
            out,
            directions,
            image_size,
            precision.value if precision else "float32",
            made - {"web"},
            **({**of_tflite, "any_size": any_size, "log": typer.echo} if "tflite" in made else {}),
        ).values()
    for path in paths:
        typer.echo(path)
    if web:
        from cyclegan_tf.exporting.web import export_web

        names = {"domains": domains or ("A", "B"), "examples": examples or (None, None)}
        typer.echo(export_web(loaded, web, directions, image_size, **names, **of_tflite))


# The kinds of files that each option of `export` applies to.
_EXPORT_OPTIONS = {
    "image_size": {"tflite", "web"},
    "quantization": {"tflite", "web"},
    "representative": {"tflite", "web"},
    "any_size": {"tflite"},
    "precision": {"saved_model", "keras"},
    "domains": {"web"},
    "examples": {"web"},
}


def _kinds_to_export(given):
    """What the options of `export` ask for; raises an InputError if they conflict."""
    named = {kind for kind in ("tflite", "onnx", "keras", "torch") if kind in given}
    if "torch" in named and len(named) > 1:
        raise InputError(
            "--torch writes checkpoints of the official PyTorch CycleGAN instead; export twice."
        )
    if "out" not in given and (named or "web" not in given):
        raise InputError("A folder to write to is missing: cyclegan-tf export MODEL OUT.")
    made = named or (set(choices.USUAL_KINDS) if "out" in given else set())
    made |= {"web"} & set(given)
    for option, kinds in _EXPORT_OPTIONS.items():
        if option in given and not kinds & made:
            raise InputError(
                f"--{option.replace('_', '-')} is for {' and '.join(sorted(kinds))}; this command "
                f"writes {' and '.join(sorted(made))}."
            )
    return made


def _check_of_both_domains(representative):
    path = pathlib.Path(representative)
    whole = (path / "trainA").is_dir() or options_of(path) is not None
    missing = not path.is_dir() or not any(path.iterdir())  # which is said later
    if representative != "scenes" and not whole and not missing:
        raise InputError(
            f"--representative {representative} holds images of one domain; say which generator "
            "takes them by --direction ab or --direction ba."
        )


@app.command("import")
def import_(
    source: Annotated[
        pathlib.Path,
        typer.Argument(
            help="A generator's .pth file, such as latest_net_G_A.pth, or the folder of a run "
            "with the four of G_A, G_B, D_A and D_B."
        ),
    ],
    out: Annotated[pathlib.Path, typer.Argument(help="The .keras file to write; a new one.")],
    epoch: Annotated[
        str | None, _option(None, "For a run: which of its checkpoints (default: latest).")
    ] = None,
    image_size: Annotated[
        int | None,
        _option(None, "For a run: side of the training images, in pixels (default: 256)."),
    ] = None,
):
    """Read checkpoints of the official PyTorch CycleGAN (needs the extra torch)."""
    import_tensorflow()
    from cyclegan_tf.interop import torch_weights

    model = torch_weights.import_checkpoints(source, out, epoch, image_size)
    typer.echo(
        f"{out} holds a {type(model).__name__ if source.is_dir() else model.name} of "
        f"{model.count_params():,} parameters, for `translate` and `export`."
    )


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    options_metavar="[OPTIONS] -- COMMAND…",
)
def launch(
    context: typer.Context,
    workers: Annotated[int, typer.Option(help="Processes.")] = 2,
    restarts: Annotated[
        int, typer.Option(help="Maximum number of restarts after a worker fails.")
    ] = 3,
):
    """Try out several machines on this one: `cyclegan-tf launch --workers 2 -- train …`."""
    from cyclegan_tf.training.launch import launch as launch_workers

    raise typer.Exit(launch_workers(context.args, workers, restarts, log=typer.echo))


@app.command()
def demo(
    out: Annotated[pathlib.Path, typer.Option(help="Folder of the run; replaced.")] = pathlib.Path(
        "runs/demo"
    ),
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
):
    """Train on built-in street scenes for a few minutes, score, export, write a page."""
    import_tensorflow()
    from cyclegan_tf.devices import run_directions_side_by_side
    from cyclegan_tf.experiments.demo import demo as run_demo

    run_directions_side_by_side()
    run_demo(out, seed, log=typer.echo)


_NO_MEMORY = "Memory ran out; use smaller images, batches or networks."


def main():
    """Runs the command line: 2 for input that cannot be used, 130 for Ctrl-C, no traceback."""
    warnings.showwarning = _say_warning
    if hasattr(sys.stdout, "reconfigure"):  # names of files may hold what stdout cannot write
        sys.stdout.reconfigure(errors="backslashreplace")
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        if sys.argv[1:2] == ["train"]:
            check_flags(sys.argv)
        app()
    except _Interrupted:
        typer.echo("\nInterrupted; what was written so far is complete.", err=True)
        sys.exit(130)
    except InputError as error:
        _fail(str(error))
    except _tensorflow_errors() as error:  # raised when the data set reads an image
        message = error.message or ""
        if sentence := re.search(r"InputError: (.+)", message):
            _fail(sentence.group(1))
        if full := re.search(r"No space left on device|File too large", message):
            _fail(f"The output cannot be written: {full.group()}.")
        if type(error).__name__ == "ResourceExhaustedError":
            _fail(_NO_MEMORY)
        raise
    except MemoryError:
        _fail(_NO_MEMORY)
    except OSError as error:
        if not _cannot_write(error):
            raise
        place = error.filename or "The output"
        _fail(f"{place} cannot be written: {error.strerror or str(error).splitlines()[0]}.")
    except UnicodeEncodeError as error:
        if not re.search("[\udc80-\udcff]", error.object):  # how Python holds such bytes
            raise
        _fail(f"{error.object!a} is not a name in UTF-8, which this needs; choose another name.")
    except ImportError as error:
        if "pip install" not in str(error):
            raise
        _fail(str(error))
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)  # None was set by C code


class _Interrupted(BaseException):
    """Ctrl-C. Not KeyboardInterrupt, which typer would catch and call "Aborted"."""


def _interrupt(*_):
    raise _Interrupted


def _tensorflow_errors():
    """The class of TensorFlow's own errors; empty if it was not imported."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow.errors.OpError if tensorflow else ()


def _cannot_write(error):
    """HDF5 says so only in the message."""
    numbers = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EBUSY)
    return error.errno in numbers or "No space left" in str(error)


def _fail(sentence):
    typer.echo(f"cyclegan-tf: {sentence}", err=True)
    sys.exit(2)


def _say_warning(message, category, *_, **__):
    """Prints each `UserWarning` in one line, without the source line; drops other categories."""
    if category is UserWarning:
        typer.echo(f"Warning: {message}", err=True)


if __name__ == "__main__":
    main()
