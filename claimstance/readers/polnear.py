"""Reads PolNeAR: articles as text, and who says what in them as brat stand-off annotations.

An attribution has a cue, mostly a source, and a content. A sentence of which half or more
is content that somebody says is ``attributed``; one that no attribution touches is
``asserted``. Source: Newell, Margolin and Ruths, "An Attribution Relations Corpus for
Political News", LREC 2018.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from claimstance.errors import InputError
from claimstance.readers.common import malformed, own_voice_is_clean, read_text, text_before
from claimstance.sentences import split_sentences

Span = tuple[int, int]

#: The test split is left alone, as its makers ask.
SPLITS: Final = ("train", "dev")
_CONTEXT: Final = 600
_SHORT: Final = 5

_TEXT_BOUND: Final = re.compile(r"(T\d+)\t(\S+) (\d+ \d+(?:;\d+ \d+)*)\t(.*)")
_EVENT: Final = re.compile(r"E\d+\t(\S+:T\d+(?: \S+:T\d+)*) *")
_WORD: Final = re.compile(r"\w+(?:[-.,:/&]\w+)*")

#: Cues of speech and of opinion. The set marks wishes, plans and deeds too ("hopes",
#: "endorsed", "declined"), which put no claim into anybody's mouth.
_SAYING: Final = re.compile(
    r":\s*$"
    r"|\b(?:said|says?|saying|told|tell(?:s|ing)?|wr(?:ote|ites?|iting|itten)|according"
    r"|call(?:s|ed|ing)?|ask(?:s|ed|ing)?|sp(?:eaks?|eaking|oke|eech)|talk(?:s|ed|ing)?"
    r"|stat(?:ement|e[sd]?|ing)|point(?:s|ed|ing)? out|went on|view(?:s|ed|ing)?|opinion"
    r"|reads?|add(?:s|ed|ing)|continued|cit(?:e[sd]?|ing)|not(?:e[sd]?|ing)|posted"
    r"|f(?:inds?|ound)|show(?:s|ed|ing|n)?|charged|praised?|interview|shout(?:s|ed|ing)?"
    r"|allegedly|reportedly|quipped|exclaimed|yelled|screamed|argu(?:e[sd]?|ing)"
    r"|reports?|report(?:ed|ing)|urg(?:e[sd]?|ing)|jok(?:ed|ing)"
    r"|(?:acknowledg|admit|affirm|agree|alleg|announc|answer|assert|accus|believ|blam|claim"
    r"|comment|conced|conclud|confirm|consider|contend|criticiz|declar|deni|describ|disclos"
    r"|disput|elaborat|emphasi[sz]|estimat|explain|express|indicat|insist|lament|maintain"
    r"|mention|observ|pledg|predict|promis|question|quot|recall|reiterat|remark|repeat"
    r"|repl[iy]|respon[ds]|reveal|stress|suggest|testif|think|thought|touted|tweet|vow|warn"
    r"|wonder)\w*)\b",
    re.IGNORECASE,
)
_DENIAL: Final = re.compile(
    r"\b(?:den(?:y|ies|ied|ying)|dismiss(?:es|ed|ing)?|reject(?:s|ed|ing)?|refut\w+"
    r"|rebut\w*|disput\w+|contradict\w*)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Part:
    """A cue, source or content: where it stands, in code points of the article, and its words."""

    spans: tuple[Span, ...]
    words: str


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who (sources) says (cues) what (contents)."""

    sources: tuple[Part, ...]
    cues: tuple[Part, ...]
    contents: tuple[Part, ...]

    @property
    def parts(self) -> tuple[Part, ...]:
        """All of it."""
        return self.sources + self.cues + self.contents


def read(folder: Path) -> Iterator[dict[str, Any]]:
    """Read the sentences of the train and dev splits.

    Args:
        folder: the repository as published: holds ``data/<split>/text`` and
            ``data/<split>/attributions``.

    Yields:
        Rows in the order of files and sentences; ``stance`` is ``asserted``,
        ``attributed``, ``no_claim`` (questions) or None where neither is clear, and
        ``strict`` says that it is safe to score.

    Raises:
        InputError: if no split is there, or a file is missing or malformed.
    """
    splits = [split for split in SPLITS if (folder / "data" / split / "text").is_dir()]
    if not splits:
        raise InputError(
            str(folder),
            expected="the folder data/dev/text or data/train/text",
            found="neither",
            fix="put PolNeAR's folder data there, whole",
        )
    for split in splits:
        compartment = folder / "data" / split
        annotations = _annotations_by_article(compartment / "attributions")
        for path in sorted((compartment / "text").glob("*.txt")):
            if path.stem not in annotations:
                raise InputError(
                    str(compartment / "attributions"),
                    expected=f"annotations of {path.name}, as in {path.stem}_4e07.ann",
                    found="none",
                    fix="put the folder attributions beside the folder text, whole",
                )
            yield from _rows_of(path, annotations[path.stem], split)


def _rows_of(path: Path, annotations: Path, split: str) -> Iterator[dict[str, Any]]:
    text = read_text(path)
    attributions = parse_ann(read_text(annotations), text, str(annotations))
    before: list[str] = []
    for number, (start, end) in enumerate(_sentences(text)):
        sentence = " ".join(text[start:end].split())
        yield {
            "id": f"polnear-{path.stem}-{number}",
            "text": sentence,
            "context": text_before(before, _CONTEXT),
            "split": split,
            "publisher": path.stem.partition("_")[0],
            **_labels(text, (start, end), sentence, attributions),
        }
        before.append(sentence)


