"""What probabilities are worth: worked by hand, by naive loops, and by scikit-learn."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby, permutations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.image import imread
from sklearn.metrics import brier_score_loss

from claimstance import statistics as stats
from claimstance.charts import draw_reliability, draw_risk_coverage, save_picture
from claimstance.labels import CERTAINTIES, STANCES, Certainty, Stance
from claimstance.probabilities import (
    BINS,
    Graded,
    ProbabilityScore,
    area_under,
    bin_counts,
    calibration_error,
    grade_certainties,
    grade_stances,
    least_area,
    risk_coverage,
    score_probabilities,
    select,
)
from claimstance.records import LabelledSentence, Prediction
from claimstance.statistics import Floats

T, F = True, False


def two_labels(
    confidence: Sequence[float], right: Sequence[bool], articles: Sequence[int] | None = None
) -> Graded:
    """The likelier of two labels has this probability (0.5 or more), and is right or not."""
    sure = np.asarray(confidence, dtype=np.float64)
    places = np.asarray(articles if articles is not None else np.arange(len(sure)))
    gold = np.where(np.asarray(right, dtype=bool), 0, 1)
    return Graded(np.stack([sure, 1 - sure], axis=1), gold, places)


def drawn_model(sentences: int, seed: int = 0, per_article: int = 10) -> Graded:
    """Probabilities of three labels, with some truth in them, rounded as in files."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.5, 0.5, 0.5], sentences).round(4)
    chosen = (rng.random((sentences, 1)) > probabilities.cumsum(axis=1)).sum(axis=1).clip(max=2)
    gold = np.where(rng.random(sentences) < 0.2, rng.integers(0, 3, sentences), chosen)
    return Graded(probabilities, gold, np.arange(sentences) // per_article)


# Calibration.


def test_calibration_error_by_hand() -> None:
    # The bins are 1/15 wide: 0.95 and 0.97 share the last, 0.61 and 0.65 that above 0.6;
    # 0.6 itself is the upper bound of the bin before.
    graded = two_labels([0.95, 0.97, 0.61, 0.65, 0.6], [T, F, T, T, F])
    score = score_probabilities(graded)
    assert [(b.sentences, b.confidence, b.accuracy.value) for b in score.bins] == [
        (1, pytest.approx(0.6), 0),
        (2, pytest.approx(0.63), 1),
        (2, pytest.approx(0.96), 0.5),
    ]
    assert [(b.low, b.high) for b in score.bins] == [
        (8 / 15, 9 / 15),
        (9 / 15, 10 / 15),
        (14 / 15, 1),
    ]
    # 1/5 * 0.6 + 2/5 * 0.37 + 2/5 * 0.46.
    assert score.calibration_error.value == pytest.approx(0.452)


def test_the_bounds_of_the_bins() -> None:
    # A confidence of 0 cannot occur; one of 1 falls into the last bin, not behind it.
    confidence = np.asarray([0.0, 0.0001, 0.0666, 0.0667, 0.2, 0.2001, 0.8, 0.9333, 0.9334, 1.0])
    graded = Graded(confidence[:, None], np.zeros(10, dtype=int), np.zeros(10, dtype=int))
    (counts,) = bin_counts(graded)
    filled = {place: int(n) for place, n in enumerate(counts[:, 0]) if n}
    assert filled == {0: 3, 1: 1, 2: 1, 3: 1, 11: 1, 13: 1, 14: 2}


tenthousandths = st.lists(
    st.tuples(st.integers(5000, 10_000), st.booleans(), st.integers(0, 3)), min_size=1, max_size=40
)


@settings(deadline=None)
@given(tenthousandths)
def test_calibration_error_by_a_naive_loop(drawn: list[tuple[int, bool, int]]) -> None:
    error = 0.0
    for place in range(BINS):
        # Bounds in whole numbers, since 0.6 * 15 need not be 9 for a computer.
        here = [(c, r) for c, r, _ in drawn if 10_000 * place < c * BINS <= 10_000 * (place + 1)]
        if here:
            confidence = sum(c for c, _ in here) / 10_000 / len(here)
            accuracy = sum(r for _, r in here) / len(here)
            error += len(here) / len(drawn) * abs(confidence - accuracy)
    confidence, right, articles = zip(*drawn, strict=True)
    counts = bin_counts(two_labels([c / 10_000 for c in confidence], right, articles))
    assert counts.shape == (max(articles) + 1, BINS, 3)
    assert counts[:, :, 0].sum(axis=1).tolist() == [articles.count(i) for i in range(len(counts))]
    assert calibration_error(counts.sum(axis=0)[None])[0] == pytest.approx(error)


def test_calibration_errors_of_a_stack() -> None:
    stack = np.stack([bin_counts(drawn_model(60, seed)).sum(axis=0) for seed in range(4)])
    alone = [calibration_error(counts[None])[0] for counts in stack]
    assert calibration_error(stack) == pytest.approx(alone)
    assert len(set(alone)) == 4


def test_gaps_of_two_articles_in_one_bin_make_up_for_each_other() -> None:
    """The error is that of all sentences together, not the mean of the articles' errors."""
    graded = two_labels([0.75] * 4, [T, T, T, F], [0, 0, 1, 1])
    assert score_probabilities(graded).calibration_error.value == pytest.approx(0)


# Brier.


def test_brier_by_hand() -> None:
    graded = Graded(np.asarray([[0.7, 0.2, 0.1]] * 2), np.asarray([0, 1]), np.asarray([0, 0]))
    # 0.3² + 0.2² + 0.1² = 0.14, and 0.7² + 0.8² + 0.1² = 1.14.
    assert score_probabilities(graded).brier.value == pytest.approx((0.14 + 1.14) / 2)


def test_brier_at_best_and_at_worst() -> None:
    assert score_probabilities(two_labels([1, 1], [T, T])).brier.value == 0
    assert score_probabilities(two_labels([1, 1], [F, F])).brier.value == 2


@pytest.mark.parametrize("seed", range(3))
def test_brier_is_that_of_scikit_learn(seed: int) -> None:
    drawn = drawn_model(200, seed)
    # Its rows must sum to 1, which those of four decimals do only nearly.
    whole = drawn.probabilities / drawn.probabilities.sum(axis=1, keepdims=True)
    theirs = brier_score_loss(drawn.gold, whole, labels=[0, 1, 2], scale_by_half=False)
    ours = score_probabilities(Graded(whole, drawn.gold, drawn.articles)).brier
    assert ours.value == pytest.approx(theirs)
    assert ours.low < theirs < ours.high


# Risk and coverage.


@pytest.mark.parametrize(
    ("confidence", "right", "risk"),
    [
        ([0.9, 0.8, 0.7, 0.6], [T, F, T, F], [0, 1 / 2, 1 / 3, 2 / 4]),
        ([0.6, 0.8, 0.9, 0.7], [F, F, T, T], [0, 1 / 2, 1 / 3, 2 / 4]),
        ([0.9, 0.8, 0.7, 0.6], [T, T, T, T], [0, 0, 0, 0]),
        ([0.9, 0.8, 0.7, 0.6], [F, F, F, F], [1, 1, 1, 1]),
        # Of two alike, one right: half an error is to be expected of the first.
        ([0.9, 0.8, 0.8, 0.7], [T, T, F, F], [0, 0.5 / 2, 1 / 3, 2 / 4]),
        ([0.9, 0.8, 0.8, 0.7], [T, F, T, F], [0, 0.5 / 2, 1 / 3, 2 / 4]),
        ([0.5, 0.5, 0.5, 0.5], [F, T, T, T], [1 / 4, 1 / 4, 1 / 4, 1 / 4]),
    ],
)
def test_risk_and_coverage_by_hand(
    confidence: list[float], right: list[bool], risk: list[float]
) -> None:
    coverage, found = risk_coverage(np.asarray(confidence), np.asarray(right))
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert found == pytest.approx(risk)
    assert area_under(found) == pytest.approx(sum(risk) / 4)
    graded = two_labels(confidence, right)
    assert score_probabilities(graded).risk_coverage_area.value == pytest.approx(sum(risk) / 4)


few = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6)
many = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40)


