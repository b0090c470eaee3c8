"""Behaviour suites: written cases that say what a model must do, whatever its scores.

Three kinds (Ribeiro et al. 2020, "Beyond accuracy: behavioral testing of NLP models with
CheckList"): *minimum functionality*, a passage and its labels; *invariance*, a change
after which the labels must not move; *direction*, a change after which they must move
as said. A case is judged from a file of predictions, as everything else is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, Protocol, Self

from pydantic import Field, model_validator

from claimstance.articles import Article, spans_of
from claimstance.errors import InputError
from claimstance.evaluation import must_stand_once
from claimstance.labels import CERTAINTIES, Certainty, Stance
from claimstance.records import (
    Prediction,
    Record,
    certainty_goes_with_a_claim,
    read_records,
)
from claimstance.statistics import Estimate, wilson

Text = Annotated[str, Field(min_length=1)]


class TwoLabels(Protocol):
    """Whatever has a stance and a certainty."""

    @property
    def stance(self) -> Stance:
        """How the text stands to the claim."""

    @property
    def certainty(self) -> Certainty | None:
        """How firmly it is made."""


class PassageLabels(Record):
    """What a second annotator, who saw no expectation, says of one passage."""

    id: str
    stance: Stance
    certainty: Certainty | None


class Passage(Record):
    """The sentence that is judged, and what stands before it."""

    title: str | None = None
    before: tuple[Text, ...] = ()
    text: Text


class _Case(Passage):
    """What all cases share; ``note`` tells a reader what the case is about."""

    id: str
    note: str


class MinimumCase(_Case):
    """A passage whose labels follow from the guidelines; ``capability`` names the rule."""

    kind: Literal["minimum"]
    capability: str
    stance: Stance
    certainty: Certainty | None

    @model_validator(mode="after")
    def _certainty_goes_with_a_claim(self) -> Self:
        certainty_goes_with_a_claim(self.stance, self.certainty)
        return self

    @property
    def group(self) -> str:
        """What the case is counted under."""
        return self.capability


class InvarianceCase(_Case):
    """A passage, and the same one after a change that matters to no label."""

    kind: Literal["invariance"]
    change: str
    variant: Passage

    @property
    def group(self) -> str:
        """What the case is counted under."""
        return self.change


class Expectation(Record):
    """Where the labels must go: to a stance, or along the scale of certainty."""

    stance: Stance | None = None
    certainty: Literal["lower", "higher"] | None = None

    @model_validator(mode="after")
    def _one_thing_is_expected(self) -> Self:
        if (self.stance is None) == (self.certainty is None):
            raise ValueError("give either a stance or a certainty")
        return self


class DirectionCase(_Case):
    """A passage, and the same one after a change that must move a label."""

    kind: Literal["direction"]
    change: str
    changed: Passage
    expect: Expectation

    @property
    def group(self) -> str:
        """What the case is counted under."""
        return self.change


Case = MinimumCase | InvarianceCase | DirectionCase

#: File of each kind in the folder of the suites, in the order of the pages.
FILES: Final[dict[str, type[MinimumCase] | type[InvarianceCase] | type[DirectionCase]]] = {
    "minimum-functionality.jsonl": MinimumCase,
    "invariance.jsonl": InvarianceCase,
    "direction.jsonl": DirectionCase,
}


#: The blind second pass over every passage, in the same folder.
SECOND_PASS_FILE: Final = "second-pass.jsonl"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether a case passed; ``found`` says what the model made of it."""

    case: Case
    passed: bool
    found: str


@dataclass(frozen=True, slots=True)
class GroupScore:
    """How many cases of one kind and group passed, with Wilson's 95% interval."""

    kind: str
    group: str
    cases: int
    passed: int
    rate: Estimate


def read_cases(folder: Path) -> list[Case]:
    """Read the three suites.

    Raises:
        InputError: if a file is missing, a line is no case of its kind, or an id stands twice.
    """
    cases: list[Case] = []
    for name, kind in FILES.items():
        cases += read_records(folder / name, kind)
        must_differ(str(folder / name), [article.id for article in articles_of(cases)])
    return cases


def must_differ(where: str, ids: Sequence[str]) -> None:
    """Refuse an id that stands twice.

    Raises:
        InputError: if one does.
    """
    twice = [name for name, count in Counter(ids).items() if count > 1]
    if twice:
        raise InputError(
            where,
            expected="each id once",
            found=f"{twice[0]!r} twice",
            fix="give one of them another id",
        )


