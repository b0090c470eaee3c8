"""Which sentences are chosen to be labelled, and what is said of each."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from claimstance.articles import Article, spans_of
from claimstance.corpus import LabelledArticle
from claimstance.inference import Scores, Text, load_model
from claimstance.labels import STANCES
from claimstance.prediction import as_article
from claimstance.records import read_records
from claimstance.sampling import RARE_STANCES, Strategy, sample, vectors
from claimstance.settings import ModelSettings
from claimstance.tasks import Task, read_tasks

Refuses = Callable[..., Any]
Run = Callable[..., Any]


class Oracle:
    """A model that says of each sentence what its text tells it: logits by stance."""

    settings = ModelSettings(name="oracle", kind="baseline", windows=None)

    def score(self, texts: Sequence[Text]) -> list[Scores]:
        return [
            Scores(
                stance=np.asarray([self._logits(s) for s in text.sentences], dtype=np.float32),
                certainty=np.zeros((len(text.sentences), 3), dtype=np.float32),
                sources=[None] * len(text.sentences),
                cues=[()] * len(text.sentences),
            )
            for text in texts
        ]

    def _logits(self, sentence: str) -> list[float]:
        said = dict(re.findall(r"(\w+)=(\d+)", sentence))
        return [float(said.get(stance, 0)) for stance in STANCES]


def article(*sentences: str, name: str = "a", title: str | None = None) -> Article:
    return Article(name, title, spans_of(sentences))


def choose(articles: list[Article], count: int, strategy: Strategy = "mixed") -> list[Task]:
    return sample(articles, count, model=Oracle(), strategy=strategy)


@pytest.fixture
def news(articles: list[LabelledArticle]) -> list[Article]:
    return [as_article(a) for a in articles]


def test_the_most_uncertain_come_first() -> None:
    texts = ["Sure asserted=9.", "Torn asserted=3 disputed=3.", "Half asserted=5 disputed=3."]
    (torn,) = choose([article(*texts)], 1, "uncertain")
    assert torn.text == texts[1]
    assert torn.reason == "uncertain: 0.45 asserted, 0.45 disputed"
    assert [t.text for t in choose([article(*texts)], 2, "uncertain")] == texts[1:]


def test_a_rare_stance_is_looked_for_where_the_model_is_not_sure() -> None:
    said = "asserted=6 attributed=6 disputed=6 unproven=6 no_claim=5"
    common = [f"Common {i} {said}." for i in range(20)]
    sure, likely = "Sure refuted=9.", "Likely refuted=3."
    tasks = choose([article(*common, sure, likely)], 5)
    rare = [t for t in tasks if t.reason.startswith("rare")]
    (found,) = (t for t in rare if "refuted" in t.reason)
    assert found.text == likely
    assert re.fullmatch(r"rare: 0\.80 refuted, expected in 8\.\d% of the sentences", found.reason)


def test_what_is_unlike_the_rest_is_drawn_more_often_than_chance_would() -> None:
    pairs = product(("mill", "dam", "quay", "inn"), ("May", "June", "July", "March"))
    same = [f"The {a} on the old river was sold to the town in {b} at a loss." for a, b in pairs]
    other = ["Penguins swim.", "Rates rose.", "Choirs sang."]
    drawn = Counter[str]()
    for seed in range(10):
        tasks = sample([article(*same, *other)], 9, model=Oracle(), seed=seed)
        drawn.update(t.text in other for t in tasks if t.reason.startswith("diverse"))
    # By chance alone it would be three in nineteen.
    assert drawn[True] > 2 * 30 * 3 / 19


def test_mixed_takes_each_reason_in_turn(news: list[Article], tiny_model: Path) -> None:
    tasks = sample(news, 12, model=load_model(tiny_model, threads=1))
    kinds = Counter(t.reason.split(":")[0] for t in tasks)
    assert kinds == {"uncertain": 4, "rare": 4, "diverse": 4}
    rare = {t.reason.split()[2] for t in tasks if t.reason.startswith("rare")}
    assert len(rare) <= RARE_STANCES
    for task in tasks:
        assert task.suggestion is not None
        assert task.suggestion.model == "tiny"
        numbers = [float(n) for n in re.findall(r"0\.\d\d", task.reason)]
        said = {round(p, 2) for p in task.suggestion.stance_probabilities.values()}
        if not task.reason.startswith("diverse"):
            assert said >= set(numbers[:1])


def test_the_same_seed_gives_the_same_tasks(news: list[Article]) -> None:
    first, again, other = (
        sample(news, 10, model=None, strategy="random", seed=seed) for seed in (1, 1, 2)
    )
    assert first == again
    assert {t.id for t in first} != {t.id for t in other}
    assert {t.reason for t in first} == {"random"}
    assert {t.suggestion for t in first} == {None}
    assert choose(news, 10) == choose(news, 10)


def test_a_task_has_all_that_its_label_depends_on(news: list[Article]) -> None:
    tasks = {t.id: t for t in sample(news, 1000, model=None, strategy="random")}
    assert len(tasks) == sum(len(a.sentences) for a in news)
    task = tasks["t02#3"]
    texts = [s.text for s in news[1].sentences]
    assert task.context == tuple(texts[1:3])
    assert task.title == texts[0]
    assert " ".join(texts)[task.start : task.end] == task.text == texts[3]
    assert tasks["t02#0"].context == ()
    assert tasks["t02#1"].context == (texts[0],)


def test_tasks_stand_in_reading_order(news: list[Article]) -> None:
    tasks = choose(news, 30)
    assert [(t.article_id, t.position) for t in tasks] == sorted(
        (t.article_id, t.position) for t in tasks
    )


@pytest.mark.parametrize("strategy", ["mixed", "uncertain", "random"])
def test_the_same_sentence_is_chosen_once(strategy: Strategy) -> None:
    twice = [article("It burnt.", "It  BURNT!"), article("It burnt", "…", name="b")]
    assert [t.id for t in choose(twice, 9, strategy)] == ["a#0", "b#1"]


def test_known_sentences_are_left_out() -> None:
    (task,) = sample([article("It burnt.", "It rained.")], 5, model=Oracle(), known=["it burnt"])
    assert task.text == "It rained."


@pytest.mark.parametrize("strategy", ["mixed", "uncertain", "random"])
def test_no_candidates(strategy: Strategy) -> None:
    assert choose([], 3, strategy) == []


def test_all_alike_is_no_obstacle() -> None:
    assert len(choose([article("?", "!", "…", "—", "–")], 5)) == 5


def test_a_strategy_that_needs_a_model() -> None:
    with pytest.raises(ValueError, match="the strategy 'mixed' needs a model"):
        sample([article("It burnt.")], 1, model=None)


def test_vectors_tell_like_from_unlike() -> None:
    rows = vectors(["The mill burnt down in May.", "In May the mill burnt.", "Sharks swim.", "?"])
    assert np.linalg.norm(rows, axis=1)[:3] == pytest.approx(1, abs=1e-5)
    assert not rows[3].any()
    assert rows[0] @ rows[1] > 0.6
    assert abs(rows[0] @ rows[2]) < 0.3


# The command.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [{"id": "x", "title": "Mill", "text": "It burnt. It is said to be false."}, {"id": "y"}]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "news.jsonl").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_command_names_what_it_cannot_read(
    run_here: Run, folder: Path, tiny_onnx: Path
) -> None:
    outcome = run_here("sample", "news.jsonl", "-o", "s.jsonl", "--model", tiny_onnx)
    assert outcome.code == 1
    assert outcome.out == "wrote s.jsonl: 2 sentences to label (asked for 100: there are no more)\n"
    assert "news.jsonl, line 2: expected a text under 'text'" in outcome.err
    assert outcome.err.endswith("claimstance: 1 input could not be used\n")
    assert [t.id for t in read_records(folder / "s.jsonl", Task)] == ["x#0", "x#1"]


def test_the_command_leaves_out_what_is_known(run_here: Run, folder: Path) -> None:
    random = ("--strategy", "random", "--count", "1")
    assert run_here("sample", "news.jsonl", "-o", "1.jsonl", *random).code == 1
    run_here("sample", "news.jsonl", "-o", "2.jsonl", *random, "--known", "1.jsonl")
    tasks = read_tasks([folder / "1.jsonl", folder / "2.jsonl"])
    assert {t.id for t in tasks} == {"x#0", "x#1"}


def test_a_sheet_is_never_written_over(run_here: Run, folder: Path) -> None:
    (folder / "s.jsonl").write_text("somebody's work", encoding="utf-8")
    outcome = run_here("sample", "news.jsonl", "-o", "s.jsonl")
    assert outcome.code == 2
    assert outcome.err == (
        "claimstance: s.jsonl: expected a file that is not yet there, found one of that name. "
        "To mend it: name another file, or move that one away.\n"
    )


def test_a_sheet_given_twice(run_here: Run, folder: Path, refuses: Refuses) -> None:
    run_here("sample", "news.jsonl", "-o", "s.jsonl", "--strategy", "random")
    refuses(
        "s.jsonl: expected each task once, found the task 'x#0' twice. To mend it: give each "
        "sheet once, or delete one of the two lines.",
        read_tasks,
        [folder / "s.jsonl"] * 2,
    )
