"""Does it pay to choose what to label? Chosen sentences against as many drawn by chance.

    python training/active_learning.py [--jobs 3] [--work out/active-learning] [--draw]

The train split plays the news that nobody has labelled. A first model is trained on
sentences drawn by chance; then each round adds sentences, chosen by the last model
(``mixed``) or by chance (``random``), and trains anew. All goes by the package's own ways:
`claimstance.sampling`, a spreadsheet, which the gold labels fill in, its import, and a
corpus of tasks. Each model is scored on all of dev.

Every model is a line of ``active_learning.jsonl``; a second call does what is missing. At
the end writes the page ``active_learning.md`` and the picture ``active_learning.png``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from runs import DATA, HERE, ROOT, finished_runs, read_runs, transformer_recipe

from claimstance.annotation import DataFolder
from claimstance.corpus import ARTICLES_FILE, LabelledArticle, load_split
from claimstance.errors import InputError, run_script
from claimstance.labelling import spreadsheet
from claimstance.labelling.common import check_answers
from claimstance.prediction import as_article
from claimstance.recipes import TransformerRecipe
from claimstance.records import Labels, write_records, write_text
from claimstance.sampling import sample
from claimstance.task_corpus import build_corpus, task_articles
from claimstance.tasks import read_labels, read_tasks

RUNS = HERE / "active_learning.jsonl"
SEEDS = (13, 14, 15)
#: What is common to both strategies: the sentences that are labelled first.
START = "start"
STRATEGIES = ("random", "mixed")
FIRST = 200
ROUNDS = 5
PER_ROUND = 100
#: Articles of train that a run chooses from: to classify all of them each time would take
#: longer than to train.
POOL = 150
#: Changes to the recipe. A window holds one label here, and several in whole articles: fewer
#: of them make a step. Views are passes without another look at dev, which takes its time.
EPOCHS = 3
VIEWS = 3
BATCH_WINDOWS = 4


@dataclass(frozen=True, slots=True)
class Plan:
    """What all runs have in common.

    Attributes:
        runs: the file of runs, one JSON object a line.
        recipe_path: the recipe that they start from.
        recipe: the same, with the changes above.
        data: the folder with the corpus.
        work: folder for sheets, labels and models.
    """

    runs: Path
    recipe_path: Path
    recipe: TransformerRecipe
    data: DataFolder
    work: Path

    def fingerprint(self) -> str:
        """The start of a SHA-256 of all that decides what the runs are and how they score."""
        sizes = (FIRST, ROUNDS, PER_ROUND, POOL, EPOCHS, VIEWS, BATCH_WINDOWS)
        digest = hashlib.sha256(repr(sizes).encode())
        names = (ARTICLES_FILE, "train.jsonl", "dev.jsonl")
        for path in (self.recipe_path, *(self.data.corpus / name for name in names)):
            digest.update(path.read_bytes())
        return digest.hexdigest()[:12]

    def folder(self, strategy: str, seed: int, round_: int) -> Path:
        """Where a run keeps its files; round 0 is that of both strategies."""
        return self.work / f"{strategy if round_ else START}-{seed}-{round_}"


def main() -> None:
    """Do the runs that are missing, then write the page and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=HERE / "recipes" / "minilm.toml")
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "active-learning")
    parser.add_argument("--jobs", type=int, default=1, help="seeds at a time, a thread each")
    parser.add_argument("--draw", action="store_true", help="only write what there is")
    arguments = parser.parse_args()
    path = arguments.recipe.resolve()
    if not arguments.draw:
        recipe = shortened(transformer_recipe(path))
        do_missing(Plan(RUNS, path, recipe, DATA, arguments.work), arguments.jobs)
    write_results(read_runs(RUNS), path)


def shortened(recipe: TransformerRecipe) -> TransformerRecipe:
    """The recipe with the changes above."""
    passes = {"epochs": EPOCHS, "batch_windows": BATCH_WINDOWS}
    return recipe.model_copy(
        update={
            "optimiser": recipe.optimiser.model_copy(update=passes),
            "windows": recipe.windows.model_copy(update={"views": VIEWS}),
            "teacher": None,
        }
    )


def keys_of(seed: int) -> Iterator[dict[str, Any]]:
    """What tells the runs of a seed apart, in an order in which each finds what it starts from."""
    yield {"strategy": START, "seed": seed, "round": 0}
    for round_ in range(1, ROUNDS + 1):
        for strategy in STRATEGIES:
            yield {"strategy": strategy, "seed": seed, "round": round_}