def arrays(drawn: list[tuple[int, bool]]) -> tuple[Floats, np.ndarray]:
    return np.asarray([c / 10 for c, _ in drawn]), np.asarray([r for _, r in drawn], dtype=bool)


@settings(deadline=None, max_examples=60)
@given(few)
def test_the_risk_is_the_mean_over_all_orders_of_those_that_are_alike(
    drawn: list[tuple[int, bool]],
) -> None:
    surest_first = sorted(drawn, key=lambda pair: -pair[0])
    groups = [[r for _, r in g] for _, g in groupby(surest_first, key=lambda pair: pair[0])]
    risks = []
    for order in product(*(permutations(group) for group in groups)):
        wrong = [not r for group in order for r in group]
        risks.append(np.cumsum(wrong) / np.arange(1, len(wrong) + 1))
    coverage, risk = risk_coverage(*arrays(drawn))
    assert risk == pytest.approx(np.mean(risks, axis=0))
    assert coverage == pytest.approx(np.arange(1, len(drawn) + 1) / len(drawn))
    assert area_under(risk) == pytest.approx(np.mean(risks))


def naive_risks(confidence: Floats, right: np.ndarray) -> list[float]:
    """After each number kept: all errors above, and of those alike at the cut their share."""
    risks = []
    for kept in range(1, len(confidence) + 1):
        cut = sorted(confidence, reverse=True)[kept - 1]
        above = [not r for c, r in zip(confidence, right, strict=True) if c > cut]
        alike = [not r for c, r in zip(confidence, right, strict=True) if c == cut]
        errors = sum(above) + (kept - len(above)) * sum(alike) / len(alike)
        risks.append(errors / kept)
    return risks


