"""Throws broken input at every reader and the splitter, for as long as you like.

    python tests/fuzz.py [--minutes 10] [--seed 0]

Each round takes a sound file of some format, breaks it in some way, and asks of what
is read that there is no exception, that every fault is an `InputError`, and that every
sentence is the slice of the text that its offsets name. Stops at the first failure,
leaves the file that caused it in ``fuzz-failure/``, and ends with code 1. What it has found
is now a test in ``test_sources.py`` or ``test_articles.py``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
import logging
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from claimstance.articles import Article, read_articles
from claimstance.errors import InputError
from claimstance.sentences import split_sentences

WORDS: Final = [
    "It",
    "rained.",
    "He",
    "said:",
    "“No.”",
    "She",
    "left!",
    "Who",
    "knows?",
    "Mr.",
    "Ott",
    "paid",
    "3.5",
    "million,",
    "e.g.",
    "to",
    "the",
    "U.S.",
    "\n\n",
    "*",
    "–",
    "—",
    "…",
    "•",
    "‘So’",
    "''x''",
    "\u200b",
    "\u200d",
    "\u202e",
    "\ufeff",
    "\u2028",
    "\x85",
    "\x0b",
    "\x0c",
    "\r",
    "\r\n",
    "\t",
    "#",
    "##",
    ">",
    "|",
    "---",
    "```",
    "![a](b)",
    "[c](d)",
    "<p>",
    "</p>",
    "<b>",
    "&amp;",
    "&#0;",
    "<script>",
    "<!--",
    "]]>",
    "\x00",
    "\x1b[0m",
    "قال",
    "الوزير",
    ".",
    "新华社。",
    "👩\u200d👧",
    "é",
    "ﬁ",
    "ß",
    "İ",
    "\ud7ff",
    "\ue000",
    "\U0010ffff",
    "[1]",
    "(Reuters)",
    "--",
    "■",
]


def some_text(dice: random.Random) -> str:
    """Words and signs in any order."""
    joints = ("", " ", " ", " ", "\n", "\n\n")
    return "".join(dice.choice(WORDS) + dice.choice(joints) for _ in range(dice.randrange(1, 120)))


def some_rows(dice: random.Random) -> list[dict[str, object]]:
    """Rows of which most are sound."""
    odd = (None, 1, 2.5, [], {}, "", [None], ["", " "], True, "\ud800", -1, 10**30)
    rows: list[dict[str, object]] = []
    for number in range(dice.randrange(0, 6)):
        row: dict[str, object] = {"id": f"r{number}", "title": some_text(dice)[:40]}
        row["text"] = some_text(dice)
        if dice.random() < 0.3:
            row["sentences"] = [some_text(dice) for _ in range(dice.randrange(0, 4))]
        if dice.random() < 0.3:
            row[dice.choice(["id", "title", "text", "sentences", "other"])] = dice.choice(odd)
        rows.append(row)
    return rows


def _jsonl(dice: random.Random) -> bytes:
    lines = (json.dumps(row, ensure_ascii=dice.random() < 0.5) for row in some_rows(dice))
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def _csv(dice: random.Random) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "title", "text"])
    for row in some_rows(dice):
        writer.writerow([row["id"], row["title"], row["text"]])
    return text.getvalue().encode("utf-8", "surrogatepass")


def _parquet(dice: random.Random) -> bytes:
    texts = [some_text(dice) for _ in range(dice.randrange(0, 4))]
    content = io.BytesIO()
    pq.write_table(pa.table({"id": [str(i) for i in range(len(texts))], "text": texts}), content)
    return content.getvalue()


def _html(dice: random.Random) -> bytes:
    tags = ("p", "div", "h1", "ul", "li", "table", "td", "article", "nav", "script", "br")
    parts = [f"<{(tag := dice.choice(tags))}>{some_text(dice)}</{tag}>" for _ in range(8)]
    return f"<html><body>{''.join(parts)}</body></html>".encode("utf-8", "surrogatepass")


MAKERS: Final[dict[str, Callable[[random.Random], bytes]]] = {
    ".txt": lambda dice: some_text(dice).encode("utf-8", "surrogatepass"),
    ".md": lambda dice: some_text(dice).encode("utf-8", "surrogatepass"),
    ".html": _html,
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".parquet": _parquet,
}


def broken(content: bytes, dice: random.Random) -> bytes:
    """Content of which bytes are changed, cut out, doubled, or coded otherwise; or none."""
    kind = dice.randrange(8)
    if kind == 0 or not content:
        return content
    start = dice.randrange(len(content))
    end = min(len(content), start + dice.randrange(1, 40))
    match kind:
        case 1:
            return content[:start] + dice.randbytes(end - start) + content[end:]
        case 2:
            return content[:start]
        case 3:
            return content[:start] + content[end:]
        case 4:
            return content[:end] + content[start:]
        case 5:
            text = content.decode("utf-8", "replace")
            coding = dice.choice(["utf-16", "utf-32", "cp1252", "mac_roman", "utf-8-sig"])
            return text.encode(coding, "replace")
        case 6:
            return b"".join(dice.choice([b"\n", b'"', b"\\", b"\xff", b"\0", bytes([b])])
                            if dice.random() < 0.02 else bytes([b]) for b in content)  # fmt: skip
        case _:
            return content.replace(b"\n", dice.choice([b"\r", b"\r\n", b"\n\n", b"\x0b"]))


def check(path: Path) -> None:
    """Read a file.

    Raises:
        AssertionError: if what is read is not as it must be.
    """
    found = list(read_articles([str(path)]))
    assert found, "neither an article nor a fault"
    for item in found:
        if isinstance(item, InputError):
            assert str(item), "a fault without a word"
            continue
        assert isinstance(item, Article)
        assert item.sentences, "an article without a sentence"
        ends = [0, *(span.end for span in item.sentences)]
        for span, before in zip(item.sentences, ends, strict=False):
            assert before <= span.start < span.end, f"{span} begins before {before}"
            assert span.text.strip(), f"{span} is blank"
    if path.suffix == ".txt":
        check_slices(path, found)


def check_slices(path: Path, found: list[Article | InputError]) -> None:
    """The sentences of a text in UTF-8 are its slices."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    for item in found:
        if isinstance(item, Article):
            for span in item.sentences:
                assert text[span.start : span.end] == span.text, f"{span} is no slice"


