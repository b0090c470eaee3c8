"""Correcting a model's stances for text of another kind, from a few dozen labelled sentences.

The shipped network cannot be trained on, but what it says can be corrected: its
probabilities are sharpened or flattened, and each stance is made likelier or less likely, as
the labelled sentences want it. That is temperature scaling with a bias for each label (Guo et
al. 2017, "On calibration of modern neural networks"; Alexandari et al. 2020, "Maximum
likelihood with bias-corrected calibration is hard-to-beat at label shift adaptation"). It
can mend a habit, such as too few of one stance; it cannot teach the model to read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from claimstance.errors import InputError
from claimstance.evaluation import PredictedPair
from claimstance.labels import CERTAINTIES, STANCES, Stance
from claimstance.records import Prediction
from claimstance.statistics import SEED, Floats

#: Files round probabilities to four digits: what reads as 0 is less than half of the last.
_LEAST: Final = 5e-5


@dataclass(frozen=True, slots=True)
class Correction:
    """What to do with a model's stances: divide their logarithms, then add to each.

    Attributes:
        temperature: above 0; more than 1 makes the model less sure of itself.
        bias: by stance, in logits; above 0 makes it likelier. They sum to 0.
    """

    temperature: float
    bias: dict[Stance, float]

    def apply(self, prediction: Prediction) -> Prediction:
        """The prediction with its stance corrected.

        A sentence that becomes a claim, or ceases to be one, gains or loses its certainty;
        one that becomes the writer's own, or no claim, loses its source. What the model had
        not looked for, a source and cues of what it took for no claim, stays unknown.
        """
        bias = np.asarray([self.bias[stance] for stance in STANCES])
        (row,) = _softmax(_logits([prediction]) / self.temperature + bias)
        stance = STANCES[int(row.argmax())]
        certainties = prediction.certainty_probabilities
        is_claim = stance != "no_claim"
        return prediction.model_copy(
            update={
                "stance": stance,
                "stance_probabilities": {
                    label: round(float(p), 4) for label, p in zip(STANCES, row, strict=True)
                },
                "certainty": max(CERTAINTIES, key=lambda c: certainties[c]) if is_claim else None,
                "source": prediction.source if is_claim and stance != "asserted" else None,
                "cues": prediction.cues if is_claim else (),
            }
        )


def fit_correction(pairs: Sequence[PredictedPair], *, strength: float = 2.0) -> Correction:
    """Fit the correction under which gold stances are likeliest, held back by a prior.

    Args:
        pairs: labelled sentences, each with what the model says of it.
        strength: how strongly the correction is held near none: the penalty on the squares of
            the biases and of the temperature's logarithm. At 0 a stance that does not occur
            among the sentences would be ruled out for good.

    Raises:
        InputError: if there are no sentences.
    """
    from scipy.optimize import minimize

    if not pairs:
        raise InputError(
            "the labelled sentences", expected="some", found="none", fix="label a few dozen"
        )
    logits = _logits([prediction for _, prediction in pairs])
    gold = np.asarray([STANCES.index(sentence.stance) for sentence, _ in pairs])
    rows = np.arange(len(gold))

    def loss(parameters: Floats) -> tuple[float, Floats]:
        """Negative log-likelihood with its penalty, and its gradient."""
        scaled = logits / np.exp(parameters[0])
        probabilities = _softmax(scaled + parameters[1:])
        off = probabilities.copy()
        off[rows, gold] -= 1
        value = -np.log(np.maximum(probabilities[rows, gold], 1e-300)).sum()
        gradient = np.concatenate([[-(off * scaled).sum()], off.sum(axis=0)])
        held = value + strength / 2 * np.square(parameters).sum()
        return float(held), np.asarray(gradient + strength * parameters)

    found = minimize(loss, np.zeros(1 + len(STANCES)), jac=True, method="L-BFGS-B").x
    bias = found[1:] - found[1:].mean()
    return Correction(
        temperature=float(np.exp(found[0])),
        bias={stance: float(b) for stance, b in zip(STANCES, bias, strict=True)},
    )


def cross_corrected(
    pairs: Sequence[PredictedPair], *, sentences: int = 50, strength: float = 2.0, seed: int = SEED
) -> list[PredictedPair]:
    """Correct each article by sentences of the others, to measure what a correction does.

    Args:
        pairs: labelled sentences of two articles or more, each with its prediction.
        sentences: how many of the others are drawn for each article; all where there are fewer.
        strength: as `fit_correction` has it.
        seed: of the draw.

    Returns:
        The same gold sentences in the same order, with corrected predictions.

    Raises:
        InputError: if all sentences are of one article.
    """
    articles = list(dict.fromkeys(gold.article_id for gold, _ in pairs))
    if len(articles) < 2:
        raise InputError(
            "the labelled sentences",
            expected="sentences of two articles or more",
            found=f"{len(articles)}",
            fix="label sentences of more articles: those of one are too much alike to measure by",
        )
    rng = np.random.default_rng(seed)
    corrections = {}
    for article in articles:
        others = [pair for pair in pairs if pair[0].article_id != article]
        drawn = rng.permutation(len(others))[:sentences]
        corrections[article] = fit_correction([others[i] for i in drawn], strength=strength)
    return [(gold, corrections[gold.article_id].apply(found)) for gold, found in pairs]


def _logits(predictions: Sequence[Prediction]) -> Floats:
    """Logarithms of the stances' probabilities, shape (n, stances)."""
    given = [[p.stance_probabilities[stance] for stance in STANCES] for p in predictions]
    return np.asarray(np.log(np.maximum(np.asarray(given, dtype=np.float64), _LEAST)))


def _softmax(logits: Floats) -> npt.NDArray[np.float64]:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
