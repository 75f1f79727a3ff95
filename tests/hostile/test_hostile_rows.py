"""What the hostile tests leave to others is tested there."""

import ast
import pathlib

import pytest

TESTS = pathlib.Path(__file__).parents[1]
HOSTILE = sorted(pathlib.Path(__file__).parent.glob("test_hostile_*.py"))


def _names(path):
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def _left_to_others(path):
    """The table ELSEWHERE of a file: what is tested elsewhere, and by which test."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "ELSEWHERE":
            return ast.literal_eval(node.value)
    return {}


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.stem)
def test_each_test_that_is_named_exists(path):
    others = set().union(*(_names(other) for other in TESTS.rglob("test_*.py")))
    left = _left_to_others(path)
    assert not set(left.values()) - others
    assert not set(left.values()) & _names(path)


def test_the_tables_are_found():
    assert sum(len(_left_to_others(path)) > 5 for path in HOSTILE) >= 6
