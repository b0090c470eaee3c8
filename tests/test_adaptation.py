"""Corrections of stances: what they mend, what they leave alone, and how they are measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from claimstance.adaptation import Correction, cross_corrected, fit_correction
from claimstance.errors import InputError
from claimstance.evaluation import PredictedPair
from claimstance.labels import CERTAINTIES, STANCES, Stance
from claimstance.records import LabelledSentence, Prediction

NONE: Mapping[Stance, float] = dict.fromkeys(STANCES, 0.0)


def pair_of(
    gold: Stance, given: Mapping[str, float], article: str = "a", position: int = 0
) -> PredictedPair:
    """A gold stance, and a prediction in which the rest is shared by all other stances."""
    text = "Envoys said no."
    rest = (1 - sum(given.values())) / (len(STANCES) - len(given))
    stances = {stance: given.get(stance, rest) for stance in STANCES}
    stance = max(STANCES, key=lambda s: stances[s])
    certain = {"certain": 0.2, "probable": 0.7, "possible": 0.1}
    is_claim = stance != "no_claim"
    sentence = LabelledSentence(
        article_id=article,
        position=position,
        text=text,
        stance=gold,
        certainty=None if gold == "no_claim" else "certain",
    )
    prediction = Prediction(
        article_id=article,
        position=position,
        start=0,
        end=len(text),
        text=text,
        stance=stance,
        certainty="probable" if is_claim else None,
        stance_probabilities=stances,
        certainty_probabilities={c: certain[c] for c in CERTAINTIES},
        source="Envoys" if is_claim and stance != "asserted" else None,
        cues=("said",) if is_claim else (),
        model="m",
    )
    return sentence, prediction


def test_a_correction_of_nothing_changes_nothing() -> None:
    _, found = pair_of("disputed", {"disputed": 0.75})
    assert Correction(1.0, dict(NONE)).apply(found) == found


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("disputed", ("probable", "Envoys", ("said",))),
        ("asserted", ("probable", None, ("said",))),
        ("no_claim", (None, None, ())),
    ],
)
def test_what_hangs_on_the_stance_follows_it(
    given: Stance, wanted: tuple[str | None, str | None, tuple[str, ...]]
) -> None:
    _, found = pair_of("attributed", {"attributed": 0.5, given: 0.4})
    corrected = Correction(1.0, {**NONE, given: 1.0}).apply(found)
    assert corrected.stance == given
    assert (corrected.certainty, corrected.source, corrected.cues) == wanted
    # 0.4 e against 0.5, and a tenth for the others.
    assert corrected.stance_probabilities[given] == pytest.approx(
        0.4 * np.e / (0.4 * np.e + 0.6), abs=1e-4
    )
    assert Prediction.model_validate(corrected.model_dump()) == corrected


def test_what_was_no_claim_gains_a_certainty() -> None:
    _, found = pair_of("asserted", {"no_claim": 0.6, "asserted": 0.3})
    corrected = Correction(1.0, {**NONE, "asserted": 2.0}).apply(found)
    assert (corrected.stance, corrected.certainty) == ("asserted", "probable")


def test_a_temperature_moves_no_label() -> None:
    _, found = pair_of("disputed", {"disputed": 0.75})
    flat = Correction(2.0, dict(NONE)).apply(found)
    assert flat.stance == "disputed"
    # The square roots of 0.75 and of five times 0.05.
    wanted = 0.75**0.5 / (0.75**0.5 + 5 * 0.05**0.5)
    assert flat.stance_probabilities["disputed"] == pytest.approx(wanted, abs=1e-4)


def test_a_habit_is_mended() -> None:
    """A model that takes for disputed what is attributed, with some doubt."""
    pairs = [pair_of("attributed", {"disputed": 0.5, "attributed": 0.4}) for _ in range(50)]
    correction = fit_correction(pairs)
    assert correction.bias["attributed"] > 0 > correction.bias["disputed"]
    assert sum(correction.bias.values()) == pytest.approx(0, abs=1e-9)
    assert correction.apply(pairs[0][1]).stance == "attributed"


def test_a_model_too_sure_of_itself_is_made_less_so() -> None:
    sure: list[PredictedPair] = []
    for stance in STANCES:
        right = [pair_of(stance, {stance: 0.99}) for _ in range(6)]
        wrong = [pair_of(other, {stance: 0.99}) for other in STANCES if other != stance]
        sure += right + wrong
    correction = fit_correction(sure)
    assert correction.temperature > 1.5
    assert max(map(abs, correction.bias.values())) < 0.01


def test_the_prior_holds_it_back() -> None:
    pairs = [pair_of("attributed", {"disputed": 0.5, "attributed": 0.4})] * 50
    loose, tight = (fit_correction(pairs, strength=s).bias["attributed"] for s in (0.5, 5000.0))
    assert loose > 1
    assert 0 < tight < 0.05


def test_no_stance_is_ruled_out_by_its_absence() -> None:
    pairs = [pair_of("attributed", {"attributed": 0.9})] * 50
    _, refuted = pair_of("refuted", {"refuted": 0.95})
    assert fit_correction(pairs).apply(refuted).stance == "refuted"


def test_a_probability_of_zero_is_a_rounded_one() -> None:
    sentence, found = pair_of("refuted", {"asserted": 1.0})
    correction = fit_correction([(sentence, found)] * 20)
    assert np.isfinite(list(correction.bias.values())).all()
    assert correction.apply(found).stance_probabilities["refuted"] > 0


def test_an_article_is_corrected_by_others_only() -> None:
    """The odd one out is corrected by the habit of the others, though wrongly."""
    habit = {"disputed": 0.5, "attributed": 0.4}
    pairs = [pair_of("disputed", habit, "odd", n) for n in range(30)]
    pairs += [pair_of("attributed", habit, f"a{n % 3}", n) for n in range(60)]
    corrected = cross_corrected(pairs, sentences=1000)
    assert [gold for gold, _ in corrected] == [gold for gold, _ in pairs]
    assert {found.stance for _, found in corrected[:30]} == {"attributed"}
    alone = fit_correction([pair for pair in pairs if pair[0].article_id != "a0"])
    of_a0 = [(g, f) for g, f in corrected if g.article_id == "a0"]
    expected = [alone.apply(f) for g, f in pairs if g.article_id == "a0"]
    for (_, found), wanted in zip(of_a0, expected, strict=True):
        for stance in STANCES:
            assert found.stance_probabilities[stance] == pytest.approx(
                wanted.stance_probabilities[stance], abs=2e-4
            )


def test_the_draw_is_of_so_many_sentences_and_the_same_each_time() -> None:
    pairs = [
        pair_of(STANCES[n % 6], {STANCES[(n * n + n // 7) % 6]: 0.6}, f"a{n % 4}", n)
        for n in range(80)
    ]
    few, again, other, all_of_them = (
        cross_corrected(pairs, sentences=size, seed=seed)
        for size, seed in ((10, 1), (10, 1), (10, 2), (60, 1))
    )
    assert few == again
    assert few != other
    assert few != all_of_them


def test_what_cannot_be_done_is_said(refuses: Callable[..., InputError]) -> None:
    refuses("found none", fit_correction, [])
    pairs = [pair_of("asserted", {"asserted": 0.9}, "a", n) for n in range(3)]
    refuses("sentences of two articles or more", cross_corrected, pairs)
