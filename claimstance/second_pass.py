"""Two people's labels of the same sentences: how far they agree, and what is settled.

The first pass covers all sentences; the second, made blind, all or some of them. Where
the two differ in stance or certainty, a decision with its reason takes the place of both;
everywhere else the first pass holds, as in the corpus (`claimstance.annotation`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from claimstance.annotation import SettledLabels
from claimstance.errors import InputError
from claimstance.evaluation import Evaluation, evaluate, must_stand_once
from claimstance.records import LabelledSentence, Labels, Sentence, read_records
from claimstance.tasks import AnnotatedSentence

Place = tuple[str, int]


class Disagreement(Sentence):
    """A sentence on whose stance or certainty two annotators differ."""

    first: Labels
    second: Labels


@dataclass(frozen=True, slots=True)
class Passes:
    """Two people's labels, by the place of the sentence."""

    first: dict[Place, AnnotatedSentence]
    second: dict[Place, AnnotatedSentence]

    @property
    def pairs(self) -> list[tuple[AnnotatedSentence, AnnotatedSentence]]:
        """What both have labelled."""
        return [(self.first[place], labels) for place, labels in self.second.items()]


def read_passes(first: Path, second: Path) -> Passes:
    """Read both.

    Raises:
        InputError: if a file is broken, a sentence stands twice, the second has one that the
            first has not or with another text, or both are by the same person.
    """
    passes = Passes(_by_place(first), _by_place(second))
    for place, labels in passes.second.items():
        known = passes.first.get(place)
        if known is None or known.text != labels.text:
            raise InputError(
                str(second),
                expected="sentences that the first pass has labelled",
                found=f"article {place[0]!r}, position {place[1]}"
                + (", with another text" if known else ""),
                fix="give two passes over the same sheet",
            )
        if known.annotator == labels.annotator:
            raise InputError(
                str(second),
                expected=f"labels of somebody else than {known.annotator!r}",
                found=f"labels of {labels.annotator!r}",
                fix="have the second pass made by another person, from the text alone",
            )
    return passes


def _by_place(path: Path) -> dict[Place, AnnotatedSentence]:
    labels = read_records(path, AnnotatedSentence)
    must_stand_once(labels, str(path))
    return {(s.article_id, s.position): s for s in labels}


def agreement(passes: Passes) -> Evaluation:
    """How the second pass agrees with the first, as `claimstance.annotation.agreement`."""
    return evaluate(passes.pairs)


def disagreements(passes: Passes) -> list[Disagreement]:
    """What is to be settled."""
    return [
        Disagreement(
            article_id=first.article_id,
            position=first.position,
            text=first.text,
            first=_labels(first),
            second=_labels(second),
        )
        for first, second in passes.pairs
        if (first.stance, first.certainty) != (second.stance, second.certainty)
    ]


def _labels(sentence: LabelledSentence) -> Labels:
    return Labels(
        stance=sentence.stance,
        certainty=sentence.certainty,
        source=sentence.source,
        cues=sentence.cues,
    )


def settle(passes: Passes, decisions: Sequence[SettledLabels], name: str) -> list[LabelledSentence]:
    """The labels that hold, in the order of the first pass.

    Args:
        passes: the two.
        decisions: with the reason of each; also on what the two agree on, if it was wrong.
        name: of the file of decisions.

    Raises:
        InputError: if a disagreement is not decided, or a decision is on no sentence of the
            first pass, without a reason, or with labels that do not fit the sentence.
    """
    must_stand_once(decisions, name)
    decided = {(d.article_id, d.position): d for d in decisions}
    _check_decisions(passes, decided.values(), name)
    for found in disagreements(passes):
        if (found.article_id, found.position) not in decided:
            raise InputError(
                name,
                expected="a decision on every disagreement of the two passes",
                found=f"none on article {found.article_id!r}, position {found.position}",
                fix="decide it, with its reason",
            )
    return [
        _settled(sentence, decided.get(place), name) for place, sentence in passes.first.items()
    ]


def _check_decisions(passes: Passes, decisions: Iterable[SettledLabels], name: str) -> None:
    for decision in decisions:
        where = f"{name}, article {decision.article_id!r}, position {decision.position}"
        if (decision.article_id, decision.position) not in passes.first:
            raise InputError(
                where,
                expected="a sentence of the first pass",
                found="one that it has not",
                fix="delete that line, or correct its place",
            )
        if not decision.reason.strip():
            raise InputError(
                where,
                expected="the reason of the decision",
                found="an empty one",
                fix="say which rule of the guidelines decides",
            )


def _settled(
    sentence: AnnotatedSentence, decision: SettledLabels | None, name: str
) -> LabelledSentence:
    labels = (decision or sentence).model_dump(include={"stance", "certainty", "source", "cues"})
    place = {"article_id": sentence.article_id, "position": sentence.position}
    try:
        return LabelledSentence.model_validate(place | {"text": sentence.text} | labels)
    except ValidationError as error:
        raise InputError(
            f"{name}, article {sentence.article_id!r}, position {sentence.position}",
            expected="labels that fit the sentence",
            found=error.errors()[0]["msg"],
            fix="correct that decision",
        ) from None