def do_missing(plan: Plan, jobs: int = 1) -> None:
    """Do the runs that are not in the plan's file yet, so many seeds at a time.

    Raises:
        InputError: if there are runs of another corpus or recipe, or what a run starts from
            is gone.
    """
    # Networks that share the processor slow each other down unless each has threads of its own.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if jobs == 1:
        for seed in SEEDS:
            do_missing_of(seed, plan)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(do_missing_of, seed, plan) for seed in SEEDS]:
            done.result()


def do_missing_of(seed: int, plan: Plan) -> None:
    """Do the runs of a seed that are not in the plan's file yet, one after the other."""
    made_of = plan.fingerprint()
    done = [row["key"] for row in finished_runs(plan.runs, made_of)]
    for key in keys_of(seed):
        if key not in done:
            row = do_run(key, plan) | {"made_of": made_of}
            with plan.runs.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            print(row, flush=True)


def do_run(key: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
    """Choose, label, train and score; a line of the runs' file."""
    import torch

    from claimstance.training import train_transformer

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    strategy, seed, round_ = key["strategy"], key["seed"], key["round"]
    folder = plan.folder(strategy, seed, round_)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    earlier = [plan.folder(strategy, seed, n) for n in range(round_)]
    start = time.monotonic()
    choose_and_label(key, plan, earlier, folder)
    chosen = time.monotonic()
    rounds = [*earlier, folder]
    labels = [s for f in rounds for s in read_labels(f / "labels.jsonl")]
    tasks = read_tasks([f / "sheet.jsonl" for f in rounds])
    new = task_articles(labels, tasks, str(folder))
    build_corpus(new, plan.data.corpus, folder / "corpus", alone=True)
    recipe = plan.recipe.model_copy(update={"corpus": folder / "corpus", "seed": seed})
    train_transformer(recipe, folder / "model")
    trained = time.monotonic()
    return {
        "key": dict(key),
        "sentences": len(labels),
        "minutes_choosing": round((chosen - start) / 60, 2),
        "minutes_training": round((trained - chosen) / 60, 2),
        "dev_stance_macro_f1": round(score(folder / "model", plan), 4),
    }


def choose_and_label(
    key: Mapping[str, Any], plan: Plan, earlier: Sequence[Path], folder: Path
) -> None:
    """One round of the loop, with the gold labels in a person's place.

    Raises:
        InputError: if the files of the rounds before are gone, or the labels are refused.
    """
    from claimstance.inference import load_model

    for before in earlier:
        if not (before / "labels.jsonl").exists():
            raise InputError(
                str(before),
                expected="the labels of the round before",
                found="none",
                fix=f"delete the lines of seed {key['seed']} in {plan.runs.name}, which are then "
                "made anew",
            )
    pool = pool_of(load_split(plan.data.corpus, "train"), key["seed"])
    known = [t.text for t in read_tasks([f / "sheet.jsonl" for f in earlier])]
    by_chance = key["strategy"] != "mixed"
    tasks = sample(
        (as_article(article) for article in pool),
        PER_ROUND if key["round"] else FIRST,
        model=None if by_chance else load_model(earlier[-1] / "model", threads=1),
        strategy="random" if by_chance else "mixed",
        seed=1000 * key["seed"] + key["round"],
        known=known,
    )
    write_records(folder / "sheet.jsonl", tasks)
    gold: dict[str, Labels] = {f"{s.article_id}#{s.position}": s for a in pool for s in a.sentences}
    spreadsheet.write_sheet(folder / "filled.csv", tasks, gold)
    answers = spreadsheet.read_sheet(folder / "filled.csv")
    found = check_answers(tasks, answers, annotator="gold", name=str(folder / "filled.csv"))
    if found.faults:
        raise found.faults[0]
    write_records(folder / "labels.jsonl", found.labels)


def pool_of(train: Sequence[LabelledArticle], seed: int) -> list[LabelledArticle]:
    """The articles that a run chooses from, the same for both strategies and all rounds."""
    return random.Random(seed).sample(train, min(POOL, len(train)))


def score(model: Path, plan: Plan) -> float:
    """Macro-F1 of the stances of all of dev."""
    from claimstance.evaluation import evaluate, pair_up
    from claimstance.inference import load_model
    from claimstance.prediction import predict_split

    dev = load_split(plan.data.corpus, "dev")
    gold = [s for article in dev for s in article.sentences]
    predictions = predict_split(load_model(model, threads=1), dev)
    return evaluate(pair_up(gold, predictions, "the model")).stance.macro_f1.value


def write_results(runs: Sequence[dict[str, Any]], recipe: Path) -> None:
    """Write the page and the picture.

    Raises:
        InputError: if a run is missing, or the runs are not all of one corpus.
    """
    keys = [key for seed in SEEDS for key in keys_of(seed)]
    missing = [key for key in keys if key not in [run["key"] for run in runs]]
    made_of = {run["made_of"] for run in runs}
    if missing or len(made_of) > 1:
        raise InputError(
            str(RUNS),
            expected="every round of both strategies with each seed, all on one corpus",
            found=f"{len(missing)} runs missing, {len(made_of)} corpora",
            fix="finish the runs, or delete the file and make them anew",
        )
    draw(runs, HERE / "active_learning.png")
    write_text(HERE / "active_learning.md", "\n".join(page(runs, recipe)) + "\n")


def curve(runs: Sequence[dict[str, Any]], strategy: str, seed: int) -> list[float]:
    """The scores of a strategy after each round, the common start first."""
    rounds = {
        run["key"]["round"]: run["dev_stance_macro_f1"]
        for run in runs
        if run["key"]["seed"] == seed and run["key"]["strategy"] in (START, strategy)
    }
    return [rounds[number] for number in sorted(rounds)]


def gains(runs: Sequence[dict[str, Any]]) -> list[float]:
    """By seed: how far ``mixed`` lies above ``random``, mean of the rounds after the start."""
    return [
        float(np.mean(curve(runs, "mixed", seed)[1:]) - np.mean(curve(runs, "random", seed)[1:]))
        for seed in SEEDS
    ]


def verdict(runs: Sequence[dict[str, Any]]) -> str:
    """Whether it pays, in words: only if every seed says so."""
    found = gains(runs)
    by_seed = ", ".join(f"{gain:+.3f}" for gain in found)
    if min(found) > 0:
        said = "Choosing raises the score faster than chance: mixed lies above random"
    elif max(found) < 0:
        said = "Choosing does harm here: mixed lies below random"
    else:
        said = "That choosing pays is not shown: the seeds do not agree whether mixed lies above"
    return (
        f"{said} (mean of the rounds, by seed: {by_seed}). Three seeds agree by chance alone one "
        "time in four."
    )


def page(runs: Sequence[dict[str, Any]], recipe: Path) -> Iterator[str]:
    """The table of both strategies, and what it says."""
    yield "# Choosing what to label"
    yield ""
    yield (
        f"Made by `python training/active_learning.py` from the runs in [{RUNS.name}]({RUNS.name})."
        f" The sentences of {POOL} articles of train, without their labels, are what can be "
        f"labelled; {FIRST} of them are, by chance, then {PER_ROUND} more in each of {ROUNDS} "
        f"rounds: drawn by chance, or chosen by `claimstance sample` with the model of the round "
        f"before. The gold labels play the annotator. Recipe `{recipe.name}` with {EPOCHS} epochs, "
        f"{VIEWS} views and {BATCH_WINDOWS} windows a step; seeds {', '.join(map(str, SEEDS))}. "
        "Stance macro-F1 on all of dev, which also chooses the best epoch: mean of the seeds, in "
        f"brackets the lowest and the highest. (Recipe and data: SHA-256 {runs[0]['made_of']}…)"
    )
    yield ""
    yield "![Stance macro-F1 by labelled sentences](active_learning.png)"
    yield ""
    sizes = [FIRST + PER_ROUND * number for number in range(ROUNDS + 1)]
    yield "| labelled sentences | " + " | ".join(map(str, sizes)) + " |"
    yield "| --- |" + " --: |" * len(sizes)
    for strategy in STRATEGIES:
        rounds = zip(*(curve(runs, strategy, seed) for seed in SEEDS), strict=True)
        cells = [f"{np.mean(x):.3f} [{min(x):.3f}, {max(x):.3f}]" for x in rounds]
        yield f"| {strategy} | " + " | ".join(cells) + " |"
    yield ""
    yield verdict(runs)
    yield ""


def draw(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """Both strategies: a line for the mean, a point for each seed."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    axes = figure.subplots()
    sizes = [FIRST + PER_ROUND * number for number in range(ROUNDS + 1)]
    for strategy in STRATEGIES:
        curves = [curve(runs, strategy, seed) for seed in SEEDS]
        (line,) = axes.plot(sizes, np.mean(curves, axis=0), label=strategy)
        for scores in curves:
            axes.plot(sizes, scores, "o", markersize=3, alpha=0.6, color=line.get_color())
    axes.set(xlabel="labelled sentences", ylabel="stance macro-F1 on dev", xticks=sizes)
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right", title="line: mean of the seeds")
    figure.savefig(path, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    run_script(main)
