"""What a run's page says of the run: what was trained, on what, how far and for how long."""

import html

from cyclegan_tf.runs.machine import read_machine
from cyclegan_tf.runs.options import declared_options, is_folder
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES

# What the facts name beside the options that differ from their defaults.
_SAID_ELSEWHERE = {"domain_b", "load_size", "crop_size", "channels", "direction", "epochs"}
_SAID_ELSEWHERE |= {"decay_epochs", "steps_per_epoch", "precision", "preprocess"}
_COLORS = {1: "gray", 3: "RGB", 4: "RGBA"}
_ARITHMETIC = {"amx_bf16": "AMX", "avx512_bf16": "AVX-512 BF16"}


def facts(folder, options, names, epochs_done):
    """HTML: what was trained, as a list of `terms`, of which it takes the arguments."""
    found = terms(folder, options, names, epochs_done)
    entries = "".join(
        f"<dt>{term}</dt><dd>{html.escape(text)}</dd>" for term, text in found.items()
    )
    return f'<h2>What was trained</h2><dl class="facts">{entries}</dl>' if entries else ""


def terms(folder, options, names, epochs_done):
    """What was trained: texts by what they are about, as far as it is known.

    Args:
        folder: `RunFolder`.
        options: `RunOptions`, or `None`.
        names: `DomainNames`.
        epochs_done: their number.
    """
    machine = read_machine(folder.machine)
    found = {}
    if options is not None:
        found |= _of_options(options, names)
        found["Epochs"] = f"{epochs_done:,} of {options.training.epochs:,} done"
    if machine is not None:
        found |= _of_machine(machine, found.get("Epochs"))
    return found


def _of_options(options, names):
    data, found = options.data, {"System": options.system}
    found["Options"] = said_of_changes(changed(options))
    found["Images"] = " and ".join(filter(None, (data.source, data.domain_b)))
    if data.source in BUILT_IN_SOURCES:
        found["Images"] += f", {BUILT_IN_SOURCES[data.source].described}"
    if names.a:
        found["Domains"] = f"{names.of('a')} and {names.of('b')}"
    if direction := options.model.get("direction"):
        found["Direction"] = names.of_direction(direction)
    found["Size"] = f"{data.crop_size} × {data.crop_size} pixels, {colors_of(data.channels)}"
    if is_folder(data.source):
        found["Size"] += f", by {data.preprocess}"
        if "resize" in data.preprocess or "scale" in data.preprocess:
            found["Size"] += f" from {data.load_size}"
    return found


def colors_of(channels):
    """What images of so many channels are."""
    return _COLORS.get(channels, f"{channels} channels")


def changed(options):
    """The options that differ from those of the system's paper: values in words, by name."""
    known, values = declared_options(options.system), options.values()
    return {
        name: one.said(values[name])
        for name, one in known.items()
        if name not in _SAID_ELSEWHERE and values[name] != one.default
    }


def said_of_changes(changes):
    """What `changed` found, in a line."""
    listed = ", ".join(f"{name} {value}" for name, value in changes.items())
    return f"{listed}; others as by default" if listed else "all as by default"


def _of_machine(machine, epochs):
    """From what a `MachineLog` wrote; a value that is missing is left out."""
    found, steps, seconds = {}, machine.get("steps"), machine.get("seconds")
    if steps and epochs:
        found["Epochs"] = f"{epochs}, {steps:,} steps"
    if seconds:
        found["Time"] = f"{duration(seconds)} of training"
        if steps:
            found["Time"] += f", {seconds / steps:.2g} s a step"
    first = min((entry["epoch"] for entry in machine.get("epochs", [])), default=1)
    if first > 1 and found:  # an earlier version, which kept none, had begun the run
        found["Time"] = f"{found.get('Time', '')} (from epoch {first} on)"
    if machine.get("processor"):
        flags = machine.get("bfloat16") or []
        able = f"with {_ARITHMETIC.get(flags[0], flags[0])}" if flags else "without bfloat16"
        cores = machine.get("cores")
        found["Processor"] = f"{machine['processor']}, {cores} cores, {able}"
    devices = [device for device in machine.get("devices") or [] if device != "CPU"]
    if devices:
        found["Devices"] = ", ".join(devices)
    if machine.get("precision"):
        found["Precision"] = machine["precision"]
    return found


def duration(seconds):
    """`1 h 5 min` of 3,900: the two largest units."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((number for number, (value, _) in enumerate(parts) if value), len(parts) - 1)
    return " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2])
