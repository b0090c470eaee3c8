"""Slices: which ones a sentence is in, and their scores counted by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import parse_articles
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from claimstance import slices
from claimstance.charts import draw_slices, save_picture
from claimstance.corpus import LabelledArticle
from claimstance.evaluation import Pair
from claimstance.labels import STANCES, Stance
from claimstance.records import LabelledSentence, SentenceLabels
from claimstance.slices import (
    SliceName,
    SliceScore,
    in_order,
    length_name,
    quotation_name,
    score_slices,
    slice_names,
    weakest,
)
from claimstance.statistics import Estimate

#: Gold stance and given stance, one letter each: r refuted, d disputed, a asserted.
LETTERS: dict[str, Stance] = {"r": "refuted", "d": "disputed", "a": "asserted"}


def pairs_of(article_id: str, words: str) -> list[Pair]:
    """``"aa ad"`` is an asserted sentence that is found, then one that is taken for disputed."""
    return [
        (
            LabelledSentence(
                article_id=article_id,
                position=place,
                text="Snow fell.",
                stance=LETTERS[gold],
                certainty="certain",
            ),
            SentenceLabels(
                article_id=article_id, position=place, stance=LETTERS[given], certainty="certain"
            ),
        )
        for place, (gold, given) in enumerate(words.split())
    ]


def by_id(sentence: LabelledSentence) -> list[SliceName]:
    """One slice per article."""
    return [("article", sentence.article_id)]


def by_name(scores: Sequence[SliceScore]) -> dict[str, SliceScore]:
    return {s.name: s for s in scores}


def bounds(estimate: Estimate) -> list[float]:
    return [estimate.value, estimate.low, estimate.high]


@pytest.fixture
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slices are shown, and may be called weak, however few sentences they have."""
    for name in ("LEAST_SENTENCES", "LEAST_ARTICLES", "LEAST_TO_NAME"):
        monkeypatch.setattr(slices, name, 1)


def slice_score(name: str, ahead: tuple[float, float, float], articles: int = 8) -> SliceScore:
    half = Estimate(0.5, 0.25, 0.75)
    return SliceScore("genre", name, 20, articles, half, half, Estimate(*ahead))


# Names.


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (1, "up to 10 words"),
        (10, "up to 10 words"),
        (11, "11 to 20"),
        (20, "11 to 20"),
        (21, "21 to 30"),
        (30, "21 to 30"),
        (31, "over 30"),
        (400, "over 30"),
    ],
)
def test_the_bounds_of_lengths(words: int, name: str) -> None:
    assert length_name(" ".join(["snow"] * words)) == name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("“Snow,” he said.", "with quotation marks"),
        ('"Snow" fell.', "with quotation marks"),
        ("And it fell.”", "with quotation marks"),
        ("He spoke of « neige ».", "with quotation marks"),
        ("Er sagte „Schnee.", "with quotation marks"),
        ("It’s snow, and it isn't ice.", "without"),
    ],
)
def test_quotation_marks(text: str, name: str) -> None:
    assert quotation_name(text) == name


def test_the_slices_of_a_sentence(articles: list[LabelledArticle]) -> None:
    facts, sentences = articles[3].facts, articles[3].sentences
    assert sentences[4].text == "It is probably not true that a hotel was promised."
    assert slice_names(sentences[4], len(sentences), facts) == [
        ("genre", "local paper"),
        ("topic", "local government"),
        ("length", "up to 10 words"),
        ("place", "middle third"),
        ("first sentence or later", "later"),
        ("quotation", "without"),
        ("hard case", "negative-fact"),
    ]
    first = dict(slice_names(sentences[0], len(sentences), facts))
    assert first["place"] == "first third"
    assert first["first sentence or later"] == "first sentence"
    assert first["hard case"] == "headline"
    second = dict(slice_names(sentences[1], len(sentences), facts))
    assert (second["place"], second["first sentence or later"]) == ("first third", "later")
    last = dict(slice_names(sentences[6], len(sentences), facts))
    assert (last["place"], last["hard case"]) == ("last third", "none")


def places(article: LabelledArticle, sentences: int) -> list[str]:
    sentence = article.sentences[0]
    return [
        dict(slice_names(sentence.model_copy(update={"position": p}), sentences, article.facts))[
            "place"
        ]
        for p in range(sentences)
    ]


@pytest.mark.parametrize(
    ("sentences", "initials"),
    [(1, "f"), (2, "fm"), (3, "fml"), (4, "ffml"), (5, "ffmml"), (6, "ffmmll"), (7, "fffmmll")],
)
def test_thirds(articles: list[LabelledArticle], sentences: int, initials: str) -> None:
    assert "".join(name[0] for name in places(articles[0], sentences)) == initials


