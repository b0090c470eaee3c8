"""What the corpus must be, as checks, and what it is, as figures.

The usual failure of a written corpus is that it is too easy: the gauges here say how
far words alone, names alone or the neighbouring sentences alone get.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from claimstance import standoff
from claimstance.annotation import (
    SPLITS,
    DataFolder,
    agreement,
    disagreements,
    load_all,
    read_decisions,
)
from claimstance.camps import RoleCounts, count_roles, difference, read_conflicts
from claimstance.corpus import LabelledArticle
from claimstance.drafts import HARD_CASES
from claimstance.errors import InputError
from claimstance.evaluation import Evaluation
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.real_news import RealNews, read_real_news
from claimstance.records import (
    LabelledSentence,
    SentenceLabels,
    Split,
    iter_json_lines,
    read_records,
)
from claimstance.silver import load_silver
from claimstance.standoff import sentence_hash

GENRES: Final = (
    "wire report",
    "broadsheet news",
    "magazine analysis",
    "local paper",
    "live blog",
    "fact-check",
    "business news",
    "science and health news",
    "court report",
    "interview write-up",
    "explainer",
    "broadcast script",
)
TOPICS: Final = (
    "armed conflict and raids",
    "diplomacy",
    "elections",
    "courts and crime",
    "corporate and markets",
    "technology rumours",
    "science",
    "health and medicine",
    "disasters and weather",
    "sport",
    "celebrity and viral stories",
    "local government",
    "climate and energy",
    "migration",
)

LEAST_ARTICLES: Final = 350
LEAST_SENTENCES: Final[dict[Split, int]] = {"train": 4000, "dev": 700, "test": 900}
LEAST_GENRE_SHARE: Final = 0.08
LEAST_TOPIC_SHARE: Final = 0.05
LEAST_CLASS_SHARE: Final = 0.08
LEAST_HARD_SHARE: Final = 0.25
LEAST_SECOND_SHARE: Final[dict[Split, float]] = {"train": 0.2, "dev": 1.0, "test": 1.0}
#: How far the counts of two camps in one role may differ, as a share of the larger.
MOST_CAMP_DIFFERENCE: Final = 1 / 3
CHECKED_ROLES: Final = ("claimant", "denier", "unproven accuser")
LEAST_REAL_STANCE: Final = 40
LEAST_REAL_HEDGE: Final = 50
MOST_SHARED_RUNS: Final = 0.05
RUN_WORDS: Final = 6
#: Jaccard similarity of word trigrams at which two sentences are near-duplicates.
NEAR: Final = 0.6
#: Shorter sentences are alike by chance.
FEWEST_TRIGRAMS: Final = 3
MOST_SHORTCUT_F1: Final = 0.75


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: what it asks, what was found, whether that is enough."""

    check: str
    found: str
    passed: bool


@dataclass(frozen=True, slots=True)
class CorpusReport:
    """All findings, and the figures that a dataset card quotes."""

    findings: list[Finding]
    articles: list[LabelledArticle]
    agreement: dict[Split, Evaluation]
    roles: dict[str, RoleCounts]
    real_news: RealNews | None
    silver: list[LabelledArticle]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(f.passed for f in self.findings)


def check_corpus(data: DataFolder, foreign: Sequence[Path] = ()) -> CorpusReport:
    """Run every check on a data folder.

    Args:
        data: the folder with ``corpus``, ``annotations`` and ``standoff``.
        foreign: JSONL files with a ``text`` in each line, none of which may stand in
            the corpus, nor nearly.

    Raises:
        InputError: if a file cannot be read or a record is not legal.
    """
    articles = load_all(data)
    missing = set(SPLITS) - {a.facts.split for a in articles}
    if missing:
        raise InputError(
            str(data.corpus),
            expected="articles in each split",
            found=f"none in {', '.join(sorted(missing))}",
            fix="add some with 'claimstance corpus add'",
        )
    sentences = [s for a in articles for s in a.sentences]
    roles = {c.conflict: count_roles(c, articles) for c in read_conflicts(data.corpus, articles)}
    real_news = read_real_news(data)
    silver = load_silver(data.silver).articles if data.silver.articles.exists() else []
    texts = [s.text for a in (*articles, *silver) for s in a.sentences]
    findings = [
        *_check_sizes(articles),
        *_check_shares(articles),
        *_check_classes([s for a in articles if a.facts.split == "train" for s in a.sentences]),
        _check_hard_cases(articles),
        _check_hard_kinds(articles),
        _check_camps(roles),
        _check_spans(sentences),
        *_check_annotations(data, articles),
        _check_duplicates(texts),
        _check_near_duplicates(texts),
        _check_runs(texts),
        _check_standoff(data, texts),
        *([_check_foreign(texts, foreign)] if foreign else []),
        *_gauges(articles),
        *(_check_real_news(real_news) if real_news else []),
    ]
    return CorpusReport(findings, articles, agreement(data), roles, real_news, silver)