@settings(deadline=None)
@given(many)
def test_risk_and_coverage_by_a_naive_loop(drawn: list[tuple[int, bool]]) -> None:
    confidence, right = arrays(drawn)
    _, risk = risk_coverage(confidence, right)
    assert risk == pytest.approx(naive_risks(confidence, right))
    assert area_under(risk) == pytest.approx(np.mean(risk))


def test_the_area_of_articles_drawn_again_repeats_their_sentences() -> None:
    """Two articles, one right and one wrong: a draw has two of either, or one of each."""
    graded = two_labels([0.9, 0.8], [True, False], [0, 1])
    found = score_probabilities(graded).risk_coverage_area
    # Right twice: 0. Each once: (0 + 1/2) / 2. Wrong twice: 1.
    assert (found.low, found.value, found.high) == (0, 0.25, 1)


def test_the_interval_of_the_area_is_that_of_articles_drawn_again() -> None:
    """A few articles all right, others half wrong: it must be as wide as that."""
    rng = np.random.default_rng(6)
    articles = np.arange(300) // 25
    right = (articles % 3 > 0) | (rng.random(300) < 0.5)
    graded = two_labels(rng.uniform(0.5, 1, 300).round(4), right, articles)
    found = score_probabilities(graded).risk_coverage_area
    areas = []
    for _ in range(400):
        rows = np.concatenate([np.flatnonzero(articles == a) for a in rng.integers(0, 12, 12)])
        areas.append(np.mean(naive_risks_of_drawn(graded.confidence[rows], right[rows])))
    low, high = np.percentile(areas, [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.02)
    assert found.high == pytest.approx(high, abs=0.02)
    assert found.high - found.low > 0.1


def naive_risks_of_drawn(confidence: Floats, right: np.ndarray) -> Floats:
    order = np.argsort(-confidence, kind="stable")
    return np.cumsum(~right[order]) / np.arange(1, len(order) + 1)


@pytest.mark.parametrize(
    ("accuracy", "sentences", "expected"),
    [
        (0.5, 4, (0 + 0 + 1 / 3 + 2 / 4) / 4),
        (2 / 3, 3, (0 + 0 + 1 / 3) / 3),
        (1.0, 7, 0),
        (0.0, 7, 1),
    ],
)
def test_the_least_area_by_hand(accuracy: float, sentences: int, expected: float) -> None:
    assert least_area(accuracy, sentences) == pytest.approx(expected)


@settings(deadline=None)
@given(many)
def test_no_order_has_less_than_the_least_area(drawn: list[tuple[int, bool]]) -> None:
    confidence, right = arrays(drawn)
    least = least_area(float(right.mean()), len(right))
    assert area_under(risk_coverage(confidence, right)[1]) >= least - 1e-12
    # And that order has it in which all right ones come first.
    best = area_under(risk_coverage(-np.arange(len(right)), np.sort(right)[::-1])[1])
    assert least == pytest.approx(best)


# Selection.


def test_a_draw_without_what_is_kept_says_nothing() -> None:
    graded = two_labels([0.9, 0.8, 0.6, 0.6], [T, T, T, F], [0, 0, 1, 1])
    kept = select(graded, 0.9, 0.7).accuracy
    assert kept is not None
    assert (kept.low, kept.value, kept.high) == (1, 1, 1)
    bins = score_probabilities(two_labels([0.9, 0.9, 0.6, 0.6], [T] * 4, [0, 0, 1, 1])).bins
    assert [(b.accuracy.low, b.accuracy.high) for b in bins] == [(1, 1), (1, 1)]


def test_nothing_kept_has_no_accuracy() -> None:
    found = select(two_labels([0.9, 0.8], [T, F], [0, 1]), 0.99, 0.95)
    assert found.accuracy is None
    assert found.coverage.value == 0


def test_selection_by_hand() -> None:
    graded = two_labels([0.9, 0.8, 0.7, 0.6], [T, T, F, T], [0, 0, 1, 1])
    kept = select(graded, 0.9, 0.7)
    assert (kept.asked, kept.threshold) == (0.9, 0.7)
    assert kept.coverage.value == 3 / 4
    assert kept.accuracy.value == pytest.approx(2 / 3)
    # Only the first article, only the second: 2 of 2 kept and right, 1 of 2 kept and none right.
    assert (kept.coverage.low, kept.coverage.high) == (0.5, 1)
    assert (kept.accuracy.low, kept.accuracy.high) == (0, 1)
    everything = select(graded, 0.5, 0.0)
    assert (everything.coverage.value, everything.accuracy.value) == (1, 3 / 4)
    assert select(graded, 0.9, 0.7001).coverage.value == 2 / 4
    assert select(graded, 0.9, 0.95).coverage.value == 0


# From records.


def pair(
    gold: Stance, gold_certainty: Certainty | None, stance: int, certainty: int
) -> tuple[LabelledSentence, Prediction]:
    """The label of that index is likeliest; the others differ, so that none can be swapped."""
    truth = LabelledSentence(
        article_id="a", position=0, text="x", stance=gold, certainty=gold_certainty
    )
    by_stance = {s: (i + 1) / 100 for i, s in enumerate(STANCES)}
    by_stance[STANCES[stance]] = 0.79 + (stance + 1) / 100
    by_certainty = {c: (i + 1) / 50 for i, c in enumerate(CERTAINTIES)}
    by_certainty[CERTAINTIES[certainty]] = 0.88 + (certainty + 1) / 50
    # Files may hold the labels in any order.
    said = Prediction(
        article_id="a",
        position=0,
        start=0,
        end=1,
        text="x",
        stance=STANCES[stance],
        certainty=None if STANCES[stance] == "no_claim" else CERTAINTIES[certainty],
        stance_probabilities=dict(reversed(by_stance.items())),
        certainty_probabilities=dict(reversed(by_certainty.items())),
        source=None,
        cues=(),
        model="m",
    )
    return truth, said


ARTICLES = [
    [pair("asserted", "certain", 0, 2), pair("no_claim", None, 2, 1)],
    [pair("no_claim", None, 5, 0)],
    [pair("refuted", "possible", 4, 2), pair("unproven", "probable", 1, 0)],
]


def test_stances_are_graded() -> None:
    graded = grade_stances(ARTICLES)
    assert graded.probabilities[0] == pytest.approx([0.80, 0.02, 0.03, 0.04, 0.05, 0.06])
    assert graded.probabilities[2] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05, 0.85])
    assert graded.gold.tolist() == [
        STANCES.index(s) for s in ("asserted", "no_claim", "no_claim", "refuted", "unproven")
    ]
    assert graded.articles.tolist() == [0, 0, 1, 2, 2]
    assert graded.confidence == pytest.approx([0.80, 0.82, 0.85, 0.84, 0.81])
    assert graded.right.tolist() == [True, False, True, True, False]


