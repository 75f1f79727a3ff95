"""The options of a run, in sections; reading and writing them in a run's folder."""

import dataclasses
import json
import os
from typing import Annotated

from cyclegan_tf.choices import (
    BUILT_IN,
    PRECISIONS,
    PREPROCESS,
    SIDE_BY_SIDE,
    STRATEGIES,
    TFDS,
    check,
)
from cyclegan_tf.errors import InputError
from cyclegan_tf.intensity_range import is_of_folder, parsed, recorded
from cyclegan_tf.preprocessing import sizes_from
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.recipes.option import Option, declared

OPTIONS_FILE = "options.json"
_VERSION = 2  # of options.json; 1 had no sections and no system but CycleGAN


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """Which images, and how they become training images.

    Attributes:
        source: a folder, a name in `cyclegan_tf.choices.BUILT_IN`, or `tfds:` and the name of a
            TFDS data set. `resolve` and `options_of` give folders as absolute paths. Links in them
            stay, so that a run follows a link that is moved to another disk.

    The others explain themselves; see `cyclegan_tf.data.Preprocessing`. Built-in images are made
    at `crop_size`.
    """

    source: str
    domain_b: Annotated[str | None, Option("Folder of domain B", "none")] = None
    side_by_side: Annotated[
        str,
        Option(
            "Each file in SOURCE/train and SOURCE/test holds both images: `ab` if that of A is on "
            "the left, `ba` if that of B is",
            choices=SIDE_BY_SIDE,
        ),
    ] = "none"
    preprocess: Annotated[str, Option("How images become training images", choices=PREPROCESS)] = (
        "resize_and_crop"
    )
    load_size: Annotated[int | None, Option("Side before the crop, in pixels", "286")] = None
    crop_size: Annotated[
        int | None, Option("Side of the training images, in pixels", "256", least=1)
    ] = None
    flip: Annotated[bool, Option("Mirror half of the images")] = True
    channels: Annotated[
        int, Option("1 (gray), 3 (RGB), 4 (RGBA), or others of TIFF and .npy files")
    ] = 3
    channels_b: Annotated[
        int | None,
        Option("Channels of domain B, for systems without networks of both", "--channels", least=1),
    ] = None
    value_range: Annotated[
        str | None,
        Option(
            "Which values of images of more than 8 bits become -1 and 1: LOW:HIGH, percentiles "
            "such as 0.1%:99.9% of all images, or 0.1%:99.9%/image of each",
            "all of the type; a DICOM's window",
        ),
    ] = None
    value_range_b: Annotated[
        str | None, Option("The same for domain B, if it differs", "--value-range")
    ] = None
    # What training found: `{"a": {"low": […], "high": […], "dtype": …}, "b": …}`, a number for all
    # channels or one for each; `None` before, and if all images have 8 bits.
    measured_ranges: dict | None = None

    @property
    def channels_by_domain(self):
        """One number for both domains, or those of A and of B."""
        return self.channels if self.channels_b is None else (self.channels, self.channels_b)

    @property
    def value_ranges(self):
        """The rules of `cyclegan_tf.intensity_range` of A and of B."""
        texts = {"a": self.value_range, "b": self.value_range_b or self.value_range}
        return tuple(self._rule(domain, text) for domain, text in texts.items())

    def _rule(self, domain, text):
        rule = parsed(text)
        if self.measured_ranges and is_of_folder(rule):
            return recorded(self.measured_ranges[domain])
        return rule


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """How long, how fast and on which devices a run trains, whatever its system."""

    learning_rate: Annotated[float, Option("Learning rate of all optimizers", above=0)] = 2e-4
    epochs: Annotated[int, Option("Epochs in all", least=1, may_change=True)] = 200
    decay_epochs: Annotated[
        int | None,
        Option("The last epochs, in which the rate falls", "half of --epochs", may_change=True),
    ] = None
    steps_per_epoch: Annotated[
        int | None, Option("Steps in an epoch", "images of the larger domain / batch", least=1)
    ] = None
    ema_momentum: Annotated[
        float,
        Option(
            "Momentum of the moving average that the generators' weights end with, such as 0.999; "
            "0 turns it off",
            least=0,
            below=1,
        ),
    ] = 0.0
    batch_size: Annotated[
        int,
        Option("Pairs of images in a step for each device of --strategy", least=1, may_change=True),
    ] = 1
    gradient_accumulation_steps: Annotated[
        int, Option("Steps whose gradients are accumulated for one update", least=1)
    ] = 1
    remat: Annotated[
        bool,
        Option(
            "Compute the networks twice to use less memory; not with batch normalization or "
            "dropout, as in a U-Net",
            may_change=True,
        ),
    ] = False
    seed: Annotated[int, Option("Seed of all randomness", least=0, below=2**31)] = 0
    precision: Annotated[
        str,
        Option(
            "`auto` is bfloat16 or float16 where processor or GPU multiply it faster, else float32",
            choices=PRECISIONS,
        ),
    ] = "auto"
    strategy: Annotated[
        str,
        Option(
            "Devices: `auto` takes the machines that TF_CONFIG lists, else a TPU, else all GPUs, "
            "else one device",
            choices=STRATEGIES,
            may_change=True,
        ),
    ] = "auto"
    checkpoint_minutes: Annotated[
        float, Option("Minutes between two checkpoints", least=0, may_change=True)
    ] = 10.0
    keep_every: Annotated[
        int,
        Option(
            "Epochs between those whose networks are kept in OUT/epochs, for `translate` and "
            "`export`; 0 keeps none",
            least=0,
            may_change=True,
        ),
    ] = 0
    evaluate_every: Annotated[
        int | None,
        Option(
            "Epochs between evaluations on held-back images, which find the best one; 0 for none",
            "as often as 3 % of the time allow",
            least=0,
            may_change=True,
        ),
    ] = None


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """The options of a run, as written to its `options.json`.

    Attributes:
        system: a name in `cyclegan_tf.recipes.SYSTEMS`.
        data, training: options that every system has.
        model: keyword arguments of the recipe's `build`.
    """

    system: str
    data: DataOptions
    training: TrainingOptions
    model: dict

    def values(self):
        """All options by name; no two sections share one."""
        sections = (vars(self.data), vars(self.training), self.model)
        return {name: value for section in sections for name, value in section.items()}

    def changed(self, **values):
        """The same with some options changed, whichever section they are in."""
        data, training, model = ({}, {}, {})
        for name, value in values.items():
            section = data if name in vars(self.data) else training
            (section if name not in self.model else model)[name] = value
        return dataclasses.replace(
            self,
            data=dataclasses.replace(self.data, **data),
            training=dataclasses.replace(self.training, **training),
            model={**self.model, **model},
        )

    def check(self):
        """Raises an `InputError` for an option that cannot have its value."""
        values = self.values()
        for name, one in declared_options(self.system).items():
            one.check(values[name])
        _ = self.data.value_ranges  # which checks their texts

    def as_json(self):
        content = {"version": _VERSION, **dataclasses.asdict(self)}
        return json.dumps(content, indent=2) + "\n"


