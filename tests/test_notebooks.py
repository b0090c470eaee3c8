"""The notebooks: each runs from top to bottom, and what is saved is what its code made."""

from __future__ import annotations

import ast
import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

FOLDER = Path(__file__).parent.parent / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
#: Notebooks that run no model and train none: what they print is the same everywhere.
FROM_FILES = ("01_the_corpus", "02_results")
every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("run")


def read(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def outputs_of(notebook: NotebookNode) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def printed(notebook: NotebookNode) -> list[str]:
    """What the cells say in words and tables."""
    return [
        output["text"] if output.output_type == "stream" else output.data.get("text/html", "")
        for output in outputs_of(notebook)
    ]


def test_the_page_names_each_of_them() -> None:
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 4
    assert [f"]({path.name})" in page for path in NOTEBOOKS] == [True] * 4


@every_notebook
def test_what_is_saved_was_made_by_the_code_beside_it(path: Path, runner: ModuleType) -> None:
    notebook = read(path)
    assert notebook.metadata.claimstance.code_sha256 == runner.code_hash(notebook), (
        "run `make notebooks`"
    )
    counts = [cell.execution_count for cell in runner.code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    kinds = [output.output_type for output in outputs_of(notebook)]
    assert "error" not in kinds
    assert any("image/png" in output.get("data", {}) for output in outputs_of(notebook))
    shown = [cell for cell in runner.code_cells(notebook) if cell.outputs]
    assert len(shown) > len(counts) / 2


@every_notebook
def test_nothing_of_the_run_is_saved(path: Path) -> None:
    notebook = read(path)
    assert set(notebook.metadata) == {"kernelspec", "language_info", "claimstance"}
    assert not any(cell.metadata for cell in notebook.cells)
    assert not any(output.get("name") == "stderr" for output in outputs_of(notebook))
    assert str(FOLDER.parent) not in path.read_text(encoding="utf-8")


@every_notebook
def test_they_import_the_package_and_little_else(path: Path) -> None:
    code = "\n".join(c.source for c in read(path).cells if c.cell_type == "code")
    tree = ast.parse("\n".join(line for line in code.splitlines() if not line.startswith("%")))
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
        )
    }
    assert "claimstance" in imported
    assert imported <= {"claimstance", "pandas", "matplotlib", *sys.stdlib_module_names}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@every_notebook
def test_it_runs(path: Path, runner: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(runner.SMALL, "1")
    again = runner.run(path)
    pictures = ["image/png" in output.get("data", {}) for output in outputs_of(again)]
    saved = read(path)
    assert pictures == ["image/png" in output.get("data", {}) for output in outputs_of(saved)]
    if path.stem in FROM_FILES:
        assert printed(again) == printed(saved)


@pytest.mark.slow
def test_the_command_saves_a_notebook_as_it_ran(
    runner: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = [
        nbformat.v4.new_code_cell("import sys\nprint(6 * 7)\nprint('bar', file=sys.stderr)"),
        nbformat.v4.new_code_cell("import os\nos.environ.get('CLAIMSTANCE_SMALL')"),
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "mine": 1})
    path = tmp_path / "one.ipynb"
    nbformat.write(notebook, path)
    monkeypatch.setenv(runner.SMALL, "1")
    monkeypatch.setattr(sys, "argv", ["run.py", str(path)])
    runner.main()
    saved = read(path)
    assert [output["text"] for output in outputs_of(saved)] == ["42\n"]
    assert set(saved.metadata) == {"kernelspec", "language_info", "claimstance"}
    once = path.read_bytes()
    runner.main()
    assert path.read_bytes() == once
