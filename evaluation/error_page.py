"""The page of mistakes: what a person should read to know how the model fails, on dev.

The test split is not shown: a page that is read to mend the model must not be made of
the sentences that judge it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from scores import DATA

from claimstance.annotation import disagreements, read_decisions
from claimstance.behaviour import in_words
from claimstance.corpus import LabelledArticle, load_split
from claimstance.evaluation import PredictedPair
from claimstance.records import SentenceLabels

#: A mistake is confident from this probability on.
CONFIDENT: Final = 0.75
#: Sentences shown for each kind of mistake, and kinds shown: ten minutes' reading in all.
SHOWN: Final = 3
KINDS: Final = 5
#: Sentences shown for each way in which the two passes differ.
PASSES_SHOWN: Final = 2
#: Characters shown of the sentence before.
BEFORE: Final = 80

Kind = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Mistake:
    """A sentence of dev with a wrong label, and the probability that the model gave it."""

    gold: str
    given: str
    probability: float
    pair: PredictedPair


def error_page(pairs: Sequence[PredictedPair]) -> str:
    """The page, from the pairs of dev."""
    articles = {a.facts.article_id: a for a in load_split(DATA.corpus, "dev")}
    wrong = [m for pair in pairs if (m := stance_mistake(pair))]
    return "\n".join(
        [
            "# What the model gets wrong",
            "",
            "Made by `make evaluate`, from the predictions of the model that ships for "
            f"dev: it gives another stance on {len(wrong)} of {len(pairs)} sentences, and "
            f"{sum(m.probability >= CONFIDENT for m in wrong)} of these with a probability of "
            f"{CONFIDENT:.0%} or more. Dev chose the model and its temperatures; the test split "
            "is not shown here, because whoever reads mistakes ends up mending them. "
            "**Bold** is the sentence that was judged, before it the end of the one before; in "
            "brackets the probability, the article, the kind of hard case, and the cues that the "
            "model saw.",
            "",
            *_kinds(wrong),
            "## Confident mistakes of stance",
            "",
            *_by_kind(_surest(wrong), articles),
            "## Confident mistakes of certainty",
            "",
            *_by_kind(_surest(m for pair in pairs if (m := certainty_mistake(pair))), articles),
            "## Where the two annotation passes disagreed",
            "",
            *_disagreements(pairs, articles),
        ]
    )


def stance_mistake(pair: PredictedPair) -> Mistake | None:
    """The mistake of stance, if there is one."""
    gold, given = pair
    if gold.stance == given.stance:
        return None
    return Mistake(gold.stance, given.stance, given.stance_probabilities[given.stance], pair)


def certainty_mistake(pair: PredictedPair) -> Mistake | None:
    """The mistake of certainty where both see a claim, if there is one."""
    gold, given = pair
    if gold.certainty == given.certainty or gold.certainty is None or given.certainty is None:
        return None
    probability = given.certainty_probabilities[given.certainty]
    return Mistake(gold.certainty, given.certainty, probability, pair)


def _surest(mistakes: Iterable[Mistake]) -> list[Mistake]:
    confident = [m for m in mistakes if m.probability >= CONFIDENT]
    return sorted(confident, key=lambda m: -m.probability)


def _kinds(wrong: Sequence[Mistake]) -> list[str]:
    counts = Counter((m.gold, m.given) for m in wrong)
    sure = Counter((m.gold, m.given) for m in wrong if m.probability >= CONFIDENT)
    rows = [
        f"| {gold} | {given} | {n} | {sure[gold, given]} |"
        for (gold, given), n in counts.most_common(KINDS)
    ]
    rest = len(wrong) - sum(n for _, n in counts.most_common(KINDS))
    return [
        "## How often each label is taken for another",
        "",
        "| label | taken for | sentences | confidently |",
        "| --- | --- | --: | --: |",
        *rows,
        *([f"| others | | {rest} | |"] if rest else []),
        "",
    ]


def _by_kind(mistakes: Sequence[Mistake], articles: dict[str, LabelledArticle]) -> list[str]:
    kinds: dict[Kind, list[Mistake]] = {}
    for mistake in mistakes:
        kinds.setdefault((mistake.gold, mistake.given), []).append(mistake)
    lines: list[str] = []
    for (gold, given), found in sorted(kinds.items(), key=lambda item: -len(item[1]))[:KINDS]:
        more = f", the surest {SHOWN}" if len(found) > SHOWN else ""
        lines += [f"### {gold} taken for {given} ({len(found)}{more})", ""]
        lines += [_line(m, articles) for m in found[:SHOWN]]
        lines.append("")
    return lines or ["None.", ""]


def _line(mistake: Mistake, articles: dict[str, LabelledArticle]) -> str:
    gold, given = mistake.pair
    article = articles[gold.article_id]
    hard = article.facts.hard_cases.get(gold.position)
    about = gold.article_id + (f", {hard}" if hard else "")
    cues = f"; saw {', '.join(map(repr, given.cues))}" if given.cues else ""
    return f"- {passage(article, gold.position)} ({mistake.probability:.0%}; {about}{cues})"


def passage(article: LabelledArticle, position: int) -> str:
    """A sentence in bold, and the end of the one before it."""
    before = article.sentences[position - 1].text + " " if position else ""
    if len(before) > BEFORE:
        before = "… " + before[-BEFORE:].partition(" ")[2]
    return f"{plain(before)}**{plain(article.sentences[position].text)}**"


def plain(text: str) -> str:
    """Text in which nothing is markup."""
    for mark in "\\*_`<[#":
        text = text.replace(mark, f"\\{mark}")
    return text


def _disagreements(
    pairs: Sequence[PredictedPair], articles: dict[str, LabelledArticle]
) -> list[str]:
    of_model = {(g.article_id, g.position): (g, p) for g, p in pairs}
    decided = {(d.article_id, d.position): d for d in read_decisions(DATA)}
    passes = [(f, s) for f, s in disagreements(DATA) if (f.article_id, f.position) in of_model]
    doubtful = [of_model[f.article_id, f.position] for f, _ in passes]
    places = {(g.article_id, g.position) for g, _ in doubtful}
    agreed = [(g, p) for place, (g, p) in of_model.items() if place not in places]
    kinds: dict[Kind, list[SentenceLabels]] = {}
    for first, second in passes:
        kinds.setdefault((in_words(first), in_words(second)), []).append(first)
    lines = [
        f"On {len(passes)} of {len(pairs)} sentences of dev the passes differ in stance or "
        f"certainty. The model has the label that was decided on {_share(doubtful)} of them, and "
        f"on {_share(agreed)} of the others.",
        "",
    ]
    for (one, other), found in sorted(kinds.items(), key=lambda item: -len(item[1])):
        more = f", {PASSES_SHOWN} shown" if len(found) > PASSES_SHOWN else ""
        lines += [f"### {one} against {other} ({len(found)}{more})", ""]
        for labels in found[:PASSES_SHOWN]:
            place = (labels.article_id, labels.position)
            gold, given = of_model[place]
            reason = getattr(decided.get(place), "reason", "").rstrip(".")
            lines.append(
                f"- **{plain(gold.text)}** Decided: {in_words(gold)} ({plain(reason)}). "
                f"Model: {in_words(given)}."
            )
        lines.append("")
    return lines


def _share(pairs: Sequence[PredictedPair]) -> str:
    right = sum((g.stance, g.certainty) == (p.stance, p.certainty) for g, p in pairs)
    return f"{right} ({right / len(pairs):.0%})" if pairs else "none"
