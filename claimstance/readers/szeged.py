"""Reads the news part of the Szeged Uncertainty Corpus: sentences with cues of uncertainty.

Its type names are not ours: ``modal_possible`` marks likely, appears and probably, which
are our ``probable``, and ``modal_probable`` marks may, might and could, our ``possible``.
Source: Szarvas, Vincze, Farkas, Móra and Gurevych, "Cross-Genre and Cross-Domain
Detection of Semantic Uncertainty", Computational Linguistics 38(2), 2012.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from lxml import etree  # type: ignore[import-untyped]

from claimstance.readers.common import files_of, malformed, text_before

FILE: Final = "factbank.xml"

_CONTEXT: Final = 500
_SHORT: Final = 5
_CERTAINTY: Final = {"modal_probable": "possible", "modal_possible": "probable"}
#: Conditions, investigations and beliefs, which leave open how certain the claim is.
_OPEN: Final = ("hypo_condition", "hypo_doxastic", "hypo_investigation")


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the sentences of ``factbank.xml``, wherever in the folder it lies.

    Yields:
        Rows in the order of the file; ``certainty_accept`` lists every certainty that a
        cue speaks for, and is empty where the cues leave it open.

    Raises:
        InputError: if the file is missing or malformed.
    """
    path = files_of(folder, FILE)[0]
    for document in _parse(path).iter("Document"):
        name = (document.findtext("DocID") or "").strip()
        if not name:
            raise malformed(
                f"{path}, line {document.sourceline}", "a DocID in the Document", "none"
            )
        yield from _rows_of(document, name, path)


def _parse(path: Path) -> Any:
    # Entities and the network off: an XML file must not read other files.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(path.read_bytes(), parser)
    except OSError as error:
        raise malformed(str(path), "a file that can be read", str(error.strerror)) from None
    except etree.XMLSyntaxError as error:
        raise malformed(f"{path}, line {error.lineno}", "XML", str(error.msg)) from None


def _rows_of(document: Any, name: str, path: Path) -> Iterator[dict[str, Any]]:
    before: list[str] = []
    for sentence in document.iter("Sentence"):
        number = sentence.get("id")
        text = _words(sentence)
        if not number or not text:
            raise malformed(
                f"{path}, line {sentence.sourceline}",
                "a Sentence with an id and words",
                f"the id {number!r} and {len(text)} characters",
            )
        cues = [
            (_kind(cue.get("type"), f"{path}, line {cue.sourceline}"), _words(cue))
            for cue in sentence.iter("ccue")
        ]
        yield {
            "id": f"szeged_news-{name}-{number}",
            "text": text,
            "context": text_before(before, _CONTEXT),
            **_labels([kind for kind, _ in cues]),
            "cues": [[kind, words] for kind, words in cues],
            "short": len(text.split()) < _SHORT,
        }
        before.append(text)


def _words(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _kind(given: str | None, where: str) -> str:
    """The type without its constant beginning and the blanks and dashes at its end."""
    kind = (given or "").removeprefix("speculation_").rstrip(" _")
    if kind not in _CERTAINTY and kind not in _OPEN:
        raise malformed(
            where,
            "a ccue of a type such as 'speculation_modal_probable_'",
            f"the type {given!r}",
        )
    return kind


def _labels(kinds: Sequence[str]) -> dict[str, Any]:
    """Where cues of both strengths stand, the weaker one is the label and both are accepted."""
    if not kinds:
        accept = ["certain"]
    else:
        accept = [label for kind, label in _CERTAINTY.items() if kind in kinds]
    return {
        "label": "+".join(sorted(set(kinds))) or "certain",
        "stance": "attributed" if set(kinds) == {"hypo_doxastic"} else None,
        "certainty": accept[0] if accept else None,
        "certainty_accept": accept,
        "hedged": bool(kinds and accept),
    }
