"""The pages of `docs/` name what exists."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
TESTS = "\n".join(path.read_text() for path in (ROOT / "tests").glob("test_*.py"))


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_every_test_that_a_page_names_exists(page):
    names = set(re.findall(r"`(test_\w+)`", page.read_text()))
    assert names
    assert [name for name in sorted(names) if f"def {name}(" not in TESTS] == []
