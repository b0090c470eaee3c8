"""The baseline: learns words, keeps our order of labels, loads nothing but its own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.preprocessing import FunctionTransformer

from claimstance.baseline import BaselineModel, fit_linear, load_baseline, train_baseline
from claimstance.corpus import LabelledArticle
from claimstance.errors import InputError
from claimstance.inference import BASELINE_FILE, Text, load_model, softmax
from claimstance.labels import CERTAINTIES, STANCES
from claimstance.prediction import predict_split
from claimstance.recipes import BaselineRecipe, load_recipe
from claimstance.settings import load_settings

Refuses = Callable[..., InputError]


@pytest.fixture
def recipe(tmp_path: Path, tiny_corpus: Path) -> BaselineRecipe:
    path = tmp_path / "baseline.toml"
    path.write_text(
        f"kind = 'baseline'\nname = 'words'\ncorpus = '{tiny_corpus}'\nseed = 3\nngrams = 2\n",
        encoding="utf-8",
    )
    loaded = load_recipe(path)
    assert isinstance(loaded, BaselineRecipe)
    return loaded


@pytest.fixture
def folder(recipe: BaselineRecipe, tmp_path: Path) -> Path:
    train_baseline(recipe, tmp_path / "model")
    return tmp_path / "model"


def test_it_learns_the_words_of_train(folder: Path, articles: list[LabelledArticle]) -> None:
    train = [a for a in articles if a.facts.split == "train"]
    model = load_model(folder)
    assert isinstance(model, BaselineModel)
    predictions = predict_split(model, train)
    gold = [s for a in train for s in a.sentences]
    assert np.mean([p.stance == g.stance for p, g in zip(predictions, gold, strict=True)]) > 0.9
    assert {p.model for p in predictions} == {"words"}
    assert all(p.source is None and p.cues == () for p in predictions)


def test_scores_are_in_the_order_of_our_labels(
    folder: Path, articles: list[LabelledArticle]
) -> None:
    """scikit-learn sorts labels by name, in which asserted comes first and certain second."""
    model = load_model(folder)
    assert isinstance(model, BaselineModel)
    texts = [s.text for s in articles[0].sentences]
    (scores,) = model.score([Text("A title that is not read", texts)])
    for pipeline, labels, logits in (
        (model.stance, STANCES, scores.stance),
        (model.certainty, CERTAINTIES, scores.certainty),
    ):
        assert sorted(pipeline.classes_) == sorted(labels)
        assert [labels[i] for i in logits.argmax(axis=1)] == pipeline.predict(texts).tolist()
        assert softmax(logits).sum(axis=1) == pytest.approx(1)


def test_saved_and_loaded_is_the_same(folder: Path, recipe: BaselineRecipe, tmp_path: Path) -> None:
    texts = [Text(None, ["The mill never burnt.", "Rain is likely."])]
    (first,) = load_model(folder).score(texts)
    train_baseline(recipe, tmp_path / "again")
    (second,) = load_model(tmp_path / "again").score(texts)
    assert first.stance.tolist() == second.stance.tolist()
    assert load_settings(folder) == load_settings(tmp_path / "again")
    assert load_settings(folder).windows is None
    assert load_settings(folder).temperatures.stance != 1


def test_a_label_that_train_never_shows_gets_next_to_nothing(
    folder: Path, recipe: BaselineRecipe
) -> None:
    model = BaselineModel(
        load_settings(folder),
        fit_linear(recipe, ["a b", "c d", "a c"], ["refuted", "asserted", "refuted"]),
        fit_linear(recipe, ["a b", "c d"], ["possible", "certain"]),
    )
    (scores,) = model.score([Text(None, ["a b", "c d"])])
    assert [STANCES[i] for i in scores.stance.argmax(axis=1)] == ["refuted", "asserted"]
    assert [CERTAINTIES[i] for i in scores.certainty.argmax(axis=1)] == ["possible", "certain"]
    unseen = [STANCES.index(s) for s in ("attributed", "disputed", "unproven", "no_claim")]
    assert softmax(scores.stance)[:, unseen].max() < 1e-10


@pytest.mark.parametrize(
    ("content", "name"), [(b"", "BadZipFile"), (b"PK not a zip", "BadZipFile")]
)
def test_a_broken_file(folder: Path, refuses: Refuses, content: bytes, name: str) -> None:
    (folder / BASELINE_FILE).write_bytes(content)
    refuses(
        f"{folder / BASELINE_FILE}: expected a baseline as 'claimstance train' saves it, found a "
        f"file that skops does not load ({name}). To mend it: train the baseline again.",
        load_model,
        folder,
    )


def test_a_file_that_would_run_code_is_not_loaded(folder: Path, refuses: Refuses) -> None:
    harmful = FunctionTransformer(func=sys.exit)
    skops.io.dump((harmful, harmful), folder / BASELINE_FILE)
    refuses("found a file that skops does not load (UntrustedTypesFoundException)",
            load_baseline, folder, load_settings(folder))  # fmt: skip


def test_no_model_is_overwritten(folder: Path, recipe: BaselineRecipe, refuses: Refuses) -> None:
    refuses("expected a new or an empty folder", train_baseline, recipe, folder)
