"""A sentence that says whether a training works, from its evaluations and losses."""

import dataclasses

from cyclegan_tf.runs.evaluations import within_one_error

_FEWEST = 4  # evaluations, before a trend is told
_RECENT = 3  # at least so many evaluations without a gain are a plateau
_WORSE = 2  # standard errors
_WON = 0.02  # of the loss of a discriminator that cannot tell
_EPOCHS_WON = 2

# The title of each verdict, for which `docs/working.md` has a heading, and what to try.
KINDS = {
    "blank": ("Blank", "Start again with a lower learning rate or in float32."),
    "returns_its_input": (
        "Returns its input",
        "Set lambda_identity to 0; then lower the weights of the cycles.",
    ),
    "collapsed": (
        "Mode collapse",
        "Take best.keras. Start again with another seed, a gradient penalty or a higher weight of "
        "the cycles; look whether a domain has only a few different images.",
    ),
    "inverted": (
        "Inverted colors",
        "Start again with another seed, or with lambda_identity=0.5.",
    ),
    "discriminator_won": (
        "The discriminator has won",
        "Give images of both domains the same format: JPEG blocks or borders in one give it away. "
        "Then start again with gradient_penalty=0.01 or a lower learning rate.",
    ),
    "early": ("Too early", "Train on."),
    "improving": ("Still improving", "Train on; at the end of a run, with more epochs."),
    "flat": ("Flat", "Stop here and take best.keras, or lower the learning rate."),
    "worse": ("Worse", "Stop here and take best.keras, or lower the learning rate."),
    "unmeasured": ("No distance measured", "Install the extra `features`."),
}


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


def verdict(evaluations, discriminators=()):
    """The verdict on a run.

    An alarm counts if the two newest evaluations raise it, as the first epochs of a healthy run
    may: an untrained generator changes little. Blank outputs count at once.

    Args:
        evaluations: `Evaluations`, at least one epoch.
        discriminators: for each epoch up to now `{name: share}`: the loss of a discriminator, as a
            share of what it would be if the discriminator could not tell real images from
            translated ones.

    Returns:
        A `Verdict`.
    """
    return _alarmed(evaluations.epochs) or _discriminator(discriminators) or _trend(evaluations)


def _verdict(name, sentence):
    title, advice = KINDS[name]
    return Verdict(name, title, f"{title}: {sentence}", advice)


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


def _trend(evaluations):
    distances, name = evaluations.distances, evaluations.distance
    if not distances:
        return _verdict(
            "unmeasured", "no failure shows; whether it still improves was not measured."
        )
    newest, value = distances[-1]
    now = f"kernel distance {value:.3g} ± {newest.standard_error(name):.2g}"
    if len(distances) < _FEWEST:
        return _verdict("early", f"no failure shows, and {now}.")
    alike = within_one_error(distances, name)
    if not alike:  # an alarm in each, but no direction twice
        return _verdict("early", f"no epoch was free of alarms yet; {now}.")
    values = {each.epoch: distance for each, distance in distances}
    lowest = min(alike, key=lambda each: values[each.epoch])
    recent = [each for each, _ in distances[-max(_RECENT, len(distances) // 4) :]]
    bound = values[lowest.epoch] + _WORSE * lowest.standard_error(name)
    best = f"{values[lowest.epoch]:.3g} at epoch {lowest.epoch}"
    if all(values[each.epoch] > bound for each in recent):
        return _verdict("worse", f"since epoch {lowest.epoch}; {now}, after {best}.")
    if alike[0] in recent:
        return _verdict("improving", f"{now}, from {_before(distances, recent)}.")
    return _verdict("flat", f"since epoch {alike[0].epoch}; {now}, and at best {best}.")


def _before(distances, recent):
    """The lowest distance before the recent epochs."""
    earlier = distances[: -len(recent)]
    each, value = min(earlier, key=lambda found: found[1])
    return f"{value:.3g} at epoch {each.epoch}"
