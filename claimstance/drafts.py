"""Drafts: the text format in which articles are written and labelled by hand.

A draft is one file per article. A header of ``key: value`` lines, then for each
sentence a line with its text and a line with its labels, and for a hard case a
line with its kind::

    id: a17
    title: Harbour board at odds over ferry deal
    genre: local paper
    topic: local government
    split: train
    spelling: British
    origin: synthetic
    notes: denials that are told, not named

    > Harbour board at odds over ferry deal
    = asserted certain
    ! headline

    > “We never signed it,” said the chair.
    = disputed certain | source: the chair | cues: never; said

A *sheet* is a draft without labels, for a second annotator who must not see the
first one's: its label lines hold a question mark.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.records import ArticleFacts, LabelledSentence

HARD_CASES: Final = (
    "cue-without-stance",
    "stance-without-cue",
    "scope",
    "contrast",
    "either-side",
    "continued-speech",
    "negative-fact",
    "double-layer",
    "delayed-verdict",
    "fragment",
    "headline",
)

_HEADER: Final = ("id", "title", "genre", "topic", "split", "spelling", "origin", "notes")
_UNLABELLED: Final = "?"


@dataclass
class _Entry:
    """A sentence as its lines are read."""

    where: str
    text: str
    labels: str | None = None
    hard_case: str | None = None


@dataclass
class _Draft:
    header: dict[str, str] = field(default_factory=dict)
    entries: list[_Entry] = field(default_factory=list)


def read_draft(path: Path) -> LabelledArticle:
    """Read and check one draft.

    Raises:
        InputError: if the file cannot be read, a line is of no known form, a header
            is missing, a sentence has no labels, or the labels are not legal.
    """
    draft = _read_lines(path)
    missing = [key for key in _HEADER if not draft.header.get(key)]
    if missing:
        raise _error(str(path), "a header with " + ", ".join(_HEADER), f"no {', '.join(missing)}")
    article_id = draft.header.pop("id")
    hard_cases = {i: e.hard_case for i, e in enumerate(draft.entries) if e.hard_case}
    try:
        facts = ArticleFacts.model_validate(
            {"article_id": article_id, "hard_cases": hard_cases, **draft.header}
        )
    except ValidationError as error:
        raise _error(str(path), "a legal header", error.errors()[0]["msg"]) from None
    if not draft.entries or draft.entries[0].text != facts.title:
        raise _error(str(path), "the title as first sentence", "another text, or none")
    return LabelledArticle(
        facts, tuple(_sentence(article_id, i, entry) for i, entry in enumerate(draft.entries))
    )


def _error(where: str, expected: str, found: str) -> InputError:
    fix = "see the format in data/README.md"
    return InputError(where, expected=expected, found=found, fix=fix)


def _read_lines(path: Path) -> _Draft:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise _error(str(path), "a draft in UTF-8", type(error).__name__) from None
    draft = _Draft()
    for number, line in enumerate(lines, start=1):
        if line.strip():
            _read_line(draft, line.rstrip(), f"{path}, line {number}")
    return draft


def _read_line(draft: _Draft, line: str, where: str) -> None:
    mark, _, content = line.partition(" ")
    content = content.strip()
    if mark == ">" and content:
        draft.entries.append(_Entry(where, content))
    elif mark == "=" and draft.entries and draft.entries[-1].labels is None:
        draft.entries[-1].labels = content
    elif mark == "!" and draft.entries and content in HARD_CASES:
        draft.entries[-1].hard_case = content
    elif not draft.entries and ":" in line:
        key, _, value = line.partition(":")
        draft.header[key.strip()] = value.strip()
    else:
        forms = "'> sentence', one '= labels', '! kind of hard case' or a header 'key: value'"
        raise _error(where, forms, repr(line[:60]))


def _sentence(article_id: str, position: int, entry: _Entry) -> LabelledSentence:
    if entry.labels in (None, _UNLABELLED):
        raise _error(entry.where, "a line '= labels' after the sentence", "none")
    try:
        return LabelledSentence(
            article_id=article_id,
            position=position,
            text=entry.text,
            **_parse_labels(entry.labels or "", entry.where),  # type: ignore[arg-type]
        )
    except ValidationError as error:
        raise _error(entry.where, "legal labels", error.errors()[0]["msg"]) from None


def _parse_labels(line: str, where: str) -> dict[str, object]:
    """Read ``stance certainty | source: … | cues: …; …``."""
    label, *parts = (part.strip() for part in line.split(" | "))
    stance, _, certainty = label.partition(" ")
    labels: dict[str, object] = {"stance": stance, "certainty": certainty.strip() or None}
    for part in parts:
        key, _, value = part.partition(":")
        if key == "source":
            labels["source"] = value.strip()
        elif key == "cues":
            labels["cues"] = tuple(c.strip() for c in value.split(";") if c.strip())
        else:
            raise _error(where, "'source: …' or 'cues: …'", repr(part))
    return labels


def write_sheet(articles: Sequence[LabelledArticle]) -> Iterator[tuple[str, str]]:
    """Yield ``(file name, text)``: drafts of these articles with nothing that tells a label."""
    for article in articles:
        facts = article.facts
        head = {"id": facts.article_id, "title": facts.title, "genre": facts.genre}
        head |= {"topic": facts.topic, "split": facts.split, "spelling": facts.spelling}
        head |= {"origin": facts.origin, "notes": "blind sheet"}
        lines = [f"{key}: {value}" for key, value in head.items()]
        for sentence in article.sentences:
            lines += ["", f"> {sentence.text}", f"= {_UNLABELLED}"]
        yield f"{facts.article_id}.txt", "\n".join(lines) + "\n"
