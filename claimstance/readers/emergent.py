"""Reads Emergent as pragmeval carries it: rumours, and headlines for, against or observing them.

Sources: Ferreira and Vlachos, "Emergent: a novel data-set for stance classification",
NAACL 2016; Sileo, Van de Cruys, Pradel and Muller, "Discourse-Based Evaluation of Language
Understanding", 2019 (pragmeval).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from claimstance.errors import InputError
from claimstance.readers.common import files_of, malformed, read_text

#: Parts of pragmeval, in order; its partition is not the one that Emergent was made with.
PARTS: Final = ("train", "dev", "test")

_HEADER: Final = "sentence1\tsentence2\tlabel"
_STANCE: Final = {"for": "asserted", "against": "refuted", "observing": "attributed"}
_ALTERNATIVES: Final = {"against": ["disputed"], "observing": ["unproven", "no_claim"]}

#: The rumours of Emergent's own test split, which stays unread: the first 8 hexadecimal
#: digits of each one's SHA-256.
_HELD_OUT: Final = """
045b8475 0a54b4ea 0b8f3d5e 14879763 14cace0b 16ed7f09 1de54194 30e1aa3f 321624ba 378558f8
39507569 3d38fc44 45f78888 5b176638 5bf88ba6 5f975eff 60959be1 66341a4b 722b97cf 7ca96bdb
7cf02295 84d6a9cf 8bbf6504 8ca43e5f 8d7ec0c6 8f661738 90528f1f 914410ed ab846ad2 b9699e3c
ba311405 bdbb60f1 bf65deaf c0fec211 c1e39a5f c59cc504 d0030abf d021caa6 d03dde3d d0fa9ead
d188d45e d5a2d607 da7909e9 dc0aad27 ddea3724 e178aabb e181b2bf e6949f4c e80bba04 e9e8af3f
eb0f5aae ee36da61 f3e3dc83 f4080d5d fa04ed80 fa6eda30 ff7cb4f0 ff7dc0c6
"""


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the headlines about rumours that are not in Emergent's test split.

    Args:
        folder: holds pragmeval's ``train.tsv``, and ``dev.tsv`` and ``test.tsv`` or not,
            each with any beginning of its name (``pragmeval-train.tsv``), in any subfolder.

    Yields:
        Rows in the order of the files; the context is the rumour, after ``CLAIM: ``.

    Raises:
        InputError: if there is no ``train.tsv``, or a file is malformed.
    """
    files_of(folder, "*train.tsv")
    for part in PARTS:
        paths = sorted(folder.rglob(f"*{part}.tsv"))
        if len(paths) > 1:
            raise InputError(
                str(folder),
                expected=f"one file named {part}.tsv",
                found=" and ".join(str(path.relative_to(folder)) for path in paths),
                fix="keep those of pragmeval/Emergent alone",
            )
        for path in paths:
            yield from _rows_of(path, part)


def _rows_of(path: Path, part: str) -> Iterator[dict[str, Any]]:
    header, *lines = read_text(path).split("\n")
    if header.strip() != _HEADER:
        raise malformed(f"{path}, line 1", f"the header {_HEADER!r}", repr(header[:60]))
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        rumour, headline, label = _columns(line, f"{path}, line {number + 2}")
        if hashlib.sha256(rumour.encode("utf-8")).hexdigest()[:8] in _HELD_OUT:
            continue
        yield {
            "id": f"emg-pe-{part}-{number}",
            "text": headline,
            "context": f"CLAIM: {rumour}",
            "label": label,
            "split": "train",
            "cased": False,
            "stance": _STANCE[label],
            "alt_stance": _ALTERNATIVES.get(label, []),
            "certainty": None,
        }


def _columns(line: str, place: str) -> tuple[str, str, str]:
    columns = line.split("\t")
    if len(columns) != 3 or not all(column.strip() for column in columns):
        raise malformed(place, "rumour, headline and label, split by tabs", repr(line[:60]))
    rumour, headline, label = columns
    if label not in _STANCE:
        raise malformed(place, f"one of the labels {', '.join(_STANCE)}", repr(label))
    return rumour, headline, label
