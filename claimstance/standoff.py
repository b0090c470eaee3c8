"""Stand-off labels: labels for a text that may not be copied, kept without the text.

A line says where a sentence lies, in an article or in a published dataset, and what
its SHA-256 is; source and cues are offsets too. With the text at hand the labels
become ordinary records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from claimstance.errors import InputError
from claimstance.labels import Certainty, Stance
from claimstance.records import LabelledSentence, Place, Record, iter_json_lines, read_records
from claimstance.sentences import split_sentences
from claimstance.spans import find_spans

Offset = Annotated[int, Field(ge=0)]


class StandoffLabels(Record):
    """Labels without a text: ``source`` and ``cues`` are code points in the sentence."""

    sha256: str
    stance: Stance
    certainty: Certainty | None
    source: tuple[Offset, Offset] | None
    cues: tuple[tuple[Offset, Offset], ...]


class Slice(Record):
    """Where a sentence lies: ``start`` and ``end`` are code points in the article's file."""

    position: Offset
    start: Offset
    end: Offset


class StandoffSentence(StandoffLabels, Slice):
    """One labelled sentence of an article, without its text."""


class Row(Record):
    """Where a sentence lies: the row ``id`` of ``<dataset>.jsonl``."""

    dataset: str
    id: str


class StandoffRow(StandoffLabels, Row):
    """One labelled sentence of a published dataset, without its text."""


def read_standoff(path: Path) -> list[StandoffSentence] | list[StandoffRow]:
    """Read stand-off labels of either kind; the first line tells which.

    Raises:
        InputError: if the file cannot be read, or a line is not legal.
    """
    _, first = next(iter_json_lines(path), ("", {}))
    if "dataset" in first:
        return read_records(path, StandoffRow)
    return read_records(path, StandoffSentence)


def sentence_hash(text: str) -> str:
    """SHA-256 of a sentence in UTF-8, as 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def align(labels: Sequence[StandoffSentence], article: Path) -> list[LabelledSentence]:
    """Join stand-off labels with a copy of their article.

    Raises:
        InputError: if the article is not at hand, or its text is not the one labelled.
    """
    try:
        text = article.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            str(article),
            expected="the article that the labels were made for, in UTF-8",
            found="no file that can be read",
            fix="get a copy of the article (these labels come without its text) and name it",
        ) from None
    return [
        _join(
            label,
            text[label.start : label.end],
            Place(article_id=article.name, position=label.position),
            f"{article}, characters {label.start} to {label.end}",
        )
        for label in labels
    ]


def align_rows(
    labels: Sequence[StandoffRow], folder: Path
) -> tuple[list[LabelledSentence], list[dict[str, Any]]]:
    """Join stand-off labels with the datasets they were made for.

    Args:
        labels: lines about rows of datasets.
        folder: holds ``<dataset>.jsonl`` for each; a row has ``id``, ``text`` and
            ``context``, the text before it (possibly empty).

    Returns:
        The labelled sentences, and the articles to classify: each a row with ``id``
        and ``sentences``, the context and then the sentence itself.

    Raises:
        InputError: if a dataset or a row is not at hand, or its text is not the one labelled.
    """
    rows = {
        (name, str(row.get("id"))): row
        for name in sorted({label.dataset for label in labels})
        for _, row in iter_json_lines(folder / f"{name}.jsonl")
    }
    gold: list[LabelledSentence] = []
    articles: list[dict[str, Any]] = []
    for label in labels:
        where = f"{folder / label.dataset}.jsonl, id {label.id!r}"
        row = rows.get((label.dataset, label.id))
        if row is None:
            raise InputError(
                where,
                expected="the row that was labelled",
                found="no row with that id",
                fix="use the rows that were labelled; see data/README.md",
            )
        sentences = sentences_of_row(row)
        place = Place(article_id=label.id, position=len(sentences) - 1)
        gold.append(_join(label, sentences[-1], place, where))
        articles.append({"id": label.id, "sentences": sentences})
    return gold, articles


def sentences_of_row(row: Mapping[str, Any]) -> list[str]:
    """The sentences of a dataset's ``context``, and last its ``text``; the spaces made single."""
    before = " ".join(str(row.get("context") or "").split())
    context = [before[start:end] for start, end in split_sentences(before)]
    return [*context, " ".join(str(row.get("text", "")).split())]


def _join(label: StandoffLabels, sentence: str, place: Place, where: str) -> LabelledSentence:
    if sentence_hash(sentence) != label.sha256:
        raise InputError(
            where,
            expected=f"the sentence with SHA-256 {label.sha256[:12]}…",
            found=f"another text ({sentence_hash(sentence)[:12]}…)",
            fix="use the very copy that was labelled: the same edition, in UTF-8",
        )
    try:
        return LabelledSentence(
            article_id=place.article_id,
            position=place.position,
            text=sentence,
            stance=label.stance,
            certainty=label.certainty,
            source=sentence[slice(*label.source)] if label.source else None,
            cues=tuple(sentence[start:end] for start, end in label.cues),
        )
    except ValidationError as error:
        raise InputError(
            f"the labels of {where}",
            expected="legal labels",
            found=error.errors()[0]["msg"],
            fix="correct that line",
        ) from None


def take_off(sentence: LabelledSentence, start: int) -> StandoffSentence:
    """Make the stand-off form of a labelled sentence that begins at ``start``."""
    spans = find_spans(sentence.text, sentence.source, sentence.cues)
    return StandoffSentence(
        position=sentence.position,
        start=start,
        end=start + len(sentence.text),
        sha256=sentence_hash(sentence.text),
        stance=sentence.stance,
        certainty=sentence.certainty,
        source=spans["source"][0] if spans["source"] else None,
        cues=tuple(spans["cue"]),
    )
