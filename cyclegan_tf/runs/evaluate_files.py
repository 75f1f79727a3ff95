"""The command `evaluate`: from a model's file and images to a folder with scores and a page."""

import hashlib
import pathlib

from cyclegan_tf.choices import BUILT_IN
from cyclegan_tf.errors import InputError
from cyclegan_tf.runs.evaluation import evaluate
from cyclegan_tf.runs.evaluation_page import check_replaceable, said, title_of, write_evaluation
from cyclegan_tf.runs.extractors import extractor
from cyclegan_tf.runs.folder import RunFolder
from cyclegan_tf.runs.held_out import held_out
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.measures import measures_of
from cyclegan_tf.runs.options import options_of, resolve


def evaluate_files(
    model,
    data=None,
    out=None,
    *,
    domain_b=None,
    split="test",
    paired=False,
    direction=None,
    measures=None,
    count=200,
    image_size=None,
    inception=None,
    resizing="clean",
    seed=0,
    log=print,
):
    """Scores the model of a run or file, and writes `scores.json` and a page.

    Args:
        model: the folder of a run, or a `.keras` file.
        data: a source of images as `cyclegan-tf train` takes it; the run's own if `None`.
        out: the folder to write; by default `evaluation` in the run's folder or beside the file.
        domain_b, split, paired, direction, measures, count, seed: see `held_out` and `evaluate`.
        image_size: side of the images; that of the training if `None`.
        inception: the file of the network of FID; without it, features are EfficientNet-Lite0's
            if the extra is installed, else distances between sets are left out.
        resizing: see `cyclegan_tf.runs.extractors.extractor`.
        log: called with lines for the user.

    Returns:
        An `Evaluation`.

    Raises:
        InputError: there is no model or there are no images, or an argument does not fit.
    """
    path = pathlib.Path(model)
    out = pathlib.Path(out or (path if path.is_dir() else path.parent) / "evaluation")
    check_replaceable(out)
    loaded = load(path)
    options = _options(path, loaded, data, domain_b, image_size)
    images = held_out(options, split=split, paired=paired or None, count=count)
    features = _extractor(inception, resizing, measures, log)
    log(_counted(images, options, split))
    evaluation = evaluate(
        loaded, images, direction=direction, measures=measures, extractor=features, seed=seed
    )
    evaluation.protocol.update(
        model_sha256=_sha256(RunFolder(path).model if path.is_dir() else path),
        source=options.data.source,
        split=split,
        preprocess=options.data.preprocess,
    )
    for line in table(evaluation):
        log(line)
    write_evaluation(out, evaluation, f"Evaluation of {path.name}", images.names)
    log(f"Open {out / 'index.html'}; the numbers are in {out / 'scores.json'}.")
    return evaluation


def table(evaluation):
    """The scores of all directions as lines of text, and the alarms."""
    for direction, found in evaluation.directions.items():
        yield title_of(direction)
        for name, score in found.results.items():
            measure = evaluation.measures[name]
            yield f"  {name:28} {said(score)}  ({measure.best} is good): {measure.meaning}"
        for alarm in found.alarms:
            yield f"  Alarm: {alarm.sentence}"


def _options(path, model, source, domain_b, image_size):
    """The options that name the images: the run's, with what was asked for in their place."""
    of_run = options_of(path) if path.is_dir() else None
    if source is None and of_run is None:
        raise InputError(
            f"{path} does not say which images it was trained on; give a folder with testA and "
            f"testB, or {' or '.join(BUILT_IN)}."
        )
    if source is None:
        if domain_b is not None:
            raise InputError("--domain-b goes with a folder of domain A; give that too.")
        return of_run if image_size is None else of_run.changed(**_sizes(of_run, image_size))
    size = image_size or (of_run.data.crop_size if of_run else model.image_shape[0])
    given = {"system": of_run.system, "seed": of_run.training.seed} if of_run else {}
    return resolve(source, domain_b=domain_b, image_size=size, **given)


def _sizes(options, image_size):
    fresh = resolve(options.data.source, domain_b=options.data.domain_b, image_size=image_size)
    return {"load_size": fresh.data.load_size, "crop_size": fresh.data.crop_size}


def _extractor(inception, resizing, measures, log):
    """The features to measure with; `None` if none are needed, or, with a line, installed."""
    plain = {measure.name for measure in measures_of(None)}
    needed = bool(measures) and not set(measures) <= plain
    if measures and not needed:
        return None
    if inception is not None:
        return extractor("inception-fid", path=inception, resizing=resizing)
    try:
        return extractor("efficientnet-lite0")
    except ImportError as error:
        if needed:
            raise
        log(f"Distances between sets of images are left out. {error}")
        return None


def _counted(images, options, split):
    counts = [len(images.images[domain]) for domain in "ab"]
    return (
        f"{counts[0]} images of A and {counts[1]} of B, split {split} of {options.data.source}"
        f"{', paired' if images.paired else ''}, at {options.data.crop_size} pixels."
    )


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()