# Scores.


@pytest.mark.usefixtures("any_size")
def test_scores_by_hand() -> None:
    """Of x, 6 of 8 are right; of y, 9 of 10."""
    x, y = "aa " * 4 + "dd " * 2 + "da " * 2, "rr " * 9 + "ra "
    first, second = score_slices([pairs_of("x", x), pairs_of("y", y)], by_id)
    assert (first.group, first.name, first.sentences, first.articles) == ("article", "x", 8, 1)
    assert (second.group, second.name, second.sentences, second.articles) == ("article", "y", 10, 1)
    assert first.accuracy.value == pytest.approx(0.75)
    assert second.accuracy.value == pytest.approx(0.9)
    assert first.ahead.value == pytest.approx(-0.15)
    assert second.ahead.value == pytest.approx(0.15)
    # asserted: precision 4/6, recall 1; disputed: precision 1, recall 1/2; the mean of both.
    assert first.macro_f1.value == pytest.approx((0.8 + 2 / 3) / 2)
    gold, given_labels = zip(*x.split(), strict=True)
    assert first.macro_f1.value == pytest.approx(f1_score(gold, given_labels, average="macro"))


@pytest.mark.usefixtures("any_size")
def test_a_slice_across_articles() -> None:
    articles = [pairs_of(i, "aa aa ad") for i in ("one", "two", "three")]

    def early(sentence: LabelledSentence) -> list[SliceName]:
        if sentence.article_id == "three":
            return [("place", "elsewhere")]
        return [("place", "early" if sentence.position < 2 else "late")]

    scores = by_name(score_slices(articles, early))
    sizes = {name: (s.sentences, s.articles) for name, s in scores.items()}
    assert sizes == {"early": (4, 2), "late": (2, 2), "elsewhere": (3, 1)}
    assert bounds(scores["early"].accuracy) == [1, 1, 1]
    assert bounds(scores["late"].accuracy) == [0, 0, 0]
    assert scores["early"].ahead.value == pytest.approx(1 - 2 / 5)
    assert scores["late"].ahead.value == pytest.approx(-6 / 7)
    assert scores["elsewhere"].ahead.value == pytest.approx(2 / 3 - 4 / 6)


@pytest.mark.usefixtures("any_size")
def test_a_sentence_counts_in_each_of_its_slices() -> None:
    def names(sentence: LabelledSentence) -> list[SliceName]:
        return [("genre", sentence.article_id), ("half", str(sentence.position % 2))]

    scores = score_slices([pairs_of("x", "aa aa"), pairs_of("y", "aa ad")], names)
    assert [(s.group, s.name) for s in scores] == [
        ("genre", "x"),
        ("genre", "y"),
        ("half", "0"),
        ("half", "1"),
    ]
    assert [s.accuracy.value for s in scores] == [1, 0.5, 1, 0.5]
    assert [s.ahead.value for s in scores] == [0.5, -0.5, 0.5, -0.5]


@pytest.mark.parametrize(
    ("lengths", "shown"),
    [([5] * 3, True), ([5, 5, 4], False), ([12, 1, 1], False),
     ([13, 1, 1], True), ([40] * 2, False), ([15], False), ([3] * 5, True)],
)  # fmt: skip
def test_a_slice_needs_fifteen_sentences_of_three_articles(lengths: list[int], shown: bool) -> None:
    articles = [pairs_of(f"x{n}", "aa " * length) for n, length in enumerate(lengths)]
    articles += [pairs_of(f"y{n}", "ad " * 3) for n in range(5)]
    scores = by_name(score_slices(articles, by_initial))
    assert list(scores) == (["x", "y"] if shown else ["y"])
    # What is not shown still counts among the others.
    assert scores["y"].ahead.value == -1


def by_initial(sentence: LabelledSentence) -> list[SliceName]:
    return [("initial", sentence.article_id[0])]


def test_a_slice_of_every_sentence_is_left_out() -> None:
    """There are no others to be set against; a single one is enough."""
    articles = [pairs_of(f"x{n}", "aa " * 3) for n in range(5)]
    assert score_slices(articles, by_initial) == []
    (found,) = score_slices([*articles, pairs_of("y", "ad")], by_initial)
    assert (found.name, found.sentences, found.articles) == ("x", 15, 5)
    assert (found.accuracy.value, found.ahead.value) == (1, 1)