def test_certainties_are_graded_where_gold_has_a_claim() -> None:
    graded = grade_certainties(ARTICLES)
    assert graded.probabilities == pytest.approx(
        np.asarray([[0.02, 0.04, 0.94], [0.02, 0.04, 0.94], [0.90, 0.04, 0.06]])
    )
    assert graded.gold.tolist() == [0, 2, 1]
    # The article without a claim leaves no gap.
    assert graded.articles.tolist() == [0, 1, 1]
    assert graded.right.tolist() == [False, True, False]


# The whole score.


def test_a_whole_score() -> None:
    graded = drawn_model(1000)
    score = score_probabilities(graded, thresholds={0.9: 0.8, 0.95: 0.9})
    assert score.sentences == 1000 == sum(b.sentences for b in score.bins)
    accuracy = float(graded.right.mean())
    assert sum(b.sentences * b.accuracy.value for b in score.bins) == pytest.approx(1000 * accuracy)
    # A point for every fifth sentence, from the first to the last.
    assert len(score.curve) == 200
    assert score.curve[0] == (1 / 1000, float(not graded.right[graded.confidence.argmax()]))
    assert score.curve[-1] == (1, pytest.approx(1 - accuracy))
    coverage, risk = risk_coverage(graded.confidence, graded.right)
    assert set(score.curve) < set(zip(coverage.tolist(), risk.tolist(), strict=True))
    assert [(s.asked, s.threshold) for s in score.selections] == [(0.9, 0.8), (0.95, 0.9)]
    assert [s.coverage.value for s in score.selections] == [
        (graded.confidence >= t).mean() for t in (0.8, 0.9)
    ]
    assert score.least_possible_area == least_area(accuracy, 1000)
    assert score.least_possible_area < score.risk_coverage_area.low
    for estimate in (score.brier, score.risk_coverage_area):
        assert estimate.low < estimate.value < estimate.high
    assert score_probabilities(graded).selections == []


