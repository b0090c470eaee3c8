"""Reads GUM's news and interviews: sentences in CoNLL-U, discourse relations in rsd.

A sentence is ``attributed`` if it holds what a relation of attribution makes somebody else
responsible for, or the words that do so. Source: Zeldes, "The GUM Corpus: Creating
Multilayer Resources in the Classroom", Language Resources and Evaluation 51, 2017.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from claimstance.errors import InputError
from claimstance.readers.common import (
    files_of,
    malformed,
    own_voice_is_clean,
    read_text,
    text_before,
)

GENRES: Final = ("interview", "news")

#: The publisher's partition (``splits.md``); every other document is in train.
_SPLITS: Final = {
    "GUM_interview_cyclone": "dev",
    "GUM_interview_gaming": "dev",
    "GUM_news_homeopathic": "dev",
    "GUM_news_iodine": "dev",
    "GUM_interview_hill": "test",
    "GUM_interview_libertarian": "test",
    "GUM_news_nasa": "test",
    "GUM_news_sensitive": "test",
}
_CONTEXT: Final = 600
_COLUMNS_CONLLU: Final = 10
_COLUMNS_RSD: Final = 8

_FIELD: Final = re.compile(r"# ?([^=\n]+?) ?= ?(.*)")
#: By type of sentence: how rows name it, and whether it is one that claims nothing.
_NO_CLAIM: Final = {
    "frag": "frag",
    "imp": "imperative",
    "intj": "intj",
    "q": "question",
    "wh": "question",
}
_VERBAL: Final = ("decl", "sub", "ger", "inf")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: its words and its type, such as ``decl``, ``frag`` or ``wh``."""

    text: str
    kind: str


@dataclass(frozen=True, slots=True)
class Unit:
    """One elementary discourse unit, and its relation to another; a head of 0 is none."""

    number: int
    text: str
    sentence: int
    head: int
    relation: str
    heading: bool
    caption: bool


