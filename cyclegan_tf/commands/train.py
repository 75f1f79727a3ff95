"""`cyclegan-tf train`, with the options of the system that --system names."""

import enum
import inspect
import pathlib
import types
import typing
from typing import Annotated

import typer
import typer.core

from cyclegan_tf.choices import TRACKERS, check
from cyclegan_tf.commands.parameters import choice, option
from cyclegan_tf.quiet_start import import_tensorflow
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import declared
from cyclegan_tf.runs.options import DataOptions, TrainingOptions, check_names, resolve

_DEFAULT = next(iter(SYSTEMS))


def system_asked(arguments):
    """The last system that a command line names, before parsing; the first system by default.

    Raises:
        InputError: there is no system of this name.
    """
    asked = _DEFAULT
    for argument, following in zip(arguments, [*arguments[1:], None]):
        flag, equals, value = argument.partition("=")
        name = value if equals else following
        if flag == "--system" and name is not None:
            check("system", name, SYSTEMS)
            asked = name
    return asked


def check_flags(arguments):
    """Raises an `InputError` for an option of a system other than the requested one."""
    system = system_asked(arguments)
    elsewhere = {name for other in SYSTEMS for name in declared(SYSTEMS[other].build)}
    flags = [each.partition("=")[0] for each in arguments if each.startswith("--")]
    names = [flag.removeprefix("--").replace("-", "_") for flag in flags]
    check_names([name for name in names if name in elsewhere], system)


class TrainCommand(typer.core.TyperCommand):
    """The command `train`, of which each system has a form with its own options."""

    def make_context(self, info_name, args, parent=None, **extra):
        check_flags(args)
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        alone.command("train")(train_function(system_asked(args)))
        return typer.main.get_command(alone).make_context(info_name, args, parent, **extra)


def train_function(system=_DEFAULT):
    """A function for typer whose signature has all options of a system's runs."""

    def train(**values):
        given = {n: v.value if isinstance(v, enum.Enum) else v for n, v in values.items()}
        out = given.pop("out")
        of_call = {name: given.pop(name) for name in ("restart", "allow_other_data")}
        log_to = [tracker.value for tracker in given.pop("log") or ()]
        options = resolve(**given)

        import_tensorflow()
        from cyclegan_tf.devices import run_directions_side_by_side
        from cyclegan_tf.runs.train import train as train_model

        run_directions_side_by_side()
        train_model(options, out, **of_call, log_to=log_to, log=typer.echo)
        typer.echo(f"Done. Open {out / 'index.html'}; the model is {out / 'model.keras'}.")

    parameters = _parameters(system)
    train.__signature__ = inspect.Signature(parameters)
    train.__annotations__ = {each.name: each.annotation for each in parameters}
    train.__doc__ = _help(system)
    return train


def _help(system):
    training = declared(TrainingOptions).values()
    may_change = ", ".join(one.flag for one in training if one.option.may_change)
    return (
        "Train a translator, or resume the run in --out.\n\n"
        "The same command again resumes a run that was stopped, exactly where it was; only "
        f"{may_change}, --log may change. `--system NAME --help` shows the options of another "
        f"system; these are those of {system}: {SYSTEMS[system].summary}."
    )


def _parameters(system):
    recipe = SYSTEMS[system]
    presets = list(recipe.presets)
    source = typer.Argument(
        help="A folder with trainA and trainB (or of domain A, see --domain-b), `scenes` "
        "(A: label maps, B: photographs), `earth` (A: satellite photographs, B: relief maps), or "
        "`tfds:` and a data set, such as tfds:cycle_gan/horse2zebra."
    )
    size = "Crop size, in pixels, with a load size in proportion 286:256"
    return [
        _parameter("source", str, source),
        _parameter("out", pathlib.Path, typer.Option(help="Folder that the run is written to.")),
        _parameter(
            "system",
            str,
            typer.Option(
                help="What is trained.",
                metavar=f"<{'|'.join(SYSTEMS)}>",
                show_default=_DEFAULT,
            ),
            system,
        ),
        _parameter(
            "preset",
            str | None,
            option(
                f"A set of options of the system; others override it (default: {presets[0]}).",
                metavar=f"<{'|'.join(presets)}>",
            ),
            None,
        ),
        *_of_section(DataOptions, "Images", recipe),
        _parameter("image_size", int | None, option(f"{size} (default: 256).", "Images"), None),
        *_of_section(recipe.build, f"System {system}", recipe),
        *_of_section(TrainingOptions, "Training", recipe),
        _parameter(
            "log",
            list[choice("Tracker", TRACKERS)] | None,
            option(
                "Where losses, scores and samples go too: `wandb` or `mlflow`, extras of these "
                "names; give it twice for both."
            ),
            None,
        ),
        _parameter(
            "restart",
            bool,
            typer.Option("--restart", help="Start over; the files of the run are removed."),
            False,
        ),
        _parameter(
            "allow_other_data",
            bool,
            typer.Option(
                "--allow-other-data",
                help="Resume although images were added, removed or renamed since.",
            ),
            False,
        ),
    ]


def _parameter(name, kind, of_typer, default=inspect.Parameter.empty):
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, of_typer]
    )


def _of_section(section, panel, recipe):
    """Parameters of declared options; all are None unless given, so that a preset can be seen."""
    usual = next(iter(recipe.presets.values()))
    if recipe.constant_rate:
        usual = {"decay_epochs": 0, **usual}
    return [
        _parameter(
            name,
            _kind(one) | None,
            option(f"{one.option.help} (default: {_default(one, usual)}).", panel),
            None,
        )
        for name, one in declared(section).items()
    ]


def _kind(one):
    """The type of an option for typer: an enumeration if it has choices, and never optional."""
    if one.option.choices:
        return choice(one.name.title().replace("_", ""), one.option.choices)
    if isinstance(one.type, types.UnionType):
        (kind,) = (each for each in typing.get_args(one.type) if each is not types.NoneType)
        return kind
    return one.type


def _default(one, preset):
    """What help says of an option that is not given, with the usual preset."""
    default = preset.get(one.name, one.default)
    if isinstance(default, bool):
        flag = one.name.replace("_", "-")
        return flag if default else f"no-{flag}"
    return one.said(default)
