"""Behaviour suites: how cases are read, and when one passes."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimstance.behaviour import (
    FILES,
    Case,
    DirectionCase,
    Expectation,
    GroupScore,
    InvarianceCase,
    MinimumCase,
    Outcome,
    Passage,
    articles_of,
    as_article,
    in_words,
    judge_cases,
    judged,
    read_cases,
    score_groups,
    second_passage,
)
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES, Certainty, Stance
from claimstance.records import Labels, Prediction, Record, write_records

Refuses = Callable[..., InputError]

#: What is said of a passage: stance and certainty.
Said = tuple[Stance, Certainty | None]


def predict(
    article_id: str,
    text: str,
    said: Said = ("asserted", "certain"),
    *,
    position: int = 0,
) -> Prediction:
    stance, certainty = said
    return Prediction(
        article_id=article_id,
        position=position,
        start=0,
        end=len(text),
        text=text,
        stance=stance,
        certainty=certainty,
        stance_probabilities={s: float(s == stance) for s in STANCES},
        certainty_probabilities={c: float(c == certainty) for c in CERTAINTIES},
        source=None,
        cues=(),
        model="by hand",
    )


def minimum(case_id: str = "min-1", said: Said = ("disputed", "certain"), **more: Any) -> Case:
    return MinimumCase(
        id=case_id,
        kind="minimum",
        capability=more.pop("capability", "plain denial"),
        text="The firm denies it.",
        stance=said[0],
        certainty=said[1],
        note="",
        **more,
    )


def invariance(case_id: str = "inv-1", change: str = "names") -> Case:
    return InvarianceCase(
        id=case_id,
        kind="invariance",
        change=change,
        text="Ann Lund left.",
        variant=Passage(text="Bo Marsh left."),
        note="",
    )


def direction(case_id: str = "dir-1", *, change: str = "hedge", **expect: Any) -> Case:
    return DirectionCase(
        id=case_id,
        kind="direction",
        change=change,
        text="It will rain.",
        changed=Passage(text="It may rain."),
        expect=Expectation(**expect),
        note="",
    )


def outcome(case: Case, first: Said, second: Said | None = None) -> Outcome:
    """What comes of one case, whose passages are labelled as said."""
    predictions = [predict(case.id, case.text, first)]
    passage = second_passage(case)
    if passage is not None and second is not None:
        predictions.append(predict(f"{case.id}/changed", passage.text, second))
    (found,) = judge_cases([case], predictions, "p.jsonl")
    return found


# Passages and articles.


def test_each_passage_becomes_an_article() -> None:
    first = minimum(title="A row", before=("They say it leaks.", "It is old."))
    found = list(articles_of([first, invariance(), direction(certainty="lower")]))
    assert [(a.id, a.title, [s.text for s in a.sentences]) for a in found] == [
        ("min-1", "A row", ["They say it leaks.", "It is old.", "The firm denies it."]),
        ("inv-1", None, ["Ann Lund left."]),
        ("inv-1/changed", None, ["Bo Marsh left."]),
        ("dir-1", None, ["It will rain."]),
        ("dir-1/changed", None, ["It may rain."]),
    ]
    assert second_passage(first) is None


sentences = st.text(min_size=1, max_size=12)


@given(st.none() | st.text(max_size=5), st.lists(sentences, max_size=4), sentences, st.randoms())
def test_the_last_sentence_is_judged(
    title: str | None, before: list[str], text: str, random: Any
) -> None:
    article = as_article("p", Passage(title=title, before=tuple(before), text=text))
    assert (article.id, article.title) == ("p", title)
    assert [s.text for s in article.sentences] == [*before, text]
    joined = " ".join([*before, text])
    assert [joined[s.start : s.end] for s in article.sentences] == [*before, text]
    predictions = [predict("p", s.text, position=n) for n, s in enumerate(article.sentences)]
    elsewhere = as_article("q", Passage(before=("Elsewhere.",) * 6, text="Elsewhere."))
    other = [predict("q", "Elsewhere.", position=n) for n in range(7)]
    mixed = [*predictions, *other]
    random.shuffle(mixed)
    last = judged([article, elsewhere], mixed, "p.jsonl")
    assert last == {"p": predictions[-1], "q": other[-1]}
    # What was not asked for is not looked at.
    assert judged([elsewhere], mixed, "p.jsonl") == {"q": other[-1]}


def test_nothing_predicted() -> None:
    assert judged([], [], "p.jsonl") == {}


# Judging.


@pytest.mark.parametrize(
    ("expected", "said", "passed"),
    [
        (("disputed", "certain"), ("disputed", "certain"), True),
        (("disputed", "certain"), ("attributed", "certain"), False),
        (("disputed", "certain"), ("disputed", "probable"), False),
        (("disputed", "certain"), ("no_claim", None), False),
        (("no_claim", None), ("no_claim", None), True),
        (("no_claim", None), ("asserted", "certain"), False),
    ],
)
def test_minimum_functionality(expected: Said, said: Said, passed: bool) -> None:
    case = minimum(said=expected)
    assert outcome(case, said) == Outcome(case, passed, in_words_of(said))


def in_words_of(said: Said) -> str:
    return said[0] if said[1] is None else f"{said[0]}, {said[1]}"


@pytest.mark.parametrize(
    ("first", "second", "passed"),
    [
        (("asserted", "certain"), ("asserted", "certain"), True),
        (("unproven", "possible"), ("unproven", "possible"), True),
        (("no_claim", None), ("no_claim", None), True),
        (("asserted", "certain"), ("attributed", "certain"), False),
        (("asserted", "certain"), ("asserted", "probable"), False),
        (("no_claim", None), ("asserted", "certain"), False),
    ],
)
def test_invariance(first: Said, second: Said, passed: bool) -> None:
    case = invariance()
    found = f"{in_words_of(first)} → {in_words_of(second)}"
    assert outcome(case, first, second) == Outcome(case, passed, found)


@pytest.mark.parametrize(
    ("second", "passed"),
    [
        (("unproven", "certain"), True),
        (("unproven", "possible"), True),
        (("refuted", "certain"), False),
        (("attributed", "certain"), False),
        (("no_claim", None), False),
    ],
)
def test_a_direction_towards_a_stance(second: Said, passed: bool) -> None:
    found = outcome(direction(stance="unproven"), ("attributed", "certain"), second)
    assert (found.passed, found.found) == (passed, f"attributed, certain → {in_words_of(second)}")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("unproven", "certain"), ("unproven", "certain")),
        (("unproven", "certain"), ("unproven", "possible")),
        (("unproven", "certain"), ("attributed", "certain")),
        (("no_claim", None), ("no_claim", None)),
    ],
)
def test_a_stance_that_was_there_before_the_change(first: Said, second: Said) -> None:
    """It must move to the stance, not merely be there."""
    found = outcome(direction(stance=first[0]), first, second)
    words = f"{in_words_of(first)} → {in_words_of(second)}"
    assert (found.passed, found.found) == (False, words)


def test_a_direction_towards_no_claim() -> None:
    case = direction(stance="no_claim")
    assert outcome(case, ("asserted", "certain"), ("no_claim", None)).passed
    assert not outcome(case, ("no_claim", None), ("asserted", "certain")).passed


@pytest.mark.parametrize(
    ("expected", "steps"),
    [
        ("lower", {("certain", "probable"), ("certain", "possible"), ("probable", "possible")}),
        ("higher", {("probable", "certain"), ("possible", "certain"), ("possible", "probable")}),
    ],
)
def test_a_direction_along_the_scale(
    expected: str, steps: set[tuple[Certainty | None, Certainty | None]]
) -> None:
    """Where there is no claim before or after, nothing has moved along the scale."""
    levels: list[Certainty | None] = ["certain", "probable", "possible", None]
    case = direction(certainty=expected)
    passed = {
        (first, second)
        for first, second in product(levels, repeat=2)
        if outcome(case, of_certainty(first), of_certainty(second)).passed
    }
    assert passed == steps


def of_certainty(level: Certainty | None) -> Said:
    return ("no_claim", None) if level is None else ("asserted", level)


def test_the_stance_may_move_with_the_certainty() -> None:
    case = direction(certainty="lower")
    assert outcome(case, ("asserted", "certain"), ("attributed", "possible")).passed


def test_cases_are_judged_by_their_last_sentence_and_stay_in_order() -> None:
    cases = [minimum("m2", before=("They say so.",)), minimum("m1"), invariance("i1")]
    predictions = [
        predict("i1/changed", "Bo Marsh left."),
        predict("m1", "The firm denies it.", ("disputed", "certain")),
        predict("m2", "The firm denies it.", ("attributed", "certain"), position=1),
        predict("m2", "They say so.", ("disputed", "certain"), position=0),
        predict("i1", "Ann Lund left."),
        predict("unasked", "More."),
    ]
    found = judge_cases(cases, predictions, "p.jsonl")
    assert [(o.case.id, o.passed) for o in found] == [("m2", False), ("m1", True), ("i1", True)]


def test_in_words() -> None:
    assert in_words(Labels(stance="no_claim", certainty=None)) == "no_claim"
    assert in_words(predict("p", "x", ("refuted", "probable"))) == "refuted, probable"


# Predictions of other suites.


def test_a_passage_without_a_prediction(refuses: Refuses) -> None:
    refuses(
        "p.jsonl: expected a prediction for passage 'min-1': 'The firm denies it.', found none. "
        "To mend it: label the suites as they are now.",
        judge_cases,
        [minimum()],
        [predict("min-2", "The firm denies it.")],
        "p.jsonl",
    )


@pytest.mark.parametrize("case", [invariance("two"), direction("two", certainty="lower")])
def test_a_changed_passage_without_a_prediction(case: Case, refuses: Refuses) -> None:
    passage = second_passage(case)
    assert passage is not None
    refuses(
        f"p.jsonl: expected a prediction for passage 'two/changed': {passage.text!r}, found none",
        judge_cases,
        [case],
        [predict("two", case.text)],
        "p.jsonl",
    )


@pytest.mark.parametrize("stale", ["two", "two/changed"])
def test_a_prediction_for_an_older_text(stale: str, refuses: Refuses) -> None:
    case = invariance("two")
    texts = {"two": "Ann Lund left.", "two/changed": "Bo Marsh left."}
    old = "He left, as he had said he would, by the first train of the day."
    refuses(
        f"p.jsonl: expected a prediction for passage {stale!r}: {texts[stale]!r}, "
        f"found {old[:50]!r}. To mend it: label the suites as they are now.",
        judge_cases,
        [case],
        [predict(i, text) for i, text in (texts | {stale: old}).items()],
        "p.jsonl",
    )


def in_two_sentences(which: str) -> tuple[Case, dict[tuple[str, int], str]]:
    """A case with a sentence before one that is judged, and its texts by passage and position."""
    if which == "min-1":
        case = minimum(before=("They say so.",))
        return case, {("min-1", 0): "They say so.", ("min-1", 1): "The firm denies it."}
    case = InvarianceCase(
        id="inv-1",
        kind="invariance",
        change="claim placed before",
        text="Ann Lund left.",
        variant=Passage(before=("It is late.",), text="Ann Lund left."),
        note="",
    )
    texts = {("inv-1", 0): "Ann Lund left."}
    changed = {("inv-1/changed", 0): "It is late.", ("inv-1/changed", 1): "Ann Lund left."}
    return case, texts | changed


def predict_texts(texts: dict[tuple[str, int], str]) -> list[Prediction]:
    return [
        predict(passage, text, ("disputed", "certain"), position=position)
        for (passage, position), text in texts.items()
    ]


@pytest.mark.parametrize("passage", ["min-1", "inv-1/changed"])
@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize("given_text", [None, "They said otherwise."])
def test_each_sentence_of_a_passage_is_looked_at(
    passage: str, position: int, given_text: str | None, refuses: Refuses
) -> None:
    """Also what stands before the judged sentence, whether it is missing or of an older text."""
    case, texts = in_two_sentences(passage.removesuffix("/changed"))
    (found,) = judge_cases([case], predict_texts(texts), "p.jsonl")
    assert found.passed
    asked = texts.pop((passage, position))
    given_texts = {} if given_text is None else {(passage, position): given_text}
    refuses(
        f"p.jsonl: expected a prediction for passage {passage!r}: {asked!r}, "
        f"found {'none' if given_text is None else repr(given_text)}. "
        "To mend it: label the suites as they are now.",
        judge_cases,
        [case],
        predict_texts(texts | given_texts),
        "p.jsonl",
    )


def test_sentences_of_a_passage_in_another_order(refuses: Refuses) -> None:
    texts = {("min-1", 1): "They say so.", ("min-1", 0): "The firm denies it."}
    refuses(
        "passage 'min-1': 'They say so.', found 'The firm denies it.'",
        judge_cases,
        [minimum(before=("They say so.",))],
        predict_texts(texts),
        "p.jsonl",
    )


@pytest.mark.parametrize(
    ("passage", "position"), [("min-1", 0), ("min-1", 1), ("inv-1", 0), ("inv-1/changed", 1)]
)
@pytest.mark.parametrize("text", [None, "They said otherwise."])
def test_two_predictions_for_one_sentence(
    passage: str, position: int, text: str | None, refuses: Refuses
) -> None:
    """Whether or not both are for the text as it is."""
    case, texts = in_two_sentences(passage.removesuffix("/changed"))
    again = predict(passage, text or texts[passage, position], position=position)
    for predictions in ([*predict_texts(texts), again], [again, *predict_texts(texts)]):
        refuses(
            f"p.jsonl: expected each sentence once, found article {passage!r}, position "
            f"{position} twice. To mend it: delete one of them, or write the file anew.",
            judge_cases,
            [case],
            predictions,
            "p.jsonl",
        )


# Reading.


def write_suites(folder: Path, *cases: Case) -> Path:
    for name, kind in FILES.items():
        write_records(folder / name, [c for c in cases if isinstance(c, kind)])
    return folder


def test_suites_are_read_as_they_are_written(tmp_path: Path) -> None:
    cases = [
        minimum(title="A row", before=("They say it leaks.",)),
        minimum("min-2", ("no_claim", None)),
        invariance(),
        direction(certainty="higher"),
        direction("dir-2", stance="refuted"),
    ]
    assert read_cases(write_suites(tmp_path, *cases)) == cases
    assert [c.group for c in cases] == ["plain denial", "plain denial", "names", "hedge", "hedge"]


@pytest.mark.parametrize(
    ("case", "file"),
    [
        (minimum(), "minimum-functionality.jsonl"),
        (direction("inv-1", stance="refuted"), "direction.jsonl"),
    ],
)
def test_an_id_twice(tmp_path: Path, case: Case, file: str, refuses: Refuses) -> None:
    cases = [minimum(), invariance(), direction(stance="refuted"), case]
    refuses(
        f"{tmp_path / file}: expected each id once, found {case.id!r} twice. "
        "To mend it: give one of them another id.",
        read_cases,
        write_suites(tmp_path, *cases),
    )


@pytest.mark.parametrize("expect", [{}, {"stance": "refuted", "certainty": "lower"}])
def test_one_thing_is_expected(tmp_path: Path, expect: dict[str, str], refuses: Refuses) -> None:
    good = direction(stance="refuted")
    folder = write_suites(tmp_path, minimum(), invariance(), good)
    # A record that is not checked, to be written as it is.
    broken = good.model_copy(update={"expect": Loose(**expect)})
    write_records(folder / "direction.jsonl", [good, broken])
    refuses(
        f"{folder / 'direction.jsonl'}, line 2: expected a DirectionCase record",
        read_cases,
        folder,
    )
    refuses("found expect: Value error, give either a stance or a certainty", read_cases, folder)


@pytest.mark.parametrize(
    ("stance", "certainty"),
    [("no_claim", "certain"), ("no_claim", "possible"), ("asserted", None), ("refuted", None)],
)
def test_a_certainty_goes_with_a_claim(
    tmp_path: Path, stance: Stance, certainty: Certainty | None, refuses: Refuses
) -> None:
    broken = minimum("min-2").model_copy(update={"stance": stance, "certainty": certainty})
    folder = write_suites(tmp_path, minimum(), broken, invariance(), direction(stance="refuted"))
    error = refuses(
        ": Value error, certainty must be null for no_claim and set for every other stance, "
        f"not {certainty!r} for {stance}. To",
        read_cases,
        folder,
    )
    file = folder / "minimum-functionality.jsonl"
    assert str(error).startswith(f"{file}, line 2: expected a MinimumCase record")


class Loose(Record):
    stance: str | None = None
    certainty: str | None = None


def test_a_case_in_the_file_of_another_kind(tmp_path: Path, refuses: Refuses) -> None:
    folder = write_suites(tmp_path, minimum(), invariance(), direction(stance="refuted"))
    write_records(folder / "invariance.jsonl", [minimum("min-9")])
    refuses("invariance.jsonl, line 1: expected a InvarianceCase record", read_cases, folder)


@pytest.mark.parametrize("missing", FILES)
def test_a_suite_that_is_missing(tmp_path: Path, missing: str, refuses: Refuses) -> None:
    folder = write_suites(tmp_path, minimum(), invariance(), direction(stance="refuted"))
    (folder / missing).unlink()
    refuses(f"{folder / missing}: expected a file that can be read", read_cases, folder)


def test_a_passage_needs_a_sentence() -> None:
    for fields in ({"text": ""}, {"text": "Snow.", "before": [""]}):
        with pytest.raises(ValueError, match="at least 1 character"):
            Passage.model_validate(fields)


# Counts.


def test_groups_are_counted() -> None:
    outcomes = [
        Outcome(invariance("i1", "names"), True, ""),
        Outcome(minimum("m1", capability="denial"), True, ""),
        Outcome(invariance("i2", "dates"), False, ""),
        Outcome(invariance("i3", "names"), True, ""),
        # The name of a group may stand in two kinds.
        Outcome(minimum("m2", capability="names"), False, ""),
        Outcome(invariance("i4", "names"), False, ""),
    ]
    found = score_groups(outcomes)
    assert [(s.kind, s.group, s.cases, s.passed) for s in found] == [
        ("invariance", "", 4, 2),
        ("invariance", "names", 3, 2),
        ("invariance", "dates", 1, 0),
        ("minimum", "", 2, 1),
        ("minimum", "denial", 1, 1),
        ("minimum", "names", 1, 0),
    ]
    assert [s.rate.value for s in found] == pytest.approx([2 / 4, 2 / 3, 0, 1 / 2, 1, 0])


@pytest.mark.parametrize("cases", [1, 3, 10])
def test_the_interval_is_open_where_all_pass_or_fail(cases: int) -> None:
    """Wilson's bound for all of n is n / (n + z²), with z² = 3.841 for 95%."""
    for passed in (True, False):
        score = score_groups([Outcome(minimum(str(n)), passed, "") for n in range(cases)])[0]
        ends = (cases / (cases + 3.8415), 1) if passed else (0, 3.8415 / (cases + 3.8415))
        assert (score.rate.low, score.rate.high) == pytest.approx(ends, abs=1e-4)


