"""Results of benchmarks: kept by processor, and shown in the README."""

import importlib
import json
import pathlib
import subprocess
import sys

import pytest

from cyclegan_tf.recipes import SYSTEMS

FOLDER = pathlib.Path(__file__).parents[2] / "benchmarks"
sys.path.append(str(FOLDER))
machines, report, tables = map(importlib.import_module, ("machines", "report", "tables"))

STEP = "train_step 256px 64 filters"
EPYC = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu avx2 avx512f avx512_bf16

processor\t: 1
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: 17
model name\t: AMD EPYC
flags\t\t: fpu avx2 avx512f avx512_bf16
"""
NEWER_EPYC = EPYC.replace(": 25", ": 26").replace(": 17", ": 2")
XEON = """processor\t: 0
cpu family\t: 6
model\t\t: 143
model name\t: Intel(R) Xeon(R) Processor @ 2.70GHz
flags\t\t: fpu avx2 avx512f avx512_bf16 amx_bf16
"""


def step_rows(ours, torch):
    return [
        {"way": "ours, bfloat16", "seconds": ours},
        {"way": "PyTorch, float32", "seconds": torch},
    ]


def saved(folder, cpuinfo, rows, benchmark=STEP):
    return machines.save(folder, benchmark, rows, "bfloat16", machines.describe(cpuinfo))


def lines(name, folder):
    """Cells of a table's lines, by the first."""
    text = report.table(name, machines.load(folder))
    rows = [row.strip("| ").split(" | ") for row in text.splitlines() if row.startswith("|")]
    return {first: cells for first, *cells in rows}


@pytest.fixture
def readme(tmp_path):
    """Of every table, empty."""
    path = tmp_path / "README.md"
    names = ("machines", *report.TABLES)
    path.write_text("".join(f"<!-- table: {name} -->\n<!-- end -->\n" for name in names))
    return path


@pytest.mark.parametrize(
    ("cpuinfo", "slug", "label"),
    [
        (EPYC, "amd-epyc-family25-model17-avx512-bf16-2-cores", "AMD EPYC 25/17"),
        (NEWER_EPYC, "amd-epyc-family26-model2-avx512-bf16-2-cores", "AMD EPYC 26/2"),
        (XEON, "intel-xeon-2-70ghz-family6-model143-amx-1-cores", "Intel Xeon 2.70GHz 6/143"),
    ],
)
def test_processors_are_told_apart(cpuinfo, slug, label):
    processor = machines.describe(cpuinfo)
    assert machines.slug(processor) == slug
    assert machines.label(processor) == label


def test_a_system_without_cpuinfo_has_a_name_too():
    processor = machines.describe("")
    assert processor["name"]
    assert processor["cores"] >= 1
    assert processor["arithmetic"] == "neither"


def test_one_column_a_machine(tmp_path):
    saved(tmp_path, EPYC, step_rows(2.0, 4.0))
    saved(tmp_path, XEON, step_rows(1.0, 5.0))
    found = lines("training-256", tmp_path)
    assert found[f"`{STEP}`"] == ["AMD EPYC 25/17", "Intel Xeon 2.70GHz 6/143"]
    assert found["arithmetic"] == ["AVX512-BF16, 2 cores", "AMX, 1 cores"]
    assert found["ours to PyTorch, float32"] == ["0.5", "0.2"]
    assert found["ours to usual Keras code"] == ["–", "–"]


@pytest.mark.parametrize("name", report.TABLES)
def test_another_machine_changes_no_column(name, tmp_path):
    for path in (FOLDER / "results").glob("*.json"):
        (tmp_path / path.name).write_text(path.read_text())
    before = lines(name, tmp_path)
    files = sorted(path.name for path in tmp_path.iterdir())
    path = saved(tmp_path, NEWER_EPYC, step_rows(2.0, 4.0))
    saved(tmp_path, NEWER_EPYC, [{"way": "import", "seconds": 1.0}], "startup")
    column = sorted([*files, path.name]).index(path.name)
    after = lines(name, tmp_path)  # with more lines where the machine has rows of its own
    assert {first: after[first][:column] + after[first][column + 1 :] for first in before} == before
    assert all(len(cells) == len(files) + 1 for cells in after.values())


