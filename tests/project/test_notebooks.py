"""The notebooks run from top to bottom, with fewer steps, and are committed without outputs."""

import json
import pathlib
import re

import nbclient
import nbformat
import pytest

NOTEBOOKS = sorted((pathlib.Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs(path, tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTART_EPOCHS", "1")
    monkeypatch.setenv("QUICKSTART_STEPS", "3")
    monkeypatch.setenv("EXPORT_STEPS", "3")
    notebook = nbformat.read(path, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute()
    outputs = [o for cell in notebook.cells if cell.cell_type == "code" for o in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    # What notebooks/export.ipynb prints of each place.
    printed = "".join(output.get("text", "") for output in outputs)
    differences = [float(d) for d in re.findall(r"differs by ([\d.]+)", printed)]
    assert len(differences) == (3 if path.stem == "export" else 0)
    assert all(difference < 3 for difference in differences)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_has_no_outputs_and_a_badge(path):
    notebook = json.loads(path.read_text())
    assert all(not c["outputs"] for c in notebook["cells"] if c["cell_type"] == "code")
    badge = f"/blob/main/notebooks/{path.name})"
    assert any(badge in "".join(cell["source"]) for cell in notebook["cells"])
