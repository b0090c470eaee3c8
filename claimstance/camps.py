"""Whether the camps of a conflict change roles, so that no name comes to mean a stance.

A corpus in which one side always claims and the other always denies teaches a model
to go by the name. ``corpus/conflicts.jsonl`` says which articles tell of which
conflict and by what names its two camps are sources there; the roles follow from the
labels.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field

from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.labels import Stance
from claimstance.records import LabelledSentence, Record, read_records

CONFLICTS_FILE: Final = "conflicts.jsonl"

#: What a camp does in a sentence that names it as the source.
ROLES: Final[Mapping[Stance, str]] = {
    "attributed": "claimant",
    "disputed": "denier",
    "unproven": "unproven accuser",
    "refuted": "refuted",
}


class Conflict(Record):
    """One line of ``conflicts.jsonl``: a conflict that several articles tell of."""

    conflict: str
    articles: Annotated[tuple[str, ...], Field(min_length=2)]
    #: Each camp, and the words by which a source is known as its own.
    camps: Annotated[dict[str, tuple[str, ...]], Field(min_length=2, max_length=2)]


#: Words by which kinds of source are known, for a rough count over the whole corpus.
SOURCE_KINDS: Final[Mapping[str, str]] = {
    "government and officials": r"governments?|minist\w+|president|mayor|council\w*|officials?|"
    r"agency|department",
    "opposition and activists": r"opposition|activists?|campaigners?|protest\w*|rebels?|"
    r"residents?|villagers?",
    "companies": r"company|companies|firms?|chief executive|manufacturers?|operators?|owners?",
    "unions and workers": r"unions?|workers?|employees?|drivers?|nurses?|teachers?",
    "police and prosecutors": r"police|prosecut\w+|detectives?|sheriff\w*",
    "the accused and their lawyers": r"lawyers?|defen[cs]e|attorneys?|solicitors?|accused|"
    r"defendants?",
    "scientists": r"researchers?|scientists?|study|professor|university",
}

#: How often each camp stands in each role: ``counts[role][camp]``.
RoleCounts = dict[str, dict[str, int]]


def read_conflicts(corpus: Path, articles: Sequence[LabelledArticle]) -> list[Conflict]:
    """Read the conflicts of a corpus; none are described where there is no such file.

    Raises:
        InputError: if a line is not legal, or names an article that is not in the corpus.
    """
    path = corpus / CONFLICTS_FILE
    if not path.exists():
        return []
    conflicts = read_records(path, Conflict)
    names = [conflict.conflict for conflict in conflicts]
    if len(set(names)) < len(names):
        raise InputError(
            str(path),
            expected="each conflict once",
            found=f"{next(n for n in names if names.count(n) > 1)!r} twice",
            fix="put its articles into one line",
        )
    known = {a.facts.article_id for a in articles}
    for conflict in conflicts:
        for article_id in conflict.articles:
            if article_id not in known:
                raise InputError(
                    f"{path}, conflict {conflict.conflict!r}",
                    expected="ids of articles in the corpus",
                    found=repr(article_id),
                    fix="correct the id, or take it out",
                )
    return conflicts


def count_roles(conflict: Conflict, articles: Sequence[LabelledArticle]) -> RoleCounts:
    """Count, over the conflict's articles, how often each camp stands in each role."""
    told = set(conflict.articles)
    found = Counter(
        (ROLES[sentence.stance], camp)
        for article in articles
        if article.facts.article_id in told
        for sentence in article.sentences
        if sentence.stance in ROLES and (camp := camp_of(sentence, conflict))
    )
    return {role: {camp: found[role, camp] for camp in conflict.camps} for role in ROLES.values()}


def camp_of(sentence: LabelledSentence, conflict: Conflict) -> str | None:
    """The camp that the source belongs to; None if it names neither camp, or both."""
    named = [
        camp
        for camp, names in conflict.camps.items()
        if sentence.source and any(_stands_in(name, sentence.source) for name in names)
    ]
    return named[0] if len(named) == 1 else None


def _stands_in(name: str, source: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source, re.IGNORECASE) is not None


def count_kinds(articles: Sequence[LabelledArticle]) -> RoleCounts:
    """Count roughly, by the words of the source, how often each kind stands in each role."""
    patterns = {
        kind: re.compile(rf"\b(?:{p})\b", re.IGNORECASE) for kind, p in SOURCE_KINDS.items()
    }
    found = Counter(
        (ROLES[sentence.stance], kind)
        for article in articles
        for sentence in article.sentences
        if sentence.source and sentence.stance in ROLES
        for kind, pattern in patterns.items()
        if pattern.search(sentence.source)
    )
    return {role: {kind: found[role, kind] for kind in SOURCE_KINDS} for role in ROLES.values()}


def difference(counts: Mapping[str, int]) -> float:
    """By what share of the larger count two camps differ: 0 for the same, 1 for none to some."""
    larger = max(counts.values())
    return (larger - min(counts.values())) / larger if larger else 0.0
