"""The text of a Markdown file, without its marks, and where each character of it stood.

Not a full parser of CommonMark: news articles kept as Markdown are often exported
by tools that put one paragraph on each line, so a line end ends a block here unless
the file looks hard-wrapped (see `claimstance.sentences.wrap_width`), and an indented
line is text, not code.
"""

from __future__ import annotations

import html
import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from claimstance.sentences import has_word, is_soft_wrap, wrap_width

_LINE: Final = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_FRONT_MATTER_LINE: Final = re.compile(r"(?:\s.*|[\w.-]+\s*[:=].*|-\s.*|[#\[\]}].*)?$")
_FRONT_MATTER_KEY: Final = re.compile(r"[\w.-]+\s*[:=]")
_FRONT_MATTER_TITLE: Final = re.compile(r"title\s*[:=]\s*(.*?)\s*$", re.IGNORECASE)
_HIDING: Final = re.compile(r"<!--|<(script|style)\b[^<>]*>", re.IGNORECASE)

_QUOTE_MARK: Final = re.compile(r"[ \t]*>")
_LIST_MARK: Final = re.compile(
    r"[ \t]*(?:[-*+]|(\d{1,3})[.)])(?=[ \t]|$)(?:[ \t]+\[[ xX]\](?=\s))?"
)
_FOOTNOTE_MARK: Final = re.compile(r"[ \t]*\[\^[^\]\s]+\]:")
_HEADING_MARK: Final = re.compile(r"[ \t]*(#{1,6})(?=[ \t]|$)")
_HEADING_TAIL: Final = re.compile(r"(?:^|(?<=[ \t]))#+[ \t]*$")
_FENCE: Final = re.compile(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})")
_RULE: Final = re.compile(r"[ \t]*([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_UNDERLINE: Final = re.compile(r"[ \t]*(=+|-+)[ \t]*$")
_DEFINITION: Final = re.compile(
    r"[ \t]*\[(?!\^)([^\[\]]+)\]:[ \t]*\S+(?:[ \t]+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?[ \t]*$"
)
_TABLE_DELIMITER: Final = re.compile(
    r"(?=.*\|)[ \t]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?\s*$"
)
_CELL: Final = re.compile(r"(?:[^|\\]|\\.|\\$)+")

_TOKEN: Final = re.compile(
    r"(?P<escape>\\[!-/:-@\[-`{-~])"
    r"|(?P<code>`+)"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});)"
    r"|(?P<tag><[^<>\s][^<>]*>)"
    r"|(?P<open>!?\[)"
    r"|(?P<close>\])"
    r"|(?P<emphasis>\*+|_+|~~+)"
)
_AUTOLINK: Final = re.compile(r"<(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[^\s<>@]+@[^\s<>@]+)>$")
_TAG: Final = re.compile(r"</?([A-Za-z][A-Za-z0-9-]*)(?:[\s/][^<>]*)?>$")
_BLOCK_TAG: Final = re.compile(
    "address|article|aside|blockquote|br|caption|dd|div|dl|dt|figcaption|figure|footer|h[1-6]"
    "|header|hr|li|main|nav|ol|p|pre|section|summary|table|tbody|td|tfoot|th|thead|tr|ul",
    re.IGNORECASE,
)
# Possessive, so that a bracket that never closes costs no more than one look at it.
_TARGET: Final = re.compile(
    r"\(\s*+(?:<[^<>\n]*>|(?:[^\s()\\]|\\.|\([^\s()]*\))*+)"
    r"(?:\s++(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?+\s*+\)"
)
_IMAGE_TARGET: Final = re.compile(r"\([^()\n]*\)")
_LABEL: Final = re.compile(r"\[([^\[\]]{0,999})\]")

#: Marks that may stand before the text of one line; more of them are text.
_DEEPEST: Final = 16

# What becomes of a character of a block.
_KEEP, _DROP, _BREAK, _VOID = range(4)


class Block(NamedTuple):
    """A stretch of text within which sentences may run on.

    ``starts[i]`` and ``ends[i]`` are the offsets, in code points of the file, of
    what the character ``text[i]`` was written as (one character, or an entity
    such as ``&amp;``).
    """

    text: str
    starts: list[int]
    ends: list[int]


@dataclass(slots=True)
class _Run:
    """Lines that form one paragraph, heading or table row: content start, content end, line end."""

    kind: Literal["text", "heading", "row"]
    level: int = 0
    is_item: bool = False
    lines: list[tuple[int, int, int]] = field(default_factory=list)


