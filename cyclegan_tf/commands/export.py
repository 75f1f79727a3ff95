"""`cyclegan-tf export`: trained generators as files that other programs read."""

import pathlib
from typing import Annotated

import typer

from cyclegan_tf import choices
from cyclegan_tf.commands.parameters import MODEL_HELP, choice, option
from cyclegan_tf.errors import InputError
from cyclegan_tf.quiet_start import import_tensorflow
from cyclegan_tf.runs.options import options_of

Directions = choice("Directions", (*choices.DIRECTIONS, "both"))
Precision = choice("Precision", choices.POLICIES)
Quantization = choice("Quantization", choices.QUANTIZATIONS)


def export(
    model: Annotated[pathlib.Path, typer.Argument(help=MODEL_HELP)],
    out: Annotated[
        pathlib.Path | None,
        typer.Argument(help="Folder to write to; with --web it can be left out."),
    ] = None,
    direction: Annotated[Directions, typer.Option(help="Which generators.")] = Directions.both,
    image_size: Annotated[
        int | None,
        option("Side of the .tflite's images, in pixels (default: that of the training images)."),
    ] = None,
    web: Annotated[
        pathlib.Path | None,
        option("Folder to fill with a web page that translates on the visitor's device."),
    ] = None,
    domains: Annotated[
        tuple[str, str] | None,
        option("What that page calls the two domains, such as: horses zebras."),
    ] = None,
    examples: Annotated[
        tuple[pathlib.Path, pathlib.Path] | None,
        option("An image of each domain that visitors of the page can begin with."),
    ] = None,
    precision: Annotated[
        Precision | None,
        option(
            "Precision of the SavedModel and .keras: bfloat16 is for servers that have it in "
            "hardware (default: float32).",
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
            help="Write only a .keras of each generator, a fraction of the run's model.keras, for "
            "`translate`, `export` and Keras.",
        ),
    ] = False,
    quantization: Annotated[
        Quantization | None,
        option(
            "Quantization of the .tflite: `dynamic` has int8 weights, a quarter of the size, and "
            "is for phones; `int8` is for NPUs; `auto` takes the smallest that looks right "
            "(all three need the extra litert) (default: none).",
        ),
    ] = None,
    representative: Annotated[
        str | None,
        option(
            "Images to measure the .tflite and to choose its quantization with: a folder, "
            f"{' or '.join(f'`{name}`' for name in choices.BUILT_IN)} (default: the run's own).",
        ),
    ] = None,
    any_size: Annotated[
        bool,
        typer.Option(
            "--any-size",
            help="A .tflite whose input callers may resize, to sizes that suit its network.",
        ),
    ] = False,
    torch: Annotated[
        bool,
        typer.Option(
            "--torch",
            help="Write checkpoints of the official PyTorch CycleGAN instead (needs the extra "
            "torch).",
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
    from cyclegan_tf.runs.pretrained import model_path

    loaded = load(model)
    directions = (direction.value,) if direction != Directions.both else tuple(loaded.generators)
    if len(directions) > 1 and representative is not None:
        _check_of_both_domains(representative)
    of_tflite = {
        "quantization": quantization.value if quantization else "none",
        "representative": representative,
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
            image_size=image_size,
            precision=precision.value if precision else "float32",
            kinds=made - {"web"},
            run=model,
            log=typer.echo,
            **({**of_tflite, "any_size": any_size} if "tflite" in made else {}),
        ).values()
    for path in paths:
        typer.echo(path)
    if web:
        from cyclegan_tf.exporting.web import export_web

        names = {"domains": domains or ("A", "B"), "examples": examples or (None, None)}
        run = model_path(model) if model_path(model).is_dir() else None
        made = export_web(
            loaded, web, directions, image_size=image_size, run=run, **names, **of_tflite
        )
        typer.echo(made)


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
    for name, kinds in _EXPORT_OPTIONS.items():
        if name in given and not kinds & made:
            raise InputError(
                f"--{name.replace('_', '-')} is for {' and '.join(sorted(kinds))}; this command "
                f"writes {' and '.join(sorted(made))}."
            )
    return made


def _check_of_both_domains(representative):
    path = pathlib.Path(representative)
    whole = (path / "trainA").is_dir() or options_of(path) is not None
    missing = not path.is_dir() or not any(path.iterdir())  # which is said later
    if representative not in choices.BUILT_IN and not whole and not missing:
        raise InputError(
            f"--representative {representative} holds images of one domain; say which generator "
            "takes them by --direction ab or --direction ba."
        )
