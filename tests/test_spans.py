"""Sources and cues become tags, and tags become the same sources and cues."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from claimstance.labels import TAGS
from claimstance.spans import Offsets, find_spans, read_spans, tags_of_tokens


def words_of(text: str) -> list[Offsets]:
    offsets, start = [], 0
    for word in text.split():
        start = text.index(word, start)
        offsets.append((start, start + len(word)))
        start += len(word)
    return offsets


def certain(tags: list[int]) -> npt.NDArray[np.float32]:
    """Probabilities of a model that is sure of these tags."""
    return np.eye(len(TAGS), dtype=np.float32)[tags]


@st.composite
def tagged(draw: st.DrawFn) -> tuple[str, tuple[int, int] | None, list[tuple[int, int]]]:
    """A text of distinct words, and runs of them: at most one source, some cues, no overlap."""
    word = st.text("abcdeéßж1’-", min_size=1, max_size=6).filter(lambda w: w[0].isalnum())
    words = draw(st.lists(word, min_size=1, max_size=12, unique=True))
    borders = sorted(draw(st.sets(st.integers(0, len(words)))))
    runs = [run for run in pairwise(borders) if draw(st.booleans())]
    source = draw(st.sampled_from([None, *runs]))
    return " ".join(words), source, [run for run in runs if run != source]


@given(tagged())
def test_there_and_back(case: tuple[str, tuple[int, int] | None, list[tuple[int, int]]]) -> None:
    text, source_run, cue_runs = case
    offsets = words_of(text)

    def span(run: tuple[int, int]) -> Offsets:
        return offsets[run[0]][0], offsets[run[1] - 1][1]

    spans = {
        "source": [span(source_run)] if source_run else [],
        "cue": [span(run) for run in cue_runs],
    }
    tags = tags_of_tokens(offsets, spans)
    source, cues = read_spans(text, offsets, certain(tags))
    assert source == (text[slice(*span(source_run))] if source_run else None)
    assert list(cues) == [text[slice(*span(run))] for run in cue_runs]


@given(tagged())
def test_words_are_found_where_they_stand(
    case: tuple[str, tuple[int, int] | None, list[tuple[int, int]]],
) -> None:
    text, _, runs = case
    offsets = words_of(text)
    spans = [(offsets[a][0], offsets[b - 1][1]) for a, b in runs]
    # Cues are looked for one after the other; these stand in order, but "a" is in "a-b" too.
    found = find_spans(text, None, [text[a:b] for a, b in spans])["cue"]
    assert [text[a:b] for a, b in found] == [text[a:b] for a, b in spans]
    starts = [a for a, _ in found]
    assert all(start <= spans[i][0] for i, start in enumerate(starts))


@pytest.mark.parametrize(
    ("text", "source", "cues", "expected"),
    [
        ("He noted no change", None, ["no"], {"source": [], "cue": [(9, 11)]}),
        ("not, he said, not", None, ["not", "not"], {"source": [], "cue": [(0, 3), (14, 17)]}),
        ("it said no", None, ["no", "said"], {"source": [], "cue": [(8, 10), (3, 7)]}),
        ("unhappily so", None, ["happily"], {"source": [], "cue": [(2, 9)]}),
        ("Aid (U.N.) came", "(U.N.)", [], {"source": [(4, 10)], "cue": []}),
        ("A B", "C", ["D"], {"source": [], "cue": []}),
        ("“Yes” — Åsa", "Åsa", ["Yes"], {"source": [(8, 11)], "cue": [(1, 4)]}),
    ],
)
def test_finding(
    text: str, source: str | None, cues: list[str], expected: dict[str, list[Offsets]]
) -> None:
    assert find_spans(text, source, cues) == expected


def test_the_tags_of_an_example() -> None:
    text = "The chair said they had not signed"
    spans = find_spans(text, "The chair", ["said", "not signed"])
    names = [TAGS[tag] for tag in tags_of_tokens(words_of(text), spans)]
    assert names == ["B-source", "I-source", "B-cue", "O", "O", "B-cue", "I-cue"]


def test_a_cue_keeps_a_token_that_is_the_sources_too() -> None:
    text = "people who deny it"
    tags = tags_of_tokens(words_of(text), find_spans(text, "people who deny", ["deny"]))
    assert [TAGS[tag] for tag in tags] == ["B-source", "I-source", "B-cue", "O"]


def test_the_pieces_of_a_word_give_the_whole_word() -> None:
    text = "reportedly gone"
    offsets = [(0, 6), (6, 8), (8, 10), (11, 15)]
    tags = [TAGS.index(name) for name in ("O", "B-cue", "O", "O")]
    assert read_spans(text, offsets, certain(tags)) == (None, ("reportedly",))


def test_a_stray_inside_tag_opens_a_span() -> None:
    tags = [TAGS.index(name) for name in ("I-source", "I-cue", "O", "I-source")]
    source, cues = read_spans("she said so himself", words_of("she said so himself"), certain(tags))
    assert source in ("she", "himself")
    assert cues == ("said",)


def test_the_likelier_of_two_sources_is_taken() -> None:
    text = "Ann told Bob"
    probabilities = np.zeros((3, len(TAGS)), dtype=np.float32)
    probabilities[:, TAGS.index("O")] = [0.1, 1.0, 0.4]
    probabilities[:, TAGS.index("B-source")] = [0.9, 0.0, 0.6]
    assert read_spans(text, words_of(text), probabilities) == ("Ann", ())
    assert read_spans(text, words_of(text), probabilities[::-1]) == ("Bob", ())


def test_a_cue_that_stands_twice_is_named_once() -> None:
    text = "no and no"
    tags = [TAGS.index("B-cue"), 0, TAGS.index("B-cue")]
    assert read_spans(text, words_of(text), certain(tags)) == (None, ("no",))


def test_a_sentence_without_tokens_has_no_spans() -> None:
    assert read_spans("…", [], np.zeros((0, len(TAGS)), dtype=np.float32)) == (None, ())
