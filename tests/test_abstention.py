"""Abstention: the threshold that dev gives, who asks for it, and what is marked by it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from rich.console import Console

from claimstance.abstention import (
    ACCURACIES,
    fit_abstention,
    lowest_threshold,
    mark_for_review,
    threshold_for,
)
from claimstance.articles import Article, Span
from claimstance.baseline import train_baseline
from claimstance.calibration import calibrate
from claimstance.corpus import LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.inference import Floats, Model, Scores, Text, classify, load_model
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.recipes import BaselineRecipe, load_recipe
from claimstance.records import Prediction, read_records, write_records
from claimstance.report import render_report
from claimstance.settings import AbstentionPoint, ModelSettings, load_settings, save_settings
from claimstance.tables import print_predictions

Refuses = Callable[..., InputError]

T, F = True, False
graded = st.lists(st.tuples(st.integers(0, 8), st.booleans()), max_size=30)


def lowest(confidence: Sequence[float], right: Sequence[bool], accuracy: float) -> float | None:
    return lowest_threshold(np.asarray(confidence), np.asarray(right, dtype=bool), accuracy)


# The lowest threshold.


@pytest.mark.parametrize(
    ("confidence", "right", "accuracy", "expected"),
    [
        # Kept and right, surest first: 1 of 1, 2 of 2, 2 of 3, 3 of 4.
        ([0.9, 0.8, 0.7, 0.6], [T, T, F, T], 0.5, 0.6),
        ([0.9, 0.8, 0.7, 0.6], [T, T, F, T], 0.75, 0.6),
        ([0.9, 0.8, 0.7, 0.6], [T, T, F, T], 0.76, 0.8),
        ([0.9, 0.8, 0.7, 0.6], [T, T, F, T], 1.0, 0.8),
        # The same in another order.
        ([0.7, 0.9, 0.6, 0.8], [F, T, T, T], 0.76, 0.8),
        # The surest is wrong, and still it stays among those that are kept: 0, 1/2, 2/3.
        ([0.9, 0.8, 0.7], [F, T, T], 0.6, 0.7),
        ([0.9, 0.8, 0.7], [F, T, T], 0.7, None),
        # Equal confidences: 1 of 1, 2 of 3, 2 of 4; never 2 of 2.
        ([0.9, 0.7, 0.7, 0.5], [T, T, F, F], 0.7, 0.9),
        ([0.9, 0.7, 0.7, 0.5], [T, F, T, F], 0.7, 0.9),
        ([0.9, 0.7, 0.7, 0.5], [T, T, F, F], 0.6, 0.7),
        ([0.9, 0.7, 0.7, 0.5], [T, F, T, F], 0.5, 0.5),
        ([0.9, 0.9], [T, F], 0.6, None),
        ([0.9, 0.9], [T, F], 0.5, 0.9),
        ([0.9, 0.8], [F, F], 0.5, None),
        ([], [], 0.5, None),
    ],
)
def test_the_lowest_threshold_by_hand(
    confidence: list[float], right: list[bool], accuracy: float, expected: float | None
) -> None:
    assert lowest(confidence, right, accuracy) == expected


@pytest.mark.parametrize("accuracy", ACCURACIES)
def test_a_share_that_is_just_reached_will_do(accuracy: float) -> None:
    """So many right of a hundred; the wrong ones are the least sure."""
    hits = round(accuracy * 100)
    confidence = np.linspace(0.99, 0.3, 100)
    assert lowest(list(confidence), [i < hits for i in range(100)], accuracy) == confidence[-1]
    assert lowest(list(confidence), [i < hits - 1 for i in range(100)], accuracy) != confidence[-1]


@settings(deadline=None)
@given(graded, st.sampled_from([*ACCURACIES, 2 / 3, 1.0]))
def test_what_is_kept_is_right_often_enough_and_no_lower_threshold_would_do(
    drawn: list[tuple[int, bool]], accuracy: float
) -> None:
    confidence = np.asarray([c / 8 for c, _ in drawn])
    right = np.asarray([r for _, r in drawn], dtype=bool)
    found = lowest_threshold(confidence, right, accuracy)
    enough = [t for t in confidence.tolist() if right[confidence >= t].mean() >= accuracy]
    assert found == min(enough, default=None)


@settings(deadline=None)
@given(graded)
def test_the_thresholds_of_all_accuracies(drawn: list[tuple[int, bool]]) -> None:
    confidence = np.asarray([c / 8 for c, _ in drawn])
    right = np.asarray([r for _, r in drawn], dtype=bool)
    points = {p.accuracy: p.threshold for p in fit_abstention(confidence, right)}
    assert points == {
        accuracy: threshold
        for accuracy in ACCURACIES
        if (threshold := lowest_threshold(confidence, right, accuracy)) is not None
    }
    # Who asks for more is not given a lower threshold.
    assert list(points) == sorted(points)
    assert list(points.values()) == sorted(points.values())


def test_the_accuracies_are_every_hundredth_from_a_half() -> None:
    assert [f"{a:.2f}" for a in ACCURACIES] == [f"0.{n}" for n in range(50, 100)]
    assert [repr(a) for a in ACCURACIES] == [repr(n / 100) for n in range(50, 100)]


def test_points_stop_where_no_threshold_gives_the_accuracy() -> None:
    # Kept and right: 0 of 1, 1 of 2, 2 of 3, 3 of 4.
    points = fit_abstention(np.asarray([0.9, 0.8, 0.7, 0.6]), np.asarray([F, T, T, T]))
    assert [p.accuracy for p in points] == [n / 100 for n in range(50, 76)]
    assert {p.threshold for p in points} == {0.6}
    assert fit_abstention(np.asarray([0.9]), np.asarray([False])) == ()


# A model's threshold.


def settings_of(**points: float) -> ModelSettings:
    """Settings with a threshold for each accuracy, given as ``a90=0.7``."""
    known = tuple(
        AbstentionPoint(accuracy=int(a[1:]) / 100, threshold=t) for a, t in points.items()
    )
    return ModelSettings(name="small", kind="baseline", windows=None, abstention=known)


KNOWN = settings_of(a80=0.4, a90=0.6, a91=0.7)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (0.8, 0.4),
        (0.9, 0.6),
        (0.91, 0.7),
        (0.1, 0.4),
        (0.79, 0.4),
        (0.81, 0.6),
        (0.905, 0.7),
        (0.9001, 0.7),
        (1.1 - 0.2, 0.6),  # 0.9000000000000001
    ],
)
def test_between_two_that_are_known_the_higher_one(asked: float, expected: float) -> None:
    assert threshold_for(KNOWN, asked) == expected


def test_each_accuracy_has_its_own_threshold() -> None:
    points = tuple(AbstentionPoint(accuracy=a, threshold=a / 2) for a in ACCURACIES)
    known = KNOWN.model_copy(update={"abstention": points})
    assert [threshold_for(known, n / 100) for n in range(50, 100)] == [a / 2 for a in ACCURACIES]


@pytest.mark.parametrize(
    ("asked", "found"),
    [(0.0, "0.0"), (1.0, "1.0"), (-0.2, "-0.2"), (90.0, "90.0"), (float("nan"), "nan")],
)
def test_an_accuracy_that_is_no_share(asked: float, found: str, refuses: Refuses) -> None:
    error = refuses("--abstain", threshold_for, KNOWN, asked)
    assert str(error) == (
        "--abstain: expected the accuracy asked of the sentences that are not marked, between 0 "
        f"and 1, found {found}. To mend it: for nine right out of ten, give 0.9."
    )


def test_more_than_dev_showed(refuses: Refuses) -> None:
    error = refuses("small", threshold_for, KNOWN, 0.95)
    assert str(error) == (
        "the model 'small': expected a threshold above which 95% of dev are right, found none "
        "above 91%. To mend it: ask for less."
    )


def test_a_model_made_before_there_were_thresholds(refuses: Refuses) -> None:
    error = refuses("small", threshold_for, settings_of(), 0.9)
    assert str(error) == (
        "the model 'small': expected a threshold above which 90% of dev are right, found none "
        "that was kept with the model. To mend it: train or export it again with this version."
    )


def test_thresholds_are_kept_with_the_model(tmp_path: Path) -> None:
    save_settings(tmp_path, KNOWN)
    assert load_settings(tmp_path).abstention == KNOWN.abstention
    stored = json.loads((tmp_path / "claimstance.json").read_text(encoding="utf-8"))
    assert stored["abstention"][1] == {"accuracy": 0.9, "threshold": 0.6}
    del stored["abstention"]
    (tmp_path / "claimstance.json").write_text(json.dumps(stored), encoding="utf-8")
    assert load_settings(tmp_path) == settings_of()


@pytest.mark.parametrize("point", [(0, 0.5), (1, 0.5), (0.9, -0.1), (0.9, 1.1)])
def test_a_point_is_two_shares(point: tuple[float, float]) -> None:
    with pytest.raises(ValidationError):
        AbstentionPoint(accuracy=point[0], threshold=point[1])


# Calibration on dev.


@dataclass
class Fixed:
    """A model that gives the logits it was made with, article by article."""

    stance: Floats
    settings: ModelSettings = field(default_factory=settings_of)

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        results, start = [], 0
        for text in texts:
            many = len(text.sentences)
            certainty = np.zeros((many, len(CERTAINTIES)), dtype=np.float32)
            rows = self.stance[start : start + many]
            results.append(Scores(rows, certainty, [None] * many, [()] * many))
            start += many
        return results


def predict(
    model: Model, articles: Sequence[LabelledArticle]
) -> tuple[list[Prediction], list[bool]]:
    """What a model says of labelled articles, and where its stance is the gold one."""
    read = [
        Article(a.facts.article_id, a.facts.title, tuple(Span(0, 1, s.text) for s in a.sentences))
        for a in articles
    ]
    predictions = [p for article in classify(model, read) for p in article]
    gold = [s.stance for a in articles for s in a.sentences]
    return predictions, [p.stance == g for p, g in zip(predictions, gold, strict=True)]


def thresholds_hold(model: Model, dev: Sequence[LabelledArticle]) -> None:
    """At each of the model's thresholds the kept part of dev is as right as it says."""
    predictions, right = predict(model, dev)
    confidence = [p.stance_probabilities[p.stance] for p in predictions]
    points = model.settings.abstention
    for point in points:
        marked = mark_for_review(predictions, threshold_for(model.settings, point.accuracy))
        kept = [r for p, r in zip(marked, right, strict=True) if not p.needs_review]
        assert np.mean(kept) >= point.accuracy
        # The threshold is a confidence as records give it, and no lower one would do.
        assert point.threshold in confidence
        for lower in {c for c in confidence if c < point.threshold}:
            more = [r for c, r in zip(confidence, right, strict=True) if c >= lower]
            assert np.mean(more) < point.accuracy
    # For the accuracies that are not kept there is none.
    for accuracy in set(ACCURACIES) - {p.accuracy for p in points}:
        for threshold in set(confidence):
            share = np.mean([r for c, r in zip(confidence, right, strict=True) if c >= threshold])
            assert share < accuracy


