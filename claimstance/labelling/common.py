"""What all labelling tools share: an answer, what makes it legal, and the instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, CERTAINTY_MEANING, STANCE_MEANING, STANCES
from claimstance.records import Labels
from claimstance.tasks import AnnotatedSentence, Task

SPANS: Final = ("source", "cue")

#: Labels to fill in beforehand, by the id of the task.
Given = Mapping[str, Labels]


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody entered for a task, as yet unchecked.

    ``text`` is the sentence as the tool gives it back. A stance that is empty means that
    the task was not labelled; a certainty that is empty, that none was chosen.
    """

    where: str
    task: str
    text: str
    stance: str
    certainty: str
    source: str | None
    cues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unread:
    """An answer that is not of the form in which its tool gives answers."""

    task: str | None
    fault: InputError


@dataclass(frozen=True, slots=True)
class Import:
    """What could be used of an export, and what could not."""

    labels: list[AnnotatedSentence]
    faults: list[InputError]


def suggestions(tasks: Iterable[Task]) -> dict[str, Labels]:
    """What the model said of each task of which it said something."""
    return {task.id: task.suggestion for task in tasks if task.suggestion}


def check_answers(
    tasks: Sequence[Task], answers: Iterable[Answer | Unread], *, annotator: str, name: str
) -> Import:
    """Turn answers into labels, in the order of the tasks; each that is faulty is named.

    Args:
        tasks: all that were to be labelled.
        answers: what came back, and what could not be read of it.
        annotator: who labelled.
        name: of the file, for what is missing from it.
    """
    by_id = {task.id: task for task in tasks}
    given = list(answers)
    times = Counter(answer.task for answer in given)
    faults: list[InputError] = []
    labels: dict[str, AnnotatedSentence] = {}
    for answer in given:
        try:
            if isinstance(answer, Unread):
                raise answer.fault
            if times[answer.task] > 1:
                raise _twice(answer)
            labels[answer.task] = _labelled(answer, by_id.get(answer.task), annotator)
        except InputError as fault:
            faults.append(fault)
    faults += [_missing(name, task) for task in tasks if task.id not in times]
    return Import([labels[task.id] for task in tasks if task.id in labels], faults)


def _labelled(answer: Answer, task: Task | None, annotator: str) -> AnnotatedSentence:
    if task is None:
        raise InputError(
            answer.where,
            expected="a task of the sheet",
            found=f"the unknown task {answer.task!r}",
            fix="name the sheet that was exported with --tasks, or delete what is not its own",
        )
    # Spreadsheets write line ends in their own way.
    if answer.text.split() != task.text.split():
        raise InputError(
            answer.where,
            expected=f"the sentence of the task, {task.text[:50]!r}",
            found=repr(answer.text[:50]),
            fix="label the text as it was exported",
        )
    if not answer.stance:
        raise InputError(
            answer.where,
            expected=f"a stance for the task {task.id!r}",
            found="none",
            fix=f"choose one of {', '.join(STANCES)}",
        )
    return _checked(answer, task, annotator)


def _checked(answer: Answer, task: Task, annotator: str) -> AnnotatedSentence:
    for kind, given, known in (
        ("stance", answer.stance, STANCES),
        ("certainty", answer.certainty, (*CERTAINTIES, "")),
    ):
        if given not in known:
            raise InputError(
                answer.where,
                expected=f"a {kind}: {', '.join(filter(None, known))}",
                found=repr(given),
                fix="correct the label",
            )
    if (answer.stance == "no_claim") == bool(answer.certainty):
        raise InputError(
            answer.where,
            expected="a certainty for every stance but no_claim, and none for that",
            found=f"{answer.certainty or 'none'} for {answer.stance}",
            fix="choose how firmly the claim is made, or take the certainty out",
        )
    try:
        return AnnotatedSentence.model_validate(
            {
                "article_id": task.article_id,
                "position": task.position,
                "text": task.text,
                "stance": answer.stance,
                "certainty": answer.certainty or None,
                "source": answer.source,
                "cues": answer.cues,
                "annotator": annotator,
            }
        )
    except ValidationError as error:
        raise InputError(
            answer.where,
            expected="a source and cues that stand in the sentence, letter for letter",
            found=error.errors()[0]["msg"].removeprefix("Value error, "),
            fix="copy them out of the sentence again",
        ) from None


def _twice(answer: Answer) -> InputError:
    return InputError(
        answer.where,
        expected=f"one answer to the task {answer.task!r}",
        found="several",
        fix="delete all but one, or export what one person labelled",
    )


def _missing(name: str, task: Task) -> InputError:
    return InputError(
        name,
        expected=f"an answer to the task {task.id!r}",
        found="none",
        fix="label it, and export again",
    )


def cut(where: str, text: str, start: object, end: object) -> str:
    """The words between two offsets, in code points.

    Raises:
        InputError: if the offsets are no part of the text.
    """
    if isinstance(start, int) and isinstance(end, int) and 0 <= start < end <= len(text):
        return text[start:end]
    raise outside(where, text, start, end)


def outside(where: str, text: str, start: object, end: object) -> InputError:
    """The fault of a span that is no part of the sentence."""
    return InputError(
        where,
        expected=f"a span in the sentence, which has {len(text)} characters",
        found=f"one from {start} to {end}",
        fix="mark it again",
    )


def only_one(where: str, kind: str, given: Sequence[str]) -> str | None:
    """The one label of a kind, or None.

    Raises:
        InputError: if there are several.
    """
    if len(given) > 1:
        raise InputError(
            where,
            expected=f"at most one {kind}",
            found=", ".join(map(repr, given)),
            fix="take out all but one",
        )
    return given[0] if given else None


def instructions() -> str:
    """The guidelines in short, in Markdown: what every tool shows to those who label."""
    return "\n".join(
        [
            "# How to label",
            "",
            "Read the title, the sentences before, and the sentence. Find its main claim: the one "
            "thing about the world that it is built to say; in reported speech, what was said. "
            "Label how the text stands to this claim, not whether it is true.",
            "",
            "**Stance**: of those that hold, the first from below that is not `no_claim`; "
            "`no_claim` comes before all. The text …",
            "",
            *(f"- `{stance}`: {STANCE_MEANING[stance]}" for stance in STANCES),
            "",
            "**Certainty**, for every stance but `no_claim`. Whoever makes the claim …",
            "",
            *(f"- `{certainty}`: {CERTAINTY_MEANING[certainty]}" for certainty in CERTAINTIES),
            "",
            "**Source**: who makes the claim, if the sentence names somebody other than the "
            "writer. **Cues**: the words that decided the labels. Both letter for letter.",
            "",
            "The guidelines of the project have the rules in full, with worked examples.",
            "",
        ]
    )
