"""Runs the examples of the documentation, and compares what they print with the pages.

    python docs/examples.py            # name each example that prints something else
    python docs/examples.py --write    # write what they print now into the pages

In a page, a block fenced as ``console`` holds commands, one on each line that begins with
``$ ``, and under each what it prints; a block ``python`` a piece of a program, and a block
``text`` right after it what that prints. Where nothing is shown, nothing is compared. A line
``…`` stands for lines that are left out. The examples of a page run in their order, in one
folder and in one namespace.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from claimstance.records import write_text

ROOT = Path(__file__).parent.parent
PAGES = ROOT / "docs" / "pages"
#: What the examples find in their folder, from the repository.
NEEDED = (
    "data/demo",
    "data/corpus",
    "training/recipes",
    "evaluation/results/fast-int8/test.jsonl",
    "evaluation/results/tfidf/test.jsonl",
)
#: Of this split the examples find the first articles only: whole, it takes a while to label.
CUT_SHORT = "data/corpus/dev.jsonl"
SENTENCES_LEFT = 30
#: Commands that are not run: those of make and pip make an environment, a Ray cluster is not
#: at hand, an audit takes minutes. Tests check that their targets and options exist.
NOT_RUN = re.compile(r"^(make|pip|source|tensorboard|claimstance audit) |--engine ray")
#: The page of which nothing is shown, since its examples train a network.
TRAINS = "training.md"

LEFT_OUT = "…"
COLUMNS = "80"
FENCE = re.compile(r"^```(console|python|text)$")


@dataclass(frozen=True)
class Example:
    """A command or a piece of a program, and the lines of the page that show what it prints."""

    code: str
    is_python: bool
    #: Lines of the page, from 0; ``end`` is exclusive.
    start: int
    end: int


@dataclass(frozen=True)
class Outcome:
    """What an example printed, line by line, and its exit code."""

    example: Example
    printed: list[str]
    code: int


def examples_of(lines: Sequence[str]) -> list[Example]:
    """The examples of a page, in their order."""
    found: list[Example] = []
    for kind, start, end in _blocks(lines):
        if kind == "console":
            found += _commands(lines, start, end)
        elif kind == "python":
            # Two lines below its end, if anywhere, begins what it prints.
            found.append(Example("\n".join(lines[start:end]), True, end, end))
        elif found and found[-1].is_python and not any(lines[found[-1].end + 1 : start - 1]):
            found[-1] = Example(found[-1].code, True, start, end)
    return found


def _blocks(lines: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    number = 0
    while number < len(lines):
        fence = FENCE.match(lines[number])
        if fence:
            start = number + 1
            number = start + lines[start:].index("```")
            yield fence[1], start, number
        number += 1


def _commands(lines: Sequence[str], start: int, end: int) -> Iterator[Example]:
    places = [n for n in range(start, end) if lines[n].startswith("$ ")]
    for place, following in zip(places, [*places[1:], end], strict=True):
        yield Example(lines[place][2:], False, place + 1, following)


def lay_out(folder: Path) -> None:
    """Copy what the examples need into a folder."""
    for name in NEEDED:
        source, target = ROOT / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    kept: list[str] = []
    for _, article in groupby((folder / CUT_SHORT).read_text("utf-8").splitlines(), _article_id):
        if len(kept) < SENTENCES_LEFT:
            kept += article
    write_text(folder / CUT_SHORT, "\n".join(kept) + "\n")


def _article_id(line: str) -> str:
    return str(json.loads(line)["article_id"])


def run(examples: Sequence[Example], folder: Path) -> Iterator[Outcome]:
    """Run the examples of a page in a folder; those that are `NOT_RUN` are left out.

    Yields:
        What came of each. ``$?`` is, as in a shell, the exit code of the command before.
    """
    environment = os.environ | {
        "COLUMNS": COLUMNS,
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
    }
    names: dict[str, Any] = {"__name__": "__main__"}
    code = 0
    for example in examples:
        if example.is_python:
            yield Outcome(example, _run_python(example.code, names, folder), 0)
        elif not NOT_RUN.search(example.code):
            done = subprocess.run(
                ["bash", "-c", f"(exit {code}); {example.code}"],
                cwd=folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                check=False,
            )
            code = done.returncode
            yield Outcome(example, _lines(done.stdout), code)


def _run_python(code: str, names: dict[str, Any], folder: Path) -> list[str]:
    said = io.StringIO()
    with contextlib.chdir(folder), contextlib.redirect_stdout(said):
        exec(compile(code, "<example>", "exec"), names)
    return _lines(said.getvalue())


def _lines(printed: str) -> list[str]:
    lines = [line.rstrip() for line in printed.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return lines


def to_show(shown: Sequence[str], printed: Sequence[str]) -> list[str]:
    """What a page should show of what was printed, with as much left out as there is now."""
    if LEFT_OUT not in shown:
        return list(printed)
    before = shown.index(LEFT_OUT)
    after = len(shown) - before - 1
    return [*printed[:before], LEFT_OUT, *printed[len(printed) - after :]]


def renewed(lines: Sequence[str], outcomes: Sequence[Outcome]) -> list[str]:
    """The lines of a page with what its examples print now."""
    fresh = list(lines)
    for outcome in reversed(outcomes):
        shown = slice(outcome.example.start, outcome.example.end)
        if lines[shown]:
            fresh[shown] = to_show(lines[shown], outcome.printed)
    return fresh


def main() -> None:
    """Run the examples of every page but the one that trains."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="write what is printed")
    write = parser.parse_args().write
    differ = False
    for page in sorted(PAGES.glob("*.md")):
        lines = page.read_text(encoding="utf-8").split("\n")
        examples = examples_of(lines)
        if not examples or page.name == TRAINS:
            continue
        with tempfile.TemporaryDirectory() as folder:
            lay_out(Path(folder))
            outcomes = list(run(examples, Path(folder)))
        if write:
            write_text(page, "\n".join(renewed(lines, outcomes)))
            continue
        for outcome in outcomes:
            shown = lines[outcome.example.start : outcome.example.end]
            if shown and shown != to_show(shown, outcome.printed):
                differ = True
                print(f"{page.name}: {outcome.example.code.splitlines()[0]}")
    sys.exit(differ)


if __name__ == "__main__":
    main()
