"""Neutrality: frames filled both ways, and what is made of the two labels."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claimstance.articles import Article
from claimstance.behaviour import Passage
from claimstance.charts import draw_neutrality, save_picture
from claimstance.errors import InputError
from claimstance.labels import STANCES, Stance
from claimstance.neutrality import (
    FRAMES_FILE,
    PARTIES_FILE,
    Frame,
    PairScore,
    Party,
    PartyPair,
    articles_of,
    fill,
    read_frames,
    score_pairs,
)
from claimstance.records import Prediction, write_records, write_text
from claimstance.statistics import Estimate

Refuses = Callable[..., InputError]
Probabilities = Mapping[Stance, float]

COURT = Party(name="the court", adj="court", cap="The court")
ARLEN = Party(name="Arlen", adj="Arlener", cap="Arlen")
PAIR = PartyPair(id="court-arlen", a=COURT, b=ARLEN, real=False)
DENIAL = Frame(id="f1", stance="disputed", text="{A_cap} denies what {B} says.")
FACT = Frame(id="f2", stance="asserted", text="Then {A} met the {B_adj} envoys.")


def predict(article: Article, probabilities: Probabilities, position: int = 0) -> Prediction:
    """The likeliest stance, with the probabilities that are given; the others are 0."""
    stance = max(probabilities, key=lambda s: probabilities[s])
    span = article.sentences[position]
    return Prediction(
        article_id=article.id,
        position=position,
        start=span.start,
        end=span.end,
        text=span.text,
        stance=stance,
        certainty=None if stance == "no_claim" else "certain",
        stance_probabilities=dict.fromkeys(STANCES, 0.0) | dict(probabilities),
        certainty_probabilities={"certain": 1.0, "probable": 0.0, "possible": 0.0},
        source=None,
        cues=(),
        model="by hand",
    )


def scored(
    frames: Sequence[Frame], both: Sequence[tuple[Probabilities, Probabilities]]
) -> PairScore:
    """The score of the pair, with the probabilities of each frame both ways."""
    predictions = [
        predict(article, probabilities)
        for article, probabilities in zip(
            articles_of(frames, [PAIR]), chain.from_iterable(both), strict=True
        )
    ]
    (score,) = score_pairs(frames, [PAIR], predictions, "p.jsonl")
    return score


def values(score: PairScore) -> list[float]:
    return [e.value for e in (score.flips, score.moved, score.leaning, score.right)]


# Frames and what they are filled with.


def test_every_form_has_its_place() -> None:
    frame = Frame(
        id="f",
        stance="attributed",
        title="{A_cap} and {B}",
        before=("{B_cap} spoke of {A_adj} rules.", "The {B_adj} side left."),
        text="It was late, {A} said.",
    )
    assert fill(frame, COURT, ARLEN) == Passage(
        title="The court and Arlen",
        before=("Arlen spoke of court rules.", "The Arlener side left."),
        text="It was late, the court said.",
    )
    assert fill(frame, ARLEN, COURT) == Passage(
        title="Arlen and the court",
        before=("The court spoke of Arlener rules.", "The court side left."),
        text="It was late, Arlen said.",
    )


def test_a_frame_without_a_title_has_none_when_filled() -> None:
    assert fill(DENIAL, COURT, ARLEN) == Passage(text="The court denies what Arlen says.")


def test_each_pair_fills_each_frame_both_ways() -> None:
    other = PartyPair(id="back", a=ARLEN, b=COURT, real=True)
    found = [(a.id, [s.text for s in a.sentences]) for a in articles_of([DENIAL, FACT], [PAIR])]
    assert found == [
        ("court-arlen/f1/1", ["The court denies what Arlen says."]),
        ("court-arlen/f1/2", ["Arlen denies what the court says."]),
        ("court-arlen/f2/1", ["Then the court met the Arlener envoys."]),
        ("court-arlen/f2/2", ["Then Arlen met the court envoys."]),
    ]
    assert [a.id for a in articles_of([FACT], [PAIR, other])] == [
        "court-arlen/f2/1",
        "court-arlen/f2/2",
        "back/f2/1",
        "back/f2/2",
    ]


KNOWN = "known: ['A', 'A_adj', 'A_cap', 'B', 'B_adj', 'B_cap']"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"text": "{A} met {C}."}, f"unknown slot 'C'; {KNOWN}"),
        ({"text": "{A} met {B_name}."}, f"unknown slot 'B_name'; {KNOWN}"),
        ({"text": "{A} met {}."}, f"unknown slot ''; {KNOWN}"),
        ({"text": "{A} met {B}.", "title": "{Party}"}, f"unknown slot 'Party'; {KNOWN}"),
        ({"text": "{A} met {B}.", "before": ("{a}",)}, f"unknown slot 'a'; {KNOWN}"),
        ({"text": "{A!x} met {B}."}, f"unknown slot 'A!x'; {KNOWN}"),
        ({"text": "{A} met {B!r}."}, f"unknown slot 'B!r'; {KNOWN}"),
        ({"text": "{A:d} met {B}."}, f"unknown slot 'A:d'; {KNOWN}"),
        ({"text": "{A} met {B_adj!s:>9}."}, f"unknown slot 'B_adj!s:>9'; {KNOWN}"),
        ({"text": "{A} met {B:{A}}."}, f"unknown slot 'B:{{A}}'; {KNOWN}"),
        ({"text": "{A} met {B}.", "title": "{A:d}"}, f"unknown slot 'A:d'; {KNOWN}"),
        ({"text": "{A} met {B}.", "before": ("{B!x}",)}, f"unknown slot 'B!x'; {KNOWN}"),
        ({"text": "{A} met nobody."}, "both {A} and {B} must stand in the passage"),
        ({"text": "The {B_adj} side met {B}."}, "both {A} and {B} must stand in the passage"),
        ({"text": "Nobody met."}, "both {A} and {B} must stand in the passage"),
        ({"text": "{A} met {B}, {."}, "expected '}' before end of string"),
    ],
)
def test_slots(tmp_path: Path, fields: dict[str, Any], words: str, refuses: Refuses) -> None:
    write_records(tmp_path / PARTIES_FILE, [PAIR])
    write_records(tmp_path / FRAMES_FILE, [DENIAL, FACT.model_copy(update=fields)])
    error = refuses(words, read_frames, tmp_path)
    assert str(error).startswith(f"{tmp_path / FRAMES_FILE}, line 2: expected a Frame record")


@pytest.mark.parametrize(
    "fields",
    [
        {"text": "{A_adj} and {B_cap}"},
        {"text": "So it went.", "before": ["{A} met.", "{B} met."]},
        {"text": "{B} met.", "title": "{A_cap}"},
    ],
)
def test_the_parties_may_stand_anywhere(fields: dict[str, Any]) -> None:
    frame = Frame.model_validate({"id": "f", "stance": "asserted"} | fields)
    filled = fill(frame, COURT, ARLEN)
    assert "{" not in " ".join([filled.title or "", *filled.before, filled.text])


def test_frames_and_parties_are_read_as_they_are_written(tmp_path: Path) -> None:
    write_records(tmp_path / FRAMES_FILE, [DENIAL, FACT])
    write_records(tmp_path / PARTIES_FILE, [PAIR])
    assert read_frames(tmp_path) == ([DENIAL, FACT], [PAIR])


@pytest.mark.parametrize(
    ("frames", "pairs", "file", "twice"),
    [
        ([DENIAL, FACT, FACT.model_copy(update={"id": "f1"})], [PAIR], FRAMES_FILE, "f1"),
        ([DENIAL], [PAIR, PAIR.model_copy(update={"real": True})], PARTIES_FILE, "court-arlen"),
    ],
)
def test_an_id_twice(
    tmp_path: Path,
    frames: list[Frame],
    pairs: list[PartyPair],
    file: str,
    twice: str,
    refuses: Refuses,
) -> None:
    write_records(tmp_path / FRAMES_FILE, frames)
    write_records(tmp_path / PARTIES_FILE, pairs)
    refuses(
        f"{tmp_path / file}: expected each id once, found {twice!r} twice. "
        "To mend it: give one of them another id.",
        read_frames,
        tmp_path,
    )


def test_a_frame_and_a_pair_may_have_the_same_id(tmp_path: Path) -> None:
    frame = DENIAL.model_copy(update={"id": PAIR.id})
    write_records(tmp_path / FRAMES_FILE, [frame])
    write_records(tmp_path / PARTIES_FILE, [PAIR])
    assert read_frames(tmp_path) == ([frame], [PAIR])


def test_a_party_without_one_of_its_forms(tmp_path: Path, refuses: Refuses) -> None:
    write_records(tmp_path / FRAMES_FILE, [DENIAL])
    write_text(tmp_path / PARTIES_FILE, '{"id": "p", "a": {"name": "x", "cap": "X"}}\n')
    refuses(f"{tmp_path / PARTIES_FILE}, line 1: expected a PartyPair record (id, a, b, real), "
            "found a.adj: Field required", read_frames, tmp_path)  # fmt: skip


@pytest.mark.parametrize("missing", [FRAMES_FILE, PARTIES_FILE])
def test_a_file_that_is_missing(tmp_path: Path, missing: str, refuses: Refuses) -> None:
    write_records(tmp_path / FRAMES_FILE, [DENIAL])
    write_records(tmp_path / PARTIES_FILE, [PAIR])
    (tmp_path / missing).unlink()
    refuses(f"{tmp_path / missing}: expected a file that can be read", read_frames, tmp_path)


names = st.text(st.characters(categories=["Lu", "Ll"], include_characters=" '{}"), max_size=6)
parties = st.builds(Party, name=names, adj=names, cap=names)


@given(parties, parties)
def test_a_name_is_put_in_as_it_is(one: Party, other: Party) -> None:
    """Also one with braces, which is no slot."""
    frame = Frame(id="f", stance="asserted", text="{A}|{A_adj}|{A_cap}|{B}|{B_adj}|{B_cap}")
    forms = [one.name, one.adj, one.cap, other.name, other.adj, other.cap]
    assert fill(frame, one, other).text == "|".join(forms)
    assert fill(frame, other, one).text == "|".join(forms[3:] + forms[:3])


# Scores.


def test_a_pair_by_hand() -> None:
    score = scored(
        [DENIAL, FACT],
        [
            ({"disputed": 0.5, "asserted": 0.5}, {"asserted": 0.8, "refuted": 0.2}),
            ({"asserted": 0.75, "no_claim": 0.25}, {"asserted": 0.75, "no_claim": 0.25}),
        ],
    )
    assert (score.pair, score.frames) == (PAIR, 2)
    # The first frame: disputed one way (as its gold has it), asserted the other; asserted
    # gains 0.3 and refuted 0.2 of what disputed loses; doubt falls from 0.5 to 0.2.
    assert score.flips.value == 1 / 2
    assert score.moved.value == pytest.approx((0.3 + 0.5 + 0.2) / 2 / 2)
    assert score.leaning.value == pytest.approx((0.5 - 0.2) / 2)
    assert score.right.value == pytest.approx((1 / 2 + 1) / 2)
    # A draw holds either frame alone.
    assert (score.moved.low, score.moved.high) == pytest.approx((0, 0.5))
    assert (score.leaning.low, score.leaning.high) == pytest.approx((0, 0.3))
    assert (score.right.low, score.right.high) == pytest.approx((0.5, 1))


@pytest.mark.parametrize(
    ("stance", "leaning"),
    [
        ("asserted", 0),
        ("attributed", 0),
        ("disputed", 1),
        ("unproven", 1),
        ("refuted", 1),
        ("no_claim", 0),
    ],
)
def test_the_sign_of_leaning(stance: Stance, leaning: float) -> None:
    """More doubt with the first party in the first place is positive."""
    plain: Stance = "attributed" if stance == "asserted" else "asserted"
    there = scored([DENIAL], [({stance: 1.0}, {plain: 1.0})])
    back = scored([DENIAL], [({plain: 1.0}, {stance: 1.0})])
    right = float(stance == "disputed") / 2
    assert values(there) == [1, 1, leaning, right]
    assert values(back) == [1, 1, -leaning, right]


def test_one_doubt_in_place_of_another_leans_to_no_side() -> None:
    score = scored([DENIAL], [({"disputed": 1.0}, {"refuted": 1.0})])
    assert values(score) == [1, 1, 0, 0.5]


def test_opposite_leanings_cancel_out_but_not_what_moved() -> None:
    doubt, plain = {"unproven": 0.75, "asserted": 0.25}, {"unproven": 0.25, "asserted": 0.75}
    score = scored([DENIAL, FACT], [(doubt, plain), (plain, doubt)])
    assert values(score) == [1, 0.5, 0, 0.25]


def test_probabilities_may_move_while_the_stance_stays() -> None:
    score = scored([FACT], [({"asserted": 1.0}, {"asserted": 0.75, "disputed": 0.25})])
    assert values(score) == [0, 0.25, -0.25, 1]


@pytest.mark.parametrize("frames", [1, 8])
def test_no_flip_at_all_still_has_an_interval(frames: int) -> None:
    """Wilson's upper bound for none of n is z² / (n + z²), with z² = 3.841 for 95%."""
    many = [FACT.model_copy(update={"id": f"f{n}"}) for n in range(frames)]
    score = scored(many, [({"asserted": 1.0}, {"asserted": 1.0})] * frames)
    assert (score.flips.value, score.flips.low) == (0, 0)
    assert score.flips.high == pytest.approx(3.8415 / (frames + 3.8415), abs=1e-4)


