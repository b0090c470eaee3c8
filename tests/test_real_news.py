"""The real-news development set: what follows from its labels alone, and scores on its text."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from claimstance.annotation import DataFolder
from claimstance.articles import Article
from claimstance.corpus_checks import _check_real_news
from claimstance.errors import InputError
from claimstance.real_news import (
    SettledRow,
    document_of,
    label_real_news,
    read_real_news,
    score_real_news,
    score_second_pass,
)
from claimstance.records import Prediction, write_records
from claimstance.standoff import StandoffRow, sentence_hash

TEXTS = {"w-1-0": "The mill is sold.", "w-1-1": "It may be, he said.", "w-2-0": "Why?"}


def row(row_id: str, stance: str, certainty: str | None, **more: Any) -> StandoffRow:
    return StandoffRow.model_validate(
        {
            "dataset": "wires",
            "id": row_id,
            "sha256": sentence_hash(TEXTS[row_id]),
            "stance": stance,
            "certainty": certainty,
            "source": None,
            "cues": (),
            **more,
        }
    )


SURE = row("w-1-0", "asserted", "certain")
HEDGED = row("w-1-1", "attributed", "possible", source=(11, 13), cues=((14, 18),))
FLAT = row("w-1-1", "attributed", "certain", source=(11, 13), cues=((14, 18),))
ASKED = row("w-2-0", "no_claim", None)


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    """Three sentences; the passes differ on one, and it was decided for the second."""
    folder = DataFolder(tmp_path / "data")
    write_records(folder.real_first, [SURE, FLAT, ASKED])
    write_records(folder.real_second, [SURE, HEDGED, ASKED])
    write_records(folder.real_settled, [SettledRow(reason="may", **HEDGED.model_dump())])
    write_records(folder.real_news, [SURE, HEDGED, ASKED])
    return folder


@pytest.fixture
def datasets(tmp_path: Path) -> Path:
    rows = [{"id": row_id, "text": text, "context": "Before it."} for row_id, text in TEXTS.items()]
    (tmp_path / "wires.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def test_what_the_labels_show(data: DataFolder) -> None:
    found = read_real_news(data)
    assert found is not None
    assert found.counts == {
        "asserted": 1,
        "attributed": 1,
        "no_claim": 1,
        "certain": 1,
        "possible": 1,
    }
    assert found.stance.accuracy.value == 1
    assert found.certainty.sentences == 2
    assert found.certainty.accuracy.value == 0.5
    assert (found.undecided, found.strays) == ([], [])


def test_a_folder_without_the_set(tmp_path: Path) -> None:
    assert read_real_news(DataFolder(tmp_path)) is None


def test_a_disagreement_that_nobody_decided(data: DataFolder) -> None:
    write_records(data.real_settled, [SettledRow(reason="plain", **SURE.model_dump())])
    found = read_real_news(data)
    assert found is not None
    assert found.undecided == [("wires", "w-1-1")]
    # Without a decision the first pass holds, and the set says something else.
    assert found.strays == [("wires", "w-1-1")]
    checks = {f.check: f for f in _check_real_news(found)}
    assert not checks["real news: every disagreement decided, with its reason"].passed
    assert not checks["real news: the labels follow from passes and decisions"].passed


def test_rare_labels_are_named(data: DataFolder) -> None:
    found = read_real_news(data)
    assert found is not None
    checks = {f.check: f for f in _check_real_news(found)}
    stance = checks["real news: at least 40 sentences of each stance"]
    assert (stance.found, stance.passed) == ("rarest: disputed, 0", False)
    hedges = checks["real news: at least 50 sentences of each hedged certainty"]
    assert (hedges.found, hedges.passed) == ("rarest: probable, 0", False)


def test_a_pass_over_other_sentences(data: DataFolder) -> None:
    write_records(data.real_second, [SURE, HEDGED])
    with pytest.raises(InputError, match="found row 'w-2-0' of 'wires' in one of them only"):
        read_real_news(data)


def test_the_document_of_a_row() -> None:
    assert document_of("polnear-paper_2016-01-02_title-12") == "polnear-paper_2016-01-02_title"
    assert document_of("szeged_news-wsj_1.txt-S1.3") == "szeged_news-wsj_1.txt"


def test_scores_with_the_text_at_hand(data: DataFolder, datasets: Path) -> None:
    read: list[list[str]] = []

    def all_asserted(articles: Iterable[Article]) -> list[Prediction]:
        records = []
        for article in articles:
            read.append([s.text for s in article.sentences])
            records += [
                Prediction(
                    article_id=article.id,
                    position=i,
                    start=s.start,
                    end=s.end,
                    text=s.text,
                    stance="asserted",
                    certainty="certain",
                    stance_probabilities={},
                    certainty_probabilities={},
                    source=None,
                    cues=(),
                    model="stub",
                )
                for i, s in enumerate(article.sentences)
            ]
        return records

    pairs = label_real_news(all_asserted, data, datasets)
    result = score_real_news(pairs)
    assert [p.text for _, p in pairs] == [g.text for g, _ in pairs]
    assert read[0] == ["Before it.", "The mill is sold."]
    assert result.sentences == 3
    assert result.articles == 2
    assert result.stance.accuracy.value == pytest.approx(1 / 3)
    assert score_second_pass(data, datasets).certainty.accuracy.value == 0.5
