"""Labels without their text, and with it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.records import LabelledSentence, read_records, write_records
from claimstance.standoff import StandoffSentence, align, sentence_hash, take_off

Refuses = Callable[..., InputError]


@pytest.fixture
def copy(articles: list[LabelledArticle], tmp_path: Path) -> Path:
    """An article as a file, with words between its sentences that nobody labelled."""
    path = tmp_path / "storm.md"
    texts = [s.text for s in articles[0].sentences]
    path.write_text("\ufeff# — ¶\n\n" + "\n\n¶ ".join(texts) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def labels(articles: list[LabelledArticle], copy: Path) -> list[StandoffSentence]:
    text = copy.read_text(encoding="utf-8-sig")
    return [take_off(s, text.index(s.text)) for s in articles[0].sentences]


def test_there_and_back(
    articles: list[LabelledArticle], copy: Path, labels: list[StandoffSentence], tmp_path: Path
) -> None:
    write_records(tmp_path / "labels.jsonl", labels)
    joined = align(read_records(tmp_path / "labels.jsonl", StandoffSentence), copy)
    expected = [
        LabelledSentence.model_validate(s.model_dump() | {"article_id": "storm.md"})
        for s in articles[0].sentences
    ]
    assert joined == expected


def test_the_labels_hold_no_word_of_the_text(
    articles: list[LabelledArticle], labels: list[StandoffSentence], tmp_path: Path
) -> None:
    write_records(tmp_path / "labels.jsonl", labels)
    written = (tmp_path / "labels.jsonl").read_text(encoding="utf-8")
    for line, sentence in zip(written.splitlines(), articles[0].sentences, strict=True):
        row = json.loads(line)
        assert set(row) == set(StandoffSentence.model_fields)
        strings = [value for value in row.values() if isinstance(value, str)]
        assert strings == [sentence_hash(sentence.text), sentence.stance, *filter(
            None, [sentence.certainty])]  # fmt: skip


def test_the_hash_is_that_of_the_text_in_utf_8() -> None:
    # The SHA-256 of "abc", from FIPS 180-4.
    assert sentence_hash("abc") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )


def test_without_the_article(
    labels: list[StandoffSentence], tmp_path: Path, refuses: Refuses
) -> None:
    for path in (tmp_path / "none.md", tmp_path):
        refuses(
            f"{path}: expected the article that the labels were made for, in UTF-8, found no "
            "file that can be read. To mend it: get a copy of the article (these labels come "
            "without its text) and name it.",
            align,
            labels,
            path,
        )


def test_with_an_article_that_is_not_utf_8(
    labels: list[StandoffSentence], copy: Path, refuses: Refuses
) -> None:
    copy.write_bytes(copy.read_text(encoding="utf-8").encode("utf-16"))
    refuses("found no file that can be read", align, labels, copy)


def test_with_another_edition_of_the_article(
    labels: list[StandoffSentence], copy: Path, refuses: Refuses
) -> None:
    text = copy.read_text(encoding="utf-8")
    copy.write_text(text.replace("all night", "all week!"), encoding="utf-8")
    second = labels[1]
    error = refuses("To mend it: use the very copy that was labelled", align, labels, copy)
    assert error.where == f"{copy}, characters {second.start} to {second.end}"
    assert error.expected == f"the sentence with SHA-256 {second.sha256[:12]}…"
    assert error.found.startswith("another text (")


def test_with_an_article_that_is_too_short(
    labels: list[StandoffSentence], copy: Path, refuses: Refuses
) -> None:
    copy.write_text("Storm", encoding="utf-8")
    refuses("found another text", align, labels, copy)
