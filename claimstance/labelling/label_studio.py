"""Tasks for Label Studio, and the labelling interface for them.

A task is imported as JSON; the interface is set by XML. The offsets of a span are those of
a browser, which counts in units of UTF-16; some programs that write to Label Studio count
code points. A span carries its words as well, by which the two are told apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree as ET

from claimstance.errors import InputError, reading
from claimstance.labelling.common import (
    SPANS,
    Answer,
    Given,
    Unread,
    cut,
    instructions,
    only_one,
    outside,
)
from claimstance.labels import CERTAINTIES, CERTAINTY_MEANING, STANCE_MEANING, STANCES
from claimstance.records import Labels, write_text
from claimstance.spans import find_spans
from claimstance.tasks import Task

#: What is imported, the labelling interface, and the project's instructions.
TASKS_FILE: Final = "tasks.json"
CONFIG_FILE: Final = "config.xml"
INSTRUCTIONS_FILE: Final = "instructions.md"

_COLOURS: Final = {"source": "#209cee", "cue": "#c99700"}


def write_folder(folder: Path, tasks: Sequence[Task], given: Given, reasons: bool) -> None:
    """Write all that a project in Label Studio needs.

    Args:
        folder: where to.
        tasks: what to label.
        given: labels that are shown as predictions, to be accepted or changed.
        reasons: whether to say why each was chosen, which tells what a model believes.
    """
    rows = [_row(task, given.get(task.id), reasons) for task in tasks]
    write_text(folder / TASKS_FILE, json.dumps(rows, ensure_ascii=False, indent=1) + "\n")
    write_text(folder / CONFIG_FILE, interface())
    write_text(folder / INSTRUCTIONS_FILE, instructions())


def interface() -> str:
    """The labelling interface, as Label Studio's XML."""
    view = ET.Element("View")
    for name, heading in (
        ("title", "Title"),
        ("context", "Before the sentence"),
        ("text", "The sentence: mark the source and the cues"),
    ):
        ET.SubElement(view, "Header", size="5", value=heading)
        if name == "text":
            labels = ET.SubElement(view, "Labels", name="spans", toName="text")
            for span, colour in _COLOURS.items():
                ET.SubElement(labels, "Label", value=span, background=colour)
        ET.SubElement(view, "Text", name=name, value=f"${name}")
    _choices(view, "stance", "Stance: the text …", STANCES, STANCE_MEANING, required="true")
    heading = "Certainty: whoever makes the claim … (none for no_claim)"
    _choices(view, "certainty", heading, CERTAINTIES, CERTAINTY_MEANING, required="false")
    ET.indent(view)
    return ET.tostring(view, encoding="unicode") + "\n"


def _choices(
    view: ET.Element,
    name: str,
    heading: str,
    labels: Sequence[str],
    meaning: Mapping[Any, str],
    *,
    required: str,
) -> None:
    ET.SubElement(view, "Header", size="5", value=heading)
    choices = ET.SubElement(
        view, "Choices", name=name, toName="text", choice="single", required=required
    )
    for label in labels:
        ET.SubElement(choices, "Choice", value=label, hint=meaning[label])


def _row(task: Task, labels: Labels | None, reasons: bool) -> dict[str, Any]:
    data = {"task": task.id, "title": task.title or "", "context": "\n".join(task.context)}
    data |= {"text": task.text} | ({"reason": task.reason} if reasons else {})
    if labels is None:
        return {"data": data}
    return {"data": data, "predictions": [{"result": regions(task.text, labels)}]}


def regions(text: str, labels: Labels) -> list[dict[str, Any]]:
    """Labels as Label Studio's results, for a prediction or an annotation."""
    chosen = {"stance": labels.stance, "certainty": labels.certainty}
    found: list[dict[str, Any]] = [
        {"from_name": name, "to_name": "text", "type": "choices", "value": {"choices": [label]}}
        for name, label in chosen.items()
        if label
    ]
    spans = find_spans(text, labels.source, labels.cues)
    for name in SPANS:
        for start, end in spans[name]:
            value: dict[str, Any] = {"text": text[start:end], "labels": [name]}
            value |= {"start": _units(text[:start]), "end": _units(text[:end])}
            region = {"from_name": "spans", "to_name": "text", "type": "labels", "value": value}
            found.append(region)
    return found


