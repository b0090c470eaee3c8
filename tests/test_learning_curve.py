"""The driver of the learning curve, run for real on a tiny model."""

from __future__ import annotations

import importlib.util
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

SCRIPT = Path(__file__).parent.parent / "training" / "learning_curve.py"
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
def curve(monkeypatch: pytest.MonkeyPatch, tiny_corpus: Path, tmp_path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("learning_curve", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DATA", DataFolder(tiny_corpus.parent))
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "RUNS", tmp_path / "runs.jsonl")
    monkeypatch.setattr(module, "SHARES", (0.5, 1.0))
    monkeypatch.setattr(module, "SEEDS", (3,))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return module


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
    curve: ModuleType, make_recipe: Callable[..., TransformerRecipe], tmp_path: Path
) -> None:
    datasets = tmp_path / "datasets"
    datasets.mkdir()
    (datasets / "wires.jsonl").write_text(json.dumps({"id": "w-1", "text": TEXT}), encoding="utf-8")
    write_records(curve.DATA.real_news, [LABEL])
    science = {"id": "s", "text": TEXT, "label": 5.0}
    (datasets / "sci_certainty.jsonl").write_text(json.dumps(science), encoding="utf-8")
    recipe_path = tmp_path / "tiny.toml"
    recipe_path.write_text("", encoding="utf-8")
    runs = [
        curve.run_one(
            share,
            3,
            recipe=make_recipe(epochs=1),
            recipe_path=recipe_path,
            datasets=datasets,
            work=tmp_path / "work",
            most=5,
            made_of=curve.fingerprint(recipe_path, 5),
        )
        for share in curve.SHARES
    ]
    assert [run["articles"] for run in runs] == [4, 8]
    whole = load_split(tmp_path / "work" / "1.0-3" / "corpus", "train")
    assert whole == load_split(curve.DATA.corpus, "train")
    half = load_split(tmp_path / "work" / "0.5-3" / "corpus", "train")
    assert sum(len(a.sentences) for a in half) == runs[0]["sentences"]
    assert set(runs[0]["scores"]) == {
        "dev: stance",
        "dev: certainty",
        "real news: stance",
        "real news: certainty",
        "Science certainty (Spearman's ρ)",
    }
    curve.write_results(runs, recipe_path)
    page = (tmp_path / "learning_curve.md").read_text(encoding="utf-8")
    assert "| sentences | 28 | 56 | |" in page
    assert page.count("\n| ") == 3 + len(runs[0]["scores"])
    assert "of external sets at most 5 sentences" in page
    assert "From half of train to all of it" in page
    assert (tmp_path / "learning_curve.png").stat().st_size > 10_000


def test_runs_of_another_corpus_are_refused(curve: ModuleType) -> None:
    assert curve.finished_runs("x") == []
    curve.RUNS.write_text(json.dumps({"made_of": "y"}), encoding="utf-8")
    with pytest.raises(InputError, match="expected runs of this recipe on this corpus"):
        curve.finished_runs("x")


def test_runs_that_are_not_all_there_are_not_drawn(curve: ModuleType) -> None:
    run = {"share": 0.5, "seed": 3, "made_of": "x", "scores": {"a": 0.5}}
    other = run | {"share": 1.0, "made_of": "y", "scores": {"b": 0.5}}
    with pytest.raises(InputError, match="found 1 runs missing, 1 corpora, 1 lists of sets"):
        curve.write_results([run], curve.HERE / "tiny.toml")
    with pytest.raises(InputError, match="found 0 runs missing, 2 corpora, 2 lists of sets"):
        curve.write_results([run, other], curve.HERE / "tiny.toml")


def test_the_fingerprint_follows_all_that_the_runs_are_made_of(
    curve: ModuleType, tiny_recipe: Path
) -> None:
    write_records(curve.DATA.real_news, [LABEL])
    seen = {curve.fingerprint(tiny_recipe, 5)}
    assert curve.fingerprint(tiny_recipe, 5) in seen
    seen.add(curve.fingerprint(tiny_recipe, 6))
    for path in (
        tiny_recipe,
        curve.DATA.corpus / "articles.jsonl",
        curve.DATA.corpus / "train.jsonl",
        curve.DATA.corpus / "dev.jsonl",
        curve.DATA.real_news,
    ):
        path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")
        seen.add(curve.fingerprint(tiny_recipe, 5))
    assert len(seen) == 7


def test_a_corpus_that_changes_in_between_is_refused(
    curve: ModuleType, make_recipe: Callable[..., TransformerRecipe], tiny_recipe: Path
) -> None:
    write_records(curve.DATA.real_news, [LABEL])
    with pytest.raises(InputError, match="expected the corpus and the recipe with which the runs"):
        curve.run_one(
            0.5,
            3,
            recipe=make_recipe(epochs=1),
            recipe_path=tiny_recipe,
            datasets=curve.HERE,
            work=curve.HERE / "work",
            most=5,
            made_of="older",
        )


def test_a_run_that_fails_takes_no_other_with_it(
    curve: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = Future[dict[str, Any]](), Future[dict[str, Any]]()
    bad.set_exception(InputError("train", expected="a", found="b", fix="c"))
    good.set_result({"made_of": "x", "share": 0.5})
    failed = list(curve.record({bad: (1.0, 3), good: (0.5, 3)}))
    assert failed == ["share 1.0, seed 3: train: expected a, found b. To mend it: c."]
    assert curve.finished_runs("x") == [{"made_of": "x", "share": 0.5}]
    assert "'share': 0.5" in capsys.readouterr().out


def test_what_the_last_doubling_moved(curve: ModuleType) -> None:
    half, full = ({"share": share, "seed": 3} for share in (0.5, 1.0))
    runs = [
        half | {"scores": {"a": 0.5, "b": 0.5, "c": 0.5}},
        half | {"scores": {"a": 0.6, "b": 0.6, "c": 0.6}},
        full | {"scores": {"a": 0.7, "b": 0.55, "c": 0.4}},
        full | {"scores": {"a": 0.61, "b": 0.7, "c": 0.41}},
    ]
    found = curve.verdict(runs, ["a", "b", "c"])
    assert "higher: a; lower: c; within the seeds: b." in found