def words(text: str) -> list[str]:
    """Lower-case words, without punctuation."""
    return re.findall(r"[\w’']+", text.lower())


def runs(text: str, length: int) -> set[tuple[str, ...]]:
    """All runs of ``length`` consecutive words."""
    found = words(text)
    return {tuple(found[i : i + length]) for i in range(len(found) - length + 1)}


def _check_sizes(articles: Sequence[LabelledArticle]) -> Iterator[Finding]:
    yield Finding(
        f"at least {LEAST_ARTICLES} articles",
        str(len(articles)),
        len(articles) >= LEAST_ARTICLES,
    )
    for split, least in LEAST_SENTENCES.items():
        found = sum(len(a.sentences) for a in articles if a.facts.split == split)
        yield Finding(f"at least {least} sentences in {split}", str(found), found >= least)


def _check_shares(articles: Sequence[LabelledArticle]) -> Iterator[Finding]:
    for name, values, least in (
        ("genre", GENRES, LEAST_GENRE_SHARE),
        ("topic", TOPICS, LEAST_TOPIC_SHARE),
    ):
        counts = Counter(getattr(a.facts, name) for a in articles)
        unknown = set(counts) - set(values)
        rarest = min(values, key=lambda v: counts[v])
        share = counts[rarest] / len(articles)
        yield Finding(
            f"every {name} at least {least:.0%} of the articles",
            f"rarest: {rarest}, {share:.1%}" + (f"; unknown: {unknown}" if unknown else ""),
            share >= least and not unknown,
        )


def _check_classes(train: Sequence[LabelledSentence]) -> Iterator[Finding]:
    scales: tuple[tuple[str, Sequence[str]], ...] = (
        ("stance", STANCES),
        ("certainty", CERTAINTIES),
    )
    for name, labels in scales:
        counts = Counter(getattr(s, name) for s in train)
        rarest = min(labels, key=lambda v: counts[v])
        share = counts[rarest] / len(train)
        yield Finding(
            f"every {name} at least {LEAST_CLASS_SHARE:.0%} of train",
            f"rarest: {rarest}, {share:.1%}",
            share >= LEAST_CLASS_SHARE,
        )


def _check_hard_cases(articles: Sequence[LabelledArticle]) -> Finding:
    kinds = Counter(kind for a in articles for kind in a.facts.hard_cases.values())
    total = sum(len(a.sentences) for a in articles)
    share = sum(kinds.values()) / total
    unknown = set(kinds) - set(HARD_CASES)
    return Finding(
        f"at least {LEAST_HARD_SHARE:.0%} of the sentences are marked hard cases",
        f"{share:.1%}" + (f"; unknown kinds: {unknown}" if unknown else ""),
        share >= LEAST_HARD_SHARE and not unknown,
    )


def _check_hard_kinds(articles: Sequence[LabelledArticle]) -> Finding:
    kinds = {split: set[str]() for split in SPLITS}
    for article in articles:
        kinds[article.facts.split] |= set(article.facts.hard_cases.values())
    absent = [f"{kind} in {s}" for s in SPLITS for kind in HARD_CASES if kind not in kinds[s]]
    return Finding(
        "each kind of hard case in train, dev and test",
        f"missing: {', '.join(absent)}" if absent else f"all {len(HARD_CASES)}",
        not absent,
    )


def _check_camps(roles: Mapping[str, RoleCounts]) -> Finding:
    """How often a camp is refuted is counted too, but is too seldom to be checked."""
    uneven = sorted(
        (
            (difference(counts[role]), conflict, role)
            for conflict, counts in roles.items()
            for role in CHECKED_ROLES
        ),
        reverse=True,
    )
    check = "in each conflict, both camps claim, deny and accuse without proof about equally often"
    if not uneven:
        return Finding(check, "no conflict is described", False)
    for _, conflict, role in uneven:
        if not any(roles[conflict][role].values()):
            return Finding(check, f"{conflict}: no camp is ever {role}", False)
    share, conflict, role = uneven[0]
    found = " to ".join(f"{camp} {n}" for camp, n in roles[conflict][role].items())
    return Finding(
        check,
        f"{len(roles)} conflicts; most uneven: {conflict}, {role}, {found}: {share:.0%} apart",
        share < MOST_CAMP_DIFFERENCE,
    )


