"""Where the sentences of an English text begin and end.

The library ``sentencex`` finds the ends; it knows abbreviations and is fast. It
treats a quotation as one unit, though, and in news most of what matters stands in
quotation marks. So it is shown the text with the marks blanked out, and its cuts
are then put right: moved to the outer side of the closing mark, and taken back
where the quotation goes on into the words that say whose it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final

import sentencex

#: Two line ends with nothing but white space between them.
_PARAGRAPH_END: Final = re.compile(r"\n[^\S\n]*(?:\n[^\S\n]*)+")
_LINE_ENDS: Final = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")

_QUOTES: Final = '“”„‟«»‹›"`'
_APOSTROPHES: Final = "‘’‚'"
_BLANKED: Final = re.compile(
    f"[{_QUOTES}]"
    # An apostrophe that stands between letters, or opens the 's of "Co.'s", is no quotation mark.
    rf"|(?<![^\W_])(?<!\.)[{_APOSTROPHES}]|[{_APOSTROPHES}](?![^\W_])"
)
#: Bullets: the library never cuts a line that begins with one of them.
_BULLETS: Final = re.compile("[•⁃⁌⁍■□▪▫▶▸►◆◇○●◦★☆➢➣➤]")
#: Parentheses that hold whole sentences: they open where a sentence may, and close after its end.
_OWN_PARENTHESES: Final = re.compile(rf"(?:^|(?<=[.!?…{_QUOTES}’]\s))\(([^()]*[.!?…]\s*)\)")

#: What may stand between the mark that ends a sentence and the next sentence, and belongs to the
#: former: marks that stick to it, and closing ones set off by a space, as in French.
_CLOSERS: Final = re.compile(
    rf"[{_QUOTES}{_APOSTROPHES})\]]+(?=\s|$)|[”’»›)\]]+|\s+[»›”](?=\s|$)|\s+\"(?=\s|$)"
)
_OPENERS: Final = re.compile(rf"[\s{_QUOTES}{_APOSTROPHES}(\[]*")
_WORD: Final = re.compile(r"[^\W\d_]+")

#: Titles and the like that the library does not know and that never end a sentence.
_JOINING_ABBREVIATION: Final = re.compile(
    r"(?<![^\W_])(?:Ms|Mx|Messrs|Mme|Mlle|Dr|Gen|Lt|Col|Maj|Sgt|Capt|Cmdr|Adm|Sen|Rep|Gov|Rev|Pres"
    r"|Hon|Supt|Insp|Det|Amb|Atty|Cie|approx|vs|cf)\.$"
)
_CLOCK: Final = re.compile(r"(?<![^\W_])[ap]\.\s?m\.$", re.IGNORECASE)
_AFTER_CLOCK: Final = re.compile(
    r"(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
    r"|(?:E|C|M|P)[SD]?T|GMT|BST|CES?T|EES?T|UTC|IST|JST|AES?T"
    r"|(?:Eastern|Central|Mountain|Pacific|Greenwich|Moscow|Kyiv|local)\b)"
)
#: A number that counts the points of a list, alone on the left of a cut.
_LIST_NUMBER: Final = re.compile(r"\(?\d{1,3}\.$")

#: Two sentences that have lost the space between them, as against B.A.T or Mass.-based.
_GLUED: Final = re.compile(rf"[a-z]{{3}}\.[{_QUOTES}{_APOSTROPHES})\]]*$")
_CAPITALISED: Final = re.compile(r"[A-Z](?:[a-z]|\s)")

_ASKED_OR_SHOUTED: Final = re.compile(rf"[?!…,]\s?[{_QUOTES}{_APOSTROPHES}]+$")
_SPEECH: Final = (
    "said|says|asked|asks|told|tells|wrote|writes|added|adds|replied|replies|cried|cries|shouted"
    "|shouts|yelled|exclaimed|demanded|wondered|wonders|tweeted|posted|warned|insisted|answered"
    "|continued|recalled|joked|quipped|urged"
)
#: “Did it break?” Ann Lee asked.  -- but not: Ann Lee said that it did.
_ATTRIBUTION: Final = re.compile(
    rf"(?:[^\W\d_a-z][\w’'.-]*\s+){{1,4}}(?:{_SPEECH})"
    r"(?=\s*[.,;:]|\s*$|\s+(?:in|on|at|during|after|before|when|as|of|to|with|from|by|outside)\b)"
)


def split_sentences(text: str) -> list[tuple[int, int]]:
    r"""Find the sentences of a text.

    A blank line always ends a sentence, whatever stands before it; a single line
    end does not, unless the sentence ends there anyway. A quotation of several
    sentences is split like any text, with its marks left on the first and last of
    them; a quotation that the sentence goes on from (``“Did it break?” he asked.``)
    is not. A piece without a letter or digit goes with the sentence before it.

    Args:
        text: any string; it need not be valid Unicode.

    Returns:
        ``(start, end)`` of each sentence, in code points of ``text``: increasing,
        not overlapping, never empty, with no white space at either edge. What lies
        between them is white space only.

    >>> text = "He said “It broke. We ran.” Then he left."
    >>> [text[start:end] for start, end in split_sentences(text)]
    ['He said “It broke.', 'We ran.”', 'Then he left.']
    """
    lines = _with_plain_line_ends(text)
    masked = _mask(lines)
    spans: list[tuple[int, int]] = []
    for start, end in _paragraphs(lines):
        cuts = [start, *_cuts(text, masked, start, end), end]
        spans.extend(_without_wordless(text, _trimmed(text, cuts)))
    return spans


def _with_plain_line_ends(text: str) -> str:
    """Write every line end as a line feed, without moving any other code point."""
    return _LINE_ENDS.sub(lambda match: " " * (len(match[0]) - 1) + "\n", text)


def _mask(lines: str) -> str:
    """Blank out quotation marks; the result has one code point for each of ``lines``."""
    # The library takes its text as UTF-8, which has no surrogates.
    masked = _SURROGATES.sub("\ufffd", lines)
    masked = _OWN_PARENTHESES.sub(r" \1 ", masked)
    masked = _BLANKED.sub(" ", masked)
    masked = _BULLETS.sub(" ", masked)
    # The library cuts after three full stops, but not after the one character for them.
    return masked.replace("…", ".")


def _paragraphs(lines: str) -> Iterator[tuple[int, int]]:
    start = 0
    for gap in _PARAGRAPH_END.finditer(lines):
        yield start, gap.start()
        start = gap.end()
    yield start, len(lines)


def _cuts(text: str, masked: str, start: int, end: int) -> list[int]:
    """The offsets, strictly between ``start`` and ``end``, at which a sentence begins."""
    cuts: list[int] = []
    sentence_start = start
    for boundary in sentencex.get_sentence_boundaries("en", masked[start:end]):
        sentence_end = start + int(boundary["start_index"]) + len(boundary["text"].rstrip())
        cut = min(_past_closers(text, sentence_end), end)
        inside = sentence_start < cut < end
        if inside and not _belong_together(text, sentence_start, cut, end):
            cuts.append(cut)
            sentence_start = cut
    return cuts


def _past_closers(text: str, offset: int) -> int:
    while match := _CLOSERS.match(text, offset):
        offset = match.end()
    return offset


def _belong_together(text: str, start: int, cut: int, end: int) -> bool:
    """Whether the cut between ``text[start:cut]`` and what follows is a false one."""
    # No rule looks further than this; whole texts would make the work quadratic.
    left = text[max(start, cut - 60) : cut].rstrip()
    opening = _OPENERS.match(text, cut, end)
    right_start = opening.end() if opening else cut
    right = text[right_start : min(end, right_start + 120)]
    word = _WORD.match(right)
    if word and word[0].islower() and not left.endswith((":", ";")):
        return True
    if text[cut].isascii() and not text[cut].isspace() and text[cut - 1] == ".":
        return not (_GLUED.search(left) and _CAPITALISED.match(right))
    if _CLOCK.search(left):
        return bool(_AFTER_CLOCK.match(right))
    if _ASKED_OR_SHOUTED.search(left):
        return bool(_ATTRIBUTION.match(right))
    whole_left = cut - start <= 60 and _LIST_NUMBER.match(left.lstrip())
    return bool(whole_left or _JOINING_ABBREVIATION.search(left))


def _trimmed(text: str, cuts: Sequence[int]) -> Iterator[tuple[int, int]]:
    for left, right in pairwise(cuts):
        piece = text[left:right]
        start = left + len(piece) - len(piece.lstrip())
        end = left + len(piece.rstrip())
        if start < end:
            yield start, end


def _without_wordless(text: str, spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join a span that holds no letter or digit to the one before it, or else after it."""
    joined: list[tuple[int, int]] = []
    waiting: tuple[int, int] | None = None
    for start, end in spans:
        if has_word(text[start:end]):
            joined.append((waiting[0] if waiting else start, end))
            waiting = None
        elif joined:
            joined[-1] = (joined[-1][0], end)
        else:
            waiting = (waiting[0] if waiting else start, end)
    if waiting:
        joined.append(waiting)
    return joined


