"""The verb `train`: from a source of pictures to the folder of a run."""

import contextlib
import dataclasses
import json
import pathlib
import shutil
import signal

import keras
import numpy as np

from cyclegan_tf import data, files, precision, strategies
from cyclegan_tf.callbacks import RunPage, SampleSheet, SaveModel
from cyclegan_tf.checkpoints import Checkpoints, newest_state
from cyclegan_tf.data.folders import folder_sources
from cyclegan_tf.data.pipeline import sizes_from
from cyclegan_tf.data.scenes import scene_sources
from cyclegan_tf.data.tfds import tfds_sources
from cyclegan_tf.errors import InputError
from cyclegan_tf.generators import size_multiple
from cyclegan_tf.optimizers import Adam
from cyclegan_tf.replicas import process_number, same_everywhere, wait_for_all
from cyclegan_tf.run_logs import RunLog, ScalarBoard
from cyclegan_tf.schedules import ConstantThenLinearDecay
from cyclegan_tf.systems.cyclegan import CycleGAN, paper_blocks, paper_networks
from cyclegan_tf.translator import Translator

# What a run writes, and the demo after it.
_RUN_FOLDERS = ("samples", "logs", "checkpoints", "export")
_RUN_FILES = (
    "options.json",
    "log.csv",
    "model.keras",
    "losses.png",
    "index.html",
    "scores.json",
    "contact_sheet.png",
)

_STOP = (signal.SIGTERM, signal.SIGINT)  # at which a run saves what it has done

# What may differ when a run goes on: how long, how fast and how often it saves, not what it learns.
_MAY_CHANGE = {"epochs", "decay_epochs", "batch_size", "strategy", "checkpoint_minutes"}


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run is made of, as written to its `options.json`. Defaults are the paper's.

    Attributes:
        source: a folder, `scenes`, or `tfds:` and the name of a TFDS data set.
        domain_b: the folder of domain B, where `source` is that of domain A alone.
        preprocess, load_size, crop_size, flip, channels: see `cyclegan_tf.data.Preprocessing`;
            scenes are rendered at `crop_size`.
        base_filters: of the first layer of generators and discriminators.
        blocks: residual blocks of the generators; `None` for 6 below 256 pixels, 9 from there.
        strided_layers: of the PatchGAN.
        lambda_a, lambda_b, lambda_identity, adversarial, pool_size: see `CycleGAN`.
        learning_rate: of both Adams.
        ema_momentum: of a moving average of the generators' weights, with which they end; 0 for
            none.
        epochs: in all.
        decay_epochs: the last of them, in which the rate falls; `None` for half of them.
        steps_per_epoch: `None` for as many batches as the larger domain fills.
        batch_size: pairs in a step for each replica of the strategy.
        seed: of everything random.
        precision: see `cyclegan_tf.precision.choose`.
        strategy: see `cyclegan_tf.strategies.choose`.
        checkpoint_minutes: between two checkpoints.
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
    seed: int = 0
    precision: str = "auto"
    strategy: str = "auto"
    checkpoint_minutes: float = 10.0


# What each recipe changes of the defaults above.
PRESETS = {
    #         The paper: 256 pixels, 200 epochs.
    "paper":  {},
    #         One domain is label maps: they look like no photograph, so nothing stays as it is.
    "labels": {"lambda_identity": 0.0},
    #         The same for 64 pixels and minutes: small networks, a higher rate, and weights
    #         averaged over the last steps, because so short a training sways.
    "demo":   {"lambda_identity": 0.0, "crop_size": 64, "base_filters": 32,
               "learning_rate": 5e-4, "ema_momentum": 0.997, "epochs": 14, "steps_per_epoch": 100},
}  # fmt: skip


