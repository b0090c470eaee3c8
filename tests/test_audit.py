"""Likely label errors: planted ones are found, and what is asked of a model is fair."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from claimstance import audit as auditing
from claimstance.corpus import LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.labels import STANCES
from claimstance.recipes import TransformerRecipe
from claimstance.records import LabelledSentence, Prediction, read_records, write_records

FOLDER = Path(__file__).parent.parent / "evaluation"
Run = Callable[..., Any]


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("audit_planted")
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return module


def many_articles(template: LabelledArticle, count: int) -> list[LabelledArticle]:
    """Articles whose stance follows from one word, which a linear model learns."""
    words = dict(zip(STANCES, ("oak", "elm", "ash", "fir", "yew", "box"), strict=True))
    articles = []
    for number in range(count):
        name = f"m{number:02}"
        sentences = tuple(
            LabelledSentence(
                article_id=name,
                position=position,
                text=f"The {word} stood here in {1900 + number}.",
                stance=stance,
                certainty=None if stance == "no_claim" else "certain" if number % 2 else "probable",
            )
            for position, (stance, word) in enumerate(words.items())
        )
        facts = template.facts.model_copy(update={"article_id": name, "split": "train"})
        articles.append(LabelledArticle(facts, sentences))
    return articles


@pytest.fixture
def forest(articles: list[LabelledArticle]) -> list[LabelledArticle]:
    return many_articles(articles[0], 30)


def prediction(sentence: LabelledSentence, **stances: float) -> Prediction:
    rest = (1 - sum(stances.values())) / (len(STANCES) - len(stances))
    probabilities = {s: stances.get(s, rest) for s in STANCES}
    likely = max(STANCES, key=lambda s: probabilities[s])
    return Prediction(
        article_id=sentence.article_id,
        position=sentence.position,
        start=0,
        end=1,
        text=sentence.text,
        stance=likely,
        certainty=None if likely == "no_claim" else "certain",
        stance_probabilities=probabilities,
        certainty_probabilities={},
        source=None,
        cues=(),
        model="m",
    )


def test_planted_errors_are_found_and_right_labels_are_not(
    forest: list[LabelledArticle], planted: ModuleType
) -> None:
    changed, places = planted.plant(forest, 0.05, 3)
    assert len(places) == 9
    found = auditing.audit(changed, auditing.default_recipe(3), folds=3, seed=3)
    assert {(s.article_id, s.position) for s in found} <= places
    assert len(found) >= 7
    gold = {(s.article_id, s.position): s.stance for a in forest for s in a.sentences}
    for suspect in found:
        place = (suspect.article_id, suspect.position)
        assert suspect.likely == gold[place]
        assert suspect.stance != gold[place]
        assert suspect.score < suspect.likely_probability
    assert [s.score for s in found] == sorted(s.score for s in found)
    assert auditing.audit(changed, auditing.default_recipe(3), folds=3, seed=3) == found


def test_no_model_sees_what_it_is_asked(
    forest: list[LabelledArticle], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[set[str], set[str], set[str]]] = []

    def predict(train: Any, dev: Any, unseen: Any, recipe: Any) -> list[Prediction]:
        asked.append(tuple({a.facts.article_id for a in part} for part in (train, dev, unseen)))
        return [prediction(s, asserted=0.5) for a in unseen for s in a.sentences]

    monkeypatch.setattr(auditing, "_predict", predict)
    found = auditing.out_of_fold(forest, auditing.default_recipe(1), folds=5, seed=1)
    everything = {a.facts.article_id for a in forest}
    assert len(found) == sum(len(a.sentences) for a in forest)
    assert [len(unseen) for _, _, unseen in asked] == [6] * 5
    for train, dev, unseen in asked:
        assert train | dev | unseen == everything
        assert len(train) + len(dev) + len(unseen) == len(everything)
    assert set.union(*(unseen for _, _, unseen in asked)) == everything


def test_the_surest_contradiction_comes_first(forest: list[LabelledArticle]) -> None:
    sentences = [s for a in forest for s in a.sentences]
    said = {(s.article_id, s.position): prediction(s, **{s.stance: 0.9}) for s in sentences}
    for sentence, p in ((sentences[1], 0.01), (sentences[8], 0.002)):
        other = prediction(sentence, unproven=0.95, **{sentence.stance: p})
        said[sentence.article_id, sentence.position] = other
    found = auditing.suspects(sentences, said)
    assert [(s.text, s.likely, s.score) for s in found] == [
        (sentences[8].text, "unproven", 0.002),
        (sentences[1].text, "unproven", 0.01),
    ]


def test_any_recipe_can_be_asked(
    articles: list[LabelledArticle], make_recipe: Callable[..., TransformerRecipe]
) -> None:
    train = [a for a in articles if a.facts.split == "train"]
    said = auditing.out_of_fold(train, make_recipe(epochs=1), folds=3, seed=0)
    assert len(said) == 56
    assert {p.model for p in said.values()} == {"tiny"}


def auditing_list(folder: Path) -> set[tuple[str, int]]:
    found = read_records(folder / "audit.jsonl", auditing.Suspect)
    return {(s.article_id, s.position) for s in found}


def test_the_command(
    run_here: Run, forest: list[LabelledArticle], planted: ModuleType, tmp_path: Path
) -> None:
    changed, places = planted.plant(forest, 0.05, 3)
    write_records(tmp_path / "articles.jsonl", [a.facts for a in changed])
    write_records(tmp_path / "train.jsonl", [s for a in changed for s in a.sentences])
    done = run_here("audit", ".", "--folds", "3", "--seed", "3", "-o", "audit.jsonl")
    assert (done.code, done.out) == (
        0,
        f"wrote audit.jsonl: {len(auditing_list(tmp_path))} of 180 sentences, the likeliest error "
        "first. Look at each by the guidelines; do not take over what the model says.\n",
    )
    assert places >= auditing_list(tmp_path) != set()
    done = run_here("audit", ".", "--folds", "31", "-o", "audit.jsonl")
    assert done.err == (
        "claimstance: --folds: expected at most 30, the number of articles, found 31. To mend "
        "it: ask for fewer folds, or give more articles.\n"
    )


# Planting.


def test_planting_changes_stances_and_nothing_else(
    forest: list[LabelledArticle], planted: ModuleType
) -> None:
    changed, places = planted.plant(forest, 0.2, 1)
    before = [s for a in forest for s in a.sentences]
    after = [s for a in changed for s in a.sentences]
    for old, new in zip(before, after, strict=True):
        assert (old.stance != new.stance) == ((old.article_id, old.position) in places)
        assert (new.stance == "no_claim") == (new.certainty is None)
        assert (old.text, old.source, old.cues) == (new.text, new.source, new.cues)
    assert planted.plant(forest, 0.2, 1)[1] == places
    assert planted.plant(forest, 0.2, 2)[1] != places


def test_counting(planted: ModuleType) -> None:
    listed = [("a", 1), ("a", 2), ("a", 3), ("a", 4)]
    found = planted.count(listed, {("a", 1), ("a", 4), ("b", 1)})
    assert (found["precision"], found["recall"]) == (0.5, 0.6667)
    assert found["precision_at_planted"] == 0.3333
    assert planted.count([], {("a", 1)})["precision"] == 0


def test_the_page_is_made_of_the_runs(
    planted: ModuleType,
    articles: list[LabelledArticle],
    forest: list[LabelledArticle],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_records(tmp_path / "articles.jsonl", [a.facts for a in forest])
    write_records(tmp_path / "train.jsonl", [s for a in forest for s in a.sentences])
    assert load_split(tmp_path, "train") == forest
    monkeypatch.setattr(planted, "SEEDS", (3, 4))
    monkeypatch.setattr("sys.argv", ["audit_planted.py", "--corpus", str(tmp_path)])
    planted.main()
    runs = json.loads((tmp_path / "audit.json").read_text("utf-8"))
    assert [run["seed"] for run in runs] == [3, 4]
    page = (tmp_path / "audit.md").read_text("utf-8")
    assert "| errors planted | 9 |" in page
    low, high = sorted(run["recall"] for run in runs)
    assert f"[{low:.3f}, {high:.3f}] |" in page


def test_too_few_articles(articles: list[LabelledArticle]) -> None:
    with pytest.raises(InputError, match="expected at most 2, the number of articles, found 3"):
        auditing.audit(articles[:2], auditing.default_recipe(0), folds=3)