def declared_options(system):
    """All options of a system's runs except `source`, by name, as `Declared`."""
    sections = (DataOptions, SYSTEMS[system].build, TrainingOptions)
    return {name: one for section in sections for name, one in declared(section).items()}


def resolve(source, *, system="cyclegan", preset=None, image_size=None, **options):
    """Resolves a run's options: explicit values override the preset, which overrides the paper.

    Args:
        source: see `DataOptions`.
        system: a name in `cyclegan_tf.recipes.SYSTEMS`.
        preset: of the system's recipe; its first one, usually `"paper"`, if `None`.
        image_size: sets `load_size` and `crop_size`, as 256 sets 286 and 256.
        **options: fields of `DataOptions` and `TrainingOptions`, and arguments of the recipe's
            `build`; `None` is the same as not given.

    Returns:
        `RunOptions`.

    Raises:
        InputError: no such system, preset or option, or options that conflict.
    """
    check("system", system, SYSTEMS)
    presets = SYSTEMS[system].presets
    preset = next(iter(presets)) if preset is None else preset
    _check_preset(preset, system)
    given = {name: value for name, value in options.items() if value is not None}
    if image_size is not None and {"load_size", "crop_size"} & set(given):
        raise InputError("Give either image_size or load_size and crop_size, not both.")
    if image_size is not None:
        given["crop_size"] = image_size
    if "domain_b" in given:
        given["domain_b"] = os.fspath(given["domain_b"])
    values = {**presets[preset], **given}
    check_names(values, system)
    resolved = _sectioned(str(source), system, values)
    resolved.check()
    resolved = _with_absolute_folders(_with_sizes(resolved, given))
    resolved = resolved.changed(**_absolute_files(system, resolved.model))
    return resolved.changed(decay_epochs=_decay_epochs(system, resolved.training))


def _decay_epochs(system, training):
    """The epochs in which the rate falls, checked."""
    constant = SYSTEMS[system].constant_rate
    if training.decay_epochs is None:
        return 0 if constant else training.epochs // 2
    if constant and training.decay_epochs:
        raise InputError(
            f"{system} updates some networks in some steps only, so its learning rate cannot fall; "
            f"leave decay_epochs out, or give 0. Received: {training.decay_epochs}"
        )
    if not 0 <= training.decay_epochs <= training.epochs:
        raise InputError(
            f"decay_epochs must lie between 0 and the {training.epochs} epochs in all. "
            f"Received: {training.decay_epochs}"
        )
    return training.decay_epochs


