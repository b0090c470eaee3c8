"""Two labellings side by side: the figures of scikit-learn and scipy, and of counting by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import f1_score

from claimstance.comparison import Difference, compare_predictions, comparison_page, mcnemar
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.evaluation import Pair, pair_up
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import LabelledSentence

Refuses = Callable[..., InputError]


def relabel(sentence: LabelledSentence, **changes: Any) -> LabelledSentence:
    return LabelledSentence.model_validate(sentence.model_dump() | changes)


@pytest.fixture
def gold(articles: list[LabelledArticle]) -> list[LabelledSentence]:
    return [s for a in articles for s in a.sentences]


@pytest.fixture
def worse(gold: list[LabelledSentence]) -> list[Pair]:
    """Every fourth sentence is called asserted and certain."""
    plain = {"stance": "asserted", "certainty": "certain", "source": None, "cues": ()}
    other = [relabel(s, **plain) if i % 4 == 0 else s for i, s in enumerate(gold)]
    return pair_up(gold, other, "worse")


def by_name(differences: list[Difference]) -> dict[str, Difference]:
    return {d.name: d for d in differences}


def test_scores_are_those_of_scikit_learn(gold: list[LabelledSentence], worse: list[Pair]) -> None:
    result = compare_predictions(worse, pair_up(gold, gold, "gold"))
    assert (result.articles, result.sentences) == (12, 84)
    truth, given_labels = [g.stance for g, _ in worse], [p.stance for _, p in worse]
    stance = by_name(result.stance)
    macro = f1_score(truth, given_labels, average="macro")
    assert stance["macro-F1"].first == pytest.approx(macro)
    assert stance["macro-F1"].second == 1
    assert stance["macro-F1"].ahead.value == pytest.approx(1 - macro)
    assert 0 < stance["macro-F1"].ahead.low <= stance["macro-F1"].ahead.value
    each = f1_score(truth, given_labels, average=None, labels=STANCES)
    assert [stance[f"{s}: F1"].first for s in STANCES] == pytest.approx(list(each))
    wrong = sum(a != b for a, b in zip(truth, given_labels, strict=True))
    assert stance["accuracy"].counts == (0, wrong)
    assert stance["accuracy"].p_value == pytest.approx(2 / 2**wrong)


def test_certainty_counts_claims_alone(gold: list[LabelledSentence], worse: list[Pair]) -> None:
    result = by_name(compare_predictions(worse, pair_up(gold, gold, "gold")).certainty)
    claims = [(g.certainty, p.certainty) for g, p in worse if g.certainty is not None]
    macro = f1_score(*zip(*claims, strict=True), average="macro", labels=CERTAINTIES)
    assert result["macro-F1"].first == pytest.approx(macro)
    assert result["accuracy"].counts == (0, sum(a != b for a, b in claims))


def test_a_label_is_right_if_it_is_rightly_withheld(gold: list[LabelledSentence]) -> None:
    (asked,) = [s for s in gold if s.text == "What happens now?"]
    claim = {"stance": "asserted", "certainty": "certain"}
    first = [relabel(s, **claim) if s is asked else s for s in gold]
    result = by_name(
        compare_predictions(pair_up(gold, first, "first"), pair_up(gold, gold, "second")).stance
    )
    for name in ("no_claim: F1", "asserted: F1"):
        assert result[name].counts == (0, 1)
    assert result["refuted: F1"].counts == (0, 0)


def test_a_file_against_itself(worse: list[Pair]) -> None:
    for difference in compare_predictions(worse, worse).stance:
        ahead = difference.ahead
        assert (ahead.value, ahead.low, ahead.high) == (0, 0, 0)
        assert difference.p_value in (1, None)


def test_swapping_the_files_turns_the_sign(gold: list[LabelledSentence], worse: list[Pair]) -> None:
    best = pair_up(gold, gold, "gold")
    there, back = (
        compare_predictions(worse, best).stance[0],
        compare_predictions(best, worse).stance[0],
    )
    assert there.ahead.value == pytest.approx(-back.ahead.value)
    assert there.ahead.low == pytest.approx(-back.ahead.high)
    assert there.p_value is None


def apart(pairs: list[Pair]) -> list[Pair]:
    """The same sentences, each with an id of its own, one position of all articles at a time."""
    renamed = [
        tuple(s.model_copy(update={"article_id": f"{s.article_id}-{s.position}"}) for s in pair)
        for pair in pairs
    ]
    return [(gold, given) for gold, given in sorted(renamed, key=lambda pair: pair[0].position)]


def test_the_document_says_which_article_a_sentence_is_from(
    gold: list[LabelledSentence], worse: list[Pair]
) -> None:
    best = pair_up(gold, gold, "gold")
    whole = compare_predictions(worse, best)
    found = compare_predictions(
        apart(worse), apart(best), document=lambda s: s.article_id.partition("-")[0]
    )
    assert (found.articles, found.sentences) == (12, 84)
    assert found == whole
    # By their ids alone, each sentence would be an article.
    single = compare_predictions(apart(worse), apart(best))
    assert (single.articles, single.sentences) == (84, 84)
    for one, other in zip(single.stance, whole.stance, strict=True):
        assert one.ahead.value == pytest.approx(other.ahead.value)
        assert (one.counts, one.p_value) == (other.counts, other.p_value)
    assert single.stance[0].ahead.low != whole.stance[0].ahead.low


def test_the_document_goes_before_the_id(gold: list[LabelledSentence], worse: list[Pair]) -> None:
    """Of a single document, every draw is the same."""
    best = pair_up(gold, gold, "gold")
    whole = compare_predictions(worse, best)
    found = compare_predictions(worse, best, document=lambda _: "all")
    assert (found.articles, found.sentences) == (1, 84)
    rows = zip(found.stance + found.certainty, whole.stance + whole.certainty, strict=True)
    for one, other in rows:
        assert one.ahead.value == pytest.approx(other.ahead.value)
        assert one.ahead.low == one.ahead.value == one.ahead.high
        assert one.counts == other.counts


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_is_the_binomial_test(only_first: int, only_second: int) -> None:
    total = only_first + only_second
    expected = binomtest(only_first, total).pvalue if total else 1.0
    assert mcnemar(only_first, only_second) == pytest.approx(expected)


def test_the_page(gold: list[LabelledSentence], worse: list[Pair]) -> None:
    result = compare_predictions(worse, pair_up(gold, gold, "gold"))
    page = comparison_page(result, names=("a.jsonl", "b.jsonl"), command="claimstance compare")
    assert "`a.jsonl` (first) and `b.jsonl` (second) on 84 sentences of 12 articles" in page
    assert page.count("\n| ") == 2 * 2 + (2 + len(STANCES)) + (2 + len(CERTAINTIES))


def test_nothing_to_compare(refuses: Refuses) -> None:
    refuses("the gold labels: expected sentences, found none", compare_predictions, [], [])


def test_other_gold_sentences(gold: list[LabelledSentence], worse: list[Pair]) -> None:
    with pytest.raises(ValueError, match="the same gold sentences"):
        compare_predictions(worse, pair_up(gold[1:], gold[1:], "gold"))