def has_word(text: str) -> bool:
    """Whether a text holds a letter or a digit, of any script."""
    return any(character.isalnum() for character in text)


def wrap_width(paragraphs: Iterable[Sequence[str]]) -> int | None:
    """The width at which a text is hard-wrapped, or None if its line ends mean something.

    A text counts as hard-wrapped if its broken lines reach a width of 40 to 100 code
    points; if at half of the line ends or more the next word would not have fitted
    into that width, and of these at least half stand before a line without a
    capital letter; and if at no more than a quarter of the line ends there was room
    for the next word, and that word goes on without a capital letter.

    Args:
        paragraphs: for each stretch of the text without a blank line, its lines.
    """
    breaks = [pair for lines in paragraphs for pair in pairwise(lines)]
    width = max((len(line.rstrip()) for line, _ in breaks), default=0)
    if not 40 <= width <= 100:
        return None
    full = [following for line, following in breaks if not _fits(line, following, width)]
    inside = [following for following in full if not _starts_with_capital(following)]
    ragged = [
        following
        for line, following in breaks
        if _fits(line, following, width) and not _starts_with_capital(following)
    ]
    mostly_full = 2 * len(full) >= len(breaks) and 4 * len(ragged) <= len(breaks)
    return width if mostly_full and 2 * len(inside) >= len(full) else None


def is_soft_wrap(line: str, following: str, width: int | None) -> bool:
    """Whether the end of a line is only the wrapping of a text hard-wrapped at ``width``.

    A line that had room for the next word, before one that starts with a capital
    letter, was ended on purpose. ``width`` is what `wrap_width` found.
    """
    if width is None:
        return False
    return not (_fits(line, following, width) and _starts_with_capital(following))


def _fits(line: str, following: str, width: int) -> bool:
    first_word = following.split(maxsplit=1)[:1]
    return len(line.rstrip()) + 1 + len("".join(first_word)) <= width


def _starts_with_capital(line: str) -> bool:
    first = next((character for character in line if character.isalnum()), "")
    return first.isupper()
