"""The tables in the terminal: labels are never cut, whatever the width."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from claimstance.labels import STANCES
from claimstance.records import Prediction
from claimstance.tables import SENTENCES_SHOWN, print_predictions


def prediction(position: int, stance: str, probability: float = 0.9) -> Prediction:
    rest = (1 - probability) / (len(STANCES) - 1)
    text = f"The ferry board, said the clerk, has counted {position} piers [and] more."
    return Prediction.model_validate(
        {
            "article_id": "ferry.txt",
            "position": position,
            "start": 100 * position,
            "end": 100 * position + len(text),
            "text": text,
            "stance": stance,
            "certainty": None if stance == "no_claim" else "probable",
            "stance_probabilities": {s: probability if s == stance else rest for s in STANCES},
            "certainty_probabilities": {"certain": 0.2, "probable": 0.7, "possible": 0.1},
            "source": "the clerk" if stance == "attributed" else None,
            "cues": ["said"] if stance == "attributed" else [],
            "model": "test",
        }
    )


def printed(predictions: list[Prediction], width: int) -> str:
    stream = io.StringIO()
    print_predictions(predictions, Console(file=stream, width=width))
    return stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 200])
def test_every_label_is_whole(width: int) -> None:
    page = printed([prediction(i, s) for i, s in enumerate(STANCES)], width)
    for stance in STANCES:
        assert stance.replace("_", " ") in page
    assert page.count("90%") == len(STANCES)
    assert page.count("probable") == len(STANCES) - 1
    assert max(map(len, page.splitlines())) <= width


def test_doubtful_sentences_are_marked() -> None:
    assert "55%?" in printed([prediction(0, "refuted", 0.55)], 80)
    assert "?" not in printed([prediction(0, "refuted", 0.65)], 80)


def test_brackets_are_no_markup() -> None:
    assert "[and]" in printed([prediction(0, "asserted")], 200)


def test_sources_are_listed_with_their_claims() -> None:
    page = printed([prediction(i, "attributed") for i in range(3)], 100)
    assert "the clerk" in page.split("Who claims what")[1]
    assert "3 attributed" in page


def test_a_long_batch_is_cut_and_says_so() -> None:
    page = printed([prediction(i, "asserted") for i in range(SENTENCES_SHOWN + 5)], 100)
    assert f"{SENTENCES_SHOWN + 5} sentences in all" in page
    assert f" {SENTENCES_SHOWN + 1} " not in page.split("Who claims what")[0]