def read_markdown(source: str) -> tuple[str | None, list[Block]]:
    """Take the marks out of a Markdown text.

    Headings and the cells of tables are blocks of their own. Left out are front
    matter, closed code fences with their content, images, HTML comments and tags,
    targets of links, reference definitions, and every other mark.

    Args:
        source: the whole file, decoded.

    Returns:
        The title (that of the front matter, or else the first heading of level
        one, or else a heading that the file opens with), and the blocks in order,
        each holding at least one letter or digit.
    """
    body, title = _front_matter(source)
    hidden = _hidden(source, body)
    view = "".join(
        " " if flag and character not in "\r\n" else character
        for character, flag in zip(source, hidden, strict=True)
    )
    runs, definitions = _runs(view, body)
    width = wrap_width([[view[a:b] for a, b, _ in run.lines] for run in runs if run.kind == "text"])
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    for run in runs:
        first_of_run = len(blocks)
        for spans in _groups(run, view, width):
            offsets = [offset for start, end in spans for offset in range(start, end)]
            found = _without_marks(source, offsets, hidden, definitions)
            blocks.extend(block for block in found if has_word(block.text))
        is_title = run.kind == "heading" and (run.level == 1 or first_of_run == 0)
        if is_title and len(blocks) > first_of_run:
            headings.append((run.level, blocks[first_of_run].text.strip()))
    headings.sort(key=lambda heading: heading[0] != 1)
    return title or (headings[0][1] if headings else None), blocks


def _lines(view: str, position: int) -> list[tuple[int, int, int]]:
    """Start, end, and end with the line feed, of each line from ``position`` on."""
    found: list[tuple[int, int, int]] = []
    while position < len(view) and (match := _LINE.match(view, position)):
        found.append((match.start(), match.end(1), match.end()))
        position = match.end()
    return found


def _front_matter(source: str) -> tuple[int, str | None]:
    """Where the text after the front matter begins, and the title given in it."""
    fence = source[:4].rstrip()
    if fence not in ("---", "+++") or source[3:4] not in ("\r", "\n"):
        return 0, None
    title: str | None = None
    for number, (start, end, after) in enumerate(_lines(source, 0)):
        line = source[start:end]
        if number and line.rstrip() in (fence, "..."):
            return (after, title) if number > 1 else (0, None)
        if number == 1 and not _FRONT_MATTER_KEY.match(line):
            break
        if number and not _FRONT_MATTER_LINE.match(line):
            break
        match = _FRONT_MATTER_TITLE.match(line)
        # A lone > or | announces a value on the lines below, which is not worth a YAML parser.
        if number and match and has_word(match[1]):
            title = match[1].strip("\"'").strip()
    return 0, None


def _hidden(source: str, body: int) -> bytearray:
    """Flags for the characters of comments, scripts and style sheets."""
    flags = bytearray(len(source))
    never_closed: set[str] = set()
    while opening := _HIDING.search(source, body):
        body = opening.end()
        closing = f"</{opening[1].lower()}>" if opening[1] else "-->"
        end = None
        if closing not in never_closed:
            end = re.compile(re.escape(closing), re.IGNORECASE).search(source, body)
        if end is None:
            never_closed.add(closing)
            continue
        body = end.end()
        flags[opening.start() : body] = b"\1" * (body - opening.start())
    return flags


def _runs(view: str, body: int) -> tuple[list[_Run], frozenset[str]]:
    """Sort the lines into paragraphs, headings and rows; collect the labels defined for links."""
    lines = _lines(view, body)
    closing = _fence_ends(view, lines)
    runs: list[_Run] = []
    labels: set[str] = set()
    paragraph: _Run | None = None
    depth, in_table, skip_to = 0, False, 0
    for number, (start, end, after) in enumerate(lines):
        if number < skip_to:
            continue
        in_paragraph = paragraph is not None and not paragraph.is_item
        content, quotes, is_item = _past_prefix(view, start, end, in_paragraph=in_paragraph)
        line = view[content:end]
        delimiter = (
            number + 1 < len(lines) and "|" in line and _is_delimiter(view, lines[number + 1])
        )
        in_table = "|" in line and (in_table or delimiter)
        if quotes != depth or is_item:
            paragraph = None
        depth = quotes
        if _FENCE.match(line):
            paragraph, skip_to = None, closing.get(number, number) + 1
        elif paragraph and not is_item and (underline := _UNDERLINE.match(line)):
            paragraph.kind, paragraph.level = "heading", 1 if underline[1][0] == "=" else 2
            _keep_last_line(runs)
            paragraph = None
        elif not line.strip() or _RULE.match(line) or _TABLE_DELIMITER.match(line):
            paragraph = None
        elif not paragraph and (definition := _DEFINITION.match(line)):
            labels.add(_normal_label(definition[1]))
        elif heading := _HEADING_MARK.match(line):
            tail = _HEADING_TAIL.search(line, heading.end())
            text_end = content + tail.start() if tail else end
            place = (content + heading.end(), text_end, text_end)
            runs.append(_Run("heading", len(heading[1]), lines=[place]))
            paragraph = None
        elif in_table:
            runs.append(_Run("row", lines=[(content, end, after)]))
            paragraph = None
        else:
            if paragraph is None:
                paragraph = _Run("text", is_item=is_item)
                runs.append(paragraph)
            paragraph.lines.append((content, end, after))
    return runs, frozenset(labels)


