"""The command line: one thin function per subcommand."""

import errno
import importlib.metadata
import os
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
from cyclegan_tf.commands.edges import edges
from cyclegan_tf.commands.evaluate import evaluate
from cyclegan_tf.commands.export import export
from cyclegan_tf.commands.import_checkpoints import import_checkpoints
from cyclegan_tf.commands.reproduce import reproduce
from cyclegan_tf.commands.study import study
from cyclegan_tf.commands.style import style
from cyclegan_tf.commands.train import TrainCommand, train_function
from cyclegan_tf.commands.translate import translate
from cyclegan_tf.errors import InputError, TrainingDiverged
from cyclegan_tf.quiet_start import import_tensorflow
from cyclegan_tf.recipes import SYSTEMS

app = typer.Typer(
    help="Image-to-image translation: two folders of images in, a translator out.",
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


app.command("train", cls=TrainCommand)(train_function())
app.command("translate")(translate)
app.command("evaluate")(evaluate)
app.command("study")(study)
app.command("export")(export)
app.command("import")(import_checkpoints)
app.command("style")(style)
app.command("edges")(edges)
app.command("reproduce")(reproduce)


@app.command()
def systems():
    """List the systems that `train --system` takes."""
    for name, recipe in SYSTEMS.items():
        typer.echo(f"{name}: {recipe.summary}")
        typer.echo(f"    published   {recipe.paper}")
        typer.echo(f"    images      {'paired' if recipe.paired else 'unpaired'}")
        typer.echo(f"    translates  {'one way, --direction' if recipe.one_way else 'both ways'}")
        typer.echo(f"    presets     {', '.join(recipe.presets)}")
        if recipe.step_cost:
            time, memory = recipe.step_cost
            typer.echo(f"    a step      {time:g} of CycleGAN's time, {memory:g} of its memory")
    typer.echo(
        "\nSteps of one image of each domain, 128 pixels, with the published networks: see "
        "benchmarks/README.md."
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


_INTERRUPTED = "\nInterrupted; what was written so far is complete."
_NO_MEMORY = "Memory ran out; use smaller images, batches or networks."


def main():
    """Runs the command line: 2 for bad input, 3 for divergence, 130 for Ctrl-C, no traceback."""
    warnings.showwarning = _say_warning
    if hasattr(sys.stdout, "reconfigure"):  # names of files may hold what stdout cannot write
        sys.stdout.reconfigure(errors="backslashreplace")
    before = signal.signal(signal.SIGINT, _interrupt)
    try:
        app()
    except _Interrupted:
        typer.echo(_INTERRUPTED, err=True)
        sys.exit(130)
    except InputError as error:
        _fail(str(error))
    except TrainingDiverged as error:
        _fail(str(error), status=3)
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


def _interrupt(_, frame):
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            # Within an import the exception may be lost, or be answered by another one.
            os.write(2, f"{_INTERRUPTED}\n".encode())
            os._exit(130)
        frame = frame.f_back
    raise _Interrupted


def _tensorflow_errors():
    """The class of TensorFlow's own errors; empty if it was not imported."""
    tensorflow = sys.modules.get("tensorflow")
    return tensorflow.errors.OpError if tensorflow else ()


def _cannot_write(error):
    """HDF5 says so only in the message."""
    numbers = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EFBIG, errno.EBUSY)
    return error.errno in numbers or "No space left" in str(error)


def _fail(sentence, status=2):
    typer.echo(f"cyclegan-tf: {sentence}", err=True)
    sys.exit(status)


def _say_warning(message, category, *_, **__):
    """Prints each `UserWarning` in one line, without the source line; drops other categories."""
    if category is UserWarning:
        typer.echo(f"Warning: {message}", err=True)


if __name__ == "__main__":
    main()