def test_the_intervals_are_those_of_articles() -> None:
    """Ten sentences of an article that are alike count as one."""
    one = drawn_model(40, seed=3, per_article=1)
    ten = Graded(*(np.repeat(a, 10, axis=0) for a in (one.probabilities, one.gold, one.articles)))
    once, often = score_probabilities(one), score_probabilities(ten)
    for name in ("calibration_error", "brier"):
        a, b = getattr(once, name), getattr(often, name)
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high))


def test_a_short_curve_has_all_its_points() -> None:
    score = score_probabilities(two_labels([0.9, 0.8, 0.7], [T, F, T]))
    assert score.curve == [
        (pytest.approx(1 / 3), 0),
        (pytest.approx(2 / 3), 0.5),
        (1, pytest.approx(1 / 3)),
    ]


def test_a_perfect_model() -> None:
    score = score_probabilities(two_labels([1] * 6, [T] * 6, [0, 0, 0, 1, 1, 1]))
    nothing = stats.Estimate(0, 0, 0)
    assert score.calibration_error == score.brier == score.risk_coverage_area == nothing
    assert score.least_possible_area == 0
    (only,) = score.bins
    assert (only.sentences, only.accuracy) == (6, stats.Estimate(1, 1, 1))


def test_a_score_is_plain_data() -> None:
    score = score_probabilities(drawn_model(40), thresholds={0.9: 0.8})
    plain = json.loads(json.dumps(score.as_dict()))
    assert plain["brier"]["value"] == score.brier.value
    assert plain["selections"][0]["asked"] == 0.9
    assert plain["curve"][-1][0] == 1
    assert sum(b["sentences"] for b in plain["bins"]) == 40


# Pictures.

BLUE = np.asarray([0x12, 0x5B, 0xA6]) / 255


@pytest.fixture(scope="module")
def scores() -> dict[str, ProbabilityScore]:
    return {name: score_probabilities(drawn_model(200, i)) for i, name in enumerate("ab")}


def test_a_picture_of_calibration(scores: dict[str, ProbabilityScore], tmp_path: Path) -> None:
    path = tmp_path / "new" / "reliability.png"
    save_picture(draw_reliability(scores), path)
    picture = imread(path)
    # 4.6 inches at 120 dots each, and as much again for the second panel.
    assert picture.shape[:2] == (552, 1104)
    marks = np.isclose(picture[:, :, :3], BLUE, atol=0.01).all(axis=2)
    assert marks[:, :552].sum() > 100 < marks[:, 552:].sum()
    save_picture(draw_reliability({"a": scores["a"]}), path)
    assert imread(path).shape[:2] == (552, 552)


def test_a_picture_of_risk_and_coverage(
    scores: dict[str, ProbabilityScore], tmp_path: Path
) -> None:
    path = tmp_path / "new" / "risk.png"
    save_picture(draw_risk_coverage(scores), path)
    both = imread(path)
    assert both.shape[:2] == (528, 768)
    save_picture(draw_risk_coverage({"a": scores["a"]}), path)
    one = imread(path)
    assert one.shape == both.shape
    # The first two colours of matplotlib: there is a second line only where there are two.
    for colour, lines in (((0x1F, 0x77, 0xB4), (True, True)), ((0xFF, 0x7F, 0x0E), (False, True))):
        found = [
            bool(np.isclose(p[:, :, :3], np.asarray(colour) / 255, atol=0.01).all(axis=2).any())
            for p in (one, both)
        ]
        assert tuple(found) == lines


@pytest.mark.parametrize("draw", [draw_reliability, draw_risk_coverage])
def test_the_same_scores_give_the_same_file(
    scores: dict[str, ProbabilityScore], tmp_path: Path, draw: Callable[..., Figure]
) -> None:
    for name in ("one.png", "two.png"):
        save_picture(draw(scores), tmp_path / name)
    content = (tmp_path / "one.png").read_bytes()
    assert content == (tmp_path / "two.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert b"Matplotlib" not in content