def test_saving_again_replaces_one_benchmark(tmp_path):
    path = saved(tmp_path, EPYC, step_rows(2.0, 4.0))
    saved(tmp_path, EPYC, [{"step": "ours", "MiB": 7}], "memory 256px 64 filters")
    memory = json.loads(path.read_text())["measured"]["memory 256px 64 filters"]
    assert saved(tmp_path, EPYC, step_rows(3.0, 4.0)) == path
    measured = json.loads(path.read_text())["measured"]
    assert measured[STEP]["rows"] == step_rows(3.0, 4.0)
    assert {"date", "versions", "commit", "precision", "rows"} == set(measured[STEP])
    assert measured["memory 256px 64 filters"] == memory
    assert list(tmp_path.iterdir()) == [path]  # nothing is left beside it


def test_ratios_of_machines_without_seconds(tmp_path):
    recorded = [
        {"way": "ours, bfloat16", "to": "PyTorch, float32", "ratio": 0.48},
        {"way": "usual Keras code, bfloat16", "to": "PyTorch, float32", "ratio": 0.5},
    ]
    path = saved(tmp_path, EPYC, [])
    results = json.loads(path.read_text())
    results["measured"][STEP] |= {"ratios": recorded, "note": "with a repair."}
    path.write_text(json.dumps(results))
    found = lines("training-256", tmp_path)
    assert found["ours to PyTorch, float32"] == ["0.48"]
    assert found["ours to usual Keras code"] == ["≈ 0.96"]
    assert found["ours, seconds"] == ["–"]
    assert "AMD EPYC 25/17: with a repair." in report.table("training-256", machines.load(tmp_path))


def test_rows_of_every_name_and_counts(tmp_path):
    saved(tmp_path, EPYC, [{"way": "import", "seconds": 2.5}], "startup")
    saved(
        tmp_path, EPYC, [{"kernel": "a", "cliff": False}, {"kernel": "b", "cliff": True}], "kernels"
    )
    assert lines("startup", tmp_path)["import"] == ["2.5"]
    assert lines("kernels", tmp_path)["cliffs"] == ["1 of 2"]


def test_check_finds_a_table_edited_by_hand(tmp_path, readme):
    saved(tmp_path / "results", EPYC, step_rows(2.0, 4.0))
    arguments = ["--readme", str(readme), "--results", str(tmp_path / "results")]
    report.main(arguments)
    report.main([*arguments, "--check"])
    readme.write_text(edited := readme.read_text().replace("| 0.5 |", "| 0.4 |"))
    with pytest.raises(SystemExit, match="is not what the results give"):
        report.main([*arguments, "--check"])
    assert readme.read_text() == edited
    report.main(arguments)
    assert "| 0.5 |" in readme.read_text()


def test_a_missing_table_is_named(readme):
    text = readme.read_text().replace("table: startup", "table: start")
    with pytest.raises(ValueError, match=r"\['start', 'startup'\]"):
        report.with_tables(text, [])


def test_the_readme_is_what_the_results_give():
    """In a Python that has neither TensorFlow nor Keras."""
    code = (
        "import sys; sys.modules.update(tensorflow=None, keras=None); import report; report.main()"
    )
    command = [sys.executable, "-c", code, "--check"]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_benchmarks_keep_rows_only_when_told_to(tmp_path, capsys, monkeypatch):
    parser = tables.parser("What it does.")
    with monkeypatch.context() as patch:
        patch.setattr(machines, "save", lambda *_: pytest.fail("rows were kept"))
        tables.publish(step_rows(2.0, 4.0), parser.parse_args([]), STEP, "bfloat16")
    assert f"{STEP}, bfloat16" in capsys.readouterr().out
    arguments = parser.parse_args(["--results", str(tmp_path), "--json", str(tmp_path / "rows")])
    tables.publish(step_rows(2.0, 4.0), arguments, STEP, "bfloat16")
    assert json.loads((tmp_path / "rows").read_text()) == step_rows(2.0, 4.0)
    (machine,) = machines.load(tmp_path)
    assert machine["file"] == f"{machines.slug(machines.describe())}.json"


def test_the_costs_of_systems_are_those_that_were_measured():
    path = FOLDER / "results" / "amd-epyc-family25-model17-avx512-bf16-2-cores.json"
    rows = json.loads(path.read_text())["measured"]["systems 128px"]["rows"]
    measured = {
        row["system"]: (row["of the first's time"], row["of the first's memory"]) for row in rows
    }
    assert measured == {name: recipe.step_cost for name, recipe in SYSTEMS.items()}
