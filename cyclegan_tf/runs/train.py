"""The command `train`: from a source of images to the folder of a run."""

import contextlib
import functools
import pathlib
import signal
import warnings

from cyclegan_tf import data, precision
from cyclegan_tf.choices import PRECISIONS
from cyclegan_tf.errors import InputError
from cyclegan_tf.pixels import to_uint8
from cyclegan_tf.recipes import SYSTEMS
from cyclegan_tf.replicas import barrier, equal_across_processes, process_count, process_index
from cyclegan_tf.runs.callbacks import KeepEpochs, RunPage, SampleSheet, SaveModel
from cyclegan_tf.runs.evaluate_callback import COUNT as EVALUATED_IMAGES
from cyclegan_tf.runs.evaluate_callback import Evaluate
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.logs import RunLog, ScalarBoard
from cyclegan_tf.runs.machine import MachineLog
from cyclegan_tf.runs.options import as_in_run, is_folder
from cyclegan_tf.runs.sources import sources_of, with_measured_ranges
from cyclegan_tf.runs.trackers import trackers
from cyclegan_tf.runs.trial import seconds_by_precision
from cyclegan_tf.training import strategies
from cyclegan_tf.training.checkpoints import Checkpoints
from cyclegan_tf.training.schedules import ConstantThenLinearDecay

_STOP = (signal.SIGTERM, signal.SIGINT)  # at which a run saves its state
_FEWEST_UPDATES = 100  # weights of fewer are nearly untrained, averaged or not


def train(
    options,
    out,
    *,
    restart=False,
    allow_other_data=False,
    sample_rows=4,
    evaluated_images=EVALUATED_IMAGES,
    verbose="auto",
    log_to=(),
    log=print,
):
    """Trains a system and writes the folder of the run; resumes if the folder holds one.

    The folder holds `options.json`; after each epoch `model.keras`, `samples/epoch_0001.png` …,
    `log.csv`, TensorBoard's `logs/`, `machine.json`, `losses.png` and `index.html`; after
    evaluations `evaluations.json` and `best.keras`; `checkpoints/`; and with `keep_every` the
    networks of some epochs, `epochs/epoch_0010.keras` …. A run that was stopped at any moment and
    is trained again with the same options ends with the weights of an uninterrupted one.

    If several processes train together, all of them call this, and the first one writes.

    Args:
        options: `RunOptions`, as `resolve` makes them.
        out: the folder.
        restart: start over if the folder holds a run already; its files are removed.
        allow_other_data: resume even if images were added, removed or renamed since.
        sample_rows: images of each domain in a sample grid.
        evaluated_images: held-back images of each domain that epochs are evaluated on, at most.
        verbose: as in `keras.Model.fit`.
        log_to: names of trackers of experiments, `"wandb"` and `"mlflow"`, that also get the
            losses, the scores and the samples.
        log: called with lines for the user.

    Returns:
        The trained system.

    Raises:
        InputError: the folder holds a run of other options or other files, or an option or an
            image cannot be used.
        ImportError: the package of a tracker is not installed.
    """
    folder = RunFolder(out)
    # Before TensorFlow does anything else.
    strategy, devices = strategies.choose(options.training.strategy)
    chief = process_index(strategy) == 0
    folder.check(restart)
    claimed = folder.claimed() if chief else contextlib.nullcontext()
    with claimed, contextlib.ExitStack() as ending:
        barrier(strategy)  # only now: another process may have written until it ended
        state, before = (None, None) if restart else (folder.state(), folder.options())
        options, why = _as_in_run(options, before, strategy)
        tracked = trackers(log_to, folder, options) if chief else []
        for each in tracked:
            ending.callback(each.close)
        training = options.training
        batch_size = training.batch_size * strategy.num_replicas_in_sync
        sources = sources_of(options)
        options = with_measured_ranges(options, sources)
        dataset = _dataset(options, sources, batch_size)
        image_shape = _image_shape(dataset)
        finished = bool(state) and state["epoch"] >= training.epochs
        if chief:
            log(
                f"Precision: {training.precision} ({why}). "
                f"Strategy: {devices}, {batch_size} per step. {_counted(sources, options)}"
            )
            if before or state:
                log(_standing(folder.path, state, finished))
            if not finished:
                _check_average(training, dataset.elements.steps_per_epoch)
        schedule = _schedule(options, state, dataset.elements)
        with strategy.scope():
            model = compiled_model(options, image_shape, schedule)
        if chief:
            folder.prepare(options, state)
        barrier(strategy)
        checkpoints = Checkpoints(
            folder.checkpoints,
            training.checkpoint_minutes,
            signals=_STOP,
            allow_other_data=allow_other_data,
        )
        held_back = functools.partial(held_out, options, count=evaluated_images)
        evaluation = _evaluation(folder, options, held_back, checkpoints, strategy, log)
        samples = _samples(options, sources, sample_rows) if chief else None
        model.fit(
            dataset,
            epochs=training.epochs,
            verbose=verbose if chief and not finished else 0,
            callbacks=[
                *_callbacks(folder, options, sources, samples, chief, evaluation),
                *tracked,
                checkpoints,
            ],
        )
    return model


