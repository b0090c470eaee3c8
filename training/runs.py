"""Many trainings, each scored in the same way: what the drivers in this folder share.

A run is a recipe, the articles it is trained on and a seed; its line in the driver's
file says which (``key``), what it was made of, how long it took, and its scores on dev,
on the real-news development set and on the external sets. A driver that is called
again does what is missing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from claimstance.annotation import DataFolder, write_corpus
from claimstance.corpus import ARTICLES_FILE, LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.recipes import TransformerRecipe, load_recipe
from claimstance.records import iter_json_lines, read_records
from claimstance.standoff import StandoffRow, align_rows

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = DataFolder(ROOT / "data")

#: Scores on the project's own labels; those on external sets have the sets' names.
STANCE_DEV, CERTAINTY_DEV = "dev: stance", "dev: certainty"
STANCE_REAL, CERTAINTY_REAL = "real news: stance", "real news: certainty"


@dataclass(frozen=True, slots=True)
class Plan:
    """What all runs of a driver have in common.

    Attributes:
        runs: the driver's file of runs, one JSON object a line.
        made_from: files that decide what the runs are, the recipe first.
        data: the folder with the corpus and the real-news labels.
        datasets: folder of the datasets that they are scored on.
        work: folder for the trained models.
        most: sentences of an external set to score on; the same ones for every run.
    """

    runs: Path
    made_from: Sequence[Path]
    data: DataFolder
    datasets: Path
    work: Path
    most: int

    def fingerprint(self) -> str:
        """The start of a SHA-256 of all that decides what the runs are and how they score."""
        digest = hashlib.sha256(str(self.most).encode())
        names = (ARTICLES_FILE, "train.jsonl", "dev.jsonl")
        own = (*(self.data.corpus / name for name in names), self.data.real_news)
        for path in (*self.made_from, *own):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Run:
    """One training: what tells it from the others, its recipe, and what it is trained on."""

    key: Mapping[str, Any]
    recipe: TransformerRecipe
    train: Sequence[LabelledArticle] = field(repr=False)

    @property
    def name(self) -> str:
        """The key in words, fit for a folder's name."""
        return "-".join(str(value).replace(" ", "_") for value in self.key.values())


def add_arguments(parser: argparse.ArgumentParser, work: str) -> None:
    """What every driver can be told."""
    parser.add_argument("--recipe", type=Path, default=HERE / "recipes" / "minilm.toml")
    parser.add_argument("--datasets", type=Path, help="folder of the datasets")
    parser.add_argument("--work", type=Path, default=ROOT / "out" / work)
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--draw", action="store_true", help="only write what there is")
    parser.add_argument("--most", type=int, default=200, help="sentences of an external set")


def transformer_recipe(path: Path) -> TransformerRecipe:
    """Read the recipe of a transformer.

    Raises:
        InputError: if it is broken, or a baseline's.
    """
    recipe = load_recipe(path)
    if isinstance(recipe, TransformerRecipe):
        return recipe
    raise InputError(
        str(path),
        expected="the recipe of a transformer",
        found="that of a baseline",
        fix="name another recipe",
    )


def do_missing(runs: Sequence[Run], plan: Plan, jobs: int) -> list[str]:
    """Do the runs that are not in the plan's file yet, in the order given.

    Returns:
        What failed, and why; the rest is done all the same.
    """
    # Better now than after the first hours of training.
    align_rows(read_records(plan.data.real_news, StandoffRow), plan.datasets)
    made_of = plan.fingerprint()
    done = [row["key"] for row in finished_runs(plan.runs, made_of)]
    left = [run for run in runs if dict(run.key) not in done]
    # Networks that share the processor slow each other down unless each has threads of its own.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // jobs))
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        pending = {pool.submit(do_run, run, plan, made_of): run.name for run in left}
        return list(record(pending, plan.runs))


def record(pending: Mapping[Future[dict[str, Any]], str], runs: Path) -> Iterator[str]:
    """Write down each run as it ends; yield what failed, and why, and go on with the rest."""
    for future in as_completed(pending):
        try:
            row = future.result()
        except Exception as error:
            yield f"{pending[future]}: {error}"
            continue
        with runs.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(row, flush=True)


def read_runs(path: Path) -> list[dict[str, Any]]:
    """The runs so far; none yet is no error."""
    return [row for _, row in iter_json_lines(path)] if path.exists() else []


def finished_runs(path: Path, made_of: str) -> list[dict[str, Any]]:
    """The runs so far, if all are made of this.

    Raises:
        InputError: if some are of another corpus, recipe or choice of sentences.
    """
    rows = read_runs(path)
    if any(row["made_of"] != made_of for row in rows):
        raise InputError(
            str(path),
            expected=f"runs of this recipe on this corpus ({made_of})",
            found="runs of another",
            fix="delete the file, and all runs are made anew",
        )
    return rows


def do_run(run: Run, plan: Plan, made_of: str) -> dict[str, Any]:
    """Train and score; a line of the runs' file.

    Raises:
        InputError: if the corpus or the recipe has changed since the runs began.
    """
    import torch

    from claimstance.inference import load_model
    from claimstance.training import train_transformer

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if plan.fingerprint() != made_of:
        raise InputError(
            str(plan.data.root),
            expected="the corpus and the recipe with which the runs began",
            found="changed ones",
            fix="leave them alone until the runs have ended (a git worktree helps)",
        )
    folder = plan.work / run.name
    shutil.rmtree(folder, ignore_errors=True)
    # In the corpus's own order: all of train is then what the recipe alone would train on.
    write_corpus(DataFolder(folder), [*run.train, *load_split(plan.data.corpus, "dev")])
    start = time.monotonic()
    own = run.recipe.model_copy(update={"corpus": folder / "corpus"})
    train_transformer(own, folder / "model")
    minutes = (time.monotonic() - start) / 60
    return {
        "key": dict(run.key),
        "articles": len(run.train),
        "sentences": sum(len(a.sentences) for a in run.train),
        "minutes": round(minutes, 1),
        "made_of": made_of,
        "most": plan.most,
        "scores": score(load_model(folder / "model"), plan),
    }


def score(model: Any, plan: Plan) -> dict[str, float]:
    """The model's score on every set that is at hand."""
    from claimstance.evaluation import evaluate, pair_up
    from claimstance.external import SETS, score_set
    from claimstance.prediction import predict, predict_split
    from claimstance.real_news import label_real_news, score_real_news

    dev = load_split(plan.data.corpus, "dev")
    gold = [s for article in dev for s in article.sentences]
    on_dev = evaluate(pair_up(gold, predict_split(model, dev), "the model"))
    predicted = label_real_news(partial(predict, model), plan.data, plan.datasets)
    on_real = score_real_news(predicted)
    scores = {
        STANCE_DEV: on_dev.stance.macro_f1.value,
        CERTAINTY_DEV: on_dev.certainty.macro_f1.value,
        STANCE_REAL: on_real.stance.macro_f1.value,
        CERTAINTY_REAL: on_real.certainty.macro_f1.value,
    }
    for external in SETS:
        found = score_set(external, partial(predict, model), plan.datasets, most=plan.most)
        if found:
            scores[f"{found.name} ({found.measure})"] = found.score.value
    return {name: round(value, 4) for name, value in scores.items()}