def resolve(source, preset="paper", image_size=None, **options):
    """The `Options` of a run: what is given, then the preset, then the paper.

    Args:
        source: see `Options`.
        preset: `"paper"`, `"labels"` or `"demo"`.
        image_size: stands for `load_size` and `crop_size`, as 256 does for 286 and 256.
        **options: fields of `Options`; `None` is as good as not given.

    Raises:
        InputError: no such preset, or sizes given twice.
    """
    if preset not in PRESETS:
        raise InputError(f"preset must be one of {', '.join(PRESETS)}. Received: {preset!r}")
    given = {name: value for name, value in options.items() if value is not None}
    if image_size is not None and {"load_size", "crop_size"} & set(given):
        raise InputError("Give either image_size or load_size and crop_size, not both.")
    if image_size is not None:
        given["crop_size"] = image_size
    resolved = Options(source=str(source), **{**PRESETS[preset], **given})
    load_size, crop_size = sizes_from(
        None, resolved.load_size, resolved.crop_size, resolved.preprocess
    )
    if resolved.source == "scenes":
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
    for name in ("crop_size", "epochs", "batch_size", "base_filters", "strided_layers"):
        if getattr(options, name) < 1:
            raise InputError(f"{name} must be at least 1. Received: {getattr(options, name)}")
    not_negative = ("lambda_a", "lambda_b", "lambda_identity", "pool_size", "seed")
    for name in (*not_negative, "checkpoint_minutes"):
        if getattr(options, name) < 0:
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
    precision.check(options.precision)
    strategies.check(options.strategy)


def train(options, out, *, restart=False, sample_rows=4, verbose="auto", say=print):
    """Trains a CycleGAN and writes the folder of the run; goes on where the folder holds one.

    The folder holds `options.json`; after each epoch `model.keras`, `samples/epoch_0001.png`
    …, `log.csv`, TensorBoard's `logs/`, `losses.png` and `index.html`; and `checkpoints/`. A run
    that was stopped at any moment and is trained again with the same options ends as the unbroken
    one would have.

    Where several processes train together, all of them call this, and the first one writes.

    Args:
        options: `Options`, as `resolve` makes them.
        out: the folder.
        restart: begin again where the folder holds a run already; its files are removed.
        sample_rows: pictures of each domain in a sample sheet.
        verbose: as in `keras.Model.fit`.
        say: called with lines for the user.

    Returns:
        The trained `CycleGAN`.

    Raises:
        InputError: the folder holds a run of other options or other files, or an option or a
            picture cannot be used.
    """
    out = pathlib.Path(out)
    strategy, devices = strategies.choose(options.strategy)  # before TensorFlow does anything else
    _check_folder(out, restart)
    chief = process_number(strategy) == 0
    state = None if restart else newest_state(out / "checkpoints")
    options = _as_in_run(options, None if restart else _options_of(out))
    options, why = _with_precision(options)
    if not same_everywhere(precision.PRECISIONS.index(options.precision), strategy):
        raise InputError(
            "The machines would train in different precisions; give --precision to all of them."
        )
    batch_size = options.batch_size * strategy.num_replicas_in_sync
    sources = _sources(options)
    pairs = _pairs(options, sources, batch_size)
    image_shape = _image_shape(options, pairs)
    if options.blocks is None:
        options = dataclasses.replace(options, blocks=paper_blocks(image_shape))
    if chief:
        say(f"Precision: {options.precision} ({why}). Strategy: {devices}, {batch_size} per step.")
        if state and state["epoch"] >= options.epochs:
            say(f"The run in {out} is finished; more --epochs would go on with it.")
        elif state:
            say(f"Going on with the run in {out}, in epoch {state['epoch'] + 1}.")
        elif not restart and (out / "options.json").exists():
            say(f"The run in {out} has no checkpoint yet and begins anew.")
    begin = _begin_of_schedule(options, state, batch_size)
    schedule = ConstantThenLinearDecay(
        options.learning_rate,
        options.epochs - options.decay_epochs,
        options.decay_epochs,
        steps_per_epoch=pairs.training_pairs.steps_per_epoch,
        **begin,
    )
    with strategy.scope():
        model = compiled_model(options, image_shape, schedule)

    alone = f"Another process is training in {out}; wait for it, or choose another folder."
    with files.locked(out, alone) if chief else contextlib.nullcontext():
        if chief:
            _prepare(out, options, state)
        wait_for_all(strategy)
        checkpoints = Checkpoints(
            out / "checkpoints", options.checkpoint_minutes, signals=_STOP, notes=begin
        )
        samples = _samples(options, sources, sample_rows) if chief else None
        model.fit(
            pairs,
            epochs=options.epochs,
            verbose=verbose if chief else 0,
            callbacks=[*_callbacks(out, options, samples, chief), checkpoints],
        )
    return model