def test_the_last_sentence_of_a_filled_frame_counts() -> None:
    frame = Frame(id="f", stance="refuted", before=("{A} met.",), text="{B} did not.")
    one, other = articles_of([frame], [PAIR])
    predictions = [
        predict(article, {stance: 1.0}, position)
        for article, position, stance in (
            (one, 1, STANCES[4]),
            (one, 0, STANCES[0]),
            (other, 0, STANCES[0]),
            (other, 1, STANCES[4]),
        )
    ]
    (score,) = score_pairs([frame], [PAIR], predictions, "p.jsonl")
    assert values(score) == [0, 0, 0, 1]


def test_each_pair_is_scored_by_itself() -> None:
    other = PartyPair(id="other", a=ARLEN, b=COURT, real=True)
    first, second, other_first, other_second = articles_of([DENIAL], [PAIR, other])
    predictions = [
        predict(other_first, {"disputed": 1.0}),
        predict(first, {"disputed": 1.0}),
        predict(other_second, {"disputed": 1.0}),
        predict(second, {"asserted": 1.0}),
    ]
    scores = score_pairs([DENIAL], [PAIR, other], predictions, "p.jsonl")
    assert [s.pair.id for s in scores] == ["court-arlen", "other"]
    assert [values(s) for s in scores] == [[1, 1, 1, 0.5], [0, 0, 0, 1]]


