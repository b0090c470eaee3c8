"""The driver of active learning, run for real with a tiny model and a tiny pool."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from claimstance.annotation import DataFolder
from claimstance.corpus import load_split
from claimstance.errors import InputError
from claimstance.recipes import TransformerRecipe
from claimstance.tasks import read_labels, read_tasks

FOLDER = Path(__file__).parent.parent / "training"


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    module = importlib.import_module("active_learning")
    for name, value in (("SEEDS", (3,)), ("FIRST", 10), ("ROUNDS", 2), ("PER_ROUND", 5),
                        ("POOL", 6), ("EPOCHS", 1), ("HERE", tmp_path),
                        ("RUNS", tmp_path / "runs.jsonl")):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    return module


@pytest.fixture
def plan(
    driver: ModuleType, make_recipe: Callable[..., TransformerRecipe], tiny_corpus: Path
) -> Any:
    recipe = make_recipe()
    path = tiny_corpus.parent.parent / "changed.toml"
    data = DataFolder(tiny_corpus.parent)
    work = path.parent / "work"
    return driver.Plan(driver.RUNS, path, driver.shortened(recipe), data, work)


def rows(driver: ModuleType) -> list[dict[str, Any]]:
    return [json.loads(line) for line in driver.RUNS.read_text("utf-8").splitlines()]


def test_the_whole_loop_goes_on_where_it_stopped(driver: ModuleType, plan: Any) -> None:
    driver.do_missing(plan)
    runs = rows(driver)
    assert [tuple(run["key"].values()) for run in runs] == [
        ("start", 3, 0),
        ("random", 3, 1),
        ("mixed", 3, 1),
        ("random", 3, 2),
        ("mixed", 3, 2),
    ]
    assert [run["sentences"] for run in runs] == [10, 15, 15, 20, 20]
    pool = {a.facts.article_id for a in driver.pool_of(load_split(plan.data.corpus, "train"), 3)}
    gold = {(s.article_id, s.position): s for a in load_split(plan.data.corpus, "train")
            for s in a.sentences}  # fmt: skip
    for strategy in ("random", "mixed"):
        folders = [plan.folder(strategy, 3, n) for n in range(3)]
        sheets = read_tasks([f / "sheet.jsonl" for f in folders])
        assert len({t.text for t in sheets}) == len(sheets) == 20
        assert {t.article_id for t in sheets} <= pool
        assert all(t.reason == "random" for t in sheets) == (strategy == "random")
        labels = [s for f in folders for s in read_labels(f / "labels.jsonl")]
        assert all(gold[s.article_id, s.position] == s for s in labels)
        train = load_split(folders[-1] / "corpus", "train")
        assert len(train) == 20
        assert load_split(folders[-1] / "corpus", "dev") == load_split(plan.data.corpus, "dev")

    lines = driver.RUNS.read_text("utf-8").splitlines(keepends=True)
    driver.RUNS.write_text("".join(lines[:-1]), encoding="utf-8")
    driver.do_missing(plan)
    again = rows(driver)
    assert again[:-1] == runs[:-1]
    assert again[-1]["dev_stance_macro_f1"] == runs[-1]["dev_stance_macro_f1"]

    driver.write_results(again, plan.recipe_path)
    page = (driver.HERE / "active_learning.md").read_text("utf-8")
    assert "| labelled sentences | 10 | 15 | 20 |" in page
    assert page.count("\n| random |") == page.count("\n| mixed |") == 1
    assert (driver.HERE / "active_learning.png").stat().st_size > 10_000

    driver.RUNS.write_text("".join(lines[:-1]), encoding="utf-8")
    (plan.folder("mixed", 3, 1) / "labels.jsonl").unlink()
    with pytest.raises(InputError, match="expected the labels of the round before, found none"):
        driver.do_missing(plan)


def test_runs_of_another_corpus_are_refused(driver: ModuleType, plan: Any) -> None:
    driver.RUNS.write_text(json.dumps({"made_of": "other", "key": {}}), encoding="utf-8")
    with pytest.raises(InputError, match="expected runs of this recipe on this corpus"):
        driver.do_missing(plan)
    with pytest.raises(InputError, match="found 5 runs missing, 1 corpora"):
        driver.write_results(rows(driver), plan.recipe_path)


def test_the_fingerprint_follows_what_the_runs_are_made_of(
    driver: ModuleType, plan: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {plan.fingerprint()}
    for path in (plan.recipe_path, plan.data.corpus / "dev.jsonl"):
        path.write_text(path.read_text("utf-8") + "\n", encoding="utf-8")
        seen.add(plan.fingerprint())
    monkeypatch.setattr(driver, "PER_ROUND", 6)
    assert len(seen | {plan.fingerprint()}) == 4


@pytest.mark.parametrize(
    ("mixed", "words"),
    [
        ((0.6, 0.6, 0.6), "Choosing raises the score faster than chance"),
        ((0.4, 0.4, 0.4), "Choosing does harm here"),
        ((0.6, 0.6, 0.4), "That choosing pays is not shown"),
    ],
)
def test_what_the_page_says(
    driver: ModuleType, monkeypatch: pytest.MonkeyPatch, mixed: tuple[float, ...], words: str
) -> None:
    monkeypatch.setattr(driver, "SEEDS", (3, 4, 5))
    runs = [
        {"key": {"strategy": strategy, "seed": seed, "round": round_}, "dev_stance_macro_f1": value}
        for seed, chosen in zip((3, 4, 5), mixed, strict=True)
        for strategy, round_, value in (
            *(("start", 0, 0.1), ("random", 1, 0.5), ("mixed", 1, chosen)),
            *(("random", 2, 0.5), ("mixed", 2, chosen)),
        )
    ]
    assert words in driver.verdict(runs)
    assert driver.curve(runs, "mixed", 3) == [0.1, mixed[0], mixed[0]]
