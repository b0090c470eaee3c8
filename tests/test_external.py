"""Scores on other people's labels: each set asks its question, and our labels answer it."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import f1_score

from claimstance.articles import Article
from claimstance.errors import InputError
from claimstance.external import SETS, ExternalScore, article_of_row, rows_of, score_set
from claimstance.inference import Scores, Text
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.prediction import predict
from claimstance.records import Prediction
from claimstance.settings import ModelSettings

BY_FILE = {external.file: external for external in SETS}


class Parrot:
    """A model that reads its answer from the sentence: "stance certainty source"."""

    settings = ModelSettings(name="parrot", kind="baseline", windows=None)

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        """Whatever the words say, without doubt."""
        return [self._score(text.sentences) for text in texts]

    def _score(self, sentences: Sequence[str]) -> Scores:
        stance = np.zeros((len(sentences), len(STANCES)), dtype=np.float32)
        certainty = np.zeros((len(sentences), len(CERTAINTIES)), dtype=np.float32)
        for row, sentence in enumerate(sentences):
            for word in sentence.split():
                if word in STANCES:
                    stance[row, STANCES.index(word)] = 9
                if word in CERTAINTIES:
                    certainty[row, CERTAINTIES.index(word)] = 9
        sources = ["source" if "source" in s.split() else None for s in sentences]
        return Scores(stance, certainty, sources, [()] * len(sentences))


parrot = partial(predict, Parrot())


def score_rows(folder: Path, file: str, rows: Sequence[dict[str, Any]], **options: Any) -> Any:
    full = [{"id": f"{file}-{i}", "context": "", **row} for i, row in enumerate(rows)]
    (folder / file).write_text("\n".join(map(json.dumps, full)), encoding="utf-8")
    return score_set(BY_FILE[file], parrot, folder, **options)


VOICES = [
    # gold, what the model says, how that answers the set's question
    ("attributed", "attributed", "attributed"),
    ("attributed", "disputed", "attributed"),
    ("attributed", "unproven", "attributed"),
    ("attributed", "refuted source", "attributed"),
    ("attributed", "asserted", "asserted"),
    ("asserted", "asserted", "asserted"),
    ("asserted", "refuted", "asserted"),
    ("asserted", "attributed", "attributed"),
    ("asserted", "no_claim", "none"),
]


def voices_f1(rows: Sequence[tuple[str, str, str]]) -> float:
    gold, answers = [g for g, _, _ in rows], [a for _, _, a in rows]
    labels = ["asserted", "attributed"]
    return float(f1_score(gold, answers, labels=labels, average="macro"))


def test_polnear_asks_whose_voice_it_is(tmp_path: Path) -> None:
    rows = [
        {"text": said, "stance": gold, "strict": True, "split": "dev"} for gold, said, _ in VOICES
    ]
    left_out = [
        rows[0] | {"split": "train"},
        rows[0] | {"strict": False},
        rows[0] | {"stance": None},
        rows[0] | {"stance": "no_claim"},
    ]
    result = score_rows(tmp_path, "polnear.jsonl", [*rows, *left_out])
    assert result.sentences == len(rows)
    assert result.measure == "macro-F1"
    assert result.score.value == pytest.approx(voices_f1(VOICES))
    assert result.score.low <= result.score.value <= result.score.high


def test_gum_takes_news_alone(tmp_path: Path) -> None:
    rows = [
        {"text": said, "stance": gold, "strict": True, "genre": genre}
        for genre in ("news", "interview")
        for gold, said, _ in VOICES[::2]
    ]
    result = score_rows(tmp_path, "gum_news.jsonl", rows)
    assert result.sentences == len(VOICES[::2])
    assert result.score.value == pytest.approx(voices_f1(VOICES[::2]))


def test_szeged_asks_how_certain_and_accepts_doubles(tmp_path: Path) -> None:
    rows = [
        {"text": "asserted certain", "certainty": "certain", "certainty_accept": ["certain"]},
        {"text": "no_claim probable", "certainty": "probable", "certainty_accept": ["probable"]},
        {
            "text": "asserted probable",
            "certainty": "possible",
            "certainty_accept": ["possible", "probable"],
        },
        {"text": "asserted certain", "certainty": "possible", "certainty_accept": ["possible"]},
        {"text": "asserted", "certainty": None, "certainty_accept": []},
    ]
    result = score_rows(tmp_path, "szeged_news.jsonl", rows)
    gold = ["certain", "probable", "possible", "possible"]
    answers = ["certain", "probable", "possible", "certain"]
    assert result.sentences == 4
    assert result.score.value == pytest.approx(f1_score(gold, answers, average="macro"))


def test_science_is_a_scale(tmp_path: Path) -> None:
    certainties = ["certain", "possible", "probable", "certain", "possible"]
    ratings = [6.0, 1.5, 4.0, 3.0, 2.0]
    rows = [{"text": c, "label": r} for c, r in zip(certainties, ratings, strict=True)]
    result = score_rows(tmp_path, "sci_certainty.jsonl", rows)
    expected = spearmanr([2, 0, 1, 2, 0], ratings).statistic
    assert result.measure == "Spearman's ρ"
    assert result.score.value == pytest.approx(expected, abs=1e-3)


def test_emergent_asks_which_side_the_headline_takes(tmp_path: Path) -> None:
    said = ["asserted", "refuted", "disputed", "attributed", "unproven", "no_claim"]
    gold = ["for", "against", "observing", "observing", "against", "for"]
    rows = [
        {"text": s, "label": g, "context": "CLAIM: a moon fell.", "claimId": str(i % 3)}
        for i, (s, g) in enumerate(zip(said, gold, strict=True))
    ]
    result = score_rows(tmp_path, "emergent.jsonl", rows)
    answers = ["for", "against", "against", "observing", "observing", "observing"]
    assert result.score.value == pytest.approx(f1_score(gold, answers, average="macro"))


def test_a_row_is_read_with_what_stands_before_it() -> None:
    row = {"id": "r-1", "context": "CLAIM: A moon  fell. It was green.", "text": "No  moon fell"}
    article = article_of_row(row)
    assert [s.text for s in article.sentences] == ["A moon fell.", "It was green.", "No moon fell"]


def test_headlines_about_one_rumour_are_drawn_together(tmp_path: Path) -> None:
    said = ["asserted", "refuted", "attributed", "asserted"] * 3
    gold = ["for", "against", "observing", "against"] * 3
    rows = [
        {"text": s, "label": g, "context": f"CLAIM: moon {i % 4} fell."}
        for i, (s, g) in enumerate(zip(said, gold, strict=True))
    ]
    by_context = score_rows(tmp_path, "emergent.jsonl", rows)
    numbered = [row | {"claimId": row["context"]} for row in rows]
    assert by_context == score_rows(tmp_path, "emergent.jsonl", numbered)
    assert by_context.score.low < by_context.score.value


def test_the_publishers_files_are_read_where_there_are_no_mapped_rows(tmp_path: Path) -> None:
    external = BY_FILE["emergent.jsonl"]
    (tmp_path / "emergent").mkdir()
    published = "sentence1\tsentence2\tlabel\na moon fell\tasserted\tfor\n"
    (tmp_path / "emergent" / "train.tsv").write_text(published, encoding="utf-8")
    found = rows_of(external, tmp_path)
    assert found is not None
    ((where, row),) = found
    assert where == f"{tmp_path / 'emergent'}, emg-pe-train-0"
    assert row["context"] == "CLAIM: a moon fell"
    result = score_set(external, parrot, tmp_path)
    assert result is not None
    assert result.sentences == 1

    mapped = {"id": "m-1", "text": "refuted", "context": "CLAIM: a moon fell", "label": "against"}
    (tmp_path / "emergent.jsonl").write_text(json.dumps(mapped), encoding="utf-8")
    assert [row["id"] for _, row in rows_of(external, tmp_path) or ()] == ["m-1"]


def test_the_sentence_scored_is_the_last_of_its_article(tmp_path: Path) -> None:
    rows = [
        {"text": c, "label": i, "context": "It was possible. It was probable."}
        for i, c in enumerate(["possible", "probable", "certain"], start=1)
    ]
    assert score_rows(tmp_path, "sci_certainty.jsonl", rows).score.value == pytest.approx(1)


def test_a_rival_that_leaves_sentences_out(tmp_path: Path) -> None:
    def lazy(articles: Iterable[Article]) -> list[Prediction]:
        return parrot(list(articles)[:1])

    score_rows(tmp_path, "sci_certainty.jsonl", [{"text": "a b", "label": n} for n in range(3)])
    expected = "expected one of each of 3 rows, whose ids differ, found 3 ids, of which 1 have one"
    with pytest.raises(InputError, match=re.escape(expected)):
        score_set(BY_FILE["sci_certainty.jsonl"], lazy, tmp_path)


def test_rows_of_one_id(tmp_path: Path) -> None:
    rows = [{"id": "r-1", "text": "a b", "label": n} for n in range(3)]
    with pytest.raises(InputError, match="3 rows, whose ids differ, found 1 ids"):
        score_rows(tmp_path, "sci_certainty.jsonl", rows)


def test_a_set_that_is_not_at_hand(tmp_path: Path) -> None:
    assert [score_set(external, parrot, tmp_path) for external in SETS] == [None] * len(SETS)


def test_a_file_without_labels(tmp_path: Path) -> None:
    row = {"text": "asserted", "stance": None, "strict": True, "genre": "news"}
    with pytest.raises(InputError, match="labelled sentences of GUM news, found none"):
        score_rows(tmp_path, "gum_news.jsonl", [row])


@pytest.mark.parametrize(
    ("file", "row", "found"),
    [
        ("polnear.jsonl", {"stance": "asserted", "strict": True}, "KeyError: 'split'"),
        ("szeged_news.jsonl", {"certainty": "certain"}, "KeyError: 'certainty_accept'"),
        ("emergent.jsonl", {"label": "nope"}, "the label 'nope'"),
        ("sci_certainty.jsonl", {"label": "high"}, "ValueError: could not convert"),
    ],
)
def test_a_row_of_another_set(tmp_path: Path, file: str, row: dict[str, Any], found: str) -> None:
    expected = f"line 1: expected a sentence of {BY_FILE[file].name}, found {found}"
    with pytest.raises(InputError, match=re.escape(expected)):
        score_rows(tmp_path, file, [{"text": "asserted", **row}])


def test_rows_whose_article_cannot_be_told(tmp_path: Path) -> None:
    row = {"id": 17, "text": "asserted", "stance": "asserted", "strict": True, "genre": "news"}
    with pytest.raises(InputError, match="the row '17': expected an id of article and sentence"):
        score_rows(tmp_path, "gum_news.jsonl", [row])


def test_a_draw_is_the_same_each_time(tmp_path: Path) -> None:
    rows = [{"text": c, "label": i} for i, c in enumerate(CERTAINTIES * 5)]

    def drawn(most: int, seed: int = 0) -> ExternalScore:
        result: ExternalScore = score_rows(
            tmp_path, "sci_certainty.jsonl", rows, most=most, seed=seed
        )
        return result

    assert drawn(6).sentences == 6
    assert drawn(6) == drawn(6)
    assert drawn(6).score != drawn(6, seed=1).score
    assert drawn(99).sentences == len(rows)


def test_the_table_names_what_was_scored_and_what_was_skipped(
    tmp_path: Path,
    tiny_onnx: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent.parent / "evaluation")
    import external as script  # the folder's script, not the package's module

    rows = [{"text": f"It may rain {n} times.", "label": n} for n in range(4)]
    score_rows(tmp_path, "sci_certainty.jsonl", rows)
    options = ["--datasets", str(tmp_path), "--model", str(tiny_onnx), "--most", "3"]
    monkeypatch.setattr(sys, "argv", ["external.py", *options])
    script.main()
    page = capsys.readouterr().out
    assert "| Science certainty | 3 | Spearman's ρ |" in page
    assert "- skipped: PolNeAR, dev: neither polnear/ nor polnear.jsonl is there" in page
    assert page.count("- skipped:") == len(SETS) - 1