@pytest.mark.parametrize(("seed", "scale"), [(0, 1.0), (1, 3.0), (2, 0.3)])
def test_on_dev_the_kept_sentences_are_as_right_as_asked(
    articles: list[LabelledArticle], seed: int, scale: float
) -> None:
    rng = np.random.default_rng(seed)
    sentences = [s for a in articles for s in a.sentences]
    stance = rng.normal(0, 1.5, (len(sentences), len(STANCES)))
    for row, sentence in enumerate(sentences):
        stance[row, STANCES.index(sentence.stance)] += 2.5
    stance[10:20] = stance[10]  # some are alike to the last digit
    model = Fixed((scale * stance).astype(np.float32))
    model.settings = calibrate(model, articles)
    assert model.settings.temperatures.stance != 1
    assert len({p.threshold for p in model.settings.abstention}) > 5
    thresholds_hold(model, articles)


def test_where_the_surest_is_wrong_some_accuracies_have_no_threshold(
    articles: list[LabelledArticle],
) -> None:
    sentences = [s for a in articles for s in a.sentences]
    stance = np.zeros((len(sentences), len(STANCES)), dtype=np.float32)
    for row, sentence in enumerate(sentences):
        wrong = row < 12
        stance[row, (STANCES.index(sentence.stance) + wrong) % len(STANCES)] = 5 if wrong else 4
    model = Fixed(stance)
    model.settings = calibrate(model, articles)
    # 72 of 84 are right at best, which is 0.857.
    assert max(p.accuracy for p in model.settings.abstention) == 0.85
    thresholds_hold(model, articles)


