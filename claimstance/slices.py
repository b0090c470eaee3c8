"""Where a model is weak: scores by genre, topic, length, place, quotation and hard case.

A slice is a set of sentences told by what is known of them before any model reads
them. Each is set against all the others, so that a slice that only looks weak by
chance has an interval that says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from claimstance import statistics as st
from claimstance.corpus import LabelledArticle
from claimstance.evaluation import Pair, PredictedPair, by_article, stance_counts
from claimstance.labels import STANCES
from claimstance.records import ArticleFacts, LabelledSentence
from claimstance.statistics import Estimate, Floats

#: Upper bounds of a sentence's length in words, and what the slices are called.
LENGTHS: Final = ((10, "up to 10 words"), (20, "11 to 20"), (30, "21 to 30"), (10**9, "over 30"))
QUOTATION_MARKS: Final = frozenset('"“”„«»')
#: Below so many sentences, or of so few articles, a slice is not shown: an interval that
#: is resampled by article would say nothing.
LEAST_SENTENCES: Final = 15
LEAST_ARTICLES: Final = 3
#: And below so many articles it is shown, but not called weak: such intervals are too narrow.
LEAST_TO_NAME: Final = 8

THIRDS: Final = ("first third", "middle third", "last third")

#: What a slice is about, and its name: ("genre", "wire report").
SliceName = tuple[str, str]

#: In which order groups are shown; others come after them.
_GROUPS: Final = (
    "genre",
    "topic",
    "length",
    "place",
    "first sentence or later",
    "quotation",
    "hard case",
)
#: Names with an order of their own; others go by the alphabet.
_NAMES: Final = (*(name for _, name in LENGTHS), *THIRDS)


@dataclass(frozen=True, slots=True)
class SliceScore:
    """How well the stances of one slice are found.

    Attributes:
        group: what the slice is about.
        name: which one.
        sentences: in it.
        articles: that have such sentences.
        accuracy: share of the sentences with the gold stance.
        macro_f1: over the stances that occur in it.
        ahead: its accuracy less that of all other sentences.
    """

    group: str
    name: str
    sentences: int
    articles: int
    accuracy: Estimate
    macro_f1: Estimate
    ahead: Estimate

    @property
    def is_weak(self) -> bool:
        """Whether it falls behind the rest by more than an interval that can be trusted."""
        return self.articles >= LEAST_TO_NAME and self.ahead.high < 0


def slice_names(sentence: LabelledSentence, sentences: int, facts: ArticleFacts) -> list[SliceName]:
    """The slices of a sentence.

    Args:
        sentence: which.
        sentences: how many its article has.
        facts: about its article.
    """
    third = 3 * sentence.position // sentences
    hard_case = facts.hard_cases.get(sentence.position)
    return [
        ("genre", facts.genre),
        ("topic", facts.topic),
        ("length", length_name(sentence.text)),
        ("place", THIRDS[third]),
        ("first sentence or later", "later" if sentence.position else "first sentence"),
        ("quotation", quotation_name(sentence.text)),
        ("hard case", hard_case or "none"),
    ]


def length_name(text: str) -> str:
    """Which of `LENGTHS` a sentence falls into."""
    words = len(text.split())
    return next(name for most, name in LENGTHS if words <= most)


def quotation_name(text: str) -> str:
    """Whether a sentence holds a quotation mark."""
    return "with quotation marks" if QUOTATION_MARKS & set(text) else "without"


def score_slices(
    articles: Sequence[Sequence[Pair]],
    names: Callable[[LabelledSentence], Sequence[SliceName]],
) -> list[SliceScore]:
    """Score every slice with enough sentences of enough articles.

    Args:
        articles: pairs of gold and prediction, article by article.
        names: the slices of a gold sentence.

    Returns:
        The slices, in the order of `in_order`.
    """
    members: dict[SliceName, list[list[Pair]]] = {}
    for place, article in enumerate(articles):
        for pair in article:
            for name in names(pair[0]):
                empty: list[list[Pair]] = [[] for _ in articles]
                members.setdefault(name, empty)[place].append(pair)
    total = np.stack([stance_counts(a) for a in articles])
    everything = int(total.sum())
    # What holds every sentence has no others to be set against.
    parts = {n: inside for n, inside in members.items() if sum(map(len, inside)) < everything}
    scores = [_score(name, inside, total) for name, inside in parts.items()]
    kept = [s for s in scores if s.sentences >= LEAST_SENTENCES and s.articles >= LEAST_ARTICLES]
    order = in_order(members)
    return sorted(kept, key=lambda s: order.index((s.group, s.name)))


def score_corpus_slices(
    pairs: Sequence[PredictedPair], articles: Iterable[LabelledArticle]
) -> list[SliceScore]:
    """Score the slices of a part of the corpus.

    Args:
        pairs: gold sentences, each with its prediction.
        articles: at least those that the sentences are from.
    """
    known = {article.facts.article_id: article for article in articles}

    def names(sentence: LabelledSentence) -> list[SliceName]:
        article = known[sentence.article_id]
        return slice_names(sentence, len(article.sentences), article.facts)

    return score_slices(by_article(pairs), names)


def in_order(slices: Iterable[SliceName]) -> list[SliceName]:
    """Slices without repetition, in the order in which they are shown."""
    groups = {group: i for i, group in enumerate(_GROUPS)}
    names = {name: i for i, name in enumerate(_NAMES)}
    return sorted(
        set(slices),
        key=lambda s: (groups.get(s[0], len(groups)), s[0], names.get(s[1], len(names)), s[1]),
    )


def _score(name: SliceName, inside: Sequence[Sequence[Pair]], total: st.Ints) -> SliceScore:
    counts = np.stack([stance_counts(a) for a in inside])
    both = np.stack([counts, total - counts], axis=1)
    return SliceScore(
        group=name[0],
        name=name[1],
        sentences=int(counts.sum()),
        articles=sum(map(bool, inside)),
        accuracy=st.bootstrap(counts, _accuracy),
        macro_f1=st.bootstrap(counts, _macro_f1),
        ahead=st.bootstrap(both, lambda c: _accuracy(c[:, 0]) - _accuracy(c[:, 1])),
    )


def _accuracy(counts: Floats) -> Floats:
    return _where_drawn(counts, st.accuracy(counts))


def _macro_f1(counts: Floats) -> Floats:
    return _where_drawn(counts, st.macro_f1(counts, range(len(STANCES))))


def _where_drawn(counts: Floats, scores: Floats) -> Floats:
    """Not a number where no sentence was drawn, which says nothing of the slice."""
    return np.where(counts.sum(axis=(1, 2)) > 0, scores, np.nan)


def weakest(scores: Sequence[SliceScore]) -> list[SliceScore]:
    """The slices that fall behind by more than their interval, the furthest first."""
    return sorted((s for s in scores if s.is_weak), key=lambda s: s.ahead.value)
