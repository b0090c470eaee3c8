"""Reads certainty in science communication: findings, and how certain people rate them.

The label is the mean of people's ratings, from 1 (very uncertain) to 6. Source: Pei and
Jurgens, "Measuring Sentence-Level and Aspect-Level (Un)certainty in Science
Communications", EMNLP 2021.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from claimstance.readers.common import files_of, malformed
from claimstance.records import iter_json_lines

SENTENCES: Final = "sentence-level-certainty.jsonl"
ASPECTS: Final = "aspect-level-certainty.jsonl"

#: Ratings between the two are ``probable``.
_CERTAIN_ABOVE: Final = 4.7
_POSSIBLE_BELOW: Final = 3.2


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the findings of ``sentence-level-certainty.jsonl``, wherever in the folder it lies.

    Where ``aspect-level-certainty.jsonl`` lies in the folder too, ``aspects`` says of what
    (number, extent, probability and so on) the finding is certain.

    Yields:
        Rows in the order of the file.

    Raises:
        InputError: if the file is missing, or one of the two is malformed.
    """
    path = files_of(folder, SENTENCES)[0]
    aspects = {
        text: of for beside in sorted(folder.rglob(ASPECTS)) for text, of in _aspects(beside)
    }
    for where, row in iter_json_lines(path):
        text, rating = _text_of(row, where), row.get("sentence-level-certainty")
        if isinstance(rating, bool) or not isinstance(rating, int | float) or not 1 <= rating <= 6:
            raise malformed(where, "'sentence-level-certainty' from 1 to 6", repr(rating))
        found = aspects.get(text)
        yield {
            "id": f"sci-{row.get('id')}",
            "text": text,
            "label": rating,
            "stance": None,
            "certainty": _certainty(rating),
            "split": row.get("split"),
            "aspect_probability": found.get("Probability") if found else None,
            "aspects": found,
        }


def _text_of(row: Mapping[str, Any], where: str) -> str:
    text = row.get("finding")
    if not isinstance(text, str) or not text.strip() or "id" not in row:
        raise malformed(where, "an 'id' and the text of a 'finding'", f"the fields {list(row)}")
    return text


def _aspects(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """By text: the ids of the two files are not the same."""
    for where, row in iter_json_lines(path):
        aspects = row.get("aspect-level-certainty")
        if not isinstance(aspects, dict):
            raise malformed(where, "an object as 'aspect-level-certainty'", repr(aspects))
        yield _text_of(row, where), aspects


def _certainty(rating: float) -> str:
    if rating > _CERTAIN_ABOVE:
        return "certain"
    return "possible" if rating < _POSSIBLE_BELOW else "probable"
