"""The key of a study: which image of each pair is real, in a form that no eye reads.

It stands in the page and in each file of answers, so that these are enough for a score. It keeps
nobody out who takes the trouble; it keeps the answers from being seen by chance.
"""

import base64
import binascii
import hashlib

_CHECK = 8  # bytes that tell a damaged key


def sealed(study, real):
    """The key of a study, ASCII text.

    Args:
        study: the study's name, by which the text differs between studies.
        real: for each pair 0 or 1, the number of its real image.
    """
    plain = bytes(real)
    content = plain + _check(study, plain)
    return base64.b64encode(_mixed(study, content)).decode("ascii")


def opened(study, key, count):
    """What `sealed` was given: a list of `count` numbers, 0 or 1.

    Raises:
        ValueError: the key is another study's, of another number of pairs, or damaged.
    """
    try:
        content = _mixed(study, base64.b64decode(key, validate=True))
    except (binascii.Error, ValueError, TypeError):
        content = b""
    plain = content[:-_CHECK]
    if len(plain) != count or set(plain) - {0, 1} or _check(study, plain) != content[-_CHECK:]:
        raise ValueError(f"The key does not fit the study. Received: {key!r}")
    return list(plain)


def _check(study, plain):
    return hashlib.sha256(study.encode() + plain).digest()[:_CHECK]


def _mixed(study, content):
    """Exclusive or with bytes that follow from the name; twice gives the content again."""
    stream = hashlib.shake_256(study.encode()).digest(len(content))
    return bytes(one ^ other for one, other in zip(content, stream))
