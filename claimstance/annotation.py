"""Two annotation passes and how they became one: the files of ``data/annotations``.

``first.jsonl`` holds the labels of whoever wrote the article, ``second.jsonl`` those
of an annotator who saw only the text, ``settled.jsonl`` the labels decided on where
the two differed in stance or certainty, each with its reason. The raw passes are
never changed; the corpus follows from the three.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import ValidationError

from claimstance.corpus import ARTICLES_FILE, LabelledArticle, load_split
from claimstance.drafts import read_draft
from claimstance.errors import InputError
from claimstance.evaluation import Evaluation, evaluate
from claimstance.recipes import SilverRecipe
from claimstance.records import (
    LabelledSentence,
    SentenceLabels,
    Split,
    read_records,
    write_records,
)

SPLITS: Final[tuple[Split, ...]] = get_args(Split)


class SettledLabels(SentenceLabels):
    """The labels decided on where two passes differed, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Where the parts of a data folder lie."""

    root: Path

    @property
    def corpus(self) -> Path:
        """The labelled sentences, one file per split."""
        return self.root / "corpus"

    @property
    def first(self) -> Path:
        """The writers' own labels."""
        return self.root / "annotations" / "first.jsonl"

    @property
    def second(self) -> Path:
        """The blind labels."""
        return self.root / "annotations" / "second.jsonl"

    @property
    def settled(self) -> Path:
        """The decisions on disagreements."""
        return self.root / "annotations" / "settled.jsonl"

    @property
    def silver(self) -> SilverRecipe:
        """More articles, and what the large model says of them."""
        folder = self.root / "silver"
        return SilverRecipe(
            articles=folder / "articles.jsonl", predictions=folder / "predictions.jsonl.gz"
        )

    @property
    def standoff(self) -> Path:
        """Labels for texts that may not be copied."""
        return self.root / "standoff"

    @property
    def real_news(self) -> Path:
        """Labels of the real-news development set."""
        return self.standoff / "real-news-dev.jsonl"

    @property
    def real_first(self) -> Path:
        """The first pass over it."""
        return self.root / "annotations" / "real-news-dev-first.jsonl"

    @property
    def real_second(self) -> Path:
        """The second pass over it."""
        return self.root / "annotations" / "real-news-dev-second.jsonl"

    @property
    def real_settled(self) -> Path:
        """The decisions on disagreements over it."""
        return self.root / "annotations" / "real-news-dev-settled.jsonl"


Place = tuple[str, int]
Labels = dict[Place, SentenceLabels]


def load_all(data: DataFolder) -> list[LabelledArticle]:
    """Every article of every split that there is."""
    return [
        article
        for split in SPLITS
        if (data.corpus / f"{split}.jsonl").exists()
        for article in load_split(data.corpus, split)
    ]


def add_drafts(data: DataFolder, paths: Iterable[Path]) -> list[LabelledArticle]:
    """Add drafts to the corpus, and their labels to the first pass.

    Raises:
        InputError: if a draft is faulty, or its id is already there; nothing is written then.
    """
    known = load_all(data) if (data.corpus / ARTICLES_FILE).exists() else []
    seen = {a.facts.article_id for a in known}
    new: list[LabelledArticle] = []
    for path in paths:
        article = read_draft(path)
        if article.facts.article_id in seen:
            raise InputError(
                str(path),
                expected="an article id that is not yet in the corpus",
                found=article.facts.article_id,
                fix="choose another id",
            )
        seen.add(article.facts.article_id)
        new.append(article)
    first = read_records(data.first, SentenceLabels) if known else []
    write_records(data.first, _in_order([*first, *(_labels(s) for a in new for s in a.sentences)]))
    write_corpus(data, [*known, *new])
    return new


def _labels(sentence: LabelledSentence) -> SentenceLabels:
    return SentenceLabels.model_validate(sentence.model_dump(exclude={"text"}))


def _in_order(labels: Iterable[SentenceLabels]) -> list[SentenceLabels]:
    return sorted(labels, key=lambda s: (s.article_id, s.position))


def write_corpus(data: DataFolder, articles: Sequence[LabelledArticle]) -> None:
    """Write all files of the corpus, articles in the order of their ids."""
    ordered = sorted(articles, key=lambda a: a.facts.article_id)
    write_records(data.corpus / ARTICLES_FILE, [a.facts for a in ordered])
    for split in {a.facts.split for a in ordered}:
        lines = [s for a in ordered if a.facts.split == split for s in a.sentences]
        write_records(data.corpus / f"{split}.jsonl", lines)