def check_names(names, system):
    """Raises an `InputError` for an option of another system; it names that system."""
    own = declared_options(system)
    for name in names:
        if name not in own:
            others = [other for other in SYSTEMS if name in declared_options(other)]
            flag = f"--{name.replace('_', '-')}"
            if others:
                raise InputError(f"{flag} is an option of {', '.join(others)}, not of {system}.")
            raise InputError(f"{flag} is no option of {system}, nor of any other system.")


def _check_preset(preset, system):
    """Raises an `InputError` for a preset of another system; it names that system."""
    others = [other for other in SYSTEMS if preset in SYSTEMS[other].presets]
    if others and system not in others:
        raise InputError(
            f"{preset} is a preset of {', '.join(others)}, not of {system}, which has "
            f"{', '.join(SYSTEMS[system].presets)}."
        )
    check("preset", preset, SYSTEMS[system].presets)


def _sectioned(source, system, values):
    """`RunOptions` from options by name; missing ones have their defaults."""

    def part(target):
        return {name: values.get(name, one.default) for name, one in declared(target).items()}

    return RunOptions(
        system,
        DataOptions(source, **part(DataOptions)),
        TrainingOptions(**part(TrainingOptions)),
        part(SYSTEMS[system].build),
    )


def _with_sizes(options, given):
    """Both sizes, from those that were given; built-in images have theirs, and 3 channels."""
    data = options.data
    load_size, crop_size = sizes_from(None, data.load_size, data.crop_size, data.preprocess)
    if data.source in BUILT_IN:
        no_folder = {"preprocess", "load_size", "channels_b", "value_range", "value_range_b"}
        if no_folder & set(given) or given.get("channels", 3) != 3:
            raise InputError(
                f"The images of {data.source} are made in RGB at the size that is asked for: give "
                "image_size, and neither preprocess, load_size, channels nor value_range."
            )
        return options.changed(
            preprocess="none", load_size=crop_size, crop_size=crop_size, channels=3
        )
    return options.changed(load_size=load_size, crop_size=crop_size)


def _absolute_files(system, model):
    """Of the options of a system those that are paths, which must not depend on where one is."""
    return {
        name: os.path.abspath(model[name])
        for name, each in declared(SYSTEMS[system].build).items()
        if each.option.names is not None and model[name] not in each.option.names
    }


def _with_absolute_folders(options):
    data = options.data
    if data.side_by_side != "none" and (data.domain_b or not is_folder(data.source)):
        raise InputError(
            "side_by_side is for one folder whose files hold images of both domains; leave it out "
            f"beside {'domain_b' if data.domain_b else data.source}."
        )
    if is_folder(data.source):
        names = ("source", "domain_b")
        folders = {n: os.path.abspath(path) for n in names if (path := getattr(data, n))}
        return options.changed(**folders)
    if data.domain_b is not None:
        raise InputError(
            f"domain_b goes with a folder of domain A; {data.source} has both domains. "
            f"Received: domain_b={str(data.domain_b)!r}"
        )
    return options


def is_folder(source):
    """Whether the `source` of `DataOptions` names a folder."""
    return source not in BUILT_IN and not source.startswith(TFDS)


def options_of(out):
    """The options of the run in a folder; `None` if there is no run."""
    path = out / OPTIONS_FILE
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = content.pop("version", 1)
        if version not in (1, _VERSION):
            raise ValueError(f"version {version}")
        if version == 1:  # flat
            source = content.pop("source")
            check_names(content, "cyclegan")
            options = _sectioned(source, "cyclegan", content)
        else:
            system = content["system"]
            check("system", system, SYSTEMS)
            check_names(content["model"], system)
            defaults = {n: one.default for n, one in declared(SYSTEMS[system].build).items()}
            options = RunOptions(
                system,
                DataOptions(**content["data"]),
                TrainingOptions(**content["training"]),
                {**defaults, **content["model"]},
            )
        options.check()
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"{path} does not hold the options of a run of this version ({error}); use a new "
            "folder or --restart."
        ) from error
    # Earlier versions wrote folders as given: relative to where the run was started.
    return _with_absolute_folders(options)


def as_in_run(options, before):
    """The options to resume with; raises an InputError if they differ from the run's."""
    if before is None:
        return options
    if options.training.precision == "auto":  # the next machine may lack it
        options = options.changed(precision=before.training.precision)
    if options.system != before.system:
        raise InputError(
            f"--system was {before.system} in this run, now {options.system}; use a new folder or "
            "--restart."
        )
    was, now = before.values(), options.values()
    # What is not given stays as it was: earlier versions wrote the resolved value.
    options = options.changed(**{n: was[n] for n in was if n in now and now[n] is None})
    now = options.values()
    all_options = declared_options(options.system)
    changed = [
        f"{all_options[name].flag if name in all_options else 'the source'} was {was.get(name)} "
        f"in this run, now {now[name]}"
        for name in now
        if was.get(name) != now[name]
        and not (name in all_options and all_options[name].option.may_change)
    ]
    if changed:
        raise InputError(f"{'; '.join(changed)}; use a new folder or --restart.")
    return options