def test_a_trained_model_keeps_thresholds_that_hold(tmp_path: Path, tiny_corpus: Path) -> None:
    recipe = f"kind = 'baseline'\nname = 'words'\ncorpus = '{tiny_corpus}'\nseed = 1\n"
    (tmp_path / "words.toml").write_text(recipe, encoding="utf-8")
    loaded = load_recipe(tmp_path / "words.toml")
    assert isinstance(loaded, BaselineRecipe)
    train_baseline(loaded, tmp_path / "model")
    model = load_model(tmp_path / "model")
    assert model.settings.abstention
    thresholds_hold(model, load_split(tiny_corpus, "dev"))


# Marks.


def prediction(top: float, position: int = 0, *, needs_review: bool | None = None) -> Prediction:
    rest = (1 - top) / 5
    return Prediction(
        article_id="a",
        position=position,
        start=100 * position,
        end=100 * position + 9,
        text=f"It rains{position}",
        stance="refuted",
        certainty="certain",
        stance_probabilities={s: top if s == "refuted" else rest for s in STANCES},
        certainty_probabilities={"certain": 0.5, "probable": 0.3, "possible": 0.2},
        source=None,
        cues=(),
        model="m",
        needs_review=needs_review,
    )


def test_what_is_below_the_threshold_is_marked() -> None:
    given_ = [prediction(p, i) for i, p in enumerate([0.9, 0.6999, 0.7, 0.3])]
    marked = mark_for_review(given_, 0.7)
    assert [p.needs_review for p in marked] == [False, True, False, True]
    assert [p.model_copy(update={"needs_review": None}) for p in marked] == given_
    assert {p.needs_review for p in given_} == {None}
    assert [p.needs_review for p in mark_for_review(given_, 0.2)] == [False] * 4
    assert mark_for_review([], 0.7) == []


