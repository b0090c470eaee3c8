"""Tasks as CSV, to be filled in with any spreadsheet.

One row for each sentence; the columns ``stance``, ``certainty``, ``source`` and ``cues``
are to be filled in. UTF-8 with a byte order mark, by which spreadsheets know it.

A cell that a spreadsheet would take for a formula gets an apostrophe before it, as does
one that looks as if it had got one; reading takes it off again. Cues are divided by
``;``. In a cue, a backslash stands before a ``;``, a backslash and an outer space.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from claimstance.errors import InputError, reading
from claimstance.labelling.common import Answer, Given, Unread
from claimstance.records import Labels, write_bytes
from claimstance.tasks import Task

#: What is given, and what is to be filled in.
GIVEN: Final = ("task", "title", "context", "text")
FILLED: Final = ("stance", "certainty", "source", "cues")

#: How a formula begins; full-width signs count as their narrow ones in some spreadsheets.
_FORMULA: Final = tuple("=+-@\t\r\n＝＋－＠")
_DELIMITERS: Final = (",", ";", "\t")


def write_sheet(path: Path, tasks: Sequence[Task], given: Given) -> None:
    """Write tasks as CSV; what is given is filled in."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines)
    writer.writerow([*GIVEN, *FILLED])
    for task in tasks:
        cells = [task.id, task.title or "", "\n".join(task.context), task.text]
        writer.writerow([protect(c) for c in (*cells, *_label_cells(given.get(task.id)))])
    write_bytes(path, lines.getvalue().encode("utf-8-sig"))


def _label_cells(labels: Labels | None) -> tuple[str, str, str, str]:
    if labels is None:
        return ("", "", "", "")
    return (labels.stance, labels.certainty or "", labels.source or "", join_cues(labels.cues))


def read_sheet(path: Path) -> Iterator[Answer | Unread]:
    """Read a CSV that was filled in; columns may have moved, and others may stand beside.

    Raises:
        InputError: if the file cannot be read, or lacks a column.
    """
    with reading(path, fix="save it as 'CSV UTF-8'"):
        content = path.read_bytes().decode("utf-8-sig")
    rows = csv.reader(io.StringIO(content, newline=""), delimiter=_delimiter(content), strict=True)
    number = 0
    try:
        header = next(rows, [])
        _check_header(path, header)
        for number, cells in enumerate(rows, start=1):
            if any(cells):
                yield _answer(f"{path}, row {number}", header, cells)
    except csv.Error as error:
        fault = InputError(
            f"{path}, row {number + 1}",
            expected="cells quoted with double quotes",
            found=f"broken CSV ({error})",
            fix="correct that row; the rows below it were not read",
        )
        yield Unread(None, fault)


def _delimiter(content: str) -> str:
    """A spreadsheet set to a language with a decimal comma divides cells by semicolons."""
    first = content.split("\n", 1)[0]
    return max(_DELIMITERS, key=first.count)


def _check_header(path: Path, header: Sequence[str]) -> None:
    missing = [name for name in ("task", "text", *FILLED) if name not in header]
    if missing:
        raise InputError(
            str(path),
            expected=f"the columns {', '.join([*GIVEN, *FILLED])}",
            found=f"no {', '.join(missing)}",
            fix="fill in the file that 'claimstance tasks export' wrote, header and all",
        )


def _answer(where: str, header: Sequence[str], cells: Sequence[str]) -> Answer | Unread:
    if len(cells) != len(header):
        fault = InputError(
            where,
            expected=f"{len(header)} cells, as in the header",
            found=str(len(cells)),
            fix="put cells that hold a comma or a line end in double quotes",
        )
        place = header.index("task")
        return Unread(unprotect(cells[place]) if place < len(cells) else None, fault)
    row = {name: unprotect(cell) for name, cell in zip(header, cells, strict=True)}
    return Answer(
        where=where,
        task=row["task"],
        text=row["text"],
        stance=_label(row["stance"]),
        certainty=_label(row["certainty"]),
        source=row["source"] or None,
        cues=split_cues(row["cues"]),
    )


def _label(cell: str) -> str:
    """A label as people and spreadsheets write it: "No claim"."""
    return cell.strip().lower().replace(" ", "_")


def protect(cell: str) -> str:
    """Keep a spreadsheet from running a cell."""
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def unprotect(cell: str) -> str:
    """Undo `protect`; an apostrophe that it did not set stays."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def join_cues(cues: Sequence[str]) -> str:
    r"""Cues as one cell.

    >>> join_cues(["no", "a; b"])
    'no; a\\; b'
    """
    return "; ".join(map(_escape, cues))


def _escape(cue: str) -> str:
    last = len(cue) - 1
    return "".join(
        f"\\{sign}" if sign in ";\\" or (sign.isspace() and place in (0, last)) else sign
        for place, sign in enumerate(cue)
    )


def split_cues(cell: str) -> tuple[str, ...]:
    """Undo `join_cues`; spaces around a cue are left out, and so are empty cues."""
    cues: list[list[tuple[str, bool]]] = [[]]
    signs = iter(cell)
    for sign in signs:
        if sign == "\\":
            cues[-1].append((next(signs, "\\"), True))
        elif sign == ";":
            cues.append([])
        else:
            cues[-1].append((sign, False))
    return tuple(cue for signed in cues if (cue := _trim(signed)))


def _trim(signs: list[tuple[str, bool]]) -> str:
    """Take off the outer spaces that no backslash protects."""
    kept = [i for i, (sign, protected) in enumerate(signs) if protected or not sign.isspace()]
    return "".join(sign for sign, _ in signs[kept[0] : kept[-1] + 1]) if kept else ""
