"""Scores on sentences of real text that people labelled for other projects.

Each set asks one question that our labels answer: whether somebody else is made
responsible (PolNeAR, GUM), how firm the claim is (Szeged, certainty in science
communication), or how a headline stands to a rumour (Emergent). Their text is not
ours: the sets are read from a folder that the user names.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from claimstance import statistics as st
from claimstance.articles import Article, spans_of
from claimstance.errors import InputError
from claimstance.inference import Model, classify
from claimstance.labels import CERTAINTIES
from claimstance.real_news import document_of
from claimstance.records import Prediction, iter_json_lines
from claimstance.standoff import sentences_of_row
from claimstance.statistics import Estimate

Row = Mapping[str, Any]

#: What a certainty is worth where a set has a scale instead of labels.
FIRMNESS: Final = {"certain": 2, "probable": 1, "possible": 0}


@dataclass(frozen=True, slots=True)
class ExternalSet:
    """One published set and how our labels answer its question.

    Attributes:
        name: what it is called in tables.
        file: its rows, one JSON object per line, with ``id``, ``text`` and ``context``.
        labels: the answers, in order; none where the answer is a number.
        gold: the row's answer, None where it has no clean one.
        answer: our prediction's answer to the same question, given the row.
    """

    name: str
    file: str
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
    external: ExternalSet, model: Model, folder: Path, *, most: int | None = None, seed: int = 0
) -> ExternalScore | None:
    """Score a model on one set; None if the folder does not hold it.

    Args:
        external: the set.
        model: what to score.
        folder: holds the set's file.
        most: at most so many sentences, drawn at random.
        seed: of the draw.

    Raises:
        InputError: if the file is there, but is not the set.
    """
    path = folder / external.file
    if not path.exists():
        return None
    rows = [row for where, row in iter_json_lines(path) if _is_labelled(external, row, where)]
    if not rows:
        raise InputError(
            str(path),
            expected=f"labelled sentences of {external.name}",
            found="none",
            fix="see evaluation/README.md for the format",
        )
    if most and len(rows) > most:
        rows = random.Random(seed).sample(rows, most)
    predictions = [p[-1] for p in classify(model, map(article_of_row, rows))]
    pairs = [
        (external.gold(row), external.answer(row, p))
        for row, p in zip(rows, predictions, strict=True)
    ]
    if external.labels:
        documents = [str(row.get("claimId") or document_of(str(row["id"]))) for row in rows]
        score = _macro_f1(external, documents, pairs)
    else:
        score = _spearman(pairs)
    return ExternalScore(external.name, external.measure, len(rows), score)


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

    Where the context is a rumour that a headline tells of, "CLAIM:" before it is no part of it.
    """
    context = str(row.get("context") or "").removeprefix("CLAIM:")
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
    ExternalSet("PolNeAR, dev", "polnear.jsonl", _VOICES, _polnear, _voice),
    ExternalSet("GUM news", "gum_news.jsonl", _VOICES, _gum, _voice),
    ExternalSet("Szeged news", "szeged_news.jsonl", CERTAINTIES, _szeged, _certainty),
    ExternalSet("Science certainty", "sci_certainty.jsonl", (), _rating, _firmness),
    ExternalSet(
        "Emergent, train", "emergent.jsonl", ("for", "observing", "against"), _emergent, _side
    ),
)
