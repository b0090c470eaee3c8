"""Text that only a larger model has labelled: read with care, and learnt from."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import write_teacher
from datasets import Dataset

from claimstance import training
from claimstance.corpus import LabelledArticle
from claimstance.distillation import LEAST_PROBABILITY, exchange_tokens, heed_the_larger
from claimstance.encoder import load_tokenizer
from claimstance.encoder_torch import load_network
from claimstance.errors import InputError
from claimstance.examples import collate, window_dataset
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.model import IGNORED, WindowOutput
from claimstance.recipes import SilverRecipe, StudentRecipe, TransformerRecipe
from claimstance.settings import load_settings
from claimstance.silver import load_silver

MakeRecipe = Callable[..., TransformerRecipe]
Refuses = Callable[..., InputError]

TABLE = 'articles = "silver.jsonl"\npredictions = "said.jsonl"'


@pytest.fixture
def silver(tmp_path: Path, articles: list[LabelledArticle]) -> list[LabelledArticle]:
    """The articles of train once more, under other names, all called refuted by somebody."""
    train = [a for a in articles if a.facts.split == "train"]
    rows = [
        {"id": f"s{n}", "title": a.facts.title, "sentences": a.texts} for n, a in enumerate(train)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (tmp_path / "silver.jsonl").write_text(lines, encoding="utf-8")
    write_teacher(tmp_path / "said.jsonl", train, "refuted")
    said = (tmp_path / "said.jsonl").read_text(encoding="utf-8")
    for n, article in enumerate(train):
        said = said.replace(f'"{article.facts.article_id}"', f'"s{n}"')
    (tmp_path / "said.jsonl").write_text(said, encoding="utf-8")
    return train


def recipe_of(folder: Path) -> SilverRecipe:
    return SilverRecipe(articles=folder / "silver.jsonl", predictions=folder / "said.jsonl")


def belief_in_refuted(model: Path, articles: list[LabelledArticle]) -> float:
    """The mean probability of it before calibration, which knows how rare it is in dev."""
    windows = load_settings(model).windows
    rows = window_dataset(articles, load_tokenizer(model), windows)
    inputs = collate(list(rows), windows.pad_id)
    with torch.no_grad():
        logits = load_network(model).eval()(**inputs).stance_logits
    believed = logits.softmax(2)[inputs["stance_labels"] != IGNORED][:, STANCES.index("refuted")]
    return float(believed.mean())


def test_silver_articles_have_the_labels_they_were_given(
    tmp_path: Path, silver: list[LabelledArticle]
) -> None:
    found = load_silver(recipe_of(tmp_path)).articles
    assert [a.texts for a in found] == [a.texts for a in silver]
    assert [a.facts.title for a in found] == [a.facts.title for a in silver]
    assert {a.facts.split for a in found} == {"train"}
    labels = {(s.stance, s.certainty, s.source, s.cues) for a in found for s in a.sentences}
    assert labels == {("refuted", "certain", None, ())}


def test_predictions_of_other_articles(
    tmp_path: Path, silver: list[LabelledArticle], refuses: Refuses
) -> None:
    recipe = recipe_of(tmp_path)
    whole = recipe.predictions.read_text(encoding="utf-8")
    lines = whole.splitlines(keepends=True)
    recipe.predictions.write_text("".join(lines[1:]), encoding="utf-8")
    refuses(
        f"said.jsonl, article s0: expected predictions for the {len(silver[0].texts)} sentences "
        f"that {recipe.articles} has, found {len(silver[0].texts) - 1}. To mend it: classify the "
        "articles anew",
        load_silver,
        recipe,
    )
    text = silver[1].texts[2]
    recipe.predictions.write_text(whole.replace(text[:9], "Elsewhere"), encoding="utf-8")
    refuses("article s1: expected predictions", load_silver, recipe)
    unsure = re.sub(r'("certainty_probabilities": )\{[^}]*\}', r"\1{}", whole, count=1)
    assert unsure != whole
    recipe.predictions.write_text(unsure, encoding="utf-8")
    refuses("found other text or no probabilities", load_silver, recipe)
    with recipe.articles.open("a", encoding="utf-8") as file:
        file.write('{"id": "broken"}\n')
    recipe.predictions.write_text(whole, encoding="utf-8")
    refuses("silver.jsonl, line", load_silver, recipe)


def test_silver_text_is_learnt_as_the_larger_model_sees_it(
    make_recipe: MakeRecipe, tmp_path: Path, silver: list[LabelledArticle]
) -> None:
    """The same sentences with two opinions: half is what the labels say, half the larger model."""
    recipe = make_recipe(epochs=6, silver=TABLE)
    assert recipe.silver == recipe_of(tmp_path)
    training.train_transformer(recipe, tmp_path / "model")
    assert 0.3 < belief_in_refuted(tmp_path / "model", silver) < 0.8


def test_what_nobody_said_does_not_count(
    tiny_model: Path, tmp_path: Path, silver: list[LabelledArticle]
) -> None:
    more = load_silver(recipe_of(tmp_path))
    rows = window_dataset(
        [silver[0], more.articles[0]],
        load_tokenizer(tiny_model),
        load_settings(tiny_model).windows,
        teacher=more.said,
    )
    sums = [np.sum(row["stance_teacher"], axis=1) for row in rows]
    first = [row["stance_labels"] for row in rows]
    assert sum(map(len, first)) == sum(map(len, sums))
    assert {float(np.round(x, 6)) for part in sums for x in part} == {0.0, 1.0}


def test_a_student_heeds_the_larger_model_where_that_has_spoken() -> None:
    larger = torch.zeros(2, 2, len(STANCES))
    larger[0, 0] = torch.tensor([0.5, 0.5, 0, 0, 0, 0])
    own = torch.randn(2, 2, len(STANCES))
    wanted = WindowOutput(stance_logits=own, certainty_logits=torch.zeros(2, 2, len(CERTAINTIES)))
    told = heed_the_larger(wanted, {"stance_teacher": larger})
    assert told.stance_logits is not None
    probabilities = told.stance_logits[0, 0].softmax(0)
    assert torch.allclose(probabilities, larger[0, 0], atol=10 * LEAST_PROBABILITY)
    assert torch.equal(told.stance_logits[0, 1], own[0, 1])
    assert torch.equal(told.stance_logits[1], own[1])
    assert told.certainty_logits is wanted.certainty_logits
    assert heed_the_larger(wanted, {}).stance_logits is own


def test_words_are_not_exchanged_where_the_larger_model_has_spoken() -> None:
    ids = torch.arange(1, 201).reshape(2, 100)
    larger = torch.zeros(2, 3, len(STANCES))
    larger[1, 0, 0] = 1.0
    inputs = {"input_ids": ids, "tag_labels": torch.zeros_like(ids), "stance_teacher": larger}
    torch.manual_seed(1)
    changed = exchange_tokens(inputs, 1.0)
    assert torch.equal(changed[1], ids[1])
    assert not torch.equal(changed[0], ids[0])


def test_a_student_of_two(
    make_recipe: MakeRecipe, tiny_model: Path, tmp_path: Path, silver: list[LabelledArticle]
) -> None:
    """A student learns from its teacher, and of silver text from the larger model."""
    believed = {}
    for name, table in (("alone", {}), ("with", {"silver": TABLE})):
        student = StudentRecipe(layers=(1,), label_weight=0.3)
        update = {"backbone": str(tiny_model), "backbone_sha256": None, "student": student}
        recipe = make_recipe(epochs=6, **table).model_copy(update=update)
        training.train_transformer(recipe, tmp_path / name)
        believed[name] = belief_in_refuted(tmp_path / name, silver)
    assert believed["with"] > believed["alone"] + 0.1


def test_silver_articles_are_none_of_train(
    make_recipe: MakeRecipe, tmp_path: Path, silver: list[LabelledArticle], refuses: Refuses
) -> None:
    own = silver[0].facts.article_id
    for name in ("silver.jsonl", "said.jsonl"):
        path = tmp_path / name
        path.write_text(path.read_text("utf-8").replace('"s0"', f'"{own}"'), encoding="utf-8")
    refuses(
        f"silver.jsonl: expected ids that no article of train has, found the id {own}. To mend it: "
        "rename it there and in the predictions.",
        training.train_transformer,
        make_recipe(silver=TABLE),
        tmp_path / "model",
    )


def test_silver_and_a_teacher(
    make_recipe: MakeRecipe, tiny_model: Path, tmp_path: Path, refuses: Refuses
) -> None:
    recipe = make_recipe(silver=TABLE, teacher='"said.jsonl"\nweight = 0.5')
    refuses(
        "the recipe: expected a table [teacher] or a table [silver], found both.",
        training._network,
        recipe,
        tiny_model,
        Dataset.from_list([]),
    )


def test_only_labelled_sentences_are_taught(tiny_model: Path) -> None:
    model = load_network(tiny_model)
    model.config.teacher_weight = 0.5
    logits, labels = torch.randn(1, 3, len(STANCES)), torch.tensor([[2, IGNORED, 4]])
    larger = torch.zeros(1, 3, len(STANCES))
    alone = model._loss(logits, labels)
    assert torch.equal(model._loss(logits, labels, larger), alone), "nobody has spoken"
    larger[0, 1, 3] = 1.0
    assert torch.equal(model._loss(logits, labels, larger), alone), "of context only"
    larger[0, 2, 3] = 1.0
    of_three, of_four = (-logits.log_softmax(2)[0, 2, label] for label in (3, 4))
    assert torch.isclose(
        model._loss(logits, labels, larger) - alone, 0.5 * (of_three - of_four) / 2, atol=1e-6
    )
