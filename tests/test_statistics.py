"""Scores are scikit-learn's; intervals behave as intervals should."""

from __future__ import annotations

import math
import warnings
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from claimstance import statistics as stats
from claimstance.statistics import Floats, Ints

LABELS = 4
pairs = st.lists(
    st.tuples(st.integers(0, LABELS - 1), st.integers(0, LABELS - 1)), min_size=1, max_size=60
)


def stack(gold: list[int], predicted: list[int]) -> Floats:
    return stats.confusion(gold, predicted, LABELS)[None].astype(np.float64)


@given(pairs)
def test_scores_are_those_of_scikit_learn(drawn: list[tuple[int, int]]) -> None:
    gold, predicted = [g for g, _ in drawn], [p for _, p in drawn]
    matrix = stack(gold, predicted)
    names = list(range(LABELS))
    assert (matrix[0] == metrics.confusion_matrix(gold, predicted, labels=names)).all()
    theirs = metrics.precision_recall_fscore_support(
        gold, predicted, labels=names, zero_division=0.0
    )
    for ours, reference in zip((stats.precision, stats.recall, stats.f1), theirs, strict=False):
        assert [ours(matrix, label)[0] for label in names] == pytest.approx(list(reference))
    macro = metrics.f1_score(gold, predicted, average="macro", zero_division=0.0)
    assert stats.macro_f1(matrix, names)[0] == pytest.approx(macro)
    assert stats.accuracy(matrix)[0] == pytest.approx(metrics.accuracy_score(gold, predicted))
    if len({*gold, *predicted}) > 1:  # else scikit-learn divides 0 by 0
        kappa = metrics.cohen_kappa_score(gold, predicted)
        assert stats.kappa(matrix)[0] == pytest.approx(kappa)
        squared = metrics.cohen_kappa_score(gold, predicted, labels=names, weights="quadratic")
        assert stats.quadratic_kappa(matrix)[0] == pytest.approx(squared)
        correlation = metrics.matthews_corrcoef(gold, predicted)
        assert stats.matthews(matrix)[0] == pytest.approx(correlation)
        for label in names:
            folded = stats.one_against_rest(matrix.astype(np.int64), label)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a label that neither uses is a 0 by 0 again
                one = metrics.cohen_kappa_score(
                    [g == label for g in gold], [p == label for p in predicted]
                )
            assert stats.kappa(folded.astype(float))[0] == pytest.approx(np.nan_to_num(one))


def test_a_stack_is_scored_matrix_by_matrix() -> None:
    rng = np.random.default_rng(3)
    matrices = rng.integers(0, 9, (5, LABELS, LABELS)).astype(np.float64)
    for statistic in (
        stats.accuracy,
        stats.kappa,
        stats.quadratic_kappa,
        stats.matthews,
        partial(stats.f1, label=2),
        partial(stats.macro_f1, labels=range(LABELS)),
    ):
        alone = [statistic(matrix[None])[0] for matrix in matrices]
        assert statistic(matrices) == pytest.approx(alone)


def test_nothing_out_of_nothing_is_zero() -> None:
    empty = np.zeros((1, LABELS, LABELS))
    for statistic in (stats.accuracy, stats.kappa, partial(stats.macro_f1, labels=[0, 1])):
        assert statistic(empty)[0] == 0


def test_kappa_of_full_agreement_on_one_label_is_no_number_to_boast_of() -> None:
    assert stats.kappa(stack([1, 1], [1, 1]))[0] == 0
    assert stats.kappa(stack([1, 2], [1, 2]))[0] == 1
    assert stats.kappa(stack([0, 1], [1, 0]))[0] == -1


def test_quadratic_kappa_of_one_and_the_same_label_is_no_number_to_boast_of_either() -> None:
    assert stats.quadratic_kappa(stack([2, 2, 2], [2, 2, 2]))[0] == 0


