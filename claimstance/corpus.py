"""The labelled corpus in memory: articles with their sentences, split by split."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from claimstance.errors import InputError
from claimstance.records import ArticleFacts, LabelledSentence, Split, read_records

ARTICLES_FILE = "articles.jsonl"


@dataclass(frozen=True, slots=True)
class LabelledArticle:
    """An article of the corpus, its labelled sentences in order."""

    facts: ArticleFacts
    sentences: tuple[LabelledSentence, ...]

    @property
    def texts(self) -> list[str]:
        """All that is read of it, by position: sentences without labels, then those with."""
        return [*self.facts.context, *(sentence.text for sentence in self.sentences)]


def load_split(corpus: Path, split: Split) -> list[LabelledArticle]:
    """Read one split of a corpus folder (``train.jsonl`` and so on, ``articles.jsonl``).

    Raises:
        InputError: if a file is missing or broken, an article is unknown, in another
            split, torn apart, or its positions do not count up from its context.
    """
    path = corpus / f"{split}.jsonl"
    facts = {f.article_id: f for f in read_records(corpus / ARTICLES_FILE, ArticleFacts)}
    articles = [
        _article(path, article_id, tuple(sentences), facts, split)
        for article_id, sentences in groupby(
            read_records(path, LabelledSentence), key=lambda s: s.article_id
        )
    ]
    _must_be_unique(path, articles)
    return articles


def _article(
    path: Path,
    article_id: str,
    sentences: tuple[LabelledSentence, ...],
    facts: dict[str, ArticleFacts],
    split: Split,
) -> LabelledArticle:
    where = f"{path}, article {article_id}"
    known = facts.get(article_id)
    if known is None or known.split != split:
        raise InputError(
            where,
            expected=f"an article that {ARTICLES_FILE} puts in {split}",
            found=f"split {known.split}" if known else "no line about it",
            fix=f"correct {ARTICLES_FILE}, or move the article",
        )
    positions = [s.position for s in sentences]
    first = len(known.context)
    if positions != list(range(first, first + len(positions))):
        raise InputError(
            where,
            expected=f"positions {first}, {first + 1}, {first + 2} and so on",
            found=", ".join(map(str, positions)),
            fix="put the sentences in order, none missing and none twice",
        )
    return LabelledArticle(known, sentences)


def _must_be_unique(path: Path, articles: Iterable[LabelledArticle]) -> None:
    seen: set[str] = set()
    for article in articles:
        article_id = article.facts.article_id
        if article_id in seen:
            raise InputError(
                f"{path}, article {article_id}",
                expected="the sentences of an article together",
                found="other articles between them",
                fix="put the article in one piece",
            )
        seen.add(article_id)
