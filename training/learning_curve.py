"""Does more of the same corpus still help? Trains on shares of train and scores each model.

    python training/learning_curve.py --datasets FOLDER [--jobs 2] [--work out/learning-curve]

For each seed the articles of train are put in a random order; a share is the first of
them, so that a larger share holds the smaller ones. Scored on dev, on the real-news
development set (``FOLDER`` must hold its three datasets), and on the external sets that
``FOLDER`` holds (at most ``--most`` sentences each, the same for every model). Every
finished run is a line of ``training/learning_curve.jsonl``; a second call does what is
missing. At the end writes the table ``learning_curve.md`` and the picture
``learning_curve.png`` beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from claimstance.annotation import DataFolder, write_corpus
from claimstance.corpus import ARTICLES_FILE, LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.recipes import TransformerRecipe, load_recipe
from claimstance.records import iter_json_lines, read_records, write_text
from claimstance.standoff import StandoffRow, align_rows

ROOT = Path(__file__).resolve().parent.parent
DATA = DataFolder(ROOT / "data")
HERE = ROOT / "training"
RUNS = HERE / "learning_curve.jsonl"

SHARES = (0.12, 0.25, 0.5, 1.0)
SEEDS = (13, 14, 15)

#: Columns of the table and lines of the picture.
STANCE_DEV, CERTAINTY_DEV = "dev: stance", "dev: certainty"
STANCE_REAL, CERTAINTY_REAL = "real news: stance", "real news: certainty"


def main() -> None:
    """Do the runs that are missing, then write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", type=Path, default=HERE / "recipes" / "minilm.toml")
    parser.add_argument("--datasets", type=Path, help="folder of the datasets")
    parser.add_argument("--work", type=Path, default=ROOT / "out" / "learning-curve")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--draw", action="store_true", help="only draw the runs that there are")
    parser.add_argument("--most", type=int, default=200, help="sentences of an external set")
    arguments = parser.parse_args()

    recipe_path = arguments.recipe.resolve()
    if arguments.draw:
        write_results(read_runs(), recipe_path)
        return
    if not arguments.datasets:
        parser.error("name the folder of the datasets with --datasets")
    recipe = load_recipe(recipe_path)
    if not isinstance(recipe, TransformerRecipe):
        raise InputError(
            str(recipe_path),
            expected="the recipe of a transformer",
            found="that of a baseline",
            fix="name another recipe",
        )
    # Better now than after the first hours of training.
    align_rows(read_records(DATA.real_news, StandoffRow), arguments.datasets)
    made_of = fingerprint(recipe_path, arguments.most)
    done = {(row["share"], row["seed"]) for row in finished_runs(made_of)}
    left = [run for run in product(SHARES, SEEDS) if run not in done]
    work = partial(
        run_one,
        recipe=recipe,
        recipe_path=recipe_path,
        datasets=arguments.datasets,
        work=arguments.work,
        most=arguments.most,
        made_of=made_of,
    )
    # Networks that share the processor slow each other down unless each has threads of its own.
    os.environ["OMP_NUM_THREADS"] = str(max(1, (os.cpu_count() or 1) // arguments.jobs))
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        # The longest first: then no processor waits at the end.
        pending = {pool.submit(work, *run): run for run in sorted(left, key=longest_first)}
        failed = list(record(pending))
    if failed:
        sys.exit("\n".join(failed))
    write_results(finished_runs(made_of), recipe_path)


def longest_first(run: tuple[float, int]) -> tuple[float, int]:
    """A key to sort runs by."""
    share, seed = run
    return -share, seed


def record(pending: Mapping[Future[dict[str, Any]], tuple[float, int]]) -> Iterator[str]:
    """Write down each run as it ends; yield what failed, and why, and go on with the rest."""
    for future in as_completed(pending):
        try:
            row = future.result()
        except Exception as error:
            share, seed = pending[future]
            yield f"share {share}, seed {seed}: {error}"
            continue
        with RUNS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
        print(row, flush=True)


def fingerprint(recipe: Path, most: int) -> str:
    """What a run is made of, as the start of a SHA-256: recipe, corpus, real news, ``most``."""
    digest = hashlib.sha256(str(most).encode())
    names = (ARTICLES_FILE, "train.jsonl", "dev.jsonl")
    for path in (recipe, *(DATA.corpus / name for name in names), DATA.real_news):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def read_runs() -> list[dict[str, Any]]:
    """The runs so far; none yet is no error."""
    return [row for _, row in iter_json_lines(RUNS)] if RUNS.exists() else []


def finished_runs(made_of: str) -> list[dict[str, Any]]:
    """The runs so far, if they are of this corpus, recipe and ``most``.

    Raises:
        InputError: if some are of another.
    """
    rows = read_runs()
    if any(row["made_of"] != made_of for row in rows):
        raise InputError(
            str(RUNS),
            expected=f"runs of this recipe on this corpus ({made_of})",
            found="runs of another",
            fix="delete the file, and all runs are made anew",
        )
    return rows


def run_one(
    share: float,
    seed: int,
    *,
    recipe: TransformerRecipe,
    recipe_path: Path,
    datasets: Path,
    work: Path,
    most: int,
    made_of: str,
) -> dict[str, Any]:
    """Train on a share with a seed, and score; a line of the runs' file.

    Raises:
        InputError: if the corpus or the recipe has changed since the runs began.
    """
    import torch

    from claimstance.inference import load_model
    from claimstance.training import train_transformer

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if fingerprint(recipe_path, most) != made_of:
        raise InputError(
            str(DATA.root),
            expected="the corpus and the recipe with which the runs began",
            found="changed ones",
            fix="leave them alone until the runs have ended (a git worktree helps)",
        )
    folder = work / f"{share}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    chosen = share_of(load_split(DATA.corpus, "train"), share, seed)
    # In the corpus's own order: all of train is then what the recipe alone would train on.
    write_corpus(DataFolder(folder), [*chosen, *load_split(DATA.corpus, "dev")])
    start = time.monotonic()
    own = recipe.model_copy(update={"corpus": folder / "corpus", "seed": seed})
    train_transformer(own, folder / "model")
    minutes = (time.monotonic() - start) / 60
    return {
        "share": share,
        "seed": seed,
        "articles": len(chosen),
        "sentences": sum(len(a.sentences) for a in chosen),
        "minutes": round(minutes, 1),
        "made_of": made_of,
        "most": most,
        "scores": score(load_model(folder / "model"), datasets, most),
    }


def share_of(train: Sequence[LabelledArticle], share: float, seed: int) -> list[LabelledArticle]:
    """The first articles of a random order that make up a share of the sentences."""
    order = random.Random(seed).sample(train, len(train))
    wanted = share * sum(len(a.sentences) for a in train)
    chosen: list[LabelledArticle] = []
    while order and sum(len(a.sentences) for a in chosen) < wanted:
        chosen.append(order.pop(0))
    return chosen


def score(model: Any, datasets: Path, most: int) -> dict[str, float]:
    """The model's score on every set that is at hand."""
    from claimstance.evaluation import evaluate, pair_up
    from claimstance.external import SETS, score_set
    from claimstance.prediction import predict, predict_split
    from claimstance.real_news import label_real_news, score_real_news

    dev = load_split(DATA.corpus, "dev")
    gold = [s for article in dev for s in article.sentences]
    on_dev = evaluate(pair_up(gold, predict_split(model, dev), "the model"))
    on_real = score_real_news(label_real_news(partial(predict, model), DATA, datasets))
    scores = {
        STANCE_DEV: on_dev.stance.macro_f1.value,
        CERTAINTY_DEV: on_dev.certainty.macro_f1.value,
        STANCE_REAL: on_real.stance.macro_f1.value,
        CERTAINTY_REAL: on_real.certainty.macro_f1.value,
    }
    for external in SETS:
        found = score_set(external, partial(predict, model), datasets, most=most)
        if found:
            scores[f"{found.name} ({found.measure})"] = found.score.value
    return {name: round(value, 4) for name, value in scores.items()}


def write_results(runs: Sequence[dict[str, Any]], recipe: Path) -> None:
    """Write the table and the picture.

    Raises:
        InputError: if a run is missing, or the runs are not all of one corpus.
    """
    missing = set(product(SHARES, SEEDS)) - {(r["share"], r["seed"]) for r in runs}
    made_of = {run["made_of"] for run in runs}
    names = {tuple(run["scores"]) for run in runs}
    if missing or len(made_of) > 1 or len(names) > 1:
        raise InputError(
            str(RUNS),
            expected="each share with each seed, all on one corpus and scored on the same sets",
            found=f"{len(missing)} runs missing, {len(made_of)} corpora, "
            f"{len(names)} lists of sets",
            fix="finish the runs, or delete the file and make them anew",
        )
    draw(runs, HERE / "learning_curve.png")
    write_text(HERE / "learning_curve.md", "\n".join(page(runs, recipe)) + "\n")


def values(runs: Sequence[dict[str, Any]], share: float, name: str) -> list[float]:
    """A score of all seeds."""
    return [run["scores"][name] for run in runs if run["share"] == share]


def page(runs: Sequence[dict[str, Any]], recipe: Path) -> Iterator[str]:
    """The table, and what it says about more of the same."""
    names = list(runs[0]["scores"])
    yield "# The learning curve"
    yield ""
    yield (
        "Made by `python training/learning_curve.py --datasets FOLDER` from the runs in "
        f"[{RUNS.name}]({RUNS.name}). Recipe `{recipe.name}`, trained on shares of "
        f"train's articles with the seeds {', '.join(map(str, SEEDS))}; of external sets at most "
        f"{runs[0]['most']} sentences, drawn once. Macro-F1 unless another measure is named: the "
        "mean of the seeds, in brackets the lowest and the highest. Nothing here is the test "
        f"split. Train then had {max(r['sentences'] for r in runs)} sentences of "
        f"{max(r['articles'] for r in runs)} articles (recipe and data: SHA-256 "
        f"{runs[0]['made_of']}…)."
    )
    yield ""
    yield "![The learning curve](learning_curve.png)"
    yield ""
    yield "| | " + " | ".join(f"{share:.0%}" for share in SHARES) + " | last doubling |"
    yield "| --- |" + " --: |" * (len(SHARES) + 1)
    sizes = [
        np.mean([run["sentences"] for run in runs if run["share"] == share]) for share in SHARES
    ]
    yield "| sentences | " + " | ".join(f"{size:.0f}" for size in sizes) + " | |"
    for name in names:
        cells = []
        for share in SHARES:
            found = values(runs, share, name)
            cells.append(f"{np.mean(found):.3f} [{min(found):.3f}, {max(found):.3f}]")
        half, full = (values(runs, share, name) for share in SHARES[-2:])
        cells.append(f"{np.mean(full) - np.mean(half):+.3f}")
        yield f"| {name} | " + " | ".join(cells) + " |"
    yield ""
    yield verdict(runs, names)
    yield ""


def verdict(runs: Sequence[dict[str, Any]], names: Sequence[str]) -> str:
    """Sort the scores by whether the last doubling of train moved them beyond the seeds."""
    sorted_names: dict[str, list[str]] = {"higher": [], "lower": [], "within the seeds": []}
    for name in names:
        half, full = (values(runs, share, name) for share in SHARES[-2:])
        kind = "within the seeds"
        if min(full) > max(half):
            kind = "higher"
        elif max(full) < min(half):
            kind = "lower"
        sorted_names[kind].append(name)
    parts = [f"{kind}: {', '.join(found)}" for kind, found in sorted_names.items() if found]
    return (
        "From half of train to all of it, counting a score as moved only if every seed on all of "
        f"train lies beyond every seed on half: {'; '.join(parts)}. With three seeds that happens "
        "by chance alone to one score in ten."
    )


def draw(runs: Sequence[dict[str, Any]], path: Path) -> None:
    """One panel for the project's own labels, one for the external sets."""
    from matplotlib.figure import Figure

    names = list(runs[0]["scores"])
    own = [n for n in names if n in (STANCE_DEV, CERTAINTY_DEV, STANCE_REAL, CERTAINTY_REAL)]
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, chosen, title in (
        (panels[0], own, "dev and real news"),
        (panels[1], [n for n in names if n not in own], "external sets"),
    ):
        for name in chosen:
            sizes = [np.mean([r["sentences"] for r in runs if r["share"] == s]) for s in SHARES]
            means = [np.mean(values(runs, share, name)) for share in SHARES]
            (line,) = axes.plot(sizes, means, label=name)
            axes.plot(
                [r["sentences"] for r in runs],
                [r["scores"][name] for r in runs],
                linestyle="none",
                marker="o",
                markersize=3,
                alpha=0.6,
                color=line.get_color(),
            )
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:.0f}" for size in sizes])
        axes.minorticks_off()
        axes.set(title=title, xlabel="sentences of train")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, ncols=2, loc="upper center", bbox_to_anchor=(0.5, -0.13))
    panels[0].set_ylabel("score (line: mean of three seeds)")
    figure.savefig(path, dpi=120, metadata={"Software": None})


if __name__ == "__main__":
    main()
