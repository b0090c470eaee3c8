"""Temperature scaling: one divisor for all logits, so that 0.8 means right 8 times in 10.

Guo et al. 2017, "On calibration of modern neural networks". It moves no label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from claimstance.corpus import LabelledArticle
from claimstance.inference import Floats, Model, Text
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.settings import Temperatures

_BOUNDS: Final = (0.05, 20.0)


def fit_temperatures(model: Model, dev: Sequence[LabelledArticle]) -> Temperatures:
    """Fit both temperatures on the dev split."""
    scores = model.score([Text(a.facts.title, [s.text for s in a.sentences]) for a in dev])
    sentences = [s for article in dev for s in article.sentences]
    claims = np.asarray([s.certainty is not None for s in sentences])
    stances = np.asarray([STANCES.index(s.stance) for s in sentences])
    certainties = np.asarray([CERTAINTIES.index(s.certainty) for s in sentences if s.certainty])
    return Temperatures(
        stance=fit_temperature(np.concatenate([s.stance for s in scores]), stances),
        certainty=fit_temperature(
            np.concatenate([s.certainty for s in scores])[claims], certainties
        ),
    )


def fit_temperature(logits: Floats, labels: npt.NDArray[np.intp]) -> float:
    """The temperature at which the labels are likeliest.

    Args:
        logits: shape (n, labels).
        labels: shape (n,), indices.
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        scaled = logits.astype(np.float64) / np.exp(log_temperature)
        peak = scaled.max(axis=1, keepdims=True)
        log_sum = peak[:, 0] + np.log(np.exp(scaled - peak).sum(axis=1))
        return float((log_sum - scaled[rows, labels]).mean())

    result = minimize_scalar(loss, bounds=tuple(np.log(_BOUNDS)), method="bounded")
    return round(float(np.exp(result.x)), 4)
