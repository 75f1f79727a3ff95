"""What reports call the domains of a run."""

import pytest

from cyclegan_tf.runs.domains import DomainNames, domain_names
from cyclegan_tf.runs.options import resolve


@pytest.mark.parametrize(
    ("source", "domain_b", "expected"),
    [
        ("scenes", None, ("label maps", "photographs")),
        ("earth", None, ("satellite photographs", "relief maps")),
        ("data/horses", "data/zebras", ("horses", "zebras")),
        ("data/horses/train", "data/zebras/train", ("horses", "zebras")),
        ("data/trainA", "data/trainB", (None, None)),
        ("data/a", "data/b", (None, None)),
        ("data/same", "data/same", (None, None)),
        ("data/horse2zebra", None, (None, None)),
        ("tfds:cycle_gan/horse2zebra", None, (None, None)),
    ],
)
def test_domains_have_the_names_that_say_something(source, domain_b, expected):
    names = domain_names(resolve(source, domain_b=domain_b, crop_size=64))
    assert (names.a, names.b) == expected


def test_names_stand_in_texts_beside_the_letters():
    names = DomainNames("horses", "zebras")
    assert names.of("b") == "zebras (B)"
    assert names.of_direction("ba") == "zebras (B) → horses (A)"
    assert names.within("images of A translated to B; A → B, see CUT and PatchGAN A") == (
        "horses (A) translated to zebras (B); horses (A) → zebras (B), see CUT and PatchGAN "
        "horses (A)"
    )


def test_without_names_the_letters_are_left():
    names = domain_names(None)
    assert (names.of("a"), names.of_direction("ab")) == ("A", "A → B")
    assert names.within("images of A") == "images of A"