def _as_in_run(options, before, strategy):
    """The options to train with, an existing run's first; and the reason for the precision."""
    asked = options.training.precision
    options = as_in_run(options, before)
    of_run = options.training.precision != asked
    # Several processes must agree, but each measures its own times.
    options, why = _with_precision(options, measured=process_count(strategy) == 1)
    if not equal_across_processes(PRECISIONS.index(options.training.precision), strategy):
        raise InputError(
            "The machines would train in different precisions; give --precision to all of them."
        )
    return options, "as in this run before" if of_run else why


def _counted(sources, options):
    """How many images there are, in a sentence."""
    numbers = [len(source) for source in sources]
    if SYSTEMS[options.system].paired:
        return f"{numbers[0]} pairs of images."
    return f"{numbers[0]} images of A, {numbers[1]} of B."


def _standing(out, state, finished):
    """A line about the run in the folder."""
    if finished:
        return f"The run in {out} is finished; give more --epochs to resume it."
    if state:
        return f"Resuming the run in {out}, in epoch {state['epoch'] + 1}."
    return f"The run in {out} has no checkpoint yet and begins anew."


def _schedule(options, state, elements):
    """The learning rate, counted from the epoch in which training resumes.

    Earlier epochs may have had another number of steps, or steps of another size.
    """
    if SYSTEMS[options.system].constant_rate:  # its optimizers do not count all steps
        return options.training.learning_rate
    training, begin = options.training, {}
    if state:
        elements_per_step = state["batch_size"] if training.steps_per_epoch else elements.batch_size
        done = min(state["pairs"] // elements_per_step, elements.steps_per_epoch)
        begin = {"first_epoch": state["epoch"] + 1, "first_step": state["iterations"] - done}
    return ConstantThenLinearDecay(
        training.learning_rate,
        training.epochs - training.decay_epochs,
        training.decay_epochs,
        steps_per_epoch=elements.steps_per_epoch,
        **begin,
    )


def _check_average(training, steps_per_epoch):
    """Warns of a moving average that spans more than the run.

    Keras begins it with the weights after the first update, of which `momentum ** n` are left
    after n others.
    """
    updates = training.epochs * steps_per_epoch // training.gradient_accumulation_steps
    momentum = training.ema_momentum
    if updates >= _FEWEST_UPDATES and updates * (1 - momentum) < 1:
        warnings.warn(
            f"ema_momentum={momentum:g} averages over about {1 / (1 - momentum):,.0f} updates, and "
            f"this run has {updates:,}, so the weights that it ends with would be "
            f"{momentum**updates:.0%} untrained; use {1 - 10 / updates:.4g}, or train for longer.",
            stacklevel=3,
        )


def _callbacks(folder, options, sources, samples, chief, evaluation):
    """The callbacks that write the folder of a run after each epoch, in order."""
    save = [SaveModel(folder.model, keep=chief)]
    if options.training.keep_every:
        save.append(KeepEpochs(folder.epochs, options.training.keep_every, keep=chief))
    if not chief:
        return [*evaluation, *save]
    source = options.data.source
    source = pathlib.Path(source).name if is_folder(source) else source
    return [
        # First: it counts the time of no other.
        MachineLog(folder.machine, dict(zip("ab", map(len, sources)))),
        *evaluation,  # before what writes its scores
        RunLog(folder.log),
        SampleSheet(folder.samples, *samples),
        ScalarBoard(folder.tensorboard, folder.log, folder.samples),
        *save,
        RunPage(folder.path, title=f"{folder.path.name}: {options.system} on {source}"),
    ]


def _evaluation(folder, options, held_back, checkpoints, strategy, log):
    """The callback that scores the run on held-back images, if there may be some."""
    every = options.training.evaluate_every
    chief = process_index(strategy) == 0
    # Several processes must agree, and each looks at its own disk.
    missing = _no_test_images(options, look=process_count(strategy) == 1) if every != 0 else ""
    if missing and every and chief:
        log(f"Epochs are not evaluated: {missing}")
    if missing or every == 0:
        return []
    return [
        Evaluate(
            held_back,
            folder.path,
            every=every,
            seed=options.training.seed,
            keep=chief,
            give_up=checkpoints.is_stopping,
            log=log,
        )
    ]


def _no_test_images(options, look):
    """Why there are no images to evaluate epochs on, in a sentence; empty if there may be some.

    Args:
        options: `RunOptions`.
        look: whether to look for the images.
    """
    if options.data.domain_b:
        return "two folders have no test images; use trainA, trainB, testA and testB in one."
    try:
        if look:
            sources_of(options, "test")
    except InputError as error:
        return str(error)
    return ""


def _dataset(options, sources, batch_size=None):
    """Batches for training; without a batch size, the images in order."""
    chosen = options.data
    preprocessing = data.Preprocessing(
        chosen.preprocess,
        chosen.load_size,
        chosen.crop_size,
        chosen.flip,
        chosen.channels_by_domain,
    )
    return data.dataset(
        *sources,
        preprocessing,
        training=batch_size is not None,
        paired=SYSTEMS[options.system].paired,
        batch_size=batch_size or 1,
        steps_per_epoch=options.training.steps_per_epoch,
        seed=options.training.seed,
    )


def _samples(options, training_sources, rows):
    """Images for the sample grids: from the test split if there is one."""
    dataset = _dataset(options, training_sources)
    if not options.data.domain_b:
        with contextlib.suppress(InputError):  # no test split, or none that can be shown
            dataset = _dataset(options, sources_of(options, "test"))
    elements = list(dataset.unbatch().take(rows))
    return [[to_uint8(element[domain].numpy()) for element in elements] for domain in (0, 1)]


def _image_shape(dataset):
    """The common shape of the images of both domains; `None` for a size that differs.

    A dictionary of two shapes if the channels differ.
    """
    shape_a, shape_b = (tuple(spec.shape[1:]) for spec in dataset.element_spec)
    if shape_a == shape_b:
        return shape_a
    if shape_a[-1] == shape_b[-1]:
        return None, None, shape_a[-1]
    return {"a": shape_a, "b": shape_b}


def compiled_model(options, image_shape, learning_rate=None):
    """The untrained model of a run.

    Args:
        options: `RunOptions`.
        image_shape: `(height, width, channels)` of the training images; a dictionary of two
            if the channels of the domains `"a"` and `"b"` differ.
        learning_rate: of all optimizers, a number or a schedule; the options' if `None`.

    Raises:
        InputError: the options describe a model that cannot be built.
    """
    options, _ = _with_precision(options)
    training = options.training
    build = SYSTEMS[options.system].build
    try:
        with precision.policy(training.precision):
            model = build(image_shape, **options.model, seed=training.seed, remat=training.remat)
            rate = learning_rate or training.learning_rate
            model.compile(
                **{
                    f"{group}_optimizer": _optimizer(model, group, rate, training)
                    for group in model.groups
                }
            )
    except ValueError as error:
        raise InputError(str(error)) from error
    return model


def _optimizer(model, group, learning_rate, training):
    """The paper's optimizer of a group, with the run's learning rate and averages."""
    optimizer = model.default_optimizer(group)
    steps = training.gradient_accumulation_steps
    settings = {"gradient_accumulation_steps": steps} if steps > 1 else {}
    if group == "generator" and training.ema_momentum:
        # Keras averages after each step, whether or not it changed the weights.
        settings |= {"use_ema": True, "ema_momentum": training.ema_momentum ** (1 / steps)}
    config = {**optimizer.get_config(), **settings, "learning_rate": learning_rate}
    return type(optimizer).from_config(config)


def _with_precision(options, measured=True):
    """The options with this machine's precision instead of "auto", and the reason."""
    filters = options.model.get("base_filters", 64)
    trial = functools.partial(seconds_by_precision, filters, options.data.crop_size)
    chosen, why = precision.choose(options.training.precision, trial if measured else None)
    return options.changed(precision=chosen), why
