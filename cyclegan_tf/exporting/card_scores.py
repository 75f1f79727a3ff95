"""What a model card says of scores: of the exported weights, and of the run's epochs."""

import json

from cyclegan_tf.errors import InputError
from cyclegan_tf.exporting.markdown import plain, table
from cyclegan_tf.runs.baselines import MEANINGS
from cyclegan_tf.runs.evaluate_files import beside
from cyclegan_tf.runs.evaluation_page import said
from cyclegan_tf.runs.extractors import distance_names
from cyclegan_tf.runs.measures import Score, measures_of
from cyclegan_tf.runs.scored_images import digest_of
from cyclegan_tf.runs.scores_by_epoch import ScoresFile

# A copy of the input has these by definition.
_OF_INPUT = ("structure", "edge_agreement")


def scores_of(origin):
    """The content of the `scores.json` of a model; `None` if there is none of these weights.

    Args:
        origin: the `Origin` of the model.
    """
    if origin.run is None:
        return None
    path = beside(origin.model) / "scores.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        is_of_these = content["protocol"]["model_sha256"] == digest_of(origin.model)
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return None
    return content if is_of_these else None  # a later training may have replaced the weights


def scores_section(scored, origin):
    """Paragraphs: the scores of these weights, and those of the run's epochs."""
    followed = ScoresFile(origin.run.evaluations) if origin.run else None
    paragraphs = []
    if scored:
        stored = isinstance(scored["protocol"]["model_sha256"], dict)
        of = "the .keras files, as they are stored" if stored else "these weights"
        paragraphs.append(f"Of {of}, by `cyclegan-tf evaluate`. {_protocol(scored['protocol'])}")
        paragraphs += _tables(scored, origin.names)
    if followed and followed.epochs:
        paragraphs += _of_epochs(followed, origin.names)
    return paragraphs or ["It was not scored. `cyclegan-tf evaluate` scores it on images."]


def _protocol(protocol):
    """How the scores were measured, in sentences."""
    images = [
        f"{of['count']} of {domain.upper()} with {of['shape'][1]} × {of['shape'][0]} pixels"
        for domain, of in protocol["images"].items()
    ]
    split = f" of the split {protocol['split']}" if protocol.get("split") else ""
    seed = f" (data seed {protocol['data_seed']})" if "data_seed" in protocol else ""
    sentences = [f"Images{split}{seed}: {' and '.join(images)}"]
    sentences[0] += ", paired." if protocol["paired"] else ", not paired."
    if extractor := protocol.get("extractor"):
        sentences.append(
            f"Features are those of {extractor['name']}, at {extractor['image_size']} pixels by "
            f"{extractor['resizing']} resizing."
        )
    versions = ", ".join(f"{name} {of}" for name, of in protocol["versions"].items())
    return " ".join([*sentences, f"Seed {protocol['seed']}; {versions}."])


def _tables(scored, names):
    """Each direction: the model beside its baselines, and alarms."""
    shown = [name for name in MEANINGS if any(name in of["baselines"] for of in _each(scored))]
    known = measures_in(scored["protocol"])
    for direction, found in by_direction(scored).items():
        baselines = {name: found["baselines"][name] for name in shown if name in found["baselines"]}
        rows = []
        for measure, value in found["scores"].items():
            values = [_said(value, found["standard_errors"].get(measure))]
            values += [_said(of.get(measure)) for of in baselines.values()]
            about = known.get(measure)
            rows.append([measure, *values, about.best if about else "", about and about.meaning])
        heads = ("measure", "model", *baselines, "good is", "what it is")
        yield f"### {plain(names.of_direction(direction))}"
        yield table(heads, rows)
        yield from (plain(alarm["sentence"]) for alarm in found["alarms"])
    yield "; ".join(f"{name}: {MEANINGS[name]}" for name in shown) + "."


def measures_in(protocol):
    extractor = protocol.get("extractor")
    pair = distance_names(extractor["name"]) if extractor else None
    return {each.name: each for each in measures_of(pair, has_maps=True)}


def by_direction(scored):
    return {name: of for name, of in scored.items() if name != "protocol"}


def _each(scored):
    return by_direction(scored).values()


def _of_epochs(followed, names):
    """The last and the best epoch of the run beside copies, and the verdict."""
    columns = {f"last evaluated: epoch {followed.epochs[-1].epoch}": followed.epochs[-1].epoch}
    if followed.best is not None:
        columns[f"best: epoch {followed.best}"] = followed.best
    yield (
        f"Of the run's epochs, measured on {followed.counts} while it was trained; averaged "
        "weights were scored as averages. The best epoch is the one that the run keeps as "
        "`best.keras`."
    )
    for direction in followed.directions:
        rows = []
        for measure, about in followed.measures.items():
            scores = [followed.score(each, direction, measure) for each in columns.values()]
            if all(score is None for score, _ in scores):
                continue
            values = [_said(*score) for score in scores]
            values.append(_said(followed.of_copies(direction, measure)))
            rows.append([measure, *values, about.get("best", "")])
        yield f"### Epochs, {plain(names.of_direction(direction))}"
        yield table(("measure", *columns, "copy", "good is"), rows)
    if sentence := followed.verdict.get("sentence"):
        last = followed.epochs[-1].epoch
        yield f"What the run said of itself at epoch {last}: {plain(sentence)}"


def _said(value, standard_error=None):
    return "–" if value is None else said(Score(value, standard_error))


def beaten(found, known):
    """By which measures something that needs no model is at least as good."""
    said_of = {"copy": "the input itself", "constant": "one color"}
    for name, title in said_of.items():
        worse = [
            measure
            for measure, value in found["scores"].items()
            if measure in known and measure not in _OF_INPUT
            if _at_least_as_good(
                found["baselines"].get(name, {}).get(measure), value, known[measure]
            )
        ]
        if worse:
            yield f"by {', '.join(map(plain, worse))} {title} is as good or better"


def _at_least_as_good(baseline, value, measure):
    if baseline is None or value is None:
        return False
    return baseline >= value if measure.best == "high" else baseline <= value