def test_no_outcomes() -> None:
    assert score_groups([]) == []


kinds: list[Callable[[str, str], Case]] = [
    lambda i, group: minimum(i, capability=group),
    lambda i, group: invariance(i, group),
    lambda i, group: direction(i, change=group, stance="refuted"),
]


@given(
    st.lists(
        st.tuples(st.sampled_from(kinds), st.sampled_from("abc"), st.booleans()),
        min_size=1,
        max_size=30,
    )
)
def test_the_groups_of_a_kind_add_up(drawn: list[tuple[Any, str, bool]]) -> None:
    outcomes = [
        Outcome(make(str(n), group), passed, "") for n, (make, group, passed) in enumerate(drawn)
    ]
    scores = score_groups(outcomes)
    whole = {s.kind: s for s in scores if s.group == ""}
    assert sum(s.cases for s in whole.values()) == len(outcomes)
    for kind, score in whole.items():
        groups: list[GroupScore] = [s for s in scores if s.kind == kind and s.group]
        assert sum(s.cases for s in groups) == score.cases
        assert sum(s.passed for s in groups) == score.passed
        assert score.passed == sum(o.passed for o in outcomes if o.case.kind == kind)
    for score in scores:
        assert 0 <= score.rate.low <= score.rate.value <= score.rate.high <= 1
