"""Kinds of parameters that commands share."""

import enum

import typer

MODEL_HELP = (
    "A run's folder, a .keras file, a folder of exported .keras files, a SavedModel (to translate "
    "only), or pretrained:earth or pretrained:scenes, which come with the package."
)


def choice(name, values):
    """An enumeration for typer, of which each value is its own name."""
    return enum.StrEnum(name, {value: value for value in values})


def option(text, panel=None, **others):
    """An option whose help says its default by itself."""
    return typer.Option(help=text, rich_help_panel=panel, show_default=False, **others)