def _keep_last_line(runs: list[_Run]) -> None:
    """Only the line right above an underline is a heading; those above it stay text."""
    heading = runs[-1]
    if len(heading.lines) > 1:
        runs.insert(-1, _Run("text", lines=heading.lines[:-1]))
        heading.lines = heading.lines[-1:]


def _past_prefix(view: str, start: int, end: int, *, in_paragraph: bool) -> tuple[int, int, bool]:
    """Where the content of a line begins, how deep it is quoted, whether a list mark opens it."""
    quotes, is_item = 0, False
    for _ in range(_DEEPEST):
        if match := _QUOTE_MARK.match(view, start, end):
            quotes += 1
        elif match := _FOOTNOTE_MARK.match(view, start, end):
            is_item = True
        elif not _RULE.match(view, start, end) and (match := _LIST_MARK.match(view, start, end)):
            # "the spring of\n86. Nobody came": a list that breaks into a paragraph begins at 1.
            if in_paragraph and not is_item and match[1] and int(match[1]) != 1:
                break
            is_item = True
        else:
            break
        start = match.end()
    while start < end and view[start] in " \t":
        start += 1
    return start, quotes, is_item


def _is_delimiter(view: str, line: tuple[int, int, int]) -> bool:
    content, _, _ = _past_prefix(view, line[0], line[1], in_paragraph=True)
    return bool(_TABLE_DELIMITER.match(view[content : line[1]]))


def _fence_ends(view: str, lines: list[tuple[int, int, int]]) -> dict[int, int]:
    """For each line that opens a fence that is closed, the number of the line that closes it."""
    ends: dict[int, int] = {}
    opened: tuple[int, str] | None = None
    for number, (start, end, _) in enumerate(lines):
        content, _, _ = _past_prefix(view, start, end, in_paragraph=True)
        match = _FENCE.match(view, content, end)
        if not match:
            continue
        bare = not view[match.end() : end].strip()
        if opened and bare and match[1].startswith(opened[1]):
            ends[opened[0]] = number
            opened = None
        elif opened is None:
            opened = (number, match[1])
    return ends


def _normal_label(label: str) -> str:
    return " ".join(label.casefold().split())


def _groups(run: _Run, view: str, width: int | None) -> Iterator[list[tuple[int, int]]]:
    """Cut a run where a line end ends a block; each group is a list of stretches of the file."""
    if run.kind == "row":
        for start, end, _ in run.lines:
            for cell in _CELL.finditer(view, start, end):
                yield [cell.span()]
        return
    group: list[tuple[int, int]] = []
    last = len(run.lines) - 1
    for number, (start, end, after) in enumerate(run.lines):
        line = view[start:end]
        if number < last and not line.endswith(("  ", "\t", "\\")):
            following = run.lines[number + 1]
            if is_soft_wrap(line, view[following[0] : following[1]], width):
                group.append((start, after))
                continue
        yield [*group, (start, end - 1 if number < last and line.endswith("\\") else end)]
        group = []


def _without_marks(
    source: str, offsets: list[int], hidden: bytearray, definitions: frozenset[str]
) -> list[Block]:
    """Take inline marks out of the characters at ``offsets``; tags such as <br> cut the block."""
    text = "".join(source[offset] for offset in offsets)
    fates, entities = _fates(text, definitions)
    for index, offset in enumerate(offsets):
        if hidden[offset]:
            fates[index] = _VOID
    blocks: list[Block] = []
    characters: list[str] = []
    block = Block("", [], [])
    after_void = False
    skip_to = 0
    for index, (character, fate) in enumerate(zip(text, fates, strict=True)):
        if index < skip_to:
            continue
        if fate == _BREAK:
            blocks.append(block._replace(text="".join(characters)))
            characters, block = [], Block("", [], [])
        elif fate == _VOID:
            after_void = True
        elif fate == _KEEP:
            if character != " ":
                after_void = False
            elif after_void and (not characters or characters[-1].isspace()):
                continue  # the gap on the far side of something taken out
            skip_to, written = entities.get(index, (index + 1, character))
            for one in written:
                characters.append(one)
                block.starts.append(offsets[index])
                block.ends.append(offsets[skip_to - 1] + 1)
    blocks.append(block._replace(text="".join(characters)))
    return blocks


