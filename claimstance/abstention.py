"""Which sentences a person should read: those below a threshold that was chosen on dev.

A model that may abstain trades coverage for accuracy (El-Yaniv and Wiener 2010, "On the
foundations of noise-free selective classification"). The threshold on the probability of
the likeliest stance is chosen, for the accuracy asked, where the rest of dev has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from claimstance.errors import InputError
from claimstance.records import Prediction
from claimstance.settings import AbstentionPoint, ModelSettings

#: The accuracies for which a model remembers its threshold.
ACCURACIES: Final = tuple(round(0.5 + step / 100, 2) for step in range(50))


def lowest_threshold(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_], accuracy: float
) -> float | None:
    """The lowest threshold at which the sentences that reach it are right often enough.

    Args:
        confidence: probability of the label given, shape (n,).
        right: whether it is the gold label, shape (n,).
        accuracy: share that must be right, of the sentences at or above the threshold.

    Returns:
        One of the confidences, or None if no threshold will do.

    >>> lowest_threshold(np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True]), 0.75)
    0.6
    """
    order = np.argsort(-confidence, kind="stable")
    confidence, hits = confidence[order], np.cumsum(right[order])
    accuracies = hits / np.arange(1, len(hits) + 1)
    # Sentences of equal confidence stand or fall together.
    last_of_its_kind = np.append(confidence[1:] != confidence[:-1], True)
    enough = np.flatnonzero((accuracies >= accuracy) & last_of_its_kind)
    return float(confidence[enough[-1]]) if len(enough) else None


def fit_abstention(
    confidence: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> tuple[AbstentionPoint, ...]:
    """The thresholds for `ACCURACIES`, as far as there are any; arguments as above."""
    found = ((a, lowest_threshold(confidence, right, a)) for a in ACCURACIES)
    return tuple(AbstentionPoint(accuracy=a, threshold=t) for a, t in found if t is not None)


def threshold_for(settings: ModelSettings, accuracy: float) -> float:
    """A model's threshold for the accuracy asked; between two that it knows, the higher one.

    Raises:
        InputError: if the accuracy is no share, or dev showed no threshold that gives it.
    """
    if not 0 < accuracy < 1:
        raise InputError(
            "--abstain",
            expected="the accuracy asked of the sentences that are not marked, between 0 and 1",
            found=str(accuracy),
            fix="for nine right out of ten, give 0.9",
        )
    known = [p.threshold for p in settings.abstention if p.accuracy >= accuracy - 1e-9]
    if not known:
        best = max((p.accuracy for p in settings.abstention), default=None)
        raise InputError(
            f"the model {settings.name!r}",
            expected=f"a threshold above which {100 * accuracy:.4g}% of dev are right",
            found=f"none above {best:.0%}" if best else "none that was kept with the model",
            fix="ask for less" if best else "train or export it again with this version",
        )
    return min(known)


def mark_for_review(predictions: Sequence[Prediction], threshold: float) -> list[Prediction]:
    """Mark the predictions whose likeliest stance is less probable than the threshold."""
    return [
        p.model_copy(update={"needs_review": p.stance_probabilities[p.stance] < threshold})
        for p in predictions
    ]
