"""Sentence ends: what is split, what is kept together, and that nothing is lost."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from claimstance.sentences import is_soft_wrap, split_sentences, wrap_width

#: Text dense in the signs that the rules look at, which plain random text hardly ever is.
SIGNS = [*"“”‘’\"'«»()[].!?… \n\r\t■a—\u2029\u200b\ud800\x00😀é", "\r\n", "\n\n"]
WORDS = ["He ", "left. ", "Mr. ", "U.S. ", "said ", "p.m. ", "Monday ", "؟", "مرحبا ", "1. "]
BUSY = st.lists(st.sampled_from(SIGNS + WORDS), max_size=60).map("".join)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_sentences(text)]


@given(st.text(st.characters(codec=None, categories=None)) | BUSY)
@example("\ud83d\ude00. \udc00")
@example("■\n\nOne. Two.\n\n■")
def test_spans_are_increasing_trimmed_and_lossless(text: str) -> None:
    end_before = 0
    for start, end in split_sentences(text):
        assert end_before <= start < end <= len(text)
        assert not text[end_before:start].strip()
        assert text[start:end] == text[start:end].strip()
        end_before = end
    assert not text[end_before:].strip()


@pytest.mark.parametrize(
    "expected",
    [
        # Quotations of several sentences, in every kind of mark.
        ["He said “It broke.", "We ran.”", "Then he left."],
        ['He said "It broke.', 'We ran."', "Then he left."],
        ["He said ‘It broke.", "We ran.’", "Then he left."],
        ["He said «It broke.", "We ran.»", "Then he left."],
        ["« It broke. »", "Then he left."],
        ["He said: “No.”", "“Yes,” she said."],
        ["She wrote “He told me, ‘Go.’”", "Then she went."],
        ["“Go.” ■"],
        # Words that say whose the quotation is.
        ["“Did it break?” he asked."],
        ["“It broke!” said Ann.", "Nobody heard."],
        ["“Did it break?” Ann Lee asked.", "Nobody knew."],
        ["“Did it break?” Mr Lee asked in May."],
        ["“Did it break?”", "Officials said that it had not."],
        # Apostrophes are no quotation marks.
        ["The players’ union met.", "It’s the players’ choice."],
        ["The '90s ended.", "Acme Co.'s boss left."],
        # Abbreviations, initials, numbers.
        ["Mr. Lee and Ms. Roy met Gen. Cox.", "All three spoke."],
        ["The U.S. Army paid $3.5 million on Jan. 5 for No. 5."],
        ["J. K. Lee came at 5 a.m. Wednesday.", "He left at 5 p.m.", "Nobody saw him."],
        ["He lives in the U.S.", "She does not."],
        ["1. The first point.", "2. The second point."],
        ["A Springfield, Mass.-based firm won.", "B.A.T was told of it."],
        # Ellipses.
        ["They waited... and left.", "They waited...", "Then they left."],
        ["They waited… and left.", "They waited…", "Then they left."],
        # Parentheses that hold sentences, and one that does not.
        ["He left.", "(She stayed.)", "They met."],
        ["(This is whole.", "So is this.)", "They met."],
        ["Lee (the boss. He came late) left.", "Cox stayed."],
        # Other scripts.
        ["هل انكسر؟", "نعم."],
        ["Émile 😀 came.", "Then he left."],
    ],
)
def test_splits(expected: list[str]) -> None:
    assert sentences(" ".join(expected)) == expected


def test_a_sentence_ends_at_a_line_end_if_it_ends() -> None:
    assert sentences("It broke.\nWe ran\nhome.\r\nThen we slept.") == [
        "It broke.",
        "We ran\nhome.",
        "Then we slept.",
    ]


@pytest.mark.parametrize("gap", ["\n\n", "\r\n\r\n", "\n \t\n", "\r\r", "\u2029\u2029"])
def test_a_blank_line_ends_a_sentence_without_a_full_stop(gap: str) -> None:
    assert sentences(f"A headline{gap}and more") == ["A headline", "and more"]


def test_sentences_that_lost_the_space_between_them() -> None:
    assert sentences("It broke.We ran.") == ["It broke.", "We ran."]


@pytest.mark.parametrize("text", ["", " ", "\n\r\n\t\u2003"])
def test_white_space_holds_no_sentence(text: str) -> None:
    assert split_sentences(text) == []


def test_signs_go_with_the_sentence_before_or_else_after() -> None:
    assert sentences("■ It broke. We ran. ■") == ["■ It broke.", "We ran. ■"]
    assert sentences("• It broke. We ran.") == ["• It broke.", "We ran."]
    assert sentences("■ ?") == ["■ ?"]
    assert sentences("■\n\nIt broke.") == ["■", "It broke."]


WRAPPED = [
    "The bridge over the river fell on Monday, the police said,",
    "and the traffic was stopped for hours; nobody was hurt, but",
    "the mayor and her deputy resigned.",
]


def test_the_width_of_a_hard_wrapped_text() -> None:
    assert wrap_width([WRAPPED, ["A headline"]]) == 59
    assert is_soft_wrap(WRAPPED[0], WRAPPED[1], 59)
    assert not is_soft_wrap("A headline", WRAPPED[0], 59)


@pytest.mark.parametrize(
    "lines",
    [
        ["One paragraph on each line. " * 5, "another one. " * 10, "a third. " * 10],
        ["A headline of a good many words about a bridge", "It broke.", "We ran."],
        ["A line that somebody broke where it pleased him, here", "and", "there", "and so on"],
        ["short", "lines", "of a poem"],
        [],
    ],
)
def test_line_ends_mean_something_elsewhere(lines: list[str]) -> None:
    assert wrap_width([lines]) is None
    assert not is_soft_wrap("The bridge", "fell", None)