def predict_frames(frames: Sequence[Frame], pair: PartyPair = PAIR) -> list[Prediction]:
    """Every sentence of the filled frames is asserted."""
    return [
        predict(article, {"asserted": 1.0}, position)
        for article in articles_of(frames, [pair])
        for position in range(len(article.sentences))
    ]


def test_a_missing_prediction(refuses: Refuses) -> None:
    third = FACT.model_copy(update={"id": "f3"})
    kept = ("court-arlen/f1/1", "court-arlen/f2/2", "court-arlen/f3/1")
    refuses(
        "p.jsonl: expected a prediction for passage 'court-arlen/f1/2': "
        "'Arlen denies what the court says.', found none. "
        "To mend it: label the suites as they are now.",
        score_pairs,
        [DENIAL, FACT],
        [PAIR],
        [p for p in predict_frames([DENIAL, FACT, third]) if p.article_id in kept],
        "p.jsonl",
    )


STORY = Frame(id="f", stance="refuted", before=("{A_cap} met.",), text="{B_cap} did not.")


def test_a_sentence_before_without_a_prediction(refuses: Refuses) -> None:
    refuses(
        "p.jsonl: expected a prediction for passage 'court-arlen/f/2': 'Arlen met.', found none",
        score_pairs,
        [STORY],
        [PAIR],
        [p for p in predict_frames([STORY]) if (p.article_id[-1], p.position) != ("2", 0)],
        "p.jsonl",
    )


