"""Label sets: the threshold worked by hand, and coverage where theory promises it."""

from __future__ import annotations

from math import ceil

import numpy as np
import pytest

from claimstance import statistics as stats
from claimstance.conformal import COVERAGES, label_sets, score_sets
from claimstance.probabilities import Graded
from claimstance.statistics import Floats, Ints

LABELS = 4

#: What nine sentences give their gold label, which is 0, 1, 2 in turn; the rest is shared out.
GIVEN = [0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.4, 0.2]


def tiny() -> Graded:
    gold = np.arange(9) % 3
    probabilities = np.repeat((1 - np.asarray(GIVEN))[:, None] / 2, 3, axis=1)
    probabilities[np.arange(9), gold] = GIVEN
    return Graded(probabilities, gold, np.arange(9))


def drawn(sentences: int, seed: int, per_article: int = 1) -> Graded:
    """Gold labels that are not quite drawn from the probabilities given."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (sentences, LABELS))
    # The model is too sure of itself; sets must hold good all the same.
    given = np.exp(2 * logits)
    true = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = (rng.random((sentences, 1)) > true.cumsum(axis=1)).sum(axis=1).clip(max=LABELS - 1)
    probabilities = (given / given.sum(axis=1, keepdims=True)).round(4)
    return Graded(probabilities, gold, np.arange(sentences) // per_article)


ROWS = np.asarray(
    [
        [0.97, 0.02, 0.01],
        [0.61, 0.38, 0.01],
        [0.55, 0.44, 0.01],
        [0.41, 0.39, 0.20],
        [0.34, 0.33, 0.33],
        [0.05, 0.51, 0.44],
    ]
)


@pytest.mark.parametrize(
    ("coverage", "least", "expected"),
    [
        # Scores are 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8. Of nine, the score that is
        # the fifth (10 * 0.5) is 0.3: labels of 0.7 or more are in the set.
        (0.5, 0.7, ["0", "", "", "", "", ""]),
        # The seventh (10 * 0.65, rounded up): 0.5.
        (0.65, 0.5, ["0", "0", "0", "", "", "1"]),
        # The eighth (10 * 0.75, rounded up): 0.4.
        (0.75, 0.4, ["0", "0", "01", "0", "", "12"]),
        # The last (10 * 0.85, rounded up): 0.2.
        (0.85, 0.2, ["0", "01", "01", "012", "012", "12"]),
    ],
)
def test_sets_by_hand(coverage: float, least: float, expected: list[str]) -> None:
    scores = sorted(1 - g for g in GIVEN)
    assert scores[ceil(10 * coverage) - 1] == pytest.approx(1 - least)
    sets = label_sets(tiny(), ROWS, [coverage])
    assert sets.shape == (6, 3, 1)
    assert sets.dtype == bool
    found = ["".join(str(i) for i in np.flatnonzero(row)) for row in sets[:, :, 0]]
    assert found == expected


def test_the_sentence_that_sets_the_threshold_has_its_gold_label_in_its_set() -> None:
    sets = label_sets(tiny(), tiny().probabilities, [0.75])[:, :, 0]
    holds = sets[np.arange(9), tiny().gold]
    assert holds.tolist() == [True] * 8 + [False]


@pytest.mark.parametrize("coverage", COVERAGES)
def test_the_threshold_is_the_quantile_of_the_calibration_scores(coverage: float) -> None:
    calibration, measured = drawn(101, 1), drawn(300, 2)
    # Rows are made to sum to 1 again, which four decimals have spoilt.
    assert not np.allclose(calibration.probabilities.sum(axis=1), 1, rtol=0, atol=1e-6)
    whole, rows = (
        g.probabilities / g.probabilities.sum(axis=1, keepdims=True)
        for g in (calibration, measured)
    )
    scores = np.sort(1 - whole[np.arange(101), calibration.gold])
    expected = 1 - rows <= scores[ceil(102 * coverage) - 1]
    found = label_sets(calibration, measured.probabilities, [coverage])[:, :, 0]
    assert (found == expected).all()
    assert 0 < found.mean() < 1


@pytest.mark.parametrize("coverage", COVERAGES)
def test_on_sentences_drawn_alike_the_sets_hold_gold_as_often_as_asked(coverage: float) -> None:
    """On average over calibration sets of n, at least as asked and at most 1 / (n + 1) more."""
    held = []
    for seed in range(60):
        both = drawn(59 + 300, seed)
        calibration = Graded(both.probabilities[:59], both.gold[:59], both.articles[:59])
        sets = label_sets(calibration, both.probabilities[59:], [coverage])[:, :, 0]
        held.append(sets[np.arange(300), both.gold[59:]].mean())
    spread = 3 * np.std(held) / np.sqrt(len(held))
    assert coverage - spread <= np.mean(held) <= coverage + 1 / 60 + spread
    # The likeliest label alone would not do.
    assert (both.probabilities.argmax(axis=1) == both.gold).mean() < 0.8


def test_a_larger_coverage_gives_a_superset() -> None:
    coverages = [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95]
    sets = label_sets(drawn(200, 3), drawn(400, 4).probabilities, coverages)
    assert sets.shape == (400, LABELS, 7)
    for smaller in range(6):
        assert (sets[:, :, smaller] <= sets[:, :, smaller + 1]).all()
        assert sets[:, :, smaller].sum() < sets[:, :, smaller + 1].sum()


def test_several_coverages_are_each_on_its_own_the_same() -> None:
    calibration, rows = drawn(200, 5), drawn(100, 6).probabilities
    together = label_sets(calibration, rows)
    for place, coverage in enumerate((0.8, 0.9, 0.95)):
        assert (together[:, :, place] == label_sets(calibration, rows, [coverage])[:, :, 0]).all()


def shares(articles: Ints, values: Floats) -> stats.Estimate:
    """A mean over sentences, with the interval of articles drawn again."""
    sums = np.asarray(
        [[values[articles == a].sum(), (articles == a).sum()] for a in range(articles.max() + 1)]
    )
    return stats.bootstrap(sums, lambda s: s[:, 0] / s[:, 1])


def test_sets_are_scored() -> None:
    calibration, measured = drawn(120, 7), drawn(210, 8, per_article=7)
    found = score_sets(calibration, measured)
    sets = label_sets(calibration, measured.probabilities)
    assert [s.asked for s in found] == [0.8, 0.9, 0.95]
    for place, score in enumerate(found):
        labels = [set(np.flatnonzero(row).tolist()) for row in sets[:, :, place]]
        held = [float(g in s) for g, s in zip(measured.gold.tolist(), labels, strict=True)]
        for estimate, values in (
            (score.coverage, held),
            (score.size, [float(len(s)) for s in labels]),
            (score.single, [float(len(s) == 1) for s in labels]),
            (score.empty, [float(not s) for s in labels]),
        ):
            expected = shares(measured.articles, np.asarray(values))
            assert estimate.value == pytest.approx(np.mean(values))
            assert (estimate.low, estimate.high) == pytest.approx((expected.low, expected.high))
            # Where the sets are large, none of them is empty in any draw.
            if estimate is not score.empty or any(values):
                assert estimate.low < estimate.value < estimate.high
    assert found[0].size.value < found[1].size.value < found[2].size.value


def test_a_set_may_be_empty_and_counts_as_no_label() -> None:
    """Twenty-one sentences of which the model is sure and right ask for the same of others."""
    gold = np.arange(21) % 3
    sure = Graded(np.where(np.eye(3)[gold] == 1, 0.98, 0.01), gold, np.arange(21))
    measured = Graded(
        np.asarray([[0.98, 0.01, 0.01], [0.5, 0.3, 0.2]]), np.asarray([0, 0]), np.asarray([0, 0])
    )
    for score in score_sets(sure, measured):
        assert (score.coverage.value, score.size.value, score.single.value) == (0.5, 0.5, 0.5)
        assert score.empty.value == 0.5


def test_empty_sets_by_hand() -> None:
    """Of 27 scores, each of nine thrice, the 23rd (28 * 0.8, rounded up) is 0.6.

    So the sets for 0.8 hold labels of 0.4 or more: the fifth row gets none. The 26th and the
    27th are 0.8, and every row has a label of 0.2 or more.
    """
    thrice = Graded(
        np.repeat(tiny().probabilities, 3, axis=0), np.repeat(tiny().gold, 3), np.arange(27)
    )
    measured = Graded(ROWS, np.zeros(6, dtype=np.intp), np.asarray([0, 0, 0, 1, 1, 1]))
    first, *others = score_sets(thrice, measured)
    assert (first.asked, first.single.value) == (0.8, 3 / 6)
    # A draw may hold the first article alone, which has no empty set, or the second alone.
    assert (first.empty.value, first.empty.low, first.empty.high) == (1 / 6, 0, 1 / 3)
    for score in others:
        assert score.empty == stats.Estimate(0, 0, 0)