def check_splitter(text: str) -> None:
    """Sentences come in order, do not overlap, and leave out white space only."""
    end = 0
    for start, stop in split_sentences(text):
        assert end <= start < stop <= len(text), f"({start}, {stop}) after {end}"
        assert not text[end:start].strip(), f"{text[end:start]!r} is left out"
        end = stop
    assert not text[end:].strip(), f"{text[end:]!r} is left out at the end"


def main() -> None:
    """Fuzz until the time is up."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    logging.disable()  # a file of another encoding would be named each time
    dice = random.Random(arguments.seed)
    until, rounds = time.monotonic() + 60 * arguments.minutes, 0
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < until:
            suffix = dice.choice(list(MAKERS))
            content = broken(MAKERS[suffix](dice), dice)
            if dice.random() < 0.1:
                content, suffix = broken(gzip.compress(content), dice), f"{suffix}.gz"
            path = Path(folder, f"a{suffix}")
            path.write_bytes(content)
            try:
                check(path)
                check_splitter(some_text(dice))
            except Exception:  # whatever it is, it is what is looked for
                keep(path)
                sys.exit(1)
            rounds += 1
    sys.stdout.write(f"{rounds} files in {arguments.minutes:g} minutes, nothing found\n")


def keep(path: Path) -> None:
    """Leave the file that failed where it can be looked at."""
    kept = Path("fuzz-failure") / path.name
    kept.parent.mkdir(exist_ok=True)
    kept.write_bytes(path.read_bytes())
    traceback.print_exc()
    sys.stderr.write(f"the file is kept: {kept}\n")


if __name__ == "__main__":
    main()