@pytest.mark.usefixtures("any_size")
def test_other_slices_stay_beside_one_of_every_sentence() -> None:
    def names(sentence: LabelledSentence) -> list[SliceName]:
        return [("genre", "explainer"), ("half", str(sentence.position % 2))]

    scores = score_slices([pairs_of("x", "aa ad aa"), pairs_of("y", "aa ad")], names)
    assert [(s.group, s.name, s.sentences) for s in scores] == [("half", "0", 3), ("half", "1", 2)]
    assert [s.ahead.value for s in scores] == [1, -1]
    assert score_slices([pairs_of("x", "aa ad aa")], lambda _: [("genre", "explainer")]) == []


def test_the_order_of_slices() -> None:
    """As a reader looks for them, whatever the order in which they occur."""
    shuffled = [
        ("hard case", "none"),
        ("length", "over 30"),
        ("zeal", "b"),
        ("topic", "sport"),
        ("length", "up to 10 words"),
        ("place", "last third"),
        ("zeal", "a"),
        ("genre", "wire report"),
        ("place", "first third"),
        ("quotation", "without"),
        ("length", "21 to 30"),
        ("first sentence or later", "later"),
        ("place", "middle third"),
        ("dataset", "emergent"),
        ("length", "11 to 20"),
        ("genre", "explainer"),
        ("topic", "sport"),
        ("first sentence or later", "first sentence"),
    ]
    found = in_order(shuffled)
    assert len(found) == len(set(found)) == len(shuffled) - 1
    groups = list(dict.fromkeys(group for group, _ in found))
    assert groups == [
        *("genre", "topic", "length", "place", "first sentence or later"),
        *("quotation", "hard case", "dataset", "zeal"),
    ]
    names = {group: [n for g, n in found if g == group] for group in groups}
    assert names["genre"] == ["explainer", "wire report"]
    assert names["length"] == ["up to 10 words", "11 to 20", "21 to 30", "over 30"]
    assert names["place"] == ["first third", "middle third", "last third"]
    assert names["zeal"] == ["a", "b"]
    assert in_order(found[::-1]) == found


@pytest.mark.usefixtures("any_size")
def test_a_draw_without_the_slice_or_without_the_others_says_nothing() -> None:
    """Half of the draws hold x alone or y alone; in all the others the scores are the same."""
    scores = by_name(score_slices([pairs_of("x", "aa ad"), pairs_of("y", "aa aa")], by_id))
    assert bounds(scores["x"].accuracy) == [0.5, 0.5, 0.5]
    assert bounds(scores["y"].accuracy) == [1, 1, 1]
    assert bounds(scores["x"].ahead) == [-0.5, -0.5, -0.5]
    assert bounds(scores["y"].ahead) == [0.5, 0.5, 0.5]
    assert [s.is_weak for s in scores.values()] == [True, False]
    # asserted: precision 1, recall 1/2; disputed: nothing right; the mean of both.
    assert bounds(scores["x"].macro_f1) == pytest.approx([1 / 3] * 3)
    assert bounds(scores["y"].macro_f1) == [1, 1, 1]


@pytest.mark.usefixtures("any_size")
def test_a_rare_slice_is_scored_by_the_draws_that_have_it() -> None:
    """Of 30 articles it is in three: one draw in 24 has none of them."""
    articles = [pairs_of(f"x{n}", "aa " * 5) for n in range(3)]
    articles += [pairs_of(f"y{n}", "aa " * 5) for n in range(27)]
    scores = score_slices(articles, by_initial)
    assert [s.articles for s in scores] == [3, 27]
    for score in scores:
        assert bounds(score.accuracy) == [1, 1, 1]
        assert bounds(score.macro_f1) == [1, 1, 1]
        assert bounds(score.ahead) == [0, 0, 0]


@pytest.mark.usefixtures("any_size")
def test_whole_articles_are_drawn() -> None:
    """Right in one article and wrong in the other: a draw may hold either of them alone."""
    articles = [pairs_of("x1", "aa " * 9), pairs_of("x2", "ad " * 9), pairs_of("y", "aa")]
    found = by_name(score_slices(articles, by_initial))["x"]
    assert bounds(found.accuracy) == [0.5, 0, 1]
    assert bounds(found.ahead) == [-0.5, -1, 0]
    assert not found.is_weak


@pytest.mark.usefixtures("any_size")
def test_every_stance_has_a_place_in_the_counts() -> None:
    """A slice of one stance alone: its macro-F1 is that stance's F1."""

    def pair(stance: Stance, place: int) -> Pair:
        labels = {"stance": stance, "certainty": None if stance == "no_claim" else "certain"}
        gold = {"article_id": stance, "position": place, "text": "Snow fell."} | labels
        return LabelledSentence.model_validate(gold), SentenceLabels.model_validate(
            {"article_id": stance, "position": place} | labels
        )

    articles = [[pair(stance, place) for place in range(2)] for stance in STANCES]
    scores = score_slices(articles, by_id)
    assert {s.name for s in scores} == set(STANCES)
    assert {s.macro_f1.value for s in scores} == {1.0}


