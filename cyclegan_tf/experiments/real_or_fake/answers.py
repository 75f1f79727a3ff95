"""The files of answers that the page of a study saves, one for each person."""

import dataclasses
import json
import pathlib

from cyclegan_tf import files
from cyclegan_tf.errors import InputError
from cyclegan_tf.experiments.real_or_fake.key import opened

_FORMAT = "cyclegan_tf answers: real or fake"  # as study.js writes it
_MOST = 100_000  # trials of a session, more than anyone can take


@dataclasses.dataclass(frozen=True)
class Trial:
    """One answer.

    Attributes:
        pair: its number in the study.
        side: 0 if the first image was chosen, 1 if the second.
        fooled: whether the chosen image was the translated one.
        exposures: how long both images were seen, in milliseconds, the first one first.
    """

    pair: int
    side: int
    fooled: bool
    exposures: tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all answers to one study share.

    Attributes:
        study: its name.
        key: which images are real, sealed.
        direction: of the translation, `"ab"` or `"ba"`.
        trials, practice: numbers of pairs.
        milliseconds: how long an image is to be shown.
    """

    study: str
    key: str
    direction: str
    trials: int
    practice: int
    milliseconds: int


@dataclasses.dataclass(frozen=True)
class Answers:
    """The file of one person.

    Attributes:
        path: of the file.
        settings: `Settings` of the study.
        trials: `Trial`s in their order, without those of practice.
    """

    path: pathlib.Path
    settings: Settings
    trials: tuple[Trial, ...]


def read_all(paths):
    """The `Answers` of one study.

    Args:
        paths: of files, or of folders whose `.json` files are all meant.

    Raises:
        InputError: there is none, one cannot be read or is damaged, or they are of several studies.
    """
    found = []
    for path in map(pathlib.Path, paths):
        if not files.is_folder(path, "a file of answers, or a folder of them"):
            found.append(path)
        elif inside := sorted(path.glob("*.json")):
            found += inside
        else:
            raise InputError(f"{path} holds no file named *.json; expected files of answers.")
    if not found:
        raise InputError("No file of answers was given; name those that the study's page saved.")
    answers = [read(path) for path in found]
    for other in answers[1:]:
        _check_same(answers[0], other)
    return answers


def _check_same(first, other):
    if first.settings == other.settings:
        return
    if first.settings.study == other.settings.study:
        raise InputError(
            f"{other.path} and {first.path} name one study with different settings, so one of them "
            "was changed; take the files as the page saved them."
        )
    raise InputError(
        f"{other.path} answers the study {other.settings.study}, and {first.path} the study "
        f"{first.settings.study}; score each study by itself."
    )


def read(path):
    """The `Answers` of a file.

    Raises:
        InputError: it cannot be read, or is not as the page saves it.
    """
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise files.unreadable(path, error) from None
    except (ValueError, RecursionError):
        raise _other(path, "it is no JSON") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise _other(path, "it has another format")
    if content.get("version") != 1:
        raise _other(path, f"its version is {content.get('version')!r}, not 1")
    try:
        settings = _settings(content)
        real = opened(settings.study, settings.key, settings.practice + settings.trials)
        answers = [_trial(each, settings, real) for each in _list(content["answers"])]
        _check_order([trial.pair for trial in answers], settings)
    except (KeyError, TypeError, ValueError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise _other(path, what) from None
    return Answers(path, settings, tuple(answers[settings.practice :]))


def _other(path, what):
    return InputError(
        f"{path} is not a file of answers as the page of a study saves it: {what}. Take it as it "
        "was saved, or leave it out."
    )


def _settings(content):
    study, key, direction = (content[name] for name in ("study", "key", "direction"))
    if not all(isinstance(each, str) for each in (study, key)) or direction not in ("ab", "ba"):
        raise ValueError("its study, key or direction is none")
    bounds = {"trials": (1, _MOST), "practice": (0, _MOST), "milliseconds": (1, 10**6)}
    numbers = {name: _whole(name, content[name], *bound) for name, bound in bounds.items()}
    return Settings(study, key, direction, **numbers)


def _whole(name, value, least, most):
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"{name} is {value!r:.40}")
    return value


def _trial(answer, settings, real):
    if not isinstance(answer, dict):
        raise ValueError(f"an answer is {answer!r:.40}")
    pair = _whole("pair", answer["pair"], 0, settings.practice + settings.trials - 1)
    chosen = _whole("chosen", answer["chosen"], 0, 1)
    order, exposures = answer["order"], answer["exposures"]
    if order not in ([0, 1], [1, 0]):
        raise ValueError(f"order is {order!r:.40}")
    if not isinstance(exposures, list) or [*map(_is_time, exposures)] != [True, True]:
        raise ValueError(f"exposures are {exposures!r:.40}")
    return Trial(pair, order.index(chosen), chosen != real[pair], tuple(exposures))


def _list(value):
    if not isinstance(value, list):
        raise ValueError(f"its answers are {value!r:.40}")
    return value


def _is_time(value):
    return type(value) in (int, float) and 0 <= value < 1e9  # so neither NaN nor infinity


def _check_order(pairs, settings):
    """Each pair at most once, those of the practice first."""
    if len(set(pairs)) != len(pairs):
        raise ValueError("a pair is answered twice")
    practice = settings.practice
    if any((pair < practice) != (place < practice) for place, pair in enumerate(pairs)):
        raise ValueError("the practice does not come first")
