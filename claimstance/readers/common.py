"""What the readers share: finding and reading files, the text before a sentence, telling words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from claimstance.errors import InputError, reading

#: Words of saying and reporting. In a sentence without annotated attribution they show that
#: one may have been missed, so that it is no clean case of the writer's own voice.
SAID: Final = re.compile(
    r"\b(?:said|says|saying|told|according|reported(?:ly)?|alleged(?:ly)?|claim(?:s|ed)"
    r"|announced|added|wrote|believe[sd]?|thinks?|thought|testified|den(?:ied|ies)|tweeted"
    r"|stated|argued|acknowledged|explained)\b",
    re.IGNORECASE,
)
#: Marks of quotation, among them the two apostrophes of newspaper archives.
QUOTED: Final = re.compile("[\"“”]|''")


def files_of(folder: Path, pattern: str) -> list[Path]:
    """The files below a folder whose names match a glob, sorted.

    Raises:
        InputError: if there are none.
    """
    found = sorted(path for path in folder.rglob(pattern) if path.is_file())
    if not found:
        raise InputError(
            str(folder),
            expected=f"files named {pattern}",
            found="none",
            fix="put the publisher's files there; see evaluation/sets/README.md",
        )
    return found


def read_text(path: Path) -> str:
    """A UTF-8 file without byte order mark, its line ends as line feeds.

    Raises:
        InputError: if the file cannot be read or is not UTF-8.
    """
    with reading(path, fix="download the file again"):
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")


def malformed(where: str, expected: str, found: str) -> InputError:
    """The error for a file that is not in its publisher's format."""
    return InputError(where, expected=expected, found=found, fix="download the file again")


def text_before(sentences: Sequence[str], most: int) -> str:
    """The last ``most`` characters of the sentences so far, joined by spaces."""
    return " ".join(sentences)[-most:]


def own_voice_is_clean(sentence: str) -> bool:
    """Whether a sentence without annotated attribution shows no trace of one either."""
    return not QUOTED.search(sentence) and not SAID.search(sentence)