def judge_second_pass(folder: Path) -> list[Outcome]:
    """Judge every case by the second pass, as if it were a model: a check of the cases.

    Raises:
        InputError: if a file is missing or not legal, or a passage was not labelled.
    """
    cases = read_cases(folder)
    rows = read_records(folder / SECOND_PASS_FILE, PassageLabels)
    must_differ(str(folder / SECOND_PASS_FILE), [row.id for row in rows])
    labels = {row.id: row for row in rows}
    for article in articles_of(cases):
        if article.id not in labels:
            raise InputError(
                str(folder / SECOND_PASS_FILE),
                expected="labels for every passage of the suites",
                found=f"none for {article.id!r}",
                fix="label it without looking at what is expected",
            )
    return [judge(case, labels) for case in cases]


def articles_of(cases: Sequence[Case]) -> Iterator[Article]:
    """Each passage as an article of its own; a second one has the id ``<case>/changed``."""
    for case in cases:
        yield as_article(case.id, case)
        if (second := second_passage(case)) is not None:
            yield as_article(f"{case.id}/changed", second)


def second_passage(case: Case) -> Passage | None:
    """The passage after the change; None for a case of minimum functionality."""
    if isinstance(case, InvarianceCase):
        return case.variant
    return case.changed if isinstance(case, DirectionCase) else None


def as_article(article_id: str, passage: Passage) -> Article:
    """A passage as an article, whose last sentence is the one that is judged."""
    return Article(article_id, passage.title, spans_of([*passage.before, passage.text]))


def judged(
    articles: Iterable[Article], predictions: Sequence[Prediction], name: str
) -> dict[str, Prediction]:
    """The prediction for the last sentence of each article, by the article's id.

    Args:
        articles: what was to be labelled.
        predictions: for all their sentences, in any order.
        name: of the file of predictions, for errors.

    Raises:
        InputError: if a sentence has no prediction, two, or one for another text.
    """
    must_stand_once(predictions, name)
    found = {(p.article_id, p.position): p for p in predictions}
    last: dict[str, Prediction] = {}
    for article in articles:
        for position, span in enumerate(article.sentences):
            given = found.get((article.id, position))
            if given is None or given.text != span.text:
                raise InputError(
                    name,
                    expected=f"a prediction for passage {article.id!r}: {span.text[:50]!r}",
                    found=repr(given.text[:50]) if given else "none",
                    fix="label the suites as they are now",
                )
            last[article.id] = given
    return last


def judge_cases(
    cases: Sequence[Case], predictions: Sequence[Prediction], name: str
) -> list[Outcome]:
    """Judge every case.

    Args:
        cases: the suites.
        predictions: for the articles of `articles_of`.
        name: of the file of predictions, for errors.

    Raises:
        InputError: if a passage has no prediction, or one for another text.
    """
    last = judged(articles_of(cases), predictions, name)
    return [judge(case, last) for case in cases]


def judge(case: Case, labels: Mapping[str, TwoLabels]) -> Outcome:
    """Judge one case by the labels of its passages; keys are ids of `articles_of`."""
    first = labels[case.id]
    if isinstance(case, MinimumCase):
        passed = (first.stance, first.certainty) == (case.stance, case.certainty)
        return Outcome(case, passed, in_words(first))
    second = labels[f"{case.id}/changed"]
    found = f"{in_words(first)} → {in_words(second)}"
    if isinstance(case, InvarianceCase):
        passed = (first.stance, first.certainty) == (second.stance, second.certainty)
        return Outcome(case, passed, found)
    return Outcome(case, _moved(case.expect, first, second), found)


def _moved(expect: Expectation, first: TwoLabels, second: TwoLabels) -> bool:
    if expect.stance is not None:
        return first.stance != second.stance == expect.stance
    if first.certainty is None or second.certainty is None:
        return False
    # The scale runs from certain down to possible.
    step = CERTAINTIES.index(second.certainty) - CERTAINTIES.index(first.certainty)
    return step > 0 if expect.certainty == "lower" else step < 0


def in_words(labels: TwoLabels) -> str:
    """The two labels as a reader would write them."""
    return labels.stance + (f", {labels.certainty}" if labels.certainty else "")


def score_groups(outcomes: Sequence[Outcome]) -> list[GroupScore]:
    """Count what passed: for each kind as a whole (group ``""``), then for its groups."""
    passed: dict[tuple[str, str], list[bool]] = {}
    for outcome in outcomes:
        for group in ("", outcome.case.group):
            passed.setdefault((outcome.case.kind, group), []).append(outcome.passed)
    kinds = list(dict.fromkeys(kind for kind, _ in passed))
    scores = [
        GroupScore(kind, group, len(found), sum(found), wilson(sum(found), len(found)))
        for (kind, group), found in passed.items()
    ]
    return sorted(scores, key=lambda s: kinds.index(s.kind))
