"""The score of a study as lines of text, as files, and as a plot."""

import csv
import io
import json
import pathlib

from cyclegan_tf import files
from cyclegan_tf.experiments.real_or_fake.scores import CHANCE, DRAWS, RULES, by_pair, score


def score_files(paths, out=None, *, seed=0, log=print):
    """Scores files of answers; prints the score, and writes it with a table and a plot.

    Args:
        paths: of files, or of folders of them.
        out: the folder for `scores.json`, `scores.csv` and `scores.png`, which are replaced; by
            default `scores` beside the first file.
        seed: of the bootstrap.
        log: called with lines for the user.

    Returns:
        `StudyScore`.

    Raises:
        InputError: see `score`.
    """
    found = score(paths, seed)
    out = pathlib.Path(out) if out else found.people[0].answers.path.parent / "scores"
    files.write_text(out / "scores.json", json.dumps(as_json(found), indent=2) + "\n")
    files.write_text(out / "scores.csv", as_csv(found))
    _plot(found, out / "scores.png")
    for line in lines(found):
        log(line)
    log(f"Wrote {out / 'scores.json'}, scores.csv and scores.png.")
    return found


def lines(found):
    """A `StudyScore` as lines of text."""
    settings, counted = found.settings, found.counted
    trials = sum(len(person.counted) for person in counted)
    asked = settings.trials * len(counted)
    yield (
        f"Study {settings.study}, direction {settings.direction}, {settings.milliseconds} ms: "
        f"{len(counted)} of {len(found.people)} people count, with {trials} of {asked} trials."
    )
    for person in found.people:
        if person.left_out:
            yield f"Left out: {person.answers.path.name}: {person.left_out}."
    low, high = (f"{100 * end:.1f}" for end in found.share.interval)
    yield (
        f"Fooled: {100 * found.share.value:.1f} % ± {100 * found.share.deviation:.1f}; 95 % of "
        f"{DRAWS:,} draws over people and trials lie between {low} and {high} %."
    )
    place = _beside_chance(found.share)
    yield f"Chance is {100 * CHANCE:g} %, of somebody who cannot tell: {place}."
    if len(counted) == 1:
        yield "With one person, the ± knows nothing of how people differ."


def _beside_chance(share):
    low, high = share.interval
    if low <= CHANCE <= high:
        return "it is within the interval"
    return f"the interval lies {'below' if high < CHANCE else 'above'} it"


def as_json(found):
    """A `StudyScore` as what `json.dumps` takes."""
    settings, share = found.settings, found.share
    return {
        "study": settings.study,
        "direction": settings.direction,
        "trials": settings.trials,
        "practice": settings.practice,
        "milliseconds": settings.milliseconds,
        "fooled": share.value,
        "standard_deviation": share.deviation,
        "interval_95": share.interval,
        "chance": CHANCE,
        "draws": DRAWS,
        "seed": found.seed,
        "rules": RULES,
        "people": list(_rows(found)),
        "pairs": {
            pair: {"shown": shown, "fooled": fooled}
            for pair, (shown, fooled) in by_pair(found).items()
        },
    }


def as_csv(found):
    """A row for each file."""
    rows = list(_rows(found))
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _rows(found):
    for person in found.people:
        trials = len(person.counted)
        yield {
            "file": person.answers.path.name,
            "trials": trials,
            "fooled": person.fooled,
            "share": person.fooled / trials if trials else None,
            "left_out": person.left_out,
        }


def _plot(found, path):
    """Each person's share, the mean with its interval, and chance."""
    from matplotlib.figure import Figure  # here, because few commands draw

    shares = sorted(100 * person.fooled / len(person.counted) for person in found.counted)
    low, high = (100 * end for end in found.share.interval)
    figure = Figure(figsize=(6.4, 2.8), layout="constrained")
    axes = figure.add_subplot(xlabel="fooled, % of trials", xlim=(-2, 102), ylim=(-0.6, 1.6))
    axes.axvline(100 * CHANCE, color="0.5", linestyle="--")
    axes.annotate("chance", (100 * CHANCE, 1.45), (4, 0), textcoords="offset points", va="top")
    above = [at - shares.index(share) for at, share in enumerate(shares)]  # others of one share
    step = min(0.12, 0.4 / max(1, max(above)))
    heights = [1 + step * number for number in above]
    axes.plot(shares, heights, "o", color="#56b4e9", markersize=5)
    axes.plot((low, high), (0, 0), "-|", color="#0072b2", markersize=8)
    axes.plot(100 * found.share.value, 0, "o", color="#0072b2")
    axes.set_yticks([0, 1], ["all, with 95 %", "each person"])
    axes.grid(axis="x", alpha=0.3)
    with files.atomic_file(path) as beside:
        figure.savefig(beside, dpi=120)
