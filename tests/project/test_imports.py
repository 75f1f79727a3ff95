"""Who may import whom: wings downwards only, no circles, and `export/` not the package."""

import ast
import graphlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "cyclegan_tf"

# From the top to the bottom. A wing imports from rows below its own and from itself, not from the
# other wings of its row; the last rows are the ground, files of the package itself.
WINGS = [
    ["__main__", "api"],
    ["commands"],
    ["experiments"],
    ["exporting"],
    ["interop", "runs"],
    ["recipes"],
    ["systems"],
    ["translation"],
    ["data", "metrics", "networks", "training"],
    ["losses", "precision"],
    ["directions", "preprocessing"],
    ["intensity_range", "replicas", "value_range"],
    ["extras", "torch_files"],
    ["choices", "devices", "files", "plain_pickles", "random_numbers"],
    ["errors", "keras_internals", "pixels", "processor", "quiet_start"],
]


def _name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _imports(source):
    """Names of the modules of the package that a source imports, and names in them."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level:
            names = ["cyclegan_tf.relative_imports_are_not_used_here"]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.split(".")[0] == "cyclegan_tf":
                yield name.removeprefix("cyclegan_tf").lstrip(".")


def _row(name):
    wing = name.partition(".")[0]
    return next((number for number, row in enumerate(WINGS) if wing in row), None)


def violations(name, source):
    """The imports of module `name` that go neither downwards nor stay in its wing."""
    return [
        f"{name} imports {imported}"
        for imported in _imports(source)
        if imported.partition(".")[0] != name.partition(".")[0]
        and (_row(imported) is None or _row(imported) <= _row(name))
    ]


def circles(sources):
    """A circle of modules that import each other, from their sources by name; or none."""
    graph = {}
    for name, source in sources.items():
        graph[name] = set()
        for imported in _imports(source):
            # A name may be that of a module or of what is in one.
            for module in (imported, imported.rpartition(".")[0]):
                # A package gathers the names of its own modules.
                if module in sources and module != name and not f"{name}.".startswith(f"{module}."):
                    graph[name].add(module)
                    break
    try:
        list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        return error.args[1]
    return None


@pytest.mark.parametrize("name", [name for name in MODULES if name])
def test_imports_go_downwards(name):
    assert _row(name) is not None, f"{name} has no row yet"
    assert violations(name, MODULES[name].read_text()) == []


def test_no_modules_import_each_other():
    assert circles({name: path.read_text() for name, path in MODULES.items()}) is None


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("networks.layers", "from cyclegan_tf.systems.base import System"),
        ("runs.train", "from cyclegan_tf.exporting import export"),
        ("translation.image_folders", "import cyclegan_tf.runs.train"),
        ("systems.cyclegan", "from cyclegan_tf.runs import callbacks"),
        ("training.checkpoints", "from cyclegan_tf.data import folders"),
        ("networks.remat", "from cyclegan_tf.training.optimizers import Adam"),
        ("interop.torch_weights", "from cyclegan_tf.runs.load import load"),
        ("losses", "from cyclegan_tf.training.replay_pool import ReplayPool"),
        ("errors", "from cyclegan_tf import files"),
        ("runs.train", "from cyclegan_tf.train_page import anything"),
        ("networks.layers", "from . import train"),
        ("networks.layers", "from .initializers import normal_initializers"),
    ],
)
def test_a_planted_import_is_found(name, source):
    assert violations(name, source)


def test_a_planted_circle_is_found():
    sources = {
        "data": "from cyclegan_tf.data.folders import folders",
        "data.folders": "from cyclegan_tf.data import pipeline",
        "data.pipeline": "from cyclegan_tf.data.folders import folder",
    }
    assert set(circles(sources)) == {"data.folders", "data.pipeline"}
    sources["data.pipeline"] = "from cyclegan_tf.data import image_files"
    assert circles(sources) is None


def test_the_export_folder_stands_on_its_own():
    for path in (ROOT / "export").rglob("*.py"):
        assert not list(_imports(path.read_text())), path
