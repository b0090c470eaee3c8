"""Windows: every sentence classified once, nothing longer than allowed, context as it should be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace

from claimstance.settings import WindowSettings
from claimstance.windows import (
    NO_SENTENCE,
    EncodedArticle,
    Window,
    cut_windows,
    encode_article,
    last_that_fits,
    make_window,
    stack_windows,
)

PAD, UNK, CLS, SEP = range(4)
WORDS = {word: number for number, word in enumerate("abcdefgh", start=10)}


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    """One token per word."""
    names = {"[PAD]": PAD, "[UNK]": UNK, "[CLS]": CLS, "[SEP]": SEP}
    made = Tokenizer(WordLevel(names | WORDS, unk_token="[UNK]"))
    made.pre_tokenizer = Whitespace()
    return made


def settings(max_tokens: int = 16, title_tokens: int = 4, context: int = 1) -> WindowSettings:
    return WindowSettings(
        max_tokens=max_tokens,
        title_tokens=title_tokens,
        context_sentences=context,
        cls_id=CLS,
        sep_id=SEP,
        pad_id=PAD,
    )


sentences = st.lists(st.sampled_from([*WORDS, "?"]), max_size=30).map(" ".join)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str | None, list[str], WindowSettings]:
    texts = draw(st.lists(sentences, min_size=1, max_size=12))
    title = draw(st.one_of(st.none(), sentences, st.just(texts[0])))
    chosen = settings(draw(st.integers(16, 60)), draw(st.integers(0, 12)), draw(st.integers(0, 4)))
    return title, texts, chosen


@given(cases())
def test_what_holds_for_all_windows(
    tokenizer: Tokenizer, case: tuple[str | None, list[str], WindowSettings]
) -> None:
    title, texts, chosen = case
    article = encode_article(tokenizer, title, texts, chosen)
    windows = cut_windows(article, chosen)
    classified = [w.first + i for w in windows for i in range(w.context, w.count)]
    assert classified == list(range(len(texts)))
    for window in windows:
        assert len(window.input_ids) <= chosen.max_tokens
        assert len(window.input_ids) == len(window.sentence_of) == len(window.offsets)
        assert window.context <= chosen.context_sentences
        assert window.input_ids[0] == CLS and window.input_ids[-1] == SEP
        # Each sentence has its separator at least, so that its mean is of something.
        assert set(range(window.count)) <= set(window.sentence_of)
        _tokens_are_the_sentences_own(window, article, texts)


def _tokens_are_the_sentences_own(
    window: Window, article: EncodedArticle, texts: list[str]
) -> None:
    for index in range(window.count):
        encoding = article.sentences[window.first + index]
        places = [t for t, owner in enumerate(window.sentence_of) if owner == index]
        assert window.input_ids[places[-1]] == SEP
        kept = [window.input_ids[t] for t in places[:-1]]
        assert kept == encoding.ids[: len(kept)]
        if window.count > 1:
            assert len(kept) == len(encoding.ids)
        text = texts[window.first + index]
        words = [text[slice(*window.offsets[t])] for t in places[:-1]]
        assert words == text.split()[: len(kept)]


@given(cases())
def test_windows_could_not_be_fewer(
    tokenizer: Tokenizer, case: tuple[str | None, list[str], WindowSettings]
) -> None:
    """The first sentence of the next window did not fit into the one before."""
    title, texts, chosen = case
    article = encode_article(tokenizer, title, texts, chosen)
    windows = cut_windows(article, chosen)
    for window, following in pairwise(windows):
        extra = len(article.sentences[following.first + following.context]) + 1
        room = chosen.max_tokens - len(window.input_ids)
        # A window that gave up context to fit its first sentence takes no second one.
        assert extra > room or window.context < min(
            chosen.context_sentences, window.first + window.context
        )


def cut(tokenizer: Tokenizer, title: str | None, texts: list[str], **kw: int) -> list[Window]:
    chosen = settings(**kw)
    return cut_windows(encode_article(tokenizer, title, texts, chosen), chosen)


def test_the_title_stands_first_and_belongs_to_no_sentence(tokenizer: Tokenizer) -> None:
    (window,) = cut(tokenizer, "a b", ["c d", "e"])
    a, b, c, d, e = (WORDS[w] for w in "abcde")
    assert window.input_ids == [CLS, a, b, SEP, c, d, SEP, e, SEP]
    assert window.sentence_of == [NO_SENTENCE] * 4 + [0, 0, 0, 1, 1]
    assert window.offsets == [(0, 0)] * 4 + [(0, 1), (2, 3), (0, 0), (0, 1), (0, 0)]


def test_a_title_that_is_the_first_sentence_stands_there_once(tokenizer: Tokenizer) -> None:
    texts = ["a b", *["c d e f"] * 4]
    first, *others = cut(tokenizer, "a b", texts, context=0)
    assert first.input_ids[:4] == [CLS, WORDS["a"], WORDS["b"], SEP]
    assert first.input_ids.count(WORDS["a"]) == 1
    assert first.sentence_of[1] == 0
    # Later windows are told the title, as no sentence of theirs.
    assert others
    for window in others:
        assert window.input_ids[1:4] == [WORDS["a"], WORDS["b"], SEP]
        assert window.sentence_of[:4] == [NO_SENTENCE] * 4


def test_without_a_title_there_is_no_empty_place_for_one(tokenizer: Tokenizer) -> None:
    for title in (None, ""):
        (window,) = cut(tokenizer, title, ["a"])
        assert window.input_ids == [CLS, WORDS["a"], SEP]


def test_a_long_title_is_cut(tokenizer: Tokenizer) -> None:
    (window,) = cut(tokenizer, "a b c d e f g", ["h"], title_tokens=3)
    assert window.input_ids[:5] == [CLS, WORDS["a"], WORDS["b"], WORDS["c"], SEP]


def test_a_title_leaves_room_for_sentences(tokenizer: Tokenizer) -> None:
    for window in cut(tokenizer, " ".join(["a"] * 30), ["b c", "d"], title_tokens=32):
        assert len(window.input_ids) <= 16
        assert {WORDS["b"], WORDS["d"]} & set(window.input_ids)


def test_a_later_window_begins_with_the_sentences_before(tokenizer: Tokenizer) -> None:
    texts = ["a a a a", "b b b", "c c c", "d d d"]
    first, second = cut(tokenizer, None, texts, context=2)
    assert (first.first, first.context, first.count) == (0, 0, 3)
    assert (second.first, second.context, second.count) == (1, 2, 3)
    assert second.input_ids[1:5] == [WORDS["b"]] * 3 + [SEP]


def test_context_is_given_up_from_its_far_end(tokenizer: Tokenizer) -> None:
    texts = ["a a a a a a", "b b b b b", "c c c c c c c c"]
    *_, last = cut(tokenizer, None, texts, context=2)
    assert (last.first, last.context, last.count) == (1, 1, 2)
    assert WORDS["a"] not in last.input_ids
    assert last.input_ids.count(WORDS["c"]) == 8


def test_a_sentence_longer_than_a_window_loses_its_tail(tokenizer: Tokenizer) -> None:
    texts = ["a", " ".join(["b"] * 40), "c"]
    windows = cut(tokenizer, "d", texts, context=1)
    assert [w.first + i for w in windows for i in range(w.context, w.count)] == [0, 1, 2]
    (long,) = [w for w in windows if w.input_ids.count(WORDS["b"]) and not w.context and w.first]
    assert len(long.input_ids) == 16
    assert long.input_ids.count(WORDS["b"]) == 16 - 4
    assert long.input_ids[-1] == SEP


def test_a_sentence_without_tokens_still_has_its_separator(tokenizer: Tokenizer) -> None:
    (window,) = cut(tokenizer, None, ["a", "", "b"])
    assert window.input_ids == [CLS, WORDS["a"], SEP, SEP, WORDS["b"], SEP]
    assert window.sentence_of == [NO_SENTENCE, 0, 0, 1, 2, 2]


def test_how_far_a_window_reaches(tokenizer: Tokenizer) -> None:
    chosen = settings()
    article = encode_article(tokenizer, None, ["a b c d", "e f g h", "a b c d", "e"], chosen)
    assert last_that_fits(article, 0, 0, chosen) == 3
    assert last_that_fits(article, 1, 1, chosen) == 4
    assert len(make_window(article, 0, 3, 0, chosen).input_ids) == 16


def test_an_article_without_sentences_has_no_windows(tokenizer: Tokenizer) -> None:
    assert cut(tokenizer, "a", []) == []


@given(st.lists(cases(), min_size=1, max_size=3))
def test_stacking(
    tokenizer: Tokenizer, many: list[tuple[str | None, list[str], WindowSettings]]
) -> None:
    windows = [
        window
        for title, texts, chosen in many
        for window in cut_windows(encode_article(tokenizer, title, texts, chosen), chosen)
    ]
    batch = stack_windows(windows, pad_id=99)
    width = max(len(w.input_ids) for w in windows)
    ids, attention, mask = (
        batch[name] for name in ("input_ids", "attention_mask", "sentence_mask")
    )
    assert ids.shape == attention.shape == (len(windows), width)
    assert mask.shape == (len(windows), max(w.count for w in windows), width)
    assert (ids.dtype, attention.dtype, mask.dtype) == (np.int64, np.int64, np.float32)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        assert ids[row].tolist() == [*window.input_ids, *[99] * (width - length)]
        assert attention[row].tolist() == [1] * length + [0] * (width - length)
        for index in range(mask.shape[1]):
            is_read_only = index < window.context
            own = [owner == index and not is_read_only for owner in window.sentence_of]
            assert mask[row, index].tolist() == [*map(float, own), *[0.0] * (width - length)]
