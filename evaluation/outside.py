"""Scores on real news and other people's labels: text that the project may not copy.

Only the scores are kept, in ``outside.json``. A run without the text uses them again, each
as long as its system and the labels are the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter, ValidationError
from scores import DATA, Articles, Worth, score_real_slices, score_worth

from claimstance.articles import Article, read_articles
from claimstance.comparison import Comparison, compare_predictions
from claimstance.errors import InputError
from claimstance.evaluation import Evaluation, PredictedPair, by_article, pair_up
from claimstance.external import SETS, ExternalScore, labelled_rows, score_set
from claimstance.prediction import Predict
from claimstance.real_news import (
    document_of,
    score_real_news,
    score_second_pass,
)
from claimstance.records import read_records, write_text
from claimstance.settings import ModelSettings
from claimstance.slices import SliceScore
from claimstance.standoff import StandoffRow, StandoffSentence, align

FILE: Final = "outside.json"
ARTICLE_LABELS: Final = DATA.standoff / "belgorod.jsonl"


@dataclass(frozen=True, slots=True)
class ArticleScore:
    """How a model agrees with the labels of one article; its text may not be copied.

    ``differences`` holds position, label, the model's stance and its probability.
    """

    sentences: int
    same_stance: int
    claims: int
    same_certainty: int
    differences: list[tuple[int, str, str, float]]


@dataclass(frozen=True, slots=True)
class Outside:
    """What one system scores outside the corpus.

    Attributes:
        system: fingerprint of the system.
        real_news: None where the datasets were not at hand.
        external: the sets that were.
        skipped: what was not at hand, and how that was seen.
    """

    system: str
    real_news: Evaluation | None = None
    external: list[ExternalScore] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Closer:
    """What else is asked of the model that ships, on real news."""

    second_pass: Evaluation
    worth: Worth
    slices: list[SliceScore]
    #: By system, how far the model that ships is ahead of it.
    ahead_of: dict[str, Comparison]


@dataclass(frozen=True, slots=True)
class OutsideScores:
    """The contents of ``outside.json``.

    Attributes:
        labels: fingerprint of the labels of real news.
        systems: scores by system.
        closer: more of the model that ships.
        article: how it agrees with the labels of one article.
        shared: by external set, how many of its sentences stand in the real-news set too.
    """

    labels: str = ""
    systems: dict[str, Outside] = field(default_factory=dict)
    closer: Closer | None = None
    article: ArticleScore | None = None
    shared: dict[str, int] = field(default_factory=dict)

    def parts(self) -> set[str]:
        """What was scored, in words."""
        found = {
            f"{name} on {what}"
            for name, scores in self.systems.items()
            for what in [
                *(["real news"] if scores.real_news else []),
                *(s.name for s in scores.external),
            ]
        }
        return found | ({"the article"} if self.article else set())


def read_outside(results: Path) -> OutsideScores:
    """What was scored before; nothing if there is no such file.

    Raises:
        InputError: if the file is not what `write_outside` writes.
    """
    path = results / FILE
    if not path.exists():
        return OutsideScores()
    try:
        return TypeAdapter(OutsideScores).validate_json(path.read_bytes())
    except ValidationError as error:
        raise InputError(
            str(path),
            expected="scores as this version writes them",
            found=error.errors()[0]["msg"],
            fix="delete it, and score again with --datasets",
        ) from None


def write_outside(results: Path, scores: OutsideScores) -> None:
    """Keep the scores."""
    content = TypeAdapter(OutsideScores).dump_json(scores, indent=1).decode()
    write_text(results / FILE, content + "\n")


def fingerprint(files: Sequence[Path]) -> str:
    """SHA-256 over the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def still_valid(kept: OutsideScores, fingerprints: Mapping[str, str], ships: str) -> OutsideScores:
    """What was kept of systems that are still the same; nothing if the one that ships is not.

    Args:
        kept: scores of an earlier run.
        fingerprints: of the systems as they are now.
        ships: name of the system that ships.
    """
    same = {n: s for n, s in kept.systems.items() if s.system == fingerprints.get(n)}
    if ships not in same or kept.labels != labels_fingerprint():
        return OutsideScores()
    closer = kept.closer
    if closer:
        ahead_of = {name: c for name, c in closer.ahead_of.items() if name in same}
        closer = replace(closer, ahead_of=ahead_of)
    return replace(kept, systems=same, closer=closer)


