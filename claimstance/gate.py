"""How an exported model's labels compare with those of the model it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from claimstance.evaluation import evaluate
from claimstance.labels import Certainty
from claimstance.records import LabelledSentence, Prediction


@dataclass(frozen=True, slots=True)
class Gate:
    """How two models' labels compare on the same sentences.

    ``stance_same`` and ``certainty_same`` are shares of sentences; the drops are in
    points of macro-F1, positive where the second model is worse.
    """

    sentences: int
    stance_same: float
    certainty_same: float
    stance_drop: float
    certainty_drop: float


def compare_labels(
    gold: Sequence[LabelledSentence], before: Sequence[Prediction], after: Sequence[Prediction]
) -> Gate:
    """Set two models' labels side by side; all three in the same order."""
    one, two = (evaluate(list(zip(gold, p, strict=True))) for p in (before, after))
    pairs = list(zip(before, after, strict=True))
    return Gate(
        sentences=len(gold),
        stance_same=float(np.mean([a.stance == b.stance for a, b in pairs])),
        certainty_same=float(np.mean([_firmest(a) == _firmest(b) for a, b in pairs])),
        stance_drop=100 * (one.stance.macro_f1.value - two.stance.macro_f1.value),
        certainty_drop=100 * (one.certainty.macro_f1.value - two.certainty.macro_f1.value),
    )


def _firmest(prediction: Prediction) -> Certainty:
    """The best certainty, also where the stance is no claim and the record holds none."""
    probabilities = prediction.certainty_probabilities
    return max(probabilities, key=lambda label: probabilities[label])
