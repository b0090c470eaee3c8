"""Temperatures: found again where they are known, and no label is moved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest

from claimstance.articles import Article, Span
from claimstance.calibration import calibrate, fit_temperature
from claimstance.corpus import LabelledArticle
from claimstance.inference import Floats, Scores, Text, predictions_of, softmax
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.settings import ModelSettings, Temperatures


def drawn(scale: float, labels: int, rows: int = 4000) -> tuple[Floats, np.ndarray]:
    """Labels drawn from the probabilities of logits, and these logits ``scale`` times too large."""
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (rows, labels)).astype(np.float32)
    thresholds = softmax(logits).cumsum(axis=1)
    chosen = (rng.random((rows, 1)) > thresholds).sum(axis=1).clip(max=labels - 1)
    return (logits * scale).astype(np.float32), chosen


@pytest.mark.parametrize("scale", [0.25, 1.0, 3.0])
def test_a_known_temperature_is_found_again(scale: float) -> None:
    logits, labels = drawn(scale, 6)
    assert fit_temperature(logits, labels) == pytest.approx(scale, rel=0.08)


def test_the_fitted_temperature_is_the_likeliest() -> None:
    logits, labels = drawn(2.0, 3, rows=200)

    def loss(temperature: float) -> float:
        return -float(np.log(softmax(logits / temperature)[np.arange(len(labels)), labels]).mean())

    best = fit_temperature(logits, labels)
    assert all(loss(best) <= loss(best * factor) for factor in (0.8, 0.95, 1.05, 1.25))


def test_huge_logits_do_not_overflow() -> None:
    logits = np.asarray([[900.0, -900.0], [-900.0, 900.0]], dtype=np.float32)
    wrong = fit_temperature(logits, np.asarray([1, 0]))
    right = fit_temperature(logits, np.asarray([0, 1]))
    assert np.isfinite([wrong, right]).all()
    # Always sure and always wrong: as unsure as the bounds allow.
    assert wrong == pytest.approx(20, rel=0.01)


@dataclass
class Fixed:
    """A model that gives the logits it was made with, article by article."""

    stance: Floats
    certainty: Floats
    settings: ModelSettings = field(
        default_factory=lambda: ModelSettings(name="fixed", kind="baseline", windows=None)
    )
    asked: list[Text] = field(default_factory=list)

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        self.asked += texts
        results, start = [], 0
        for text in texts:
            rows = slice(start, start := start + len(text.sentences))
            none = [None] * len(text.sentences)
            results.append(Scores(self.stance[rows], self.certainty[rows], none, [()] * len(none)))
        return results


def test_certainty_is_fitted_on_claims_alone(articles: list[LabelledArticle]) -> None:
    sentences = [s for a in articles for s in a.sentences]
    rng = np.random.default_rng(2)
    stance = rng.normal(0, 1, (len(sentences), len(STANCES))).astype(np.float32)
    certainty = rng.normal(0, 1, (len(sentences), len(CERTAINTIES))).astype(np.float32)
    for row, sentence in enumerate(sentences):
        stance[row, STANCES.index(sentence.stance)] += 2
        if sentence.certainty:
            certainty[row, CERTAINTIES.index(sentence.certainty)] += 2
    model = Fixed(stance, certainty)
    fitted = calibrate(model, articles).temperatures
    assert [t.title for t in model.asked] == [a.facts.title for a in articles]
    gold = np.asarray([STANCES.index(s.stance) for s in sentences])
    assert fitted.stance == fit_temperature(stance, gold)
    claims = [i for i, s in enumerate(sentences) if s.certainty]
    certainties = np.asarray([CERTAINTIES.index(str(sentences[i].certainty)) for i in claims])
    assert fitted.certainty == fit_temperature(certainty[claims], certainties)
    # What the model says of the certainty of no claim must not matter.
    certainty[[i for i in range(len(sentences)) if i not in claims]] = 50
    assert calibrate(Fixed(stance, certainty), articles).temperatures.certainty == fitted.certainty


@pytest.mark.parametrize("temperature", [0.2, 1.0, 8.0])
def test_a_temperature_moves_probabilities_and_no_label(temperature: float) -> None:
    rng = np.random.default_rng(4)
    stance = rng.normal(0, 2, (9, len(STANCES))).astype(np.float32)
    certainty = rng.normal(0, 2, (9, len(CERTAINTIES))).astype(np.float32)
    scores = Scores(stance, certainty, ["he"] * 9, [("said",)] * 9)
    article = Article("a", None, tuple(Span(i, i + 1, "x") for i in range(9)))
    settings = ModelSettings(
        name="m",
        kind="baseline",
        windows=None,
        temperatures=Temperatures(stance=temperature, certainty=temperature),
    )
    predictions = predictions_of(article, scores, settings)
    assert [p.stance for p in predictions] == [STANCES[i] for i in stance.argmax(axis=1)]
    expected = softmax(stance / temperature)
    for row, prediction in enumerate(predictions):
        given = prediction.stance_probabilities
        assert list(given) == list(STANCES)
        assert list(given.values()) == pytest.approx(expected[row], abs=1e-4)
        assert max(given, key=lambda label: given[label]) == prediction.stance
        certainties = prediction.certainty_probabilities
        assert list(certainties) == list(CERTAINTIES)
        scaled = softmax(certainty[row] / temperature)
        assert list(certainties.values()) == pytest.approx(scaled, abs=1e-4)
        claim = prediction.stance != "no_claim"
        best = CERTAINTIES[int(certainty[row].argmax())]
        assert prediction.certainty == (best if claim else None)
        # In the writer's own voice nobody else is made responsible.
        assert prediction.source == ("he" if claim and prediction.stance != "asserted" else None)
        assert prediction.cues == (("said",) if claim else ())
