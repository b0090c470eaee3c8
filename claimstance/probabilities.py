"""What the probabilities of a file of predictions are worth: calibration and selection.

Calibration asks whether 0.8 means right eight times in ten; selection, whether the
sentences of which a model is least sure are the ones it gets wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from claimstance import statistics as st
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import Labels, Prediction
from claimstance.standoff import StandoffLabels
from claimstance.statistics import Estimate, Floats

#: Bins of equal width, as in Guo et al. 2017.
BINS: Final = 15
#: Accuracies of which the page says what they cost in coverage.
ACCURACIES_SHOWN: Final = (0.85, 0.9, 0.95)

#: A gold sentence and its prediction.
Pair = tuple[Labels | StandoffLabels, Prediction]


@dataclass(frozen=True, slots=True)
class Graded:
    """The probabilities that a file gives for one kind of label, beside the gold labels.

    Attributes:
        probabilities: shape (n, labels), rows summing to 1.
        gold: indices of the gold labels, shape (n,).
        articles: indices of the articles, shape (n,), from 0.
    """

    probabilities: Floats
    gold: npt.NDArray[np.intp]
    articles: npt.NDArray[np.intp]

    @property
    def confidence(self) -> Floats:
        """Probability of the likeliest label, shape (n,)."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the likeliest label is the gold one, shape (n,)."""
        return np.asarray(self.probabilities.argmax(axis=1) == self.gold)


@dataclass(frozen=True, slots=True)
class Bin:
    """The sentences whose confidence falls between two bounds."""

    low: float
    high: float
    sentences: int
    confidence: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class Selection:
    """Abstention at a threshold chosen elsewhere: what is kept, and how right it is."""

    asked: float
    threshold: float
    coverage: Estimate
    #: None where nothing is kept.
    accuracy: Estimate | None


@dataclass(frozen=True, slots=True)
class ProbabilityScore:
    """How good the probabilities of one kind of label are."""

    sentences: int
    calibration_error: Estimate
    brier: Estimate
    #: Area under the risk-coverage curve; lower is better.
    risk_coverage_area: Estimate
    #: The same for a model as accurate that is least sure exactly where it is wrong.
    least_possible_area: float
    bins: list[Bin]
    #: Coverages and risks of the curve, at most 200 points.
    curve: list[tuple[float, float]]
    selections: list[Selection]

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def grade_stances(articles: Sequence[Sequence[Pair]]) -> Graded:
    """The stances of articles, each a list of pairs of gold and prediction."""
    return _grade(articles, STANCES, "stance")


def grade_certainties(articles: Sequence[Sequence[Pair]]) -> Graded:
    """The certainties, over the sentences whose gold label has a claim."""
    claims = [[(g, p) for g, p in article if g.certainty is not None] for article in articles]
    return _grade([c for c in claims if c], CERTAINTIES, "certainty")


def _grade(articles: Sequence[Sequence[Pair]], labels: Sequence[str], name: str) -> Graded:
    rows = [
        ([_probabilities(p, name)[label] for label in labels], labels.index(getattr(g, name)), i)
        for i, article in enumerate(articles)
        for g, p in article
    ]
    probabilities, gold, places = zip(*rows, strict=True)
    return Graded(np.asarray(probabilities, dtype=np.float64), np.asarray(gold), np.asarray(places))


def _probabilities(prediction: Prediction, name: str) -> Mapping[str, float]:
    found: Mapping[str, float] = getattr(prediction, f"{name}_probabilities")
    return found


def score_probabilities(
    graded: Graded, *, thresholds: Mapping[float, float] | None = None
) -> ProbabilityScore:
    """Score probabilities; intervals are resampled by article.

    Args:
        graded: what to score.
        thresholds: by the accuracy asked, the threshold chosen for it on other sentences.
    """
    counts = bin_counts(graded)
    area = _resampled_areas(graded)
    coverage, risk = risk_coverage(graded.confidence, graded.right)
    shown = np.unique(np.linspace(0, len(coverage) - 1, 200).round().astype(int))
    return ProbabilityScore(
        sentences=len(graded.gold),
        calibration_error=st.bootstrap(counts, calibration_error),
        brier=st.bootstrap(_brier_sums(graded), lambda sums: sums[:, 0] / sums[:, 1]),
        risk_coverage_area=area,
        least_possible_area=least_area(float(graded.right.mean()), len(graded.gold)),
        bins=_bins(counts),
        curve=[(float(coverage[i]), float(risk[i])) for i in shown],
        selections=[select(graded, asked, t) for asked, t in (thresholds or {}).items()],
    )


