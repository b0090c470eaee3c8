"""The behaviour suites as they are published: sizes, no copies, and a second opinion on each."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import pytest

from claimstance.behaviour import (
    SECOND_PASS_FILE,
    Case,
    DirectionCase,
    InvarianceCase,
    MinimumCase,
    Passage,
    articles_of,
    judge,
    judge_second_pass,
    read_cases,
    second_passage,
)
from claimstance.corpus import load_split
from claimstance.corpus_checks import near_duplicates, words
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.neutrality import Frame, PartyPair, fill, read_frames
from claimstance.neutrality import articles_of as filled_frames
from claimstance.records import Labels, read_records

ROOT = Path(__file__).parent.parent
SUITES = ROOT / "evaluation" / "behaviour"

#: Of the blind second pass, how much must say what the written expectation says.
LEAST_AGREEMENT = 0.97


class SecondLabels(Labels):
    """What the second pass says of one passage."""

    id: str


@pytest.fixture(scope="module")
def cases() -> list[Case]:
    return read_cases(SUITES)


@pytest.fixture(scope="module")
def frames() -> list[Frame]:
    return read_frames(SUITES)[0]


@pytest.fixture(scope="module")
def parties() -> list[PartyPair]:
    return read_frames(SUITES)[1]


@pytest.fixture(scope="module")
def corpus() -> list[str]:
    folder = ROOT / "data" / "corpus"
    return [
        sentence.text
        for split in ("train", "dev", "test")
        for article in load_split(folder, split)
        for sentence in article.sentences
    ]


@pytest.fixture(scope="module")
def second_pass() -> dict[str, SecondLabels]:
    return {labels.id: labels for labels in read_second_pass()}


def read_second_pass() -> list[SecondLabels]:
    return read_records(SUITES / "second-pass.jsonl", SecondLabels)


def passages(case: Case) -> list[Passage]:
    second = second_passage(case)
    return [case] if second is None else [case, second]


# Sizes.


def test_there_are_enough_cases_of_each_kind(cases: list[Case]) -> None:
    assert len(cases) >= 600
    counts = Counter(case.kind for case in cases)
    assert set(counts) == {"minimum", "invariance", "direction"}
    assert min(counts.values()) >= 100


def test_ids_are_unique(cases: list[Case], frames: list[Frame], parties: list[PartyPair]) -> None:
    """Also those of the articles that are made of cases and frames."""
    for ids in (
        [case.id for case in cases] + [frame.id for frame in frames],
        [article.id for article in articles_of(cases)],
        [pair.id for pair in parties],
        [article.id for article in filled_frames(frames, parties)],
    ):
        assert [i for i, times in Counter(ids).items() if times > 1] == []


def test_all_labels_stand_among_the_minimum_cases(cases: list[Case]) -> None:
    minimum = [case for case in cases if isinstance(case, MinimumCase)]
    assert {case.stance for case in minimum} == set(STANCES)
    assert {case.certainty for case in minimum} == {*CERTAINTIES, None}
    # What the guidelines do not allow, no model could pass.
    assert [c.id for c in minimum if (c.stance == "no_claim") != (c.certainty is None)] == []


def test_every_direction_is_asked_for(cases: list[Case]) -> None:
    expected = [case.expect for case in cases if isinstance(case, DirectionCase)]
    assert {e.stance for e in expected} == {*STANCES, None}
    assert {e.certainty for e in expected} == {"lower", "higher", None}


# Texts.


def test_a_change_changes_something(cases: list[Case]) -> None:
    """What is judged or what stands before it, and not by its title alone."""
    for case in cases:
        changed = second_passage(case)
        if changed is not None:
            assert (changed.before, changed.text) != (case.before, case.text), case.id


def test_a_claim_placed_before_is_the_only_change(cases: list[Case]) -> None:
    """All other changes are in the judged sentence itself."""
    direction = [case for case in cases if isinstance(case, DirectionCase)]
    same = [case.id for case in direction if case.changed.text == case.text]
    assert same == [case.id for case in direction if case.change == "claim placed before"]


def test_no_text_is_a_copy(cases: list[Case], frames: list[Frame], parties: list[PartyPair],
                           corpus: list[str]) -> None:  # fmt: skip
    """Of the corpus, or between what is judged in two cases; a case's own two are alike."""
    owners: dict[str, set[str]] = defaultdict(set)
    before: set[str] = set()
    for case in cases:
        for passage in passages(case):
            owners[passage.text].add(case.id)
            before.update(passage.before)
    for frame, pair in product(frames, parties[:2]):
        for passage in (fill(frame, pair.a, pair.b), fill(frame, pair.b, pair.a)):
            owners[passage.text].add(frame.id)
    assert [text for text, found in owners.items() if len(found) > 1] == []
    owner = {text: found.pop() for text, found in owners.items()}
    # Two cases may share what stands before the judged sentence: it is compared with the
    # corpus alone.
    context = sorted(before - set(owner))
    judged = list(owner)
    copies = [
        (judged[one], (judged + corpus)[other])
        for one, other in near_duplicates(judged + corpus, len(judged))
        if other >= len(judged) or owner[judged[one]] != owner[judged[other]]
    ]
    assert copies == []
    assert [
        (context[one], (context + corpus)[other])
        for one, other in near_duplicates(context + corpus, len(context))
        if other >= len(context)
    ] == []


