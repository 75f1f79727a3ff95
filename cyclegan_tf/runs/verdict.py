"""A sentence that says whether a training works, from its evaluations and losses."""

import dataclasses

from cyclegan_tf.runs.evaluations import within_one_error

_FEWEST = 4  # evaluations, before a trend is told
_RECENT = 3  # at least so many evaluations without a gain are a plateau
_RECENT_SHARE = 0.2  # of the epochs that are planned, too
_WORSE = 2  # standard errors
_WON = 0.02  # of the loss of a discriminator that cannot tell
_EPOCHS_WON = 2

# The title of each verdict, for which `docs/working.md` has a heading, and what to try.
KINDS = {
    "blank": ("Blank", "Start again with a lower learning rate or in float32."),
    "returns_its_input": (
        "Returns its input",
        "Start again without identity loss; then with lower weights of the cycles.",
    ),
    "collapsed": (
        "Mode collapse",
        "Start again with another seed, or with a higher weight of the cycles; look whether a "
        "domain has only a few different images.",
    ),
    "inverted": ("Inverted colors", "Start again with another seed, or with an identity loss."),
    "discriminator_won": (
        "The discriminator has won",
        "Give images of both domains the same format: JPEG blocks or borders in one give it away. "
        "Then start again with a lower learning rate.",
    ),
    "early": (
        "Too early",
        "Train on; at the end of a run, with more epochs, and with --evaluate-every 1 to see more "
        "of its course.",
    ),
    "improving": ("Still improving", "Train on; at the end of a run, with more epochs."),
    "flat": ("Flat", ""),
    "worse": ("Worse", ""),
    "unmeasured": (
        "No distance measured",
        "That needs the extra `features`, at least four images and one or three channels.",
    ),
}
_RATE_FALLS = "Train on: the learning rate is still to fall, with which images often improve."
_NO_BETTER = "Translations are no nearer to real images than copies are: train for longer."
_STOP = "Stop here; the best epoch is kept."


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a run's evaluations say.

    Attributes:
        name: one of the alarms of `cyclegan_tf.metrics.alarms`, or `"discriminator_won"`,
            `"early"`, `"improving"`, `"flat"`, `"worse"` or `"unmeasured"`.
        title: a heading of `docs/working.md`, which explains it.
        sentence: what was found, with the numbers behind it.
        advice: what to try.
    """

    name: str
    title: str
    sentence: str
    advice: str


def verdict(evaluations, discriminators=(), planned=0, rate_falls=False):
    """The verdict on a run.

    An alarm counts if the two newest evaluations raise it, as the first epochs of a healthy run
    may: an untrained generator changes little. Blank outputs count at once.

    Args:
        evaluations: `Evaluations`, at least one epoch.
        discriminators: for each epoch up to now `{name: share}`: the loss of a discriminator, as a
            share of what it would be if the discriminator could not tell real images from
            translated ones.
        planned: epochs of the whole run.
        rate_falls: whether the learning rate will be lower at the end of the run than now.

    Returns:
        A `Verdict`.
    """
    return (
        _alarmed(evaluations.epochs)
        or _discriminator(discriminators)
        or _trend(evaluations, planned, rate_falls)
    )


def _verdict(name, sentence, advice=None):
    title, usual = KINDS[name]
    return Verdict(name, title, f"{title}: {sentence}", advice or usual)


def _alarmed(epochs):
    for direction, alarm in epochs[-1].alarms():
        since = epochs[-1]
        for earlier in reversed(epochs[:-1]):
            if direction not in dict(earlier.alarms(alarm["name"])):
                break
            since = earlier
        if alarm["name"] == "blank" or since is not epochs[-1]:
            arrow = " → ".join(direction.upper())
            return _verdict(
                alarm["name"], f"since epoch {since.epoch}, {arrow}. {alarm['sentence']}"
            )
    return None


def _discriminator(shares):
    newest = shares[-_EPOCHS_WON:]
    if len(newest) < _EPOCHS_WON:
        return None
    for name, share in newest[-1].items():
        if all(each.get(name, 1.0) < _WON for each in newest):
            return _verdict(
                "discriminator_won",
                f"the loss {name} is {share:.1%} of that of an undecided discriminator: it tells "
                "all translated images from real ones, and the generator learns little from it.",
            )
    return None


def _trend(evaluations, planned, rate_falls):
    distances, name = evaluations.distances, evaluations.distance
    if not distances:
        return _verdict(
            "unmeasured", "no failure shows; whether it still improves was not measured."
        )
    newest, value = distances[-1]
    now = f"mean kernel distance {value:.3g} ± {newest.standard_error(name):.2g}"
    if len(distances) < _FEWEST:
        return _verdict("early", f"no failure shows, and {now}.")
    alike = within_one_error(distances, name)
    if not alike:  # an alarm in each, but no direction twice
        return _verdict("early", f"no epoch was free of alarms yet; {now}.")
    values = {each.epoch: distance for each, distance in distances}
    lowest = min(alike, key=lambda each: values[each.epoch])
    since = newest.epoch - _RECENT_SHARE * planned
    recent = [each for each, _ in distances if each.epoch > since]
    recent = max(recent, [each for each, _ in distances[-_RECENT:]], key=len)
    best = f"{values[lowest.epoch]:.3g} at epoch {lowest.epoch}"
    if lowest in recent:
        now += "" if lowest is newest else f", at best {best}"
        return _verdict("improving", f"{now}, from {_before(distances, recent)}.")
    copy = evaluations.of_copy
    advice = _RATE_FALLS if rate_falls else _STOP
    if copy is not None and values[lowest.epoch] >= copy:
        advice = _NO_BETTER
    bound = values[lowest.epoch] + _WORSE * lowest.standard_error(name)
    if all(values[each.epoch] > bound for each in recent):
        return _verdict("worse", f"since epoch {lowest.epoch}; {now}, after {best}.", advice)
    return _verdict("flat", f"since epoch {alike[0].epoch}; {now}, and at best {best}.", advice)


def _before(distances, recent):
    """The lowest distance before the recent epochs; the first one if all are recent."""
    earlier = distances[: -len(recent)] or distances[:1]
    each, value = min(earlier, key=lambda found: found[1])
    return f"{value:.3g} at epoch {each.epoch}"
