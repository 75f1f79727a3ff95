"""The study "real or fake": can people tell a model's translations from real images?

Zhu et al. 2017, section 5.1.2, as on the published page (phillipi/AMT_Real_vs_Fake): a trial shows
a real image and a translated one, one after the other, one second each, and asks which was real; 10
trials of practice with feedback, then 40 that count.
"""

import pathlib

import numpy as np

from cyclegan_tf.directions import direction_among, from_domain, to_domain
from cyclegan_tf.errors import InputError
from cyclegan_tf.experiments.real_or_fake.page import check_new, write_study
from cyclegan_tf.runs.domains import domain_names
from cyclegan_tf.runs.evaluate_files import said_at_times
from cyclegan_tf.runs.held_out import HeldOut, held_out
from cyclegan_tf.runs.load import load
from cyclegan_tf.runs.pretrained import check_out, model_path
from cyclegan_tf.runs.scored_images import digest_of, image_options
from cyclegan_tf.runs.translated import Translated, directions_of

_POOL = 200  # held-back images of each domain, from which pairs are drawn


def study(
    model,
    data=None,
    out=None,
    *,
    domain_b=None,
    split="test",
    paired=None,
    direction=None,
    trials=40,
    practice=10,
    milliseconds=1000,
    seed=0,
    log=print,
):
    """Writes the page of a study of one direction of a model.

    Args:
        model: as `cyclegan_tf.load` takes it: the folder of a run, or a `.keras` file, for example.
        data: a source of images as `cyclegan-tf train` takes it; the run's own if `None`.
        out: the folder to write, new or empty; by default `study` in the run's folder or beside the
            file.
        domain_b, split, paired: see `cyclegan_tf.runs.held_out.held_out`.
        direction: `"ab"` or `"ba"`; the model's first one, mostly `"ab"`, if `None`.
        trials, practice: numbers of pairs.
        milliseconds: how long an image is shown.
        seed: of what is drawn: images and pairs.
        log: called with lines for the user.

    Raises:
        InputError: there is no model, there are no or too few images, or an argument does not fit.
    """
    for name, value, least in (
        ("trials", trials, 1),
        ("practice", practice, 0),
        ("milliseconds", milliseconds, 50),
    ):
        if value < least:
            raise InputError(f"{name} must be at least {least}. Received: {value}")
    check_out(model, out)
    path = model_path(model)
    out = pathlib.Path(out) if out else (path if path.is_dir() else path.parent) / "study"
    check_new(out)
    loaded = load(path)
    direction = direction_among(directions_of(loaded), direction)
    digest = digest_of(path)
    options = image_options(path, loaded, data, domain_b, split=split)
    needed = trials + practice
    images = held_out(options, split=split, paired=paired, count=max(_POOL, needed))
    chosen, numbers = pairs_of(images, direction, needed, seed)
    translated = Translated(loaded, chosen, direction, progress=said_at_times(log))
    name = write_study(
        out,
        translated.reals,
        translated.outputs,
        practice=practice,
        milliseconds=milliseconds,
        direction=direction,
        kind=vars(domain_names(options))[to_domain(direction)] or "",
        seed=seed,
        protocol={
            # The folder may be served: names of files, but not where they are.
            "model": path.resolve().name,
            "model_sha256": digest,
            "data": pathlib.Path(options.data.source).name,
            "data_seed": options.training.seed,
            "image_size": list(images.images["a"].shape[1:3]),
            "split": None if options.data.domain_b else split,
            "same_scene": images.paired,
            "seed": seed,
            "pairs": _named(numbers, images.names, direction),
        },
    )
    log(
        f"Study {name}: {practice} pairs of practice and {trials} that count, each "
        f"{'of one scene' if images.paired else 'of images drawn at random'}."
    )
    log(f"Open {out / 'index.html'}. To score: cyclegan-tf study --score and the saved files.")


def pairs_of(images, direction, count, seed):
    """Draws the pairs of a study, without repetition.

    If it is known which images show one scene, those are a pair: then content cannot tell a real
    image from a translated one. Else a pair is two images drawn at random.

    Args:
        images: `HeldOut`.
        direction: `"ab"` or `"ba"`.
        count: of pairs.
        seed: of the draw.

    Returns:
        `HeldOut` of the images to translate and of the real ones, as many of both; and the numbers
        of these images by domain.

    Raises:
        InputError: there are too few images.
    """
    for domain in (from_domain(direction), to_domain(direction)):
        if (found := len(images.images[domain])) < count:
            raise InputError(
                f"{count} trials, with those of practice, need as many images of each domain, and "
                f"{domain.upper()} has {found}; ask for fewer by --trials and --practice, "
                "or name a folder with more."
            )
    random = np.random.default_rng([seed, 0])
    orders = {domain: random.permutation(len(images.images[domain]))[:count] for domain in "ab"}
    if images.paired:
        orders["b"] = orders["a"]
    chosen = {domain: images.images[domain][order] for domain, order in orders.items()}
    return HeldOut(chosen, images.paired), orders


def _named(numbers, names, direction):
    """What `study.json` says of each pair: the image that was translated, and the real one."""
    ends = {"translated": from_domain(direction), "real": to_domain(direction)}

    def name(domain, number):
        return str(names[domain][number]) if names.get(domain) else int(number)

    columns = ([name(domain, number) for number in numbers[domain]] for domain in ends.values())
    return [dict(zip(ends, pair)) for pair in zip(*columns)]
