"""From sentences to model input: the one function that training and inference share.

An encoder reads a *window*: the title, then as many consecutive sentences as fit,
every token once, a separator after the title and after each sentence. A window
that does not open the article begins with the last sentences of the window
before, as context only. (Cohan et al. 2019, "Pretrained language models for
sequential sentence classification", reads abstracts in the same way.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from tokenizers import Encoding, Tokenizer

from claimstance.settings import WindowSettings

#: A gap that marks a token as no part of any sentence's text.
NO_SENTENCE = -1


@dataclass(frozen=True, slots=True)
class Window:
    """What the encoder reads in one go.

    Attributes:
        first: position, in the article, of the first sentence in the window.
        context: how many sentences at its beginning are there as context only.
        input_ids: token ids, special tokens included.
        sentence_of: for each token the sentence it belongs to, counted from the
            window's first; ``NO_SENTENCE`` for title and special tokens.
        offsets: for each token its code points in its own sentence; (0, 0) outside.
        count: number of sentences, those of the context included.
    """

    first: int
    context: int
    count: int
    input_ids: list[int] = field(repr=False)
    sentence_of: list[int] = field(repr=False)
    offsets: list[tuple[int, int]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class EncodedArticle:
    """The tokens of an article: its title and each sentence, without special tokens."""

    title: list[int]
    title_is_first_sentence: bool
    sentences: list[Encoding]


def encode_article(
    tokenizer: Tokenizer, title: str | None, sentences: Sequence[str], settings: WindowSettings
) -> EncodedArticle:
    """Tokenise an article once; windows of any length can then be cut from it."""
    encodings = tokenizer.encode_batch(list(sentences), add_special_tokens=False)
    title_ids = tokenizer.encode(title, add_special_tokens=False).ids if title else []
    return EncodedArticle(
        # Half a window at most, so that there is room for sentences.
        title=title_ids[: min(settings.title_tokens, settings.max_tokens // 2)],
        title_is_first_sentence=bool(title) and bool(sentences) and title == sentences[0],
        sentences=encodings,
    )


def cut_windows(article: EncodedArticle, settings: WindowSettings) -> list[Window]:
    """Cut a whole article into windows so that each sentence is classified once."""
    windows: list[Window] = []
    position = 0
    while position < len(article.sentences):
        first = max(0, position - settings.context_sentences)
        last = last_that_fits(article, first, position, settings)
        windows.append(make_window(article, first, last, position - first, settings))
        position = last
    return windows


def make_window(
    article: EncodedArticle, first: int, last: int, context: int, settings: WindowSettings
) -> Window:
    """Build the window of sentences ``first`` to ``last`` (exclusive).

    What does not fit is cut: context from its far end, then the tail of a sentence
    that is longer than a whole window.
    """
    while context and _length(article, first, last, settings) > settings.max_tokens:
        first, context = first + 1, context - 1
    title = _title_for(article, first)
    ids = [settings.cls_id, *title, *([settings.sep_id] if title else [])]
    sentence_of = [NO_SENTENCE] * len(ids)
    offsets = [(0, 0)] * len(ids)
    for index, encoding in enumerate(article.sentences[first:last]):
        room = max(settings.max_tokens - len(ids) - 1, 0)
        ids += [*encoding.ids[:room], settings.sep_id]
        kept = min(len(encoding.ids), room)
        # The separator counts as its sentence's: a sentence is never without tokens.
        sentence_of += [index] * (kept + 1)
        offsets += [*encoding.offsets[:room], (0, 0)]
    return Window(first, context, last - first, ids, sentence_of, offsets)


def _title_for(article: EncodedArticle, first: int) -> list[int]:
    """The title's tokens, unless the window itself begins with the title."""
    return [] if first == 0 and article.title_is_first_sentence else article.title


def _length(article: EncodedArticle, first: int, last: int, settings: WindowSettings) -> int:
    title = _title_for(article, first)
    opening = 1 + len(title) + bool(title)
    return opening + sum(len(sentence) + 1 for sentence in article.sentences[first:last])


def last_that_fits(
    article: EncodedArticle, first: int, position: int, settings: WindowSettings
) -> int:
    """The end of the window that begins at ``first`` and must classify ``position``."""
    last = position + 1
    length = _length(article, first, last, settings)
    while last < len(article.sentences):
        length += len(article.sentences[last]) + 1
        if length > settings.max_tokens:
            break
        last += 1
    return last


Batch = dict[str, npt.NDArray[np.int64] | npt.NDArray[np.float32]]


def stack_windows(windows: Sequence[Window], pad_id: int) -> Batch:
    """Pad windows to one batch of arrays.

    Returns:
        ``input_ids`` and ``attention_mask``, int64 of shape (windows, tokens), and
        ``sentence_mask``, float32 of shape (windows, sentences, tokens): 1 where the
        token belongs to the sentence, and the sentence is not there as context only.
    """
    rows, width = len(windows), max(len(w.input_ids) for w in windows)
    input_ids = np.full((rows, width), pad_id, dtype=np.int64)
    attention_mask = np.zeros((rows, width), dtype=np.int64)
    sentence_mask = np.zeros((rows, max(w.count for w in windows), width), dtype=np.float32)
    for row, window in enumerate(windows):
        length = len(window.input_ids)
        input_ids[row, :length] = window.input_ids
        attention_mask[row, :length] = 1
        owners = np.asarray(window.sentence_of)
        tokens = np.flatnonzero(owners >= window.context)
        sentence_mask[row, owners[tokens], tokens] = 1
    return {
        "input_ids": input_ids,
        "attention_mask": attention_mask,
        "sentence_mask": sentence_mask,
    }
