"""The folder of a study, real or fake: a page that opens from disk or is served, and its images."""

import hashlib
import html
import importlib.resources
import json

import numpy as np

from cyclegan_tf import files
from cyclegan_tf.data.image_files import to_pillow
from cyclegan_tf.errors import InputError
from cyclegan_tf.experiments.real_or_fake.key import sealed
from cyclegan_tf.runs.curves import safe_json
from cyclegan_tf.runs.html_page import document

TITLE = "Real or fake?"


def write_study(
    folder,
    real,
    translated,
    *,
    practice=10,
    milliseconds=1000,
    direction="ab",
    kind="",
    seed=0,
    protocol=None,
):
    """Writes a new folder with `index.html`, `images/` and `study.json`.

    The names of the images do not tell which are real, and the page has the truth of the practice
    only: that of the trials is in a key, which the page copies to the answers.

    Args:
        folder: to write; new or empty.
        real, translated: uint8 `(pairs, height, width, channels)`; the k-th of both are a pair, and
            those of the practice come first.
        practice: pairs of the practice.
        milliseconds: how long an image is shown.
        direction: of the translation, for reports.
        kind: what the real images are, such as `"photographs"`; empty if they have no name.
        seed: of the numbers of the real images.
        protocol: more for `study.json`.

    Returns:
        The study's name: a hash of its images and settings.

    Raises:
        InputError: the folder holds something, or real and translated images differ in size.
    """
    check_new(folder)
    if real.shape[:3] != translated.shape[:3]:
        sizes = " and ".join("{1} x {0}".format(*each.shape[1:3]) for each in (real, translated))
        raise InputError(
            f"Real and translated images must have one size, or it would tell them apart: {sizes} "
            "pixels. Use images that were preprocessed to one size."
        )
    numbers = np.random.default_rng([seed, 1]).integers(2, size=len(real)).tolist()
    settings = {
        "direction": direction,
        "trials": len(real) - practice,
        "practice": practice,
        "milliseconds": milliseconds,
    }
    study = _name(settings, numbers, real, translated)
    pairs = [[f"images/{pair:03d}_{image}.png" for image in (1, 2)] for pair in range(len(real))]
    content = {
        "study": study,
        "key": sealed(study, numbers),
        **settings,
        "pairs": pairs,
        "real": numbers[:practice],
    }
    with files.atomic_folder(folder) as beside:
        (beside / "images").mkdir()
        for pair, number in enumerate(numbers):
            to_pillow(real[pair]).save(beside / pairs[pair][number])
            to_pillow(translated[pair]).save(beside / pairs[pair][1 - number])
        ratio = real.shape[2] / real.shape[1]
        files.write_text(beside / "index.html", _page(content, kind, ratio))
        about = {"study": study, **settings, **(protocol or {})}
        files.write_text(beside / "study.json", json.dumps(about, indent=2) + "\n")
    return study


def check_new(folder):
    """Raises an `InputError` if a folder holds something: answers to it would be lost."""
    files.check_folder(folder)
    if folder.is_dir() and (found := sorted(path.name for path in folder.iterdir())):
        raise InputError(
            f"{folder} holds {found[0]!r}; choose a folder that is new or empty: a study is not "
            "replaced, because answers belong to its images."
        )


def _name(settings, numbers, *images):
    """12 hexadecimal digits: other images, settings or numbers give other ones."""
    found = hashlib.sha256(json.dumps([settings, numbers]).encode())
    for each in images:
        found.update(np.ascontiguousarray(each).tobytes())
    return found.hexdigest()[:12]


def _page(content, kind, ratio):
    """The page's HTML.

    Args:
        content: what the script reads.
        kind: see `write_study`.
        ratio: width of an image over its height.
    """
    practice, trials = content["practice"], content["trials"]
    plan = f"There are {trials} trials."
    if practice:
        plan = (
            f"First come {practice} trials of practice, which tell you the truth. Then come "
            f"{trials} that count."
        )
    # 3.6 seconds of exposures and pauses if an image is shown for one, and one for an answer.
    seconds = (practice + trials) * (3.6 * content["milliseconds"] / 1000 + 1)
    minutes = max(1, round(seconds / 60))
    shown = content["milliseconds"] / 1000
    body = _read("study.html").format(
        seconds="one second" if shown == 1 else f"{shown:g} seconds",
        kind=f" ({html.escape(kind)})" if kind else "",
        plan=f"{plan} All of it takes about {minutes} minute{'s' * (minutes > 1)}.",
        study=safe_json(content),
        script=_read("study.js"),
    )
    style = f":root {{ --ratio: {ratio:.6g}; }}\n{_read('study.css')}"
    return document(TITLE, body, style=style)


def _read(name):
    file = importlib.resources.files(__package__).joinpath("browser", name)
    return file.read_text(encoding="utf-8")