def must_lose_nothing(kept: OutsideScores, found: OutsideScores, path: Path) -> None:
    """Refuse to put scores in the place of others that hold more.

    Raises:
        InputError: if something was kept that is not found again.
    """
    lost = sorted(kept.parts() - found.parts())
    if lost:
        raise InputError(
            str(path),
            expected="a run that scores all that is kept there",
            found=f"none of {', '.join(lost)}",
            fix="give --datasets, --article and --models in full, or delete the file",
        )


def labels_fingerprint() -> str:
    """What tells the labels of real news from those of another state."""
    return fingerprint([DATA.real_news, DATA.real_first, DATA.real_second])


def missing_datasets(datasets: Path) -> list[str]:
    """The files that the real-news set needs and that are not at hand."""
    needed = sorted({row.dataset for row in read_records(DATA.real_news, StandoffRow)})
    return [f"{name}.jsonl" for name in needed if not (datasets / f"{name}.jsonl").exists()]


def shared_sentences(datasets: Path) -> dict[str, int]:
    """By external set, how many of its sentences stand in the real-news set too."""
    real = {row.id for row in read_records(DATA.real_news, StandoffRow)}
    found = ((dataset.name, labelled_rows(dataset, datasets)) for dataset in SETS)
    return {name: sum(row["id"] in real for row in rows) for name, rows in found if rows}


def score_outside(
    predict: Predict,
    real: Sequence[PredictedPair] | None,
    datasets: Path,
    system: str,
    most: int | None,
) -> Outside:
    """Score a system on all that is at hand; what is not is said in ``skipped``."""
    external: list[ExternalScore] = []
    absent = missing_datasets(datasets)
    skipped = [f"real-news development set: {', '.join(absent)} not there"] if absent else []
    for dataset in SETS:
        found = score_set(dataset, predict, datasets, most=most)
        if found:
            external.append(found)
        else:
            skipped.append(f"{dataset.name}: neither {dataset.file} nor its folder is there")
    return Outside(system, score_real_news(real) if real else None, external, skipped)


def look_closer(
    pairs: dict[str, list[PredictedPair]],
    ships: str,
    dev: Articles,
    settings: ModelSettings,
    datasets: Path,
) -> Closer:
    """Score the model that ships on real news in every way that its page shows.

    Args:
        pairs: by system, the gold sentences and what the system says of them.
        ships: name of the system that ships.
        dev: what it says of dev, which calibrates label sets.
        settings: its own.
        datasets: folder with copies of the datasets.
    """
    articles = real_articles(pairs[ships])
    return Closer(
        second_pass=score_second_pass(DATA, datasets),
        worth=score_worth(dev, articles, settings),
        slices=score_real_slices(articles),
        ahead_of={
            name: compare_predictions(
                others, pairs[ships], document=lambda s: document_of(s.article_id)
            )
            for name, others in pairs.items()
            if name != ships
        },
    )


def real_articles(pairs: Sequence[PredictedPair]) -> Articles:
    """Pairs of real news, article by article."""
    return by_article(pairs, document=lambda gold: document_of(gold.article_id))


def score_article(predict: Predict, path: Path) -> ArticleScore:
    """How a system agrees with the stand-off labels of the article the project began with."""
    gold = align(read_records(ARTICLE_LABELS, StandoffSentence), path)
    articles = [a for a in read_articles([str(path)]) if isinstance(a, Article)]
    pairs = pair_up(gold, predict(articles), str(path))
    claims = [(g, p) for g, p in pairs if g.certainty is not None]
    return ArticleScore(
        sentences=len(pairs),
        same_stance=sum(g.stance == p.stance for g, p in pairs),
        claims=len(claims),
        same_certainty=sum(g.certainty == p.certainty for g, p in claims),
        differences=[
            (g.position, g.stance, p.stance, p.stance_probabilities[p.stance])
            for g, p in pairs
            if g.stance != p.stance
        ],
    )
