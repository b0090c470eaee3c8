"""Two files of predictions for the same sentences: which is better, and is it chance?

Differences have intervals from a paired bootstrap by article (Berg-Kirkpatrick et al.
2012, "An empirical investigation of statistical significance in NLP"), and McNemar's
exact test counts the sentences that only one of the two gets right (McNemar 1947).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np

from claimstance import statistics as st
from claimstance.errors import InputError
from claimstance.evaluation import Pair, certainty_counts, stance_counts
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import LabelledSentence
from claimstance.statistics import Estimate, Floats, Ints


@dataclass(frozen=True, slots=True)
class Difference:
    """One score of both, how far the second is ahead, and who alone is right how often.

    Attributes:
        name: what is scored.
        first: the score of the first file.
        second: the score of the second file.
        ahead: second less first, with a paired bootstrap 95% interval by article.
        counts: on how many sentences only the first file is right, and only the second;
            None for a mean of several scores, which no count of sentences tests.
        p_value: McNemar's exact test, two-sided, of the counts.
    """

    name: str
    first: float
    second: float
    ahead: Estimate
    counts: tuple[int, int] | None
    p_value: float | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two files of predictions differ in stance and in certainty."""

    articles: int
    sentences: int
    stance: list[Difference]
    certainty: list[Difference]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def compare_predictions(
    first: Sequence[Pair],
    second: Sequence[Pair],
    *,
    document: Callable[[LabelledSentence], str] = lambda sentence: sentence.article_id,
) -> Comparison:
    """Compare two labellings of the same gold sentences.

    Args:
        first: gold sentences, each with what the first file says of it.
        second: the same gold sentences in the same order, with what the second file says.
        document: which article a gold sentence is from, where its id does not say so.

    Raises:
        InputError: if there is no sentence to compare.
        ValueError: if the gold sentences of the two are not the same.
    """
    if [gold for gold, _ in first] != [gold for gold, _ in second]:
        raise ValueError("both labellings must be paired with the same gold sentences, in order")
    if not first:
        raise InputError(
            "the gold labels", expected="sentences", found="none", fix="name another file"
        )
    by_article: dict[str, list[int]] = {}
    for number, (gold, _) in enumerate(first):
        by_article.setdefault(document(gold), []).append(number)
    groups = list(by_article.values())
    return Comparison(
        articles=len(groups),
        sentences=len(first),
        stance=_differences(first, second, groups, "stance", STANCES),
        certainty=_differences(first, second, groups, "certainty", CERTAINTIES),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """The two-sided exact p-value: how likely so uneven a split is if both are equally good."""
    total = only_first + only_second
    tail = sum(math.comb(total, k) for k in range(min(only_first, only_second) + 1))
    return min(1.0, float(2 * tail / 2**total))


def _differences(
    first: Sequence[Pair],
    second: Sequence[Pair],
    groups: Sequence[Sequence[int]],
    field: str,
    labels: Sequence[str],
) -> list[Difference]:
    count = stance_counts if field == "stance" else certainty_counts
    both = np.stack(
        [[count([pairs[i] for i in group]) for pairs in (first, second)] for group in groups]
    )
    hits = [
        [(getattr(g, field), getattr(p, field)) for g, p in pairs if getattr(g, field) is not None]
        for pairs in (first, second)
    ]
    everything = partial(st.macro_f1, labels=range(len(labels)))
    overall = [_right(pairs, None) for pairs in hits]
    rows = [
        _difference("macro-F1", both, everything, None),
        _difference("accuracy", both, st.accuracy, overall),
    ]
    for place, label in enumerate(labels):
        right = [_right(pairs, label) for pairs in hits]
        rows.append(_difference(f"{label}: F1", both, partial(st.f1, label=place), right))
    return rows


def _right(pairs: Sequence[tuple[str, str | None]], label: str | None) -> list[bool]:
    """Which sentences are right: of one label, whether it is rightly given or withheld."""
    if label is None:
        return [gold == given for gold, given in pairs]
    return [(gold == label) == (given == label) for gold, given in pairs]


def _difference(
    name: str,
    both: Ints,
    statistic: Callable[[Floats], Floats],
    right: Sequence[Sequence[bool]] | None,
) -> Difference:
    def gain(counts: Floats) -> Floats:
        return statistic(counts[:, 1]) - statistic(counts[:, 0])

    total = both.sum(axis=0).astype(np.float64)
    first, second = (float(statistic(total[i : i + 1])[0]) for i in range(2))
    ahead = st.bootstrap(both, gain)
    if right is None:
        return Difference(name, first, second, ahead, None, None)
    pairs = list(zip(*right, strict=True))
    counts = pairs.count((True, False)), pairs.count((False, True))
    return Difference(name, first, second, ahead, counts, mcnemar(*counts))


def comparison_page(comparison: Comparison, *, names: Sequence[str], command: str) -> str:
    """The comparison as a page of tables."""
    first, second = names
    return "\n".join(
        [
            "# Comparison",
            "",
            f"`{first}` (first) and `{second}` (second) on {comparison.sentences} sentences of "
            f"{comparison.articles} articles. How far the second is ahead: paired bootstrap 95% "
            f"intervals, {st.RESAMPLES} resamples by article, seed {st.SEED}. Only right in one: "
            "sentences, and the p-value of McNemar's exact test; for one label, a sentence counts "
            "as right if the label is rightly given or rightly withheld. The test takes sentences "
            "as independent, which those of one article are not, and p-values are not corrected "
            "for their number: where they and the intervals disagree, trust the intervals, and "
            "neither where only a few sentences differ.",
            "",
            f"Made by `{command}`.",
            "",
            *_table("Stance", comparison.stance),
            *_table("Certainty", comparison.certainty),
        ]
    )


def _table(name: str, differences: Sequence[Difference]) -> list[str]:
    rows = []
    for d in differences:
        counts = f"{d.counts[0]} | {d.counts[1]} | {d.p_value:.2g}" if d.counts else "| |"
        ahead = f"{d.ahead.value:+.3f} [{d.ahead.low:+.3f}, {d.ahead.high:+.3f}]"
        rows.append(f"| {d.name} | {d.first:.3f} | {d.second:.3f} | {ahead} | {counts} |")
    return [
        f"## {name}",
        "",
        "| | first | second | second ahead by | right in first only | right in second only | p |",
        "| --- | --: | --: | --: | --: | --: | --: |",
        *rows,
        "",
    ]
