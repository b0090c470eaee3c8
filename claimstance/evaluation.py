"""Scoring a file of predictions against a file of gold labels.

Knows files, not models: a baseline, a rival tool and our own model are scored
alike, and so is one annotation pass against the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from claimstance import statistics as st
from claimstance.errors import InputError
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.records import LabelledSentence, Prediction, SentenceLabels
from claimstance.spans import Offsets, find_spans
from claimstance.standoff import StandoffLabels
from claimstance.statistics import Estimate, Ints
from claimstance.wording import counted

#: What can be scored: predictions, an annotation pass, or another labelled corpus.
Labelled = LabelledSentence | SentenceLabels | Prediction
LabelledT = TypeVar("LabelledT", bound=Labelled)

#: A gold sentence and what is scored against it.
Pair = tuple[LabelledSentence, Labelled]

#: A gold sentence and its prediction.
PredictedPair = tuple[LabelledSentence, Prediction]

#: The same, where stance and certainty are all that is scored: no text is needed.
LabelPair = tuple[Labelled | StandoffLabels, Labelled | StandoffLabels]


@dataclass(frozen=True, slots=True)
class ClassScore:
    """How well one label is found; ``support`` counts its gold sentences."""

    precision: Estimate
    recall: Estimate
    f1: Estimate
    kappa: Estimate
    support: int


@dataclass(frozen=True, slots=True)
class LabelScore:
    """How well one kind of label (stance or certainty) is found.

    ``confusion`` has a row for each gold label and a column for each predicted one.
    For certainty, which is scored where gold has a claim, a last column counts the
    sentences that were predicted to have none; they count as misses.
    """

    sentences: int
    macro_f1: Estimate
    accuracy: Estimate
    kappa: Estimate
    matthews: Estimate
    #: For labels on a scale, among the sentences to which both sides give one; else None.
    quadratic_kappa: Estimate | None
    classes: dict[str, ClassScore]
    confusion: list[list[int]]


@dataclass(frozen=True, slots=True)
class SpanScore:
    """How well spans are found: to the letter, and sharing at least one character."""

    exact_f1: Estimate
    overlap_f1: Estimate
    gold: int
    predicted: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All the scores of one file against another."""

    articles: int
    sentences: int
    stance: LabelScore
    certainty: LabelScore
    source: SpanScore
    cues: SpanScore

    def as_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)


def pair_up(
    gold: Sequence[LabelledSentence], other: Sequence[LabelledT], name: str
) -> list[tuple[LabelledSentence, LabelledT]]:
    """Put each gold sentence beside its counterpart.

    Raises:
        InputError: if a gold sentence stands twice or has no counterpart, a counterpart stands
            twice or is one that gold does not have, or its text is another one.
    """
    must_stand_once(gold, "the gold file")
    must_stand_once(other, name)
    by_place = {(item.article_id, item.position): item for item in other}
    missing = [s for s in gold if (s.article_id, s.position) not in by_place]
    if missing:
        raise InputError(
            name,
            expected=f"a prediction for each of the {len(gold)} gold sentences",
            found=f"none for {len(missing)} of them, the first in article "
            f"{missing[0].article_id!r}, position {missing[0].position}",
            fix="classify the articles of the gold file, with their own sentences",
        )
    places = {(s.article_id, s.position) for s in gold}
    extra = [place for place in by_place if place not in places]
    if extra:
        raise InputError(
            name,
            expected="the sentences of the gold file and no others",
            found=f"{len(extra)} others, the first in article {extra[0][0]!r}, "
            f"position {extra[0][1]}",
            fix="give the gold file of the articles that were classified, or leave the others "
            "out with --only-gold",
        )
    pairs = [(s, by_place[s.article_id, s.position]) for s in gold]
    for sentence, found in pairs:
        text = getattr(found, "text", sentence.text)
        if text != sentence.text:
            raise InputError(
                f"{name}, article {sentence.article_id!r}, position {sentence.position}",
                expected=f"the sentence {sentence.text[:50]!r}",
                found=repr(text[:50]),
                fix="classify the sentences of the gold file, not sentences split anew",
            )
    return pairs