def _check_spans(sentences: Sequence[LabelledSentence]) -> Finding:
    """That sources and cues are parts of their sentence was checked when they were read."""

    def lacks_or_has_too_many(sentence: LabelledSentence) -> bool:
        own_voice = sentence.stance in ("asserted", "no_claim")
        needs_cues = not own_voice or sentence.certainty in ("probable", "possible")
        return bool(sentence.cues) != needs_cues or (own_voice and sentence.source is not None)

    wrong = [s.text for s in sentences if lacks_or_has_too_many(s)]
    return Finding(
        "cues wherever another voice or a hedge decides, and only there; no source in the writer's "
        "own voice",
        _some(wrong),
        not wrong,
    )


def _check_annotations(data: DataFolder, articles: Sequence[LabelledArticle]) -> Iterator[Finding]:
    first, second = (
        {(s.article_id, s.position): s for s in read_records(path, SentenceLabels)}
        for path in (data.first, data.second)
    )
    settled = {(s.article_id, s.position): s for s in read_decisions(data)}
    for split in SPLITS:
        places = [
            (s.article_id, s.position)
            for a in articles
            if a.facts.split == split
            for s in a.sentences
        ]
        share = sum(p in second for p in places) / len(places)
        least = LEAST_SECOND_SHARE[split]
        yield Finding(f"{least:.0%} of {split} labelled twice", f"{share:.1%}", share >= least)
    undecided = [f for f, _ in disagreements(data) if (f.article_id, f.position) not in settled]
    yield Finding(
        "every disagreement decided, with its reason", f"{len(undecided)} open", not undecided
    )
    final = first | settled
    fields = ("stance", "certainty", "source", "cues")
    wrong = [
        s
        for a in articles
        for s in a.sentences
        if any(
            getattr(s, f) != getattr(final.get((s.article_id, s.position)), f, "missing")
            for f in fields
        )
    ]
    yield Finding(
        "the corpus follows from passes and decisions", f"{len(wrong)} labels differ", not wrong
    )


def _check_duplicates(texts: Sequence[str]) -> Finding:
    counts = Counter(" ".join(words(text)) for text in texts)
    # Very short ones recur in real news too: "Good evening." is nobody's copy.
    twice = [text for text, n in counts.items() if n > 1 and text.count(" ") >= 3]
    return Finding("no sentence twice", _some(twice), not twice)


def _some(texts: Sequence[str]) -> str:
    shown = "; ".join(repr(t[:60]) for t in texts[:3])
    return f"{len(texts)}" + (f": {shown}" if texts else "")


def _check_near_duplicates(texts: Sequence[str]) -> Finding:
    pairs = [f"{texts[a][:40]} / {texts[b][:40]}" for a, b in near_duplicates(texts, len(texts))]
    return Finding("no near-duplicates, within a split or across", _some(pairs), not pairs)


def near_duplicates(texts: Sequence[str], own: int) -> list[tuple[int, int]]:
    """Pairs of texts whose word trigrams are nearly the same, by Jaccard similarity.

    Args:
        texts: our sentences first, then foreign ones.
        own: how many are ours; pairs of two foreign ones are not looked for.
    """
    trigrams = [runs(text, 3) for text in texts]
    places: dict[tuple[str, ...], list[int]] = defaultdict(list)
    found: list[tuple[int, int]] = []
    for number, grams in enumerate(trigrams):
        if len(grams) < FEWEST_TRIGRAMS:
            continue
        shared = Counter(other for gram in grams for other in places[gram])
        for other, common in shared.items():
            if common / (len(grams) + len(trigrams[other]) - common) >= NEAR:
                found.append((other, number))
        if number < own:
            for gram in grams:
                places[gram].append(number)
    return found


