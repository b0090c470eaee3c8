"""Which camp a source belongs to, and how often each camp stands in each role."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from claimstance.camps import (
    CONFLICTS_FILE,
    Conflict,
    camp_of,
    count_kinds,
    count_roles,
    difference,
    read_conflicts,
)
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.records import LabelledSentence, write_records

BORDER = Conflict(
    conflict="border",
    articles=("x1", "x3"),
    camps={"North": ("Northern", "General Ost"), "South": ("the South",)},
)


def sentence(source: str | None, stance: str = "attributed", position: int = 0) -> LabelledSentence:
    return LabelledSentence(
        article_id="x1",
        position=position,
        text=f"It rained, {source}.",
        stance=stance,
        certainty="certain",
        source=source,
    )


@pytest.mark.parametrize(
    ("source", "camp"),
    [
        ("a northern colonel", "North"),
        ("General Ost", "North"),
        ("an envoy of the South", "South"),
        ("General Osten", None),
        ("northerners", None),
        ("Northern officers and the South", None),
        ("a monitor", None),
        (None, None),
    ],
)
def test_camp_of_a_source(source: str | None, camp: str | None) -> None:
    assert camp_of(sentence(source), BORDER) == camp


def test_roles_follow_from_the_stances(articles: list[LabelledArticle]) -> None:
    told = [
        sentence("General Ost", "attributed"),
        sentence("General Ost", "attributed"),
        sentence("General Ost", "unproven"),
        sentence("the South", "disputed"),
        sentence("the South", "refuted"),
        sentence("a monitor", "disputed"),
        sentence("the South", "asserted"),
    ]
    facts = articles[0].facts.model_copy(update={"article_id": "x1"})
    other = articles[0].facts.model_copy(update={"article_id": "x2"})
    counts = count_roles(
        BORDER,
        [LabelledArticle(facts, tuple(told)), LabelledArticle(other, tuple(told))],
    )
    assert counts == {
        "claimant": {"North": 2, "South": 0},
        "denier": {"North": 0, "South": 1},
        "unproven accuser": {"North": 1, "South": 0},
        "refuted": {"North": 0, "South": 1},
    }


def test_kinds_of_source_are_known_by_their_words(articles: list[LabelledArticle]) -> None:
    told = [
        sentence("the Mayor of Arlen", "disputed"),
        sentence("a union driver"),
        sentence("a passer-by"),
        sentence("two accompanying confirmations"),
        sentence("police", "asserted"),
        sentence(None),
    ]
    counts = count_kinds([LabelledArticle(articles[0].facts, tuple(told))])
    assert counts["denier"]["government and officials"] == 1
    assert counts["claimant"]["unions and workers"] == 1
    assert sum(n for role in counts.values() for n in role.values()) == 2


@pytest.mark.parametrize(
    ("one", "other", "apart"), [(6, 6, 0.0), (6, 5, 1 / 6), (6, 4, 1 / 3), (0, 2, 1.0), (0, 0, 0.0)]
)
def test_difference(one: int, other: int, apart: float) -> None:
    assert difference({"a": one, "b": other}) == pytest.approx(apart)
    assert difference({"a": other, "b": one}) == pytest.approx(apart)


def test_a_conflict_in_an_unknown_article(tmp_path: Path, articles: list[LabelledArticle]) -> None:
    assert read_conflicts(tmp_path, articles) == []
    write_records(tmp_path / CONFLICTS_FILE, [BORDER])
    expected = "conflict 'border': expected ids of articles in the corpus, found 'x1'"
    with pytest.raises(InputError, match=re.escape(expected)):
        read_conflicts(tmp_path, articles)


def test_a_conflict_that_stands_twice(tmp_path: Path, articles: list[LabelledArticle]) -> None:
    write_records(tmp_path / CONFLICTS_FILE, [BORDER, BORDER])
    expected = "expected each conflict once, found 'border' twice"
    with pytest.raises(InputError, match=re.escape(expected)):
        read_conflicts(tmp_path, articles)
