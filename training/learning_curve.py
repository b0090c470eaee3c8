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
import random
import sys
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from runs import (
    CERTAINTY_DEV,
    CERTAINTY_REAL,
    DATA,
    HERE,
    STANCE_DEV,
    STANCE_REAL,
    Plan,
    Run,
    add_arguments,
    do_missing,
    read_runs,
    transformer_recipe,
)

from claimstance.corpus import LabelledArticle, load_split
from claimstance.errors import InputError
from claimstance.recipes import TransformerRecipe
from claimstance.records import write_text

RUNS = HERE / "learning_curve.jsonl"

SHARES = (0.12, 0.25, 0.5, 1.0)
SEEDS = (13, 14, 15)


def main() -> None:
    """Do the runs that are missing, then write the table and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(parser, work="learning-curve")
    arguments = parser.parse_args()
    recipe_path = arguments.recipe.resolve()
    if not arguments.draw:
        if not arguments.datasets:
            parser.error("name the folder of the datasets with --datasets")
        plan = Plan(RUNS, [recipe_path], DATA, arguments.datasets, arguments.work, arguments.most)
        failed = do_missing(all_runs(transformer_recipe(recipe_path)), plan, arguments.jobs)
        if failed:
            sys.exit("\n".join(failed))
    write_results(read_runs(RUNS), recipe_path)


def all_runs(recipe: TransformerRecipe) -> list[Run]:
    """Each share with each seed, the longest first: then no processor waits at the end."""
    train = load_split(DATA.corpus, "train")
    return [
        Run(
            {"share": share, "seed": seed},
            recipe.model_copy(update={"seed": seed}),
            share_of(train, share, seed),
        )
        for share, seed in product(sorted(SHARES, reverse=True), SEEDS)
    ]


def share_of(train: Sequence[LabelledArticle], share: float, seed: int) -> list[LabelledArticle]:
    """The first articles of a random order that make up a share of the sentences."""
    order = random.Random(seed).sample(train, len(train))
    wanted = share * sum(len(a.sentences) for a in train)
    chosen: list[LabelledArticle] = []
    while order and sum(len(a.sentences) for a in chosen) < wanted:
        chosen.append(order.pop(0))
    return chosen


def write_results(runs: Sequence[dict[str, Any]], recipe: Path) -> None:
    """Write the table and the picture.

    Raises:
        InputError: if a run is missing, or the runs are not all of one corpus.
    """
    missing = set(product(SHARES, SEEDS)) - {(r["key"]["share"], r["key"]["seed"]) for r in runs}
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
    return [run["scores"][name] for run in runs if run["key"]["share"] == share]


def mean_size(runs: Sequence[dict[str, Any]], share: float) -> float:
    """Sentences of train in a share, mean of the seeds."""
    return float(np.mean([r["sentences"] for r in runs if r["key"]["share"] == share]))


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
        np.mean([run["sentences"] for run in runs if run["key"]["share"] == share])
        for share in SHARES
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
            sizes = [
                np.mean([r["sentences"] for r in runs if r["key"]["share"] == s]) for s in SHARES
            ]
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