def add_second_pass(data: DataFolder, sheets: Iterable[Path]) -> int:
    """Add filled-in sheets to the second pass; returns how many sentences they label.

    Raises:
        InputError: if a sheet is faulty, its article is unknown, or its text was changed.
    """
    articles = {a.facts.article_id: a for a in load_all(data)}
    second = _by_place(read_records(data.second, SentenceLabels)) if data.second.exists() else {}
    added = 0
    for path in sheets:
        sheet = read_draft(path)
        article = articles.get(sheet.facts.article_id)
        texts = [s.text for s in sheet.sentences]
        if article is None or [s.text for s in article.sentences] != texts:
            raise InputError(
                str(path),
                expected="the sentences of an article in the corpus, unchanged",
                found="an unknown article" if article is None else "other text",
                fix="label a sheet that 'claimstance corpus sheets' wrote",
            )
        if (sheet.facts.article_id, 0) in second:
            raise InputError(
                str(path),
                expected="an article without a second pass",
                found=f"labels of {sheet.facts.article_id!r} in {data.second}",
                fix="leave the sheet out: raw passes are never changed",
            )
        second |= _by_place(_labels(s) for s in sheet.sentences)
        added += len(sheet.sentences)
    write_records(data.second, _in_order(second.values()))
    return added


def _by_place(labels: Iterable[SentenceLabels]) -> Labels:
    return {(s.article_id, s.position): s for s in labels}


def _both_passes(data: DataFolder) -> tuple[Labels, Labels]:
    """First and second labels; what the second labels, the first must have labelled too."""
    first, second = (
        _by_place(read_records(path, SentenceLabels)) for path in (data.first, data.second)
    )
    for article_id, position in second.keys() - first.keys():
        raise InputError(
            str(data.second),
            expected="sentences that the first pass has labelled",
            found=f"article {article_id!r}, position {position}",
            fix="delete that line, or add the article's draft",
        )
    return first, second


def disagreements(data: DataFolder) -> list[tuple[SentenceLabels, SentenceLabels]]:
    """First and second labels of each sentence on whose stance or certainty they differ."""
    first, second_pass = _both_passes(data)
    return [
        (first[place], second)
        for place, second in second_pass.items()
        if (first[place].stance, first[place].certainty) != (second.stance, second.certainty)
    ]


def read_decisions(data: DataFolder) -> list[SettledLabels]:
    """The decisions made so far; none yet is no error."""
    return read_records(data.settled, SettledLabels) if data.settled.exists() else []


def settle(data: DataFolder) -> int:
    """Rewrite the corpus from the passes and the decisions; returns how many labels changed.

    Raises:
        InputError: if a disagreement has not been decided.
    """
    settled = _by_place(read_decisions(data))
    for first, _ in disagreements(data):
        if (first.article_id, first.position) not in settled:
            raise InputError(
                str(data.settled),
                expected="a decision on every disagreement of the two passes",
                found=f"none on article {first.article_id!r}, position {first.position}",
                fix="decide it, with its reason",
            )
    final = _by_place(read_records(data.first, SentenceLabels)) | settled
    articles = load_all(data)
    relabelled = [_relabel(article, final, data.settled) for article in articles]
    write_corpus(data, relabelled)
    return sum(
        a != b
        for old, new in zip(articles, relabelled, strict=True)
        for a, b in zip(old.sentences, new.sentences, strict=True)
    )


def _relabel(article: LabelledArticle, labels: Labels, settled: Path) -> LabelledArticle:
    sentences = []
    for sentence in article.sentences:
        found = labels[sentence.article_id, sentence.position]
        decided: dict[str, Any] = found.model_dump(
            include={"stance", "certainty", "source", "cues"}
        )
        place: dict[str, Any] = {"article_id": sentence.article_id, "position": sentence.position}
        try:
            sentences.append(LabelledSentence(**place, text=sentence.text, **decided))
        except ValidationError as error:
            raise InputError(
                f"{settled}, article {sentence.article_id!r}, position {sentence.position}",
                expected="labels that fit the sentence",
                found=error.errors()[0]["msg"],
                fix="correct that decision",
            ) from None
    return LabelledArticle(article.facts, tuple(sentences))


def agreement(data: DataFolder) -> dict[Split, Evaluation]:
    """How the second pass agrees with the first, split by split, on what both labelled.

    The first pass stands as gold; Cohen's kappa does not depend on which one does.
    """
    first, second = _both_passes(data)
    result: dict[Split, Evaluation] = {}
    articles = load_all(data)
    for split in SPLITS:
        texts = [s for a in articles if a.facts.split == split for s in a.sentences]
        pairs = []
        for sentence in texts:
            place = (sentence.article_id, sentence.position)
            if place in second:
                labels = first[place].model_dump(exclude={"article_id", "position"})
                as_gold = LabelledSentence(
                    article_id=place[0], position=place[1], text=sentence.text, **labels
                )
                pairs.append((as_gold, second[place]))
        if pairs:
            result[split] = evaluate(pairs)
    return result