outcomes = st.lists(
    st.lists(st.sampled_from(["aa", "ad", "dd", "dr", "rr", "ra"]), min_size=1, max_size=9),
    min_size=2,
    max_size=4,
)


@given(outcomes)
@settings(max_examples=40)
def test_slices_that_share_out_the_sentences_share_out_the_score(drawn: list[list[str]]) -> None:
    articles = [pairs_of(str(n), " ".join(words)) for n, words in enumerate(drawn)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slices, "LEAST_SENTENCES", 1)
        patch.setattr(slices, "LEAST_ARTICLES", 1)
        scores = score_slices(articles, by_id)
    flat = [pair for words in drawn for pair in words]
    assert [s.sentences for s in scores] == [len(words) for words in drawn]
    right = sum(gold == given_label for gold, given_label in flat)
    assert sum(s.accuracy.value * s.sentences for s in scores) == pytest.approx(right)
    for score in scores:
        others = len(flat) - score.sentences
        rest = (right - score.accuracy.value * score.sentences) / others
        assert score.ahead.value == pytest.approx(score.accuracy.value - rest)
        # Of one article, every draw that has it says the same.
        assert bounds(score.accuracy) == pytest.approx([score.accuracy.value] * 3)
        assert bounds(score.macro_f1) == pytest.approx([score.macro_f1.value] * 3)


@given(st.integers(3, 90))
def test_thirds_are_in_order_and_of_one_size(sentences: int) -> None:
    found = places(parse_articles()[0], sentences)
    sizes = [found.count(name) for name in ("first third", "middle third", "last third")]
    assert sum(sizes) == sentences
    assert max(sizes) - min(sizes) <= 1
    assert found == sorted(found, key=("first third", "middle third", "last third").index)


# What is weak.


def test_the_weakest_come_first() -> None:
    scores = [
        slice_score("behind", (-0.1, -0.2, -0.01)),
        slice_score("by chance", (-0.4, -0.9, 0.1)),
        slice_score("far behind", (-0.3, -0.4, -0.2)),
        slice_score("just not", (-0.2, -0.4, 0.0)),
        slice_score("ahead", (0.2, 0.1, 0.3)),
    ]
    assert [s.name for s in weakest(scores)] == ["far behind", "behind"]
    assert [s.is_weak for s in scores] == [True, False, True, False, False]
    assert weakest([]) == []


@pytest.mark.parametrize(
    ("number", "shown", "weak"),
    [(2, False, False), (3, True, False), (7, True, False), (8, True, True), (9, True, True)],
)
def test_a_slice_is_called_weak_with_eight_articles(number: int, shown: bool, weak: bool) -> None:
    """All of x is wrong and all of y is right: only the number of articles can speak for x."""
    articles = [pairs_of(f"x{n}", "ad " * 8) for n in range(number)]
    articles += [pairs_of(f"y{n}", "aa " * 8) for n in range(8)]
    scores = by_name(score_slices(articles, by_initial))
    assert list(scores) == (["x", "y"] if shown else ["y"])
    if shown:
        assert scores["x"].articles == number
        assert bounds(scores["x"].ahead) == [-1, -1, -1]
    assert [s.name for s in weakest([*scores.values()])] == (["x"] if weak else [])
    assert not scores["y"].is_weak


def test_a_slice_of_few_articles_is_passed_over_among_the_weakest() -> None:
    scores = [
        slice_score("named", (-0.1, -0.2, -0.01)),
        slice_score("too few", (-0.5, -0.6, -0.4), articles=7),
    ]
    assert [s.name for s in weakest(scores)] == ["named"]


# The picture.


@pytest.mark.usefixtures("any_size")
def test_the_picture(tmp_path: Path) -> None:
    articles = [pairs_of("x", "aa ad"), pairs_of("y", "aa aa")]
    scores = score_slices(articles, by_id)
    for name in ("one.png", "deep/two.png"):
        save_picture(draw_slices({"dev": scores, "test": scores[:1]}), tmp_path / name)
    content = (tmp_path / "one.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content == (tmp_path / "deep" / "two.png").read_bytes()
    more = [slice_score(str(n), (0.0, -0.1, 0.1)) for n in range(12)]
    save_picture(draw_slices({"dev": more}), tmp_path / "more.png")
    assert height(tmp_path / "more.png") > height(tmp_path / "one.png")


def height(path: Path) -> int:
    (found,) = struct.unpack(">I", path.read_bytes()[20:24])
    assert isinstance(found, int)
    return found