@dataclass(slots=True)
class _Discourse:
    """What the units say of one sentence."""

    relations: set[str] = field(default_factory=set)
    sources: list[str] = field(default_factory=list)
    heading: bool = False
    caption: bool = False


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the sentences of every interview and news document.

    Args:
        folder: holds ``GUM_news_*.conllu`` and ``GUM_interview_*.conllu`` and for each an
            ``.rsd``: in ``dep/`` and ``rst/dependencies/`` as published, or anywhere in it.

    Yields:
        Rows in the order of documents and sentences; ``strict`` says that the stance is
        safe to score, which it never is in an interview, where all is somebody's speech.

    Raises:
        InputError: if there is no document, or a file is missing or malformed.
    """
    trees = {path.stem: path for path in files_of(_part(folder, "rst/dependencies"), "GUM_*.rsd")}
    documents = {
        path.stem: path
        for path in files_of(_part(folder, "dep"), "GUM_*.conllu")
        if path.stem.split("_")[1] in GENRES
    }
    for name, path in sorted(documents.items()):
        if name not in trees:
            raise InputError(
                str(path),
                expected=f"{name}.rsd in the same folder or another below {folder}",
                found="none",
                fix="copy GUM's folder rst/dependencies there too",
            )
        yield from _rows_of(name, path, trees[name])


def _part(folder: Path, published: str) -> Path:
    """The repository holds some files twice; where it is there whole, the published ones."""
    return folder / published if (folder / published).is_dir() else folder


def _rows_of(name: str, path: Path, tree: Path) -> Iterator[dict[str, Any]]:
    sentences = parse_conllu(read_text(path), str(path))
    discourse = _discourse(parse_rsd(read_text(tree), str(tree)), len(sentences), str(tree))
    genre = name.split("_")[1]
    before: list[str] = []
    for number, (sentence, units) in enumerate(zip(sentences, discourse, strict=True), start=1):
        yield {
            "id": f"gum-{name}-{number}",
            "text": sentence.text,
            "context": text_before(before, _CONTEXT),
            **_labels(sentence, units, genre),
            "certainty": None,
            "split": _SPLITS.get(name, "train"),
            "s_type": sentence.kind,
            "attr": sorted(units.relations),
            "source_edu": units.sources,
            "genre": genre,
            "heading": units.heading,
        }
        before.append(sentence.text)


def parse_conllu(text: str, where: str) -> list[Sentence]:
    """Parse a CoNLL-U document: blocks of comments and tokens, a blank line after each.

    Raises:
        InputError: if a line of a token has not ten columns, or a sentence lacks the
            comment ``text`` or ``s_type``.
    """
    sentences: list[Sentence] = []
    fields: dict[str, str] = {}
    tokens = 0
    for number, line in enumerate([*text.split("\n"), ""], start=1):
        place = f"{where}, line {number}"
        if line.startswith("#"):
            match = _FIELD.fullmatch(line)
            if match:
                fields[match[1]] = match[2]
        elif line.strip():
            columns = line.count("\t") + 1
            if columns != _COLUMNS_CONLLU:
                raise malformed(place, f"{_COLUMNS_CONLLU} columns, split by tabs", str(columns))
            tokens += 1
        elif tokens:
            sentences.append(_sentence(fields, place))
            fields, tokens = {}, 0
    return sentences


def _sentence(fields: Mapping[str, str], place: str) -> Sentence:
    for name in ("text", "s_type"):
        if not fields.get(name, "").strip():
            raise malformed(place, f"a comment '# {name} = ...' in the sentence above", "none")
    return Sentence(fields["text"].strip(), fields["s_type"].strip())


def parse_rsd(text: str, where: str) -> list[Unit]:
    """Parse a document of discourse relations, one unit a line.

    The columns, split by tabs, are: number, words, depth, two unused, features
    (``a=b|c=d``), number of the head, relation, and possibly more.

    Raises:
        InputError: if a line has too few columns, or no numbers where they belong.
    """
    units: list[Unit] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        place = f"{where}, line {number}"
        columns = line.split("\t")
        if len(columns) < _COLUMNS_RSD:
            raise malformed(place, f"{_COLUMNS_RSD} columns or more", str(len(columns)))
        features = dict(pair.split("=", 1) for pair in columns[5].split("|") if "=" in pair)
        units.append(
            Unit(
                number=_number(columns[0], "the unit", place),
                text=columns[1].strip(),
                sentence=_number(features.get("sid", ""), "the sentence (sid=)", place),
                head=_number(columns[6], "the head", place),
                relation=columns[7],
                heading="heading" in features,
                caption="caption" in features,
            )
        )
    return units


def _number(given: str, what: str, place: str) -> int:
    if not re.fullmatch("[0-9]{1,9}", given):
        raise malformed(place, f"the number of {what}", repr(given))
    return int(given)


def _discourse(units: Sequence[Unit], sentences: int, where: str) -> list[_Discourse]:
    """What the units say of each sentence.

    The unit that names the source hangs on the unit that says what it is responsible for;
    where that is in another sentence, the latter is attributed too.
    """
    found = [_Discourse() for _ in range(sentences)]
    by_number = {unit.number: unit for unit in units}
    for unit in units:
        if not 1 <= unit.sentence <= sentences:
            raise malformed(
                f"{where}, unit {unit.number}",
                f"one of the document's {sentences} sentences",
                f"sentence {unit.sentence}",
            )
        own = found[unit.sentence - 1]
        own.heading |= unit.heading
        own.caption |= unit.caption
    for unit in units:
        if not unit.relation.startswith("attribution"):
            continue
        relation = unit.relation.removesuffix("_r")
        _note(found[unit.sentence - 1], relation, unit)
        head = by_number.get(unit.head)
        if head and head.sentence != unit.sentence:
            _note(found[head.sentence - 1], f"{relation}_xsent", unit)
    return found


def _note(sentence: _Discourse, relation: str, unit: Unit) -> None:
    sentence.relations.add(relation)
    sentence.sources.append(unit.text)


def _labels(sentence: Sentence, units: _Discourse, genre: str) -> dict[str, Any]:
    label, stance, clean = _judge(sentence, units)
    if genre != "news" and stance == "asserted":
        stance = None
    return {"label": label, "stance": stance, "strict": clean and genre == "news"}


def _judge(sentence: Sentence, units: _Discourse) -> tuple[str, str | None, bool]:
    """The row's label, its stance, and whether that is safe to score in news."""
    kind = sentence.kind
    if units.relations:
        positive = any("positive" in relation for relation in units.relations)
        # The credit of a picture counts as attribution there, and it is a fragment.
        return "attribution", "attributed" if positive else None, positive and kind != "frag"
    if units.caption:
        return f"{kind}/caption", "no_claim" if kind in _NO_CLAIM else None, False
    if kind in _NO_CLAIM:
        return _NO_CLAIM[kind], "no_claim", True
    if kind == "decl":
        return "decl_no_attribution", "asserted", own_voice_is_clean(sentence.text)
    return "decl_no_attribution" if kind in _VERBAL else kind, None, False
