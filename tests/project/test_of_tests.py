"""Tests share helpers, which lie at the top of `tests/`, and never import each other."""

import ast
import collections
import pathlib

import pytest

TESTS = pathlib.Path(__file__).parents[1]


MODULES = {path.stem for path in TESTS.rglob("test_*.py")}


def of_tests(source):
    """The test modules that a source imports, or names from."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
        else:
            continue
        yield from (name for name in names if MODULES & set(name.split(".")))


def test_no_file_imports_a_test_module():
    imported = {path.name: list(of_tests(path.read_text())) for path in TESTS.rglob("*.py")}
    assert {name: modules for name, modules in imported.items() if modules} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import test_of_tests",
        "from test_of_tests import of_tests",
        "from project.test_of_tests import of_tests",
        "from project import test_of_tests",
    ],
)
def test_a_planted_import_is_found(source):
    assert list(of_tests(source))


def test_file_names_are_unique():
    """Their folders are no packages: of two modules of one name only the first would be found."""
    names = collections.Counter(path.name for path in TESTS.rglob("*.py"))
    shared = {name for name, count in names.items() if count > 1}
    assert shared <= {"conftest.py"}