def test_macro_f1_leaves_out_labels_that_do_not_occur() -> None:
    matrix = stack([0, 1], [0, 2])
    # 0 is found, 1 is missed, 2 is wrongly given, 3 does not occur.
    assert stats.macro_f1(matrix, range(LABELS))[0] == pytest.approx(1 / 3)


def test_span_f1() -> None:
    # 3 of 4 predicted are right, 2 of 5 gold ones are found; then none predicted; then none at all.
    counts = np.asarray([[3, 4, 2, 5], [0, 0, 0, 5], [0, 0, 0, 0]], dtype=float)
    assert stats.span_f1(counts) == pytest.approx([2 * 0.75 * 0.4 / 1.15, 0, 0])


def articles(number: int, seed: int = 0) -> Ints:
    """Confusion matrices of articles that a labeller reads right 7 times in 10."""
    rng = np.random.default_rng(seed)
    result = []
    for _ in range(number):
        gold = rng.integers(0, LABELS, 15)
        wrong = rng.random(15) > 0.7
        predicted = np.where(wrong, rng.integers(0, LABELS, 15), gold)
        result.append(stats.confusion(gold.tolist(), predicted.tolist(), LABELS))
    return np.stack(result)


STATISTICS = {
    "accuracy": stats.accuracy,
    "kappa": stats.kappa,
    "macro_f1": partial(stats.macro_f1, labels=range(LABELS)),
    "recall": partial(stats.recall, label=1),
}


@pytest.mark.parametrize("name", STATISTICS)
def test_the_interval_holds_the_value_and_narrows_with_more_articles(name: str) -> None:
    statistic = STATISTICS[name]
    widths = []
    for number in (16, 64, 256):
        counts = articles(number)
        estimate = stats.bootstrap(counts, statistic)
        assert estimate.value == statistic(counts.sum(axis=0)[None].astype(float))[0]
        assert estimate.low < estimate.value < estimate.high
        widths.append(estimate.high - estimate.low)
    assert widths == sorted(widths, reverse=True)


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    truth = 0.7 + 0.3 / LABELS
    estimates = [stats.bootstrap(articles(30, seed), stats.accuracy) for seed in range(200)]
    held = np.mean([e.low <= truth <= e.high for e in estimates])
    assert 0.88 <= held <= 0.99


def test_the_same_seed_gives_the_same_interval() -> None:
    counts = articles(6)
    first = stats.bootstrap(counts, stats.kappa, seed=5)
    assert first == stats.bootstrap(counts, stats.kappa, seed=5)
    other = stats.bootstrap(counts, stats.kappa, seed=6)
    assert (first.low, first.high) != (other.low, other.high)
    assert first.value == other.value


def test_articles_that_are_alike_leave_no_doubt_and_one_article_none_at_all() -> None:
    same = np.repeat(articles(1), 9, axis=0)
    for counts in (same, same[:1]):
        estimate = stats.bootstrap(counts, stats.accuracy)
        assert estimate.low == estimate.high == pytest.approx(estimate.value)


def test_whole_articles_are_drawn_not_sentences() -> None:
    """Half of the articles all right, half all wrong: the interval must be as wide as that."""
    right = stats.confusion([0] * 50, [0] * 50, LABELS)
    wrong = stats.confusion([0] * 50, [1] * 50, LABELS)
    estimate = stats.bootstrap(np.stack([right, wrong] * 4), stats.accuracy)
    assert estimate.value == 0.5
    # Sentences drawn one by one, 400 of them, would give about 0.45 to 0.55.
    assert estimate.low < 0.25
    assert estimate.high > 0.75


def test_sums_that_are_no_whole_numbers() -> None:
    """Two articles drawn twice: the mean is that of one, of both, or of the other."""
    sums = np.asarray([[0.25, 1.0], [0.75, 1.0]])
    estimate = stats.bootstrap(sums, lambda s: s[:, 0] / s[:, 1])
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.25, 0.75)


