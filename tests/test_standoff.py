"""Labels without their text, and with it again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.records import LabelledSentence, read_records, write_records
from claimstance.standoff import (
    StandoffRow,
    StandoffSentence,
    align,
    align_rows,
    read_standoff,
    sentence_hash,
    take_off,
)

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


ROW = {"id": "w-7", "text": "The mill,  he said, is sold.", "context": "Ask him."}


def row_labels(**changes: object) -> StandoffRow:
    text = " ".join(str(ROW["text"]).split())
    fields = {
        "dataset": "wires",
        "id": "w-7",
        "sha256": sentence_hash(text),
        "stance": "attributed",
        "certainty": "certain",
        "source": (10, 12),
        "cues": ((13, 17),),
    }
    return StandoffRow.model_validate(fields | changes)


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    (tmp_path / "wires.jsonl").write_text(json.dumps(ROW) + "\n", encoding="utf-8")
    return tmp_path


def test_rows_of_a_dataset_are_joined(datasets: Path) -> None:
    gold, articles = align_rows([row_labels()], datasets)
    assert articles == [{"id": "w-7", "sentences": ["Ask him.", "The mill, he said, is sold."]}]
    (sentence,) = gold
    assert (sentence.article_id, sentence.position) == ("w-7", 1)
    assert (sentence.source, sentence.cues) == ("he", ("said",))


def test_a_row_that_is_missing_is_named(datasets: Path) -> None:
    with pytest.raises(InputError, match="expected the row that was labelled, found no row"):
        align_rows([row_labels(id="w-8")], datasets)


def test_a_row_with_another_text_is_named(datasets: Path) -> None:
    with pytest.raises(InputError, match="use the very copy that was labelled"):
        align_rows([row_labels(sha256=sentence_hash("Something else."))], datasets)


def test_a_dataset_that_is_not_at_hand_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"wires\.jsonl: expected a file that can be read"):
        align_rows([row_labels()], tmp_path)


@pytest.mark.parametrize("kind", [StandoffRow, StandoffSentence])
def test_the_first_line_tells_the_kind(tmp_path: Path, kind: type) -> None:
    line = row_labels().model_dump()
    if kind is StandoffSentence:
        del line["dataset"], line["id"]
        line |= {"position": 0, "start": 0, "end": 27}
    path = tmp_path / "labels.jsonl"
    path.write_text(json.dumps(line) + "\n", encoding="utf-8")
    assert [type(read) for read in read_standoff(path)] == [kind]
