"""Scores on sentences of real text that people labelled for other projects.

Each set asks one question that our labels answer: whether somebody else is made
responsible (PolNeAR, GUM), how firm the claim is (Szeged, certainty in science
communication), or how a headline stands to a rumour (Emergent). Their text is not
ours: the sets are read from a folder that the user names, as their publishers give them
(`claimstance.readers`) or already mapped onto rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from claimstance import statistics as st
from claimstance.articles import Article, spans_of
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES
from claimstance.prediction import Predict
from claimstance.readers import emergent, gum, polnear, sci_certainty, szeged
from claimstance.real_news import document_of
from claimstance.records import Prediction, iter_json_lines
from claimstance.standoff import sentences_of_row
from claimstance.statistics import Estimate

Row = Mapping[str, Any]

#: Stands before a context that is no text, but the rumour that a headline tells of.
CLAIM: Final = "CLAIM:"
#: What a certainty is worth where a set has a scale instead of labels.
FIRMNESS: Final = {"certain": 2, "probable": 1, "possible": 0}


@dataclass(frozen=True, slots=True)
class ExternalSet:
    """One published set and how our labels answer its question.

    Attributes:
        name: what it is called in tables.
        file: its mapped rows, one JSON object per line, with ``id``, ``text``, ``context``.
        folder: its publisher's own files.
        read: from that folder to the same rows.
        labels: the answers, in order; none where the answer is a number.
        gold: the row's answer, None where it has no clean one.
        answer: our prediction's answer to the same question, given the row.
    """

    name: str
    file: str
    folder: str
    read: Callable[[Path], Iterable[Row]]
    labels: tuple[str, ...]
    gold: Callable[[Row], str | float | None]
    answer: Callable[[Row, Prediction], str | float]

    @property
    def measure(self) -> str:
        """What the score is."""
        return "macro-F1" if self.labels else "Spearman's ρ"


@dataclass(frozen=True, slots=True)
class ExternalScore:
    """A model's score on one set, with a bootstrap 95% interval."""

    name: str
    measure: str
    sentences: int
    score: Estimate


def score_set(
    external: ExternalSet,
    predict: Predict,
    folder: Path,
    *,
    most: int | None = None,
    seed: int = 0,
) -> ExternalScore | None:
    """Score predictions on one set; None if the folder does not hold it.

    Args:
        external: the set.
        predict: the model, or its rival.
        folder: see `rows_of`.
        most: at most so many sentences, drawn at random.
        seed: of the draw.

    Raises:
        InputError: if the set is there, but is not what it should be, or if a sentence
            has no prediction.
    """
    rows = labelled_rows(external, folder)
    if rows is None:
        return None
    if not rows:
        raise InputError(
            str(folder),
            expected=f"labelled sentences of {external.name}",
            found="none",
            fix="see evaluation/README.md for the format",
        )
    if most and len(rows) > most:
        rows = random.Random(seed).sample(rows, most)
    predictions = _last_of_each(predict(map(article_of_row, rows)), rows)
    pairs = [
        (external.gold(row), external.answer(row, p))
        for row, p in zip(rows, predictions, strict=True)
    ]
    if external.labels:
        score = _macro_f1(external, [_document(row) for row in rows], pairs)
    else:
        score = _spearman(pairs)
    return ExternalScore(external.name, external.measure, len(rows), score)


def labelled_rows(external: ExternalSet, folder: Path) -> list[Row] | None:
    """The rows of a set that have a clean answer; None if they are not at hand.

    Raises:
        InputError: if a row is not one of the set's.
    """
    found = rows_of(external, folder)
    if found is None:
        return None
    return [row for where, row in found if _is_labelled(external, row, where)]


def rows_of(external: ExternalSet, folder: Path) -> Iterator[tuple[str, Row]] | None:
    """The rows of a set, each after its place for messages; None if they are not at hand.

    Args:
        external: the set.
        folder: holds the set's file of mapped rows, which is taken first, or the folder
            with its publisher's files.
    """
    mapped, published = folder / external.file, folder / external.folder
    if mapped.exists():
        return iter(iter_json_lines(mapped))
    if published.is_dir():
        return ((f"{published}, {row['id']}", row) for row in external.read(published))
    return None


def _last_of_each(predictions: Iterable[Prediction], rows: Sequence[Row]) -> list[Prediction]:
    """The prediction of each row's own sentence, which is the last of its article."""
    last = {prediction.article_id: prediction for prediction in predictions}
    ids = [str(row["id"]) for row in rows]
    if len(set(ids)) < len(ids) or not last.keys() >= set(ids):
        raise InputError(
            "the predictions",
            expected=f"one of each of {len(ids)} rows, whose ids differ",
            found=f"{len(set(ids))} ids, of which {len(last.keys() & set(ids))} have one",
            fix="give every row an id of its own, and predict every sentence",
        )
    return [last[row_id] for row_id in ids]


def _document(row: Row) -> str:
    """What a row shares with those that are not independent of it: an article, or a rumour."""
    context = str(row.get("context") or "")
    rumour = row.get("claimId") or (context if context.startswith(CLAIM) else None)
    return str(rumour or document_of(str(row["id"])))