def _sentences(text: str) -> list[Span]:
    """A paragraph that ends in a colon goes on in the next, which tells what is said."""
    return split_sentences(re.sub(r"(?<=:)\s+", lambda match: " " * len(match[0]), text))


def _annotations_by_article(folder: Path) -> dict[str, Path]:
    """Where several people annotated an article, the first by name."""
    # A name is the article's, an underscore, and four hexadecimal digits for the annotator.
    found = sorted(folder.glob("*.ann"), reverse=True)
    return {path.stem.rpartition("_")[0]: path for path in found}


def parse_ann(annotations: str, text: str, where: str) -> list[Attribution]:
    """Parse a file of brat stand-off annotations.

    Args:
        annotations: the file's text: lines ``T<n> <kind> <start> <end>[;...] <words>`` and
            ``E<n> <role>:T<n> ...``, the first two blanks of a T line and the first of an E
            line being tabs; other lines say nothing about attributions.
        text: the article, of which the offsets count code points.
        where: how errors name the file.

    Raises:
        InputError: if such a line is malformed, or does not fit the text.
    """
    parts: dict[str, Part] = {}
    events: list[tuple[str, str]] = []
    for number, line in enumerate(annotations.split("\n"), start=1):
        place = f"{where}, line {number}"
        if line.startswith("T"):
            name, part = _text_bound(line, text, place)
            parts[name] = part
        elif line.startswith("E"):
            match = _EVENT.fullmatch(line)
            if not match:
                raise malformed(place, "an event such as 'E1 <tab> Cue:T2 Content:T3'", repr(line))
            events.append((place, match[1]))
    return [_attribution(roles, parts, place) for place, roles in events]


def _text_bound(line: str, text: str, place: str) -> tuple[str, Part]:
    match = _TEXT_BOUND.fullmatch(line)
    if not match:
        raise malformed(place, "an annotation such as 'T1 <tab> Cue 4 8 <tab> said'", repr(line))
    pairs = [pair.split() for pair in match[3].split(";")]
    # No article has offsets of more digits, and Python refuses numbers of thousands.
    if any(len(digits) > 9 for pair in pairs for digits in pair):
        raise malformed(place, "offsets inside the article", match[3][:40])
    spans = tuple((int(start), int(end)) for start, end in pairs)
    if any(not start < end <= len(text) for start, end in spans):
        raise malformed(place, f"offsets inside the article's {len(text)} characters", match[3])
    return match[1], Part(spans, match[4])


def _attribution(roles: str, parts: Mapping[str, Part], place: str) -> Attribution:
    chosen: dict[str, list[Part]] = {"Source": [], "Cue": [], "Content": []}
    for pair in roles.split(" "):
        role, _, name = pair.rpartition(":")
        if name not in parts:
            raise malformed(place, "annotations that the file has", f"{name}, which it lacks")
        # A second part of the same role is numbered: Content2.
        chosen.get(role.rstrip("0123456789"), []).append(parts[name])
    return Attribution(*(tuple(chosen[role]) for role in ("Source", "Cue", "Content")))


def _labels(
    text: str, place: Span, sentence: str, attributions: Sequence[Attribution]
) -> dict[str, Any]:
    touching = [a for a in attributions if any(_overlap(s, place) for s in _spans(a.parts))]
    words = [m.start() for m in _WORD.finditer(text, *place)]
    content = _covered(words, _spans(c for a in touching for c in a.contents))
    whole = _covered(words, _spans(p for a in touching for p in a.parts))
    cues = [cue.words for a in touching for cue in a.cues]
    speech = any(_SAYING.search(cue) for cue in cues)
    denial = any(_DENIAL.search(cue) for cue in cues)
    label = _label(content, whole, sentence)
    stance = _stance(label, speech)
    return {
        "label": label,
        "stance": stance,
        "certainty": None,
        "content_frac": round(content, 3),
        "cues": cues,
        "sources": [source.words for a in touching for source in a.sources],
        "denial_cue": denial,
        "speech_cue": speech,
        "alt_stance": ["disputed", "refuted"] if denial else [],
        "strict": own_voice_is_clean(sentence) if stance == "asserted" else stance is not None,
    }


def _label(content: float, whole: float, sentence: str) -> str:
    if content >= 0.5:
        return "content>=0.5"
    if whole >= 0.8:
        return "attribution>=0.8"
    if whole > 0:
        return "partial"
    if len(sentence.split()) < _SHORT:
        return "none_short"
    return "none_question" if sentence.endswith("?") else "none"


def _stance(label: str, speech: bool) -> str | None:
    if label == "content>=0.5":
        return "attributed" if speech else None
    return {"none": "asserted", "none_question": "no_claim"}.get(label)


def _spans(parts: Iterable[Part]) -> list[Span]:
    return [span for part in parts for span in part.spans]


def _overlap(one: Span, other: Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _covered(words: Sequence[int], spans: Sequence[Span]) -> float:
    """The share of words that begin within one of the spans."""
    inside = sum(any(start <= word < end for start, end in spans) for word in words)
    return inside / len(words) if words else 0.0
