"""Conformal label sets: several labels, so that the gold one is among them as often as asked.

Split conformal prediction by MAPIE (Cordier et al. 2023, "Flexible and systematic
uncertainty estimation with conformal prediction via the MAPIE library"), calibrated on
one file of predictions and measured on another. Its promise holds for sentences drawn
as those of the first were. Those of one article are not independent, other news is drawn
otherwise, and a dev split that chose the model is no fresh draw: so the coverage is
measured, with intervals by article.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

from claimstance import statistics as st
from claimstance.probabilities import Graded
from claimstance.statistics import Estimate, Floats

#: The shares of gold labels that the sets are asked to hold.
COVERAGES: Final = (0.8, 0.9, 0.95)


@dataclass(frozen=True, slots=True)
class ConformalScore:
    """Sets made for one coverage, measured on other sentences.

    Attributes:
        asked: the share of gold labels that should be in the set.
        coverage: the share that is.
        size: labels in a set, on average.
        single: share of the sets with exactly one label.
        empty: share of the sets without any: no label is likely enough.
    """

    asked: float
    coverage: Estimate
    size: Estimate
    single: Estimate
    empty: Estimate


class _Given(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A classifier whose inputs are the probabilities themselves."""

    def __init__(self, labels: int) -> None:
        self.labels = labels
        self.classes_ = np.arange(labels)

    def fit(self, rows: Floats, gold: npt.NDArray[np.intp]) -> Self:
        return self

    def predict_proba(self, rows: Floats) -> Floats:
        return rows

    def predict(self, rows: Floats) -> npt.NDArray[np.intp]:
        return np.asarray(rows.argmax(axis=1))

    def __sklearn_is_fitted__(self) -> bool:
        return True


def label_sets(
    calibration: Graded, probabilities: Floats, coverages: Sequence[float] = COVERAGES
) -> npt.NDArray[np.bool_]:
    """The labels of each set.

    Scores are one less the probability of a label ("least ambiguous set-valued
    classifiers", Sadinle et al. 2019), which gives the smallest sets on average.

    Args:
        calibration: the sentences that set the threshold.
        probabilities: of the sentences that get a set, shape (n, labels).
        coverages: the shares asked.

    Returns:
        Whether a label is in the set, shape (n, labels, coverages).
    """
    labels = probabilities.shape[1]
    mapie: Any = SplitConformalClassifier(
        _Given(labels), confidence_level=list(coverages), conformity_score="lac", prefit=True
    )
    mapie.conformalize(_whole(calibration.probabilities), calibration.gold)
    _, sets = mapie.predict_set(_whole(probabilities))
    return np.asarray(sets, dtype=bool)


def _whole(probabilities: Floats) -> Floats:
    """Rows that sum to 1 again, which rounding in the file has spoilt."""
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True))


def score_sets(calibration: Graded, measured: Graded) -> list[ConformalScore]:
    """Make sets by one file and measure them on another; intervals are resampled by article."""
    sets = label_sets(calibration, measured.probabilities)
    rows = np.arange(len(measured.gold))
    return [
        _score(asked, sets[:, :, i], sets[rows, measured.gold, i], measured)
        for i, asked in enumerate(COVERAGES)
    ]


def _score(
    asked: float,
    sets: npt.NDArray[np.bool_],
    holds_gold: npt.NDArray[np.bool_],
    measured: Graded,
) -> ConformalScore:
    sizes = sets.sum(axis=1)
    sums = np.zeros((int(measured.articles.max()) + 1, 5))
    values = np.stack([np.ones(len(sizes)), holds_gold, sizes, sizes == 1, sizes == 0], axis=1)
    np.add.at(sums, measured.articles, values)
    estimates = (st.bootstrap(sums, partial(_per_sentence, column=i)) for i in (1, 2, 3, 4))
    return ConformalScore(asked, *estimates)


def _per_sentence(sums: Floats, column: int) -> Floats:
    return st.ratio(sums[:, column], sums[:, 0])