def _callbacks(out, options, samples, chief):
    """What writes the folder of a run after each epoch, in the order in which it is written."""
    save = SaveModel(out / "model.keras", keep=chief)
    if not chief:
        return [save]
    return [
        RunLog(out / "log.csv"),
        ScalarBoard(out / "logs", out / "log.csv"),
        SampleSheet(out / "samples", *samples),
        save,
        RunPage(out, title=f"{options.source} → {out.name}"),
    ]


def load(path):
    """The model of a run's folder or of a `.keras` file.

    Returns:
        A system; for a file that holds a generator alone, a `Translator` of direction "ab".

    Raises:
        InputError: there is none, or it cannot be read.
    """
    path = pathlib.Path(path)
    file = path / "model.keras" if path.is_dir() else path
    if not file.exists():
        raise InputError(f"{file} does not exist; expected a run's folder or a .keras file.")
    try:
        model = keras.saving.load_model(file)
    except (ValueError, OSError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise InputError(f"{file} is not a model that can be read: {reason}") from error
    if hasattr(model, "translate"):
        return model
    if not _makes_pictures(model):
        raise InputError(
            f"{file} holds a {type(model).__name__} that does not make pictures of pictures; "
            "expected a model that `cyclegan-tf train` or `import` or `CycleGAN.save` wrote, or a "
            "generator alone."
        )
    return Translator({"ab": model}, model.input_shape[1:])


def _makes_pictures(model):
    """Whether a network gives pictures as large as those that it takes."""
    taken, given = (getattr(model, f"{end}_shape", None) for end in ("input", "output"))
    if not all(isinstance(shape, tuple) and len(shape) == 4 for shape in (taken, given)):
        return False  # several inputs or outputs have a list of shapes
    if None not in taken[1:3]:
        return taken[1:3] == given[1:3]
    try:
        return bool(size_multiple(model))
    except ValueError:
        return False


def _sources(options, split="train"):
    """The two `Source`s that the options name."""
    if options.source == "scenes":
        return scene_sources(image_size=options.crop_size, split=split, seed=options.seed)
    if options.source.startswith("tfds:"):
        name = options.source.removeprefix("tfds:")
        return tfds_sources(name, split=split, channels=options.channels)
    return folder_sources(options.source, options.domain_b, split, options.channels)


def _pairs(options, sources, batch_size=None):
    """Batches for training; without a batch size, pictures in order."""
    preprocessing = data.Preprocessing(
        options.preprocess, options.load_size, options.crop_size, options.flip, options.channels
    )
    return data.pairs(
        *sources,
        preprocessing,
        training=batch_size is not None,
        batch_size=batch_size or 1,
        steps_per_epoch=options.steps_per_epoch,
        seed=options.seed,
    )


def _samples(options, training_sources, rows):
    """Pictures for the sample sheets: of the test split where there is one."""
    pairs = _pairs(options, training_sources)
    if not options.domain_b:
        with contextlib.suppress(InputError):  # no test split, or none that can be shown
            pairs = _pairs(options, _sources(options, "test"))
    elements = list(pairs.unbatch().take(rows))
    return [[_to_uint8(element[domain]) for element in elements] for domain in (0, 1)]


def _to_uint8(image):
    return np.uint8(np.round((image.numpy() + 1) * 127.5))


def _image_shape(options, pairs):
    """The shape that the pictures of both domains share; `None` for what differs."""
    shape_a, shape_b = (tuple(spec.shape[1:]) for spec in pairs.element_spec)
    return shape_a if shape_a == shape_b else (None, None, options.channels)


def compiled_model(options, image_shape, learning_rate=None):
    """The untrained model of a run.

    Args:
        options: `Options`.
        image_shape: `(height, width, channels)` of the training pictures.
        learning_rate: of both Adams, a number or a schedule; that of the options if `None`.

    Raises:
        InputError: the options ask for what cannot be built.
    """
    options, _ = _with_precision(options)
    with precision.policy(options.precision):
        return _compiled_model(options, image_shape, learning_rate or options.learning_rate)


def _compiled_model(options, image_shape, learning_rate):
    try:
        networks = paper_networks(
            image_shape,
            base_filters=options.base_filters,
            blocks=options.blocks,
            strided_layers=options.strided_layers,
            seed=options.seed,
        )
        model = CycleGAN(
            **networks,
            image_shape=image_shape,
            lambda_a=options.lambda_a,
            lambda_b=options.lambda_b,
            lambda_identity=options.lambda_identity,
            adversarial=options.adversarial,
            pool_size=options.pool_size,
            seed=options.seed,
        )
    except ValueError as error:
        raise InputError(str(error)) from error

    average = {"use_ema": True, "ema_momentum": options.ema_momentum}
    model.compile(
        Adam(learning_rate, **(average if options.ema_momentum else {})), Adam(learning_rate)
    )
    return model


def _begin_of_schedule(options, state, batch_size):
    """The epoch and the optimizer's step from which the learning rate is counted."""
    if not state:
        return {}
    if state["batch_size"] == batch_size or options.steps_per_epoch:
        return state["notes"]
    # Steps were of another size before.
    begin_of_epoch = state["iterations"] - state["pairs"] // batch_size
    return {"first_epoch": state["epoch"] + 1, "first_step": begin_of_epoch}


def _with_precision(options):
    """The options with the precision of this machine in the place of "auto", and why it is that."""
    chosen, why = precision.choose(options.precision)
    return dataclasses.replace(options, precision=chosen), why


def _remove_run(out):
    """Removes what an earlier run in this folder wrote, and nothing else."""
    for name in _RUN_FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in _RUN_FILES:
        (out / name).unlink(missing_ok=True)


def _prepare(out, options, state):
    """Leaves in the folder what belongs to the checkpoint to go on from, and the options."""
    if state is None:
        _remove_run(out)
    files.remove_unfinished(out)
    (out / "checkpoints").mkdir(exist_ok=True)  # tells this run from one that had none
    files.write_text(out / "options.json", json.dumps(dataclasses.asdict(options), indent=2) + "\n")


def _check_folder(out, restart):
    """A run is written to a folder of its own, and nothing is removed that was not asked for."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; expected a folder to write the run to.")
    if (out / "options.json").exists():
        if (out / "model.keras").exists() and not (out / "checkpoints").exists() and not restart:
            raise InputError(
                f"{out} holds a run without checkpoints, which cannot go on; choose another "
                "folder, or --restart to begin again."
            )
        return
    found = [path for path in out.glob("*") if not path.name.startswith(".")]
    if found:
        raise InputError(
            f"{out} holds {min(found).name!r} and no run; choose a folder that is new or empty."
        )


def _options_of(out):
    """The options of the run in a folder; `None` where there is none."""
    path = out / "options.json"
    if not path.exists():
        return None
    try:
        return Options(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise InputError(
            f"{path} does not hold the options of a run of this version ({error}); use a new "
            "folder or --restart."
        ) from error


def _as_in_run(options, before):
    """The options to go on with; raises where they differ from those of the run before."""
    if before is None:
        return options
    if options.precision == "auto":  # a machine that does without may be followed by another
        options = dataclasses.replace(options, precision=before.precision)
    if options.blocks is None:
        options = dataclasses.replace(options, blocks=before.blocks)
    for field in dataclasses.fields(Options):
        was, now = getattr(before, field.name), getattr(options, field.name)
        if was != now and field.name not in _MAY_CHANGE:
            raise InputError(
                f"--{field.name.replace('_', '-')} was {was} in this run, now {now}; use a new "
                "folder or --restart."
            )
    return options
