"""Stand-off labels: labels for a text that may not be copied, kept without the text.

A line says where a sentence lies in the article and what its SHA-256 is; source and
cues are offsets too. With the article at hand the labels become ordinary records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from claimstance.errors import InputError
from claimstance.labels import Certainty, Stance
from claimstance.records import LabelledSentence, Record
from claimstance.spans import find_spans

Offset = Annotated[int, Field(ge=0)]


class StandoffSentence(Record):
    """One labelled sentence without its text.

    ``start`` and ``end`` are code points in the article's file; ``source`` and
    ``cues`` are code points in the sentence.
    """

    position: Offset
    start: Offset
    end: Offset
    sha256: str
    stance: Stance
    certainty: Certainty | None
    source: tuple[Offset, Offset] | None
    cues: tuple[tuple[Offset, Offset], ...]


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
    return [_join(label, text, article) for label in labels]


def _join(label: StandoffSentence, text: str, article: Path) -> LabelledSentence:
    sentence = text[label.start : label.end]
    if sentence_hash(sentence) != label.sha256:
        raise InputError(
            f"{article}, characters {label.start} to {label.end}",
            expected=f"the sentence with SHA-256 {label.sha256[:12]}…",
            found=f"another text ({sentence_hash(sentence)[:12]}…)",
            fix="use the very copy that was labelled: the same edition, in UTF-8",
        )
    try:
        return LabelledSentence(
            article_id=article.name,
            position=label.position,
            text=sentence,
            stance=label.stance,
            certainty=label.certainty,
            source=sentence[slice(*label.source)] if label.source else None,
            cues=tuple(sentence[start:end] for start, end in label.cues),
        )
    except ValidationError as error:
        raise InputError(
            f"the labels of {article}, position {label.position}",
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