def test_no_short_text_is_a_copy(cases: list[Case], corpus: list[str]) -> None:
    """Near-duplicates tell nothing of a few words: those may not be the same."""
    known = {tuple(words(text)) for text in corpus}
    owners: dict[tuple[str, ...], str] = {}
    for case in cases:
        for passage in passages(case):
            found = tuple(words(passage.text))
            assert found not in known, case.id
            assert owners.setdefault(found, case.id) == case.id


def test_few_cases_begin_alike(cases: list[Case]) -> None:
    beginnings: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for case in cases:
        for passage in passages(case):
            beginnings[tuple(words(passage.text)[:4])].add(case.id)
    assert {start: ids for start, ids in beginnings.items() if len(ids) > 3} == {}


# Frames.


def test_frames_have_every_stance_alike(frames: list[Frame]) -> None:
    assert Counter(frame.stance for frame in frames) == dict.fromkeys(STANCES, 8)


def test_all_slots_fill(frames: list[Frame], parties: list[PartyPair]) -> None:
    for frame, pair in product(frames, parties):
        one, other = fill(frame, pair.a, pair.b), fill(frame, pair.b, pair.a)
        for passage in (one, other):
            text = " ".join([passage.title or "", *passage.before, passage.text])
            assert not {"{", "}"} & set(text), frame.id
            for party in (pair.a, pair.b):
                assert any(f in text for f in (party.name, party.adj, party.cap)), frame.id
        assert (one.before, one.text) != (other.before, other.text), frame.id


def test_parties_are_real_and_invented(parties: list[PartyPair]) -> None:
    assert {pair.real for pair in parties} == {True, False}
    for pair in parties:
        assert pair.a.name != pair.b.name
        for party in (pair.a, pair.b):
            assert party.cap == party.name[0].upper() + party.name[1:]
            assert party.name and party.adj


def test_a_sentence_begins_with_a_capital(frames: list[Frame], parties: list[PartyPair]) -> None:
    for frame, pair in product(frames, parties):
        for passage in (fill(frame, pair.a, pair.b), fill(frame, pair.b, pair.a)):
            for sentence in (*passage.before, passage.text):
                assert sentence.lstrip("“‘")[0].isupper(), sentence


# The blind second pass.


def test_the_second_pass_has_every_passage_once(
    cases: list[Case], frames: list[Frame], second_pass: Mapping[str, SecondLabels]
) -> None:
    ids = {article.id for article in articles_of(cases)} | {frame.id for frame in frames}
    assert set(second_pass) == ids
    assert len(read_second_pass()) == len(ids)


@pytest.mark.parametrize("kind", ["minimum", "invariance", "direction"])
def test_the_second_pass_agrees(
    kind: str, cases: list[Case], second_pass: Mapping[str, SecondLabels]
) -> None:
    asked = [case for case in cases if case.kind == kind]
    others = [case.id for case in asked if not agrees(case, second_pass)]
    assert len(others) <= (1 - LEAST_AGREEMENT) * len(asked), others


def agrees(case: Case, second_pass: Mapping[str, SecondLabels]) -> bool:
    first = second_pass[case.id]
    if isinstance(case, MinimumCase):
        return (first.stance, first.certainty) == (case.stance, case.certainty)
    changed = second_pass[f"{case.id}/changed"]
    if isinstance(case, InvarianceCase):
        return (first.stance, first.certainty) == (changed.stance, changed.certainty)
    if case.expect.stance is not None:
        # It must move there, not merely be there.
        return first.stance != case.expect.stance == changed.stance
    firmness = {"possible": 0, "probable": 1, "certain": 2}
    if first.certainty is None or changed.certainty is None:
        return False
    step = firmness[changed.certainty] - firmness[first.certainty]
    return step < 0 if case.expect.certainty == "lower" else step > 0


def test_the_second_pass_agrees_on_frames(
    frames: list[Frame], second_pass: Mapping[str, SecondLabels]
) -> None:
    others = [frame.id for frame in frames if second_pass[frame.id].stance != frame.stance]
    assert len(others) <= (1 - LEAST_AGREEMENT) * len(frames), others


def test_the_second_pass_is_judged_as_a_model_is(
    cases: list[Case], second_pass: dict[str, SecondLabels]
) -> None:
    outcomes = judge_second_pass(SUITES)
    assert [o.case for o in outcomes] == cases
    assert {o.case.id for o in outcomes if not o.passed} == {
        case.id for case in cases if not judge(case, second_pass).passed
    }
    assert sum(o.passed for o in outcomes) / len(outcomes) >= LEAST_AGREEMENT


def test_a_passage_without_a_second_opinion(tmp_path: Path) -> None:
    for path in SUITES.glob("*.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = lines[1:] if path.name == SECOND_PASS_FILE else lines
        (tmp_path / path.name).write_text("\n".join(kept), encoding="utf-8")
    with pytest.raises(InputError, match="expected labels for every passage of the suites"):
        judge_second_pass(tmp_path)