def bin_counts(graded: Graded) -> Floats:
    """Sentences, summed confidence and right labels; shape (articles, bins, 3)."""
    counts = np.zeros((int(graded.articles.max()) + 1, BINS, 3))
    # A bin holds its upper bound, so that a confidence of 1 falls into the last.
    bins = np.clip(np.ceil(graded.confidence * BINS).astype(int) - 1, 0, BINS - 1)
    values = np.stack([np.ones(len(bins)), graded.confidence, graded.right], axis=1)
    np.add.at(counts, (graded.articles, bins), values)
    return counts


def calibration_error(counts: Floats) -> Floats:
    """Expected calibration error (Naeini et al. 2015; Guo et al. 2017), 0 to 1.

    The gap between confidence and accuracy, bin by bin, weighted by sentences.

    Args:
        counts: shape (n, bins, 3), as `bin_counts` gives them.
    """
    gaps = np.abs(counts[:, :, 1] - counts[:, :, 2]).sum(axis=1)
    return np.asarray(gaps / counts[:, :, 0].sum(axis=1))


def _bins(counts: Floats) -> list[Bin]:
    found = []
    for place in range(counts.shape[1]):
        here = counts[:, place]
        sentences = here[:, 0].sum()
        if sentences:
            found.append(
                Bin(
                    low=place / BINS,
                    high=(place + 1) / BINS,
                    sentences=int(sentences),
                    confidence=float(here[:, 1].sum() / sentences),
                    accuracy=st.bootstrap(here, lambda sums: st.share(sums[:, 2], sums[:, 0])),
                )
            )
    return found


def _brier_sums(graded: Graded) -> Floats:
    """Summed Brier scores and sentences; shape (articles, 2).

    The score of a sentence is the squared distance of its probabilities from the gold
    label, summed over labels: 0 at best, 2 at worst (Brier 1950).
    """
    wanted = np.zeros_like(graded.probabilities)
    wanted[np.arange(len(graded.gold)), graded.gold] = 1
    distances = np.square(graded.probabilities - wanted).sum(axis=1)
    sums = np.zeros((int(graded.articles.max()) + 1, 2))
    np.add.at(sums, graded.articles, np.stack([distances, np.ones(len(distances))], axis=1))
    return sums


def risk_coverage(confidence: Floats, right: npt.NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The risk-coverage curve (Geifman and El-Yaniv 2017, "Selective classification …").

    Args:
        confidence: shape (n,).
        right: whether the label given is the gold one, shape (n,).

    Returns:
        Coverage and risk after each sentence, surest first. Among sentences of equal
        confidence, the order is taken as random and the risk as expected.
    """
    order = np.argsort(-confidence, kind="stable")
    wrong = (~right[order]).astype(np.float64)
    starts = np.flatnonzero(np.append(True, np.diff(confidence[order]) != 0))
    sizes = np.diff(np.append(starts, len(order)))
    errors = np.cumsum(np.repeat(np.add.reduceat(wrong, starts) / sizes, sizes))
    kept = np.arange(1, len(order) + 1)
    return kept / len(order), errors / kept


def area_under(risk: Floats) -> float:
    """The mean risk over all coverages."""
    return float(risk.mean())


def _resampled_areas(graded: Graded) -> Estimate:
    articles = int(graded.articles.max()) + 1
    rng = np.random.default_rng(st.SEED)
    drawn = rng.multinomial(articles, np.full(articles, 1 / articles), size=st.RESAMPLES)

    def area(times: npt.NDArray[np.int64]) -> float:
        again = np.repeat(np.arange(len(graded.gold)), times[graded.articles])
        return area_under(risk_coverage(graded.confidence[again], graded.right[again])[1])

    low, high = np.percentile([area(times) for times in drawn], [2.5, 97.5])
    return Estimate(area(np.ones(articles, dtype=np.int64)), float(low), float(high))


def least_area(accuracy: float, sentences: int) -> float:
    """The area where all right labels come first, 0 to 1."""
    right = np.arange(sentences) < round(accuracy * sentences)
    return area_under(risk_coverage(-np.arange(sentences, dtype=np.float64), right)[1])


def select(graded: Graded, asked: float, threshold: float) -> Selection:
    """Keep the sentences at or above a threshold that was chosen on others."""
    kept = graded.confidence >= threshold
    sums = np.zeros((int(graded.articles.max()) + 1, 3))
    values = np.stack([np.ones(len(kept)), kept, kept & graded.right], axis=1)
    np.add.at(sums, graded.articles, values)
    return Selection(
        asked=asked,
        threshold=threshold,
        coverage=st.bootstrap(sums, lambda s: st.ratio(s[:, 1], s[:, 0])),
        accuracy=(st.bootstrap(sums, lambda s: st.share(s[:, 2], s[:, 1])) if kept.any() else None),
    )