def test_a_draw_in_which_the_statistic_is_not_defined_says_nothing() -> None:
    """A third of the draws hold only articles with nothing to count."""
    counts = np.asarray([[3, 4], [0, 0], [0, 0]])

    def share(sums: Floats) -> Floats:
        none = np.full(len(sums), np.nan)
        return np.divide(sums[:, 0], sums[:, 1], out=none, where=sums[:, 1] > 0)

    assert stats.bootstrap(counts, share) == stats.Estimate(0.75, 0.75, 0.75)


def test_a_part_of_nothing_is_not_a_number() -> None:
    part, whole = np.asarray([3.0, 0.0, 0.0, 2.0]), np.asarray([4.0, 5.0, 0.0, 0.0])
    found = stats.share(part, whole)
    assert found[:2].tolist() == [0.75, 0]
    assert np.isnan(found[2:]).all()
    # What is divided stays as it was.
    assert (part.tolist(), whole.tolist()) == ([3, 0, 0, 2], [4, 5, 0, 0])


def test_an_interval_leaves_out_the_draws_with_a_part_of_nothing() -> None:
    """With nothing out of nothing as 0, a third of the draws would pull it down to 0."""
    counts = np.asarray([[3, 4], [0, 0], [0, 0]])
    shared = stats.bootstrap(counts, lambda s: stats.share(s[:, 0], s[:, 1]))
    assert shared == stats.Estimate(0.75, 0.75, 0.75)
    divided = stats.bootstrap(counts, lambda s: stats.ratio(s[:, 0], s[:, 1]))
    assert divided == stats.Estimate(0.75, 0, 0.75)


def test_error_bars_reach_from_the_value_to_the_ends_of_the_interval() -> None:
    estimates = [stats.Estimate(0.5, 0.25, 0.625), stats.Estimate(0.75, 0.75, 1.0)]
    assert stats.error_bars(estimates) == ([0.25, 0.0], [0.125, 0.25])
    assert stats.error_bars([]) == ([], [])


def test_error_bars_are_never_negative() -> None:
    """A sum may be a hair more than what it is compared with, and matplotlib refuses that."""
    above, below = stats.Estimate(0.1 + 0.2, 0.0, 0.3), stats.Estimate(0.3, 0.1 + 0.2, 1.0)
    assert above.value > above.high
    assert below.value < below.low
    assert stats.error_bars([above, below]) == ([0.1 + 0.2, 0.0], [0.0, 0.7])


# Newcombe 1998, "Two-sided confidence intervals for the single proportion: comparison of
# seven methods", table I, method 3.
@pytest.mark.parametrize(
    ("passed", "cases", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_intervals_as_published(passed: int, cases: int, low: float, high: float) -> None:
    estimate = stats.wilson(passed, cases)
    assert estimate.value == passed / cases
    assert (estimate.low, estimate.high) == pytest.approx((low, high), abs=5e-5)
    # Of those that did not pass it is the mirror image.
    other = stats.wilson(cases - passed, cases)
    assert (1 - other.high, 1 - other.low) == pytest.approx((low, high), abs=5e-5)


@settings(deadline=None)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_intervals_by_the_formula(drawn: tuple[int, int]) -> None:
    passed, n = drawn
    z, p = 1.959964, passed / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    estimate = stats.wilson(passed, n)
    expected = (p, middle - reach, middle + reach)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx(expected, abs=1e-6)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1


@pytest.mark.parametrize(("passed", "cases"), [(0, 0), (3, 2), (-1, 2)])
def test_wilson_of_what_cannot_be(passed: int, cases: int) -> None:
    with pytest.raises(ValueError, match=r"must (not )?be"):
        stats.wilson(passed, cases)


def test_an_estimate_in_words() -> None:
    assert str(stats.Estimate(0.81249, 0.7, 0.9)) == "0.812 [0.700, 0.900]"