def test_a_record_says_it_only_where_somebody_asked(tmp_path: Path) -> None:
    records = [
        prediction(0.9),
        prediction(0.4, 1, needs_review=True),
        prediction(0.8, 2, needs_review=False),
    ]
    write_records(tmp_path / "p.jsonl", records)
    lines = (tmp_path / "p.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert "needs_review" not in rows[0]
    assert rows[1]["needs_review"] is True
    assert rows[2]["needs_review"] is False
    assert list(rows[1]) == [*rows[0], "needs_review"] == list(Prediction.model_fields)
    assert read_records(tmp_path / "p.jsonl", Prediction) == records


def looks(page: str) -> list[str]:
    """The texts of the sentences that a page tells its reader to look at again."""
    return re.findall(r'<span class="s" id="[^"]+"[^>]* data-look>.*?(It rains\d)', page, re.DOTALL)


def test_the_page_shows_the_marks() -> None:
    """Not what it would show on its own: the sure one is marked, the unsure one is not."""
    records = [
        prediction(0.9, 0, needs_review=True),
        prediction(0.4, 1, needs_review=False),
        prediction(0.95, 2, needs_review=False),
    ]
    page = render_report(records)
    assert looks(page) == ["It rains0"]
    assert page.count("second look: 90%") == 1
    assert "second look: 40%" not in page
    assert "<dd>marked for a person to read</dd>" in page
    assert "<dd>likeliest stance below" not in page

    bare = render_report([p.model_copy(update={"needs_review": None}) for p in records])
    assert looks(bare) == ["It rains1"]
    assert "<dd>likeliest stance below 60%</dd>" in bare
    assert "marked for a person to read" not in bare


def test_a_page_on_which_nothing_is_marked_still_says_what_a_mark_means() -> None:
    page = render_report([prediction(0.4, needs_review=False)])
    assert looks(page) == []
    assert "<dd>marked for a person to read</dd>" in page


def test_the_table_shows_the_marks() -> None:
    def printed(*records: Prediction) -> str:
        stream = io.StringIO()
        print_predictions(list(records), Console(file=stream, width=100))
        return stream.getvalue()

    page = printed(prediction(0.9, 0, needs_review=True), prediction(0.4, 1, needs_review=False))
    assert "90%?" in page
    assert "40%" in page
    assert "40%?" not in page
    assert "40%?" in printed(prediction(0.4))


def test_an_accuracy_between_hundredths_is_said_in_full() -> None:
    with pytest.raises(InputError, match=r"above which 90\.4% of dev are right, found none above"):
        threshold_for(settings_of(a90=0.7), 0.904)


def test_records_can_be_dumped_without_nulls() -> None:
    assert "source" not in prediction(0.9).model_dump(exclude_none=True)
