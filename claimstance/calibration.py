"""Temperature scaling: one divisor for all logits, so that 0.8 means right 8 times in 10.

Guo et al. 2017, "On calibration of modern neural networks". It moves no label. What a
model's probabilities are worth on dev also says below which of them a person should read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from claimstance.abstention import fit_abstention
from claimstance.corpus import LabelledArticle
from claimstance.inference import Floats, Model, Text, softmax
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.settings import ModelSettings, Temperatures

_BOUNDS: Final = (0.05, 20.0)


def calibrate(model: Model, dev: Sequence[LabelledArticle]) -> ModelSettings:
    """The model's settings with temperatures and thresholds for abstention, fitted on dev."""
    scores = list(model.score([Text(a.facts.title, a.texts) for a in dev]))
    unlabelled = [len(a.facts.context) for a in dev]
    sentences = [s for article in dev for s in article.sentences]
    claims = np.asarray([s.certainty is not None for s in sentences])
    stances = np.asarray([STANCES.index(s.stance) for s in sentences])
    certainties = np.asarray([CERTAINTIES.index(s.certainty) for s in sentences if s.certainty])
    logits, certainty_logits = (
        np.concatenate([getattr(s, name)[n:] for s, n in zip(scores, unlabelled, strict=True)])
        for name in ("stance", "certainty")
    )
    temperatures = Temperatures(
        stance=fit_temperature(logits, stances),
        certainty=fit_temperature(certainty_logits[claims], certainties),
    )
    # As records round it, or a threshold would miss the very sentence that set it.
    scaled = np.asarray(logits / temperatures.stance, dtype=np.float32)
    confidence = softmax(scaled).max(axis=1).astype(np.float64).round(4)
    abstention = fit_abstention(confidence, logits.argmax(axis=1) == stances)
    return model.settings.model_copy(
        update={"temperatures": temperatures, "abstention": abstention}
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