def _check_runs(texts: Sequence[str]) -> Finding:
    places: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for number, text in enumerate(texts):
        for run in runs(text, RUN_WORDS):
            places[run].add(number)
    sharing = {number for where in places.values() if len(where) > 1 for number in where}
    share = len(sharing) / len(texts)
    return Finding(
        f"fewer than {MOST_SHARED_RUNS:.0%} of the sentences share a run of {RUN_WORDS} words",
        f"{share:.1%}",
        share < MOST_SHARED_RUNS,
    )


def _check_standoff(data: DataFolder, texts: Sequence[str]) -> Finding:
    """Hashes are enough to see that no sentence of a stand-off text stands in the corpus."""
    hashes = {
        line.sha256
        for path in sorted(data.standoff.glob("*.jsonl"))
        for line in standoff.read_standoff(path)
    }
    copied = [text for text in texts if sentence_hash(text) in hashes]
    return Finding("no sentence of a stand-off text", _some(copied), not copied)


def _check_foreign(texts: Sequence[str], foreign: Sequence[Path]) -> Finding:
    others = [str(row.get("text", "")) for path in foreign for _, row in iter_json_lines(path)]
    pairs = near_duplicates([*texts, *others], len(texts))
    ours = [texts[a] for a, b in pairs if b >= len(texts)]
    return Finding(
        f"no near-duplicate of the {len(others)} sentences of other sets", _some(ours), not ours
    )


def _check_real_news(real_news: RealNews) -> Iterator[Finding]:
    wanted: tuple[tuple[str, Sequence[str], int], ...] = (
        ("stance", STANCES, LEAST_REAL_STANCE),
        ("hedged certainty", CERTAINTIES[1:], LEAST_REAL_HEDGE),
    )
    for name, labels, least in wanted:
        rarest = min(labels, key=lambda label: real_news.counts[label])
        yield Finding(
            f"real news: at least {least} sentences of each {name}",
            f"rarest: {rarest}, {real_news.counts[rarest]}",
            real_news.counts[rarest] >= least,
        )
    yield Finding(
        "real news: every disagreement decided, with its reason",
        f"{len(real_news.undecided)} open",
        not real_news.undecided,
    )
    yield Finding(
        "real news: the labels follow from passes and decisions",
        f"{len(real_news.strays)} labels differ",
        not real_news.strays,
    )


View = Callable[[LabelledArticle, int], str]


def _own_words(article: LabelledArticle, position: int) -> str:
    return article.sentences[position].text


def _names(article: LabelledArticle, position: int) -> str:
    """Capitalised words, the first of the sentence left out."""
    return " ".join(re.findall(r"(?<=\S\s)[A-Z][\w’'-]+", article.sentences[position].text))


def _neighbours(article: LabelledArticle, position: int) -> str:
    around = (*range(position - 2, position), *range(position + 1, position + 3))
    return " ".join(article.sentences[i].text for i in around if 0 <= i < len(article.sentences))


_VIEWS: Final[tuple[tuple[str, View, float], ...]] = (
    ("words alone", _own_words, MOST_SHORTCUT_F1),
    ("names alone", _names, 0.35),
    ("neighbours alone", _neighbours, 0.35),
)


def _gauges(articles: Sequence[LabelledArticle]) -> Iterator[Finding]:
    """How far a linear model gets on dev when it sees a part of what a reader sees."""
    for name, view, most in _VIEWS:
        score = shortcut_f1(articles, view)
        yield Finding(
            f"shortcut gauge: {name} below {most} stance macro-F1 on dev",
            f"{score:.3f}",
            score < most,
        )


def shortcut_f1(articles: Sequence[LabelledArticle], view: View) -> float:
    """Stance macro-F1 on dev of TF-IDF and logistic regression over one view.

    A view without a single word tells nothing: 0.
    """
    from sklearn.metrics import f1_score

    from claimstance.baseline import fit_linear
    from claimstance.recipes import BaselineRecipe

    def side(split: str) -> tuple[list[str], list[str]]:
        chosen = [
            (a, i) for a in articles if a.facts.split == split for i in range(len(a.sentences))
        ]
        texts = [view(a, i) for a, i in chosen]
        return texts, [a.sentences[i].stance for a, i in chosen]

    recipe = BaselineRecipe(kind="baseline", name="gauge", corpus=Path(), seed=0)
    train, (texts, gold) = side("train"), side("dev")
    if not any(map(words, train[0])):
        return 0.0
    pipeline = fit_linear(recipe, *train)
    return float(f1_score(gold, pipeline.predict(texts), average="macro"))
