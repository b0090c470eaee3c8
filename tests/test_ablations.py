"""The driver of the ablations: its variants are recipes, and its table says what the runs say."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import ValidationError

from claimstance.annotation import DataFolder
from claimstance.errors import InputError
from claimstance.recipes import TransformerRecipe, load_recipe

FOLDER = Path(__file__).parent.parent / "training"


@pytest.fixture
def ablations(monkeypatch: pytest.MonkeyPatch, tiny_corpus: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    module = importlib.import_module("ablations")
    monkeypatch.setattr(module, "DATA", DataFolder(tiny_corpus.parent))
    monkeypatch.setattr(module, "SEEDS", (3, 4))
    return module


def test_every_variant_differs_from_the_small_models_recipe(ablations: ModuleType) -> None:
    recipe = load_recipe(FOLDER / "recipes" / "minilm.toml")
    variants = ablations.read_variants(FOLDER / "ablations.toml")
    assert variants
    for changes in variants.values():
        assert ablations.change(recipe, changes) != recipe


def test_a_variant_with_a_key_that_no_recipe_has(
    ablations: ModuleType, make_recipe: Callable[..., TransformerRecipe]
) -> None:
    with pytest.raises(ValidationError, match="layers_of_icing"):
        ablations.change(make_recipe(), {"what": "", "optimiser": {"layers_of_icing": 2}})


def test_a_variant_that_nobody_describes(ablations: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "variants.toml"
    path.write_text("[bare]\nwindows = { views = 1 }\n", encoding="utf-8")
    with pytest.raises(InputError, match="bare: expected the key 'what'"):
        ablations.read_variants(path)


def test_each_variant_runs_with_each_seed_on_the_same_articles(
    ablations: ModuleType, make_recipe: Callable[..., TransformerRecipe]
) -> None:
    variants = {ablations.WHOLE: {}, "one view": {"what": "", "windows": {"views": 1}}}
    runs = ablations.all_runs(make_recipe(), variants, 0.5)
    assert [(run.key["variant"], run.recipe.seed, run.recipe.windows.views) for run in runs] == [
        ("the recipe", 3, 2),
        ("one view", 3, 1),
        ("the recipe", 4, 2),
        ("one view", 4, 1),
    ]
    assert runs[0].train == runs[1].train != runs[2].train
    assert runs[0].recipe.corpus == runs[1].recipe.corpus


def row(variant: str, seed: int, stance: float, other: float, **changes: Any) -> dict[str, Any]:
    return {
        "key": {"variant": variant, "share": 0.5, "seed": seed},
        "sentences": 100,
        "made_of": "abc",
        "most": 5,
        "scores": {"dev: stance": stance, "other": other},
        **changes,
    }


def test_the_table_compares_seed_with_seed(ablations: ModuleType) -> None:
    whole = ablations.WHOLE
    runs = [
        row(whole, 3, 0.80, 0.5),
        row(whole, 4, 0.70, 0.5),
        row("bare", 3, 0.78, 0.6),
        row("bare", 4, 0.66, 0.4),
        row("late", 4, 0.75, 0.5),
    ]
    variants = {name: {"what": f"{name} words"} for name in ("bare", "late")}
    text = "\n".join(ablations.page(runs, variants))
    assert "| the recipe | 2 | 0.750 [0.700, 0.800] | 0.500 [0.500, 0.500] |" in text
    assert "| bare | 2 | **-0.030** [-0.040, -0.020] | +0.000 [-0.100, +0.100] |" in text
    # One seed is no agreement of seeds.
    assert "| late | 1 | +0.050 [+0.050, +0.050] |" in text
    assert "- **bare**: bare words" in text


@pytest.mark.parametrize(
    "runs",
    [
        [],
        [row("bare", 3, 0.7, 0.5)],
        [row("the recipe", 3, 0.7, 0.5), row("bare", 3, 0.7, 0.5, made_of="other")],
    ],
)
def test_runs_that_cannot_be_compared(ablations: ModuleType, runs: list[dict[str, Any]]) -> None:
    with pytest.raises(InputError, match="expected runs of the recipe and its variants"):
        list(ablations.page(runs, {"bare": {"what": ""}}))