def _fates(text: str, definitions: frozenset[str]) -> tuple[bytearray, dict[int, tuple[int, str]]]:
    """What becomes of each character, and the entities: from where to where, and their meaning."""
    fates = bytearray(len(text))
    entities: dict[int, tuple[int, str]] = {}
    ticks = _tick_runs(text)
    brackets: list[tuple[int, int]] = []
    openers: dict[str, list[list[int]]] = {"*": [], "_": [], "~": []}
    position = 0
    while token := _TOKEN.search(text, position):
        start, position = token.span()
        match token.lastgroup:
            case "escape":
                fates[start] = _DROP
            case "code":
                position = _close_code(ticks, fates, start, position)
            case "entity":
                meaning = html.unescape(token[0])
                if meaning != token[0]:
                    entities[start] = (position, meaning)
            case "tag":
                position = _tag(token[0], fates, start)
            case "open":
                brackets.append((start, position))
            case "close":
                if brackets:
                    position = _link(text, fates, *brackets.pop(), start, definitions)
            case _:
                _emphasis(text, fates, openers, start, position)
    return fates, entities


def _tick_runs(text: str) -> dict[int, list[int]]:
    """The starts of the runs of backticks, by their length."""
    runs: dict[int, list[int]] = {}
    for match in re.finditer("`+", text):
        runs.setdefault(len(match[0]), []).append(match.start())
    return runs


def _close_code(ticks: dict[int, list[int]], fates: bytearray, start: int, end: int) -> int:
    """Drop the ticks around a stretch of code; return where to read on."""
    length = end - start
    starts = ticks.get(length, [])
    place = bisect_right(starts, start)
    if place == len(starts):
        return end
    for tick in (start, starts[place]):
        fates[tick : tick + length] = bytes([_DROP]) * length
    return starts[place] + length


def _tag(written: str, fates: bytearray, start: int) -> int:
    """Drop an HTML tag, or the angle brackets of a link; return where to read on."""
    end = start + len(written)
    if _AUTOLINK.match(written):
        fates[start] = fates[end - 1] = _DROP
        return end
    tag = _TAG.match(written)
    if not tag:
        return start + 1
    fate = _BREAK if _BLOCK_TAG.fullmatch(tag[1]) else _DROP
    fates[start:end] = bytes([_DROP]) * (len(written) - 1) + bytes([fate])
    return end


def _link(
    text: str, fates: bytearray, start: int, inside: int, close: int, definitions: frozenset[str]
) -> int:
    """Drop the marks and the target of a link, or the whole of an image or a note's number."""
    is_image = text[start] == "!"
    if text.startswith("^", inside) and not is_image:
        fates[start : close + 1] = bytes([_DROP]) * (close + 1 - start)
        return close + 1
    target = _TARGET.match(text, close + 1)
    if not target and is_image:
        target = _IMAGE_TARGET.match(text, close + 1)
    end = target.end() if target else _reference_end(text, inside, close, definitions)
    if end is None:
        return close + 1
    if is_image:
        fates[start:end] = bytes([_VOID]) * (end - start)
    else:
        fates[start] = _DROP
        fates[close:end] = bytes([_DROP]) * (end - close)
    return end


def _reference_end(text: str, inside: int, close: int, definitions: frozenset[str]) -> int | None:
    """Where a link by label ends, as in ``[text][label]``, ``[label][]`` and ``[label]``."""
    if not definitions or close - inside > 999:
        return None
    label = _LABEL.match(text, close + 1)
    if label and _normal_label(label[1] or text[inside:close]) in definitions:
        return label.end()
    return close + 1 if _normal_label(text[inside:close]) in definitions else None


def _emphasis(
    text: str, fates: bytearray, openers: dict[str, list[list[int]]], start: int, end: int
) -> None:
    """Match a run of emphasis marks with those before it, and drop the pairs."""
    mark = text[start]
    can_open, can_close = _flanks(text, start, end)
    while can_close and start < end and openers[mark]:
        opener = openers[mark][-1]
        used = min(end - start, opener[1] - opener[0])
        fates[opener[1] - used : opener[1]] = bytes([_DROP]) * used
        fates[start : start + used] = bytes([_DROP]) * used
        start += used
        opener[1] -= used
        for others in openers.values():
            while others and others[-1][0] > opener[0]:
                others.pop()
        if opener[0] == opener[1]:
            openers[mark].pop()
    if can_open and start < end:
        openers[mark].append([start, end])


def _flanks(text: str, start: int, end: int) -> tuple[bool, bool]:
    """Whether a run of emphasis marks can open and can close, by what stands on either side."""
    before = text[start - 1] if start else " "
    after = text[end] if end < len(text) else " "
    sign_before = not before.isalnum() and not before.isspace()
    sign_after = not after.isalnum() and not after.isspace()
    left = not after.isspace() and (not sign_after or before.isspace() or sign_before)
    right = not before.isspace() and (not sign_before or after.isspace() or sign_after)
    if text[start] == "_":
        return left and (not right or sign_before), right and (not left or sign_after)
    return left, right