HALL = COURT.model_copy(update={"cap": "The hall"})


@pytest.mark.parametrize(
    ("frame", "pair", "words"),
    [
        (
            STORY.model_copy(update={"text": "{B_cap} would not."}),
            PAIR,
            "'court-arlen/f/1': 'Arlen did not.', found 'Arlen would not.'",
        ),
        (
            STORY.model_copy(update={"before": ("{A_cap} sat.",)}),
            PAIR,
            "'court-arlen/f/1': 'The court met.', found 'The court sat.'",
        ),
        (
            STORY.model_copy(update={"before": ()}),
            PAIR,
            "'court-arlen/f/1': 'The court met.', found 'Arlen did not.'",
        ),
        (
            STORY,
            PAIR.model_copy(update={"a": HALL}),
            "'court-arlen/f/1': 'The court met.', found 'The hall met.'",
        ),
        (
            STORY,
            PAIR.model_copy(update={"a": ARLEN, "b": COURT}),
            "'court-arlen/f/1': 'The court met.', found 'Arlen met.'",
        ),
    ],
)
def test_a_prediction_for_an_older_frame_or_pair(
    frame: Frame, pair: PartyPair, words: str, refuses: Refuses
) -> None:
    refuses(
        f"p.jsonl: expected a prediction for passage {words}. "
        "To mend it: label the suites as they are now.",
        score_pairs,
        [STORY],
        [PAIR],
        predict_frames([frame], pair),
        "p.jsonl",
    )


