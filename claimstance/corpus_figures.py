"""The corpus in figures: the page that the dataset card points to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from claimstance.annotation import SPLITS
from claimstance.camps import ROLES, RoleCounts, count_kinds
from claimstance.corpus import LabelledArticle
from claimstance.corpus_checks import GENRES, TOPICS, CorpusReport, words
from claimstance.drafts import HARD_CASES
from claimstance.evaluation import Evaluation, LabelScore
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.real_news import RealNews
from claimstance.records import Split


def statistics_page(report: CorpusReport) -> str:
    """The figures of the corpus as a Markdown page, for the dataset card."""
    return "\n".join(
        [
            "# The corpus in figures",
            "",
            "Made by `claimstance corpus check data --out data/statistics.md`.",
            "",
            "## Size",
            "",
            *_size_table(report.articles),
            "## Labels",
            "",
            *_label_table(report.articles),
            *_share_table("genre", GENRES, report.articles),
            *_share_table("topic", TOPICS, report.articles),
            *_hard_case_table(report.articles),
            *_role_table(report.roles),
            *_kind_table(report.articles),
            "## Agreement of the two annotation passes",
            "",
            "Cohen's κ with bootstrap 95% intervals by article, second pass against first.",
            "",
            *_agreement_table(report.agreement),
            *(_real_news_section(report.real_news) if report.real_news else []),
            *(_silver_section(report.silver) if report.silver else []),
            "## Checks",
            "",
            "| check | found | |",
            "| --- | --- | --- |",
            *(
                f"| {f.check} | {f.found} | {'ok' if f.passed else 'FAILS'} |"
                for f in report.findings
            ),
            "",
        ]
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("| --- |" + " --: |" * (len(head) - 1))
    lines += ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return [*lines, ""]


def _by_split(articles: Sequence[LabelledArticle]) -> dict[str, list[LabelledArticle]]:
    return {split: [a for a in articles if a.facts.split == split] for split in SPLITS}


def _size_table(articles: Sequence[LabelledArticle]) -> list[str]:
    rows = []
    for split, chosen in [*_by_split(articles).items(), ("all", list(articles))]:
        lengths = [len(words(s.text)) for a in chosen for s in a.sentences]
        mean = sum(lengths) / len(lengths)
        long = sum(n >= 25 for n in lengths) / len(lengths)
        rows.append((split, len(chosen), len(lengths), f"{mean:.1f}", f"{long:.0%}"))
    head = ("split", "articles", "sentences", "words per sentence", "25 words or more")
    return _table(head, rows)


def _label_table(articles: Sequence[LabelledArticle]) -> list[str]:
    lines: list[str] = []
    scales: tuple[tuple[str, Sequence[str]], ...] = (
        ("stance", STANCES),
        ("certainty", CERTAINTIES),
    )
    for name, labels in scales:
        rows = []
        for label in labels:
            cells: list[object] = [label]
            for chosen in _by_split(articles).values():
                sentences = [s for a in chosen for s in a.sentences]
                count = sum(getattr(s, name) == label for s in sentences)
                cells.append(f"{count} ({count / len(sentences):.0%})")
            rows.append(cells)
        lines += _table((name, *SPLITS), rows)
    return lines


def _share_table(
    name: str, values: Sequence[str], articles: Sequence[LabelledArticle]
) -> list[str]:
    rows = []
    for value in values:
        chosen = [a for a in articles if getattr(a.facts, name) == value]
        stances = Counter(s.stance for a in chosen for s in a.sentences)
        total = sum(stances.values()) or 1
        share = f"{len(chosen) / len(articles):.1%}"
        rows.append((value, len(chosen), share, *(f"{stances[s] / total:.0%}" for s in STANCES)))
    return [
        f"## By {name}",
        "",
        *_table((name, "articles", "share", *STANCES), rows),
    ]


def _silver_section(articles: Sequence[LabelledArticle]) -> list[str]:
    lengths = [len(words(s.text)) for a in articles for s in a.sentences]
    mean = sum(lengths) / len(lengths)
    rows = []
    for name, labels in (("stance", STANCES), ("certainty", CERTAINTIES)):
        counts = Counter(getattr(s, name) for a in articles for s in a.sentences)
        rows += [(name, x, f"{counts[x]} ({counts[x] / len(lengths):.0%})") for x in labels]
    return [
        "## Silver",
        "",
        f"{len(articles)} more articles, {len(lengths)} sentences of {mean:.1f} words on average,",
        "which nobody but the large model has labelled. What it says of them:",
        "",
        *_table(("", "label", "sentences"), rows),
    ]


def _hard_case_table(articles: Sequence[LabelledArticle]) -> list[str]:
    rows = []
    for kind in HARD_CASES:
        counts = [
            sum(k == kind for a in chosen for k in a.facts.hard_cases.values())
            for chosen in _by_split(articles).values()
        ]
        rows.append((kind, *counts))
    return ["## Hard cases", "", *_table(("kind", *SPLITS), rows)]


def _role_table(roles: Mapping[str, RoleCounts]) -> list[str]:
    if not roles:
        return []
    rows = [
        (conflict, camp, *(counts[role][camp] for role in ROLES.values()))
        for conflict, counts in roles.items()
        for camp in next(iter(counts.values()))
    ]
    return [
        "## Roles of the camps",
        "",
        "For each conflict that several articles tell of, how often each camp is the source of a",
        "sentence in each role. `corpus/conflicts.jsonl` says which articles and which names.",
        "",
        *_table(("conflict", "camp", *ROLES.values()), rows),
    ]


def _kind_table(articles: Sequence[LabelledArticle]) -> list[str]:
    counts = count_kinds(articles)
    rows = []
    for kind in next(iter(counts.values())):
        found = [counts[role][kind] for role in ROLES.values()]
        shares = [f"{n / sum(found):.0%}" if sum(found) else "" for n in found]
        rows.append((kind, sum(found), *shares))
    return [
        "## Roles of kinds of source",
        "",
        "A rough count over the whole corpus: sentences whose source holds a word of the kind "
        "(`claimstance/camps.py`), and in which roles. Kinds differ as they do in the news; a",
        "model may learn it.",
        "",
        *_table(("kind", "sentences", *ROLES.values()), rows),
    ]


def _agreement_table(results: dict[Split, Evaluation]) -> list[str]:
    rows: list[tuple[object, ...]] = []
    for split, result in results.items():
        rows += _label_agreement(split, result.stance, result.certainty)
        for name, span in (("source", result.source), ("cues", result.cues)):
            rows.append((split, f"{name}: overlap F1", span.gold, "", span.overlap_f1))
    return _table(("split", "labels", "sentences", "same label", "κ (spans: F1)"), rows)


def _label_agreement(
    name: str, stance: LabelScore, certainty: LabelScore
) -> Iterator[tuple[object, ...]]:
    for kind, score in (("stance", stance), ("certainty", certainty)):
        both = f"{score.accuracy.value:.1%}"
        yield name, kind, score.sentences, both, score.kappa
        for label, found in score.classes.items():
            yield name, f"{kind}: {label}", found.support, "", found.kappa


def _real_news_section(real_news: RealNews) -> list[str]:
    counts = [(label, real_news.counts[label]) for label in (*STANCES, *CERTAINTIES)]
    agreement = _label_agreement("real news", real_news.stance, real_news.certainty)
    head = ("set", "labels", "sentences", "same label", "κ")
    return [
        "## The real-news development set",
        "",
        f"{len(real_news.rows)} sentences of published datasets, labelled without their text; "
        "intervals by article.",
        "",
        *_table(("label", "sentences"), counts),
        *_table(head, agreement),
    ]
