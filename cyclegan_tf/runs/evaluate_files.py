"""The command `evaluate`: from a model's file and images to a folder with scores and a page."""

import dataclasses
import pathlib
import time

from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.baselines import MEANINGS
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.evaluation_page import (
    check_replaceable,
    said,
    said_of_baselines,
    title_of,
    write_evaluation,
)
from cyclegan_tf.runs.extractors import distance_names, extractor
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.measures import SEGMENTED, chosen, measures_of
from cyclegan_tf.runs.pretrained import check_out, model_path
from cyclegan_tf.runs.scored_images import digest_of, image_options, options_of_file
from cyclegan_tf.runs.segmenter import segmenter_of
from cyclegan_tf.runs.sources import BUILT_IN_SOURCES
from cyclegan_tf.runs.translated import directions_of


def evaluate_files(
    model,
    data=None,
    out=None,
    *,
    domain_b=None,
    split="test",
    paired=None,
    direction=None,
    measures=None,
    count=200,
    image_size=None,
    inception=None,
    resizing=None,
    segmenter=False,
    seed=0,
    log=print,
):
    """Scores the model of a run or file, and writes `scores.json` and a page.

    Args:
        model: as `load` takes it: the folder of a run, or a `.keras` file, for example.
        data: a source of images as `cyclegan-tf train` takes it; the run's own if `None`.
        out: the folder to write; by default `evaluation` in the run's folder or beside the file.
            A pretrained model has no such place.
        domain_b, split, paired, direction, measures, count, seed: see `held_out` and `evaluate`.
        image_size: side of the images; that of the training if `None`.
        inception: the file of the network of FID; without it, features are EfficientNet-Lite0's
            if the extra is installed, else what needs features is left out.
        resizing: of images for that network; see `cyclegan_tf.extractor`.
        segmenter: score photographs made of label maps by `cyclegan_tf.segmenter`, trained on
            pairs of the training split; for the built-in sources.
        log: called with lines for the user.

    Returns:
        An `Evaluation`.

    Raises:
        InputError: there is no model or there are no images, or an argument does not fit.
        ImportError: a measure was asked for by name, and the extra that it needs is missing.
    """
    check_out(model, out)
    path = model_path(model)
    out = pathlib.Path(out) if out else beside(path)
    check_replaceable(out)
    if resizing is not None and inception is None:
        raise InputError("--resizing is that of images for --inception; give that file too.")
    loaded = load(path)
    digest = digest_of(path)  # at once: a training may replace the file
    options = image_options(path, loaded, data, domain_b, image_size, split)
    features = _extractor(inception, resizing, measures, log)
    if segmenter:
        _check_that_segmenter_serves(options.data.source, loaded, direction, measures)
    images = held_out(options, split=split, paired=paired, count=count)
    log(_counted(images, options))
    if not loaded.generators:
        log(
            f"A {type(loaded).__name__} searches for each image, there and back, which is slow; "
            "--count takes fewer."
        )
    of_photographs = None
    if segmenter:
        of_photographs = segmenter_of(options.data.source, options.data.crop_size, log)
    evaluation = evaluate(
        loaded,
        images,
        direction=direction,
        measures=measures,
        extractor=features,
        segmenter=of_photographs,
        seed=seed,
        progress=said_at_times(log),
    )
    evaluation.protocol.update(
        model_sha256=digest,
        split=None if options.data.domain_b else split,
        data=dataclasses.asdict(options.data),
        data_seed=options.training.seed,
    )
    for line in table(evaluation):
        log(line)
    write_evaluation(out, evaluation, f"Evaluation of {path.resolve().name}", images.names)
    log(f"Open {out / 'index.html'}; the numbers are in {out / 'scores.json'}.")
    return evaluation


def beside(path):
    """Where scores go if nothing else is asked for: those of a run's other files stay apart."""
    if path.is_dir():
        return RunFolder(path).evaluation
    folder = RunFolder(path.parent).evaluation
    other = options_of_file(path) is not None and path.name != RunFolder(path.parent).model.name
    return folder.with_name(f"{folder.name}_{path.stem}") if other else folder


def table(evaluation):
    """The scores of all directions as lines of text, beside those of baselines, and the alarms."""
    for direction, found in evaluation.directions.items():
        yield title_of(direction)
        heads = ("model", *found.baselines) if found.results else ()
        yield _row("", heads).rstrip()
        for name, score in found.results.items():
            measure = evaluation.measures[name]
            values = (said(score), *said_of_baselines(found, name))
            yield f"{_row(name, values)}  ({measure.best} is good): {measure.meaning}"
        for alarm in found.alarms:
            yield f"  Alarm: {alarm.sentence}"
    shown = {name for found in evaluation.directions.values() for name in found.baselines}
    for name, meaning in MEANINGS.items():
        if name in shown:
            yield f"{name}: {meaning}."
    if evaluation.note:
        yield evaluation.note


def _row(name, values):
    """Of a table: the model's score has room for its standard error."""
    first, *others = values or ("",)
    return f"  {name:28} {first:20}" + "".join(f" {value:10}" for value in others)


def _extractor(inception, resizing, measures, log):
    """The features to measure with; `None` if none are needed, or, with a line, installed."""
    names = distance_names("efficientnet-lite0" if inception is None else "inception-fid")
    chosen(measures_of(names, has_maps=True), measures)  # before a network is made
    plain = {measure.name for measure in measures_of()}
    if measures is not None and set(measures) <= plain:
        return None
    if inception is not None:
        return extractor("inception-fid", path=inception, resizing=resizing)
    try:
        return extractor("efficientnet-lite0")
    except ImportError as error:
        if measures is not None:
            raise
        log(f"Fréchet and kernel distance, structure and perceptual are left out. {error}")
        return None


def _check_that_segmenter_serves(source, model, direction, measures):
    """Raises an `InputError` if none can be trained, or it would be for nothing."""
    if source not in BUILT_IN:
        raise InputError(
            f"--segmenter needs photographs whose classes are known, as of {' and '.join(BUILT_IN)}"
            f"; {source} does not say them. In Python, cyclegan_tf.segmenter takes one's own."
        )
    needed = BUILT_IN_SOURCES[source].to_photographs
    directions = directions_of(model) if direction is None else (direction,)
    names = {measure.name for measure in SEGMENTED}
    if needed not in directions or not (measures is None or names & set(measures)):
        raise InputError(
            f"--segmenter is for the direction {needed} of {source} and for "
            f"{', '.join(sorted(names))}; leave it out, or ask for these too."
        )


def said_at_times(log, seconds=10.0):
    """Progress in lines, none of which follows another within these seconds."""
    last = time.monotonic()

    def progress(direction, done, count):
        nonlocal last
        now = time.monotonic()
        if done < count and now - last >= seconds:
            log(f"{title_of(direction)}: {done} of {count} images translated.")
            last = now

    return progress


def _counted(images, options):
    counts, sizes = zip(
        *(
            (len(images.images[domain]), "{1} x {0}".format(*images.images[domain].shape[1:]))
            for domain in "ab"
        )
    )
    return (
        f"{counts[0]} images of A and {counts[1]} of B from {options.data.source}"
        f"{', paired' if images.paired else ''}, {' and '.join(dict.fromkeys(sizes))} pixels."
    )
