"""Sentences that wait for a person's labels, and the labels that came back.

A *sheet* is a file of tasks: each is one sentence with all that its labels may depend
on, the title and the two sentences before it. What a model would say stands apart, so
that it can be kept from whoever labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from claimstance.errors import InputError
from claimstance.labels import Stance
from claimstance.records import LabelledSentence, Labels, Sentence, read_records

#: Sentences before that a label may depend on; the guidelines name no more.
CONTEXT_SENTENCES: Final = 2


class Suggestion(Labels):
    """What a model says of a sentence, with the calibrated probabilities of its stances."""

    stance_probabilities: dict[Stance, float]
    model: str


class Task(Sentence):
    """A sentence to be labelled, with all that its labels may depend on.

    ``position``, ``start`` and ``end`` are those of the article that was read; ``context``
    holds the sentences before, in the order of the text. ``reason`` says why this one was
    chosen, and names what a model believes: it is kept from the annotator with the suggestion.
    """

    start: int
    end: int
    title: str | None
    context: tuple[str, ...]
    reason: str
    suggestion: Suggestion | None = None

    @property
    def id(self) -> str:
        """What the task is called outside: no other sentence of the same reading has it."""
        return f"{self.article_id}#{self.position}"


class AnnotatedSentence(LabelledSentence):
    """A sentence as one person labelled it."""

    annotator: Annotated[str, Field(min_length=1)]


def read_tasks(paths: Sequence[Path]) -> list[Task]:
    """Read sheets.

    Raises:
        InputError: if a file is broken, or a sentence stands in them twice.
    """
    tasks: dict[str, Task] = {}
    for path in paths:
        for task in read_records(path, Task):
            if task.id in tasks:
                raise InputError(
                    str(path),
                    expected="each task once",
                    found=f"the task {task.id!r} twice",
                    fix="give each sheet once, or delete one of the two lines",
                )
            tasks[task.id] = task
    return list(tasks.values())


def in_reading_order(tasks: Iterable[Task]) -> list[Task]:
    """Tasks by article and position, an order that tells nothing of why they were chosen."""
    return sorted(tasks, key=lambda task: (task.article_id, task.position))


class _Label(LabelledSentence):
    """A labelled sentence, whether or not it says who labelled it."""

    annotator: str | None = None


def read_labels(path: Path) -> list[LabelledSentence]:
    """Read one person's labels, or settled ones.

    Raises:
        InputError: if the file is missing, empty or broken.
    """
    fields = set(LabelledSentence.model_fields)
    return [
        LabelledSentence.model_validate(label.model_dump(include=fields))
        for label in read_records(path, _Label)
    ]
