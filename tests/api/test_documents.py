"""The examples of docs/python.md and the notebook run as they stand."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.helpers import warm

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_examples_run(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "docs" / "python.md").read_text(encoding="utf-8"))
    assert len(blocks) > 8
    script = tmp_path / "examples.py"
    script.write_text("\n".join(blocks), encoding="utf-8")
    done = warm.run(script=script, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Run " in done.stdout
    assert (tmp_path / "report.html").is_file()


def test_the_readme_names_functions_that_exist() -> None:
    import evalkit as ek

    section = (ROOT / "README.md").read_text(encoding="utf-8").partition("\n## In Python\n")[2].partition("\n## ")[0]
    names = set(re.findall(r"\bek\.(\w+)", section))
    assert {"evaluate", "gate"} <= names
    assert all(hasattr(ek, name) for name in names)


def test_the_notebook_runs(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat", reason="the notebook needs nbformat: pip install nbformat")
    nbclient = pytest.importorskip("nbclient", reason="the notebook needs nbclient: pip install nbclient")
    pytest.importorskip("ipykernel", reason="the notebook needs a kernel: pip install ipykernel")
    notebook = nbformat.read(ROOT / "docs" / "quickstart.ipynb", as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells), "keep the notebook without outputs"
    # The kernel of this very interpreter, whatever kernels the machine has.
    client = nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}})
    client.create_kernel_manager()
    client.km.kernel_spec.argv[0] = sys.executable
    client.execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert any("text/html" in output.get("data", {}) and "<table" in output["data"]["text/html"] for output in shown)
    assert not any(output["output_type"] == "stream" and output["name"] == "stdout" for output in shown)
    assert (tmp_path / "report.html").is_file()