def _is_labelled(external: ExternalSet, row: Row, where: str) -> bool:
    """Whether the row has a clean answer; a row that is none of the set's is an error."""
    try:
        gold = external.gold(row)
        has_text = "id" in row and "text" in row
        known = gold is None or not external.labels or gold in external.labels
    except (KeyError, TypeError, ValueError) as error:
        raise _not_a_row(external, where, f"{type(error).__name__}: {error}") from None
    if not has_text or not known:
        found = f"the label {gold!r}" if not known else "no 'id' or no 'text'"
        raise _not_a_row(external, where, found)
    return gold is not None


def _not_a_row(external: ExternalSet, where: str, found: str) -> InputError:
    return InputError(
        where,
        expected=f"a sentence of {external.name}",
        found=found,
        fix="see evaluation/README.md for the format",
    )


def article_of_row(row: Row) -> Article:
    """A row as an article: the sentences before it, then the sentence itself.

    Where the context is a rumour that a headline tells of, the mark before it is no part of it.
    """
    context = str(row.get("context") or "").removeprefix(CLAIM)
    return Article(str(row["id"]), None, spans_of(sentences_of_row({**row, "context": context})))


def _macro_f1(
    external: ExternalSet, documents: Sequence[str], pairs: Sequence[tuple[Any, Any]]
) -> Estimate:
    """Intervals are resampled by document; an answer that is none of the labels is a miss."""
    labels = [*external.labels, None]
    places = {label: i for i, label in enumerate(labels)}
    counts = {d: np.zeros((len(labels), len(labels)), dtype=np.int64) for d in documents}
    for document, (gold, answer) in zip(documents, pairs, strict=True):
        counts[document][places[gold], places.get(answer, len(labels) - 1)] += 1
    statistic = partial(st.macro_f1, labels=range(len(external.labels)))
    return st.bootstrap(np.stack(list(counts.values())), statistic)


def _spearman(pairs: Sequence[tuple[Any, Any]]) -> Estimate:
    """Intervals are resampled by sentence: these stand alone."""
    from scipy.stats import rankdata

    values = np.asarray(pairs, dtype=np.float64)
    rng = np.random.default_rng(st.SEED)

    def rho(chosen: Any) -> float:
        """Spearman's coefficient; 0 where one side is constant and it is not defined."""
        ranks = rankdata(values[chosen], axis=0)
        return float(np.corrcoef(ranks.T)[0, 1]) if np.ptp(ranks, axis=0).all() else 0.0

    drawn = [rho(rng.integers(len(values), size=len(values))) for _ in range(st.RESAMPLES)]
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(rho(np.arange(len(values))), float(low), float(high))


def _own_voice_or_not(row: Row) -> str | None:
    return row["stance"] if row.get("strict") and row["stance"] != "no_claim" else None


def _polnear(row: Row) -> str | None:
    return _own_voice_or_not(row) if row["split"] == "dev" else None


def _gum(row: Row) -> str | None:
    return _own_voice_or_not(row) if row["genre"] == "news" else None


def _voice(_: Row, prediction: Prediction) -> str:
    """Who denies, or lacks support, is not the writer; and a rejection may have either voice."""
    if prediction.stance in ("disputed", "unproven"):
        return "attributed"
    if prediction.stance == "refuted":
        return "attributed" if prediction.source else "asserted"
    return prediction.stance


def _szeged(row: Row) -> str | None:
    return row["certainty"] if row["certainty_accept"] else None


def _certainty(row: Row, prediction: Prediction) -> str:
    """The likeliest certainty, also where no claim is seen; the set accepts some doubles."""
    probabilities = prediction.certainty_probabilities
    best = max(CERTAINTIES, key=lambda label: probabilities[label])
    return str(row["certainty"]) if best in row["certainty_accept"] else best


def _rating(row: Row) -> float | None:
    return float(row["label"])


def _firmness(_: Row, prediction: Prediction) -> float:
    return sum(FIRMNESS[label] * p for label, p in prediction.certainty_probabilities.items())


def _emergent(row: Row) -> str | None:
    return str(row["label"])


def _side(_: Row, prediction: Prediction) -> str:
    if prediction.stance == "asserted":
        return "for"
    return "against" if prediction.stance in ("refuted", "disputed") else "observing"


_VOICES: Final = ("asserted", "attributed")

SETS: Final = (
    ExternalSet(
        "PolNeAR, dev", "polnear.jsonl", "polnear", polnear.read, _VOICES, _polnear, _voice
    ),
    ExternalSet("GUM news", "gum_news.jsonl", "gum", gum.read, _VOICES, _gum, _voice),
    ExternalSet(
        "Szeged news", "szeged_news.jsonl", "szeged", szeged.read, CERTAINTIES, _szeged, _certainty
    ),
    ExternalSet(
        "Science certainty",
        "sci_certainty.jsonl",
        "sci_certainty",
        sci_certainty.read,
        (),
        _rating,
        _firmness,
    ),
    ExternalSet(
        "Emergent, train",
        "emergent.jsonl",
        "emergent",
        emergent.read,
        ("for", "observing", "against"),
        _emergent,
        _side,
    ),
)