def _units(text: str) -> int:
    """Length in UTF-16."""
    return len(text.encode("utf-16-le")) // 2


def read_export(path: Path) -> Iterator[Answer | Unread]:
    """Read a file that Label Studio exported as JSON.

    What was skipped counts as not labelled. If several people labelled a task, it has
    several answers.

    Raises:
        InputError: if the file cannot be read, or is no such export.
    """
    with reading(path, fix="export it again, as JSON"):
        content = path.read_text(encoding="utf-8-sig")
    try:
        rows = json.loads(content)
    except (ValueError, RecursionError):
        rows = None
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise InputError(
            str(path),
            expected="an export of Label Studio, a JSON list of tasks",
            found="something else",
            fix="export the project as JSON (not as JSON-MIN)",
        )
    for number, row in enumerate(rows, start=1):
        yield from _answers(f"{path}, task {number}", row)


def _answers(where: str, row: dict[str, Any]) -> Iterator[Answer | Unread]:
    data, annotations = row.get("data"), row.get("annotations")
    task = data.get("task") if isinstance(data, dict) else None
    text = data.get("text") if isinstance(data, dict) else None
    if not (isinstance(task, str) and isinstance(text, str) and isinstance(annotations, list)):
        fault = InputError(
            where,
            expected="a task with data (task, text) and annotations",
            found=", ".join(map(repr, row)) or "an empty object",
            fix="export the project as JSON (not as JSON-MIN)",
        )
        yield Unread(task if isinstance(task, str) else None, fault)
        return
    for annotation in annotations:
        try:
            if not annotation.get("was_cancelled"):
                yield _answer(where, task, text, annotation["result"])
        except InputError as error:
            yield Unread(task, error)
        except (AttributeError, KeyError, TypeError):
            fault = InputError(
                where,
                expected="results of the interface that 'claimstance tasks export' wrote",
                found="others",
                fix="set the project's labelling interface to config.xml, and label again",
            )
            yield Unread(task, fault)


def _answer(where: str, task: str, text: str, results: list[dict[str, Any]]) -> Answer:
    chosen: dict[str, list[str]] = {"stance": [], "certainty": []}
    spans: dict[str, list[tuple[int, str]]] = {name: [] for name in SPANS}
    for result in results:
        name, value = result["from_name"], result["value"]
        if name == "spans":
            for label in value["labels"]:
                spans[label].append((value["start"], _words(where, text, value)))
        else:
            chosen[name] += map(str, value["choices"])
    return Answer(
        where=where,
        task=task,
        text=text,
        stance=only_one(where, "stance", chosen["stance"]) or "",
        certainty=only_one(where, "certainty", chosen["certainty"]) or "",
        source=only_one(where, "source", [words for _, words in spans["source"]]),
        cues=tuple(words for _, words in sorted(spans["cue"])),
    )


def _words(where: str, text: str, value: dict[str, Any]) -> str:
    """The words of a span, whichever way its offsets count."""
    start, end, words = value["start"], value["end"], value.get("text")
    units = text.encode("utf-16-le")
    in_range = isinstance(start, int) and isinstance(end, int) and 0 <= start < end
    if not in_range or end > len(units) // 2:
        raise outside(where, text, start, end)
    found = units[2 * start : 2 * end].decode("utf-16-le", errors="replace")
    if words is not None and found != words and cut(where, text, start, end) == words:
        return str(words)
    if words is not None and found != words:
        raise InputError(
            where,
            expected=f"the words {words!r} of a span, from {start} to {end}",
            found=repr(found),
            fix="mark it again",
        )
    return found