def must_stand_once(labelled: Sequence[Labelled], name: str) -> None:
    """Refuse labels in which a sentence stands twice.

    Raises:
        InputError: if one does; ``name`` is the file's.
    """
    seen: set[tuple[str, int]] = set()
    for item in labelled:
        place = (item.article_id, item.position)
        if place in seen:
            raise InputError(
                name,
                expected="each sentence once",
                found=f"article {place[0]!r}, position {place[1]} twice",
                fix="delete one of them, or write the file anew",
            )
        seen.add(place)


def only_gold(gold: Sequence[LabelledSentence], other: Sequence[LabelledT]) -> list[LabelledT]:
    """What is said of gold sentences, without that of others, such as their context."""
    places = {(s.article_id, s.position) for s in gold}
    return [item for item in other if (item.article_id, item.position) in places]


def by_article(
    pairs: Iterable[tuple[LabelledSentence, LabelledT]],
    *,
    document: Callable[[LabelledSentence], str] = lambda sentence: sentence.article_id,
) -> list[list[tuple[LabelledSentence, LabelledT]]]:
    """Put pairs together by the article that each gold sentence is from.

    Args:
        pairs: gold sentences and what is scored against them.
        document: which article a gold sentence is from, where its id does not say so.
    """
    groups: dict[str, list[tuple[LabelledSentence, LabelledT]]] = {}
    for pair in pairs:
        groups.setdefault(document(pair[0]), []).append(pair)
    return list(groups.values())


def evaluate(
    pairs: Sequence[Pair],
    *,
    document: Callable[[LabelledSentence], str] = lambda sentence: sentence.article_id,
) -> Evaluation:
    """Score pairs of gold and predicted labels; intervals are resampled by article.

    Args:
        pairs: gold sentences and what is scored against them.
        document: which article a gold sentence is from, where its id does not say so.
    """
    articles = by_article(pairs, document=document)
    return Evaluation(
        articles=len(articles),
        sentences=len(pairs),
        stance=score_stance(articles),
        certainty=score_certainty(articles),
        source=_score_spans(articles, "source"),
        cues=_score_spans(articles, "cue"),
    )


def score_stance(articles: Sequence[Sequence[LabelPair]]) -> LabelScore:
    """Score stances; the pairs of one article stand together, and there is at least one."""
    return _score_labels(np.stack([stance_counts(a) for a in articles]), STANCES)


def score_certainty(articles: Sequence[Sequence[LabelPair]]) -> LabelScore:
    """Score certainties where gold has a claim; as `score_stance`."""
    return _score_labels(
        np.stack([certainty_counts(a) for a in articles]), CERTAINTIES, on_a_scale=True
    )


def stance_counts(article: Sequence[LabelPair]) -> Ints:
    """Count gold against predicted stances; shape (stances, stances)."""
    gold = [STANCES.index(g.stance) for g, _ in article]
    predicted = [STANCES.index(p.stance) for _, p in article]
    return st.confusion(gold, predicted, len(STANCES))


def certainty_counts(article: Sequence[LabelPair]) -> Ints:
    """Count certainties where gold has a claim; a last row and column stand for none."""
    scale: list[str | None] = [*CERTAINTIES, None]
    claims = [(g, p) for g, p in article if g.certainty is not None]
    gold = [scale.index(g.certainty) for g, _ in claims]
    return st.confusion(gold, [scale.index(p.certainty) for _, p in claims], len(scale))


def _score_labels(counts: Ints, labels: Sequence[str], *, on_a_scale: bool = False) -> LabelScore:
    total = counts.sum(axis=0)
    return LabelScore(
        sentences=int(total.sum()),
        macro_f1=st.bootstrap(counts, partial(st.macro_f1, labels=range(len(labels)))),
        accuracy=st.bootstrap(counts, st.accuracy),
        kappa=st.bootstrap(counts, st.kappa),
        matthews=st.bootstrap(counts, st.matthews),
        quadratic_kappa=(
            st.bootstrap(counts[:, : len(labels), : len(labels)], st.quadratic_kappa)
            if on_a_scale
            else None
        ),
        classes={
            label: ClassScore(
                precision=st.bootstrap(counts, partial(st.precision, label=i)),
                recall=st.bootstrap(counts, partial(st.recall, label=i)),
                f1=st.bootstrap(counts, partial(st.f1, label=i)),
                kappa=st.bootstrap(st.one_against_rest(counts, i), st.kappa),
                support=int(total[i].sum()),
            )
            for i, label in enumerate(labels)
        },
        confusion=[[int(n) for n in row] for row in total[: len(labels)]],
    )


