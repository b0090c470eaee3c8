"""The driver of the learning curve, run for real on a tiny model."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from claimstance.annotation import DataFolder
from claimstance.corpus import LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.recipes import TransformerRecipe
from claimstance.records import write_records
from claimstance.standoff import StandoffRow, sentence_hash

FOLDER = Path(__file__).parent.parent / "training"
TEXT = "The mill is sold."
LABEL = StandoffRow(
    dataset="wires",
    id="w-1",
    sha256=sentence_hash(TEXT),
    stance="asserted",
    certainty="certain",
    source=None,
    cues=(),
)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return importlib.import_module("runs")


@pytest.fixture
def curve(
    runs: ModuleType, monkeypatch: pytest.MonkeyPatch, tiny_corpus: Path, tmp_path: Path
) -> ModuleType:
    module = importlib.import_module("learning_curve")
    monkeypatch.setattr(module, "DATA", DataFolder(tiny_corpus.parent))
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs.jsonl")
    monkeypatch.setattr(module, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(module, "SEEDS", (3,))
    return module


@pytest.fixture
def plan(runs: ModuleType, tiny_corpus: Path, tmp_path: Path) -> Any:
    """Runs on the tiny corpus, with one sentence of real news and one external set."""
    datasets = tmp_path / "datasets"
    datasets.mkdir()
    (datasets / "wires.jsonl").write_text(json.dumps({"id": "w-1", "text": TEXT}), encoding="utf-8")
    science = {"id": "s", "text": TEXT, "label": 5.0}
    (datasets / "sci_certainty.jsonl").write_text(json.dumps(science), encoding="utf-8")
    data = DataFolder(tiny_corpus.parent)
    write_records(data.real_news, [LABEL])
    recipe = tmp_path / "tiny.toml"
    recipe.write_text("", encoding="utf-8")
    return runs.Plan(tmp_path / "runs.jsonl", [recipe], data, datasets, tmp_path / "work", 5)


def test_a_larger_share_holds_the_smaller(
    curve: ModuleType, articles: list[LabelledArticle]
) -> None:
    train = [a for a in articles if a.facts.split == "train"]
    quarter, half, whole = (curve.share_of(train, share, 5) for share in (0.25, 0.5, 1.0))
    assert [len(x) for x in (quarter, half, whole)] == [2, 4, 8]
    assert half[:2] == quarter
    assert whole[:4] == half
    assert curve.share_of(train, 0.5, 6) != half


def test_runs_are_scored_kept_and_drawn(
    runs: ModuleType,
    curve: ModuleType,
    plan: Any,
    make_recipe: Callable[..., TransformerRecipe],
    tmp_path: Path,
) -> None:
    made_of = plan.fingerprint()
    wanted = curve.all_runs(make_recipe(epochs=1))
    assert [run.key for run in wanted] == [{"share": 1.0, "seed": 3}, {"share": 0.5, "seed": 3}]
    rows = [runs.do_run(run, plan, made_of) for run in wanted]
    assert [row["articles"] for row in rows] == [8, 4]
    whole = load_split(tmp_path / "work" / "1.0-3" / "corpus", "train")
    assert whole == load_split(plan.data.corpus, "train")
    half = load_split(tmp_path / "work" / "0.5-3" / "corpus", "train")
    assert sum(len(a.sentences) for a in half) == rows[1]["sentences"]
    assert set(rows[0]["scores"]) == {
        "dev: stance",
        "dev: certainty",
        "real news: stance",
        "real news: certainty",
        "Science certainty (Spearman's ρ)",
    }
    curve.write_results(rows, tmp_path / "tiny.toml")
    page = (tmp_path / "learning_curve.md").read_text(encoding="utf-8")
    assert "| sentences | 28 | 56 | |" in page
    assert page.count("\n| ") == 3 + len(rows[0]["scores"])
    assert "of external sets at most 5 sentences" in page
    assert "From half of train to all of it" in page
    assert (tmp_path / "learning_curve.png").stat().st_size > 10_000


def test_only_what_is_missing_is_done(
    runs: ModuleType, plan: Any, make_recipe: Callable[..., TransformerRecipe]
) -> None:
    """In a process of its own, as for real; one run is there, one fails, one is done."""
    train = load_split(plan.data.corpus, "train")
    wanted = [
        runs.Run({"variant": name}, make_recipe(epochs=1).model_copy(update=changes), train)
        for name, changes in (("there", {}), ("broken", {"backbone": "nowhere"}), ("new", {}))
    ]
    there = {"key": {"variant": "there"}, "made_of": plan.fingerprint()}
    plan.runs.write_text(json.dumps(there) + "\n", encoding="utf-8")
    failed = runs.do_missing(wanted, plan, 1)
    assert len(failed) == 1
    assert failed[0].startswith("broken: backbone 'nowhere': expected a folder")
    rows = runs.read_runs(plan.runs)
    assert [row["key"]["variant"] for row in rows] == ["there", "new"]
    assert rows[1]["made_of"] == there["made_of"]
    assert rows[1]["sentences"] == 56


def test_runs_of_another_corpus_are_refused(runs: ModuleType, plan: Any) -> None:
    assert runs.finished_runs(plan.runs, "x") == []
    plan.runs.write_text(json.dumps({"made_of": "y"}), encoding="utf-8")
    with pytest.raises(InputError, match="expected runs of this recipe on this corpus"):
        runs.finished_runs(plan.runs, "x")


def test_runs_that_are_not_all_there_are_not_drawn(curve: ModuleType) -> None:
    run = {"key": {"share": 0.5, "seed": 3}, "made_of": "x", "scores": {"a": 0.5}}
    key = {"share": 1.0, "seed": 3}
    other = run | {"key": key, "made_of": "y", "scores": {"b": 0.5}}
    with pytest.raises(InputError, match="found 1 runs missing, 1 corpora, 1 lists of sets"):
        curve.write_results([run], curve.HERE / "tiny.toml")
    with pytest.raises(InputError, match="found 0 runs missing, 2 corpora, 2 lists of sets"):
        curve.write_results([run, other], curve.HERE / "tiny.toml")


def test_the_fingerprint_follows_all_that_the_runs_are_made_of(plan: Any) -> None:
    seen = {plan.fingerprint()}
    assert plan.fingerprint() in seen
    seen.add(dataclasses.replace(plan, most=6).fingerprint())
    for path in (
        *plan.made_from,
        plan.data.corpus / "articles.jsonl",
        plan.data.corpus / "train.jsonl",
        plan.data.corpus / "dev.jsonl",
        plan.data.real_news,
    ):
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        seen.add(plan.fingerprint())
    assert len(seen) == 7


def test_a_corpus_that_changes_in_between_is_refused(
    runs: ModuleType, plan: Any, make_recipe: Callable[..., TransformerRecipe]
) -> None:
    run = runs.Run({"seed": 3}, make_recipe(epochs=1), [])
    with pytest.raises(InputError, match="expected the corpus and the recipe with which the runs"):
        runs.do_run(run, plan, "older")


def test_a_run_that_fails_takes_no_other_with_it(
    runs: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = Future[dict[str, Any]](), Future[dict[str, Any]]()
    bad.set_exception(InputError("train", expected="a", found="b", fix="c"))
    good.set_result({"made_of": "x", "key": {"share": 0.5}})
    failed = list(runs.record({bad: "1.0-3", good: "0.5-3"}, tmp_path / "runs.jsonl"))
    assert failed == ["1.0-3: train: expected a, found b. To mend it: c."]
    assert runs.read_runs(tmp_path / "runs.jsonl") == [{"made_of": "x", "key": {"share": 0.5}}]
    assert "'share': 0.5" in capsys.readouterr().out


def test_what_the_last_doubling_moved(curve: ModuleType) -> None:
    half, full = ({"key": {"share": share, "seed": 3}} for share in (0.5, 1.0))
    runs = [
        half | {"scores": {"a": 0.5, "b": 0.5, "c": 0.5}},
        half | {"scores": {"a": 0.6, "b": 0.6, "c": 0.6}},
        full | {"scores": {"a": 0.7, "b": 0.55, "c": 0.4}},
        full | {"scores": {"a": 0.61, "b": 0.7, "c": 0.41}},
    ]
    found = curve.verdict(runs, ["a", "b", "c"])
    assert "higher: a; lower: c; within the seeds: b." in found
