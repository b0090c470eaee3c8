"""Scoring files: who is paired with whom, and what each score counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sklearn import metrics

from claimstance.charts import draw_confusion, save_picture
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.evaluation import (
    Evaluation,
    evaluate,
    markdown_page,
    pair_up,
)
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import LabelledSentence, SentenceLabels

Refuses = Callable[..., InputError]


@pytest.fixture
def gold(articles: list[LabelledArticle]) -> list[LabelledSentence]:
    return [s for a in articles for s in a.sentences]


def relabel(sentence: LabelledSentence, **changes: Any) -> LabelledSentence:
    return LabelledSentence.model_validate(sentence.model_dump() | changes)


def score(gold: list[LabelledSentence], other: list[LabelledSentence]) -> Evaluation:
    return evaluate(pair_up(gold, other, "other"))


def test_a_perfect_labeller_scores_one(gold: list[LabelledSentence]) -> None:
    result = score(gold, gold[::-1])
    assert (result.articles, result.sentences) == (12, 84)
    for part in (result.stance, result.certainty):
        for estimate in (part.macro_f1, part.accuracy, part.kappa):
            assert (estimate.value, estimate.low, estimate.high) == (1, 1, 1)
    for spans in (result.source, result.cues):
        assert spans.exact_f1.value == spans.overlap_f1.value == 1
        assert spans.gold == spans.predicted > 10


def test_stance_scores_are_those_of_scikit_learn(gold: list[LabelledSentence]) -> None:
    other = [
        relabel(s, stance="asserted", certainty="certain") if i % 3 == 0 else s
        for i, s in enumerate(gold)
    ]
    result = score(gold, other).stance
    truth, given = [s.stance for s in gold], [s.stance for s in other]
    assert result.macro_f1.value == pytest.approx(metrics.f1_score(truth, given, average="macro"))
    assert result.kappa.value == pytest.approx(metrics.cohen_kappa_score(truth, given))
    assert result.matthews.value == pytest.approx(metrics.matthews_corrcoef(truth, given))
    assert result.quadratic_kappa is None

    assert result.confusion == metrics.confusion_matrix(truth, given, labels=STANCES).tolist()
    report = metrics.classification_report(truth, given, output_dict=True)
    for label, scored in result.classes.items():
        theirs = report[label]
        assert scored.support == theirs["support"]
        for name, estimate in (
            ("precision", scored.precision),
            ("recall", scored.recall),
            ("f1-score", scored.f1),
        ):
            assert estimate.value == pytest.approx(theirs[name])


def test_quadratic_kappa_looks_at_certainties_on_both_sides(gold: list[LabelledSentence]) -> None:
    """Some sentences lose their claim, others their hedge."""
    changes: list[dict[str, Any]] = [
        {"stance": "no_claim", "certainty": None, "source": None, "cues": ()},
        {"certainty": "certain"},
        {},
    ]
    other = [relabel(s, **(changes[i % 3] if s.certainty else {})) for i, s in enumerate(gold)]
    both = [(g.certainty, o.certainty) for g, o in zip(gold, other, strict=True)]
    scale = [(CERTAINTIES.index(g), CERTAINTIES.index(o)) for g, o in both if g and o]
    expected = metrics.cohen_kappa_score(*zip(*scale, strict=True), weights="quadratic")
    result = score(gold, other).certainty.quadratic_kappa
    assert result is not None
    assert result.value == pytest.approx(expected)


def test_certainty_is_scored_where_gold_has_a_claim(gold: list[LabelledSentence]) -> None:
    claims = [s for s in gold if s.certainty]
    # What is invented for sentences without a claim is a fault of stance, not of certainty.
    invented = [s if s.certainty else relabel(s, stance="asserted", certainty="possible")
                for s in gold]  # fmt: skip
    result = score(gold, invented)
    assert result.certainty.sentences == len(claims) < len(gold)
    assert result.certainty.macro_f1.value == 1
    assert result.stance.accuracy.value < 1


def test_a_claim_taken_for_none_is_a_miss_in_the_last_column(gold: list[LabelledSentence]) -> None:
    none = [relabel(s, stance="no_claim", certainty=None) for s in gold]
    result = score(gold, none).certainty
    assert result.accuracy.value == result.macro_f1.value == 0
    counts = [sum(s.certainty == label for s in gold) for label in CERTAINTIES]
    assert result.confusion == [[0, 0, 0, n] for n in counts]
    assert [c.support for c in result.classes.values()] == counts


@pytest.mark.parametrize(
    ("source", "cues", "exact", "overlap"),
    [
        ("the old mayor", ["denied", "never"], 1.0, 1.0),
        ("mayor", ["never signed"], 0.0, 1.0),
        ("a deal", ["signed"], 0.0, 0.0),
    ],
)
def test_spans_are_matched_to_the_letter_and_by_overlap(
    source: str, cues: list[str], exact: float, overlap: float
) -> None:
    gold = LabelledSentence(
        article_id="a",
        position=0,
        text="She never signed a deal, the old mayor denied.",
        stance="disputed",
        certainty="certain",
        source="the old mayor",
        cues=("denied", "never"),
    )
    result = score([gold], [relabel(gold, source=source, cues=cues)])
    assert (result.source.exact_f1.value, result.source.overlap_f1.value) == (exact, overlap)
    if len(cues) == 2:
        assert (result.cues.exact_f1.value, result.cues.gold, result.cues.predicted) == (1, 2, 2)
    elif overlap:
        # The one predicted overlaps a gold one: precision 1, recall 1/2.
        assert result.cues.overlap_f1.value == pytest.approx(2 / 3)
        assert result.cues.exact_f1.value == 0


def test_spans_that_only_touch_do_not_overlap(gold: list[LabelledSentence]) -> None:
    denied = relabel(gold[0], text="“No”, he denied.", cues=("denied",))
    result = score([denied], [relabel(denied, cues=(".",))])
    assert result.cues.overlap_f1.value == 0
    assert score([denied], [relabel(denied, cues=("d.",))]).cues.overlap_f1.value == 1


def test_labels_without_text_can_be_scored(gold: list[LabelledSentence]) -> None:
    bare = [SentenceLabels.model_validate(s.model_dump(exclude={"text"})) for s in gold]
    assert evaluate(pair_up(gold, bare, "second.jsonl")).stance.accuracy.value == 1


def test_a_sentence_that_gold_does_not_have(gold: list[LabelledSentence], refuses: Refuses) -> None:
    refuses(
        "p.jsonl: expected the sentences of the gold file and no others, found 7 others, the "
        "first in article 't01', position 0. To mend it: give the gold file of the articles",
        pair_up,
        [s for s in gold if s.article_id != "t01"],
        gold,
        "p.jsonl",
    )


def test_a_missing_prediction(gold: list[LabelledSentence], refuses: Refuses) -> None:
    refuses(
        "p.jsonl: expected a prediction for each of the 84 gold sentences, found none for 2 of "
        "them, the first in article 't01', position 3. To mend it: classify the articles of the "
        "gold file, with their own sentences.",
        pair_up,
        gold,
        [s for i, s in enumerate(gold) if i not in (3, 9)],
        "p.jsonl",
    )


def test_a_sentence_predicted_twice(gold: list[LabelledSentence], refuses: Refuses) -> None:
    refuses(
        "p.jsonl: expected each sentence once, found article 't01', position 4 twice",
        pair_up,
        gold,
        [*gold, gold[4]],
        "p.jsonl",
    )


def test_a_gold_sentence_twice(gold: list[LabelledSentence], refuses: Refuses) -> None:
    refuses(
        "the gold file: expected each sentence once, found article 't01', position 4 twice",
        pair_up,
        [*gold, gold[4]],
        gold,
        "p.jsonl",
    )


def test_a_prediction_of_another_text(gold: list[LabelledSentence], refuses: Refuses) -> None:
    changed = [relabel(s, text="Split anew.", source=None, cues=()) if s is gold[5] else s
               for s in gold]  # fmt: skip
    refuses(
        "p.jsonl, article 't01', position 5: expected the sentence 'What happens now?', found "
        "'Split anew.'. To mend it: classify the sentences of the gold file",
        pair_up,
        gold,
        changed,
        "p.jsonl",
    )


def test_the_page_and_the_scores_say_the_same(gold: list[LabelledSentence]) -> None:
    other = [relabel(s, stance="refuted", certainty="certain") if s.position == 3 else s
             for s in gold]  # fmt: skip
    result = score(gold, other)
    said = {"gold": "g.jsonl", "predictions": "p.jsonl", "command": "make it"}
    page = markdown_page(result, **said, picture="p.png")
    assert "`p.jsonl` against `g.jsonl`: 84 sentences of 12 articles" in page
    assert "Made by `make it`." in page
    assert "(p.png)" in page
    assert "![" not in markdown_page(result, **said, picture=None)
    assert f"| stance | 84 | {result.stance.macro_f1} |" in page
    unproven = result.stance.classes["unproven"]
    assert f"| unproven | 12 | {unproven.precision} | {unproven.recall} |" in page
    assert unproven.recall.value == 0
    for line in page.splitlines():
        if line.startswith("| "):
            assert line.endswith(" |")
    plain = json.loads(json.dumps(result.as_dict()))
    assert plain["stance"]["macro_f1"]["value"] == result.stance.macro_f1.value
    assert list(plain["certainty"]["classes"]) == list(CERTAINTIES)


def test_the_picture_is_drawn_alike_each_time(gold: list[LabelledSentence], tmp_path: Path) -> None:
    result = score(gold, gold)
    for name in ("one.png", "deep/two.png"):
        save_picture(draw_confusion(result), tmp_path / name)
    content = (tmp_path / "one.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content == (tmp_path / "deep" / "two.png").read_bytes()
