"""Sources and cues as tags of tokens, and back.

A sentence's source is one span, its cues are any number; both are exact
substrings. The model sees them as one begin-inside-outside tag per token.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from claimstance.labels import TAGS

Offsets = tuple[int, int]

_OUTSIDE: Final = TAGS.index("O")
_CLASSES: Final = ("source", "cue")


def find_spans(text: str, source: str | None, cues: Sequence[str]) -> dict[str, list[Offsets]]:
    """Locate a sentence's source and cues in its text, as code-point offsets.

    Cues are looked for in order, each after the one before; whole words are
    preferred, so that the cue "no" is not found inside "noted".
    """
    found: dict[str, list[Offsets]] = {"source": [], "cue": []}
    if source is not None:
        found["source"] += _locate(text, source, 0)
    start = 0
    for cue in cues:
        spans = _locate(text, cue, start) or _locate(text, cue, 0)
        found["cue"] += spans
        start = spans[0][1] if spans else start
    return found


def _locate(text: str, part: str, start: int) -> list[Offsets]:
    """The first place of ``part`` at or after ``start``: at most one span."""
    whole = re.compile(rf"(?<!\w){re.escape(part)}(?!\w)").search(text, start)
    if whole:
        return [whole.span()]
    index = text.find(part, start)
    return [(index, index + len(part))] if index >= 0 and part else []


def tags_of_tokens(offsets: Sequence[Offsets], spans: dict[str, list[Offsets]]) -> list[int]:
    """The tag of each token, as an index into ``TAGS``.

    Where a cue overlaps the source, the cue keeps the token: it is the rarer.
    """
    tags = [_OUTSIDE] * len(offsets)
    for name in _CLASSES:
        for start, end in spans[name]:
            inside = [i for i, (a, b) in enumerate(offsets) if a < end and b > start]
            for rank, token in enumerate(inside):
                tags[token] = TAGS.index(f"{'I' if rank else 'B'}-{name}")
    return tags


def read_spans(
    text: str, offsets: Sequence[Offsets], probabilities: npt.NDArray[np.float32]
) -> tuple[str | None, tuple[str, ...]]:
    """Read the source and the cues of a sentence from its tokens' tag probabilities.

    Args:
        text: the sentence.
        offsets: code points of each token in it, shape (tokens, 2).
        probabilities: shape (tokens, tags).

    Returns:
        The most probable source or None, and the cues in the order of the text.
    """
    sources: list[tuple[float, Offsets]] = []
    cues: list[Offsets] = []
    for name, first, last in _runs(probabilities.argmax(axis=1)):
        span = _whole_words(text, offsets[first][0], offsets[last][1])
        if name == "cue":
            cues.append(span)
        else:
            columns = [TAGS.index("B-source"), TAGS.index("I-source")]
            mass = probabilities[first : last + 1, columns].sum(axis=1).mean()
            sources.append((float(mass), span))
    source = max(sources)[1] if sources else None
    # The tokens of some tokenizers begin with the space before the word.
    unique = dict.fromkeys(words for a, b in cues if (words := text[a:b].strip()))
    return (text[slice(*source)].strip() or None) if source else None, tuple(unique)


def _runs(tags: npt.NDArray[np.intp]) -> Iterator[tuple[str, int, int]]:
    """Yield ``(class, first token, last token)`` of each span; a stray I- tag opens one."""
    open_class, first = "", 0
    for index, tag in enumerate([*(TAGS[i] for i in tags), "O"]):
        mark, _, name = tag.partition("-")
        if open_class and (mark != "I" or name != open_class):
            yield open_class, first, index - 1
            open_class = ""
        if mark != "O" and not open_class:
            open_class, first = name, index


def _whole_words(text: str, start: int, end: int) -> Offsets:
    """Widen a span that begins or ends inside a word."""
    while 0 < start < len(text) and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while 0 < end < len(text) and text[end - 1].isalnum() and text[end].isalnum():
        end += 1
    return start, end
