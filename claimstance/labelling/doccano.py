"""Tasks for doccano: a project of the kind "Intent Detection and Slot Filling".

It has labels of the whole text (``cats``), of which stance and certainty are one each,
and labels of spans (``entities``: start, end, label, in code points). Fields that it does
not know it keeps, shows beside the text, and exports again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from claimstance.errors import InputError
from claimstance.labelling.common import (
    SPANS,
    Answer,
    Given,
    Unread,
    cut,
    instructions,
    only_one,
)
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import Labels, iter_json_lines, write_text
from claimstance.spans import find_spans
from claimstance.tasks import Task

#: What is imported as the data set, as the labels, and as the project's guideline.
TASKS_FILE: Final = "tasks.jsonl"
CATEGORIES_FILE: Final = "category_labels.json"
SPANS_FILE: Final = "span_labels.json"
GUIDELINE_FILE: Final = "guideline.md"

_COLOURS: Final = ("#209cee", "#7b61c4", "#d1469b", "#c99700", "#d64545", "#7a7a7a")


def write_folder(folder: Path, tasks: Sequence[Task], given: Given, reasons: bool) -> None:
    """Write all that a doccano project needs; what is given is marked already.

    Args:
        folder: where to.
        tasks: what to label.
        given: labels to begin with.
        reasons: whether to say why each was chosen, which tells what a model believes.
    """
    lines = [json.dumps(_row(t, given.get(t.id), reasons), ensure_ascii=False) for t in tasks]
    write_text(folder / TASKS_FILE, "".join(f"{line}\n" for line in lines))
    write_text(folder / CATEGORIES_FILE, _label_config([*STANCES, *CERTAINTIES]))
    write_text(folder / SPANS_FILE, _label_config(SPANS))
    write_text(folder / GUIDELINE_FILE, instructions())


def _row(task: Task, labels: Labels | None, reasons: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"text": task.text, "cats": [], "entities": []}
    if labels:
        row["cats"] = [label for label in (labels.stance, labels.certainty) if label]
        spans = find_spans(task.text, labels.source, labels.cues)
        row["entities"] = [[a, b, name] for name in SPANS for a, b in spans[name]]
    row |= {"task": task.id, "title": task.title or "", "context": "\n".join(task.context)}
    return row | ({"reason": task.reason} if reasons else {})


def _label_config(names: Sequence[str]) -> str:
    """Labels with a colour each, and a key for those whose place has one."""
    labels = [
        {
            "text": name,
            "suffix_key": str(number) if number < 10 else None,
            "background_color": _COLOURS[number % len(_COLOURS)],
            "text_color": "#ffffff",
        }
        for number, name in enumerate(names)
    ]
    return json.dumps(labels, indent=2) + "\n"


def read_export(path: Path) -> Iterator[Answer | Unread]:
    """Read a file that doccano exported as JSONL.

    Raises:
        InputError: if the file cannot be read.
    """
    for where, row in iter_json_lines(path):
        try:
            yield _answer(where, row)
        except InputError as fault:
            task = row.get("task")
            yield Unread(task if isinstance(task, str) else None, fault)


def _answer(where: str, row: dict[str, Any]) -> Answer:
    text, task, cats, entities = (row.get(k) for k in ("text", "task", "cats", "entities"))
    if not (
        isinstance(text, str)
        and isinstance(task, str)
        and isinstance(cats, list)
        and isinstance(entities, list)
    ):
        raise InputError(
            where,
            expected="the fields text, task, cats and entities",
            found=f"{', '.join(map(repr, row)) or 'an empty object'}, or a value of another kind",
            fix="export a project of the kind 'Intent Detection and Slot Filling' as JSONL",
        )
    spans: dict[str, list[tuple[int, str]]] = {name: [] for name in SPANS}
    for entity in entities:
        if not (isinstance(entity, list) and len(entity) == 3 and entity[2] in SPANS):
            raise InputError(
                where,
                expected=f"spans as [start, end, label], the label {' or '.join(SPANS)}",
                found=json.dumps(entity, ensure_ascii=False),
                fix="correct or delete that span",
            )
        spans[entity[2]].append((entity[0], cut(where, text, *entity[:2])))
    certainties = [str(label) for label in cats if label in CERTAINTIES]
    stances = [str(label) for label in cats if label not in CERTAINTIES]
    return Answer(
        where=where,
        task=task,
        text=text,
        stance=only_one(where, "stance", stances) or "",
        certainty=only_one(where, "certainty", certainties) or "",
        source=only_one(where, "source", [words for _, words in spans["source"]]),
        cues=tuple(words for _, words in sorted(spans["cue"])),
    )
