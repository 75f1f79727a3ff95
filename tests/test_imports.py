"""Who may import whom: downwards only, verbs not each other, and `export/` not the package."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / "cyclegan_tf"

# From the top to the bottom; a module imports from rows below its own.
ROWS = [
    ["__main__"],
    ["cli", "api"],
    ["demo"],
    ["train", "evaluate", "translate", "export", "web", "torch_weights", "keras2_weights",
     "launch"],
    ["tflite", "onnx_export"],
    ["callbacks", "checkpoints", "run_logs", "options", "load", "sources"],
    ["systems.cyclegan"],
    ["systems.base", "data", "metrics", "sheets", "page", "trial", "strategies", "npm",
     "descriptions"],
    ["precision"],
    ["translator", "torch_state", "serving", "warmup"],
    ["generators", "discriminators"],
    ["layer_factory"],
    ["layers", "losses", "pool", "schedules", "optimizers", "initializers"],
    ["preprocessing", "kernels"],
    ["remat", "replicas", "devices", "files", "random_numbers", "quiet", "choices",
     "value_range"],
    ["errors", "quiet_start"],
]  # fmt: skip
WITHIN = {
    # Sources, then the pipeline, then picture files.
    "data": [["data.folders", "data.arrays", "data.scenes", "data.tfds"], ["data.pipeline"],
             ["data.pictures"]],
    # The verb, what it chooses among, what those are made of and measured by, the file itself.
    "tflite": [["tflite.export"], ["tflite.recipes"],
               ["tflite.equalization", "tflite.rounding", "tflite.quantizer",
                "tflite.representative", "tflite.report"],
               ["tflite.conversion", "tflite.interpreter", "tflite.metadata"]],
}  # fmt: skip


def _name(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def _imports(source):
    """Names of the modules of the package that a source imports."""
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


def _row(name, rows):
    """The number of the row that holds a module, or the module or function of one."""
    for number, row in enumerate(rows):
        if any(name == module or name.startswith(module + ".") for module in row):
            return number
    return None


def violations(name, source):
    """The imports of module `name` that do not go downwards."""
    found = []
    for imported in _imports(source):
        # A package gathers the names of its own modules.
        if not name or f"{imported}.".startswith(f"{name}."):
            continue
        folder = name.partition(".")[0]
        rows = WITHIN.get(folder, ROWS) if imported.startswith(f"{folder}.") else ROWS
        above, below = _row(name, rows), _row(imported, rows)
        if below is None or below <= above:
            found.append(f"{name} imports {imported}")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=_name)
def test_imports_go_downwards(path):
    name = _name(path)
    assert name in ("", "systems") or _row(name, ROWS) is not None, f"{name} has no row yet"
    assert violations(name, path.read_text()) == []


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("layers", "from cyclegan_tf.generators import resnet_generator"),
        ("train", "from cyclegan_tf import export"),
        ("translate", "import cyclegan_tf.train"),
        ("systems.cyclegan", "from cyclegan_tf import callbacks"),
        ("systems.base", "from cyclegan_tf.data import folders"),
        ("systems.base", "from cyclegan_tf import metrics"),
        ("data.pipeline", "from cyclegan_tf.data.folders import folder"),
        ("tflite.report", "from cyclegan_tf.tflite.recipes import quantized"),
        ("tflite.export", "from cyclegan_tf.export import export"),
        ("losses", "from cyclegan_tf.pool import ReplayPool"),
        ("train", "from cyclegan_tf.train_page import anything"),
        ("layers", "from . import train"),
        ("layers", "from .initializers import normal_initializers"),
    ],
)
def test_a_planted_import_is_found(name, source):
    assert violations(name, source)


def test_the_export_folder_stands_on_its_own():
    for path in (ROOT / "export").rglob("*.py"):
        assert not list(_imports(path.read_text())), path
