"""The real-news development set: stand-off labels, the two passes behind them, what they show.

Its text may not be copied: what the set holds follows from labels alone, and a model is
scored on it with the user's own copies of the datasets.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from claimstance.annotation import DataFolder
from claimstance.articles import Article, spans_of
from claimstance.errors import InputError
from claimstance.evaluation import (
    Evaluation,
    LabelScore,
    Pair,
    PredictedPair,
    evaluate,
    only_gold,
    pair_up,
    score_certainty,
    score_stance,
)
from claimstance.prediction import Predict
from claimstance.records import read_records
from claimstance.standoff import StandoffRow, align_rows

Place = tuple[str, str]


class SettledRow(StandoffRow):
    """The labels decided on where the two passes over a real sentence differed, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class RealNews:
    """What the set holds, and how far the second pass over it agrees with the first."""

    rows: list[StandoffRow]
    #: How many sentences have each stance and each certainty.
    counts: Counter[str | None]
    stance: LabelScore
    certainty: LabelScore
    #: Sentences on whose stance or certainty the passes differ and that nobody has decided.
    undecided: list[Place]
    #: Sentences whose labels are neither the first pass's nor a decision.
    strays: list[Place]


def read_real_news(data: DataFolder) -> RealNews | None:
    """Read the set; None if the data folder has none.

    Raises:
        InputError: if a file is missing or not legal, or the passes label other sentences.
    """
    if not data.real_news.exists():
        return None
    final, first, second = (
        _by_place(read_records(path, StandoffRow))
        for path in (data.real_news, data.real_first, data.real_second)
    )
    for path, labels in ((data.real_first, first), (data.real_second, second)):
        for dataset, row_id in final.keys() ^ labels.keys():
            raise InputError(
                str(path),
                expected=f"the same sentences as in {data.real_news}",
                found=f"row {row_id!r} of {dataset!r} in one of them only",
                fix="label every sentence in both passes",
            )
    decisions = read_records(data.real_settled, SettledRow) if data.real_settled.exists() else []
    settled = _by_place(decisions)
    pairs: dict[str, list[tuple[StandoffRow, StandoffRow]]] = defaultdict(list)
    for place, row in first.items():
        pairs[document_of(row.id)].append((row, second[place]))
    return RealNews(
        rows=list(final.values()),
        counts=Counter(
            label for row in final.values() for label in (row.stance, row.certainty) if label
        ),
        stance=score_stance(list(pairs.values())),
        certainty=score_certainty(list(pairs.values())),
        undecided=[
            place
            for place, row in first.items()
            if (row.stance, row.certainty) != (second[place].stance, second[place].certainty)
            and place not in settled
        ],
        strays=[
            place
            for place, row in final.items()
            if row.model_dump() != settled.get(place, first[place]).model_dump(exclude={"reason"})
        ],
    )


def document_of(row_id: str) -> str:
    """The article that a row is from: its id without the last dash and what follows.

    Raises:
        InputError: if the id has no dash.
    """
    document, dash, _ = row_id.rpartition("-")
    if not dash:
        raise InputError(
            f"the row {row_id!r}",
            expected="an id of article and sentence, joined by a dash, as in 'wire-17-3'",
            found="one without a dash",
            fix="number the rows so that those of one article can be told",
        )
    return document


def _by_place(rows: Sequence[StandoffRow]) -> dict[Place, StandoffRow]:
    places = {(row.dataset, row.id): row for row in rows}
    if len(places) < len(rows):
        twice = next(r for r in rows if places[r.dataset, r.id] is not r)
        raise InputError(
            "the labels of real news",
            expected="each row once in a file",
            found=f"row {twice.id!r} of {twice.dataset!r} twice",
            fix="delete one of the lines",
        )
    return places


def label_real_news(predict: Predict, data: DataFolder, datasets: Path) -> list[PredictedPair]:
    """Predict the labelled sentences of the set, each read with those before it.

    Args:
        predict: the model, or its rival.
        data: the data folder with the labels.
        datasets: folder with copies of the datasets; see `claimstance.standoff.align_rows`.

    Raises:
        InputError: if a dataset or a row is not at hand, or its text is not the one labelled.
    """
    gold, rows = align_rows(read_records(data.real_news, StandoffRow), datasets)
    articles = (Article(row["id"], None, spans_of(row["sentences"])) for row in rows)
    return pair_up(gold, only_gold(gold, list(predict(articles))), "the predictions")


def score_real_news(pairs: Sequence[Pair]) -> Evaluation:
    """Score what `label_real_news` gave; intervals are resampled by article."""
    return evaluate(pairs, document=lambda s: document_of(s.article_id))


def score_second_pass(data: DataFolder, datasets: Path) -> Evaluation:
    """Score the second annotation pass against the first.

    Raises:
        InputError: as `label_real_news`.
    """
    first, second = (
        align_rows(read_records(path, StandoffRow), datasets)[0]
        for path in (data.real_first, data.real_second)
    )
    return score_real_news(pair_up(first, second, "the second pass"))