def _score_spans(articles: Sequence[Sequence[Pair]], name: str) -> SpanScore:
    counts = {
        kind: np.asarray([_span_counts(a, name, kind == "exact") for a in articles])
        for kind in ("exact", "overlap")
    }
    return SpanScore(
        exact_f1=st.bootstrap(counts["exact"], st.span_f1),
        overlap_f1=st.bootstrap(counts["overlap"], st.span_f1),
        gold=int(counts["exact"][:, 3].sum()),
        predicted=int(counts["exact"][:, 1].sum()),
    )


def _span_counts(article: Sequence[Pair], name: str, exact: bool) -> list[int]:
    """Right and all predicted spans, found and all gold spans."""
    totals = [0, 0, 0, 0]
    for gold, other in article:
        wanted = find_spans(gold.text, gold.source, gold.cues)[name]
        given = find_spans(gold.text, other.source, other.cues)[name]
        totals[0] += sum(_matches(span, wanted, exact) for span in given)
        totals[1] += len(given)
        totals[2] += sum(_matches(span, given, exact) for span in wanted)
        totals[3] += len(wanted)
    return totals


def _matches(span: Offsets, others: Sequence[Offsets], exact: bool) -> bool:
    if exact:
        return span in others
    return any(start < span[1] and end > span[0] for start, end in others)


def markdown_page(
    evaluation: Evaluation, *, gold: str, predictions: str, command: str, picture: str | None
) -> str:
    """The scores as a page of tables.

    Args:
        evaluation: the scores.
        gold: the file of labels that were decided on.
        predictions: the file of what a model says.
        command: what makes the page.
        picture: where the picture of confusions lies, seen from the page; None if there is none.
    """
    drawn = [f"![Confusion of stance and certainty]({picture})", ""] if picture else []
    stance, certainty = evaluation.stance, evaluation.certainty
    return "\n".join(
        [
            "# Evaluation",
            "",
            f"`{predictions}` against `{gold}`: {counted(evaluation.sentences, 'sentence')} "
            f"of {counted(evaluation.articles, 'article')}. In brackets: bootstrap 95% intervals, "
            f"{st.RESAMPLES} resamples by article, seed {st.SEED}.",
            "",
            f"Made by `{command}`.",
            "",
            *drawn,
            *_overview({"stance": stance, "certainty": certainty}),
            *_class_table("Stance", stance),
            *_class_table("Certainty", certainty),
            *_span_table({"source": evaluation.source, "cues": evaluation.cues}),
        ]
    )


def _overview(scores: Mapping[str, LabelScore]) -> list[str]:
    head = [
        "| | sentences | macro-F1 | accuracy | Cohen's κ | quadratic κ | Matthews |",
        "| --- | --: | --: | --: | --: | --: | --: |",
    ]
    rows = [
        f"| {name} | {s.sentences} | {s.macro_f1} | {s.accuracy} | {s.kappa} "
        f"| {s.quadratic_kappa or ''} | {s.matthews} |"
        for name, s in scores.items()
    ]
    return [*head, *rows, ""]


def _class_table(name: str, score: LabelScore) -> list[str]:
    head = [
        f"## {name}",
        "",
        f"| {name.lower()} | sentences | precision | recall | F1 |",
        "| --- | --: | --: | --: | --: |",
    ]
    rows = [
        f"| {label} | {c.support} | {c.precision} | {c.recall} | {c.f1} |"
        for label, c in score.classes.items()
    ]
    return [*head, *rows, ""]


def _span_table(scores: Mapping[str, SpanScore]) -> list[str]:
    head = [
        "## Spans",
        "",
        "| | gold | predicted | exact F1 | overlap F1 |",
        "| --- | --: | --: | --: | --: |",
    ]
    rows = [
        f"| {name} | {s.gold} | {s.predicted} | {s.exact_f1} | {s.overlap_f1} |"
        for name, s in scores.items()
    ]
    return [*head, *rows, ""]