def test_two_predictions_for_one_sentence(refuses: Refuses) -> None:
    predictions = predict_frames([STORY])
    for twice in predictions:
        refuses(
            f"p.jsonl: expected each sentence once, found article {twice.article_id!r}, position "
            f"{twice.position} twice. To mend it: delete one of them, or write the file anew.",
            score_pairs,
            [STORY],
            [PAIR],
            [*predictions, twice],
            "p.jsonl",
        )


shares = st.lists(st.integers(0, 9), min_size=6, max_size=6).filter(any)
ways = st.lists(st.tuples(shares, shares), min_size=1, max_size=5)


def distribution(drawn: Sequence[int]) -> Probabilities:
    return {s: n / sum(drawn) for s, n in zip(STANCES, drawn, strict=True)}


@given(ways)
@settings(max_examples=50, deadline=None)
def test_changing_places_turns_leaning_alone(drawn: list[tuple[list[int], list[int]]]) -> None:
    frames = [FACT.model_copy(update={"id": f"f{n}"}) for n in range(len(drawn))]
    both = [(distribution(one), distribution(other)) for one, other in drawn]
    there, back = scored(frames, both), scored(frames, [(b, a) for a, b in both])
    assert there.flips == back.flips
    assert values(there)[1] == pytest.approx(values(back)[1])
    assert there.leaning.value == pytest.approx(-back.leaning.value)
    assert values(there)[3] == pytest.approx(values(back)[3])
    # No side can gain more doubt than what moved altogether.
    assert abs(there.leaning.value) <= there.moved.value + 1e-9
    assert -1e-9 <= there.moved.value <= 1 + 1e-9
    same = scored(frames, [(a, a) for a, _ in both])
    assert values(same)[:3] == [0, 0, 0]


# The picture.


def score_of(number: int) -> PairScore:
    pair = PAIR.model_copy(update={"id": str(number)})
    share = Estimate(0.25, 0.125, 0.5)
    return PairScore(pair, 8, share, share, Estimate(-0.25, -0.5, 0.125), share)


def test_the_picture(tmp_path: Path) -> None:
    for name in ("one.png", "deep/two.png"):
        save_picture(draw_neutrality([score_of(1)]), tmp_path / name)
    content = (tmp_path / "one.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert content == (tmp_path / "deep" / "two.png").read_bytes()
    save_picture(draw_neutrality([score_of(n) for n in range(9)]), tmp_path / "more.png")
    assert height(tmp_path / "more.png") > height(tmp_path / "one.png")


def test_the_picture_of_frames_that_all_lean_alike(tmp_path: Path) -> None:
    """The mean of equal figures may be a hair off all of them, on either side."""
    frames = [FACT.model_copy(update={"id": f"f{n}"}) for n in range(48)]
    scores = []
    for percent in range(1, 40):
        more = {"asserted": 0.5 + percent / 100, "disputed": 0.5 - percent / 100}
        scores.append(scored(frames, [({"asserted": 0.5, "disputed": 0.5}, more)] * 48))
    # Otherwise the picture would show nothing of the case.
    gaps = [(s.leaning.value - s.leaning.low, s.leaning.high - s.leaning.value) for s in scores]
    assert min(map(min, gaps)) < 0
    assert [gap for both in gaps for gap in both] == pytest.approx([0] * 78, abs=1e-12)
    save_picture(draw_neutrality(scores), tmp_path / "alike.png")
    assert (tmp_path / "alike.png").read_bytes().startswith(b"\x89PNG")


def height(path: Path) -> int:
    (found,) = struct.unpack(">I", path.read_bytes()[20:24])
    assert isinstance(found, int)
    return found
