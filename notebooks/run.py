"""Runs the notebooks from top to bottom and saves them with what they showed: `make notebooks`.

What differs from run to run is left out: times, progress, and what is said on stderr. A notebook
remembers a hash of its code, so that a test can tell an output that its code did not make.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parent
#: Seconds that one cell may take.
TIMEOUT = 900
#: Set while tests run: what takes long is then made small.
SMALL = "CLAIMSTANCE_SMALL"


def main() -> None:
    """Run the notebooks that are named, or all, and save them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="all, if none is named")
    arguments = parser.parse_args()
    os.environ.pop(SMALL, None)
    for path in arguments.notebooks or sorted(FOLDER.glob("*.ipynb")):
        print(path.name, file=sys.stderr)
        notebook = run(path)
        nbformat.write(notebook, path)


def run(path: Path) -> NotebookNode:
    """Run a notebook in its folder; what it gives back is ready to be saved.

    Raises:
        nbclient.exceptions.CellExecutionError: if a cell fails.
    """
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    for cell in code_cells(notebook):
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    notebook.metadata = NotebookNode(
        kernelspec=notebook.metadata.kernelspec,
        # Without the version of Python that ran it.
        language_info={"name": "python"},
        claimstance={"code_sha256": code_hash(notebook)},
    )
    return notebook


def code_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def code_hash(notebook: NotebookNode) -> str:
    """SHA-256 of all the code of a notebook."""
    code = "\0".join(cell.source for cell in code_cells(notebook))
    return hashlib.sha256(code.encode("utf-8")).hexdigest()


if __name__ == "__main__":
    main()
