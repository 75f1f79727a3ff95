"""What a run is made of: the options, presets of them, and those of the run in a folder."""

import dataclasses
import json
import math
import os

from cyclegan_tf.choices import FINE_DISCRIMINATORS, PRECISIONS, SCENES, STRATEGIES, TFDS, check
from cyclegan_tf.errors import InputError
from cyclegan_tf.preprocessing import sizes_from

# What may differ when a run goes on: how long, how fast and how often it saves, not what it learns.
_MAY_CHANGE = {
    "epochs",
    "decay_epochs",
    "batch_size",
    "strategy",
    "checkpoint_minutes",
    "keep_every",
    "remat",
}


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run is made of, as written to its `options.json`. Defaults are the paper's.

    Attributes:
        source: a folder, `scenes`, or `tfds:` and the name of a TFDS data set.
        domain_b: the folder of domain B, if `source` is that of domain A only. `resolve` and
            `options_of` give folders as absolute paths. Links in them stay, so that a run follows
            a link that is set to another disk.
        preprocess, load_size, crop_size, flip, channels: see `cyclegan_tf.data.Preprocessing`;
            scenes are rendered at `crop_size`.
        base_filters: of the first layer of generators and discriminators.
        blocks: residual blocks of the generators; `None` for 6 below 256 pixels, 9 from there.
        strided_layers: of the PatchGAN.
        fine_discriminators: see `cyclegan_tf.systems.cyclegan.paper_networks`.
        lambda_a, lambda_b, lambda_identity, adversarial, pool_size: see `CycleGAN`.
        learning_rate: of both Adams.
        ema_momentum: of a moving average of the generators' weights, with which they end; 0 for
            none.
        epochs: in all.
        decay_epochs: the last of them, in which the rate falls; `None` for half of them.
        steps_per_epoch: `None` for as many batches as the larger domain fills.
        batch_size: pairs in a step for each replica of the strategy.
        gradient_accumulation_steps: steps whose gradients are gathered for one change of the
            weights.
        remat: see `CycleGAN`.
        seed: of everything random.
        precision: see `cyclegan_tf.precision.choose`.
        strategy: see `cyclegan_tf.training.strategies.choose`.
        checkpoint_minutes: between two checkpoints.
        keep_every: epochs between two of which the networks are kept; 0 keeps none but the last.
    """

    source: str
    domain_b: str | None = None
    preprocess: str = "resize_and_crop"
    load_size: int | None = None
    crop_size: int | None = None
    flip: bool = True
    channels: int = 3
    base_filters: int = 64
    blocks: int | None = None
    strided_layers: int = 3
    fine_discriminators: str = "none"
    lambda_a: float = 10.0
    lambda_b: float = 10.0
    lambda_identity: float = 0.5
    adversarial: str = "lsgan"
    pool_size: int = 50
    learning_rate: float = 2e-4
    ema_momentum: float = 0.0
    epochs: int = 200
    decay_epochs: int | None = None
    steps_per_epoch: int | None = None
    batch_size: int = 1
    gradient_accumulation_steps: int = 1
    remat: bool = False
    seed: int = 0
    precision: str = "auto"
    strategy: str = "auto"
    checkpoint_minutes: float = 10.0
    keep_every: int = 0


# What each recipe changes of the defaults above.
PRESETS = {
    #         The paper: 256 pixels, 200 epochs.
    "paper":  {},
    #         One domain is label maps: they look like no photograph, so nothing stays as it is.
    "labels": {"lambda_identity": 0.0},
    #         The same for 64 pixels and minutes: small networks, weights averaged over the last
    #         steps, because so short a training sways, and against grain a high rate and a
    #         discriminator of label maps that sees it (docs/fidelity.md).
    "demo":   {"lambda_identity": 0.0, "crop_size": 64, "base_filters": 32,
               "fine_discriminators": "a", "learning_rate": 2e-3, "ema_momentum": 0.997,
               "epochs": 24, "steps_per_epoch": 100},
}  # fmt: skip


def resolve(source, preset="paper", image_size=None, **options):
    """The `Options` of a run: what is given, then the preset, then the paper.

    Args:
        source: see `Options`.
        preset: `"paper"`, `"labels"` or `"demo"`.
        image_size: stands for `load_size` and `crop_size`, as 256 does for 286 and 256.
        **options: fields of `Options`; `None` is as good as not given.

    Raises:
        InputError: no such preset, sizes given twice, or options that do not go together.
    """
    check("preset", preset, PRESETS)
    given = {name: value for name, value in options.items() if value is not None}
    if image_size is not None and {"load_size", "crop_size"} & set(given):
        raise InputError("Give either image_size or load_size and crop_size, not both.")
    if image_size is not None:
        given["crop_size"] = image_size
    resolved = Options(source=str(source), **{**PRESETS[preset], **given})
    if resolved.domain_b is not None and not is_folder(resolved.source):
        raise InputError(
            f"domain_b goes with a folder of domain A; {resolved.source} has both domains. "
            f"Received: domain_b={str(resolved.domain_b)!r}"
        )
    resolved = _with_absolute_folders(resolved)
    load_size, crop_size = sizes_from(
        None, resolved.load_size, resolved.crop_size, resolved.preprocess
    )
    if resolved.source == SCENES:
        if {"preprocess", "load_size"} & set(given) or resolved.channels != 3:
            raise InputError(
                "Scenes are rendered in RGB at the size that is asked for: give image_size, and "
                "neither preprocess, load_size nor channels."
            )
        resolved = dataclasses.replace(resolved, preprocess="none")
        load_size = crop_size
    resolved = dataclasses.replace(resolved, load_size=load_size, crop_size=crop_size)
    if resolved.decay_epochs is None:
        resolved = dataclasses.replace(resolved, decay_epochs=resolved.epochs // 2)
    _check(resolved)
    return resolved


def _check(options):
    at_least_one = ("crop_size", "epochs", "batch_size", "base_filters", "strided_layers")
    for name in (*at_least_one, "gradient_accumulation_steps"):
        if getattr(options, name) < 1:
            raise InputError(f"{name} must be at least 1. Received: {getattr(options, name)}")
    weights = ("lambda_a", "lambda_b", "lambda_identity")
    for name in (*weights, "learning_rate"):
        if not math.isfinite(getattr(options, name)):
            raise InputError(f"{name} must be a finite number. Received: {getattr(options, name)}")
    for name in (*weights, "pool_size", "seed", "checkpoint_minutes", "keep_every"):
        if not getattr(options, name) >= 0:  # written so that NaN is refused too
            raise InputError(f"{name} must not be negative. Received: {getattr(options, name)}")
    if not 0 <= options.decay_epochs <= options.epochs:
        raise InputError(
            f"decay_epochs must lie between 0 and the {options.epochs} epochs in all. "
            f"Received: {options.decay_epochs}"
        )
    if options.steps_per_epoch is not None and options.steps_per_epoch < 1:
        raise InputError(f"steps_per_epoch must be at least 1. Received: {options.steps_per_epoch}")
    if not options.learning_rate > 0:
        raise InputError(f"learning_rate must be positive. Received: {options.learning_rate}")
    if not 0 <= options.ema_momentum < 1:
        raise InputError(
            f"ema_momentum must be from 0 to less than 1. Received: {options.ema_momentum}"
        )
    check("precision", options.precision, PRECISIONS)
    check("fine_discriminators", options.fine_discriminators, FINE_DISCRIMINATORS)
    check("strategy", options.strategy, STRATEGIES)


def options_of(out):
    """The options of the run in a folder; `None` where there is none."""
    path = out / "options.json"
    if not path.exists():
        return None
    try:
        # Versions before wrote folders as they were given: relative to where the run was started.
        return _with_absolute_folders(Options(**json.loads(path.read_text(encoding="utf-8"))))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path} does not hold the options of a run of this version ({error}); use a new "
            "folder or --restart."
        ) from error


def is_folder(source):
    """Whether the `source` of `Options` names a folder."""
    return source != SCENES and not source.startswith(TFDS)


def _with_absolute_folders(options):
    if not is_folder(options.source):
        return options
    names = ("source", "domain_b")
    folders = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return dataclasses.replace(options, **{n: os.path.abspath(path) for n, path in folders.items()})


def _flag(name):
    return "the source" if name == "source" else f"--{name.replace('_', '-')}"


def as_in_run(options, before):
    """The options to go on with; raises where they differ from those of the run before."""
    if before is None:
        return options
    if options.precision == "auto":  # a machine that does without may be followed by another
        options = dataclasses.replace(options, precision=before.precision)
    if options.blocks is None:
        options = dataclasses.replace(options, blocks=before.blocks)
    changed = [
        f"{_flag(field.name)} was {was} in this run, now {now}"
        for field in dataclasses.fields(Options)
        if (was := getattr(before, field.name)) != (now := getattr(options, field.name))
        and field.name not in _MAY_CHANGE
    ]
    if changed:
        raise InputError(f"{'; '.join(changed)}; use a new folder or --restart.")
    return options
