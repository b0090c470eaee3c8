"""Scores from counts, with intervals: precision, recall, F1, accuracy, Cohen's kappa.

All of them follow from a confusion matrix, and a bootstrap by article needs only
sums of the articles' matrices: so everything here works on stacks of matrices.
Tests hold the results against scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

RESAMPLES: Final = 1000
SEED: Final = 20230525


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure and its bootstrap 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"


def error_bars(estimates: Sequence[Estimate]) -> tuple[list[float], list[float]]:
    """How far the intervals reach below and above, as matplotlib wants it."""
    # Rounding can put a value a hair outside its interval.
    return (
        [max(0.0, e.value - e.low) for e in estimates],
        [max(0.0, e.high - e.value) for e in estimates],
    )


def bootstrap(
    per_article: Ints | Floats,
    statistic: Callable[[Floats], Floats],
    *,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Estimate:
    """Estimate a statistic of summed counts, resampling whole articles (Efron 1979).

    Sentences of one article are not independent of each other; resampling them one
    by one would make the interval too narrow.

    Args:
        per_article: counts or sums, shape (articles, …).
        statistic: from counts of shape (n, …) to n values.
        resamples: how many times the articles are drawn anew.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    articles = len(per_article)
    times_drawn = rng.multinomial(articles, np.full(articles, 1 / articles), size=resamples)
    flat = per_article.reshape(articles, -1).astype(np.float64)
    drawn = (times_drawn @ flat).reshape(resamples, *per_article.shape[1:])
    value = statistic(flat.sum(axis=0).reshape(1, *per_article.shape[1:]))[0]
    # A draw in which the statistic is not defined says nothing.
    low, high = np.nanpercentile(statistic(drawn), [2.5, 97.5])
    return Estimate(float(value), float(low), float(high))


def confusion(gold: Sequence[int], predicted: Sequence[int], labels: int) -> Ints:
    """Count pairs; shape (labels, labels), rows gold, columns predicted."""
    matrix = np.zeros((labels, labels), dtype=np.int64)
    np.add.at(matrix, (np.asarray(gold, dtype=int), np.asarray(predicted, dtype=int)), 1)
    return matrix


def ratio(part: Floats, whole: Floats) -> Floats:
    """Division in which nothing out of nothing is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def share(part: Floats, whole: Floats) -> Floats:
    """Division in which a part of nothing is not a number: a bootstrap leaves it out."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole != 0)


def precision(matrices: Floats, label: int) -> Floats:
    """Of the sentences given this label, the share that have it."""
    return ratio(matrices[:, label, label], matrices[:, :, label].sum(axis=1))


def recall(matrices: Floats, label: int) -> Floats:
    """Of the sentences that have this label, the share given it."""
    return ratio(matrices[:, label, label], matrices[:, label, :].sum(axis=1))


def f1(matrices: Floats, label: int) -> Floats:
    """Harmonic mean of precision and recall."""
    total = matrices[:, label, :].sum(axis=1) + matrices[:, :, label].sum(axis=1)
    return ratio(2 * matrices[:, label, label], total)


def macro_f1(matrices: Floats, labels: Sequence[int]) -> Floats:
    """Unweighted mean of the F1 of those labels that occur, in gold or prediction."""
    scores = np.stack([f1(matrices, label) for label in labels])
    occurs = np.stack(
        [matrices[:, i, :].sum(axis=1) + matrices[:, :, i].sum(axis=1) > 0 for i in labels]
    )
    return ratio(scores.sum(axis=0), occurs.sum(axis=0).astype(np.float64))


def accuracy(matrices: Floats) -> Floats:
    """Share of sentences on the diagonal."""
    return ratio(np.trace(matrices, axis1=1, axis2=2), matrices.sum(axis=(1, 2)))


def kappa(matrices: Floats) -> Floats:
    """Cohen's kappa: agreement beyond what the label shares alone would give (Cohen 1960)."""
    total = matrices.sum(axis=(1, 2))
    by_chance = ratio((matrices.sum(axis=2) * matrices.sum(axis=1)).sum(axis=1), np.square(total))
    return ratio(accuracy(matrices) - by_chance, 1 - by_chance)


def quadratic_kappa(matrices: Floats) -> Floats:
    """Kappa for labels on a scale: a miss counts by the square of its distance (Cohen 1968)."""
    scale = np.arange(matrices.shape[1], dtype=np.float64)
    distance = np.square(scale[:, None] - scale[None, :])
    rows, columns = matrices.sum(axis=2), matrices.sum(axis=1)
    found = (matrices * distance).sum(axis=(1, 2))
    chance = np.einsum("ni,nj,ij->n", rows, columns, distance)
    by_chance = ratio(chance, matrices.sum(axis=(1, 2)))
    # No distance by chance: both give everything one and the same label.
    return np.where(by_chance == 0, 0.0, 1 - ratio(found, by_chance))


def matthews(matrices: Floats) -> Floats:
    """Matthews correlation, for any number of labels (Gorodkin 2004); 0 if one side is constant."""
    total = matrices.sum(axis=(1, 2))
    rows, columns = matrices.sum(axis=2), matrices.sum(axis=1)
    shared = np.trace(matrices, axis1=1, axis2=2) * total - (rows * columns).sum(axis=1)
    spread = [np.square(total) - np.square(side).sum(axis=1) for side in (rows, columns)]
    return ratio(shared, np.sqrt(spread[0] * spread[1]))


def one_against_rest(matrices: Ints, label: int) -> Ints:
    """Fold matrices to two labels: this one (index 1) and all others (index 0)."""
    hits = matrices[:, label, label]
    rows = matrices[:, label, :].sum(axis=1)
    columns = matrices[:, :, label].sum(axis=1)
    rest = matrices.sum(axis=(1, 2)) - rows - columns + hits
    return np.stack([rest, columns - hits, rows - hits, hits], axis=1).reshape(-1, 2, 2)


def span_f1(counts: Floats) -> Floats:
    """F1 from counts of shape (n, 4): right and all predicted spans, found and all gold spans."""
    share_right = ratio(counts[:, 0], counts[:, 1])
    share_found = ratio(counts[:, 2], counts[:, 3])
    return ratio(2 * share_right * share_found, share_right + share_found)


def wilson(passed: int, cases: int) -> Estimate:
    """A share with Wilson's 95% score interval (Wilson 1927), also near 0 and 1.

    Raises:
        ValueError: if there are no cases, or more passed than there are.
    """
    from scipy.stats import binomtest

    interval = binomtest(passed, cases).proportion_ci(method="wilson")
    return Estimate(passed / cases, float(interval.low), float(interval.high))
